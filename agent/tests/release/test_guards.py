"""A new image may change data irreversibly: it is saved while nothing writes, and restored together with the old image."""

import os
import unittest

from gatehouse.drift import facts
from gatehouse.output.report import NOT_ROLLED_BACK, ROLLED_BACK, ROLLED_BACK_UNHEALTHY
from gatehouse.release import journal, remove
from gatehouse.state import store
from gatehouse.state.store import Release
from gatehouse.tree import files, originals
from tests import support
from tests.support import HostTest, at, file, live, shell, tree


class Guards(HostTest):
    def setUp(self):
        super().setUp()
        os.makedirs(at("data"))
        files.put(at("data/db"), files.Content(b"old data", 0o600, 0, 0))
        commands = support.apply.process
        run, self.order = commands.run, self.systemd.log

        def logged(argv, *rest, **keys):
            if argv[-1] in ("save", "restore"):
                self.order.append(argv[-1])
            return run(argv, *rest, **keys)

        self.patch(commands, "run", logged)
        self.apply(**self.version(1))
        self.before = self.standing()
        self.order.clear()

    def version(self, number: int, restore: str = "", **keys) -> dict:
        def command(name, script):
            return ["/bin/sh", "-c", script, name]

        guard = {
            "name": "database",
            "units": ["app.service"],
            "save": command("save", f"cp {at('data/db')} {at('data/copy')}"),
            "restore": command(
                "restore", restore or f"test ! -e {at('data/copy')} || mv {at('data/copy')} {at('data/db')}"
            ),
        }
        return (
            dict(
                image=[{"reference": f"app:{number}"}],
                file=[file("etc/app.container", f"Image=app:{number}", restarts=["app.service"])],
                unit=[{"name": "app.service"}],
                guard=[guard],
            )
            | keys
        )

    def migrating(self, fails: bool = True, **keys) -> dict:
        """Version 2, which alters the data when it starts, and then fails."""
        return self.version(2, step=[shell("migrate", f"echo new > {at('data/db')}; exit {int(fails)}")], **keys)

    def test_the_job_of_a_guarded_timer_is_stopped_and_not_started_again(self):
        timed = dict(unit=[{"name": "app.service"}, {"name": "job.timer"}])
        self.systemd.triggers["job.timer"] = "job.service"
        guard = self.version(1)["guard"][0] | {"units": ["app.service", "job.timer"]}
        self.apply(**self.version(1, **timed, guard=[guard]))
        self.systemd.active.add("job.service")
        self.order.clear()
        self.apply(**self.version(2, **timed, guard=[guard]))
        self.assertLess(self.order.index("stop job.service"), self.order.index("save"))
        self.assertLess(self.order.index("stop job.timer"), self.order.index("save"))
        self.assertEqual(self.systemd.active, {"app.service", "job.timer"})

    def test_a_guard_with_images_is_used_only_for_those(self):
        def version(app: int, job: int, *watched: str) -> dict:
            wanted = self.version(app, image=[{"reference": f"app:{app}"}, {"reference": f"job:{job}"}])
            return wanted | {"guard": [wanted["guard"][0] | {"images": list(watched)}]}

        def saves(wanted: dict) -> int:
            self.order.clear()
            self.apply(**wanted)
            return self.order.count("save")

        saves(version(1, 1, "app:1"))
        self.assertEqual(saves(version(1, 2, "app:1")), 0, "the job's image is another one")
        self.assertEqual(saves(version(2, 2, "app:2")), 1, "the app's is")
        self.assertEqual(saves(version(2, 3)), 1, "all are watched where none is named")
        without = version(2, 3)
        self.assertEqual(saves(without | {"guard": []}), 0, "no image is another one")
        self.assertEqual(saves(version(3, 3, "app:3")), 1, "a new guard knows that app:3 was not there before")
        self.assertEqual(saves(version(4, 3) | {"guard": []}), 1, "a guard that leaves is used a last time")

    def test_the_data_is_saved_with_the_unit_stopped_and_before_the_swap(self):
        put = files.put
        self.patch(files, "put", lambda path, content: (self.order.append("swap"), put(path, content)))
        self.apply(**self.migrating(fails=False))
        self.assertEqual(self.order, ["stop app.service", "save", "swap", "restart app.service"])
        self.assertEqual((live("data/db"), live("data/copy")), ("new\n", "old data"))

    def test_the_same_image_needs_no_saving(self):
        self.apply(
            **self.version(1, file=[file("etc/app.container", "Image=app:1\nOther=1", restarts=["app.service"])])
        )
        self.assertEqual(self.order, ["restart app.service"])

    def test_image_and_data_are_restored_together(self):
        self.refused(ROLLED_BACK, "step migrate failed", **self.migrating())
        self.assertEqual(self.standing(), self.before)
        self.assertEqual(live("data/db"), "old data")
        self.assertEqual(
            self.order,
            ["stop app.service", "save", "restart app.service", "stop app.service", "restore", "restart app.service"],
        )

    def test_a_guard_added_with_the_new_image_restores_too(self):
        self.apply(**self.version(1, guard=[]))
        self.refused(ROLLED_BACK, **self.migrating())
        self.assertEqual(live("data/db"), "old data")

    def test_data_that_cannot_be_saved_stops_the_upgrade(self):
        broken = self.version(2)
        broken["guard"][0]["save"] = ["/bin/sh", "-c", "echo disk full; exit 1", "save"]
        self.refused(ROLLED_BACK, "database could not be saved", "disk full", **broken)
        self.assertEqual(self.standing(), self.before)
        self.assertNotIn("restore", self.order)

    def drift(self) -> list[str]:
        store.settle("release-app", "machine/0", {})
        return facts.facts()["items"]["release-app"]["drifted"]

    def stuck(self) -> dict:
        """Version 2 stays live because its data cannot be restored; it becomes healthy once the file `mended`
        exists."""
        keys = self.version(
            2,
            restore="echo no copy; exit 1",
            step=[shell("migrate", f"echo new > {at('data/db')}; test -e {at('mended')}")],
        )
        self.refused(
            NOT_ROLLED_BACK,
            "step migrate failed",
            "not rolled back: database is migrated",
            "no copy",
            "stays, as generation 2",
            **keys,
        )
        return keys

    def test_if_data_cannot_be_restored_the_new_image_stays_and_its_units_are_started(self):
        self.stuck()
        self.assertEqual((live("etc/app.container"), live("data/db")), ("Image=app:2", "new\n"))
        self.assertEqual((self.systemd.active, Release("app").record.exists()), ({"app.service"}, False))
        self.assertIn("generation 2 of release app is live though it was never found healthy", self.drift())

    def test_the_manifest_of_the_image_that_stays_is_retried_until_it_is_healthy(self):
        keys = self.stuck()
        self.refused(ROLLED_BACK, "step migrate failed", "rolled back to generation 2", **keys)
        files.put(at("mended"), files.Content(b"", 0o600, 0, 0))
        self.assertEqual(self.apply(**keys)["generation"], 2)
        self.assertEqual((self.order.count("restore"), self.order.count("save"), self.drift()), (1, 1, []))
        self.assertEqual(self.apply(**keys)["units"], {})

    def test_another_image_is_applied_on_top_of_the_one_that_stays(self):
        self.stuck()
        self.order.clear()
        self.assertEqual(self.apply(**self.version(3))["generation"], 3)
        self.assertEqual(
            (self.order, live("data/copy")), (["stop app.service", "save", "restart app.service"], "new\n")
        )

    def test_a_killed_upgrade_that_cannot_be_restored_does_not_stop_the_next_apply(self):
        def killed(*_):
            raise support.Killed

        with support.mock.patch.object(support.apply, "_step", killed), self.assertRaises(support.Killed):
            self.apply(**self.migrating(restore="echo no copy; exit 1"))
        self.assertEqual(self.apply(**self.version(3))["generation"], 3)
        self.assertIn("no copy", "".join(self.output))

    def test_a_release_whose_image_stays_can_be_removed(self):
        self.stuck()
        self.assertTrue(remove.remove("app", "shop/prod/app")["removed"])
        self.assertEqual((set(tree()), self.systemd.active), ({"data/db", "data/copy"}, set()))

    def test_a_guard_removed_with_the_old_image_saves_too(self):
        self.apply(**self.version(2, guard=[]))
        self.assertEqual(self.order, ["stop app.service", "save", "restart app.service"])
        self.refused(ROLLED_BACK, **self.version(3, guard=[], step=[shell("no", "exit 1")]))
        self.assertNotIn("restore", self.order, "what nobody guards any more is not saved either")

    def test_a_guard_removed_with_the_old_image_restores_too(self):
        self.refused(ROLLED_BACK, **self.migrating() | {"guard": []})
        self.assertEqual((self.standing(), live("data/db")), (self.before, "old data"))

    def test_a_save_a_restore_and_a_stop_have_no_deadline(self):
        held, run, do = {}, support.apply.process.run, self.systemd.do

        def busy(what: str):
            with store.glance(store.HOST) as purpose:
                held[what] = purpose

        def looking_run(argv, *rest, **keys):
            busy(argv[-1])
            return run(argv, *rest, **keys)

        def looking_do(verb, unit=""):
            busy(verb)
            return do(verb, unit)

        self.patch(support.apply.process, "run", looking_run)
        self.patch(self.systemd, "do", looking_do)
        put = files.put
        self.patch(files, "put", lambda *change: (busy("put"), put(*change)))
        self.refused(ROLLED_BACK, **self.migrating())
        self.assertEqual(
            {what: held[what] for what in ("save", "restore", "stop")}, {"save": None, "restore": None, "stop": None}
        )
        self.assertIn("release app", held["put"])

    def test_data_is_restored_once_even_if_the_old_image_is_not_healthy_either(self):
        self.systemd.broken = lambda unit: True
        self.refused(ROLLED_BACK_UNHEALTHY, **self.migrating())
        self.systemd.broken = lambda unit: False
        self.apply(**self.version(1, step=[shell("late", "true")]))
        self.assertEqual((self.order.count("restore"), live("data/db")), (1, "old data"))
        self.assertEqual(self.standing()[:2], self.before[:2])

    def test_an_upgrade_that_was_killed_past_the_start_is_restored(self):
        def killed(*_):
            files.put(at("data/db"), files.Content(b"half", 0o600, 0, 0))
            raise support.Killed

        with support.mock.patch.object(support.apply, "_step", killed), self.assertRaises(support.Killed):
            self.apply(**self.migrating())
        self.assertTrue(Release("app").record.exists())
        self.assertEqual(self.apply(**self.version(1))["generation"], 1)
        self.assertEqual(self.standing(), self.before)
        self.assertEqual(self.order.count("restore"), 1)

    def test_a_rollback_killed_after_the_restore_does_not_restore_again(self):
        def killed(release):
            raise support.Killed

        with support.mock.patch.object(originals, "restore_snapshot", killed), self.assertRaises(support.Killed):
            self.apply(**self.migrating())
        self.apply(**self.version(1))
        self.assertEqual((self.order.count("restore"), live("data/db"), self.standing()), (1, "old data", self.before))

    def test_a_rollback_killed_right_after_the_restore_is_repeated(self):
        reach = journal.Record.reach

        def killed(self, release, reached):
            if self.reached == "started":
                raise support.Killed
            reach(self, release, reached)

        with support.mock.patch.object(journal.Record, "reach", killed), self.assertRaises(support.Killed):
            self.apply(**self.migrating())
        self.assertEqual((self.order.count("restore"), live("data/db")), (1, "old data"), "killed where it should be")
        self.apply(**self.version(1))
        self.assertEqual((self.order.count("restore"), live("data/db"), self.standing()), (2, "old data", self.before))

    def test_a_guarded_unit_that_no_file_restarts_runs_again(self):
        keys = self.migrating(fails=False)
        keys["guard"][0]["units"] = ["app.service", "writer.service"]
        self.systemd.do("start", "writer.service")
        self.apply(**keys)
        self.assertIn("writer.service", self.systemd.active)

    def test_a_guarded_unit_that_no_file_restarts_runs_again_after_the_rollback(self):
        keys = self.migrating()
        keys["guard"][0]["units"] = ["app.service", "writer.service"]
        self.systemd.do("start", "writer.service")
        self.refused(ROLLED_BACK, **keys)
        self.assertIn("writer.service", self.systemd.active)


if __name__ == "__main__":
    unittest.main()
