"""`gatehouse drill`: restores the newest backup to separate directories and compares it with its record."""

import contextlib
import os
import time
from concurrent.futures import ThreadPoolExecutor

from gatehouse.backup import catalog, folders, inventory, parts, pgbackrest, postgres, restic, tables
from gatehouse.backup.inventory import LOCK, Backup, Rows, Settings
from gatehouse.backup.postgres import Cluster
from gatehouse.output.report import Failure, masked, say
from gatehouse.output.table import counted, legible
from gatehouse.protocol.answers import DrillAnswer
from gatehouse.state import secrets, store, workspace
from gatehouse.state.store import STATE
from gatehouse.system import process, safepath

_AT_ONCE = 4  # databases checked in parallel
_PATIENCE, _SLOWEST = 300, 4 << 20  # time limit of pg_amcheck: seconds, plus one for this many bytes


def drill(name: str | None = None) -> DrillAnswer:
    """Drill the newest backup, or another one. Raises Failure if it cannot be restored or differs from its record."""
    began = time.time()
    secrets.learn_all()
    s = inventory.settings()
    with store.lock(LOCK, "a drill", process.LONG):
        try:
            found = _drill(s, _chosen(s, name), began)
        except Exception as error:
            inventory.settle(s.repository, "drill", began, time.time(), masked(str(error)))
            raise
        inventory.settle(s.repository, "drill", began, time.time(), None, backup=found["backup"])
    return found


def _chosen(s: Settings, name: str | None) -> Backup:
    found = [backup for backup in catalog.read(s) if name in (None, backup.name)]
    if not found:
        raise Failure(f"there is no backup {name or 'yet'}; `gatehouse backups` lists them")
    return found[-1]


def _drill(s: Settings, backup: Backup, began: float) -> DrillAnswer:
    pgbackrest.refuse_another_major(s, backup.label)
    data, shelf = f"{s.data}.drill", str(STATE / "drill")
    _clean(data, shelf)
    for folder in (os.path.dirname(data), os.path.dirname(shelf)):
        workspace.refuse_without_room(folder, backup.size)
    try:
        say(f"restore PostgreSQL of backup {backup.name}")
        pgbackrest.restore(s, data, backup.options)
        with postgres.private(s, data, durable=False) as server:
            rows, faults = _look_at_databases(backup, server)
        postgres.verify_pages(s, data)
        files = _look_at_folders(s, backup, shelf, faults)
    finally:
        with contextlib.suppress(Failure):  # leftovers are removed, or reported, by the next drill
            _clean(data, shelf)
    if faults:
        raise Failure("restored, but the contents differ from the backup's record: " + "; ".join(faults))
    say(f"backup {backup.name} can be restored{_but_for(backup.incomplete)}")
    return {
        "backup": backup.name,
        "tables": sum(map(len, backup.tables.values())),
        "rows": rows,
        "files": files,
        "exact": backup.exact,
        "moved": backup.moved,
        "compared": backup.sums == tables.KIND,
        "incomplete": backup.incomplete,
        "seconds": round(time.time() - began, 1),
    }


def _look_at_databases(backup: Backup, server: Cluster) -> tuple[int, list[str]]:
    """Check each database. Returns the number of rows in all of them, and the faults."""
    if backup.sums != tables.KIND:
        say("an older version of gatehouse took the backup with other checksums: only rows are counted")
    there = server.databases()
    faults = [f"database {legible(name)} is missing" for name in sorted(backup.tables.keys() - there)]
    # Only the drill can reach this server.
    server.ask("UPDATE pg_database SET datallowconn = true WHERE datname <> 'template0'")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda name: _look_at(backup, server, name), there))
    for name, (_, fault) in zip(there, found, strict=True):
        faults += [f"{legible(name)}: {fault}"] if fault else []
    return sum(rows for rows, _ in found), faults


def _look_at(backup: Backup, server: Cluster, database: str) -> tuple[int, str | None]:
    """The number of rows in a database; its differences from the record, or damage."""
    sessions, without = postgres.opened(server, [database])
    if without:
        return 0, without[database]
    with postgres.closing(sessions):
        [session] = sessions
        size = int(session.ask("SELECT pg_database_size(current_database())"))
        session.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        found, unread = tables.read(session)
    rows = sum(table.number for table in found.values())
    if unread:
        return rows, unread
    if differing := _differing(backup, database, found):
        return rows, ", ".join(legible(table, 100) for table in differing[:20])
    return rows, _amcheck(server, database, size)


