"""A failure names the failed part of an apply as data, independently of its message."""

import unittest

from gatehouse.output.report import REFUSED, ROLLED_BACK, At, Failure
from tests.support import HostTest, at, file, shell


class FailedPart(HostTest):
    def failure(self, **keys) -> Failure:
        with self.assertRaises(Failure) as caught:
            self.apply(**keys)
        return caught.exception

    def test_each_part_is_named_as_its_table(self):
        app, broken = [{"name": "app.service"}], lambda unit: unit == "app.service"
        for kind, name, keys in (
            ("preparation", "fetch", {"preparation": [shell("fetch", "exit 1")]}),
            ("check", "syntax", {"file": [file("etc/app", "x")], "check": [shell("syntax", "exit 1", tree=at("etc"))]}),
            ("step", "migrate", {"step": [shell("migrate", "exit 1")]}),
            ("probe", "answers", {"probe": [shell("fine", "exit 0"), shell("answers", "exit 1")]}),
        ):
            with self.subTest(kind):
                self.assertEqual(self.failure(**keys).at, At(kind, name))
        self.systemd.broken = broken
        self.assertEqual(self.failure(unit=app).at, At("unit", "app.service"))

    def test_it_survives_the_rollback(self):
        self.apply(file=[file("etc/app", "1")])
        failure = self.failure(file=[file("etc/app", "2")], step=[shell("migrate", "exit 1")])
        self.assertEqual((failure.code, failure.at), (ROLLED_BACK, At("step", "migrate")))

    def test_a_refusal_of_no_single_part_names_none(self):
        self.apply(file=[file("etc/app", "1")])
        failure = self.failure(release="other", owner="shop/prod/other", file=[file("etc/app", "2")])
        self.assertEqual((failure.code, failure.at), (REFUSED, None))


if __name__ == "__main__":
    unittest.main()
