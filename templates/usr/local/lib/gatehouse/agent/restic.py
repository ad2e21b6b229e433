"""Folders: restic, which keeps each different piece of them once."""

import contextlib
import json
import re
from dataclasses import dataclass

import backups
import commands
import tree
from backups import Settings
from columns import legible
from report import Failure

_INCOMPLETE, _NO_REPOSITORY, _WRONG_PASSPHRASE = 3, 10, 12  # exit statuses of restic's
_FOLDERS, _RECORD = "gatehouse=", "record="  # tags, with the name of a backup
_SAVE = ("backup", "--json", "--quiet", "--host=gatehouse", "--one-file-system")
# An application can have restic wait for ever, at a FIFO that takes a file's place in the right moment, or read without end, in
# a file that is nothing but holes: a time for all that is on the disk, and no more.
_PATIENCE, _SLOWEST, _SLOWEST_FAR = 120, 1 << 20, 64 << 10  # seconds; bytes a second, on this host or over a network
_GRACE = 30  # seconds for restic to give back its lock when it is ended
_COUNTING = 600  # seconds to find out how much that is: there may be millions of files
_CLOSED = """left=$1; while shift; [ $left -gt 0 ]; do mount --bind -o ro,nosymfollow,nodev,nosuid,noexec -- "$1" "$1"; left=$((left - 1)); done; exec "$@\""""


def prepare(s: Settings) -> None:
    status, output = _run(s, "cat", "config")
    if status == 0:
        _unlock(s)
    if status == _NO_REPOSITORY:
        status, output = _run(s, "init")
    if status:
        raise _failure(s, status, output, f"the repository of folders in {s.repository} cannot be used")


def _failure(s: Settings, status: int, output: str, what: str) -> Failure:
    return backups.wrong_passphrase(s, "folders") if status == _WRONG_PASSPHRASE else Failure(f"{what}:\n{commands.indented(output)}")


@dataclass(frozen=True)
class Saved:
    """One release's folders in the repository."""

    files: int
    size: int  # bytes
    added: int  # bytes that the repository grew by
    complaint: str | None  # what is not in there, and why


def save(s: Settings, name: str, paths: list[str]) -> Saved:
    """Copies the folders of one release, for which a backup's name stands. Each release has a snapshot of its own: what is
    wrong with the folders of one, or made so, is not in the way of another's."""
    for path in paths:
        tree.refuse_shared(path)
    taken = _allotted(paths)
    # No container and no account can lead root out of a folder: in there no link is followed, whenever it is put there.
    words = ("unshare", "--mount", "--propagation", "private", "--", "sh", "-ec", _CLOSED, "sh", str(len(paths)), *paths, *_words(s), *_SAVE,
             f"--tag={_FOLDERS}{name}", "--", *paths)
    status, output = commands.run(words, seconds=_enough(s, taken), grace=_GRACE)
    summary, errors = _told(output)
    if status == _WRONG_PASSPHRASE:
        raise _failure(s, status, output, "")
    if summary is None:
        lines = output.strip().splitlines() or [f"restic ended with status {status}"]
        raise Failure(legible(lines[0 if status == commands.LATE else -1]))
    # A file that went while its folder was read is no file of that moment's. Its name is the application's, the end is not.
    errors = [error for error in errors if not error.endswith(": no such file or directory")]
    complaint = legible(errors[0]) + (f" and {len(errors) - 1} more" if len(errors) > 1 else "") if errors else None
    if status not in (0, _INCOMPLETE):
        complaint = complaint or f"restic ended with status {status}"
    # Of a file with holes as much as is on the disk: a restore makes the holes again.
    return Saved(summary["total_files_processed"], min(summary["total_bytes_processed"], taken), summary["data_added_packed"], complaint)


def save_record(s: Settings, name: str, path: str) -> None:
    """The file that says what a backup has, which is known only once all else is saved."""
    status, output = _run(s, *_SAVE, f"--tag={_RECORD}{name}", "--", path)
    if status:
        raise _failure(s, status, output, "the record of the backup could not be copied")


def _told(output: str) -> tuple[dict | None, list[str]]:
    """The summary, which comes last, and each error. A line may also be of a warning that has a name in it."""
    said = []
    for line in output.split("\n"):  # names may hold what else ends a line
        with contextlib.suppress(ValueError, RecursionError):
            said += [one for one in [json.loads(line)] if isinstance(one, dict)]
    return (next((one for one in reversed(said) if one.get("message_type") == "summary" and "snapshot_id" in one), None),
            [str(one["error"].get("message")) for one in said if one.get("message_type") == "error" and isinstance(one.get("error"), dict)])


