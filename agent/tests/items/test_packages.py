"""Packages are installed without starting their services, and masks set for that are always removed again."""

import os
import unittest
from pathlib import Path

from gatehouse.items import packages
from tests import support
from tests.support import HostTest, Killed, at

DOCUMENT = 'names = ["caddy", "curl"]\nunits = ["caddy.service", "theirs.service"]\n'


class Packages(HostTest):
    def setUp(self):
        super().setUp()
        self.installed, self.asked, self.masked = {"curl": "8"}, 0, []
        self.complaint = None
        os.makedirs(at("run/units"))
        os.symlink("/dev/null", at("run/units/theirs.service"))
        for name, stand_in in (
            ("_UNITS", Path(at("run/units"))),
            ("_HELD", Path(at("run/held"))),
            ("_MANAGERS", {"apt": self, "pacman": None}),
        ):
            self.patch(packages, name, stand_in)

    def versions(self, names):
        self.asked += 1
        return {name: self.installed[name] for name in names if name in self.installed}

    def install(self, names):
        self.masked = sorted(os.listdir(at("run/units")))
        return self.complaint or self.installed.update(dict.fromkeys(names, "2"))

    def ensure(self):
        return packages.ensure(DOCUMENT)

    def free(self):
        self.assertEqual((os.listdir(at("run/units")), os.path.exists(at("run/held"))), (["theirs.service"], False))
        self.assertEqual(self.systemd.log[-1], "daemon-reload")

    def test_units_are_masked_only_while_their_package_is_installed(self):
        self.assertEqual(self.ensure(), {"manager": "apt", "versions": {"caddy": "2", "curl": "8"}})
        self.assertEqual(self.masked, ["caddy.service", "theirs.service"])
        self.free()

    def test_installed_packages_are_queried_once_and_not_changed(self):
        self.installed["caddy"] = "2"
        self.ensure()
        self.assertEqual((self.asked, self.systemd.log), (2, []))

    def test_a_failed_installation_leaves_no_mask(self):
        self.complaint = "no such package"
        self.refused(1, "caddy cannot be installed:\n    no such package", call=self.ensure)
        self.free()

    def test_an_unknown_manager_is_refused_before_anything_is_queried(self):
        self.refused(
            1,
            "manager: 'zypper'",
            "apt, pacman",
            "nothing was changed",
            call=lambda: packages.ensure(f'{DOCUMENT}manager = "zypper"\n'),
        )
        self.assertEqual((self.asked, self.systemd.log), (0, []))

    def test_a_survey_queries_each_manager_once(self):
        other = support.mock.Mock(versions=lambda names: dict.fromkeys(names, "9"))
        with support.mock.patch.dict(packages._MANAGERS, {"pacman": other}):
            found = packages.survey(
                [
                    {"versions": {"curl": "1"}},
                    {"manager": "apt", "versions": {"caddy": "1"}},
                    {"manager": "pacman", "versions": {"valkey": "1"}},
                ]
            )
        self.assertEqual((found, self.asked), ({"curl": "8", "valkey": "9"}, 1))
        self.assertEqual((packages.survey([]), self.asked), ({}, 1))

    def test_the_mask_of_a_killed_installation_is_removed_by_the_next_apply(self):
        release = packages._release
        for done in (False, True):
            with (
                self.subTest(done=done),
                support.mock.patch.object(packages, "_release", lambda: (self.masked and killed()) or release()),
            ):
                self.masked = []
                self.installed.pop("caddy", None)
                with self.assertRaises(Killed):
                    self.ensure()
                self.assertIn("caddy.service", os.listdir(at("run/units")))
            if not done:
                self.installed.pop("caddy")
            self.ensure()
            self.free()


def killed():
    raise Killed


if __name__ == "__main__":
    unittest.main()
