"""After a power failure at any moment, the next apply of any manifest leaves the host as that manifest requires."""

import contextlib
import os
import unittest
from unittest import mock

from gatehouse.release import apply, recover, remove, undo
from gatehouse.state.store import Release
from gatehouse.tree import files
from tests import support
from tests.support import STATE, HostTest, Killed, at, file, tree

GUARD = {"name": "data", "units": ["app.service"], "save": ["/bin/true"], "restore": ["/bin/true"]}


def old() -> dict:
    return dict(
        file=[
            file("etc/app.conf", "old", "0600", restarts=["app.service"]),
            file("etc/dropped", "dropped", reloads=["side.service"]),
        ],
        unit=[
            {"name": "app.service", "enabled": True},
            {"name": "side.service"},
            {"name": "dropped.service", "enabled": True},
        ],
        guard=[GUARD],
    )


def new() -> dict:
    return dict(
        file=[
            file("etc/app.conf", "new", restarts=["app.service"]),
            file("etc/added", "added", restarts=["added.service"]),
        ],
        unit=[
            {"name": "app.service", "enabled": True},
            {"name": "side.service"},
            {"name": "added.service", "enabled": True},
            {"name": "bare.service"},
        ],
        guard=[GUARD],
        image=[{"reference": "app:2"}],
    )


class Fuse:
    """Counts every operation that changes the host or the agent's records, and kills the agent right before one of
    them, which is also right after the previous one."""

    def __init__(self, kill_at: int):
        self.left = kill_at

    def wrap(self, act):
        def burning(*arguments, **keys):
            self.left -= 1
            if self.left == -1:
                raise Killed
            return act(*arguments, **keys)

        return burning

    def lit(self, systemd):
        return [
            mock.patch.object(where, name, self.wrap(getattr(where, name)))
            for where, name in (
                (os, "rename"),
                (os, "unlink"),
                (os, "mkdir"),
                (systemd, "do"),
                (apply.process, "run"),
                (support.systemd, "set_enabled"),
            )
        ]


class Interruption(HostTest):
    def killed_everywhere(self, act, prepare, check) -> int:
        """Run `act` with a kill at each point and `check` after each. Returns the number of points."""
        self.systemd.reads = {"app.service": at("etc/app.conf")}
        prepare()
        self.keep()
        for number in support.points():
            self.put_back()
            with contextlib.ExitStack() as patches:
                for patch in Fuse(number).lit(self.systemd):
                    patches.enter_context(patch)
                try:
                    act()
                    alive = True
                except Killed:
                    alive = False
            with self.subTest(point=number):
                check()
            if alive:
                return number
        self.fail("it never came to its end")

    def stands_as(self, keys: dict):
        self.assertFalse(Release("app").record.exists())
        self.assertEqual(
            {path: entry[0].decode() for path, entry in tree().items() if path != "etc/foreign"},
            {os.path.relpath(f["path"], support.TREE): f["content"] for f in keys["file"]},
        )
        self.assertEqual(self.systemd.active, {u["name"] for u in keys["unit"]})
        self.assertEqual(self.systemd.enabled, {u["name"] for u in keys["unit"] if "enabled" in u})
        self.assertEqual(
            self.systemd.loaded["app.service"], files.look(at("etc/app.conf")).data, "the unit runs with what is live"
        )

    def converges_to(self, keys: dict):
        def check():
            self.apply(**keys)
            self.stands_as(keys)

        return check

    def test_a_killed_change_converges_to_the_new_manifest(self):
        points = self.killed_everywhere(
            lambda: self.apply(**new()), lambda: self.apply(**old()), self.converges_to(new())
        )
        self.assertGreater(points, 30)

    def test_a_killed_change_converges_to_the_old_manifest(self):
        self.killed_everywhere(lambda: self.apply(**new()), lambda: self.apply(**old()), self.converges_to(old()))

    def test_a_killed_first_apply_converges(self):
        self.killed_everywhere(lambda: self.apply(**new()), lambda: None, self.converges_to(new()))

    def test_a_killed_first_apply_can_be_removed_or_has_no_owner(self):
        def check():
            undo.recover(Release("app"))
            if Release("app").generation:
                self.stands_as(new())
            else:
                self.assertEqual((tree(), self.systemd.active, self.systemd.enabled), ({}, set(), set()))

        self.killed_everywhere(lambda: self.apply(**new()), lambda: None, check)

    def test_a_killed_rollback_is_finished_by_the_next_apply(self):
        def fail():
            with contextlib.suppress(support.report.Failure):
                self.apply(**new() | {"step": [support.shell("no", "exit 1")]})

        self.killed_everywhere(fail, lambda: self.apply(**old()), self.converges_to(old()))

    def test_after_a_kill_a_manifest_that_repairs_an_unhealthy_generation_is_applied(self):
        def killed(*_):
            raise Killed

        self.apply(**old())
        with mock.patch.object(apply, "_step", killed), self.assertRaises(Killed):
            self.apply(**new() | {"step": [support.shell("x", "true")]})
        self.systemd.broken = lambda unit: unit == "app.service" and support.live("etc/app.conf") == "old"
        self.systemd.reads = {"app.service": at("etc/app.conf")}
        self.apply(**new())
        self.stands_as(new())
        self.assertIn("generation 1 is restored but not healthy", "".join(self.output))

    def test_after_a_kill_at_any_point_a_boot_runs_one_complete_generation(self):
        def check():
            self.systemd.state = "initializing"
            self.systemd.active, self.systemd.loaded = set(), {}
            recover.recover()
            self.systemd.state = "starting"
            for name in sorted(self.systemd.enabled):
                self.systemd.do("start", name)
            recover.recover()
            keys = new() if Release("app").generation == 2 else old()
            self.assertFalse(Release("app").record.exists())
            self.assertEqual(
                {os.path.relpath(f["path"], support.TREE): f["content"] for f in keys["file"]},
                {path: entry[0].decode() for path, entry in tree().items()},
            )
            self.assertEqual(self.systemd.loaded["app.service"], files.look(at("etc/app.conf")).data)

        self.killed_everywhere(lambda: self.apply(**new()), lambda: self.apply(**old()), check)

    def test_a_killed_removal_is_finished_by_the_next_one(self):
        def prepare():
            os.makedirs(at("etc"), exist_ok=True)
            files.put(at("etc/app.conf"), files.Content(b"theirs", 0o640, 12, 34))
            self.apply(**old())

        def check():
            remove.remove("app", "shop/prod/app")
            self.assertEqual(tree(), {"etc/app.conf": (b"theirs", 0o640, 12, 34)})
            self.assertEqual((self.systemd.active, self.systemd.enabled), (set(), set()))
            self.assertFalse((STATE / "releases/app").exists())

        self.assertGreater(self.killed_everywhere(lambda: remove.remove("app", "shop/prod/app"), prepare, check), 10)


if __name__ == "__main__":
    unittest.main()
