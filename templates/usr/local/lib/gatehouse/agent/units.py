"""systemd, asked and told through systemctl."""

import subprocess
import time

from report import Failure, masked, say

UNIT_ROOTS = ("/etc/systemd/system/", "/etc/containers/systemd/")
TMPFILES_ROOT = "/etc/tmpfiles.d/"


def show(units: list[str], *properties: str) -> dict[str, dict[str, str]]:
    """Properties of each unit, in one call."""
    if not units:
        return {}
    out = _systemctl("show", "--property=Id," + ",".join(properties), "--", *units).stdout
    blocks = out.strip().split("\n\n")
    return {unit: dict(line.split("=", 1) for line in block.splitlines()) for unit, block in zip(units, blocks)}


def existing(units) -> list[str]:
    """Those that systemd can load at all, in order."""
    names = list(units)
    states = show(names, "LoadState")
    return [u for u in names if states[u]["LoadState"] == "loaded"]


def running_with(units: list[str]) -> list[str]:
    """The active ones of these units and of all that stop when they stop."""
    found, queue = [], list(units)
    while queue:
        found += queue
        states = show(queue, "RequiredBy", "BoundBy", "ConsistsOf")
        tied = [name for state in states.values() for names in (state["RequiredBy"], state["BoundBy"], state["ConsistsOf"]) for name in names.split()]
        queue = [name for name in dict.fromkeys(tied) if name not in found]
    down = inactive(found)
    return [name for name in dict.fromkeys(found) if name not in down]


def inactive(units: list[str]) -> list[str]:
    states = show(units, "ActiveState")
    return [u for u in units if states[u]["ActiveState"] not in ("active", "reloading")]


def enabled(unit: str) -> bool:
    return _systemctl("is-enabled", "--quiet", "--", unit).returncode == 0


def set_enabled(unit: str, wanted: bool) -> None:
    done = _systemctl("enable" if wanted else "disable", "--quiet", "--", unit)
    if done.returncode:
        raise Failure(f"systemctl cannot {'enable' if wanted else 'disable'} {unit}: {done.stderr.strip()}")


def daemon_reload() -> None:
    done = _systemctl("daemon-reload")
    if done.returncode:
        raise Failure(f"systemctl daemon-reload failed: {done.stderr.strip()}")


def create_tmpfiles(paths: list[str]) -> None:
    done = subprocess.run(["systemd-tmpfiles", "--create", *paths], capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"systemd-tmpfiles refuses {', '.join(paths)}: {done.stderr.strip()}")


class Job:
    """One systemctl verb over some units. `started` returns once its jobs are queued, `wait` when they have ended."""

    def __init__(self, verb: str, units: list[str]):
        self.verb, self.units = verb, units
        say(f"{verb} {' '.join(units)}")
        self.process = subprocess.Popen(
            ["systemctl", verb, "--show-transaction", "--", *units], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.output = ""

    def queued(self) -> None:
        """Systemd has the jobs: what it does next needs no lock of ours. Each unit is announced with its anchor job."""
        for _ in self.units:
            for line in self.process.stdout:
                self.output += line
                if line.startswith("Enqueued anchor job"):
                    break

    def wait(self) -> None:
        self.output += self.process.stdout.read()
        if self.process.wait():
            complaint = "\n".join(l for l in self.output.splitlines() if not l.startswith("Enqueued"))
            raise Failure(f"systemctl {self.verb} {' '.join(self.units)} failed: {complaint}")


def run(verb: str, units: list[str]) -> None:
    """Queue and wait in one, where no lock is at stake."""
    if units:
        job = Job(verb, units)
        job.queued()
        job.wait()


def journal(units: list[str], since: float, lines: int = 15) -> str:
    """The last lines that the units wrote since a time, indented, without secrets."""
    named = [f"--unit={unit}" for unit in units]
    out = subprocess.run(["journalctl", "--no-pager", "--quiet", "--output=cat", f"--lines={lines}", f"--since=@{int(since)}", *named],
                         capture_output=True, text=True).stdout
    return "".join(f"    {masked(line)}\n" for line in out.splitlines())


def now() -> float:
    return time.time()


def _systemctl(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True)
