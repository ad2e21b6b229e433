"""Native packages, installed without starting what they bring: a release starts it, with its configuration in place."""

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import commands
import store
import units
from document import parse, read
from report import Failure, say
from transaction import HOST

_APT = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", "--no-install-recommends", "--yes")


@dataclass(frozen=True)
class Packages:
    """`names` to be present; `units` that their installation must not start."""

    names: tuple[str, ...]
    units: tuple[str, ...] = ()


def ensure(text: str) -> dict:
    wanted = read(Packages, parse(text))
    missing = [name for name in wanted.names if name not in versions(wanted.names)]
    if missing:
        with store.lock(HOST, f"installation of {' '.join(missing)}", 900):
            say(f"install {' '.join(missing)}")
            with _held(wanted.units):
                if _apt("install", *missing):
                    say("refresh the package lists and try again")
                    _apt("update")
                    if complaint := _apt("install", *missing):
                        raise Failure(f"{' '.join(missing)} cannot be installed:\n{commands.indented(complaint)}")
    return {"versions": versions(wanted.names)}


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """The installed ones among `names`, with their versions."""
    out = subprocess.run(["dpkg-query", "--show", "--showformat=${db:Status-Abbrev} ${Package} ${Version}\n", *names], capture_output=True, text=True).stdout
    rows = [line.split() for line in out.splitlines()]
    return {row[1]: row[2] for row in rows if row[0] == "ii"}


def _apt(*arguments: str) -> str | None:
    """None when apt succeeds, else what it said."""
    done = subprocess.run([*_APT, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LANG": "C.UTF-8"})
    return done.stdout or f"exit status {done.returncode}" if done.returncode else None


@contextlib.contextmanager
def _held(names: tuple[str, ...]):
    """Masked in /run while packages are installed: a mask there is gone at the next boot whatever happens to us."""
    masks = [Path("/run/systemd/system", name) for name in names]
    made = [mask for mask in masks if not mask.is_symlink()]
    try:
        for mask in made:
            mask.parent.mkdir(parents=True, exist_ok=True)
            mask.symlink_to("/dev/null")
        units.daemon_reload()
        yield
    finally:
        for mask in made:
            mask.unlink(missing_ok=True)
        units.daemon_reload()
