"""Waiting for a unit stops early if it cannot start, and continues while it still may."""

import json
import re
import subprocess
import unittest
from functools import partial
from typing import ClassVar
from unittest import mock

from gatehouse.health import probes
from gatehouse.output.report import NOTHING_BEFORE, ROLLED_BACK, At, Failure
from gatehouse.protocol.manifest import load
from gatehouse.system import jobs, machine
from tests import support
from tests.support import HostTest, file

NEVER = {"name": "answers", "exec": ["/bin/false"]}
FAILED = ("exit-code", 1)


class AUnitThatEndsAtOnce(HostTest):
    def apply_it(
        self,
        *ends,
        lasts=1,
        text="x",
        deadline=900,
        probe=({"name": "stays", "unit": "app.service", "seconds": 10},),
        **keys,
    ):
        self.systemd.ends = {"app.service": (lasts, *ends)} if ends else {}
        return self.apply(
            deadline=deadline,
            file=[file("etc/app.conf", text, restarts=["app.service"])],
            unit=[{"name": "app.service"}, *keys.pop("more", ())],
            probe=list(probe),
            **keys,
        )

    def test_waiting_stops_after_its_fifth_end(self):
        message = self.refused(
            NOTHING_BEFORE,
            "app.service has ended 5 times in the same way: exit status 1",
            "probe stays: app.service",
            call=lambda: self.apply_it(FAILED),
        )
        self.assertIn("waiting longer would not help", message)
        self.assertAlmostEqual(self.clock.now, 4 * 3 + 1, delta=0.5)

    def test_however_it_ends(self):
        for end, ending in (
            (("success", 0), "exit status 0"),
            (("exit-code", 125), "exit status 125"),
            (("signal", 11), "signal 11"),
            (("oom-kill", 9), "oom-kill 9"),
        ):
            self.clock.now = 0.0
            self.refused(NOTHING_BEFORE, f"5 times in the same way: {ending}", call=partial(self.apply_it, end))
            self.assertLess(self.clock.now, 20)

    def test_even_if_it_looks_healthy_in_between(self):
        """Its probe passes for a while after each start."""
        self.refused(
            NOTHING_BEFORE,
            "has ended 5 times",
            call=lambda: self.apply_it(
                FAILED,
                more=[{"name": "other.service"}],
                probe=[{"name": "stays", "unit": "app.service", "seconds": 2}, NEVER],
            ),
        )

    def test_waiting_continues_while_it_ends_differently_each_time(self):
        self.refused(
            NOTHING_BEFORE,
            "not healthy within the deadline",
            call=lambda: self.apply_it(FAILED, ("exit-code", 2), deadline=60),
        )
        self.assertGreaterEqual(self.clock.now, 60)

    def test_waiting_continues_while_it_has_ended_less_often(self):
        """It fails four times because the database is missing; then the database is available."""
        looping = self.systemd._looping
        self.patch(
            self.systemd,
            "_looping",
            lambda unit: looping(unit) if self.clock.now < 12 else {"ActiveEnterTimestampMonotonic": 12_000_000},
        )
        self.assertEqual(self.apply_it(FAILED)["generation"], 1)
        self.assertAlmostEqual(self.clock.now, 22, delta=0.5)

    def test_it_rolls_back_to_the_previous_generation(self):
        starts = self.systemd._start
        self.patch(
            self.systemd,
            "_start",
            lambda unit: (
                setattr(self.systemd, "ends", {} if support.live("etc/app.conf") == "old" else {unit: (1, FAILED)})
                or starts(unit)
            ),
        )
        self.apply_it(text="old")
        before = self.standing()
        self.refused(
            ROLLED_BACK,
            "5 times",
            "rolled back to generation 1, which is healthy",
            call=lambda: self.apply_it(text="new"),
        )
        self.assertEqual(self.standing(), before)

    def test_its_own_messages_are_shown(self):
        shown = []
        self.patch(support.systemd, "journal", lambda unit, *_: shown.append(unit) or f"    {unit}: no such table\n")
        self.refused(
            NOTHING_BEFORE,
            "the last lines of app.service:\n    app.service: no such table",
            call=lambda: self.apply_it(FAILED, more=[{"name": "other.service"}]),
        )
        self.assertEqual(shown, ["app.service", "other.service"])

    def test_it_is_found_beside_a_healthy_unit(self):
        self.systemd.ends = {"side.service": (1, FAILED)}
        self.refused(
            NOTHING_BEFORE,
            "side.service has ended 5 times",
            deadline=900,
            unit=[{"name": "app.service"}, {"name": "side.service"}],
            probe=[NEVER],
        )
        self.assertLess(self.clock.now, 20)


class APodOfTwoContainers(HostTest):
    """The apply restarts the pod, and systemd the containers with it; a third one is not in the pod."""

    UNITS = ("pod.service", "server.service", "worker.service", "other.service")

    def setUp(self):
        super().setUp()
        self.systemd.dependents = {"pod.service": ["server.service", "worker.service"]}
        self.systemd.written = {unit: f"says {unit}" for unit in self.UNITS}
        self.change("old", [])

    def change(self, text, probe):
        self.apply(
            deadline=60,
            file=[file("etc/app.conf", text, restarts=["pod.service"])],
            unit=[{"name": unit} for unit in self.UNITS],
            probe=probe,
        )

    def excerpts(self, *words: str) -> list[str]:
        message = self.refused(ROLLED_BACK, *words, call=lambda: self.change("new", [NEVER]))
        heads = re.findall(r"^  the last lines of (.+):\n    says (.+)$", message, re.MULTILINE)
        self.assertTrue(all(unit == said for unit, said in heads), message)
        return [unit for unit, _ in heads]

    def test_the_lines_of_each_restarted_unit_are_shown_if_all_are_active_and_a_probe_fails(self):
        self.assertEqual(self.excerpts("answers"), ["pod.service", "server.service", "worker.service"])

    def test_the_unit_that_fails_is_first(self):
        self.systemd.ends = {"worker.service": (1, FAILED)}
        self.assertEqual(
            self.excerpts("worker.service has ended 5 times"), ["worker.service", "pod.service", "server.service"]
        )

    def test_it_is_the_part_that_failed_even_if_the_pod_is_down_too(self):
        down = ["pod.service", "worker.service"]
        self.patch(probes.systemd, "inactive", lambda names: [n for n in names if n in down])
        self.systemd.failed = {"worker.service"}
        properties = self.systemd._ordinary
        self.patch(self.systemd, "_ordinary", lambda unit: properties(unit) | {"Job": "17"})
        with self.assertRaises(Failure) as caught:
            probes.await_every(load(support.manifest(unit=[{"name": unit} for unit in self.UNITS])), 1)
        self.assertEqual(caught.exception.at, At("unit", "worker.service"))


