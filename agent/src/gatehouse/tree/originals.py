"""The live tree, altered with a way back: what stood there before is kept, and folders made for a file go with it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

from gatehouse.state.store import STATE, Release, read_private, write_private
from gatehouse.system import safepath
from gatehouse.tree import files, moves
from gatehouse.tree.files import Content

ORIGINALS = STATE / "originals"  # what stood at a path before the first release took it over
ASIDE = STATE / "aside"  # what was in a release's way and nobody's
_MADE = STATE / "folders.json"  # the folders that exist only because a file of ours needed them


def put(path: str, content: Content | None) -> None:
    if content is not None:
        _note_parents(path)
    files.put(path, content)
    if content is None:
        _drop_parents(path)


def put_folder(path: str, mode: int, uid: int, gid: int) -> None:
    """A directory in its own right: it holds data and stays, also when it was made for a file at first."""
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
    """Before a release first takes a path over: keep what somebody else had put there."""
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
    """Keep a copy of what is about to be taken out; where it is kept."""
    kept = f"{ASIDE}/{release.name}/{generation}{path}"
    while files.look(kept) not in (None, files.look(path)):  # of a release of the same name before
        kept += "~"
    files.put(kept, files.look(path))
    return kept


# ---------------------------------------------------------------- snapshot


class _Stored(TypedDict):
    """A file as it is kept in JSON."""

    data: str  # in hex
    mode: int
    uid: int
    gid: int


class _Entry(TypedDict):
    """A file of the snapshot; its content is None where there was none."""

    path: str
    content: _Stored | None


def take_snapshot(release: Release, paths: list[str], folders: list[str], moved: list[moves.Survey]) -> None:
    safepath.remove_tree(str(release.snapshot))
    for number, path in enumerate(paths):
        there = files.look(path)
        entry: _Entry = {"path": path, "content": _stored(there) if there else None}
        write_private(release.snapshot / str(number), json.dumps(entry))
    write_private(release.snapshot / "folders", json.dumps({path: files.look_folder(path) for path in folders}))
    write_private(release.snapshot / "moves", json.dumps([asdict(surveyed) for surveyed in moved]))


def restore_snapshot(release: Release) -> list[str]:
    """Put everything back as the snapshot has it; the paths of the files that were touched."""
    paths = []
    for kept in sorted(release.snapshot.glob("[0-9]*"), key=lambda p: int(p.name)):
        entry: _Entry = json.loads(kept.read_text())
        put(entry["path"], _loaded(entry["content"]) if entry["content"] else None)
        paths.append(entry["path"])
    for surveyed in json.loads(read_private(release.snapshot / "moves") or "[]"):  # an agent of before moved nothing
        moves.back(moves.Survey(**surveyed))
    folders: dict[str, tuple[int, int, int] | None] = json.loads((release.snapshot / "folders").read_text())
    for path, was in reversed(folders.items()):
        if was:
            put_folder(path, *was)
        elif safepath.remove_folder(path):  # a new one that holds data already stays
            _drop_parents(path)
    return paths


def _stored(content: Content) -> _Stored:
    return {"data": content.data.hex(), "mode": content.mode, "uid": content.uid, "gid": content.gid}


def _loaded(entry: _Stored) -> Content:
    return Content(bytes.fromhex(entry["data"]), entry["mode"], entry["uid"], entry["gid"])
