"""Data with a new location moves there while the release's units are stopped, and returns with every rollback."""

import contextlib
import os
import unittest
from unittest import mock

from gatehouse.backup import places
from gatehouse.output.report import ROLLED_BACK, Failure
from gatehouse.release import apply, remove
from gatehouse.state.store import Release
from gatehouse.tree import files, moves
from tests import support
from tests.support import OWNER, HostTest, Killed, at, file, shell, tree


def old(**keys) -> dict:
    return (
        dict(
            directory=[{"path": at("home/media"), "mode": "0750", "owner": OWNER}],
            file=[file("etc/app.container", "Volume=media", restarts=["app.service"])],
            unit=[{"name": "app.service"}],
        )
        | keys
    )


def new(**keys) -> dict:
    folders = [
        {"path": at("home/data"), "mode": "0750", "owner": OWNER},
        {"path": at("home/data/media"), "mode": "0770", "owner": OWNER, "formerly": at("home/media")},
    ]
    return (
        dict(
            directory=folders,
            file=[file("etc/app.container", "Volume=data", restarts=["app.service"])],
            unit=[{"name": "app.service"}],
        )
        | keys
    )


def folders() -> dict:
    """Each folder of the data, with its mode."""
    found = {}
    for top, *_ in os.walk(at("home")):
        found[os.path.relpath(top, at("home"))] = oct(os.stat(top).st_mode & 0o7777)
    return found


class Moves(HostTest):
    def setUp(self):
        super().setUp()
        os.makedirs(at("home"))
        self.apply(**old())
        for path in ("icons/a.png", "icons/deep/b.png", "c.png"):
            self.upload("media", path)
        self.before, self.folders = self.standing(), folders()
        self.systemd.log.clear()

    def upload(self, where: str, path: str, what: str = "") -> None:
        files.put(at(f"home/{where}/{path}"), files.Content((what or path).encode(), 0o600, os.getuid(), os.getgid()))

    def lie_in(self, where: str) -> None:
        self.assertEqual(
            {path for path in tree() if path.startswith("home/")},
            {f"home/{where}/{path}" for path in ("icons/a.png", "icons/deep/b.png", "c.png")},
        )

    def test_data_moves_while_units_are_stopped_and_the_old_folder_is_removed(self):
        rename = os.rename
        self.patch(
            os,
            "rename",
            lambda *words, **keys: (
                self.systemd.log.append("move") if words[0] in ("icons", "c.png") else None,
                rename(*words, **keys),
            ),
        )
        done = self.apply(**new())
        self.lie_in("data/media")
        self.assertFalse(os.path.exists(at("home/media")))
        self.assertEqual(self.systemd.log, ["stop app.service", "move", "move", "restart app.service"])
        self.assertIn(at("home/data/media"), done["changed"])
        self.assertIn(f"the contents of {at('home/media')} move to", "".join(self.output))

    def test_moved_data_is_not_moved_again(self):
        self.apply(**new())
        self.assertEqual(self.apply(**new())["units"], {})

    def test_an_unhealthy_apply_moves_the_data_back(self):
        self.refused(ROLLED_BACK, **new(step=[shell("no", f"test -e {at('home/data/media/c.png')} && exit 1")]))
        self.assertEqual((self.standing(), folders()), (self.before, self.folders))
        self.assertEqual(
            self.systemd.log,
            [
                "stop app.service",
                "restart app.service",
                "stop app.service",
                "reset-failed app.service",
                "restart app.service",
            ],
        )

    def test_files_written_by_a_failed_start_stay_and_do_not_block_the_move(self):
        self.refused(ROLLED_BACK, **new(step=[shell("no", f"echo new > {at('home/data/media/new.png')}; exit 1")]))
        self.assertEqual(support.live("home/data/media/new.png"), "new\n")
        self.assertEqual(support.live("home/media/icons/a.png"), "icons/a.png")

    def test_an_older_manifest_moves_the_data_back(self):
        self.apply(**new())
        self.upload("data/media", "later.png")
        self.apply(**old())
        self.assertEqual(support.live("home/media/later.png"), "later.png")
        self.assertEqual(support.live("home/media/icons/deep/b.png"), "icons/deep/b.png")
        self.assertFalse(os.path.exists(at("home/data/media")))
        self.apply(**new())
        self.assertEqual(support.live("home/data/media/later.png"), "later.png")

    def test_a_first_apply_moves_existing_data(self):
        remove.remove("app", "shop/prod/app")
        self.apply(**new())
        self.lie_in("data/media")

    def test_an_empty_folder_is_removed_too(self):
        for name in ("icons/deep/b.png", "icons/a.png", "c.png"):
            os.unlink(at(f"home/media/{name}"))
        self.apply(**new())
        self.assertEqual(sorted(folders()), [".", "data", "data/media", "data/media/icons", "data/media/icons/deep"])

    def test_files_at_both_locations_are_merged_and_the_newer_keeps_its_name(self):
        self.apply(**new())
        os.makedirs(at("home/media/icons/more"))
        self.upload("media", "icons/a.png", "of before")
        self.upload("media", "icons/more/d.png")
        self.apply(**new())
        self.assertEqual(
            (support.live("home/data/media/icons/a.png"), support.live("home/data/media/icons/a.png.former")),
            ("icons/a.png", "of before"),
        )
        self.assertEqual(support.live("home/data/media/icons/more/d.png"), "icons/more/d.png")
        self.assertFalse(os.path.exists(at("home/media")))
        self.assertEqual(self.apply(**new())["units"], {})

    def test_a_merge_is_undone_file_by_file(self):
        self.apply(**new())
        os.makedirs(at("home/media/icons/more"))
        self.upload("media", "icons/a.png", "of before")
        self.upload("media", "icons/more/d.png")
        before, were = self.standing(), folders()
        self.refused(ROLLED_BACK, **new(step=[shell("no", "exit 1")]))
        self.assertEqual((self.standing(), folders()), (before, were))

    def test_data_that_cannot_be_moved_stops_no_unit(self):
        os.rename(at("home/media"), at("elsewhere"))
        os.symlink(at("elsewhere"), at("home/media"))
        self.refused(
            1,
            "home/media is a link",
            f"cp --archive --no-target-directory {at('home/media')}/ {at('home/data/media')}",
            "nothing was changed",
            **new(),
        )
        self.assertEqual(self.systemd.log, [])
        os.unlink(at("home/media"))
        self.upload("", "media", "a file")
        self.refused(1, "is not a folder", **new())
        os.unlink(at("home/media"))
        os.rename(at("elsewhere"), at("home/media"))
        self.patch(moves, "_device", lambda path: -1)
        self.refused(1, "another file system", **new())

    def test_a_link_in_it_moves_as_a_link(self):
        os.symlink("/etc/passwd", at("home/media/link"))
        self.apply(**new())
        self.assertEqual(os.readlink(at("home/data/media/link")), "/etc/passwd")

    def test_a_former_location_must_be_separate(self):
        for former in ("relative", at("home/data/media/below"), at("home"), at("home/data"), at("home/media/../x")):
            wanted = new()
            wanted["directory"][1]["formerly"] = former
            self.refused(1, "formerly", **wanted)
        self.apply(**new())

    def test_a_move_killed_anywhere_ends_as_the_next_manifest_requires(self):
        self.keep()
        for wanted, place in ((new(), "data/media"), (old(), "media")):
            for number in support.points():
                self.put_back()
                if self.killed_after(number, lambda: self.apply(**new())):
                    break
                self.apply(**wanted)
                with self.subTest(point=number, place=place):
                    self.lie_in(place)
                    self.assertEqual((self.systemd.active, Release("app").record.exists()), ({"app.service"}, False))

    def test_a_rollback_killed_anywhere_is_repeated(self):
        self.keep()
        for number in support.points():
            self.put_back()
            if self.killed_after(number, lambda: self.apply(**new(step=[shell("no", "exit 1")]))):
                break
            self.apply(**old())
            with self.subTest(point=number):
                self.lie_in("media")
                self.assertEqual((self.standing(), folders()), (self.before, self.folders))

    def killed_after(self, number: int, act) -> bool:
        """Kills `act` after `number` operations. Returns whether `act` had ended before."""
        left = [number]

        def burning(do):
            def burn(*words, **keys):
                left[0] -= 1
                if left[0] == -1:
                    raise Killed
                return do(*words, **keys)

            return burn

        with contextlib.ExitStack() as patches:
            for where, name in (
                (os, "rename"),
                (os, "unlink"),
                (os, "rmdir"),
                (os, "mkdir"),
                (self.systemd, "do"),
                (apply.process, "run"),
            ):
                patches.enter_context(mock.patch.object(where, name, burning(getattr(where, name))))
            try:
                act()
            except Killed:
                return False
            except Failure:
                pass
        return True


