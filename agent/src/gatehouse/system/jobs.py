"""Units started, stopped and reloaded, and waited for."""

import contextlib
import subprocess
import time

from gatehouse.output.report import Failure, say
from gatehouse.system import systemd, waiting

_LOOK = 0.5  # seconds from one look at what starts to the next
_STOP = 300  # seconds: systemd itself ends what does not stop, after 90 unless the unit says otherwise


class Job:
    """One systemctl verb over some units. `queued` returns once systemd has its jobs, `complaint` when they have
    ended."""

    def __init__(self, verb: str, units: list[str]):
        self.verb, self.units = verb, units
        say(f"{verb} {' '.join(units)}")
        if verb in ("start", "restart"):
            # A new version that crashed in a loop must not have used up the starts of the one that comes back.
            systemd.reset_failed(units)
        self.process = subprocess.Popen(
            ["systemctl", verb, "--show-transaction", "--", *units],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""

    def queued(self) -> None:
        """What systemd does next needs no lock of ours. Each unit is announced with its anchor job, or cannot have
        one."""
        assert self.process.stdout is not None  # a pipe
        for _ in self.units:
            for line in self.process.stdout:
                self.output += line
                if line.startswith(("Enqueued anchor job", "Failed to ")):
                    break

    def ended(self, seconds: float) -> bool:
        """Whether its jobs end within so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, seconds))
        return self.process.returncode is not None

    def complaint(self) -> str | None:
        """None when its jobs have succeeded. Those that have not ended go on, and are replaced by what is asked for
        next."""
        assert self.process.stdout is not None  # a pipe
        late = self.process.poll() is None
        self.process.kill()
        with self.process:
            self.output += self.process.stdout.read()
        if self.process.returncode == 0:
            return None
        said = "\n".join(line for line in self.output.splitlines() if not line.startswith("Enqueued"))
        return (
            f"systemctl {self.verb} {' '.join(self.units)} {'has not ended within the deadline' if late else 'failed'}"
            + (f": {said}" if said else "")
        )


def enqueue(**verbs: list[str]) -> list[Job]:
    jobs = [Job(verb, units) for verb, units in verbs.items() if units]
    for job in jobs:
        job.queued()
    return jobs


def finish(jobs: list[Job], deadline: float) -> None:
    """Wait for all, also when one fails: what is still starting cannot be judged, nor stopped in order. A unit that
    cannot come ends the wait, since all that starts will be stopped then.

    Raises Failure where a job fails or outlasts the deadline."""
    wait = waiting.Wait([unit for job in jobs for unit in job.units if job.verb != "stop"], deadline)
    try:
        for job in jobs:
            while not job.ended(min(_LOOK, deadline - time.monotonic())) and time.monotonic() < deadline:
                wait.go_on([f"systemctl {job.verb} {' '.join(job.units)} has not ended"])
    finally:
        complaints = [(told, job.units) for job in jobs if (told := job.complaint())]
    if complaints:
        raise Failure(
            "\n".join(told for told, _ in complaints),
            heard=[unit for _, names in complaints for unit in systemd.inactive(names)],
        )


def run(verb: str, units: list[str], deadline: float | None = None) -> None:
    """Queue and wait in one, where no lock is at stake. Raises Failure as `finish` does."""
    finish(enqueue(**{verb: units}), deadline or time.monotonic() + _STOP)


def queue(verb: str, units: list[str]) -> None:
    """Ask, and wait for nothing. Raises Failure where systemd refuses."""
    if units and (done := systemd.systemctl(verb, "--no-block", "--", *units)).returncode:
        raise Failure(f"systemctl {verb} {' '.join(units)} failed: {done.stderr.strip()}")
