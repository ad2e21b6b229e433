"""Native packages, installed without starting their services: a release starts these once they are configured."""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gatehouse.output.report import At, Failure, say
from gatehouse.protocol.answers import PackagesAnswer
from gatehouse.protocol.document import read
from gatehouse.state import created, store
from gatehouse.state.store import HOST
from gatehouse.system import apt, pacman, process, safepath, systemd


class _Manager(Protocol):
    """The interface of each package manager's module."""

    PURGE: str

    def versions(self, names: tuple[str, ...]) -> dict[str, str]: ...

    def install(self, names: list[str]) -> str | None: ...

    def configuration(self) -> dict[str, str]: ...


_MANAGERS: dict[str, _Manager] = {"apt": apt, "pacman": pacman}
_UNITS = Path("/run/systemd/system")  # masks in here disappear at the next boot in any case
_HELD = Path("/run/gatehouse/held")  # the units masked by gatehouse, also by an interrupted run


@dataclass(frozen=True)
class Packages:
    """`names`: the packages to install; `units`: the units that the installation of the first one must not start;
    `manager`: the package manager."""

    names: tuple[str, ...]
    units: tuple[str, ...] = ()
    manager: str = "apt"


def ensure(text: str) -> PackagesAnswer:
    """Raises Failure if the manager cannot install them."""
    wanted = read(Packages, text)
    if wanted.manager not in _MANAGERS:
        raise Failure(
            f"manager: {wanted.manager!r} is unknown; expected one of {', '.join(_MANAGERS)}; nothing was changed"
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
            raise Failure(
                f"{' '.join(missing)} cannot be installed:\n{process.indented(complaint)}",
                at=At("package", missing[0]) if len(missing) == 1 else None,
            )
    created.catch()


def versions(manager: str, names: tuple[str, ...]) -> dict[str, str]:
    """The installed ones among `names`, with their versions."""
    return _MANAGERS[manager].versions(names)


@functools.cache
def configuration() -> dict[str, str]:
    """The configuration files of packages, each with its original MD5, for any manager on this host."""
    return {path: digest for manager in _MANAGERS.values() for path, digest in manager.configuration().items()}


def purge_commands(names: list[str], answers: list[PackagesAnswer]) -> dict[str, str]:
    """For each package, the command that removes it with its configuration, by the manager that installed it."""
    managers = {name: answer.get("manager", "apt") for answer in answers for name in answer["versions"]}
    return {name: f"{_MANAGERS[managers.get(name, 'apt')].PURGE} {name}" for name in names}


def survey(answers: list[PackagesAnswer]) -> dict[str, str]:
    """The versions of all packages in the answers, in one query to each manager."""
    asked: dict[str, set[str]] = {}
    for answer in answers:
        if names := answer["versions"]:
            asked.setdefault(answer.get("manager", "apt"), set()).update(names)
    return {
        name: version for manager, names in asked.items() for name, version in versions(manager, tuple(names)).items()
    }


@contextlib.contextmanager
def _held(names: tuple[str, ...]) -> Iterator[None]:
    """Mask units while packages are installed. Masks that gatehouse did not create are left unchanged."""
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
