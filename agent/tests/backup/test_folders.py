"""The real locations of backed-up folders, their contents, and gaps that a drill finds."""

import os
import time
import unittest
from dataclasses import replace
from pathlib import Path

from gatehouse.backup import drill, folders, parts, restic, restore
from gatehouse.backup.places import Place
from gatehouse.output.report import Failure
from gatehouse.system import mounts
from tests.backup.test_backups import backup
from tests.support import HostTest, at, file

ACCOUNT = 65534


def made(path: str, content: str = "x") -> str:
    os.makedirs(os.path.dirname(at(path)), exist_ok=True)
    Path(at(path)).write_text(content)
    return at(path)


@unittest.skipIf(os.geteuid(), "only root gives folders to others")
class Places(HostTest):
    def setUp(self):
        super().setUp()
        made("disk/files/kept")
        os.makedirs(at("apps"))

    def test_a_folder_that_root_moved_to_another_disk_is_followed(self):
        os.symlink(at("disk/files"), at("apps/wiki"))
        self.assertEqual(folders.places(at("apps/wiki")), [at("disk/files")])
        os.symlink("wiki", at("apps/again"))
        self.assertEqual(folders.places(at("apps/again")), [at("disk/files")])

    def test_a_link_in_a_folder_of_root_is_followed_and_its_target_too(self):
        made("more/deep/kept")
        made("apps/wiki/own")
        os.symlink(at("disk"), at("apps/wiki/volume"))
        os.symlink(at("more"), at("disk/further"))
        self.assertEqual(folders.places(at("apps/wiki")), [at("apps/wiki"), at("disk"), at("more")])
        self.assertEqual(folders.look(folders.places(at("apps/wiki"))).files, 3)

    def test_a_loop_of_links_ends(self):
        os.makedirs(at("apps/wiki"))
        os.symlink(at("apps"), at("apps/wiki/up"))
        self.assertEqual(folders.places(at("apps/wiki")), [at("apps/wiki")])
        self.assertEqual(folders.look([at("apps/wiki")]).leading_out, (at("apps/wiki/up"),))
        self.assertEqual(folders.look([]), folders.Amount())

    def test_a_link_that_another_account_could_have_created_is_refused_and_named(self):
        for owner, of_folder in ((ACCOUNT, ACCOUNT), (0, ACCOUNT), (ACCOUNT, 0)):
            with self.subTest(owner=owner, of_folder=of_folder):
                home = at(f"home-{owner}-{of_folder}")
                os.mkdir(home)
                os.symlink(at("disk/files"), f"{home}/data")
                os.chown(f"{home}/data", owner, owner, follow_symlinks=False)
                os.chown(home, of_folder, of_folder)
                with self.assertRaisesRegex(Failure, f"{home}/data: data on this path is a link .*and is not followed"):
                    folders.places(f"{home}/data")

    def test_a_link_to_a_place_that_another_account_could_replace_is_refused(self):
        os.makedirs(at("home/alice/files"))
        os.chown(at("home/alice"), ACCOUNT, ACCOUNT)
        os.symlink(at("home/alice/files"), at("apps/wiki"))
        with self.assertRaisesRegex(Failure, "can be written by an account other than root"):
            folders.places(at("apps/wiki"))

    def test_a_missing_disk_is_named(self):
        os.symlink(at("gone"), at("apps/wiki"))
        with self.assertRaisesRegex(Failure, "apps/wiki is a link to a missing target: is its disk mounted"):
            folders.places(at("apps/wiki"))

    def test_links_of_an_application_are_content_and_those_of_root_that_are_not_followed_are_named(self):
        made("apps/wiki/files/own")
        for name, target, owner in (
            ("own-link", "/etc", ACCOUNT),
            ("roots", at("disk/files"), 0),
            ("inside", "own", 0),
        ):
            os.symlink(target, at(f"apps/wiki/files/{name}"))
            os.chown(at(f"apps/wiki/files/{name}"), owner, owner, follow_symlinks=False)
        os.chown(at("apps/wiki/files"), ACCOUNT, ACCOUNT)
        os.symlink(at("gone"), at("apps/wiki/dangling"))
        found = folders.places(at("apps/wiki"))
        self.assertEqual(found, [at("apps/wiki")])
        seen = folders.look(found)
        self.assertEqual(sorted(seen.leading_out), [at("apps/wiki/dangling"), at("apps/wiki/files/roots")])
        self.assertIn("and 1 more: a link of root is followed only to a folder", folders.complaint(seen))
        os.chown(at("apps/wiki/files"), 0, 0)
        os.unlink(at("apps/wiki/dangling"))
        self.assertIsNone(folders.complaint(folders.look(folders.places(at("apps/wiki")))))

    def test_a_file_system_that_an_account_mounted_is_not_read(self):
        os.makedirs(at("apps/wiki/files"))
        theirs = mounts.Mount(
            at("apps/wiki/files"), "fuse.sshfs", "files@keeper:", ("rw", "user_id=1000", "group_id=1000")
        )
        for mount, refused in (
            (theirs, True),
            (replace(theirs, options=("rw", "user_id=0")), False),
            (replace(theirs, kind="ext4", options=("rw",)), False),
        ):
            with self.subTest(mount):
                self.patch(mounts, "below", lambda path, mount=mount: [mount])
                if refused:
                    with self.assertRaisesRegex(Failure, "apps/wiki/files was mounted by an account other than root"):
                        folders.places(at("apps/wiki"))
                else:
                    self.assertEqual(folders.places(at("apps/wiki")), [at("apps/wiki")])