class AUnitThatHasFailedForGood(HostTest):
    def apply_it(self):
        self.patch(support.systemd, "inactive", lambda names: [n for n in names if n in self.systemd.failed])
        return self.apply(deadline=900, unit=[{"name": "app.service"}])

    def test_waiting_stops(self):
        self.systemd.failed = {"app.service"}
        self.refused(
            NOTHING_BEFORE, "app.service has failed and is not started again: exit status 1", call=self.apply_it
        )
        self.assertLess(self.clock.now, 1)

    def test_waiting_continues_if_another_unit_is_about_to_start_it(self):
        self.systemd.failed = {"app.service"}
        ordinary = self.systemd._ordinary
        self.patch(self.systemd, "_ordinary", lambda unit: ordinary(unit) | {"Job": "17"})
        self.patch(probes.systemd, "inactive", lambda names: names if self.clock.now < 30 else [])
        self.apply(deadline=900, unit=[{"name": "app.service"}])
        self.assertGreaterEqual(self.clock.now, 30)


class WhileItWaits(HostTest):
    def test_it_reports_every_ten_seconds_what_is_missing(self):
        self.refused(
            NOTHING_BEFORE,
            "not healthy within the deadline",
            deadline=25,
            unit=[{"name": "app.service"}],
            probe=[NEVER],
        )
        waited = [line for line in self.output if "waiting" in line]
        self.assertEqual(
            [line.split("waiting, ")[1] for line in waited],
            ["15 s left: probe answers: exit status 1\n", "5 s left: probe answers: exit status 1\n"],
        )

    def test_a_slow_job_is_reported_too(self):
        job = self.systemd.job("start", ["app.service"])
        ends = iter([False] * 30 + [True])
        job.ended = lambda seconds: self.clock.sleep(seconds) or next(ends)
        self.systemd.active.add("app.service")
        self.systemd.ends = {"app.service": (0, FAILED, ("exit-code", 2))}
        self.systemd.since["app.service"] = 0
        jobs.finish([job], 60)
        self.assertIn(
            "waiting, 50 s left: systemctl start app.service has not ended, app.service is activating",
            "".join(self.output),
        )

    def test_a_job_of_a_unit_that_ends_again_and_again_ends_too(self):
        job = self.systemd.job("start", ["app.service", "side.service"])
        job.ended = lambda seconds: self.clock.sleep(seconds)
        self.systemd.active |= {"app.service", "side.service"}
        self.systemd.since |= {"app.service": 0, "side.service": 0}
        self.systemd.ends = {"app.service": (0, FAILED)}
        self.refused(1, "app.service has ended 5 times", call=lambda: jobs.finish([job], 900))
        self.assertLess(self.clock.now, 20)

    def test_a_stopped_unit_may_end_in_any_way(self):
        job = self.systemd.job("stop", ["app.service"])
        ends = iter([False, False, True])
        job.ended = lambda seconds: self.clock.sleep(seconds) or next(ends)
        self.systemd.failed = {"app.service"}
        jobs.finish([job], 900)


class WhatAUnitSaid(unittest.TestCase):
    """The last journal lines of a unit, as printed by journalctl."""

    CONTAINER: ClassVar = {"CONTAINER_NAME": "app", "_COMM": "conmon"}
    ENTRIES: ClassVar = [
        {"MESSAGE": "no such table", **CONTAINER},
        {"MESSAGE": [110, 111, 32, 255, 10], **CONTAINER},
        {"MESSAGE": None, **CONTAINER},
        {"MESSAGE": "container create 49e64 (image=app:2)", "_COMM": "podman", "PODMAN_EVENT": "create"},
        {"MESSAGE": "conmon 49e64 <nwarn>: Failed to open cgroups file", "_COMM": "conmon"},
        {"MESSAGE": "app.service: Killing process 12 (app) with signal SIGKILL.", "_COMM": "systemd"},
        {"MESSAGE": "Error: cannot set hostname when joining the pod UTS namespace", "_COMM": "podman"},
        {"MESSAGE": "app.service: Failed with result 'exit-code'.", "_COMM": "systemd"},
    ]

    def test_its_own_messages_and_systemds_report_of_its_end_are_kept(self):
        answer = subprocess.CompletedProcess([], 0, "".join(json.dumps(entry) + "\n" for entry in self.ENTRIES))
        with mock.patch.object(machine.subprocess, "run", lambda *_, **__: answer):
            said = support.systemd.journal("app.service", 0.0)
        self.assertEqual(
            said,
            "    no such table\n    no \ufffd\n    Error: cannot set hostname when joining the pod UTS namespace\n"
            "    app.service: Failed with result 'exit-code'.\n",
        )


if __name__ == "__main__":
    unittest.main()
