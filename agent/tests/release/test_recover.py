"""Boot, and `gatehouse recover`: interrupted releases are restored before the units run, and completed or rolled back afterwards (H16)."""

import errno
import io
import json
import os
import sys
import unittest
from unittest import mock

from gatehouse.cli import arguments, main
from gatehouse.output import report
from gatehouse.protocol.document import sealed
from gatehouse.release import apply, failpoints, recover
from gatehouse.state import store
from gatehouse.state.store import Release
from gatehouse.system import jobs
from tests import support
from tests.release.test_interruption import new, old
from tests.support import HostTest, Killed, at, file, live, manifest, shell


def killed(*_):
    raise Killed


class Boot(HostTest):
    """A power failure during an apply: no unit is running, and enabled units are about to start."""

    def setUp(self):
        super().setUp()
        self.systemd.reads = {"app.service": at("etc/app.conf")}
        self.systemd.state = "initializing"

    def interrupt(self, where, name: str, keys: dict) -> None:
        with mock.patch.object(where, name, killed), self.assertRaises(Killed):
            self.apply(**keys)
        self.systemd.active, self.systemd.loaded = set(), {}
        self.systemd.log.clear()

    def plain(self, keys: dict) -> dict:
        return {key: value for key, value in keys.items() if key not in ("guard", "image")}

    def test_files_are_restored_before_any_unit_runs_and_units_are_only_queued(self):
        self.apply(**self.plain(old()))
        before = support.tree(), set(self.systemd.enabled)
        self.interrupt(apply.probes, "await_all", self.plain(new()))
        self.assertEqual(recover.recover(), {"recovered": ["app"]})
        self.assertEqual((support.tree(), self.systemd.enabled), before)
        self.assertEqual(self.systemd.active, set())
        self.assertEqual(
            self.systemd.log,
            [
                "stop added.service bare.service",
                "disable added.service",
                "enable dropped.service",
                "start app.service side.service dropped.service",
            ],
        )

    def test_restored_releases_are_probed_once_the_host_has_started_and_nothing_restarts_twice(self):
        self.apply(**self.plain(old()))
        self.interrupt(apply.probes, "await_all", self.plain(new()))
        recover.recover()
        self.systemd.active = {"app.service", "side.service"}
        self.systemd.state = "starting"
        self.assertEqual(recover.recover(), {"recovered": ["app"]})
        self.assertEqual(self.systemd.log[-1], "start dropped.service")
        self.assertNotIn("restart app.service", self.systemd.log)
        self.assertFalse(Release("app").record.exists() or Release("app").snapshot.exists())
        self.assertIn("rolled back to generation 1 of app, which is healthy", "".join(self.output))
        self.assertEqual(recover.recover(), {"recovered": []})

    def test_a_first_apply_leaves_nothing(self):
        self.interrupt(apply.probes, "await_all", self.plain(new()))
        recover.recover()
        self.assertEqual((support.tree(), self.systemd.enabled), ({}, set()))
        self.systemd.state = "starting"
        recover.recover()
        self.assertIn("had no earlier generation", "".join(self.output))

    def test_with_migrated_data_the_files_stay_until_the_database_runs(self):
        self.apply(**old())
        restored = {
            "name": "data",
            "units": ["app.service"],
            "save": ["/bin/true"],
            "restore": ["/bin/sh", "-c", f"touch {at('restored')}"],
        }
        self.interrupt(apply.probes, "await_all", new() | {"guard": [restored]})
        recover.recover()
        self.assertEqual((live("etc/app.conf"), self.systemd.log, os.path.exists(at("restored"))), ("new", [], False))
        self.systemd.state = "starting"
        self.assertEqual(recover.recover(), {"recovered": ["app"]})
        self.assertEqual((live("etc/app.conf"), os.path.exists(at("restored"))), ("old", True))

    def test_files_are_restored_at_once_if_the_new_image_cannot_have_started(self):
        self.apply(**old())
        self.interrupt(support.systemd, "absorb", new())
        recover.recover()
        self.assertEqual(live("etc/app.conf"), "old")

    def test_a_generation_that_was_committed_stays(self):
        self.apply(**self.plain(old()))
        self.interrupt(apply.journal, "finish", self.plain(new()))
        recover.recover()
        self.assertEqual((live("etc/app.conf"), self.systemd.log), ("new", []))
        self.systemd.state = "starting"
        recover.recover()
        self.assertEqual(
            (live("etc/app.conf"), Release("app").generation, Release("app").record.exists()), ("new", 2, False)
        )

    def test_a_release_that_cannot_be_restored_does_not_block_the_next(self):
        for name in ("one", "two"):
            self.apply(release=name, file=[file(f"etc/{name}", "old")])
            with mock.patch.object(apply.probes, "await_all", killed), self.assertRaises(Killed):
                self.apply(release=name, file=[file(f"etc/{name}", "new")])
        (Release("one").snapshot / "0").write_text("no JSON")
        self.refused(report.FAULT, "release one: not rolled back", call=recover.recover)
        self.assertEqual((live("etc/one"), live("etc/two"), Release("one").record.exists()), ("new", "old", True))

    def test_an_unhealthy_rollback_is_reported(self):
        self.systemd.state = "starting"
        self.apply(**self.plain(old()))
        self.interrupt(apply.probes, "await_all", self.plain(new()))
        self.systemd.broken = lambda unit: unit == "app.service"
        self.refused(
            report.ROLLED_BACK_UNHEALTHY,
            "release app: rolled back, but not healthy",
            "app.service",
            call=recover.recover,
        )

    def test_an_apply_in_progress_is_skipped(self):
        self.apply(**self.plain(old()))
        self.interrupt(apply.probes, "await_all", self.plain(new()))
        with store.lock("release-app", "apply of release app"):
            self.assertEqual(recover.recover(), {"recovered": []})
        self.assertIn("release app is skipped: apply of release app is in progress", "".join(self.output))

    def test_releases_with_guards_come_last(self):
        self.systemd.reads = {}
        for name, guarded in (("a", True), ("b", False)):
            guard = (
                {"guard": [{"name": "d", "units": ["app.service"], "save": ["/bin/true"], "restore": ["/bin/true"]}]}
                if guarded
                else {}
            )
            self.apply(release=name, file=[file(f"etc/{name}", "old")], **guard)
            with mock.patch.object(apply, "_step", killed), self.assertRaises(Killed):
                self.apply(
                    release=name,
                    file=[file(f"etc/{name}", "new")],
                    image=[{"reference": "x:2"}],
                    step=[shell("x", "true")],
                    **guard,
                )
        self.systemd.state = "starting"
        self.assertEqual(recover.recover(), {"recovered": ["b", "a"]})

    def test_an_interrupted_boot_is_repeated_by_the_next_one(self):
        self.apply(**self.plain(old()))
        self.interrupt(apply.probes, "await_all", self.plain(new()))
        with mock.patch.object(support.systemd, "absorb", killed), self.assertRaises(Killed):
            recover.recover()
        recover.recover()
        self.assertEqual(
            {f["path"]: live(f["path"]) for f in old()["file"]}, {f["path"]: f["content"] for f in old()["file"]}
        )


