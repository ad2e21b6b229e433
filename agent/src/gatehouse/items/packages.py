"""Native packages, installed without starting what they bring: a release starts it, with its configuration in place."""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gatehouse.output.report import Failure, say
from gatehouse.protocol.answers import PackagesAnswer
from gatehouse.protocol.document import read
from gatehouse.state import created, store
from gatehouse.state.store import HOST
from gatehouse.system import apt, pacman, process, safepath, systemd


class _Manager(Protocol):
    """What each module of a package manager has."""

    def versions(self, names: tuple[str, ...]) -> dict[str, str]: ...

    def install(self, names: list[str]) -> str | None: ...

    def configuration(self) -> dict[str, str]: ...


_MANAGERS: dict[str, _Manager] = {"apt": apt, "pacman": pacman}
_UNITS = Path("/run/systemd/system")  # a mask there is gone at the next boot whatever happens to us
_HELD = Path("/run/gatehouse/held")  # the units that we have masked, also those that an interrupted run left so


@dataclass(frozen=True)
class Packages:
    """`names` to be present; `units` that the installation of the first of them must not start; the `manager` that
    installs them."""

    names: tuple[str, ...]
    units: tuple[str, ...] = ()
    manager: str = "apt"


def ensure(text: str) -> PackagesAnswer:
    """Raises Failure where the manager cannot install them."""
    wanted = read(Packages, text)
    if wanted.manager not in _MANAGERS:
        raise Failure(
            f"manager: {wanted.manager!r} is none that this agent knows, which are {', '.join(_MANAGERS)}; "
            "nothing was done"
        )
    installed = versions(wanted.manager, wanted.names)
    missing = [name for name in wanted.names if name not in installed]
    ours = created.things() | {f"package {name}" for name in missing}
    created.add(*ours, *(f"unit {unit}" for unit in wanted.units if f"package {wanted.names[0]}" in ours))
    if missing or _HELD.exists() or created.watched():
        with store.lock(HOST, f"installation of {' '.join(wanted.names)}", 3600):
            _release()
            created.catch()
            if missing:
                _install(wanted.manager, missing, wanted.units)
    return {"manager": wanted.manager, "versions": versions(wanted.manager, wanted.names)}


def _install(manager: str, missing: list[str], held: tuple[str, ...]) -> None:
    say(f"install {' '.join(missing)}")
    created.watch()
    with _held(held):
        if complaint := _MANAGERS[manager].install(missing):
            raise Failure(f"{' '.join(missing)} cannot be installed:\n{process.indented(complaint)}")
    created.catch()


def versions(manager: str, names: tuple[str, ...]) -> dict[str, str]:
    """The installed ones among `names`, with their versions."""
    return _MANAGERS[manager].versions(names)


@functools.cache
def configuration() -> dict[str, str]:
    """The configuration files of packages, each with its original MD5, by whichever manager this host has."""
    return {path: digest for manager in _MANAGERS.values() for path, digest in manager.configuration().items()}


def survey(answers: list[PackagesAnswer]) -> dict[str, str]:
    """Of all packages that were answered for, in one question to each manager."""
    asked: dict[str, set[str]] = {}
    for answer in answers:
        if names := answer["versions"]:
            asked.setdefault(answer.get("manager", "apt"), set()).update(names)
    return {
        name: version for manager, names in asked.items() for name, version in versions(manager, tuple(names)).items()
    }


@contextlib.contextmanager
def _held(names: tuple[str, ...]) -> Iterator[None]:
    """Masked while packages are installed. A mask of somebody else's is left alone."""
    made = [name for name in names if not (_UNITS / name).is_symlink()]
    store.write_private(_HELD, "\n".join(made))
    try:
        safepath.make(str(_UNITS))
        for name in made:
            safepath.link(f"{_UNITS}/{name}", "/dev/null")
        systemd.daemon_reload()
        yield
    finally:
        _release()


def _release() -> None:
    if (held := store.read_private(_HELD)) is None:
        return
    for name in held.split():
        safepath.remove(f"{_UNITS}/{name}")
    systemd.daemon_reload()
    safepath.remove(str(_HELD))
