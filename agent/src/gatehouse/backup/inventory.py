"""The backups of this host: where they go, which there are, and what is known of each."""

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
PROMOTE = "--target-action=promote"  # of pgBackRest's: what was restored is no copy that waits for more


@dataclass(frozen=True)
class Settings:
    """As components/backup writes them."""

    stanza: str  # of pgBackRest's
    repository: str  # for people
    full_days: int  # after which a backup of PostgreSQL is a full one again
    bin: str
    config: str  # postgresql.conf
    data: str
    user: str
    unit: str
    socket_directory: str
    restic: tuple[str, ...]  # the command, without a verb
    restic_environment: tuple[str, ...] = ()  # NAME=VALUE, none of it secret

    @property
    def passphrase(self) -> str:
        """What is to open the repository."""
        return safepath.read(self.restic[self.restic.index("--password-file") + 1]).decode()


class Rows(NamedTuple):
    """A table's content, in numbers."""

    number: int
    sum: str  # over the rows, in whatever order; tables.py


@dataclass(frozen=True)
class Names:
    """By number, as text: another host may have given it to another account."""

    users: dict[str, str]
    groups: dict[str, str]


@dataclass(frozen=True)
class Backup:
    """PostgreSQL up to `point`, and folders as they were right then. What it stands on is kept as long as it is."""

    name: str  # when it was begun, in UTC
    began: float
    marked: float  # when the point was set
    ended: float
    label: str  # of pgBackRest's
    point: str  # a restore point in the WAL
    lsn: str  # where that is
    exact: bool  # whether `tables` are those of the point in every database, without a transaction more or less
    tables: dict[str, dict[str, Rows]]  # by database and table
    folders: dict[str, str]  # path by release and name of data
    names: Names
    files: int = 0
    size: int = 0  # bytes, of the folders and of the databases
    added: int = 0  # bytes that the repository grew by
    sums: str = ""  # how the sums were made; empty: as older programs did
    # Databases in which something ran at the point: `tables` may be a transaction off.
    moved: list[str] = field(default_factory=list)
    # By release and name of data, of older programs by release: number and bytes of its files.
    parts: dict[str, tuple[int, int]] = field(default_factory=dict)
    # By release and name of data: where the folder is in truth, and those that links in it lead to.
    places: dict[str, list[str]] = field(default_factory=dict)
    # By whose it is: what is not in the backup, or could not be looked at.
    incomplete: dict[str, str] = field(default_factory=dict)

    @property
    def options(self) -> tuple[str, ...]:
        """What pgBackRest is told to restore it."""
        return "--type=name", f"--target={self.point}", f"--set={self.label}", PROMOTE


@dataclass(frozen=True)
class Target:
    """What to restore."""

    words: str  # for people
    options: tuple[str, ...]  # of pgBackRest
    backup: Backup  # whose folders are taken


def settings() -> Settings:
    """Raises Failure where this host keeps no backups."""
    if not SETTINGS.exists():
        once = repositories.places()
        raise Failure(
            "this host keeps no backups: set `gatehouse:backup` in the stack's configuration and run `pulumi up`"
            + (f". It still has what opens {', '.join(once)}" if once else "")
        )
    found = document.read(Settings, SETTINGS.read_text(), newer=True)
    _part_by_repository(found)
    return found


def _part_by_repository(s: Settings) -> None:
    """Older agents had the records of all repositories in one folder. Records of other repositories are read from those
    again."""
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
    """Whatever else the program that failed had to say of what it could not decrypt."""
    return Failure(
        f"the passphrase on this host does not open the repository of {what} in {s.repository}: it was made with "
        "another one, or it is damaged. `pulumi config set --secret gatehouse:backupPassphrase` gives the one that "
        "`pulumi stack output recovery` told when it was made"
    )


def kept(place: str) -> list[Backup]:
    """The backups that were in a repository when it was read last, oldest first. Each has a record in a file, of which
    the repository has a copy."""
    return [read(path.read_text()) for path in sorted(repositories.folder(place).glob("*.json"))]


def read(text: str) -> Backup:
    """A backup from its record in JSON."""
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
    """How the last `backup` into a repository, the last `drill` or `reading` of it ended. Empty before the first."""
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
        systemd.reset_failed([f"gatehouse-{kind}.service"])  # else systemd remembers until the timer's next run


def overview() -> Overview:
    """`gatehouse backups`. Raises Failure where this host keeps no backups."""
    where = settings().repository
    all_of_them, last, drill = kept(where), outcome(where, "backup"), outcome(where, "drill")
    return {
        "well": not last.get("failed")
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
    """What of a backup is in which folder, by release and name of data; empty for a backup by an older program."""
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
        table += [*columns(["DATA OF THE NEWEST", "FILES", "SIZE", "FOLDER"], rows_of), ""]
    others = [
        f"also known: {place}, with {counted(number, 'backup')} when it was read last"
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
    """A folder, and where links lead from it."""
    elsewhere = [place for place in part["places"] if place != part["path"]]
    return " -> ".join([part["path"], *elsewhere[:1]]) + "".join(f", {place}" for place in elsewhere[1:])


def complaints(found: Overview) -> list[str]:
    told = [] if found["backups"] else ["there is no backup yet: `gatehouse backup` takes one"]
    told += [
        f"the last {what} failed, {ago(last['ended'])}: {last['failed']}"
        for what, last in (("backup", found["last"]), ("drill", found["drill"]))
        if last.get("failed")
    ]
    told += [
        f"the newest backup is incomplete: {whose}: {what}"
        for whose, what in (found["backups"][-1]["incomplete"] if found["backups"] else {}).items()
    ]
    return told


def publish(place: str) -> None:
    """For Prometheus' node exporter, which reads a folder of such files."""
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
    if safepath.status(str(METRICS.parent)):  # which may be the exporter's own
        safepath.write(str(METRICS), text.encode(), 0o644, os.geteuid(), os.getegid())
