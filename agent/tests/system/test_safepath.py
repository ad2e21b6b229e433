"""Paths are opened component by component; no symlink leads root out of a folder that another account can write."""

import contextlib
import os
import stat
import subprocess
import sys
import time
import unittest
from pathlib import Path

from gatehouse.output.report import Failure
from gatehouse.system import safepath
from gatehouse.tree import files
from gatehouse.tree.files import Content
from tests.support import HostTest, at

OTHER = 65534  # an account that is not the agent's
IDS = (os.getuid(), os.getgid())


class Links(HostTest):
    """`theirs` belongs to another account and contains a symlink to `outside`; `ours` belongs to root and contains the
    same."""

    def setUp(self):
        super().setUp()
        for folder in ("theirs", "ours", "outside"):
            os.makedirs(at(folder))
        Path(at("outside/canary")).write_text("canary")
        for folder in ("theirs", "ours"):
            os.symlink(at("outside"), at(f"{folder}/link"))
            os.symlink(at("outside/canary"), at(f"{folder}/file"))
        os.chown(at("theirs"), OTHER, OTHER)
        self.addCleanup(self.untouched)

    def untouched(self):
        self.assertEqual(sorted(os.listdir(at("outside"))), ["canary"])
        self.assertEqual(Path(at("outside/canary")).read_text(), "canary")
        self.assertEqual([os.stat(at(path)).st_uid for path in ("outside", "outside/canary")], [os.getuid()] * 2)

    def test_a_link_of_another_account_is_refused_for_every_operation(self):
        for name, act in {
            "write": lambda: safepath.write(at("theirs/link/new"), b"x", 0o644, *IDS),
            "link": lambda: safepath.link(at("theirs/link/new"), "x"),
            "make": lambda: safepath.make(at("theirs/link/new")),
            "give": lambda: safepath.give(at("theirs/link"), 0o700, OTHER, OTHER),
            "remove": lambda: safepath.remove(at("theirs/link/canary")),
            "remove_tree": lambda: safepath.remove_tree(at("theirs/link/canary")),
            "rename": lambda: safepath.rename(at("theirs/link/canary"), at("ours/canary")),
            "copy": lambda: safepath.copy(at("theirs/link"), at("ours/copy")),
            "read": lambda: safepath.read(at("theirs/link/canary")),
            "entries": lambda: safepath.entries(at("theirs/link")),
            "count": lambda: safepath.count(at("theirs/link")),
            "status": lambda: safepath.status(at("theirs/link/canary")),
            "put_folder": lambda: files.put_folder(at("theirs/link"), 0o700, OTHER, OTHER),
            "look_folder": lambda: files.look_folder(at("theirs/link")),
            "put": lambda: files.put(at("theirs/link/new"), Content(b"x", 0o644, *IDS)),
        }.items():
            with (
                self.subTest(name),
                self.assertRaisesRegex(
                    Failure, "link on this path is a link in a folder that an account other than root can write"
                ),
            ):
                act()

    def test_a_file_is_read_and_never_the_target_of_a_link(self):
        with self.assertRaisesRegex(Failure, "is a link"):
            safepath.read(at("theirs/file"))

    def test_a_link_in_the_place_of_a_file_is_replaced(self):
        safepath.write(at("theirs/file"), b"ours", 0o600, *IDS)
        self.assertEqual((Path(at("theirs/file")).read_text(), os.path.islink(at("theirs/file"))), ("ours", False))

    def test_a_link_in_the_place_of_a_tree_is_removed_alone(self):
        safepath.remove_tree(at("theirs/link"))
        self.assertFalse(os.path.lexists(at("theirs/link")))

    def test_a_link_of_root_is_followed(self):
        safepath.write(at("ours/link/new"), b"x", 0o644, *IDS)
        self.assertEqual(safepath.read(at("outside/new")), b"x")
        safepath.remove(at("ours/link/new"))
        self.assertEqual(files.look_folder(at("ours/link"))[1], os.getuid())

    def test_below_a_folder_of_another_account_no_link_is_followed_not_even_of_root(self):
        os.makedirs(at("theirs/deep"))
        os.symlink(at("outside"), at("theirs/deep/link"))
        with self.assertRaises(Failure):
            safepath.entries(at("theirs/deep/link"))

    def test_a_folder_that_a_group_or_everyone_can_write_is_not_trusted(self):
        for mode in (0o775, 0o777):
            os.chown(at("ours"), os.getuid(), OTHER)
            os.chmod(at("ours"), mode)
            with self.assertRaises(Failure):
                safepath.entries(at("ours/link"))
        os.chmod(at("ours"), 0o1777)  # sticky: no other account can replace root's entries
        self.assertEqual(list(safepath.entries(at("ours/link"))), ["canary"])
        os.chown(at("ours/link"), OTHER, OTHER, follow_symlinks=False)
        with self.assertRaises(Failure):
            safepath.entries(at("ours/link"))

    def test_a_loop_of_links_is_refused(self):
        os.symlink("round", at("ours/round"))
        with self.assertRaisesRegex(Failure, "more than 40 links"):
            safepath.entries(at("ours/round"))

    def test_programs_that_take_paths_work_only_in_folders_of_root(self):
        safepath.refuse_shared(at("ours/data"))
        with self.assertRaisesRegex(Failure, "can be written by an account other than root"):
            safepath.refuse_shared(at("theirs/data"))


