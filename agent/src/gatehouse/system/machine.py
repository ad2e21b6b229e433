"""The machine that the agent works on: systemd, Podman, other programs that it asks, and the time that passes
meanwhile.

All modules reach it as `machine.system`, in whose place the tests put one that lives in memory."""

import contextlib
import os
import pwd
import subprocess
import time

from gatehouse.output.report import say
from gatehouse.system import process


class Job:
    """One systemctl verb over some units. `queued` returns once systemd has its jobs, `complaint` when they have
    ended."""

    def __init__(self, verb: str, units: list[str]):
        self.verb, self.units = verb, units
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


class System:
    def monotonic(self) -> float:
        """Seconds since some moment. What waits for a process of its own asks the clock itself."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def systemctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["systemctl", *arguments], capture_output=True, text=True)

    def job(self, verb: str, units: list[str]) -> Job:
        """Begin to start, stop, restart or reload units."""
        say(f"{verb} {' '.join(units)}")
        if verb in ("start", "restart"):
            # A new version that crashed in a loop must not have used up the starts of the one that comes back.
            self.systemctl("reset-failed", "--", *units)
        return Job(verb, units)

    def journal(self, units: list[str], since: float, lines: int, fields: tuple[str, ...]) -> str:
        """The last entries of the units since a time, each in a line of JSON with these fields."""
        return self.ask(
            "journalctl",
            "--no-pager",
            "--quiet",
            "--output=json",
            f"--output-fields={','.join(fields)}",
            f"--lines={lines}",
            f"--since=@{int(since)}",
            *(f"--unit={unit}" for unit in units),
        )

    def create_tmpfiles(self, paths: list[str]) -> str | None:
        """None when they are created, else what systemd-tmpfiles complains of."""
        done = subprocess.run(["systemd-tmpfiles", "--create", *paths], capture_output=True, text=True)
        return done.stderr.strip() if done.returncode else None

    def pull(self, reference: str) -> str | None:
        """None when the image is on this host, else what Podman complains of."""
        if process.run(("podman", "image", "exists", reference))[0] == 0:
            return None
        say(f"pull {reference}")
        words = ("podman", "pull", "--quiet", reference)
        home = pwd.getpwuid(os.geteuid()).pw_dir
        status, output = process.run(words, home=home)
        # Logins that last are in root's home. One that root made in a session is in the session's folder while that
        # exists.
        session = f"/run/user/{os.geteuid()}"
        if status and os.path.exists(f"{session}/containers/auth.json"):
            status, output = process.run(("env", f"XDG_RUNTIME_DIR={session}", *words), home=home)
        return output if status else None

    def ask(self, *command: str) -> str:
        """What a command prints, which changes nothing. Raises FileNotFoundError where it is not installed."""
        return subprocess.run(command, capture_output=True, text=True).stdout


system = System()
