"""Backups of PostgreSQL with pgBackRest, which copies the cluster's files and keeps all WAL since then."""

import contextlib
import json
import os
import re
import time
from typing import TypedDict

from gatehouse.backup import inventory, postgres
from gatehouse.backup.inventory import Settings
from gatehouse.output.report import Failure, say
from gatehouse.state import workspace
from gatehouse.system import jobs, process, safepath, systemd

_READERS = 8  # in parallel: a restore waits for the repository more than for a processor
_UNREADABLE = 99  # status of a repository, named "other"
_GARBLED = (29, 95)  # exit statuses: decrypted data is invalid, or nothing could be decrypted
_GARBLED_NAMES = ("[FormatError]", "[CryptoError]")  # the same errors in the status message of a repository


class _OfCluster(TypedDict):
    id: int


class _Times(TypedDict):
    start: int
    stop: int


class _Delta(TypedDict):
    delta: int  # bytes


class _Sizes(TypedDict):
    size: int  # bytes of the cluster
    repository: _Delta


class Known(TypedDict):
    """A backup as pgBackRest reports it."""

    label: str
    type: str
    database: _OfCluster
    timestamp: _Times
    info: _Sizes
    annotation: dict[str, str] | None  # absent if there is none


class _Version(TypedDict):
    """A cluster that has backups in the repository."""

    id: int
    version: str


class _Status(TypedDict):
    code: int
    message: str


class _Repository(TypedDict):
    status: _Status


class _Stanza(TypedDict):
    name: str
    backup: list[Known]  # oldest first
    db: list[_Version]  # oldest first
    repo: list[_Repository]


def prepare(s: Settings) -> bool:
    """Create the repository for this cluster, and verify that WAL arrives in it. Returns False if it belongs to another
    cluster, as on a new host that has not restored from it yet. Raises Failure if it cannot be used."""
    _show_folder(s)
    status, output = _run(s, "stanza-create", "--log-level-console=info")
    if status and re.search(r"ERROR: \[028\]|does not match", output):
        if not _upgraded(s):
            return False
        say("the cluster was upgraded to another major version: the repository continues with it")
        status, output = _run(s, "stanza-upgrade", "--log-level-console=info")
    if status:
        raise _failure(s, status, output, f"the repository of PostgreSQL in {s.repository} cannot be used")
    check(s)
    return True


def _show_folder(s: Settings) -> None:
    """Restart PostgreSQL if it cannot write to the repository's directory: the unit sees a directory at a new path, or
    on a new disk, only after a restart."""
    folder = f"{s.repository}/postgres"
    if not os.path.isdir(folder):  # the repository is on another host
        return
    seen = f"/proc/{systemd.show([s.unit], 'MainPID')[s.unit]['MainPID']}/root{folder}"
    with contextlib.suppress(FileNotFoundError):
        if os.path.samefile(folder, seen) and not os.statvfs(seen).f_flag & os.ST_RDONLY:
            return
    say(f"restart {s.unit}, which cannot write to {folder} yet")
    jobs.run("restart", [s.unit])


def _upgraded(s: Settings) -> bool:
    """Whether the other cluster in the repository is this one before its upgrade: this host took backups of it, and now
    has another major version. A new host has taken none, and a cluster that was only recreated has the same version."""
    ours = (
        {backup.label for backup in inventory.kept(s.repository)}
        if inventory.outcome(s.repository, "backup").get("good")
        else set()
    )
    found = _stanza(s)
    return any(b["label"] in ours for b in found["backup"]) and found["db"][-1]["version"] != _installed(s)


def refuse_another_major(s: Settings, label: str | None = None) -> None:
    """Raises Failure if a backup was taken with another major version than this host has, since only the same version
    can restore it. Without a label: if all backups were."""
    found, installed = _stanza(s), _installed(s)
    made = {db["id"]: db["version"] for db in found["db"]}
    majors = {made[b["database"]["id"]] for b in found["backup"] if label in (None, b["label"])}
    if majors and installed not in majors:
        what = f"backup {label} is" if label else "all backups are"
        raise Failure(
            f"{what} of PostgreSQL {', '.join(sorted(majors))}, and this host has PostgreSQL {installed}, which cannot "
            "read them; nothing was changed. Restore on a host with that version, and upgrade there "
            "(docs/backup-and-restore.md, Upgrades)"
        )


def _installed(s: Settings) -> str:
    """The installed major version, as pgBackRest writes it."""
    status, output = process.run((f"{s.bin}/postgres", "--version"), s.user)
    found = re.search(r"\d+", output)
    if status or not found:
        raise Failure(f"{s.bin}/postgres does not report its version:\n{process.indented(output)}")
    return found[0]