class Kinds(HostTest):
    def test_a_fifo_and_a_device_are_not_read_and_do_not_block(self):
        os.mkfifo(at("fifo"))
        began = time.monotonic()
        for path in (at("fifo"), "/dev/zero"):
            with self.assertRaisesRegex(Failure, "not a plain file"):
                safepath.read(path)
        self.assertLess(time.monotonic() - began, 5)

    def test_a_file_whose_owner_holds_a_lease_is_refused_at_once(self):
        Path(at("leased")).write_text("x")
        holds = (
            f"import fcntl, signal; signal.signal(signal.SIGIO, signal.SIG_IGN); f = open({at('leased')!r}, 'r+'); "
            "fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK); print('held', flush=True); signal.pause()"
        )
        holder = subprocess.Popen([sys.executable, "-c", holds], stdout=subprocess.PIPE, text=True)
        self.addCleanup(holder.stdout.close)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        self.assertEqual(holder.stdout.readline(), "held\n")
        began = time.monotonic()
        with self.assertRaisesRegex(Failure, "is locked by a process of its owner"):
            safepath.read(at("leased"))
        self.assertLess(time.monotonic() - began, 5)

    def test_a_file_with_several_names_changes_its_owner_once(self):
        os.makedirs(at("tree"))
        for name, uid in (("a", 5001), ("c", 5002)):
            Path(at(f"tree/{name}")).touch()
            os.chown(at(f"tree/{name}"), uid, uid)
        os.chmod(at("tree/a"), 0o4755)
        os.link(at("tree/a"), at("tree/b"))
        safepath.renumber(at("tree"), {5001: 5002, 5002: 5001}, {5001: 5002, 5002: 5001})
        self.assertEqual([os.stat(at(f"tree/{name}")).st_uid for name in "abc"], [5002, 5002, 5001])
        self.assertEqual(stat.S_IMODE(os.stat(at("tree/a")).st_mode), 0o4755)

    def test_a_file_of_any_size_is_copied_and_only_a_small_one_is_read(self):
        os.makedirs(at("from"))
        with open(at("from/large"), "wb") as file:
            file.truncate((64 << 20) + 1)
        safepath.copy(at("from"), at("to"))
        self.assertEqual(os.path.getsize(at("to/large")), (64 << 20) + 1)
        with self.assertRaisesRegex(Failure, "larger than 64 MiB"):
            safepath.read(at("from/large"))

    def test_a_copy_has_files_folders_and_links_and_is_handed_over_last(self):
        os.makedirs(at("from/sub"), mode=0o750)
        Path(at("from/sub/a")).write_text("a")
        os.chown(at("from"), 12, 34)
        os.chown(at("from/sub/a"), 12, 34)
        os.symlink("nowhere", at("from/link"))
        os.mkfifo(at("from/fifo"))
        safepath.copy(at("from"), at("to"))
        self.assertEqual((sorted(os.listdir(at("to"))), os.readlink(at("to/link"))), (["link", "sub"], "nowhere"))
        self.assertEqual([os.stat(at(path)).st_uid for path in ("to", "to/sub/a")], [os.getuid(), 12])
        self.assertEqual(stat.S_IMODE(os.stat(at("to")).st_mode), 0o700)
        safepath.give_as(at("from"), at("to"))
        self.assertEqual((os.stat(at("to")).st_uid, os.stat(at("to")).st_gid), (12, 34))

    def test_a_tree_is_removed_with_any_content(self):
        os.makedirs(at("gone/a/b"))
        os.mkfifo(at("gone/a/fifo"))
        os.symlink("/", at("gone/a/link"))
        Path(at("gone/-rf")).touch()
        safepath.remove_tree(at("gone"))
        safepath.remove_tree(at("gone"))
        safepath.remove_tree(at("gone/below"))
        self.assertFalse(os.path.lexists(at("gone")))


