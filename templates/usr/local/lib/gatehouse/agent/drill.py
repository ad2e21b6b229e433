"""`gatehouse drill`: the newest backup restored to folders of its own, and compared with what it recorded."""

import contextlib
import os
import time
from concurrent.futures import ThreadPoolExecutor

import backups
import catalogue
import cluster
import commands
import parts
import pgbackrest
import restic
import scratch
import store
import tables
import tree
import vault
from backups import LOCK, Backup, Settings
from cluster import Cluster
from columns import legible
from report import Failure, masked, say
from store import STATE

_AT_ONCE = 4  # databases that are looked at
_PATIENCE, _SLOWEST = 300, 4 << 20  # for an index of the application's: seconds, and bytes of its database a second


def drill(name: str | None = None) -> dict:
    """Of the newest backup, or another one."""
    began = time.time()
    vault.learn_all()
    s = backups.settings()
    with store.lock(LOCK, "a drill", commands.LONG):
        try:
            found = _drill(s, _chosen(s, name))
        except Exception as error:
            backups.settle(s.repository, "drill", began, time.time(), masked(str(error)))
            raise
        backups.settle(s.repository, "drill", began, time.time(), None, backup=found["backup"])
    return found | {"seconds": round(time.time() - began, 1)}


def _chosen(s: Settings, name: str | None) -> Backup:
    found = [backup for backup in catalogue.read(s) if name in (None, backup.name)]
    if not found:
        raise Failure(f"there is no backup {name or 'yet'}; `gatehouse backups` lists them")
    return found[-1]


def _drill(s: Settings, backup: Backup) -> dict:
    pgbackrest.refuse_another_major(s, backup.label)
    data, shelf = f"{s.data}.drill", str(STATE / "drill")
    _clean(data, shelf)
    for folder in (os.path.dirname(data), os.path.dirname(shelf)):
        scratch.refuse_without_room(folder, backup.size)
    try:
        say(f"restore PostgreSQL of backup {backup.name}")
        pgbackrest.restore(s, data, backup.options)
        with cluster.private(s, data, durable=False) as server:
            rows, faults = _look_at_databases(backup, server)
        cluster.verify_pages(s, data)
        files = _look_at_folders(s, backup, shelf, faults)
    finally:
        with contextlib.suppress(Failure):  # what is left is removed, or named, by the next drill
            _clean(data, shelf)
    if faults:
        raise Failure("restored, but not with what was there: " + "; ".join(faults))
    say(f"backup {backup.name} can be restored")
    return {"backup": backup.name, "tables": sum(map(len, backup.tables.values())), "rows": rows, "files": files, "exact": backup.exact,
            "moved": backup.moved, "compared": backup.sums == tables.KIND, "incomplete": backup.incomplete}


def _look_at_databases(backup: Backup, server: Cluster) -> tuple[int, list[str]]:
    """Each by itself: the number of rows of all, and what is wrong with which."""
    if backup.sums != tables.KIND:
        say("an older program took the backup and summed its tables up in another way: their rows are counted")
    there = server.databases()
    faults = [f"database {legible(name)} is not there" for name in sorted(backup.tables.keys() - there)]
    server.ask("UPDATE pg_database SET datallowconn = true WHERE datname <> 'template0'")  # only the drill reaches this server
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda name: _look_at(backup, server, name), there))
    for name, (_, fault) in zip(there, found):
        faults += [f"{legible(name)}: {fault}"] if fault else []
    return sum(rows for rows, _ in found), faults


def _look_at(backup: Backup, server: Cluster, database: str) -> tuple[int, str | None]:
    """The number of rows of a database; what differs from the record, or is damaged."""
    sessions, without = cluster.opened(server, [database])
    if without:
        return 0, without[database]
    with cluster.closing(sessions):
        [session] = sessions
        size = int(session.ask("SELECT pg_database_size(current_database())"))
        session.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        found, unread = tables.read(session)
    rows = sum(count for count, _ in found.values())
    if unread:
        return rows, unread
    if differing := _differing(backup, database, found):
        return rows, ", ".join(legible(table, 100) for table in differing[:20])
    return rows, _amcheck(server, database, size)


def _differing(backup: Backup, database: str, found: dict) -> list[str]:
    """Tables that are not what was recorded, as far as it was."""
    if database not in backup.tables:
        return []
    recorded = backup.tables[database]
    moved = not backup.exact and not backup.moved or database in backup.moved
    if backup.sums != tables.KIND or moved:
        return []
    # A record that is incomplete does not say which tables there were.
    names = recorded.keys() if f"database {legible(database)}" in backup.incomplete else recorded.keys() | found.keys()
    return sorted(table for table in names if found.get(table) != recorded.get(table))


def _amcheck(server: Cluster, database: str, size: int) -> str | None:
    """An index may be one over a function of the application's: PostgreSQL calls it as the owner of the table, and it may
    take its time."""
    seconds = min(commands.LONG, _PATIENCE + size / _SLOWEST)
    words = server.command("pg_amcheck", "--install-missing", "--heapallindexed", "--no-strict-names", cluster.named(database))
    status, output = commands.run(words, server.settings.user, seconds=seconds)
    return f"pg_amcheck: {legible(output)}" if status else None


def _look_at_folders(s: Settings, backup: Backup, shelf: str, faults: list[str]) -> int:
    """The number of files; faults are added to those of the databases."""
    snapshots = restic.folders(s).get(backup.name)
    if snapshots is None:
        raise Failure(f"the folders of backup {backup.name} are not in {s.repository}")
    say(f"restore {len(backup.folders)} folders, and read each file back")
    whose = {path: name.partition("/")[0] for name, path in backup.folders.items()}
    total = 0
    for snapshot in snapshots:
        release = whose.get(snapshot["paths"][0], parts.OURS)
        wanted, size = backup.parts.get(release, (backup.files, backup.size))
        into = f"{shelf}/{snapshot['id']}"
        tree.make(into, 0o700)
        try:
            restic.restore_all(s, snapshot, into, size)
            files = _plain_files(into)
            faults += [f"{release}: {files} files and not {wanted}"] if files != wanted and release not in backup.incomplete else []
            total += files
        except Failure as failure:
            faults.append(f"{release}: {failure}")
        tree.remove_tree(into)
    return total


def _plain_files(folder: str) -> int:
    """What restic counts."""
    status, output = commands.run(("find", folder, "-type", "f", "-printf", "x"), seconds=commands.LONG)
    return output.count("x")


def _clean(data: str, shelf: str) -> None:
    for folder in (data, shelf):
        tree.remove_tree(folder)


def lines(found: dict) -> list[str]:
    compared = "compared with what was recorded" if found["compared"] and found["exact"] else "counted"
    told = [f"backup {found['backup']} can be restored: {found['rows']} rows in {found['tables']} tables {compared}, {found['files']} files, in {found['seconds']:.0f} s"]
    if found["moved"]:
        told.append(f"compared but for these, in which something ran all the time when it was taken: {', '.join(map(legible, found['moved']))}")
    return [*told, *(f"incomplete: {whose}: {what}" for whose, what in found["incomplete"].items())]