class Amounts(HostTest):
    def test_files_and_bytes_are_counted_whatever_their_names_and_room_once(self):
        made("data/a", "12345")
        os.link(at("data/a"), at("data/b"))
        Path(os.fsdecode(os.fsencode(at("data")) + b"/n\n\xffl\x1b")).write_text("123")
        os.mkfifo(at("data/fifo"))
        with open(at("data/hole"), "wb") as hole:
            hole.truncate(1 << 30)
        found = folders.look([at("data")])
        self.assertEqual((found.files, found.size), (4, 13 + (1 << 30)))
        self.assertLess(found.disk, 1 << 20)

    def test_files_changed_since_can_be_left_out(self):
        made("data/old", "12")
        moment = time.time()
        while Path(made("data/new", "123")).stat().st_ctime <= moment:
            time.sleep(0.01)
        self.assertEqual(folders.look([at("data")]).files, 2)
        self.assertEqual(
            (folders.look([at("data")], until=moment).files, folders.look([at("data")], until=moment).size), (1, 2)
        )

    def test_a_command_that_never_ends_is_stopped(self):
        self.patch(folders, "_COUNTING", 0.2)
        self.patch(folders, "_EACH", ("-exec", "sleep", "60", ";"))
        with self.assertRaisesRegex(Failure, "find was stopped after 0 s"):
            folders.look([at("")])


class Mounts(unittest.TestCase):
    def test_lines_of_mountinfo_are_parsed(self):
        line = (
            rb"36 35 98:0 /r /mnt/a\040b\134c rw,noatime master:1 - fuse.sshfs host:/a\040b rw,user_id=1000,allow_other"
            + b"\n"
        )
        self.assertEqual(
            mounts._read(line),
            mounts.Mount("/mnt/a b\\c", "fuse.sshfs", "host:/a\\040b", ("rw", "user_id=1000", "allow_other")),
        )
        self.assertIn("/proc", [mount.point for mount in mounts.below("/proc")])
        self.assertNotIn("/proc", [mount.point for mount in mounts.below("/pro")])


