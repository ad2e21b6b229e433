"""The interface to the machine: systemd, Podman, other programs that report its state, and the clock.

All modules use it as `machine.system`, which the tests replace by one in memory."""

import contextlib
import os
import pwd
import subprocess
import time
from typing import NamedTuple

from gatehouse.output.report import say
from gatehouse.system import process


class Job:
    """One systemctl verb for some units. `queued` returns once systemd has enqueued the jobs, `complaint` once they
    have ended."""

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
        """Wait until the jobs are enqueued; systemd runs them without any lock of gatehouse. Each unit is announced
        with its anchor job, or with an error."""
        assert self.process.stdout is not None  # a pipe
        for _ in self.units:
            for line in self.process.stdout:
                self.output += line
                if line.startswith(("Enqueued anchor job", "Failed to ")):
                    break

    def ended(self, seconds: float) -> bool:
        """Whether the jobs end within this number of seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, seconds))
        return self.process.returncode is not None

    def complaint(self) -> str | None:
        """None if the jobs succeeded. Jobs that have not ended continue, until the next request for their units
        replaces them."""
        assert self.process.stdout is not None  # a pipe
        late = self.process.poll() is None
        self.process.kill()
        with self.process:
            self.output += self.process.stdout.read()
        if self.process.returncode == 0:
            return None
        explanation = "\n".join(line for line in self.output.splitlines() if not line.startswith("Enqueued"))
        return (
            f"systemctl {self.verb} {' '.join(self.units)} {'has not ended within the deadline' if late else 'failed'}"
            + (f": {explanation}" if explanation else "")
        )


class Image(NamedTuple):
    id: str
    size: int  # bytes, with layers that it shares with other images


class System:
    def monotonic(self) -> float:
        """Seconds on a monotonic clock. Code that waits for its own child process uses the real clock directly."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def systemctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["systemctl", *arguments], capture_output=True, text=True)

    def job(self, verb: str, units: list[str]) -> Job:
        """Start, stop, restart or reload units without waiting."""
        say(f"{verb} {' '.join(units)}")
        if verb in ("start", "restart"):
            # A new version that crashed in a loop may have used up the start limit, which would make a rollback fail.
            self.systemctl("reset-failed", "--", *units)
        return Job(verb, units)

    def journal(self, unit: str, since: float, lines: int, fields: tuple[str, ...]) -> str:
        """The last entries of a unit since a time, one line of JSON each, with these fields."""
        return self.ask(
            "journalctl",
            "--no-pager",
            "--quiet",
            "--output=json",
            f"--output-fields={','.join(fields)}",
            f"--lines={lines}",
            f"--since=@{int(since)}",
            f"--unit={unit}",
        )

    def create_tmpfiles(self, paths: list[str]) -> str | None:
        """Returns None if they are created, otherwise the error output of systemd-tmpfiles."""
        done = subprocess.run(["systemd-tmpfiles", "--create", *paths], capture_output=True, text=True)
        return done.stderr.strip() if done.returncode else None

    def image(self, reference: str) -> Image | None:
        """An image on this host."""
        with contextlib.suppress(FileNotFoundError):  # without Podman there are none
            words = self.ask("podman", "image", "inspect", "--format", "{{.Id}} {{.Size}}", reference).split()
            return Image(words[0], int(words[1])) if len(words) == 2 else None
        return None

    def images_of_containers(self) -> set[str]:
        """The images of all containers, also stopped ones and those of other tools, each by its ID and its name."""
        with contextlib.suppress(FileNotFoundError):
            words = ("--all", "--external", "--no-trunc", "--format", "{{.ImageID}} {{.Image}}")
            return set(self.ask("podman", "ps", *words).split())
        return set()

    def remove_image(self, reference: str) -> str | None:
        """Remove an image, or only this name if it has others; never its parents. Returns None, or Podman's error."""
        status, output = process.run(("podman", "image", "rm", "--no-prune", reference))
        return output if status else None

    def pull(self, reference: str) -> str | None:
        """Returns None if the image is on this host now, otherwise the output of Podman."""
        say(f"pull {reference}")
        words = ("podman", "pull", "--quiet", reference)
        home = pwd.getpwuid(os.geteuid()).pw_dir
        status, output = process.run(words, home=home)
        # Persistent logins are in root's home. A login that root made in a session is in the session's runtime
        # directory as long as that exists.
        session = f"/run/user/{os.geteuid()}"
        if status and os.path.exists(f"{session}/containers/auth.json"):
            status, output = process.run(("env", f"XDG_RUNTIME_DIR={session}", *words), home=home)
        return output if status else None

    def room(self, point: str) -> os.statvfs_result:
        """The size and the free room of the file system mounted there."""
        return os.statvfs(point)

    def ask(self, *command: str) -> str:
        """The output of a command that changes nothing. Raises FileNotFoundError if it is not installed."""
        return subprocess.run(command, capture_output=True, text=True).stdout


system = System()
