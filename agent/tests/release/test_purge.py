"""Data is deleted with its release only on request, and never before all of it has been copied."""

import os
import tarfile
import unittest
from functools import partial
from pathlib import Path
from unittest import mock

from gatehouse.output.report import Failure
from gatehouse.release import purge
from gatehouse.release import remove as removal
from gatehouse.state import wanted
from gatehouse.system import process
from tests.support import OWNER, STATE, TREE, HostTest, at, file, live, secret, tree

SCRIPT = ["/bin/sh", "-c"]


class Purge(HostTest):
    def setUp(self):
        super().setUp()
        self.patch(purge, "BACKUPS", TREE / "var/backups/gatehouse")
        self.folder, self.table = Path(at("var/lib/app")), Path(at("root/table"))
        for path, text in ((self.folder / "deep/file", "kept"), (self.table, "rows")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.data = [
            {"name": "folder", "path": str(self.folder)},
            {
                "name": "database",
                "save": [*SCRIPT, f"cp {self.table} {{dump}}/rows"],
                "drop": [*SCRIPT, f"rm -f {self.table}"],
            },
        ]

    def give(self, **keys):
        unit = [{"name": "app.service"}]
        return self.apply(
            **{"data": self.data, "file": [file("etc/app.conf", "x", restarts=["app.service"])], "unit": unit, **keys}
        )

    def remove(self, purging: bool = True) -> dict:
        return removal.remove("app", "shop/prod/app", purging)

    def copies(self) -> list[str]:
        """The files in the backup folder of a removal."""
        return sorted(
            str(p.relative_to(folder))
            for folder in purge.BACKUPS.glob("app/*")
            for p in folder.rglob("*")
            if p.is_file()
        )

    def data_is_there(self) -> tuple[bool, bool]:
        return (self.folder / "deep/file").exists(), self.table.exists()

    def test_without_purge_the_data_stays_and_no_copy_is_made(self):
        self.give()
        self.assertEqual(self.remove(purging=False), {"release": "app", "removed": True})
        self.assertEqual((self.data_is_there(), self.copies()), ((True, True), []))

    def test_with_purge_everything_is_copied_and_then_deleted(self):
        self.give()
        done = self.remove()
        self.assertEqual(self.data_is_there(), (False, False))
        self.assertFalse(self.folder.exists())
        self.assertEqual(self.copies(), ["database/rows", "folder/app.tar.gz"])
        folder = Path(done["copies"])
        self.assertEqual((folder / "database/rows").read_text(), "rows")
        with tarfile.open(folder / "folder/app.tar.gz") as tar:
            self.assertEqual(tar.extractfile("app/deep/file").read(), b"kept")
        self.assertEqual([(folder / name).stat().st_mode & 0o7777 for name in ("folder", "database")], [0o700, 0o700])

    def test_data_is_not_deleted_by_the_update_that_adds_a_release_which_may_be_the_same_under_another_name(self):
        self.give()
        wanted.declare("shop/prod", {"renamed": ""})
        with self.assertRaises(Failure) as caught:
            self.remove()
        self.assertIn("because the same `pulumi up` adds renamed: if app only got another name", str(caught.exception))
        self.assertEqual((self.data_is_there(), self.copies()), ((True, True), []))
        self.assertTrue(Path(at("etc/app.conf")).exists())
        # Of all releases, until the next update, which is to declare its releases again.
        self.assertRaises(Failure, self.remove)
        self.assertEqual(wanted.of_stacks(), {})
        self.apply(release="renamed", owner="shop/prod/renamed")
        wanted.declare("shop/prod", {"renamed": ""})
        self.assertEqual(wanted.of_stacks(), {"shop/prod": {"renamed": ""}})
        self.remove()
        self.assertEqual(self.data_is_there(), (False, False))

    def test_another_stack_may_add_a_release_meanwhile_and_what_is_there_already_is_not_new(self):
        self.give()
        wanted.declare("wiki/prod", {"renamed": ""})
        wanted.declare("shop/prod", {"app": ""})
        self.remove()
        self.assertEqual(self.data_is_there(), (False, False))

    def test_without_a_purge_a_renamed_release_goes_and_its_data_stays(self):
        self.give()
        wanted.declare("shop/prod", {"renamed": ""})
        self.assertEqual(self.remove(purging=False), {"release": "app", "removed": True})
        self.assertEqual((self.data_is_there(), self.copies()), ((True, True), []))

    def test_an_update_touches_no_data(self):
        self.give()
        self.give(data=self.data[:1], deadline=2)
        self.give(data=[])
        self.assertEqual((self.data_is_there(), self.copies()), ((True, True), []))

    def test_without_a_copy_nothing_is_deleted_and_units_start_again(self):
        self.give(data=[self.data[0], self.data[1] | {"save": [*SCRIPT, "echo no connection; exit 1"]}])
        before = self.standing()
        self.refused(1, "database could not be copied:\n    no connection", call=self.remove)
        self.assertEqual(self.standing(), before)
        self.assertEqual((self.data_is_there(), self.copies()), ((True, True), []))
        self.give()
        self.assertTrue(self.remove()["removed"])
        self.assertEqual(self.data_is_there(), (False, False))

    def test_a_full_disk_leaves_everything_unchanged(self):
        self.give()
        before = self.standing()
        with (
            mock.patch.object(os, "sync", side_effect=OSError(28, "No space left on device")),
            self.assertRaises(OSError),
        ):
            self.remove()
        self.assertEqual(self.standing(), before)
        self.assertEqual((self.data_is_there(), self.copies()), ((True, True), []))

    def test_a_removal_interrupted_before_deleting_copies_later_writes(self):
        self.give()
        with mock.patch.object(removal.originals, "put", side_effect=Failure("cut")):
            self.refused(1, "cut", call=self.remove)
        self.table.write_text("more rows")
        done = self.remove()
        self.assertEqual((Path(done["copies"]) / "database/rows").read_text(), "more rows")

    def test_a_removal_interrupted_while_deleting_continues_with_its_copies(self):
        self.give()
        with mock.patch.object(purge, "_run", self.fails_at_drop()):
            self.refused(1, "could not be deleted", call=self.remove)
        self.assertEqual((self.data_is_there(), self.copies()), ((False, True), ["database/rows", "folder/app.tar.gz"]))
        self.assertTrue(self.remove()["removed"])
        self.assertEqual(
            (self.data_is_there(), self.copies()), ((False, False), ["database/rows", "folder/app.tar.gz"])
        )

    def fails_at_drop(self):
        run = purge._run

        def failing(data, argv, complaint, folder=None):
            if argv == data.drop:
                raise Failure(f"{data.name} {complaint}")
            run(data, argv, complaint, folder)

        return failing

    def test_a_release_applied_again_after_a_failed_removal_is_copied_again(self):
        self.give()
        with mock.patch.object(purge, "_run", self.fails_at_drop()):
            self.refused(1, "could not be deleted", call=self.remove)
        self.give(deadline=3)
        self.table.write_text("more rows")
        done = self.remove()
        self.assertEqual((Path(done["copies"]) / "database/rows").read_text(), "more rows")

    def test_missing_data_is_skipped(self):
        self.give(data=self.data[:1])
        self.folder.rename(f"{self.folder}.elsewhere")
        self.assertEqual(self.remove(), {"release": "app", "removed": True})
        self.assertEqual(self.copies(), [])

    def test_a_link_is_refused_because_only_the_link_would_be_copied(self):
        self.give(data=self.data[:1])
        self.folder.rename(f"{self.folder}.elsewhere")
        os.symlink(f"{self.folder}.elsewhere", self.folder)
        self.refused(1, f"{self.folder} is a link to {self.folder}.elsewhere", call=self.remove)
        self.assertTrue(self.folder.is_symlink())

    def test_a_link_in_the_path_is_refused_too(self):
        self.give(data=self.data[:1])
        above = self.folder.parent
        above.rename(f"{above}.elsewhere")
        os.symlink(f"{above}.elsewhere", above)
        self.refused(1, f"is a link to {above}.elsewhere/app", call=self.remove)
        self.assertTrue((self.folder / "deep/file").exists())

    def test_data_that_contains_files_of_another_release_is_refused_for_both(self):
        self.give(data=self.data[:1])
        inside = f"{self.folder}/theirs"
        for keys in (
            {"file": [file("var/lib/app/theirs", "x")]},
            {"directory": [{"path": inside, "mode": "0700", "owner": OWNER}]},
            {"data": [{"name": "data", "path": inside}]},
        ):
            self.refused(
                1,
                f"{inside} of release other is in {self.folder}, which is data of release app",
                call=partial(self.apply, release="other", **keys),
            )
        self.apply(release="other", file=[file("var/lib/application", "x")])
        self.refused(
            1,
            "var/lib/application of release other is in",
            call=lambda: self.give(data=[{"name": "data", "path": at("var/lib")}]),
        )

    def test_secrets_in_use_are_not_deleted(self):
        folder = STATE / "secrets/app"
        self.give(
            file=[secret("app", "hunter22")], secret=True, unit=[], data=[{"name": "secrets", "path": str(folder)}]
        )
        self.apply(release="user", refers=[f"{folder}/1"])
        self.refused(1, "release user uses data that would be deleted with app", call=self.remove)
        removal.remove("user", "shop/prod/user")
        self.assertTrue(self.remove()["removed"])
        self.assertFalse(folder.exists())

    def test_a_removal_interrupted_at_its_end_is_not_repeated(self):
        self.give()
        with mock.patch.object(removal.store.shutil, "rmtree", side_effect=Failure("cut")):
            self.refused(1, "cut", call=self.remove)
        self.assertEqual(self.remove(), {"release": "app", "removed": True})

    @unittest.skipIf(os.geteuid(), "only root mounts")
    def test_a_mount_point_is_refused_because_it_cannot_be_deleted(self):
        self.give(data=self.data[:1])
        mount = str(self.folder / "é and more")
        os.mkdir(mount)
        self.assertEqual(process.run(("mount", "-t", "tmpfs", "tmpfs", mount))[0], 0)
        try:
            self.refused(1, f"{mount} is a separate file system", call=self.remove)
        finally:
            process.run(("umount", mount))
        self.assertTrue(self.remove()["removed"])

    def test_secrets_are_data_too(self):
        folder = STATE / "secrets/app"
        keys = {
            "file": [secret("app", "hunter22")],
            "secret": True,
            "unit": [],
            "data": [{"name": "secrets", "path": str(folder)}],
        }
        self.give(**keys)
        self.assertEqual((self.remove(purging=False)["removed"], folder.exists()), (False, True))
        self.assertEqual(
            (self.remove()["removed"], folder.exists(), self.copies()), (True, False, ["secrets/app.tar.gz"])
        )

    def test_invalid_data_entries_are_refused(self):
        for wrong, words in (
            ({"name": "a b", "path": "/var/lib/app"}, "data a b: not a unique name"),
            ({"name": "a"}, "data a: give either path, or save and drop"),
            (
                {"name": "a", "path": "/var/lib/app", "save": ["true"], "drop": ["true"]},
                "data a: give either path, or save and drop",
            ),
            ({"name": "a", "save": ["true"]}, "data a: give either path, or save and drop"),
            (
                {"name": "a", "path": "/var/lib"},
                "data a: /var/lib is not an absolute, clean path of three names or more",
            ),
            ({"name": "a", "path": "/var/lib/../app"}, "data a: /var/lib/../app is not"),
        ):
            with self.subTest(wrong):
                self.refused(1, words, call=partial(self.give, data=[wrong]))
        self.refused(1, "data folder: not a unique name", call=lambda: self.give(data=[self.data[0], self.data[0]]))
        self.assertEqual(live_or_none("etc/app.conf"), None)
        self.give()
        self.assertEqual(live("etc/app.conf"), "x")


def live_or_none(path: str) -> str | None:
    return live(path) if path in tree() else None


if __name__ == "__main__":
    unittest.main()