# Exchanges a folder and a symlink as fast as the kernel can, until it is killed.
RACER = """
import ctypes
import sys
libc = ctypes.CDLL(None)
a, b = (name.encode() for name in sys.argv[1:])
while True:
    libc.renameat2(-100, a, -100, b, 2)
"""


class Races(HostTest):
    """Another process keeps exchanging a folder with a symlink to the outside."""

    def setUp(self):
        super().setUp()
        for folder in ("theirs/d", "outside"):
            os.makedirs(at(folder))
        os.chown(at("theirs"), OTHER, OTHER)
        os.symlink(at("outside"), at("theirs/l"))
        Path(at("outside/canary")).write_text("canary")
        self.before = self.outside()
        racer = subprocess.Popen([sys.executable, "-c", RACER, at("theirs/d"), at("theirs/l")])
        self.addCleanup(racer.wait)
        self.addCleanup(racer.kill)
        seen: set[bool] = set()
        deadline = time.monotonic() + 30
        while len(seen) < 2 and time.monotonic() < deadline:
            seen.add(os.path.islink(at("theirs/d")))
        self.assertEqual(seen, {True, False}, "a racer that swaps nothing shows nothing")

    def outside(self) -> list:
        return [
            (path, os.lstat(path).st_mode, os.lstat(path).st_uid, os.lstat(path).st_mtime_ns)
            for path in (at("outside"), at("outside/canary"))
        ]

    def test_a_thousand_times_nothing_outside_is_read_written_or_given_away(self):
        wrong = []
        for _ in range(1000):
            for act in (
                lambda: safepath.write(at("theirs/d/new"), b"x", 0o666, OTHER, OTHER),
                lambda: files.put_folder(at("theirs/d"), 0o777, OTHER, OTHER),
                lambda: safepath.remove(at("theirs/d/canary")),
                lambda: safepath.make(at("theirs/d/sub")),
                lambda: wrong.append(safepath.read(at("theirs/d/canary"))),
                lambda: wrong.extend(name for name in safepath.entries(at("theirs/d")) if name == "canary"),
            ):
                with contextlib.suppress(Failure, OSError):
                    act()
        for number in range(50):
            try:
                safepath.copy(at("theirs/d"), at(f"copy{number}"))
                wrong += [name for name in os.listdir(at(f"copy{number}")) if name == "canary"]
                safepath.remove_tree(at("theirs/d/canary"))
            except (Failure, OSError):
                pass
        self.assertEqual((wrong, self.outside()), ([], self.before))


if __name__ == "__main__":
    unittest.main()