class Mounts(HostTest):
    def test_units_that_start_before_the_restore_such_as_mounts_are_restarted(self):
        def mount(what):
            return dict(
                file=[file("etc/systemd/system/a.mount", what, restarts=["a.mount"])], unit=[{"name": "a.mount"}]
            )

        self.systemd.reads = {"a.mount": at("etc/systemd/system/a.mount")}
        self.apply(**mount("old"))
        with mock.patch.object(apply.probes, "await_all", killed), self.assertRaises(Killed):
            self.apply(**mount("new"))
        self.systemd.state = "initializing"
        self.systemd.do("restart", "a.mount")
        self.patch(
            jobs,
            "queue",
            lambda verb, names: [
                self.systemd.do(verb, name) for name in names if verb == "restart" or name not in self.systemd.active
            ],
        )
        self.assertEqual(self.systemd.loaded["a.mount"], b"new")
        recover.recover()
        self.assertEqual(self.systemd.loaded["a.mount"], b"old")


class RecordsOfOtherVersions(HostTest):
    def test_a_record_with_a_missing_or_unknown_key_rolls_back_anyway(self):
        for change in (
            lambda record: record.pop("dependents"),
            lambda record: record.update(tells=record.pop("dependents")),  # its name in an older agent
            lambda record: record.update(later=[1]),
        ):
            self.doCleanups()
            self.setUp()
            self.apply(**dict(file=[file("etc/app.conf", "old")]))
            with mock.patch.object(apply.probes, "await_all", killed), self.assertRaises(Killed):
                self.apply(**dict(file=[file("etc/app.conf", "new")]))
            path = Release("app").record
            record = json.loads(path.read_text())
            change(record)
            path.write_text(json.dumps(record))
            self.assertEqual(recover.recover(), {"recovered": ["app"]})
            self.assertEqual(live("etc/app.conf"), "old")


