"""Each package manager, called through a program with its name that records its calls."""

import os
import unittest
from pathlib import Path

from gatehouse.system import apt, pacman
from tests import support
from tests.support import HostTest, at

# The output of the real package managers.
OLD = """error: failed retrieving file 'caddy-2.10.0-1-x86_64.pkg.tar.zst' from mirror.example.org : The requested URL returned error: 404
error: failed to commit transaction (failed to retrieve some files)"""
NEVER = "warning: database file for 'extra' does not exist (use '-Sy' to download)\nerror: target not found: caddy"
LOCKED = "error: failed to init transaction (unable to lock database)\nerror: could not lock database: File exists"


class Managers(HostTest):
    def setUp(self):
        super().setUp()
        os.makedirs(at("bin"))
        patcher = support.mock.patch.dict(os.environ, {"PATH": f"{at('bin')}:{os.environ['PATH']}"})
        patcher.start()
        self.addCleanup(patcher.stop)

    def program(self, name: str, script: str = "") -> None:
        path = Path(at(f"bin/{name}"))
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>{at("calls")}\n{script}\n')
        path.chmod(0o755)

    def calls(self) -> list[str]:
        return Path(at("calls")).read_text().splitlines()


class Pacman(Managers):
    def fails(self, *printed: str) -> None:
        """Fails with each of these outputs in turn, and then succeeds."""
        for number, text in enumerate(printed):
            Path(at(f"printed-{number}")).write_text(text)
        self.program(
            "pacman",
            f"printed={at('printed-')}$(($(wc -l <{at('calls')}) - 1)); [ ! -e $printed ] || {{ cat $printed >&2; exit 1; }}",
        )

    def test_it_installs_from_the_existing_lists_and_never_refreshes_them(self):
        self.fails()
        self.assertIsNone(pacman.install(["caddy", "curl"]))
        self.assertEqual(self.calls(), ["pacman -S --needed --noconfirm -- caddy curl"])

    def test_outdated_lists_are_reported_with_the_upgrade_that_the_operator_has_to_run(self):
        for printed in (OLD, NEVER):
            with self.subTest(printed=printed):
                self.fails(printed)
                error = pacman.install(["caddy"])
                self.assertTrue(error.startswith(printed))
                self.assertIn("Upgrade the host as a whole, with `pacman -Syu`", error)
                self.assertEqual(self.calls(), ["pacman -S --needed --noconfirm -- caddy"])
                os.unlink(at("calls"))

    def test_another_error_is_reported_unchanged(self):
        self.fails("error: failed to prepare transaction (conflicting dependencies)\n")
        self.assertEqual(pacman.install(["caddy"]), "error: failed to prepare transaction (conflicting dependencies)\n")

    def test_it_waits_for_another_pacman(self):
        self.fails(LOCKED, LOCKED)
        self.assertIsNone(pacman.install(["caddy"]))
        self.assertEqual((len(self.calls()), self.clock.now), (3, 2))

    def test_a_stale_lock_is_reported_with_its_remedy(self):
        self.patch(pacman, "_PATIENCE", 3)
        self.fails(*[LOCKED] * 9)
        self.assertIn("if none is running, rm /var/lib/pacman/db.lck", pacman.install(["caddy"]))

    def test_installed_packages_are_queried_once_and_returned_under_their_names(self):
        self.program(
            "pacman",
            "echo 'curl 8.14.1-1'; echo 'python 3.13.5-1'; echo \"error: package 'caddy' was not found\" >&2; exit 1",
        )
        self.assertEqual(pacman.versions(("curl", "caddy", "python3")), {"curl": "8.14.1-1"})
        self.assertEqual(self.calls(), ["pacman -Q -- curl caddy python3"])


class Apt(Managers):
    def test_it_refreshes_its_lists_only_if_they_are_not_enough(self):
        self.program("apt-get")
        self.assertIsNone(apt.install(["caddy"]))
        self.assertEqual([line.split()[-2:] for line in self.calls()], [["install", "caddy"]])

    def test_it_tries_again_with_new_lists_and_reports_the_second_error(self):
        self.program("apt-get", "echo no such package; exit 100")
        self.assertEqual(apt.install(["caddy"]), "no such package\n")
        self.assertEqual([line.split()[-1] for line in self.calls()], ["caddy", "update", "caddy"])

    def test_what_is_only_configured_is_not_installed(self):
        self.program("dpkg-query", "echo 'ii  curl 8.14.1-2'; echo 'rc  caddy 2.6.2'")
        self.assertEqual(apt.versions(("curl", "caddy")), {"curl": "8.14.1-2"})


if __name__ == "__main__":
    unittest.main()
