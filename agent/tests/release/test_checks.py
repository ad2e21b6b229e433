"""The files that checks can see."""

import os
import socket
import subprocess
import unittest
from pathlib import Path

from gatehouse.output.report import REFUSED
from gatehouse.release import checks
from tests import support
from tests.support import HostTest, at, file, shell


class Trees(HostTest):
    def test_sockets_and_fifos_are_left_out_of_the_copy(self):
        os.makedirs(at("etc/app/sub"))
        os.mkfifo(at("etc/app/sub/fifo"))
        os.symlink("nowhere", at("etc/app/link"))
        with socket.socket(socket.AF_UNIX) as server:
            os.chdir(at("etc/app"))  # socket paths are limited in length
            self.addCleanup(os.chdir, "/")
            server.bind("socket")
        self.apply(
            file=[file("etc/app/a", "a")],
            check=[shell("look", 'test "$(cd {tree}; echo * */*)" = "a link sub */*"', tree=at("etc/app"))],
        )

    def test_a_file_that_another_release_replaces_meanwhile_is_not_an_error(self):
        os.makedirs(at("etc/app"))
        passing, listdir = Path(at("etc/app/.b.gatehouse")), os.listdir
        passing.touch()

        def listed(folder):
            names = listdir(folder)
            passing.unlink(missing_ok=True)
            return names

        self.patch(os, "listdir", listed)
        self.apply(
            file=[file("etc/app/a", "a")],
            check=[shell("look", 'test "$(cd {tree}; echo * .b*)" = "a .b*"', tree=at("etc/app"))],
        )


class Units(HostTest):
    def setUp(self):
        super().setUp()
        self.units, self.vendor = at("etc/systemd/system"), at("usr/lib/systemd/system")
        self.verdict, self.staged, self.judged = "", {}, None
        os.makedirs(self.vendor)
        self.patch(checks, "UNITS", self.units)
        self.patch(checks, "_UNIT_PATH", (self.units, self.vendor))
        run = subprocess.run
        self.patch(
            subprocess,
            "run",
            lambda argv, **keys: self.verify(argv, **keys) if argv[0].startswith("systemd") else run(argv, **keys),
        )

    def verify(self, argv, **keys):
        self.assertEqual(argv[:2], ["systemd-analyze", "verify"])
        tree = Path(keys["env"]["SYSTEMD_UNIT_PATH"].rstrip(":"))
        self.judged = sorted(os.path.basename(word) for word in argv if word.startswith("/"))
        self.staged = {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()}
        return subprocess.CompletedProcess(argv, int(bool(self.verdict)), "", self.verdict)

    def vendors(self, name: str) -> str:
        Path(self.vendor, name).write_text(f"vendor's {name}")
        return f"vendor's {name}"

    def test_a_drop_in_is_checked_together_with_its_unit(self):
        text = self.vendors("caddy.service")
        self.apply(file=[file("etc/systemd/system/caddy.service.d/x.conf", "Nice=5")])
        self.assertEqual(
            (self.judged, self.staged), (["caddy.service"], {"caddy.service": text, "caddy.service.d/x.conf": "Nice=5"})
        )

    def test_an_invalid_drop_in_is_refused(self):
        self.vendors("caddy.service")
        self.verdict = "x.conf:1: Unknown key"
        self.refused(
            REFUSED,
            "systemd refuses the unit files, nothing was changed",
            "Unknown key",
            file=[file("etc/systemd/system/caddy.service.d/x.conf", "Nixe=5")],
        )

    def test_a_new_program_is_found_by_units_and_by_units_generated_from_quadlets(self):
        generator = support.ROOM / "generator"
        generator.write_text("#!/bin/sh\necho '---app.service---'; cat $QUADLET_UNIT_DIRS/*\n")
        generator.chmod(0o755)
        self.patch(checks, "GENERATOR", str(generator))
        self.patch(checks, "QUADLETS", at("etc/containers/systemd"))
        run, program = f"ExecStart={at('opt/program')}\n", file("opt/program", "#!/bin/sh", "0755")
        self.apply(
            file=[
                program,
                file("etc/containers/systemd/app.network", run),
                file("etc/systemd/system/plain.service", run),
            ]
        )
        self.assertEqual(set(self.staged), {"app.service", "plain.service"})
        for text in self.staged.values():
            (start,) = [line.removeprefix("ExecStart=") for line in text.splitlines()]
            self.assertEqual((start.endswith("/program"), start == at("opt/program")), (True, False))

    def test_an_instance_is_checked_with_its_template(self):
        text = self.vendors("postgresql@.service")
        self.apply(file=[file("etc/systemd/system/postgresql@17-main.service.d/x.conf", "Nice=5")])
        self.assertEqual(self.staged["postgresql@17-main.service"], text)

    def test_a_unit_is_checked_with_the_changes_applied(self):
        self.vendors("app.service")
        self.apply(
            file=[
                file("etc/systemd/system/app.service.d/x.conf", "Nice=5"),
                file("etc/systemd/system/app.service", "ours"),
            ]
        )
        self.assertEqual((self.judged, self.staged["app.service"]), (["app.service"], "ours"))

    def test_a_drop_in_without_a_unit_is_not_checked(self):
        self.apply(file=[file("etc/systemd/system/app.service.d/x.conf", "Nice=5")])
        self.assertIsNone(self.judged)


if __name__ == "__main__":
    unittest.main()
