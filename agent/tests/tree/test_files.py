"""Files go live atomically, with their mode and owner, and previous files are restored."""

import os
import stat
import unittest

from gatehouse.output.report import REFUSED
from gatehouse.protocol.manifest import load
from gatehouse.state.store import Release
from gatehouse.tree import files, originals
from gatehouse.tree.files import Content
from tests import support
from tests.support import OWNER, HostTest, at, file, identities, manifest, tree

IDS = (os.getuid(), os.getgid())


class Put(HostTest):
    def test_a_file_gets_its_content_mode_and_owner(self):
        files.put(at("etc/app/app.conf"), Content(b"\0\xff\n", 0o640, 12, 34))
        self.assertEqual(tree(), {"etc/app/app.conf": (b"\0\xff\n", 0o640, 12, 34)})

    def test_a_missing_parent_is_created_readable_but_not_in_the_agents_state(self):
        files.put(at("etc/app/app.conf"), Content(b"", 0o600, *IDS))
        files.put(f"{support.STATE}/secrets/app/1/password", Content(b"", 0o400, *IDS))
        modes = [stat.S_IMODE(os.stat(path).st_mode) for path in (at("etc/app"), f"{support.STATE}/secrets/app/1")]
        self.assertEqual(modes, [0o755, 0o711])

    def test_concurrent_readers_see_the_old_or_the_new_file(self):
        files.put(at("app.conf"), Content(b"old", 0o644, *IDS))
        seen, rename = [], os.rename
        self.patch(os, "fchown", lambda *_: seen.append(tree()["app.conf"]))
        self.patch(os, "rename", lambda *names, **folders: (seen.append(tree()["app.conf"]), rename(*names, **folders)))
        files.put(at("app.conf"), Content(b"new", 0o600, *IDS))
        self.assertEqual(seen, [(b"old", 0o644, *IDS)] * 2)
        self.assertEqual(tree(), {"app.conf": (b"new", 0o600, *IDS)})

    def test_content_is_synced_before_the_rename(self):
        order, rename = [], os.rename
        self.patch(
            os,
            "fsync",
            lambda descriptor: order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"),
        )
        self.patch(os, "rename", lambda *names, **folders: (order.append("rename"), rename(*names, **folders)))
        files.put(at("app.conf"), Content(b"new", 0o600, *IDS))
        self.assertEqual(order, ["file", "rename", "folder"])

    def test_an_interrupted_put_leaves_the_old_file_and_the_next_one_no_dot_file(self):
        def killed(*_, **folders):
            raise support.Killed

        for content in (Content(b"newer", 0o644, *IDS), None):
            files.put(at("app.conf"), Content(b"old", 0o644, *IDS))
            with support.mock.patch("os.rename", killed), self.assertRaises(support.Killed):
                files.put(at("app.conf"), Content(b"new", 0o644, *IDS))
            self.assertEqual((tree()["app.conf"][0], len(tree())), (b"old", 2), "the test did interrupt it")
            files.put(at("app.conf"), content)
            self.assertEqual([entry[0] for entry in tree().values()], [b"newer"] if content else [])

    def test_a_file_replaces_a_link_and_not_what_it_points_to(self):
        files.put(at("target"), Content(b"target", 0o644, *IDS))
        os.symlink("target", at("link"))
        files.put(at("link"), Content(b"file", 0o644, *IDS))
        self.assertEqual({path: entry[0] for path, entry in tree().items()}, {"link": b"file", "target": b"target"})

    def test_a_link_is_read_and_restored_as_a_link(self):
        os.symlink("nowhere", at("link"))
        kept = files.look(at("link"))
        files.put(at("link"), None)
        self.assertIsNone(files.look(at("link")))
        files.put(at("link"), kept)
        self.assertEqual(os.readlink(at("link")), "nowhere")

    def test_removing_a_missing_file_is_not_an_error(self):
        files.put(at("nowhere/app.conf"), None)
        self.assertEqual(tree(), {})


class Changes(HostTest):
    def found(self, *wanted: dict, current=()) -> list[tuple[str, str]]:
        now, then = load(manifest(file=list(wanted))), load(manifest(file=list(current)))
        changes = files.changes(files.wanted_files(now, 1, then, 1, {"files": {}}), then, 1)
        return [(os.path.relpath(c.path, support.TREE), c.what) for c in changes]

    def put(self, path: str, text: str = "a", mode: int = 0o644, ids=IDS):
        files.put(at(path), Content(text.encode(), mode, *ids))

    def test_a_correct_file_is_no_change(self):
        self.put("a")
        self.assertEqual(self.found(file("a", "a")), [])

    def test_the_kind_of_each_change_is_named(self):
        self.put("content", "other")
        self.put("mode", mode=0o600)
        self.put("owner", ids=(12, 34))
        os.symlink("a", at("link"))
        found = self.found(*(file(path, "a") for path in ("absent", "content", "mode", "owner", "link")))
        self.assertEqual(
            found,
            [
                ("absent", "added"),
                ("content", "content"),
                ("mode", "mode or owner"),
                ("owner", "mode or owner"),
                ("link", "mode or owner"),
            ],
        )

    def test_a_file_that_the_release_no_longer_has_is_removed(self):
        self.put("kept")
        self.put("dropped")
        self.put("foreign")
        self.assertEqual(
            self.found(file("kept", "a"), current=[file("kept", "a"), file("dropped", "a"), file("gone", "a")]),
            [("dropped", "removed")],
        )


