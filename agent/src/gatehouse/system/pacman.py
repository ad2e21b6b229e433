"""Arch's package manager. It installs the versions in the host's package lists and never fetches newer lists: a package
that is newer than the libraries beside it may not even start. New lists come with a full upgrade, which is up to the
operator."""

import os
import re
import subprocess
from pathlib import Path

from gatehouse.system import machine

PURGE = "pacman -Rns"  # for an operator: removes a package with its configuration
_INSTALLED = Path("/var/lib/pacman/local")
_INSTALL = ("pacman", "-S", "--needed", "--noconfirm")
_PATIENCE = 300  # seconds to wait for another pacman
# Errors of a repository that has newer versions, and of pacman without a package list.
_OLD = (
    "failed retrieving file",
    "could not find or read package",
    "database file for",
    "target not found",
    "could not satisfy dependencies",
)


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """The installed ones among `names`, with their versions."""
    out = _pacman("pacman", "-Q", "--", *names).stdout
    # pacman prints the name of another package if that one provides the requested name.
    return {
        name: version
        for name, version in (line.split() for line in out.splitlines() if line.count(" ") == 1)
        if name in names
    }


def install(names: list[str]) -> str | None:
    """Returns None if they are installed, otherwise the output."""
    until = machine.system.monotonic() + _PATIENCE
    while (done := _pacman(*_INSTALL, "--", *names)).returncode:
        if "unable to lock database" not in done.stderr:
            return _told(done)
        if machine.system.monotonic() > until:
            return (
                f"{done.stderr}Another pacman has been running for {_PATIENCE} s, or was killed: if none is running, "
                "rm /var/lib/pacman/db.lck"
            )
        machine.system.sleep(1)
    return None


def _told(done: subprocess.CompletedProcess[str]) -> str:
    complaint = done.stderr or done.stdout or f"exit status {done.returncode}"
    if any(words in complaint for words in _OLD):
        return (
            f"{complaint}This host's package lists are older than the repository's, or lack it. Upgrade the host as a "
            "whole, with `pacman -Syu`, and try again; gatehouse does not do that by itself"
        )
    return complaint


def _pacman(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
    )


def configuration() -> dict[str, str]:
    """The configuration files of packages, each with the MD5 of its packaged version."""
    lists = [path.read_text(errors="replace").partition("%BACKUP%\n")[2] for path in _INSTALLED.glob("*/files")]
    return {
        f"/{path}": digest
        for text in lists
        for path, digest in re.findall(r"^(\S+)\t([0-9a-f]{32})$", text, re.MULTILINE)
    }
