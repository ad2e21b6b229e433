"""A new image may change data for ever: it is saved while nobody writes, and comes back together with the old image."""

import os
import unittest

import support  # first: it puts the agent on the path
import files
from report import NOT_ROLLED_BACK, ROLLED_BACK, ROLLED_BACK_UNHEALTHY
from store import Release
from support import HostTest, at, file, live, shell


class Guards(HostTest):
    def setUp(self):
        super().setUp()
        os.makedirs(at("data"))
        files.put(at("data/db"), files.Content(b"old data", 0o600, 0, 0))
        commands = support.transaction.commands
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

        guard = {"name": "database", "units": ["app.service"], "save": command("save", f"cp {at('data/db')} {at('data/copy')}"),
                 "restore": command("restore", restore or f"mv {at('data/copy')} {at('data/db')}")}
        return dict(image=[{"reference": f"app:{number}"}], file=[file("etc/app.container", f"Image=app:{number}", restarts=["app.service"])],
                    unit=[{"name": "app.service"}], guard=[guard]) | keys

    def migrating(self, fails: bool = True, **keys) -> dict:
        """Version 2, which alters the data at its start and then fails."""
        return self.version(2, step=[shell("migrate", f"echo new > {at('data/db')}; exit {int(fails)}")], **keys)

    def test_the_data_is_saved_with_the_unit_stopped_and_before_the_swap(self):
        put = files.put
        self.patch(files, "put", lambda path, content: (self.order.append("swap"), put(path, content)))
        self.apply(**self.migrating(fails=False))
        self.assertEqual(self.order, ["stop app.service", "save", "swap", "restart app.service"])
        self.assertEqual((live("data/db"), live("data/copy")), ("new\n", "old data"))

    def test_the_same_image_needs_no_saving(self):
        self.apply(**self.version(1, file=[file("etc/app.container", "Image=app:1\nOther=1", restarts=["app.service"])]))
        self.assertEqual(self.order, ["restart app.service"])

    def test_image_and_data_come_back_together(self):
        self.refused(ROLLED_BACK, "step migrate failed", **self.migrating())
        self.assertEqual(self.standing(), self.before)
        self.assertEqual(live("data/db"), "old data")
        self.assertEqual(self.order, ["stop app.service", "save", "restart app.service", "stop app.service", "restore", "restart app.service"])

    def test_a_guard_that_comes_with_the_new_image_restores_too(self):
        self.apply(**self.version(1, guard=[]))
        self.refused(ROLLED_BACK, **self.migrating())
        self.assertEqual(live("data/db"), "old data")

    def test_data_that_cannot_be_saved_stops_the_upgrade(self):
        broken = self.version(2)
        broken["guard"][0]["save"] = ["/bin/sh", "-c", "echo disk full; exit 1", "save"]
        self.refused(ROLLED_BACK, "database could not be saved", "disk full", **broken)
        self.assertEqual(self.standing(), self.before)
        self.assertNotIn("restore", self.order)

    def test_data_that_cannot_be_restored_keeps_the_new_image(self):
        self.refused(NOT_ROLLED_BACK, "step migrate failed", "not rolled back: database is migrated", "no copy", **self.migrating(restore="echo no copy; exit 1"))
        self.assertEqual((live("etc/app.container"), live("data/db")), ("Image=app:2", "new\n"))
        self.refused(NOT_ROLLED_BACK, "not rolled back", **self.migrating(fails=False))

    def test_data_is_restored_once_though_the_old_image_is_not_healthy_either(self):
        self.systemd.broken = lambda unit: True
        self.refused(ROLLED_BACK_UNHEALTHY, **self.migrating())
        self.systemd.broken = lambda unit: False
        self.apply(**self.version(1, step=[shell("late", "true")]))
        self.assertEqual((self.order.count("restore"), live("data/db")), (1, "old data"))
        self.assertEqual(self.standing()[:2], self.before[:2])

    def test_an_upgrade_that_was_killed_past_the_start_is_restored(self):
        def killed(step):
            files.put(at("data/db"), files.Content(b"half", 0o600, 0, 0))
            raise support.Killed

        with support.mock.patch.object(support.transaction, "_step", killed), self.assertRaises(support.Killed):
            self.apply(**self.migrating())
        self.assertTrue(Release("app").record.exists())
        self.assertEqual(self.apply(**self.version(1))["generation"], 1)
        self.assertEqual(self.standing(), self.before)
        self.assertEqual(self.order.count("restore"), 1)

    def test_a_way_back_that_was_killed_past_the_restore_does_not_restore_again(self):
        def killed(release):
            raise support.Killed

        with support.mock.patch.object(files, "restore_snapshot", killed), self.assertRaises(support.Killed):
            self.apply(**self.migrating())
        self.apply(**self.version(1))
        self.assertEqual((self.order.count("restore"), live("data/db"), self.standing()), (1, "old data", self.before))

    def test_a_guarded_unit_that_no_file_restarts_runs_again(self):
        keys = self.migrating(fails=False)
        keys["guard"][0]["units"] = ["app.service", "writer.service"]
        self.systemd.do("start", "writer.service")
        self.apply(**keys)
        self.assertIn("writer.service", self.systemd.active)

    def test_a_guarded_unit_that_no_file_restarts_runs_again_after_the_way_back(self):
        keys = self.migrating()
        keys["guard"][0]["units"] = ["app.service", "writer.service"]
        self.systemd.do("start", "writer.service")
        self.refused(ROLLED_BACK, **keys)
        self.assertIn("writer.service", self.systemd.active)


if __name__ == "__main__":
    unittest.main()
