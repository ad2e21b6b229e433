"""After any sequence of applies and failures the host has exactly one complete generation, and the correct one."""

import contextlib
import errno
import os
import random
import unittest
from unittest import mock

from gatehouse.output.report import NOTHING_BEFORE, ROLLED_BACK, ROLLED_BACK_UNHEALTHY, Failure
from gatehouse.release import apply, undo
from gatehouse.tree import files
from tests import support
from tests.support import SEQUENCES, HostTest, Killed, file

SEED, APPLIES = 20261124, 3
PATHS = [f"etc/{name}" for name in ("a", "b", "c/d", "c/e", "systemd/system/f.service")]
UNITS = ["one.service", "two.service", GENERATED := "three.service"]


class Sequences(HostTest):
    def test_after_each_apply_the_host_has_exactly_one_generation(self):
        seen = {}
        print(f"\nproperties: seed {SEED}, {SEQUENCES} sequences", flush=True)
        for number in range(SEQUENCES):
            self.chance = random.Random(f"{SEED}/{number}")
            self.doCleanups()
            self.setUp()
            self.patch(support.apply.process, "run", lambda *_, **__: (self.status, "no"))
            wanted, before = {"file": [], "unit": []}, self.standing()
            for turn in range(APPLIES):
                wanted = self.next(wanted)
                outcome, before = self.attempt(wanted, before, f"sequence {number}, apply {turn}")
                seen[outcome] = seen.get(outcome, 0) + 1
        for outcome, share in (("done", 0.4), ("killed", 0.08), (ROLLED_BACK, 0.08), (NOTHING_BEFORE, 0.05)):
            self.assertGreater(seen.get(outcome, 0), share * SEQUENCES, seen)
        self.assertNotIn(ROLLED_BACK_UNHEALTHY, seen)

    def next(self, wanted: dict) -> dict:
        """Adds, changes and removes files and units at random."""
        kept = {f["path"]: f for f in wanted["file"] if self.chance.random() > 0.25}
        for path in self.chance.sample(PATHS, self.chance.randint(0, 3)):
            effect = self.chance.choice(("restarts", "reloads"))
            made = file(
                path,
                f"content {self.chance.randint(1, 3)}",
                self.chance.choice(("0600", "0644")),
                **{effect: [self.chance.choice(UNITS)]},
            )
            kept[made["path"]] = made
        units = [
            {"name": name} | ({} if name == GENERATED else {"enabled": self.chance.random() > 0.4})
            for name in UNITS
            if self.chance.random() > 0.4
        ]
        return {"file": list(kept.values()), "unit": units, "step": [support.shell("roles", f"{self.chance.random()}")]}

    def attempt(self, wanted: dict, before: tuple, where: str) -> tuple:
        generation = apply.Release("app").generation
        with self.trouble():
            try:
                self.apply(**wanted)
                outcome = "done"
            except Failure as failure:
                outcome = failure.code
            except Killed:
                outcome = "killed"
        if outcome == "killed":
            # The new generation is incomplete; the next apply detects this and rolls back to the previous one first.
            undo.recover(apply.Release("app"))
        now = self.standing()
        forward = outcome == "done"
        self.assertEqual(now[0], self.whole(wanted) if forward else before[0], where)
        self.assertEqual(now[1:3], self.units_of(wanted) if forward else before[1:3], where)
        self.assertIn(
            apply.Release("app").generation, (generation, generation + 1) if forward else (generation,), where
        )
        self.assertFalse(apply.Release("app").record.exists(), where)
        return outcome, now

    def whole(self, wanted: dict) -> dict:
        ids = os.getuid(), os.getgid()
        return {
            os.path.relpath(f["path"], support.TREE): (f["content"].encode(), int(f["mode"], 8), *ids)
            for f in sorted(wanted["file"], key=lambda f: f["path"])
        }

    def units_of(self, wanted: dict) -> tuple:
        """The manifest's units are active; a unit that only its files affect may be active too."""
        named = {u["name"] for u in wanted["unit"]}
        self.assertLessEqual(named, self.systemd.active)
        return frozenset(self.systemd.active), frozenset(u["name"] for u in wanted["unit"] if u.get("enabled"))

    def trouble(self):
        """Injects one fault at a random step, or none."""
        kind, left = (
            self.chance.choice(("none", "none", "step", "start", "disk", "disk", "kill", "kill")),
            self.chance.randint(0, 6),
        )
        self.status = int(kind == "step")
        run_down = {"left": left}

        def strikes() -> bool:
            run_down["left"] -= 1
            return run_down["left"] == -1

        put, do = files.put, self.systemd.do

        def faulty_put(path, content):
            if kind in ("disk", "kill") and strikes():
                raise OSError(errno.ENOSPC, "disk full") if kind == "disk" else Killed
            put(path, content)

        def faulty_do(verb, unit=""):
            if kind == "kill" and strikes():
                raise Killed
            if kind == "start" and verb in ("start", "restart") and strikes():
                self.systemd.active.discard(unit)
                return False
            return do(verb, unit)

        stack = contextlib.ExitStack()
        stack.enter_context(mock.patch.object(files, "put", faulty_put))
        stack.enter_context(mock.patch.object(self.systemd, "do", faulty_do))
        return stack


if __name__ == "__main__":
    unittest.main()
