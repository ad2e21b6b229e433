"""The backups of this host: their repository, and the record of each."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from gatehouse.output.report import Failure
from gatehouse.output.table import ago, columns, counted, iso, size
from gatehouse.protocol import document
from gatehouse.protocol.answers import BackupPath, Outcome, Overview
from gatehouse.state import repositories
from gatehouse.state.store import STATE, read_private, write_private
from gatehouse.system import safepath, systemd

SETTINGS = Path("/etc/gatehouse/backup.toml")
METRICS = Path("/var/lib/prometheus/node-exporter/gatehouse.prom")
LOCK = "backup"
PROMOTE = "--target-action=promote"  # for pgBackRest: promote the restored cluster instead of leaving it in recovery


@dataclass(frozen=True)
class Settings:
    """The settings file, which components/backup writes."""

    stanza: str  # for pgBackRest
    repository: str  # for display
    full_days: int  # days after which the next backup of PostgreSQL is a full one
    bin: str
    config: str  # postgresql.conf
    data: str
    user: str
    unit: str
    socket_directory: str
    restic: tuple[str, ...]  # the command, without a verb
    restic_environment: tuple[str, ...] = ()  # NAME=VALUE, without secrets

    @property
    def passphrase(self) -> str:
        """The passphrase that should open the repository."""
        return safepath.read(self.restic[self.restic.index("--password-file") + 1]).decode()


class Rows(NamedTuple):
    """The contents of a table, in numbers."""

    number: int
    sum: str  # over the rows in any order; see tables.py


@dataclass(frozen=True)
class Names:
    """Account names by number, as text, since another host may use other numbers."""

    users: dict[str, str]
    groups: dict[str, str]


@dataclass(frozen=True)
class Backup:
    """PostgreSQL as of `point`, and folders as of the same moment. The backups that it depends on are kept as long as
    it is."""

    name: str  # its start time in UTC
    began: float
    marked: float  # when the point was set
    ended: float
    label: str  # assigned by pgBackRest
    point: str  # a restore point in the WAL
    lsn: str  # the position of the point
    exact: bool  # whether `tables` match the point in every database, to the transaction
    tables: dict[str, dict[str, Rows]]  # by database and table
    folders: dict[str, str]  # path by release and name of data
    names: Names
    files: int = 0
    size: int = 0  # bytes, of the folders and of the databases
    added: int = 0  # bytes by which the repository grew
    sums: str = ""  # the method of the sums; empty in records of older programs
    # Databases with activity at the point: their `tables` may be a transaction off.
    moved: list[str] = field(default_factory=list)
    # By release and name of data (in records of older programs by release): number and bytes of the files.
    parts: dict[str, tuple[int, int]] = field(default_factory=dict)
    # By release and name of data: the real location of the folder, and the targets of symlinks in it.
    places: dict[str, list[str]] = field(default_factory=dict)
    # By release or database: data that is not in the backup, or that could not be read, and why.
    incomplete: dict[str, str] = field(default_factory=dict)

    @property
    def options(self) -> tuple[str, ...]:
        """The options with which pgBackRest restores it."""
        return "--type=name", f"--target={self.point}", f"--set={self.label}", PROMOTE


@dataclass(frozen=True)
class Target:
    """The target of a restore."""

    words: str  # for display
    options: tuple[str, ...]  # for pgBackRest
    backup: Backup  # the source of the folders


def settings() -> Settings:
    """Raises Failure if this host keeps no backups."""
    if not SETTINGS.exists():
        once = repositories.places()
        raise Failure(
            "this host keeps no backups: set `gatehouse:backup` in the stack's configuration and run `pulumi up`"
            + (f". It still has the passphrase of {', '.join(once)}" if once else "")
        )
    found = document.read(Settings, SETTINGS.read_text(), newer=True)
    _part_by_repository(found)
    return found


def _part_by_repository(s: Settings) -> None:
    """Older agents kept the records of all repositories in one directory. It becomes the directory of this repository
    if the last backup went there; records of other repositories are read from those again."""
    older, folder = STATE / "backups", repositories.folder(s.repository)
    if (
        older.exists()
        and not folder.exists()
        and json.loads(read_private(older / "last.backup") or "{}").get("repository") == s.repository
    ):
        safepath.make(str(repositories.FOLDER), 0o700)
        safepath.rename(str(older), str(folder))
        write_private(folder / "place", s.repository)


def wrong_passphrase(s: Settings, what: str) -> Failure:
    """The error for a wrong passphrase, in place of output about data that the program could not decrypt."""
    return Failure(
        f"the passphrase on this host does not open the repository of {what} in {s.repository}: it was created "
        "with another one, or it is damaged. Set the one that `pulumi stack output recovery` printed when it was "
        "created: `pulumi config set --secret gatehouse:backupPassphrase`"
    )


def kept(place: str) -> list[Backup]:
    """The backups that a repository had when it was last read, oldest first. Each has a record in a file, and the
    repository has a copy of it."""
    return [read(path.read_text()) for path in sorted(repositories.folder(place).glob("*.json"))]


def read(text: str) -> Backup:
    """Parse the JSON record of a backup."""
    found = document.remembered(Backup, json.loads(text))
    return replace(
        found,
        tables={
            database: {table: Rows(*rows) for table, rows in tables.items()}
            for database, tables in found.tables.items()
        },
        names=document.remembered(Names, json.loads(text)["names"]),
        parts={key: (files, size) for key, (files, size) in found.parts.items()},
    )


def record(place: str, backup: Backup) -> Path:
    path = repositories.folder(place) / f"{backup.name}.json"
    write_private(path, json.dumps(asdict(backup)))
    return path


def forget(place: str, backup: Backup) -> None:
    safepath.remove(f"{repositories.folder(place)}/{backup.name}.json")


def outcome(place: str, kind: str) -> Outcome:
    """The result of the last `backup` to a repository, or the last `drill` or `reading` of it; empty before the
    first."""
    found: Outcome = json.loads(read_private(repositories.folder(place) / f"last.{kind}") or "{}")
    return found


def settle(place: str, kind: str, began: float, ended: float, failed: str | None, backup: str | None = None) -> None:
    good = ended if failed is None else outcome(place, kind).get("good")
    done: Outcome = {"ended": ended, "seconds": ended - began, "failed": failed, "good": good}
    if backup is not None:
        done["backup"] = backup
    write_private(repositories.folder(place) / "place", place)
    write_private(repositories.folder(place) / f"last.{kind}", json.dumps(done))
    publish(place)
    if failed is None and kind != "reading":
        systemd.reset_failed([f"gatehouse-{kind}.service"])  # otherwise shown as failed until the timer's next run


def overview() -> Overview:
    """`gatehouse backups`. Raises Failure if this host keeps no backups."""
    where = settings().repository
    all_of_them, last, drill = kept(where), outcome(where, "backup"), outcome(where, "drill")
    return {
        "healthy": not last.get("failed")
        and not drill.get("failed")
        and bool(all_of_them)
        and not all_of_them[-1].incomplete,
        "repository": where,
        "backups": [
            {
                "name": b.name,
                "marked": iso(b.marked),
                "marked_seconds": b.marked,
                "seconds": b.ended - b.began,
                "kind": kind(b),
                "size": b.size,
                "added": b.added,
                "tables": sum(map(len, b.tables.values())),
                "files": b.files,
                "exact": b.exact,
                "moved": b.moved,
                "incomplete": b.incomplete,
                "paths": paths(b),
            }
            for b in all_of_them
        ],
        "last": last,
        "drill": drill,
        "read": outcome(where, "reading").get("good"),
        "others": {place: len(kept(place)) for place in repositories.places() if place != where},
    }


def paths(backup: Backup) -> dict[str, BackupPath]:
    """The contents of a backup, by release and name of data; empty for a backup by an older program."""
    return {
        key: {
            "path": backup.folders.get(key, places[0]),
            "places": places,
            "files": backup.parts[key][0],
            "size": backup.parts[key][1],
        }
        for key, places in sorted(backup.places.items())
    }


def kind(backup: Backup) -> str:
    return {"F": "full", "D": "differential", "I": "incremental"}[backup.label[-1]]


def lines(found: Overview) -> list[str]:
    rows = [
        [
            b["name"],
            ago(b["marked_seconds"]),
            b["kind"],
            f"{b['seconds']:.0f} s",
            size(b["size"]),
            size(b["added"]),
            str(b["tables"]),
            str(b["files"]),
        ]
        for b in found["backups"]
    ]
    head = ["NAME", "TAKEN", "KIND", "TOOK", "SIZE", "ADDED", "TABLES", "FILES"]
    table = [*columns(head, rows), ""] if rows else []
    if parts := found["backups"][-1]["paths"] if rows else {}:
        rows_of = [[key, str(part["files"]), size(part["size"]), _way(part)] for key, part in parts.items()]
        table += [*columns(["DATA OF THE NEWEST BACKUP", "FILES", "SIZE", "FOLDER"], rows_of), ""]
    others = [
        f"also known: {place}, with {counted(number, 'backup')} when it was last read"
        for place, number in found["others"].items()
    ]
    return [
        *table,
        f"{counted(len(rows), 'backup')} in {found['repository']}, read {ago(found['read'])}",
        *others,
        *complaints(found),
        f"last good drill: {ago(found['drill'].get('good'))}",
    ]


def _way(part: BackupPath) -> str:
    """A folder, and the targets of its symlinks."""
    elsewhere = [place for place in part["places"] if place != part["path"]]
    return " -> ".join([part["path"], *elsewhere[:1]]) + "".join(f", {place}" for place in elsewhere[1:])


def complaints(found: Overview) -> list[str]:
    problems = [] if found["backups"] else ["there is no backup yet: `gatehouse backup` takes one"]
    problems += [
        f"the last {what} failed, {ago(last['ended'])}: {last['failed']}"
        for what, last in (("backup", found["last"]), ("drill", found["drill"]))
        if last.get("failed")
    ]
    problems += [
        f"the newest backup is incomplete: {whose}: {what}"
        for whose, what in (found["backups"][-1]["incomplete"] if found["backups"] else {}).items()
    ]
    return problems


def publish(place: str) -> None:
    """Publish metrics for Prometheus's node exporter, which reads a directory of such files."""
    last, drill = outcome(place, "backup"), outcome(place, "drill")
    values: dict[str, float | None] = {}
    for newest in kept(place)[-1:]:
        values |= {
            "backup_last_good_timestamp_seconds": newest.marked,
            "backup_duration_seconds": newest.ended - newest.began,
            "backup_size_bytes": newest.size,
            "backup_added_bytes": newest.added,
            "backup_incomplete_parts": len(newest.incomplete),
        }
    for kind, done in (("backup", last), ("drill", drill)):
        if done:
            values[f"{kind}_last_failed"] = int(bool(done["failed"]))
    values |= {"drill_last_good_timestamp_seconds": drill.get("good"), "drill_duration_seconds": drill.get("seconds")}
    text = "".join(
        f"# TYPE gatehouse_{name} gauge\ngatehouse_{name} {value}\n"
        for name, value in values.items()
        if value is not None
    )
    if safepath.status(str(METRICS.parent)):  # it may belong to the exporter
        safepath.write(str(METRICS), text.encode(), 0o644, os.geteuid(), os.getegid())
