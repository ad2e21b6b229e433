"""Files as they should be, as they are, and the swap between the two with a way back."""

import json
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from manifest import Directory, File, Manifest, owner_ids
from report import Failure, learn_secret
from store import SECRETS, STATE, Release, sync_directory, write_private

ORIGINALS = STATE / "originals"  # what stood at a path before the first release took it over
_MERGE = re.compile(r"\{\{secrets ([a-z0-9-]+)/([\w.-]+)\}\}")


@dataclass(frozen=True)
class Content:
    """A file's bytes, mode and owner."""

    data: bytes
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Change:
    """`wanted` is None for a file to remove; `file` is the manifest's entry, whose units the change concerns."""

    path: str
    wanted: Content | None
    file: File
    what: str


def wanted_files(manifest: Manifest, generation: int, current: Manifest | None, current_generation: int) -> dict[str, tuple[File, Content]]:
    """Each path with its content, once `{generation}`, kept secrets and merged secrets are filled in."""
    kept = {f.path: f for f in (current.file if current else ())}
    wanted = {}
    for file in manifest.file:
        path = at_generation(file.path, generation)
        data = _merged(file.content).encode()
        before = kept.get(file.path)
        if file.rotation is not None and before is not None and before.rotation == file.rotation:
            live = look(at_generation(file.path, current_generation))
            data = live.data if live else data
        if manifest.secret:
            learn_secret(data.decode())
        wanted[path] = (file, Content(data, int(file.mode, 8), *owner_ids(file.owner)))
    return wanted


def at_generation(path: str, generation: int) -> str:
    return path.replace("{generation}", str(generation))


def _merged(content: str) -> str:
    """`{{secrets RELEASE/FILE}}` stands for that file in every generation of secrets that somebody still refers to,
    newest first: a server that reads it accepts the old secret until the last client moved to the new one."""

    def fill(found: re.Match) -> str:
        kept = sorted((SECRETS / found[1]).glob(f"*/{found[2]}"), key=lambda path: int(path.parent.name), reverse=True)
        if not kept:
            raise Failure(f"secret {found[1]}/{found[2]} is not on this host; nothing was done")
        texts = [path.read_text().strip() for path in kept]
        for text in texts:
            learn_secret(text)
        return " ".join(texts)

    return _MERGE.sub(fill, content)


def look(path: str) -> Content | None:
    try:
        info = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    data = os.readlink(path).encode() if stat.S_ISLNK(info.st_mode) else Path(path).read_bytes()
    return Content(data, stat.S_IMODE(info.st_mode) | (stat.S_IFLNK if stat.S_ISLNK(info.st_mode) else 0), info.st_uid, info.st_gid)


def changes(wanted: dict[str, tuple[File, Content]], current: Manifest | None, generation: int) -> list[Change]:
    """What must be done to the live tree. Files of older secret generations are pruned by `prune_secrets`, not removed here."""
    found = []
    for path, (file, content) in wanted.items():
        live = look(path)
        if live is None:
            found.append(Change(path, content, file, "added"))
        elif live != content:
            found.append(Change(path, content, file, "content" if live.data != content.data else "mode or owner"))
    for file in current.file if current else ():
        path = at_generation(file.path, generation)
        if path not in wanted and "{generation}" not in file.path and look(path) is not None:
            found.append(Change(path, None, file, "removed"))
    return found


def ensure_directory(directory: Directory) -> bool:
    """Make the directory what it should be; True when something had to change."""
    mode, owner = int(directory.mode, 8), owner_ids(directory.owner)
    path = Path(directory.path)
    if not path.is_dir():
        path.mkdir(parents=True, mode=0o700)
    info = path.stat()
    if (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (mode, *owner):
        return False
    os.chown(path, *owner)
    path.chmod(mode)
    return True


def put(path: str, content: Content | None) -> None:
    """Put a file in place, whole or not at all; None removes it. Safe to repeat."""
    target = Path(path)
    # A dot-name without the suffix that the directory's reader looks for, on the target's own file system.
    new = target.with_name(f".{target.name}.gatehouse")
    new.unlink(missing_ok=True)
    if content is None:
        target.unlink(missing_ok=True)
    else:
        _make_parents(target.parent)
        if stat.S_ISLNK(content.mode):
            new.symlink_to(content.data.decode())
        else:
            with open(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(content.data)
                file.flush()
                os.fchown(file.fileno(), content.uid, content.gid)
                os.fchmod(file.fileno(), content.mode)
                os.fsync(file.fileno())
        os.rename(new, target)
    if target.parent.exists():
        sync_directory(target.parent)


def _make_parents(folder: Path) -> None:
    """Missing parents are open like /etc, except below the agent's own private folder."""
    if not folder.exists():
        _make_parents(folder.parent)
        folder.mkdir(mode=0o711 if folder.is_relative_to(STATE) else 0o755)
        folder.chmod(0o711 if folder.is_relative_to(STATE) else 0o755)
        sync_directory(folder.parent)


def keep_original(path: str) -> bool:
    """Before a release first takes a path over: keep what somebody else had put there."""
    live = look(path)
    if live is None:
        forget_original(path)
        return False
    write_private(ORIGINALS / path.lstrip("/"), json.dumps(_stored(live)))
    return True


def original(path: str) -> Content | None:
    kept = ORIGINALS / path.lstrip("/")
    return _loaded(json.loads(kept.read_text())) if kept.exists() else None


def forget_original(path: str) -> None:
    (ORIGINALS / path.lstrip("/")).unlink(missing_ok=True)


def take_snapshot(release: Release, paths: list[str]) -> None:
    shutil.rmtree(release.snapshot, ignore_errors=True)
    release.snapshot.mkdir(mode=0o700, parents=True)
    for number, path in enumerate(paths):
        live = look(path)
        write_private(release.snapshot / str(number), json.dumps({"path": path, "content": _stored(live) if live else None}))


def restore_snapshot(release: Release) -> list[str]:
    """Put everything back as the snapshot has it; the paths that were touched."""
    paths = []
    for kept in sorted(release.snapshot.iterdir(), key=lambda p: int(p.name)):
        entry = json.loads(kept.read_text())
        put(entry["path"], _loaded(entry["content"]) if entry["content"] else None)
        paths.append(entry["path"])
    return paths


def _stored(content: Content) -> dict:
    return {"data": content.data.hex(), "mode": content.mode, "uid": content.uid, "gid": content.gid}


def _loaded(entry: dict) -> Content:
    return Content(bytes.fromhex(entry["data"]), entry["mode"], entry["uid"], entry["gid"])


def prune_secrets(texts: list[str]) -> list[str]:
    """Delete older generations of secrets that no live manifest refers to, so that a rotated secret ends with its last
    user; the releases they were of."""
    pruned = []
    for folder in SECRETS.iterdir() if SECRETS.exists() else ():
        live = Release(folder.name).generation  # a later one is on its way in, or failed
        for generation in sorted(g for d in folder.iterdir() if (g := int(d.name)) < live):
            reference = re.compile(rf"{re.escape(str(folder))}/{generation}(?!\d)")
            if not any(map(reference.search, texts)):
                shutil.rmtree(folder / str(generation))
                pruned.append(folder.name)
    return pruned
