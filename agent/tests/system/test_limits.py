"""Nothing that the agent waits for can block it forever."""

import os
import pwd
import subprocess
import time
import unittest
from pathlib import Path

from gatehouse.output.report import ROLLED_BACK, Failure
from gatehouse.release import checks
from gatehouse.system import jobs, machine
from gatehouse.system import process as processes
from tests.support import HostTest, at, file, shell

SYSTEMCTL = """#!/bin/sh
verb=$1; shift 3
for unit; do
  case $unit in
    absent*) echo "Failed to $verb $unit: Unit $unit not found." >&2 ;;
    *) echo "Enqueued anchor job 1 $unit/$verb." >&2 ;;
  esac
done
for unit; do
  case $unit in
    slow*) exec sleep 60 ;;
    bad*) echo "Job for $unit failed." >&2; exit 1 ;;
    absent*) exit 5 ;;
  esac
done
"""


class Commands(HostTest):
    @unittest.skipIf(os.geteuid(), "only root runs commands as another user")
    def test_a_command_has_the_groups_of_its_user_alone(self):
        for user in ("root", "nobody"):
            account = pwd.getpwnam(user)
            groups = sorted(os.getgrouplist(user, account.pw_gid))
            self.assertEqual(
                processes.run(("/bin/sh", "-c", "id -u; id -g; id -G | tr ' ' '\\n' | sort -n"), user),
                (0, "".join(f"{number}\n" for number in (account.pw_uid, account.pw_gid, *groups))),
            )

    def test_a_command_that_takes_too_long_is_stopped_with_its_children(self):
        began = time.monotonic()
        status, output = processes.run(
            ("/bin/sh", "-c", f"trap '' TERM; sleep 60 & echo $! > {at('child')}; echo so far; wait; wait"), seconds=0.2
        )
        self.assertEqual((status, output), (124, "it was stopped after 0 s\nso far\n"))
        self.assertLess(time.monotonic() - began, 5)
        self.assertFalse(running(Path(at("child")).read_text()))

    def test_a_process_left_running_by_a_command_does_not_delay_it(self):
        began = time.monotonic()
        self.assertEqual(
            processes.run(("/bin/sh", "-c", f"setsid sleep 60 & echo $! > {at('child')}; cat"), stdin="hello")[1],
            "hello",
        )
        self.assertLess(time.monotonic() - began, 5)
        os.kill(int(Path(at("child")).read_text()), 9)

    def test_output_that_is_not_text_is_accepted(self):
        self.assertEqual(processes.run(("/usr/bin/printf", r"a\377b")), (0, "a\ufffdb"))

    def test_a_server_that_does_not_end_is_killed(self):
        self.patch(checks.process, "end", lambda process, grace: end(process, 0.1))
        server = shell(
            "server",
            f"trap '' TERM; echo $$ > {at('pid')}; touch {{scratch}}/up; while :; do sleep 0.05; done",
            tree=at("etc"),
            ready=["/bin/test", "-e", "{scratch}/up"],
        )
        self.apply(file=[file("etc/a", "a")], check=[server])
        self.assertFalse(running(Path(at("pid")).read_text()))


end = processes.end


def running(pid: str) -> bool:
    """Whether a process is still running after a moment, since a killed process does not end at once."""
    for _ in range(100):
        try:
            if Path(f"/proc/{int(pid)}/stat").read_text().split()[2] == "Z":
                return False
        except (FileNotFoundError, ProcessLookupError):
            return False
        time.sleep(0.02)
    return True


class Deadlines(HostTest):
    def setUp(self):
        super().setUp()
        self.apply(file=[file("etc/app.conf", "old", restarts=["app.service"])], unit=[{"name": "app.service"}])

    def test_a_step_has_until_the_deadline(self):
        given = []
        self.patch(
            processes,
            "run",
            lambda *_, seconds, **__: (given.append(seconds), self.clock.sleep(30), (124, "it was ended"))[2],
        )
        self.refused(
            ROLLED_BACK, "step hangs failed", "it was ended", step=[shell("hangs", "exec sleep 60")], deadline=40
        )
        self.patch(
            processes, "run", lambda *_, seconds, **__: (given.append(seconds), self.clock.sleep(30), (0, ""))[2]
        )
        self.apply(step=[shell("slow", "x"), shell("later", "x")], deadline=40, unit=[{"name": "app.service"}])
        self.assertEqual(given, [40, 40, 10])

    def test_jobs_have_until_the_deadline(self):
        deadlines = []

        def finish(jobs, deadline):
            if "restart" in [job.verb for job in jobs]:
                deadlines.append(deadline - self.clock.now)
                if len(deadlines) == 1:
                    raise Failure("too late")

        self.patch(jobs, "finish", finish)
        keys = dict(file=[file("etc/app.conf", "new", restarts=["app.service"])], unit=[{"name": "app.service"}])
        self.refused(ROLLED_BACK, "too late", **keys, deadline=40)
        self.assertEqual(deadlines, [40, 1], "the way back has the time of the generation that it goes back to")


class Jobs(HostTest):
    """Real jobs, with a fake systemctl."""

    def setUp(self):
        super().setUp()
        systemctl = Path(at("systemctl"))
        systemctl.write_text(SYSTEMCTL)
        systemctl.chmod(0o755)
        self.patch(self.systemd, "job", machine.Job)
        self.patch(self.systemd, "monotonic", time.monotonic)
        self.patch(
            machine.subprocess,
            "Popen",
            lambda argv, **keys: subprocess_popen([str(systemctl), *argv[1:]], **keys),
        )

    def run_job(self, *names: str, seconds: float = 5):
        jobs.finish(
            jobs.enqueue(**{verb: [name] for verb, name in zip(("restart", "reload", "start"), names, strict=False)}),
            time.monotonic() + seconds,
        )

    def test_a_successful_job_reports_nothing(self):
        self.run_job("good.service")

    def test_a_job_that_is_late_is_a_failure(self):
        began = time.monotonic()
        with self.assertRaisesRegex(Failure, "restart slow.service has not ended within the deadline"):
            self.run_job("slow.service", seconds=0.2)
        self.assertLess(time.monotonic() - began, 5)

    def test_the_lock_is_not_held_for_a_slow_unit_beside_a_missing_one(self):
        began = time.monotonic()
        (job,) = jobs.enqueue(start=["slow.service", "absent.service"])
        self.assertLess(time.monotonic() - began, 5)
        self.assertIn("absent.service not found", job.complaint())

    def test_all_errors_of_jobs_are_reported(self):
        with self.assertRaises(Failure) as caught:
            self.run_job("bad.service", "good.service", "absent.service")
        self.assertIn("restart bad.service failed: Job for bad.service failed.", str(caught.exception))
        self.assertIn("Unit absent.service not found", str(caught.exception))


subprocess_popen = subprocess.Popen

if __name__ == "__main__":
    unittest.main()
