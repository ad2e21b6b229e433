"""Exchanges directories for new ones, all or none, and back again while the old ones are kept."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from gatehouse.output.report import Failure, say
from gatehouse.state import store
from gatehouse.state.store import STATE, read_private, write_private
from gatehouse.system import jobs, safepath, systemd

_UNDER_WAY = STATE / "restore" / "swapping.json"
_KEPT = STATE / "restore" / "kept.json"


@dataclass(frozen=True)
class Exchange:
    live: str
    new: str
    old: str


@dataclass(frozen=True)
class Swap:
    """A restored state, and how to undo the restore."""

    what: str  # for display
    exchanges: tuple[Exchange, ...]
    ran: tuple[str, ...]  # units that run before and after the exchange
    leftovers: tuple[str, ...] = ()  # directories that contain the new ones until the exchange


def kept() -> Swap | None:
    """The last restore, until it is confirmed or undone."""
    return _read(_KEPT)


def interrupted() -> Swap | None:
    return _read(_UNDER_WAY)


def forward(swap: Swap) -> None:
    """Exchange the directories while nothing uses them. An interruption from here on leads to a rollback."""
    write_private(_UNDER_WAY, json.dumps(asdict(swap)))
    for e in swap.exchanges:
        if safepath.status(e.live):
            _rename(e.live, e.old)
        _rename(e.new, e.live)


def back(swap: Swap) -> None:
    """Put the old directories back, from any point of progress."""
    for e in reversed(swap.exchanges):
        if not safepath.status(e.new) and safepath.status(e.live):
            _rename(e.live, e.new)
        if safepath.status(e.old):
            _rename(e.old, e.live)


def keep(swap: Swap) -> None:
    """The restore is healthy: keep the old directories until it is confirmed."""
    write_private(_KEPT, json.dumps(asdict(swap)))
    safepath.remove(str(_UNDER_WAY))
    store.sync_directory(_KEPT.parent)


def confirm(swap: Swap) -> None:
    """Delete the old directories. No other function does."""
    for path in [*(e.old for e in swap.exchanges), *swap.leftovers]:
        safepath.remove_tree(path)
    safepath.remove(str(_KEPT))


def discard(swap: Swap) -> None:
    """The old directories are live again: delete the restored ones."""
    for path in [*(e.new for e in swap.exchanges), *swap.leftovers]:
        safepath.remove_tree(path)
    for mark in (_UNDER_WAY, _KEPT):
        safepath.remove(str(mark))


def prepare_boot() -> None:
    """At boot, before any unit starts: put the old directories back."""
    if swap := interrupted():
        say(f"the restore to {swap.what} was interrupted: the previous data is back")
        back(swap)
        discard(swap)
        jobs.queue("restart", systemd.running(systemd.existing(swap.ran)))  # mounts that use the new directories


def refuse_another() -> None:
    """Raises Failure while a restore is neither confirmed nor undone."""
    if swap := kept():
        raise Failure(
            f"the restore to {swap.what} has not been confirmed: `gatehouse restore --confirm` deletes the previous "
            "data, `gatehouse restore --undo` brings it back"
        )


def stop(ran: tuple[str, ...]) -> None:
    jobs.run("stop", list(ran))
    systemd.reset_failed(list(ran))


def _rename(source: str, target: str) -> None:
    try:
        safepath.rename(source, target)
    except OSError as error:
        raise Failure(f"{source} cannot be renamed to {target}: {error.strerror}") from None


def _read(path: Path) -> Swap | None:
    text = read_private(path)
    if not text:
        return None
    found = json.loads(text)
    return Swap(
        found["what"], tuple(Exchange(**e) for e in found["exchanges"]), tuple(found["ran"]), tuple(found["leftovers"])
    )