def _allotted(paths: list[str]) -> int:
    """Bytes on the disk. Its last line is the sum: those before may hold names that an application chose."""
    status, output = commands.run(("du", "--summarize", "--total", "--one-file-system", "--block-size=1", "--", *paths), seconds=_COUNTING)
    found = re.fullmatch(r"(\d+)\ttotal", output.splitlines()[-1] if output else "")
    if not found:
        raise Failure(f"its size could not be found out within {_COUNTING} s: {legible(output)}")
    return int(found[1])


def folders(s: Settings) -> dict[str, list[dict]]:
    """What restic knows of the copies of folders, by the backup's name: a snapshot for each release, or one for all of
    them in a backup of an older program."""
    return contents(s)[0]


def contents(s: Settings) -> tuple[dict[str, list[dict]], dict[str, dict]]:
    """The snapshots of folders, and that of the record, by the backup's name."""
    found, records = {}, {}
    for one, tag in _listed(s):
        if tag.startswith(_FOLDERS):
            found.setdefault(tag.removeprefix(_FOLDERS), []).append(one)
        elif tag.startswith(_RECORD):
            records[tag.removeprefix(_RECORD)] = one
    return found, records


def _listed(s: Settings) -> list[tuple[dict, str]]:
    """Every snapshot in the repository, with each of its tags."""
    status, output = _run(s, "snapshots", "--json", "--quiet")
    if status:
        raise _failure(s, status, output, f"the repository of folders in {s.repository} cannot be read")
    return [(one, tag) for one in json.loads(commands.line(output, "[")) for tag in one.get("tags") or ()]


def keep(s: Settings, names: set[str]) -> None:
    """All but these is deleted."""
    wanted = {f"{prefix}{name}" for prefix in (_FOLDERS, _RECORD) for name in names}
    old = [one["id"] for one, tag in _listed(s) if tag.startswith((_FOLDERS, _RECORD)) and tag not in wanted]
    if old:
        _unlock(s)
        status, output = _run(s, "forget", "--prune", "--quiet", *old)
        if status:
            raise _failure(s, status, output, "old copies of folders could not be deleted")


def _unlock(s: Settings) -> None:
    """A run that was ended, or a host that lost its power, leaves a lock, which restic itself takes away if it is stale."""
    _run(s, "unlock", "--quiet")


def restore(s: Settings, snapshots: list[dict], path: str, below: str) -> None:
    """One folder of a backup, to where it was but `below` another; read back and compared with what was saved."""
    snapshot = next((one for one in snapshots if any(path == top or path.startswith(f"{top}/") for top in one["paths"])), None)
    if snapshot is None:
        raise Failure(f"{path} is not in the backup")
    _restore(s, snapshot, f"--include={path}", f"--target={below}", seconds=commands.LONG)


def restore_all(s: Settings, snapshot: dict, below: str, size: int) -> None:
    """The folders of a release, of which `size` bytes lie on a disk."""
    _restore(s, snapshot, f"--target={below}", seconds=_enough(s, size))


def _restore(s: Settings, snapshot: dict, *words: str, seconds: float) -> None:
    status, output = _run(s, "restore", snapshot["id"], *words, "--sparse", "--verify", "--quiet", seconds=seconds)
    if status:
        raise _failure(s, status, output, f"{', '.join(snapshot['paths'])} cannot be restored")


def record(s: Settings, snapshot: dict) -> str:
    """The file that `save_record` put there."""
    path = snapshot["paths"][0]
    status, output = _run(s, "dump", "--quiet", snapshot["id"], path)
    if status:
        raise _failure(s, status, output, f"{path} is not in the backup")
    return commands.line(output, "{")


def _enough(s: Settings, size: int) -> float:
    return min(commands.LONG, _PATIENCE + size / (_SLOWEST if s.repository.startswith("/") else _SLOWEST_FAR))


def _run(s: Settings, *words: str, seconds: float = commands.LONG) -> tuple[int, str]:
    return commands.run((*_words(s), *words), seconds=seconds, grace=_GRACE)


def _words(s: Settings) -> tuple[str, ...]:
    return (*(("env", *s.restic_environment) if s.restic_environment else ()), *s.restic)
