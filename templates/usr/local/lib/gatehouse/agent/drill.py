"""`gatehouse drill`: the newest backup restored to folders of its own, and compared with what it recorded."""

import os
import shutil
import time

import backups
import cluster
import commands
import pgbackrest
import restic
import restore
import scratch
import store
import vault
from backups import LOCK, Backup, Settings
from report import Failure, masked, say


def drill(name: str | None = None) -> dict:
    """Of the newest backup, or another one."""
    began = time.time()
    vault.learn_all()
    s = backups.settings()
    with store.lock(LOCK, "a drill", commands.LONG):
        try:
            restore.adopt(s)
            found = _drill(s, _chosen(name))
        except Exception as error:
            backups.settle("drill", began, time.time(), masked(str(error)))
            raise
        backups.settle("drill", began, time.time(), None, backup=found["backup"])
    return found | {"seconds": round(time.time() - began, 1)}


def _chosen(name: str | None) -> Backup:
    found = [backup for backup in backups.kept() if name in (None, backup.name)]
    if not found:
        raise Failure(f"there is no backup {name or 'yet'}; `gatehouse backups` lists them")
    return found[-1]


def _drill(s: Settings, backup: Backup) -> dict:
    pgbackrest.refuse_another_major(s, backup.label)
    data, shelf = f"{s.data}.drill", "/var/lib/gatehouse/drill"
    _clean(data, shelf)
    for folder in (os.path.dirname(data), os.path.dirname(shelf)):
        scratch.refuse_without_room(folder, backup.size)
    try:
        say(f"restore PostgreSQL of backup {backup.name}")
        pgbackrest.restore(s, data, backup.options)
        with cluster.private(s, data, durable=False) as server:
            rows = _compare(backup, server)
            _amcheck(s, server)
        cluster.verify_pages(s, data)
        os.mkdir(shelf, 0o700)
        snapshot = restic.folders(s).get(backup.name)
        if snapshot is None:
            raise Failure(f"the folders of backup {backup.name} are not in {s.repository}")
        say(f"restore {len(backup.folders)} folders, and read each file back")
        restic.restore(s, snapshot, "/", shelf)
        files = sum(len(names) for _, _, names in os.walk(shelf))
        if files != backup.files:
            raise Failure(f"the folders of backup {backup.name} have {files} files and not {backup.files}")
    finally:
        _clean(data, shelf)
    say(f"backup {backup.name} can be restored")
    return {"backup": backup.name, "tables": sum(map(len, backup.tables.values())), "rows": rows, "files": files, "exact": backup.exact}


def _compare(backup: Backup, server: cluster.Cluster) -> int:
    """Every table with what the backup recorded; the number of rows."""
    names = server.databases()
    if names != sorted(backup.tables):
        raise Failure(f"restored were the databases {', '.join(names)}, and not {', '.join(sorted(backup.tables))}")
    with cluster.sessions(server, names) as sessions:
        found = {session.database: cluster.fingerprints(session) for session in sessions}
    if backup.exact and found != backup.tables:
        differing = sorted(f"{database}: {table}" for database in names for table in found[database].keys() | backup.tables[database].keys()
                           if found[database].get(table) != backup.tables[database].get(table))
        raise Failure("restored, but not with what was there: " + ", ".join(differing[:20]))
    if not backup.exact:
        say("so much was written when the backup was taken that its tables are not compared row by row")
    return sum(count for tables in found.values() for count, _ in tables.values())


def _amcheck(s: Settings, server: cluster.Cluster) -> None:
    say("look through every table and index")
    status, output = commands.run((f"{s.bin}/pg_amcheck", f"--host={server.folder}", "--all", "--install-missing", "--heapallindexed", "--no-strict-names"),
                                  s.user, seconds=commands.LONG)
    if status:
        raise Failure(f"what was restored is damaged:\n{commands.indented(output)}")


def _clean(data: str, shelf: str) -> None:
    for folder in (data, f"{data}.server", shelf):
        shutil.rmtree(folder, ignore_errors=True)


def lines(found: dict) -> list[str]:
    compared = "compared with what was recorded" if found["exact"] else "counted"
    return [f"backup {found['backup']} can be restored: {found['rows']} rows in {found['tables']} tables {compared}, {found['files']} files, in {found['seconds']:.0f} s"]
