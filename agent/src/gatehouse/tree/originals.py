"""Changes the live tree reversibly: originals are kept, and directories created for a file are removed with it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

from gatehouse.state.store import STATE, Release, read_private, write_private
from gatehouse.system import safepath
from gatehouse.tree import files, moves
from gatehouse.tree.files import Content

ORIGINALS = STATE / "originals"  # the files that were at a path before a release first took it over
ASIDE = STATE / "aside"  # unmanaged files that were in the way of a release
_MADE = STATE / "folders.json"  # directories that exist only because a file of a release needed them


def put(path: str, content: Content | None) -> None:
    if content is not None:
        _note_parents(path)
    files.put(path, content)
    if content is None:
        _drop_parents(path)


def put_folder(path: str, mode: int, uid: int, gid: int) -> None:
    """Create a directory for its own sake: it holds data and is kept, even if it was first created for a file."""
    _note_parents(path)
    files.put_folder(path, mode, uid, gid)
    if path in (made := _made()):
        _write_made(made - {path})


# ---------------------------------------------------------------- folders


def _note_parents(path: str) -> None:
    if missing := {str(folder) for folder in Path(path).parents if safepath.status(str(folder)) is None}:
        _write_made(_made() | missing)


def _drop_parents(path: str) -> None:
    made = _made()
    for folder in Path(path).parents:
        if str(folder) not in made or not safepath.remove_folder(str(folder)):
            break
        _write_made(made := made - {str(folder)})


def _made() -> set[str]:
    return set(json.loads(read_private(_MADE) or "[]"))


def _write_made(made: set[str]) -> None:
    if made:
        write_private(_MADE, json.dumps(sorted(made)))
    else:
        safepath.remove(str(_MADE))


# ---------------------------------------------------------------- originals


def keep_original(path: str) -> bool:
    """Before a release first takes over a path: keep the file that is there. Returns False if there is none."""
    there = files.look(path)
    if there is None:
        forget_original(path)
        return False
    write_private(ORIGINALS / path.lstrip("/"), json.dumps(_stored(there)))
    return True


def original(path: str) -> Content | None:
    kept = read_private(ORIGINALS / path.lstrip("/"))
    entry: _Stored | None = json.loads(kept) if kept else None
    return _loaded(entry) if entry else None


def forget_original(path: str) -> None:
    safepath.remove(f"{ORIGINALS}{path}")


def set_aside(release: Release, generation: int, path: str) -> str:
    """Keep a copy of a file that is about to be removed, and return the path of the copy."""
    kept = f"{ASIDE}/{release.name}/{generation}{path}"
    while files.look(kept) not in (None, files.look(path)):  # from an earlier release of the same name
        kept += "~"
    files.put(kept, files.look(path))
    return kept


# ---------------------------------------------------------------- snapshot


class _Stored(TypedDict):
    """A file as stored in JSON."""

    data: str  # in hex
    mode: int
    uid: int
    gid: int


class _Entry(TypedDict):
    """A file of the snapshot; its content is None if it did not exist."""

    path: str
    content: _Stored | None


def take_snapshot(release: Release, paths: list[str], folders: list[str], moved: list[moves.Survey]) -> None:
    release.drop_snapshot()
    for number, path in enumerate(paths):
        there = files.look(path)
        entry: _Entry = {"path": path, "content": _stored(there) if there else None}
        write_private(release.snapshot / str(number), json.dumps(entry))
    write_private(release.snapshot / "folders", json.dumps({path: files.look_folder(path) for path in folders}))
    write_private(release.snapshot / "moves", json.dumps([asdict(surveyed) for surveyed in moved]))


def restore_snapshot(release: Release) -> list[str]:
    """Restore everything from the snapshot. Returns the paths of the files in it."""
    paths = []
    for kept in sorted(release.snapshot.glob("[0-9]*"), key=lambda p: int(p.name)):
        entry: _Entry = json.loads(kept.read_text())
        put(entry["path"], _loaded(entry["content"]) if entry["content"] else None)
        paths.append(entry["path"])
    for surveyed in json.loads(read_private(release.snapshot / "moves") or "[]"):  # older agents recorded no moves
        moves.back(moves.Survey(**surveyed))
    folders: dict[str, tuple[int, int, int] | None] = json.loads((release.snapshot / "folders").read_text())
    for path, was in reversed(folders.items()):
        if was:
            put_folder(path, *was)
        elif safepath.remove_folder(path):  # a new directory that already holds data is kept
            _drop_parents(path)
    return paths


def _stored(content: Content) -> _Stored:
    return {"data": content.data.hex(), "mode": content.mode, "uid": content.uid, "gid": content.gid}


def _loaded(entry: _Stored) -> Content:
    return Content(bytes.fromhex(entry["data"]), entry["mode"], entry["uid"], entry["gid"])
