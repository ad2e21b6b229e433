"""Data that has another place by now: it goes there while the release's units are stopped, and comes back with its files."""

import os
import stat
from dataclasses import dataclass

from gatehouse.output.report import Failure
from gatehouse.protocol.manifest import Manifest
from gatehouse.system import safepath


@dataclass(frozen=True)
class Move:
    source: str
    target: str


def due(manifest: Manifest, current: Manifest | None) -> list[Move]:
    """What lies at a former place of a directory; or at its new one, where an older manifest wants the former again."""
    wanted = {d.path for d in manifest.directory}
    found = [Move(d.formerly, d.path) for d in manifest.directory if d.formerly]
    found += [
        Move(d.path, d.formerly)
        for d in (current.directory if current else ())
        if d.formerly in wanted and d.path not in wanted
    ]
    return [move for move in found if _lies_there(move)]


def _lies_there(move: Move) -> bool:
    found = safepath.status(move.source)
    if found is None:
        return False
    if stat.S_ISLNK(found.st_mode):
        raise _refusal(move, "is a link")
    if not stat.S_ISDIR(found.st_mode):
        raise _refusal(move, "is no folder")
    device = _device(move.target)
    if found.st_dev != device or any(entry.st_dev != device for entry in safepath.entries(move.source).values()):
        raise _refusal(move, "is on another file system, or has one mounted in it")
    return True


def _refusal(move: Move, why: str) -> Failure:
    return Failure(
        f"what is in {move.source} belongs in {move.target}, and is not moved there, since {move.source} {why}: stop what uses it, copy it with "
        f"`cp --archive --no-target-directory {move.source}/ {move.target}`, move {move.source} away, and apply again; nothing was done"
    )


def _device(path: str) -> int:
    """Of the folder, or of the one in which it will be made."""
    try:
        with safepath.opened(path) as folder:
            return os.fstat(folder).st_dev
    except FileNotFoundError:
        return _device(os.path.dirname(path))


def survey(move: Move) -> dict:
    """What goes where, and which folders are empty then: enough to do it, and to take it back from wherever it was cut."""
    renames, emptied = [], []
    _compare(move, "", renames, emptied)
    return {"source": move.source, "target": move.target, "renames": renames, "emptied": emptied}


def _compare(move: Move, below: str, renames: list, emptied: list) -> None:
    """Whole folders where the target has none of the name; where it has one, what is in there."""
    there = safepath.entries(move.target + below) if safepath.status(move.target + below) else {}
    for name, found in safepath.entries(move.source + below).items():
        path = f"{below}/{name}"
        if name in there and stat.S_ISDIR(found.st_mode) and stat.S_ISDIR(there[name].st_mode):
            _compare(move, path, renames, emptied)
            continue
        free = name  # what came to the new place first keeps its name
        while free in there:
            free += ".former"
        renames.append([path, f"{below}/{free}"])
    found = safepath.status(move.source + below)
    emptied.append([below, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid])


def forward(surveyed: dict) -> None:
    for source, target in surveyed["renames"]:
        safepath.rename(surveyed["source"] + source, surveyed["target"] + target)
    for below, *_ in surveyed["emptied"]:
        safepath.remove_folder(surveyed["source"] + below)


def back(surveyed: dict) -> None:
    """However far it got; safe to repeat."""
    for below, mode, uid, gid in reversed(surveyed["emptied"]):
        safepath.make(surveyed["source"] + below, 0o700)
        safepath.give(surveyed["source"] + below, mode, uid, gid)
    for source, target in reversed(surveyed["renames"]):
        here, there = surveyed["source"] + source, surveyed["target"] + target
        if safepath.status(there) and not safepath.status(here):
            safepath.rename(there, here)
