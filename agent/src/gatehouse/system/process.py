"""Runs commands: as a user, with input and a time limit, and with their output for error messages."""

import contextlib
import grp
import os
import pwd
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from gatehouse.output.report import Failure

PATIENCE = 1800  # seconds for commands without a deadline of their own: a pull, a dump, a check
LATE = 124  # exit status of a command that exceeded its time limit; the first line of its output says so
LONG = 24 * 3600  # seconds for operations on all data of a host, which may be large
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


@dataclass(frozen=True)
class Identity:
    """The user and the groups that a command runs with, as after a login."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    @property
    def is_own(self) -> bool:
        """Whether this process has it already."""
        users, groups = set(os.getresuid()), {*os.getresgid(), *os.getgroups()}
        return users == {self.uid} and groups == {self.gid, *self.groups}


def identity(user: str, group: str | None = None) -> Identity | None:
    """None if not running as root, as in the agent's tests: commands then run as the current user. Raises KeyError for
    a name that this host does not know."""
    if os.geteuid():
        return None
    account = pwd.getpwnam(user)
    gid = grp.getgrnam(group).gr_gid if group else account.pw_gid
    return Identity(account.pw_uid, gid, tuple(os.getgrouplist(user, gid)))


def start(
    argv: tuple[str, ...],
    user: str,
    group: str | None = None,
    home: str = "/",
    folder: int | None = None,
    *,
    stdin: int,
    stdout: int | IO[str],
    stderr: int | IO[str] | IO[bytes],
) -> subprocess.Popen[bytes]:
    """Start a command in its own session, so that `end` reaches all its children; in `folder` (a descriptor) or in /.

    Raises Failure if this host does not have the account or the program."""
    try:
        runs_as = identity(user, group)
        # Another identity is taken on by a copy of this process, which takes three times as long.
        if runs_as and runs_as.is_own:
            runs_as = None
        return subprocess.Popen(
            argv,
            env={**_ENVIRONMENT, "HOME": home},
            cwd="/" if folder is None else f"/proc/self/fd/{folder}",
            start_new_session=True,
            user=runs_as.uid if runs_as else None,
            group=runs_as.gid if runs_as else None,
            extra_groups=runs_as.groups if runs_as else None,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
    except KeyError:
        raise Failure(
            f"{argv[0]} should run as {user}{':' + group if group else ''}, which this host does not know"
        ) from None
    except FileNotFoundError:
        raise Failure(f"{argv[0]} is not installed on this host") from None


def end(process: subprocess.Popen[bytes], grace: float) -> None:
    """Terminate a command; after `grace` seconds, kill it and all its children."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(
    argv: tuple[str, ...],
    user: str = "root",
    group: str | None = None,
    home: str = "/",
    stdin: str = "",
    seconds: float = PATIENCE,
    folder: int | None = None,
    grace: float = 0.1,
) -> tuple[int, str]:
    """Exit status and combined output. A command that exceeds `seconds` is stopped, within `grace` more, and counts as
    failed.

    Raises Failure if it cannot be started."""
    # Output goes to memory, not to a pipe, which processes that a command leaves behind would keep open.
    with open(os.memfd_create("output"), "w+", errors="replace") as output:
        process = start(argv, user, group, home, folder, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
        status, late = LATE, ""
        try:
            process.communicate(stdin.encode(), timeout=seconds)
            status = process.returncode
        except subprocess.TimeoutExpired:
            end(process, grace)
            late = f"it was stopped after {seconds:.0f} s\n"
        output.seek(0)
        return status, late + output.read()


def words(argv: tuple[str, ...], seconds: float) -> Iterator[str]:
    """The NUL-terminated words that a command prints as root, one by one, since there may be more than fit in memory.
    Raises Failure for a command that exceeds `seconds`, and stops it."""
    late = threading.Event()
    process = start(argv, "root", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None  # a pipe

    def stop() -> None:
        late.set()
        end(process, 0)

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        rest = b""
        while piece := process.stdout.read(1 << 20):
            *whole, rest = (rest + piece).split(b"\0")
            yield from (word.decode(errors="replace") for word in whole)
        if late.is_set():
            raise Failure(f"{argv[0]} was stopped after {seconds:.0f} s")
    finally:
        timer.cancel()
        end(process, 0)
        process.stdout.close()


def filled(argv: tuple[str, ...], **values: str) -> tuple[str, ...]:
    """argv with `{name}` replaced by values; other braces are left unchanged."""
    for name, value in values.items():
        argv = tuple(word.replace("{" + name + "}", value) for word in argv)
    return argv


def line(output: str, beginning: str) -> str:
    """The requested line of some output, which may also contain warnings or reports of retries."""
    # Not splitlines: names may contain other line separators.
    return next((line for line in output.split("\n") if line.startswith(beginning)), "")


def indented(text: str, lines: int = 20) -> str:
    return "\n".join("    " + line for line in text.strip().splitlines()[-lines:])
