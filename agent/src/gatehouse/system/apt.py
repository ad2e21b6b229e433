"""The package manager of Debian and of distributions derived from it."""

import os
import re
import subprocess
from pathlib import Path

from gatehouse.output.report import say

PURGE = "apt-get purge"  # for an operator: removes a package with its configuration
_STATUS = Path("/var/lib/dpkg/status")

_APT = (
    "apt-get",
    "-qq",
    "-o",
    "DPkg::Lock::Timeout=300",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "--no-install-recommends",
    "--yes",
)


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """The installed ones among `names`, with their versions."""
    out = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev} ${Package} ${Version}\n", *names],
        capture_output=True,
        text=True,
    ).stdout
    rows = [line.split() for line in out.splitlines()]
    return {row[1]: row[2] for row in rows if row[0] == "ii"}


def install(names: list[str]) -> str | None:
    """Returns None if they are installed, otherwise the output."""
    if _apt("install", *names) is None:
        return None
    say("refresh the package lists and try again")
    _apt("update")
    return _apt("install", *names)


def _apt(*arguments: str) -> str | None:
    done = subprocess.run(
        [*_APT, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LANG": "C.UTF-8"},
    )
    return done.stdout or f"exit status {done.returncode}" if done.returncode else None


def configuration() -> dict[str, str]:
    """The configuration files of packages, each with the MD5 of its packaged version."""
    return (
        dict(re.findall(r"^ (/\S+) ([0-9a-f]{32})$", _STATUS.read_text(errors="replace"), re.MULTILINE))
        if _STATUS.exists()
        else {}
    )
