"""The program that opens and closes the directory of a socket, as installed on the host."""

import grp
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import unittest
from pathlib import Path

from tests import PLAIN, support

PROGRAM = Path(__file__).parents[3] / "templates/usr/local/libexec/gatehouse/socket-folder.njk"
CLIENT = 12345


@unittest.skipIf(os.getuid(), "only root may give files to others")
class SocketFolder(unittest.TestCase):
    def setUp(self):
        self.room = support.ROOM / "sockets"
        shutil.rmtree(self.room, ignore_errors=True)
        self.room.mkdir(parents=True)
        self.folder = self.room / "run"
        self.owner = pwd.getpwnam("nobody").pw_uid, grp.getgrnam("nogroup").gr_gid
        self.canary = self.room / "canary"
        self.canary.write_text("untouched")
        self.canary.chmod(0o600)
        self.addCleanup(
            lambda: self.assertEqual((self.canary.read_text(), self.modes(self.canary)), ("untouched", (0o600, 0, 0)))
        )

    def run_program(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, *PLAIN, str(PROGRAM), words[0], str(self.folder), "nobody:nogroup", *words[1:]],
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    def modes(self, path: Path) -> tuple[int, int, int]:
        found = path.lstat()
        return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid

    def bind(self, name: str = "s", uid: int | None = None) -> Path:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self.folder / name))
        os.chown(self.folder / name, self.owner[0] if uid is None else uid, self.owner[1])
        return self.folder / name

    def test_the_folder_is_created_closed_and_opened_once_the_socket_exists(self):
        self.assertEqual(self.run_program("close"), (0, ""))
        self.assertEqual(self.modes(self.folder), (0o3750, *self.owner))
        status, output = self.run_program("open", "s")
        self.assertEqual((status, self.modes(self.folder)[0]), (0, 0o3750))
        self.assertIn("stays closed", output)
        self.bind()
        self.assertEqual(self.run_program("open", "s"), (0, ""))
        self.assertEqual(self.modes(self.folder), (0o3770, *self.owner))

    def test_entries_of_clients_are_removed_and_those_of_server_and_root_stay(self):
        self.run_program("close")
        inode = self.folder.stat().st_ino
        kept = {self.bind("s").name, self.bind("s.lock").name, "of-root"}
        (self.folder / "of-root").touch()
        (self.folder / "deep").mkdir()
        os.chown(self.folder / "deep", CLIENT, CLIENT)
        (self.folder / "deep" / "canary").symlink_to(self.canary)
        os.link(self.canary, self.folder / "deep" / "hard")
        os.mkfifo(self.folder / "-rf")
        (self.folder / "link").symlink_to(self.room)
        (self.folder / "new\nline").touch()
        self.bind("socket", CLIENT)
        for name in ("-rf", "link", "new\nline"):
            os.chown(self.folder / name, CLIENT, CLIENT, follow_symlinks=False)
        status, output = self.run_program("close")
        self.assertEqual((status, set(os.listdir(self.folder))), (0, kept))
        self.assertIn("removed 5 entries of clients", output)
        self.assertEqual(self.folder.stat().st_ino, inode)

    def test_entries_that_could_not_be_deleted_are_removed_the_next_time(self):
        self.run_program("close")
        (self.folder / ".removed-before").mkdir(0o700)
        self.run_program("close")
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_folder_that_is_a_link_is_refused(self):
        self.folder.symlink_to(self.room)
        before = self.modes(self.room)
        self.assertEqual(self.run_program("close")[0], 1)
        self.assertEqual(self.modes(self.room), before)

    def test_the_folder_stays_closed_if_the_socket_is_not_the_servers(self):
        self.run_program("close")
        for make in (
            lambda: self.bind("s", CLIENT),
            lambda: os.mkfifo(self.folder / "s"),
            lambda: (self.folder / "s").symlink_to(self.canary),
            (self.folder / "s").mkdir,
        ):
            make()
            for verb in ("open", "repair"):
                status, output = self.run_program(verb, "s")
                self.assertEqual((status, self.modes(self.folder)[0]), (1, 0o3750), output)
            shutil.rmtree(self.folder)
            self.run_program("close")

    def test_repair_corrects_owner_and_mode_of_socket_and_folder(self):
        self.run_program("close")
        there = self.bind()
        there.chmod(0o700)
        os.chown(there, -1, 0)
        os.chown(self.folder, 0, 0)
        self.folder.chmod(0o777)
        status, output = self.run_program("repair", "s")
        self.assertEqual(
            (status, self.modes(there), self.modes(self.folder)), (0, (0o770, *self.owner), (0o3770, *self.owner))
        )
        self.assertRegex(output, r"s was 700 root, set to 770 nogroup\n.*run was 777 root, set to 3770 nogroup\n")
        self.assertEqual(self.run_program("repair", "s"), (0, ""))
        there.unlink()
        self.assertEqual(self.run_program("repair", "s")[0], 1)


if __name__ == "__main__":
    unittest.main()
