"""A lock has one holder: the next one waits, and names the holder."""

import json
import os
import subprocess
import sys
import time
import unittest

from gatehouse.output import report
from gatehouse.state import store
from tests import AGENT, PLAIN, support
from tests.support import STATE, HostTest

HOLDER = """
import sys
sys.path.insert(0, {agent!r})
from gatehouse.state import store
with store.lock("host", "a long migration", {patience}):
    print("held", flush=True)
    sys.stdin.read()
"""


class Locks(HostTest):
    def holder(self, patience: int = 60) -> subprocess.Popen:
        script = HOLDER.format(agent=str(AGENT), patience=patience)
        process = subprocess.Popen(
            [sys.executable, *PLAIN, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"GATEHOUSE_STATE": str(STATE)},
        )
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close(), process.stdin.close()))
        self.assertEqual(process.stdout.readline(), "held\n")
        return process

    def test_the_second_waits_for_the_first_and_names_it(self):
        process, slept = self.holder(), []

        def sleep(seconds):
            slept.append(seconds)
            process.stdin.close()
            process.wait()

        with support.mock.patch.object(store.time, "sleep", sleep), store.lock("host", "mine"):
            self.assertEqual(json.loads((STATE / "locks/host").read_text())["purpose"], "mine")
        self.assertEqual(len(slept), 1)
        waits = [line for line in self.output if "waiting" in line]
        self.assertEqual(len(waits), 1)
        self.assertIn(f"waiting for a long migration (process {process.pid}), which holds host", waits[0])

    def test_the_next_holder_is_named_too(self):
        first, later = self.holder(), []

        def sleep(_):
            if later:
                later[0].kill()
                later[0].wait()
            else:
                first.kill()
                first.wait()
                later.append(self.holder())

        with support.mock.patch.object(store.time, "sleep", sleep), store.lock("host", "mine"):
            pass
        named = [int(line.split("process ")[1].split(")")[0]) for line in self.output if "waiting" in line]
        self.assertEqual(named, [first.pid, later[0].pid])

    def test_a_free_lock_is_taken_at_once(self):
        self.holder()
        with store.lock("release-app", "mine"), store.lock("release-other", "mine"):
            self.assertEqual(self.output, [])

    def test_a_holder_that_was_killed_holds_nothing(self):
        process = self.holder()
        process.kill()
        process.wait()
        with store.lock("host", "mine"):
            self.assertEqual(self.output, [])

    def test_waiting_ends_a_minute_after_the_holders_deadline(self):
        self.holder(patience=1000)
        now, began = time.time(), time.time()

        def later(seconds):
            nonlocal now
            now += 10

        with (
            support.mock.patch.object(store.time, "sleep", later),
            support.mock.patch.object(store.time, "time", lambda: now),
        ):
            self.refused(
                report.REFUSED,
                "a long migration",
                "holds host past its own deadline",
                call=store.lock("host", "mine").__enter__,
            )
        self.assertTrue(1050 < now - began < 1080, now - began)

    def test_the_note_of_an_earlier_holder_is_ignored(self):
        with store.lock("host", "mine"):
            pass
        self.assertEqual((STATE / "locks/host").read_text(), "")


if __name__ == "__main__":
    unittest.main()