def check(s: Settings) -> None:
    """Archive the WAL written so far. Raises Failure if it does not arrive."""
    status, output = _run(s, "check")
    if status:
        raise _failure(s, status, output, f"WAL of PostgreSQL does not reach {s.repository}")


def archive_now(s: Settings) -> None:
    """Archive the latest WAL, which the restore may need. Errors are ignored: a broken server has archived all it
    could."""
    say("archive the latest WAL, if there is any")
    with contextlib.suppress(Failure):
        check(s)


def backup(s: Settings, name: str, full: bool) -> Known:
    """Take a backup annotated with `name`, and return pgBackRest's description of it. Raises Failure if it cannot be
    taken."""
    status, output = _run(s, f"--type={'full' if full else 'diff'}", f"--annotation=gatehouse={name}", "backup")
    if status:
        raise _failure(s, status, output, "PostgreSQL could not be backed up")
    return next(b for b in reversed(known(s)) if name_of(b) == name)


def name_of(known: Known) -> str | None:
    """The name passed to `backup`, or None if the backup was not created by gatehouse."""
    return (known.get("annotation") or {}).get("gatehouse")


def known(s: Settings) -> list[Known]:
    """All backups in the repository, oldest first. Raises Failure if it cannot be read."""
    return _stanza(s)["backup"]


def _stanza(s: Settings) -> _Stanza:
    """The backups, and the clusters that they belong to."""
    status, output = _run(s, "--output=json", "info")
    unreadable = f"the repository of PostgreSQL in {s.repository} cannot be read"
    if status:
        raise _failure(s, status, output, unreadable)
    try:
        stanzas: list[_Stanza] = json.loads(process.line(output, "["))
    # With a wrong passphrase the output contains undecryptable bytes, which may be invalid JSON.
    except ValueError:
        raise inventory.wrong_passphrase(s, "PostgreSQL") from None
    none: _Stanza = {"name": s.stanza, "backup": [], "db": [], "repo": []}
    found = next((stanza for stanza in stanzas if stanza["name"] == s.stanza), none)
    # pgBackRest exits with 0 and reports no backups if a repository is unreachable, which must not look like an empty
    # one.
    for repository in found["repo"]:
        if repository["status"]["code"] == _UNREADABLE:
            message = repository["status"]["message"]
            raise _failure(s, _GARBLED[0] if message.startswith(_GARBLED_NAMES) else _UNREADABLE, message, unreadable)
    return found


def _failure(s: Settings, status: int, output: str, what: str) -> Failure:
    return (
        inventory.wrong_passphrase(s, "PostgreSQL")
        if status in _GARBLED
        else Failure(f"{what}:\n{process.indented(output)}")
    )


def first_is_due(s: Settings) -> bool:
    return not _fulls(s)


def full_is_due(s: Settings) -> bool:
    fulls = _fulls(s)
    return not fulls or time.time() - fulls[-1] > s.full_days * 86400 - 43200  # half a day early: timers have delays


def _fulls(s: Settings) -> list[int]:
    """The times of full backups. Those before an upgrade are left out: later backups cannot depend on them."""
    found = _stanza(s)
    return [
        b["timestamp"]["stop"]
        for b in found["backup"]
        if b["type"] == "full" and b["database"]["id"] == found["db"][-1]["id"]
    ]


def restore(s: Settings, into: str, target: tuple[str, ...]) -> None:
    """Restore the cluster as of `target` (options of pgBackRest) into a new directory. PostgreSQL replays WAL up to
    that target when it is first started.

    Raises Failure if that cannot be restored."""
    workspace.give(into, s.user)
    # Recover along the backup's own timeline; a newer timeline may come from a restore that was later undone.
    words = (f"--pg1-path={into}", f"--process-max={_READERS}", *target, "--target-timeline=current", "restore")
    status, output, there = *_run(s, *words), -1
    # Over SFTP each reader leaves a handle open for every file, and a server allows it about a thousand. A new reader
    # continues with the missing files, as long as there is progress.
    while status and "sftp error [4]" in output and (now := safepath.count(into)) > there:
        there = now
        say(f"the SFTP server has no handles left for this reader: {there} files are restored, continue with a new one")
        status, output = _run(s, "--delta", *words)
    if status:
        raise _failure(s, status, output, "PostgreSQL cannot be restored")


def _run(s: Settings, *words: str) -> tuple[int, str]:
    return process.run(
        ("env", f"PGOPTIONS={postgres.PLAIN}", "pgbackrest", f"--stanza={s.stanza}", *words),
        s.user,
        seconds=process.LONG,
    )