class Gaps(HostTest):
    """A release's folder in a backup, compared with the live one."""

    def setUp(self):
        super().setUp()
        made("var/lib/wiki/a", "12345")
        made("var/lib/wiki/b", "12345")
        self.apply(
            release="app-wiki", file=[file("etc/wiki", "x")], data=[{"name": "volumes", "path": at("var/lib/wiki")}]
        )
        self.backup = replace(
            backup("20261125-120000", 0, "0/10"),
            marked=time.time() + 1,
            folders={"app-wiki/volumes": at("var/lib/wiki")},
        )

    def gaps(self, files: int, size: int, **more) -> list[str]:
        return drill._gaps(replace(self.backup, **more), {"app-wiki/volumes": folders.Amount(files, size)})

    def test_fewer_files_or_bytes_than_were_there_before_and_still_are_fail(self):
        self.assertEqual(self.gaps(2, 10), [])
        self.assertEqual(self.gaps(3, 11), [])
        for files, size in ((0, 0), (1, 10), (2, 9)):
            [found] = self.gaps(files, size)
            self.assertIn(f"but {at('var/lib/wiki')} had 2 files with 10 bytes when", found)

    def test_files_added_or_changed_since_the_backup_are_no_gap(self):
        self.assertEqual(self.gaps(0, 0, marked=time.time() - 60), [])

    def test_what_the_backup_reports_as_incomplete_is_not_reported_again(self):
        self.assertEqual(self.gaps(0, 0, incomplete={"app-wiki": "a lock"}), [])

    def test_a_drill_names_the_incomplete_parts_of_a_backup(self):
        found = {
            "backup": "n",
            "rows": 1,
            "tables": 1,
            "files": 1,
            "seconds": 1,
            "compared": True,
            "exact": True,
            "moved": [],
            "incomplete": {},
        }
        self.assertIn("backup n can be restored: ", drill.lines(found)[0])
        self.assertIn(
            "backup n can be restored, except what it lacks of app-wiki: ",
            drill.lines(found | {"incomplete": {"app-wiki": "a lock"}})[0],
        )

    def test_a_folder_missing_from_the_backup_is_a_gap_unless_it_became_data_later(self):
        self.assertEqual(drill._gaps(self.backup, {})[0][:40], "app-wiki/volumes: restored 0 files with ")
        self.assertEqual(drill._gaps(replace(self.backup, marked=time.time() - 60), {}), [])

    def test_a_folder_that_is_a_link_that_must_not_be_followed_fails(self):
        os.rename(at("var/lib/wiki"), at("var/lib/there"))
        os.symlink(at("var/lib/there"), at("var/lib/wiki"))
        self.assertEqual(self.gaps(2, 10), [])
        if not os.geteuid():
            os.chown(at("var/lib/wiki"), ACCOUNT, ACCOUNT, follow_symlinks=False)
            self.assertRegex(self.gaps(2, 10)[0], "app-wiki/volumes: .* is not followed")


class Emptied(HostTest):
    def test_a_folder_emptied_since_the_last_backup_is_reported_once(self):
        found, none, some = parts.Parts(), restic.Saved(["/v"], 0, 0, 0, None), restic.Saved(["/v"], 1, 1, 1, None)
        before = backup("n", 0, "0/10")
        for saved, parts_before, expected in (
            (some, [3, 9], {}),
            (none, [0, 0], {}),
            (none, [3, 9], {"app": "/v is empty, but had 3 files in backup n: is its disk mounted?"}),
        ):
            found.note_emptied({"app/volumes": saved}, replace(before, parts={"app/volumes": parts_before}))
            self.assertEqual(found.incomplete, expected)


class Restoring(HostTest):
    def test_a_folder_is_restored_to_its_current_location_and_link_targets_to_theirs(self):
        made("disk/wiki/kept")
        os.symlink(at("disk/wiki"), at("wiki"))
        taken = replace(backup("n", 0, "0/10"), places={"app/volumes": ["/old/wiki", "/old/volume"]})
        self.assertEqual(
            restore._lying(taken, Place("app/volumes", "/old/wiki", at("wiki"), at("wiki"))),
            [(at("disk/wiki"), "/old/wiki"), ("/old/volume", "/old/volume")],
        )
        self.assertEqual(
            restore._lying(taken, Place("app/none", at("none"), at("none"), at("none"))), [(at("none"), at("none"))]
        )

    def test_a_folder_with_a_mounted_file_system_cannot_be_swapped(self):
        os.makedirs(at("wiki/files"))
        restore._refuse_what_cannot_move(at("wiki"))
        self.patch(mounts, "below", lambda path: [mounts.Mount(f"{path}/files", "ext4", "/dev/vdb1", ())])
        with self.assertRaisesRegex(Failure, "wiki/files is a separate file system.*nothing was changed"):
            restore._refuse_what_cannot_move(at("wiki"))


if __name__ == "__main__":
    unittest.main()
