"""Folders and files of the operator: used, backed up on request, never changed, and never replaceable by an account."""

import os
import unittest
from pathlib import Path

from gatehouse.backup import parts
from gatehouse.output.report import Failure
from gatehouse.release import remove as removal
from gatehouse.state import remains
from tests.support import HostTest, at

ACCOUNT = 65534


class Refused(HostTest):
    def setUp(self):
        super().setUp()
        os.makedirs(at("photos"))
        os.makedirs(at("alice/photos"))
        Path(at("motd")).write_text("hello")
        os.symlink(at("photos"), at("pictures"))
        os.symlink(at("motd"), at("message"))
        os.chown(at("photos"), ACCOUNT, ACCOUNT)
        os.chown(at("alice"), ACCOUNT, ACCOUNT)

    def apply_with(self, *paths, saved=False):
        data = [{"name": "data", "path": at(paths[0]), "borrowed": True}] if saved else []
        self.apply(borrowed=[{"path": at(path)} for path in paths], data=data)

    def refused_for(self, path, words, saved=False):
        with self.assertRaisesRegex(Failure, f"{words}.*; nothing was changed$"):
            self.apply_with(path, saved=saved)

    def test_a_folder_of_an_account_is_used_if_only_root_can_replace_it(self):
        self.apply_with("photos", saved=True)

    def test_a_file_is_used_also_through_a_link_of_root(self):
        self.apply_with("motd", "message")

    def test_all_faults_are_reported_together(self):
        with self.assertRaisesRegex(Failure, "a does not exist.*; .*b does not exist.*; nothing was changed$"):
            self.apply_with("a", "b")

    def test_what_an_account_could_replace_is_refused(self):
        self.refused_for("alice/photos", "a folder above .*/alice/photos can be written by an account other than root")
        os.makedirs(at("shared/photos"))
        os.chmod(at("shared"), 0o1777)
        os.chown(at("shared/photos"), ACCOUNT, ACCOUNT)
        self.refused_for("shared/photos", "can be replaced by its owner")

    def test_a_link_in_a_folder_of_an_account_is_refused(self):
        os.symlink("/etc/shadow", at("alice/link"))
        self.refused_for("alice/link", "can be written by an account other than root")

    def test_a_link_to_a_folder_is_refused_since_the_mount_of_its_target_is_not_awaited(self):
        self.refused_for("pictures", f"leads through a link to {at('photos')}: use that path")

    def test_what_is_missing_is_refused(self):
        self.refused_for("nowhere", "does not exist: create it, or mount its disk")
        self.refused_for("nowhere/below", "does not exist")

    def test_a_file_cannot_be_in_the_backup_and_a_fifo_cannot_be_used(self):
        self.refused_for("motd", "is a file, and only folders are backed up", saved=True)
        os.mkfifo(at("fifo"))
        self.refused_for("fifo", "neither a folder nor a plain file")


class Kept(HostTest):
    def give(self, saved: bool) -> dict:
        path = at("photos")
        data = [{"name": "photos", "path": path, "borrowed": True}] if saved else []
        return self.apply(borrowed=[{"path": path}], data=data)

    def setUp(self):
        super().setUp()
        os.makedirs(at("photos"))
        Path(at("photos/one")).write_text("a photo")
        os.chmod(at("photos"), 0o2775)

    def test_it_is_in_the_backup_only_if_the_manifest_says_so(self):
        self.give(saved=False)
        self.assertEqual(parts.paths(), {})
        self.give(saved=True)
        self.assertEqual(parts.paths(), {"app/photos": at("photos")})

    def test_only_a_borrowed_folder_is_kept_by_a_purge(self):
        with self.assertRaisesRegex(Failure, "data photos: .* is not among the borrowed folders"):
            self.apply(data=[{"name": "photos", "path": at("photos"), "borrowed": True}])

    def test_a_purge_does_not_touch_it(self):
        self.give(saved=True)
        removal.remove("app", "shop/prod/app", True)
        self.assertEqual(Path(at("photos/one")).read_text(), "a photo")
        self.assertEqual(os.stat(at("photos")).st_mode & 0o7777, 0o2775)
        self.assertNotIn(at("photos"), remains.of("data"))


if __name__ == "__main__":
    unittest.main()