class Restored(HostTest):
    """A folder in a backup that was created before its data moved."""

    def backup(self, path: str):
        return mock.Mock(folders={"app/data": path, "gone/data": at("home/gone")}, **{"name": "20261125-120000"})

    def test_restored_data_moves_to_its_current_location(self):
        self.apply(**new(data=[{"name": "data", "path": at("home/data")}]))
        [place] = places.of(self.backup(at("home/media")))
        self.assertEqual(
            (place.saved, place.live, place.inside), (at("home/media"), at("home/data"), at("home/data/media"))
        )
        shelf = at("home/data.restored")
        files.put(f"{shelf}{at('home/media/icons/a.png')}", files.Content(b"saved", 0o640, os.getuid(), os.getgid()))
        places.arrange(place, shelf, place.saved)
        self.assertEqual(
            support.live(os.path.relpath(f"{shelf}{at('home/data/media/icons/a.png')}", support.TREE)), "saved"
        )
        self.assertEqual(
            [oct(os.stat(f"{shelf}{at(path)}").st_mode & 0o7777) for path in ("home/data", "home/data/media")],
            ["0o750", "0o770"],
        )
        self.assertFalse(os.path.exists(f"{shelf}{at('home/media')}"))

    def test_data_at_the_same_location_is_restored_directly(self):
        self.apply(**new(data=[{"name": "data", "path": at("home/data")}]))
        [place] = places.of(self.backup(at("home/data")))
        self.assertEqual(
            (place.saved, place.live, place.inside, place.made), (at("home/data"), at("home/data"), at("home/data"), ())
        )

    def test_data_of_an_unknown_location_is_refused(self):
        self.apply(**old(data=[{"name": "data", "path": at("home/media")}]))
        with self.assertRaisesRegex(
            Failure, f"has {at('home/data')} as data data of release app, which is {at('home/media')} on this host"
        ):
            places.of(self.backup(at("home/data")))


if __name__ == "__main__":
    unittest.main()
