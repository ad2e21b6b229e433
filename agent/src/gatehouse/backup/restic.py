"""Backups of folders with restic, which stores each distinct chunk of data once."""

import contextlib
import json
from dataclasses import dataclass
from typing import NamedTuple, NotRequired, TypedDict

from gatehouse.backup import folders, inventory
from gatehouse.backup.inventory import Settings
from gatehouse.output.report import Failure
from gatehouse.output.table import legible
from gatehouse.system import process

_INCOMPLETE, _NO_REPOSITORY, _WRONG_PASSPHRASE = 3, 10, 12  # exit statuses of restic
_FOLDERS, _RECORD = "gatehouse=", "record="  # tags, followed by the name of a backup
_SAVE = ("backup", "--json", "--quiet", "--host=gatehouse")
# An application can make restic wait forever, by replacing a file with a FIFO at the right moment, or read endlessly,
# by a sparse file. Therefore the time is limited by the size on disk.
_PATIENCE, _SLOWEST, _SLOWEST_FAR = 120, 1 << 20, 64 << 10  # seconds; bytes per second, locally and over a network
_GRACE = 30  # seconds for restic to release its lock when it is stopped
# Including the mounts below, in one step, so that no symlink can be created between a check and a mount.
_CLOSED = """left=$1; while shift; [ $left -gt 0 ]; do
mount --rbind -o ro=recursive,nosymfollow=recursive,nodev=recursive,nosuid=recursive,noexec=recursive -- "$1" "$1"
left=$((left - 1)); done; exec "$@\""""


class Snapshot(TypedDict):
    """A snapshot as restic lists it."""

    id: str
    paths: list[str]
    tags: NotRequired[list[str] | None]


class Contents(NamedTuple):
    """The snapshots in the repository, by the name of their backup. There is one for each folder; in backups of older
    programs one for each release, or one for all."""

    folders: dict[str, list[Snapshot]]
    records: dict[str, Snapshot]


class _Summary(TypedDict):
    """The summary that restic reports last."""

    total_files_processed: int
    total_bytes_processed: int
    data_added_packed: int


def prepare(s: Settings) -> None:
    """Create the repository if it does not exist. Raises Failure if it cannot be used."""
    status, output = _unlock(s)
    if status == _NO_REPOSITORY:
        status, output = _run(s, "init")
    if status:
        raise _failure(s, status, output, f"the repository of folders in {s.repository} cannot be used")


def _failure(s: Settings, status: int, output: str, what: str) -> Failure:
    return (
        inventory.wrong_passphrase(s, "folders")
        if status == _WRONG_PASSPHRASE
        else Failure(f"{what}:\n{process.indented(output)}")
    )


@dataclass(frozen=True)
class Saved:
    """A data folder of a release, as saved in the repository."""

    places: list[str]
    files: int
    size: int  # bytes
    added: int  # bytes by which the repository grew
    complaint: str | None  # missing data, and why


def save(s: Settings, name: str, path: str) -> Saved:
    """Copy a data folder of a release as part of the backup `name`. Each folder has a snapshot of its own, so that an
    error in one does not affect another.

    Raises Failure if it cannot be copied at all."""
    paths = folders.places(path)
    there = folders.look(paths)
    # No container and no account can lead root out of a folder: symlinks in it are never followed, however late they
    # appear.
    words = (
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "--",
        "sh",
        "-ec",
        _CLOSED,
        "sh",
        str(len(paths)),
        *paths,
        *_words(s),
        *_SAVE,
        f"--tag={_FOLDERS}{name}",
        "--",
        *paths,
    )
    status, output = process.run(words, seconds=_enough(s, there.disk), grace=_GRACE)
    summary, errors = _told(output)
    if status == _WRONG_PASSPHRASE:
        raise _failure(s, status, output, "")
    if summary is None:
        lines = output.strip().splitlines() or [f"restic ended with status {status}"]
        raise Failure(legible(lines[0 if status == process.LATE else -1]))
    # A file that was deleted while its folder was read is not missing. The application chooses its name, but not the
    # end of the message.
    errors = [error for error in errors if not error.endswith(": no such file or directory")]
    complaint = legible(errors[0]) + (f" and {len(errors) - 1} more" if len(errors) > 1 else "") if errors else None
    if status not in (0, _INCOMPLETE):
        complaint = complaint or f"restic ended with status {status}"
    complaint = "; ".join(filter(None, (complaint, folders.complaint(there)))) or None
    # For a sparse file only its size on disk counts: a restore creates the holes again.
    return Saved(
        paths,
        summary["total_files_processed"],
        min(summary["total_bytes_processed"], there.disk),
        summary["data_added_packed"],
        complaint,
    )


def save_record(s: Settings, name: str, path: str) -> None:
    """Save the record of a backup, which is complete only once all else has been saved. Raises Failure if it cannot be
    saved."""
    status, output = _run(s, *_SAVE, f"--tag={_RECORD}{name}", "--", path)
    if status:
        raise _failure(s, status, output, "the record of the backup could not be copied")


