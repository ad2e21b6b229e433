"""The backups of this host: where they go, which there are, and what is known of each."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import document
import tree
import units
from columns import ago, columns, counted, iso, size
from report import Failure
from store import STATE, read_private, write_private

SETTINGS = Path("/etc/gatehouse/backup.toml")
METRICS = Path("/var/lib/prometheus/node-exporter/gatehouse.prom")
RECORDS = STATE / "backups"  # one file per backup, which lies in the backup as well
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
    tables: dict  # by database and table: number of rows, and a sum over their contents
    folders: dict  # path by release and name of data
    names: dict  # "users" and "groups": the name of each number, since another host may have given it to somebody else
    files: int = 0
    size: int = 0  # bytes, of the folders and of the databases
    added: int = 0  # bytes that the repository grew by
    sums: str = ""  # how the sums were made; empty: as older programs did
    moved: list = field(default_factory=list)  # databases in which something ran at the point: `tables` may be a transaction off
    parts: dict = field(default_factory=dict)  # by release: number and bytes of its files
    incomplete: dict = field(default_factory=dict)  # by whose it is: what is not in the backup, or could not be looked at

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
    if not SETTINGS.exists():
        raise Failure("this host keeps no backups: set `gatehouse:backup` in the stack's configuration and run `pulumi up`")
    return document.read(Settings, SETTINGS.read_text(), newer=True)


def kept() -> list[Backup]:
    """Those that this host knows of, oldest first."""
    return [read(path.read_text()) for path in sorted(RECORDS.glob("*.json"))] if RECORDS.exists() else []


def read(text: str) -> Backup:
    return Backup(**{key: value for key, value in json.loads(text).items() if key in Backup.__dataclass_fields__})


def record(backup: Backup) -> Path:
    path = RECORDS / f"{backup.name}.json"
    write_private(path, json.dumps(asdict(backup)))
    return path


def forget(backup: Backup) -> None:
    tree.remove(f"{RECORDS}/{backup.name}.json")


def outcome(kind: str) -> dict:
    """How the last `backup` or `drill` ended: when, how long it took, and what failed; when one was good, and the
    `repository` of the last good backup. Empty before the first."""
    return json.loads(read_private(RECORDS / f"last.{kind}") or "{}")


def settle(kind: str, began: float, ended: float, failed: str | None, **more) -> None:
    before = outcome(kind)
    lasting = {"good": ended if failed is None else before.get("good"), "repository": before.get("repository")}
    write_private(RECORDS / f"last.{kind}", json.dumps({"ended": ended, "seconds": ended - began, "failed": failed, **lasting, **more}))
    publish()
    if failed is None:
        units.reset_failed([f"gatehouse-{kind}.service"])  # else systemd remembers until the timer's next run


def overview() -> dict:
    """`gatehouse backups`."""
    where, all_of_them = settings().repository, kept()
    last, drill = outcome("backup"), outcome("drill")
    return {
        "well": not last.get("failed") and not drill.get("failed") and bool(all_of_them) and not all_of_them[-1].incomplete,
        "repository": where,
        "backups": [{"name": b.name, "marked": iso(b.marked), "marked_seconds": b.marked, "seconds": b.ended - b.began, "kind": kind(b), "size": b.size,
                     "added": b.added, "tables": sum(map(len, b.tables.values())), "files": b.files, "exact": b.exact, "moved": b.moved,
                     "incomplete": b.incomplete} for b in all_of_them],
        "last": last, "drill": drill,
    }


def kind(backup: Backup) -> str:
    return {"F": "full", "D": "differential", "I": "incremental"}[backup.label[-1]]


def lines(found: dict) -> list[str]:
    rows = [[b["name"], ago(b["marked_seconds"]), b["kind"], f"{b['seconds']:.0f} s", size(b["size"]), size(b["added"]), str(b["tables"]), str(b["files"])]
            for b in found["backups"]]
    head = ["NAME", "TAKEN", "KIND", "TOOK", "SIZE", "ADDED", "TABLES", "FILES"]
    table = [*columns(head, rows), ""] if rows else []
    return [*table, f"{counted(len(rows), 'backup')} in {found['repository']}", *complaints(found), f"last good drill: {ago(found['drill'].get('good'))}"]


def complaints(found: dict) -> list[str]:
    told = [] if found["backups"] else ["there is no backup yet: `gatehouse backup` takes one"]
    told += [f"the last {what} failed, {ago(found[key]['ended'])}: {found[key]['failed']}" for key, what in (("last", "backup"), ("drill", "drill"))
             if found[key].get("failed")]
    told += [f"the newest backup is incomplete: {whose}: {what}" for whose, what in (found["backups"][-1]["incomplete"] if found["backups"] else {}).items()]
    return told


def publish() -> None:
    """For Prometheus' node exporter, which reads a folder of such files."""
    newest, last, drill = (kept() or [None])[-1], outcome("backup"), outcome("drill")
    values = {
        "backup_last_good_timestamp_seconds": newest and newest.marked,
        "backup_last_failed": last and int(bool(last["failed"])),
        "backup_duration_seconds": newest and newest.ended - newest.began,
        "backup_size_bytes": newest and newest.size,
        "backup_added_bytes": newest and newest.added,
        "backup_incomplete_parts": newest and len(newest.incomplete),
        "drill_last_good_timestamp_seconds": drill.get("good"),
        "drill_last_failed": drill and int(bool(drill["failed"])),
        "drill_duration_seconds": drill.get("seconds"),
    }
    text = "".join(f"# TYPE gatehouse_{name} gauge\ngatehouse_{name} {value}\n" for name, value in values.items() if value not in (None, {}))
    if tree.status(str(METRICS.parent)):  # which may be the exporter's own
        tree.write(str(METRICS), text.encode(), 0o644, os.geteuid(), os.getegid())
