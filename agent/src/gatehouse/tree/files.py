"""Compares the files that a release wants with those on the host."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from gatehouse.output.report import Failure, learn_secret
from gatehouse.protocol.manifest import Directory, File, Manifest, owner_ids
from gatehouse.state import repositories, secrets
from gatehouse.state.left import Access, Left, Mark
from gatehouse.state.store import STATE
from gatehouse.system import safepath


@dataclass(frozen=True)
class Content:
    """A file's bytes, mode and owner."""

    data: bytes
    mode: int
    uid: int
    gid: int

    @property
    def mark(self) -> Mark:
        return Mark(hashlib.sha256(self.data).hexdigest(), self.mode, self.uid, self.gid)


@dataclass(frozen=True)
class Change:
    """`wanted` is None for a file to remove; `file` is the manifest's entry, with the units to restart or reload."""

    path: str
    wanted: Content | None
    file: File
    what: str
    unmanaged: bool = False  # unmanaged: a copy is set aside


Wanted = dict[str, tuple[File, Content]]  # by path


def wanted_files(
    manifest: Manifest, generation: int, current: Manifest | None, current_generation: int, left: Left
) -> Wanted:
    """Each path with its content, with `{generation}`, kept secrets and merged secrets filled in.

    Raises Failure for a secret that the release may not use or that this host does not have."""
    kept = {f.path: f for f in (current.file if current else ())}
    wanted = {}
    for file in manifest.file:
        path = at_generation(file.path, generation)
        data = secrets.merged(file, manifest).encode()
        before, own = kept.get(file.path), None
        if before and (file.opens is not None or (file.rotation is not None and before.rotation == file.rotation)):
            own = _kept(at_generation(file.path, current_generation), before, left)
        data = repositories.chosen(file, file.opens, own) if file.opens is not None else own or data
        if manifest.secret:
            learn_secret(data.decode())
        wanted[path] = (file, Content(data, int(file.mode, 8), *owner_ids(file.owner)))
    return wanted


def _kept(path: str, before: File, left: Left) -> bytes | None:
    """The content that the host keeps as its own: that of the last apply if it is still known, else the live file's."""
    live, mark = look(path), left.files.get(path)
    known = [*([live.data] if live else []), before.content.encode(), bytes.fromhex(left.kept.get(path, ""))]
    found = (data for data in known if mark and hashlib.sha256(data).hexdigest() == mark.sha256)
    return next(found, live.data if live else None)


def mended(current: Manifest | None, generation: int, left: Left) -> list[Change]:
    """Secrets of the live generation restored to their last applied content, since other files merge them until their
    last user has moved on."""
    found = []
    for file in current.file if current else ():
        path = at_generation(file.path, generation)
        if "{generation}" in file.path and (mark := left.files.get(path)):
            data = _kept(path, file, left)
            was = None if data is None else Content(data, mark.mode, mark.uid, mark.gid)
            if was and was.mark == mark and look(path) != was:
                found.append(Change(path, was, file, "content"))
    return found


def opened_by(manifest: Manifest, generation: int) -> dict[str, str]:
    """The passphrase of each repository that a release has a file for, read from the host, since the program's may
    differ."""
    return {
        file.opens: safepath.read(at_generation(file.path, generation)).decode() for file in manifest.file if file.opens
    }


def at_generation(path: str, generation: int) -> str:
    return path.replace("{generation}", str(generation))


def look(path: str) -> Content | None:
    """A file or symlink on the host; None if there is none. Raises Failure for anything else."""
    found = safepath.status(path)
    if found is None:
        return None
    if stat.S_ISLNK(found.st_mode):
        return Content(os.fsencode(safepath.target(path)), found.st_mode, found.st_uid, found.st_gid)
    if not stat.S_ISREG(found.st_mode):
        raise Failure(
            f"{path} is not a plain file on this host; check what it is and move it away; nothing was changed"
        )
    return Content(safepath.read(path), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def look_folder(path: str) -> Access | None:
    """Mode, uid and gid of a directory; None if there is none. Raises Failure for anything else."""
    try:
        with safepath.opened(path) as folder:
            found = os.fstat(folder)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise Failure(
            f"{path} is not a directory on this host; check what it is and move it away; nothing was changed"
        ) from None
    return Access(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def changes(wanted: Wanted, current: Manifest | None, generation: int) -> list[Change]:
    """The changes that the live tree needs. Older secret versions are pruned by state/secrets.py, not removed here.

    Raises Failure if something other than a file is in the way."""
    found = []
    for path, (file, content) in wanted.items():
        live = look(path)
        if live is None:
            _refuse_without_folder(path)
            found.append(Change(path, content, file, "added"))
        elif live != content:
            found.append(Change(path, content, file, "content" if live.data != content.data else "mode or owner"))
    for file in current.file if current else ():
        path = at_generation(file.path, generation)
        if path not in wanted and "{generation}" not in file.path and look(path) is not None:
            found.append(Change(path, None, file, "removed"))
    return found


def folder_changes(wanted: tuple[Directory, ...]) -> list[Directory]:
    return [d for d in wanted if look_folder(d.path) != wanted_folder(d)]


def wanted_folder(directory: Directory) -> Access:
    return Access(int(directory.mode, 8), *owner_ids(directory.owner))


def _refuse_without_folder(path: str) -> None:
    above = next(folder for parent in Path(path).parents if safepath.status(folder := str(parent)))
    try:
        with safepath.opened(above):
            pass
    except OSError:
        raise Failure(
            f"{path} cannot be created: {above} is not a directory on this host; nothing was changed"
        ) from None


def put(path: str, content: Content | None) -> None:
    """Put a file in place atomically; None removes it. Idempotent."""
    if content is None:
        return safepath.remove(path)
    _make_parents(path)
    if stat.S_ISLNK(content.mode):
        safepath.link(path, os.fsdecode(content.data))
    else:
        safepath.write(path, content.data, content.mode, content.uid, content.gid)


def put_folder(path: str, mode: int, uid: int, gid: int) -> None:
    """Create a directory or correct its mode and owner, leaving its contents unchanged."""
    _make_parents(path)
    safepath.make(path, 0o700)
    safepath.give(path, mode, uid, gid)


def _make_parents(path: str) -> None:
    """Create missing parents with mode 0755, or 0711 below the agent's state directory."""
    folder = os.path.dirname(path)
    safepath.make(folder, 0o711 if Path(folder).is_relative_to(STATE) else 0o755)