def _told(output: str) -> tuple[_Summary | None, list[str]]:
    """The summary, which comes last, and the errors. A line may also be a warning that contains a name."""
    summary: _Summary | None = None
    errors: list[str] = []
    for line in output.split("\n"):  # not splitlines: names may contain other line separators
        with contextlib.suppress(ValueError, RecursionError):
            match found := json.loads(line):
                case {"message_type": "summary", "snapshot_id": _}:
                    summary = found
                case {"message_type": "error", "error": {**error}}:
                    errors.append(str(error.get("message")))
    return summary, errors


def snapshots(s: Settings, name: str) -> list[Snapshot]:
    """The snapshots of the folders in a backup. Raises Failure if there is none."""
    found = contents(s).folders.get(name)
    if found is None:
        raise Failure(f"the folders of backup {name} are not in {s.repository}")
    return found


def contents(s: Settings) -> Contents:
    """What the repository contains. Raises Failure if it cannot be read."""
    return _contents(_listed(s))


def keep(s: Settings, names: set[str]) -> Contents:
    """Delete all snapshots of other backups, and return what remains. Raises Failure if that fails."""
    listed = _listed(s)
    wanted = {f"{prefix}{name}" for prefix in (_FOLDERS, _RECORD) for name in names}
    old = [one["id"] for one, tag in listed if tag.startswith((_FOLDERS, _RECORD)) and tag not in wanted]
    if old:
        _unlock(s)
        status, output = _run(s, "forget", "--prune", "--quiet", *old)
        if status:
            raise _failure(s, status, output, "old copies of folders could not be deleted")
    return _contents([(one, tag) for one, tag in listed if one["id"] not in old])


def _listed(s: Settings) -> list[tuple[Snapshot, str]]:
    """Every snapshot in the repository, with each of its tags."""
    status, output = _run(s, "snapshots", "--json", "--quiet")
    if status:
        raise _failure(s, status, output, f"the repository of folders in {s.repository} cannot be read")
    found: list[Snapshot] = json.loads(process.line(output, "["))
    return [(one, tag) for one in found for tag in one.get("tags") or ()]


def _contents(listed: list[tuple[Snapshot, str]]) -> Contents:
    found = Contents({}, {})
    for one, tag in listed:
        if tag.startswith(_FOLDERS):
            found.folders.setdefault(tag.removeprefix(_FOLDERS), []).append(one)
        elif tag.startswith(_RECORD):
            found.records[tag.removeprefix(_RECORD)] = one
    return found


def _unlock(s: Settings) -> tuple[int, str]:
    """Remove the lock of a run that was killed; restic itself checks that it is stale."""
    return _run(s, "unlock", "--quiet")


def snapshot_with(found: list[Snapshot], path: str) -> Snapshot:
    """The snapshot that contains a folder. Raises Failure if none does."""
    snapshot = next(
        (one for one in found if any(path == top or path.startswith(f"{top}/") for top in one["paths"])), None
    )
    if snapshot is None:
        raise Failure(f"{path} is not in the backup; nothing was changed")
    return snapshot


def restore(s: Settings, snapshot: Snapshot, path: str, below: str) -> None:
    """Restore one folder of a backup to its saved path below `below`, and verify it against the backup."""
    _restore(s, snapshot, f"--include={path}", f"--target={below}", seconds=process.LONG)


def restore_all(s: Settings, snapshot: Snapshot, below: str, size: int) -> None:
    """Restore all folders of a snapshot; `size` is their size on disk in bytes."""
    _restore(s, snapshot, f"--target={below}", seconds=_enough(s, size))


def _restore(s: Settings, snapshot: Snapshot, *words: str, seconds: float) -> None:
    status, output = _run(s, "restore", snapshot["id"], *words, "--sparse", "--verify", "--quiet", seconds=seconds)
    if status:
        raise _failure(s, status, output, f"{', '.join(snapshot['paths'])} cannot be restored")


def record(s: Settings, snapshot: Snapshot) -> str:
    """The record saved by `save_record`. Raises Failure if it cannot be read."""
    path = snapshot["paths"][0]
    status, output = _run(s, "dump", "--quiet", snapshot["id"], path)
    if status:
        raise _failure(s, status, output, f"{path} is not in the backup")
    return process.line(output, "{")


def _enough(s: Settings, size: int) -> float:
    return min(process.LONG, _PATIENCE + size / (_SLOWEST if s.repository.startswith("/") else _SLOWEST_FAR))


def _run(s: Settings, *words: str, seconds: float = process.LONG) -> tuple[int, str]:
    return process.run((*_words(s), *words), seconds=seconds, grace=_GRACE)


def _words(s: Settings) -> tuple[str, ...]:
    return (*(("env", *s.restic_environment) if s.restic_environment else ()), *s.restic)