class Failpoints(HostTest):
    def setUp(self):
        super().setUp()
        self.systemd.active.add("side.service")

    def keys(self, content: str = "x") -> dict:
        return dict(
            file=[file("etc/app.conf", content, restarts=["app.service"], reloads=["side.service"])],
            unit=[{"name": "app.service"}],
            image=[{"reference": "app:1"}],
            step=[shell("true", "true")],
            probe=[shell("true", "true")],
        )

    def call(self, **keys) -> None:
        """Calls the agent as the host does, starting with reading the document."""
        stdin = mock.Mock(buffer=io.BytesIO(sealed(manifest(**keys))))
        with (
            mock.patch.object(sys, "stdin", stdin),
            mock.patch.dict(os.environ, GATEHOUSE_UNIT="1"),
            mock.patch.object(main, "answer"),
        ):
            main.run(arguments.parse(["release", "app", "--due", "machine/0"]))

    def test_a_whole_apply_passes_each_of_them_in_this_order(self):
        passed = []
        self.patch(failpoints, "point", passed.append)
        self.call(**self.keys())
        self.assertEqual(tuple(passed), failpoints.POINTS)

    def test_a_full_disk_at_any_failpoint_leaves_one_complete_generation(self):
        for point in failpoints.POINTS:
            with self.subTest(point=point):
                self.doCleanups()
                self.setUp()
                self.call(**self.keys())
                self.patch(failpoints, "_passed", failpoints.Counter())
                with (
                    mock.patch.dict(os.environ, GATEHOUSE_FAILPOINT=f"{point}:full"),
                    self.assertRaises((OSError, report.Failure)) as caught,
                ):
                    self.call(**self.keys("y") | {"image": []})
                self.assertIn("No space left on device", str(caught.exception))
                self.assertEqual(live("etc/app.conf"), "y" if point in ("committed", "pruned") else "x")

    def test_a_full_disk_while_recording_the_generation_rolls_back(self):
        self.call(**self.keys())

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        with mock.patch.object(Release, "commit", full):
            self.refused(
                report.ROLLED_BACK,
                "No space left",
                "rolled back to generation 1",
                call=lambda: self.call(**self.keys("y")),
            )
        self.assertEqual((live("etc/app.conf"), Release("app").generation), ("x", 1))

    def test_the_second_pass_has_its_own_name_and_an_unknown_action_is_refused(self):
        self.patch(failpoints, "_passed", failpoints.Counter())
        with mock.patch.dict(os.environ, GATEHOUSE_FAILPOINT="swapped.2:full"):
            failpoints.point("swapped")
            with self.assertRaises(OSError):
                failpoints.point("swapped")
        with mock.patch.dict(os.environ, GATEHOUSE_FAILPOINT="locked:explode"), self.assertRaises(ValueError):
            failpoints.point("locked")


if __name__ == "__main__":
    unittest.main()