def _differing(backup: Backup, database: str, found: dict[str, Rows]) -> list[str]:
    """The tables that differ from the record, as far as the record is complete and comparable."""
    if database not in backup.tables:
        return []
    recorded = backup.tables[database]
    moved = (not backup.exact and not backup.moved) or database in backup.moved
    if backup.sums != tables.KIND or moved:
        return []
    # An incomplete record does not list all tables that existed.
    names = recorded.keys() if f"database {legible(database)}" in backup.incomplete else recorded.keys() | found.keys()
    return sorted(table for table in names if found.get(table) != recorded.get(table))


def _amcheck(server: Cluster, database: str, size: int) -> str | None:
    """Run with a time limit: an index may use a function of the application, which PostgreSQL calls as the owner of the
    table and which may be slow."""
    seconds = min(process.LONG, _PATIENCE + size / _SLOWEST)
    words = server.command(
        "pg_amcheck", "--install-missing", "--heapallindexed", "--no-strict-names", postgres.named(database)
    )
    status, output = process.run(words, server.settings.user, seconds=seconds)
    return f"pg_amcheck: {legible(output)}" if status else None


def _look_at_folders(s: Settings, backup: Backup, shelf: str, faults: list[str]) -> int:
    """Check the restored folders. Returns the number of files, and adds to the list of faults."""
    snapshots = restic.snapshots(s, backup.name)
    say(f"restore {len(backup.folders)} folders, and read each file")
    lying = {name: [path] for name, path in backup.folders.items()} | backup.places
    whose = {place: name for name, places in lying.items() for place in places}
    restored = {}
    for snapshot in snapshots:
        name = whose.get(snapshot["paths"][0], parts.OURS)
        wanted, size = backup.parts.get(name) or backup.parts.get(name.partition("/")[0]) or (backup.files, backup.size)
        into = f"{shelf}/{snapshot['id']}"
        safepath.make(into, 0o700)
        try:
            restic.restore_all(s, snapshot, into, size)
            for each in {whose.get(path, name) for path in snapshot["paths"]}:
                there = [into + place for place in lying.get(each, snapshot["paths"])]
                restored[each] = folders.look([place for place in there if safepath.status(place)])
            files = folders.look([into]).files
            faults += (
                [f"{name}: {files} files instead of {wanted}"]
                if files != wanted and name.partition("/")[0] not in backup.incomplete
                else []
            )
        except Failure as failure:
            faults.append(f"{name}: {failure}")
        safepath.remove_tree(into)
    faults += _gaps(backup, restored)
    return sum(amount.files for amount in restored.values())


def _gaps(backup: Backup, restored: dict[str, folders.Amount]) -> list[str]:
    """Live files that existed before the backup and are unchanged since must be in the backup."""
    found = []
    for name, path in parts.paths().items():
        release = name.partition("/")[0]
        # A release that has changed since may have declared another folder as its data.
        if release in backup.incomplete or (
            name not in restored and (store.Release(release).applied() or 0) > backup.marked
        ):
            continue
        try:
            live = (
                folders.look(folders.places(path), until=backup.marked) if safepath.status(path) else folders.Amount()
            )
        except (Failure, OSError) as error:
            found.append(f"{name}: {error}")
            continue
        there = restored.get(name, folders.Amount())
        if there.files < live.files or there.size < live.size:
            found.append(
                f"{name}: restored {counted(there.files, 'file')} with {counted(there.size, 'byte')}, but {path} had "
                f"{counted(live.files, 'file')} with {counted(live.size, 'byte')} when the backup was taken"
            )
    return found


def _clean(data: str, shelf: str) -> None:
    for folder in (data, shelf):
        safepath.remove_tree(folder)


def _but_for(incomplete: dict[str, str]) -> str:
    """Lists the releases and databases that the backup lacks in part, since a drill cannot restore those parts."""
    return f", except what it lacks of {', '.join(sorted(incomplete))}" if incomplete else ""


def lines(found: DrillAnswer) -> list[str]:
    compared = "compared with the recorded contents" if found["compared"] and found["exact"] else "counted"
    text = [
        f"backup {found['backup']} can be restored{_but_for(found['incomplete'])}: {found['rows']} rows in "
        f"{found['tables']} tables {compared}, {found['files']} files, in {found['seconds']:.0f} s"
    ]
    if found["moved"]:
        text.append(
            "compared, except for these databases, which were in use all the time while the backup was taken: "
            f"{', '.join(map(legible, found['moved']))}"
        )
    return [*text, *(f"incomplete: {whose}: {what}" for whose, what in found["incomplete"].items())]
