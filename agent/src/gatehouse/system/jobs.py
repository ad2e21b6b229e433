"""Starts, stops and reloads units, and waits for them."""

from gatehouse.output.report import At, Failure
from gatehouse.system import machine, systemd, waiting
from gatehouse.system.machine import Job

_LOOK = 0.5  # seconds between checks of starting units
_STOP = 300  # seconds: systemd kills a unit that does not stop, after 90 unless the unit sets another time


def enqueue(**verbs: list[str]) -> list[Job]:
    jobs = [machine.system.job(verb, units) for verb, units in verbs.items() if units]
    for job in jobs:
        job.queued()
    return jobs


def finish(jobs: list[Job], deadline: float) -> None:
    """Wait for all jobs, even if one fails: a unit that is still starting can be neither judged nor stopped in order. A
    unit that cannot start ends the wait, since all starting units are stopped in that case.

    Raises Failure if a job fails or exceeds the deadline."""
    wait = waiting.Wait([unit for job in jobs for unit in job.units if job.verb != "stop"], deadline)
    try:
        for job in jobs:
            while (
                not job.ended(min(_LOOK, deadline - machine.system.monotonic()))
                and machine.system.monotonic() < deadline
            ):
                wait.go_on([f"systemctl {job.verb} {' '.join(job.units)} has not ended"])
    finally:
        complaints = [(complaint, job.units) for job in jobs if (complaint := job.complaint())]
    if complaints:
        units = [unit for _, names in complaints for unit in names]
        down = systemd.failing_first(systemd.inactive(units))
        raise Failure(
            "\n".join(complaint for complaint, _ in complaints), units=down, at=At("unit", (down or units)[0])
        )


def run(verb: str, units: list[str], deadline: float | None = None) -> None:
    """Enqueue jobs and wait for them, for callers that hold no lock. Raises Failure as `finish` does."""
    finish(enqueue(**{verb: units}), deadline or machine.system.monotonic() + _STOP)


def queue(verb: str, units: list[str]) -> None:
    """Enqueue jobs without waiting. Raises Failure if systemd refuses."""
    if units and (done := machine.system.systemctl(verb, "--no-block", "--", *units)).returncode:
        raise Failure(f"systemctl {verb} {' '.join(units)} failed: {done.stderr.strip()}", at=At("unit", units[0]))