class Originals(HostTest):
    def test_an_original_is_kept_with_mode_and_owner(self):
        files.put(at("app.conf"), Content(b"theirs", 0o604, 12, 34))
        self.assertTrue(originals.keep_original(at("app.conf")))
        files.put(at("app.conf"), Content(b"ours", 0o644, *IDS))
        files.put(at("app.conf"), originals.original(at("app.conf")))
        self.assertEqual(tree()["app.conf"], (b"theirs", 0o604, 12, 34))

    def test_without_an_original_nothing_is_kept(self):
        self.assertFalse(originals.keep_original(at("app.conf")))
        self.assertIsNone(originals.original(at("app.conf")))

    def test_the_latest_foreign_file_is_the_original(self):
        for text in (b"first", b"second"):
            files.put(at("app.conf"), Content(text, 0o644, *IDS))
            originals.keep_original(at("app.conf"))
        self.assertEqual(originals.original(at("app.conf")).data, b"second")


class Snapshots(HostTest):
    def test_a_snapshot_restores_everything_and_can_be_used_twice(self):
        files.put(at("a"), Content(b"a", 0o604, 12, 34))
        os.symlink("a", at("link"))
        before = tree()
        originals.take_snapshot(Release("app"), [at("a"), at("link"), at("new")], [], [])
        for path in ("a", "link", "new"):
            files.put(at(path), Content(b"ours", 0o644, *IDS))
        for _ in range(2):
            originals.restore_snapshot(Release("app"))
            self.assertEqual(tree(), before)

    def test_a_snapshot_of_nothing_restores_nothing(self):
        originals.take_snapshot(Release("app"), [], [], [])
        self.assertEqual(originals.restore_snapshot(Release("app")), [])


class Directories(HostTest):
    def ensure(self, **keys) -> bool:
        """Whether something had to change."""
        wanted = files.folder_changes(
            load(manifest(directory=[{"path": at("srv/app"), "mode": "02750", "owner": "12:34"} | keys])).directory
        )
        for directory in wanted:
            files.put_folder(directory.path, *files.wanted_folder(directory))
        return bool(wanted)

    def test_a_directory_is_created_with_mode_and_owner_and_then_not_changed(self):
        self.assertTrue(self.ensure())
        self.assertEqual(files.look_folder(at("srv/app")), (0o2750, 12, 34))
        self.assertFalse(self.ensure())

    def test_a_wrong_mode_or_owner_is_corrected_and_the_contents_stay(self):
        self.ensure()
        files.put(at("srv/app/data"), Content(b"", 0o600, 12, 34))
        before = identities()
        for keys in ({"mode": "0700"}, {"owner": OWNER}):
            self.assertTrue(self.ensure(**keys))
        self.assertEqual(identities(), before)


class Obstacles(HostTest):
    """If the path of a file is not a regular file, the apply is refused before any change."""

    def test_a_directory_a_fifo_or_a_file_in_the_way_is_named(self):
        os.makedirs(at("etc/folder"))
        os.mkfifo(at("etc/fifo"))
        files.put(at("etc/plain"), Content(b"theirs", 0o644, *IDS))
        folder = {"mode": "0750", "owner": OWNER}
        for keys, words in (
            ({"file": [file("etc/folder", "x")]}, f"{at('etc/folder')} is not a plain file"),
            ({"file": [file("etc/fifo", "x")]}, f"{at('etc/fifo')} is not a plain file"),
            ({"file": [file("etc/plain/app.conf", "x")]}, f"{at('etc/plain')} is not a directory"),
            ({"directory": [folder | {"path": at("etc/plain")}]}, f"{at('etc/plain')} is not a directory"),
        ):
            with self.subTest(words):
                self.refused(REFUSED, words, "nothing was changed", **keys)
        self.assertEqual(set(tree()), {"etc/plain"})
        self.apply(
            file=[file("etc/plain", "ours"), file("etc/folder/app.conf", "x")],
            directory=[folder | {"path": at("etc/folder")}],
        )


if __name__ == "__main__":
    unittest.main()
