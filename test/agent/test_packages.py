"""Packages come without starting what they bring, and what was masked for that is free again afterwards, whatever happens."""

import os
import unittest
from pathlib import Path

import support  # first: it puts the agent on the path
import packages
from report import Failure
from support import HostTest, Killed, at

DOCUMENT = 'names = ["caddy", "curl"]\nunits = ["caddy.service", "theirs.service"]\n'


class Packages(HostTest):
    def setUp(self):
        super().setUp()
        self.installed, self.asked, self.masked = {"curl": "8"}, 0, []
        self.apt = lambda: None
        os.makedirs(at("run/units"))
        os.symlink("/dev/null", at("run/units/theirs.service"))
        for name, stand_in in (("_UNITS", Path(at("run/units"))), ("_HELD", Path(at("run/held"))), ("_apt", self.install), ("versions", self.versions)):
            self.patch(packages, name, stand_in)

    def versions(self, names):
        self.asked += 1
        return {name: self.installed[name] for name in names if name in self.installed}

    def install(self, verb, *names):
        self.masked = sorted(os.listdir(at("run/units")))
        self.apt()
        return self.installed.update(dict.fromkeys(names, "2"))

    def ensure(self):
        return packages.ensure(DOCUMENT)

    def free(self):
        self.assertEqual((os.listdir(at("run/units")), os.path.exists(at("run/held"))), (["theirs.service"], False))
        self.assertEqual(self.systemd.log[-1], "daemon-reload")

    def test_units_are_masked_only_while_their_package_is_installed(self):
        self.assertEqual(self.ensure(), {"versions": {"caddy": "2", "curl": "8"}})
        self.assertEqual(self.masked, ["caddy.service", "theirs.service"])
        self.free()

    def test_packages_that_are_there_are_asked_for_once_and_not_touched(self):
        self.installed["caddy"] = "2"
        self.ensure()
        self.assertEqual((self.asked, self.systemd.log), (2, []))

    def test_a_failed_installation_leaves_no_mask(self):
        self.apt = lambda: (_ for _ in ()).throw(Failure("no such package"))
        with self.assertRaises(Failure):
            self.ensure()
        self.free()

    def test_the_mask_of_an_installation_that_was_killed_goes_at_the_next_apply(self):
        release = packages._release
        for done in (False, True):
            with self.subTest(done=done), support.mock.patch.object(packages, "_release", lambda: self.masked and killed() or release()):
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
