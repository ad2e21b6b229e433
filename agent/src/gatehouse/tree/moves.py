"""Moves data to a new location while the release's units are stopped, and back if the release is rolled back."""

import os
import stat
from dataclasses import dataclass, field

from gatehouse.output.report import Failure
from gatehouse.protocol.manifest import Manifest
from gatehouse.system import safepath


@dataclass(frozen=True)
class Move:
    source: str
    target: str


def due(manifest: Manifest, current: Manifest | None) -> list[Move]:
    """The moves of data from the former path of a directory, or from its new path if an older manifest uses the former
    one again.

    Raises Failure for data that cannot be moved, such as a symlink."""
    wanted = {d.path for d in manifest.directory}
    found = [Move(d.formerly, d.path) for d in manifest.directory if d.formerly]
    found += [
        Move(d.path, d.formerly)
        for d in (current.directory if current else ())
        if d.formerly and d.formerly in wanted and d.path not in wanted
    ]
    return [move for move in found if _lies_there(move)]


def _lies_there(move: Move) -> bool:
    found = safepath.status(move.source)
    if found is None:
        return False
    if stat.S_ISLNK(found.st_mode):
        raise _refusal(move, "is a link")
    if not stat.S_ISDIR(found.st_mode):
        raise _refusal(move, "is not a folder")
    device = _device(move.target)
    if found.st_dev != device or any(entry.st_dev != device for entry in safepath.entries(move.source).values()):
        raise _refusal(move, "is on another file system, or has one mounted in it")
    return True


def _refusal(move: Move, why: str) -> Failure:
    return Failure(
        f"the contents of {move.source} belong in {move.target}, but are not moved there, since {move.source} {why}: "
        f"stop what uses it, copy it with `cp --archive --no-target-directory {move.source}/ {move.target}`, "
        f"move {move.source} away, and apply again; nothing was changed"
    )


def _device(path: str) -> int:
    """The device of the directory, or of the one in which it will be created."""
    try:
        with safepath.opened(path) as folder:
            return os.fstat(folder).st_dev
    except FileNotFoundError:
        return _device(os.path.dirname(path))


@dataclass(frozen=True)
class Survey:
    """The renames, and the directories that are empty afterwards: enough to move the data, and to move it back after an
    interruption at any point. Paths are below `source` and `target`."""

    source: str
    target: str
    renames: list[tuple[str, str]] = field(default_factory=list)
    emptied: list[tuple[str, int, int, int]] = field(default_factory=list)  # each with its mode, uid and gid


def survey(move: Move) -> Survey:
    found = Survey(move.source, move.target)
    _compare(move, "", found)
    return found


def _compare(move: Move, below: str, surveyed: Survey) -> None:
    """Plan to move a directory as a whole if the target has none of that name, otherwise entry by entry."""
    there = safepath.entries(move.target + below) if safepath.status(move.target + below) else {}
    for name, found in safepath.entries(move.source + below).items():
        path = f"{below}/{name}"
        if name in there and stat.S_ISDIR(found.st_mode) and stat.S_ISDIR(there[name].st_mode):
            _compare(move, path, surveyed)
            continue
        free = name  # an entry that is already at the new location keeps its name
        while free in there:
            free += ".former"
        surveyed.renames.append((path, f"{below}/{free}"))
    with safepath.opened(move.source + below) as folder:
        own = os.fstat(folder)
    surveyed.emptied.append((below, stat.S_IMODE(own.st_mode), own.st_uid, own.st_gid))


def forward(surveyed: Survey) -> None:
    for source, target in surveyed.renames:
        safepath.rename(surveyed.source + source, surveyed.target + target)
    for below, *_ in surveyed.emptied:
        safepath.remove_folder(surveyed.source + below)


def back(surveyed: Survey) -> None:
    """Move everything back, from any point of progress; idempotent."""
    for below, mode, uid, gid in reversed(surveyed.emptied):
        safepath.make(surveyed.source + below, 0o700)
        safepath.give(surveyed.source + below, mode, uid, gid)
    for source, target in reversed(surveyed.renames):
        here, there = surveyed.source + source, surveyed.target + target
        if safepath.status(there) and not safepath.status(here):
            safepath.rename(there, here)
