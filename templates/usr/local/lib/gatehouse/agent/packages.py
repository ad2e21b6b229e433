"""Native packages, installed without starting what they bring: a release starts it, with its configuration in place."""

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import commands
import store
import units
from document import read
from report import Failure, say
from store import HOST

_APT = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", "--no-install-recommends", "--yes")
_UNITS = Path("/run/systemd/system")  # a mask there is gone at the next boot whatever happens to us
_HELD = Path("/run/gatehouse/held")  # the units that we have masked, also those that an interrupted run left so


@dataclass(frozen=True)
class Packages:
    """`names` to be present; `units` that their installation must not start."""

    names: tuple[str, ...]
    units: tuple[str, ...] = ()


def ensure(text: str) -> dict:
    wanted = read(Packages, text)
    installed = versions(wanted.names)
    missing = [name for name in wanted.names if name not in installed]
    if missing or _HELD.exists():
        with store.lock(HOST, f"installation of {' '.join(wanted.names)}", 3600):
            _release()
            if missing:
                _install(missing, wanted.units)
    return {"versions": versions(wanted.names)}


def _install(missing: list[str], held: tuple[str, ...]) -> None:
    say(f"install {' '.join(missing)}")
    with _held(held):
        if _apt("install", *missing):
            say("refresh the package lists and try again")
            _apt("update")
            if complaint := _apt("install", *missing):
                raise Failure(f"{' '.join(missing)} cannot be installed:\n{commands.indented(complaint)}")


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
    """Masked while packages are installed. A mask of somebody else's is left alone."""
    made = [name for name in names if not (_UNITS / name).is_symlink()]
    store.write_private(_HELD, "\n".join(made))
    try:
        _UNITS.mkdir(parents=True, exist_ok=True)
        for name in made:
            (_UNITS / name).symlink_to("/dev/null")
        units.daemon_reload()
        yield
    finally:
        _release()


def _release() -> None:
    if (held := store.read_private(_HELD)) is None:
        return
    for name in held.split():
        (_UNITS / name).unlink(missing_ok=True)
    units.daemon_reload()
    _HELD.unlink()
