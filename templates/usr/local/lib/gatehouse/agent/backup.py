"""`gatehouse backup`: PostgreSQL and all folders, in a state that belongs together."""

import grp
import pwd
import time
from datetime import UTC, datetime

import backups
import cluster
import commands
import pgbackrest
import restic
import store
import units
import vault
from backups import LOCK, Backup, Settings
from cluster import Cluster
from columns import counted
from report import Failure, masked, say
from store import STATE

_ATTEMPTS = 200  # to find a moment without a transaction


def prepare() -> dict:
    """Repositories for this cluster and its folders; the first backup is asked for."""
    s = backups.settings()
    _refuse_another_disk(s)
    restic.prepare(s)
    ours = pgbackrest.prepare(s)
    if not ours:
        now = time.time()
        backups.settle("backup", now, now, "the repository has the backups of another cluster, so nothing is added to it: "
                                           "`gatehouse restore --to latest` takes them over")
    elif not backups.kept() or pgbackrest.first_is_due(s):
        units.queue("start", ["gatehouse-backup.service"])
    return {"prepared": ours, "repository": s.repository}


def _refuse_another_disk(s: Settings) -> None:
    """Where the repository's disk is not mounted, its folder is there and empty: a new repository in it would look well."""
    taken = len(backups.kept())
    if taken and backups.outcome("backup").get("repository") == s.repository and not pgbackrest.known(s):
        raise Failure(f"{s.repository} is empty, though this host has {counted(taken, 'backup')} in it: is its disk mounted? If they are gone for good: "
                      f"rm {backups.RECORDS}/*.json")


def refuse_loss(keep: int) -> None:
    """Before so many full backups are the most: what stands on older ones would be deleted after the next one."""
    if not backups.SETTINGS.exists():
        return
    known = _labels(backups.settings())
    lost = [label for label in known if label.endswith("F")][:-keep]
    names = [name for label, name in known.items() if label.split("_")[0] in lost]
    if names:
        raise Failure(f"to keep {keep} full backups deletes {', '.join(names)}: raise backup.keep to {keep + len(lost)}, or set "
                      "backup.allowDataLoss to true if that is meant")


def _labels(s: Settings) -> dict[str, str]:
    """The backups that there are, oldest first, by pgBackRest's label. A repository that is away, or whose key is about to
    change, cannot be asked: then by what this host remembers of it."""
    try:
        known = {b["label"]: pgbackrest.name_of(b) or b["label"] for b in pgbackrest.known(s)}
    except Failure as failure:
        say(str(failure))
        known = {}
    return known or {b.label: b.name for b in backups.kept()}


def take(full: bool = False) -> dict:
    began = time.time()
    vault.learn_all()
    s = backups.settings()
    with store.lock(LOCK, "a backup", commands.LONG):
        try:
            backup = _take(s, full, began)
            _expire(s, backup)
        except Exception as error:
            backups.settle("backup", began, time.time(), masked(str(error)))
            raise
        backups.settle("backup", began, time.time(), None, repository=s.repository)
    say(f"backup {backup.name} is in {s.repository}")
    return {"backup": backup.name, "kind": backups.kind(backup), "seconds": round(backup.ended - began, 1), "size": backup.size, "added": backup.added}


def _take(s: Settings, full: bool, began: float) -> Backup:
    name = datetime.fromtimestamp(began, UTC).strftime("%Y%m%d-%H%M%S")
    full = full or pgbackrest.full_is_due(s)
    say(f"copy PostgreSQL, {'all of it' if full else 'what differs from the last full backup'}")
    known = pgbackrest.backup(s, name, full)
    members = backups.members()
    folders = {f"{release}/{data.name}": data.path for release, data in members}
    server = Cluster(s, s.socket_directory)
    with cluster.sessions(server, server.databases()) as sessions:
        try:
            _run_hooks(members, "before")
            point, lsn, exact = _mark(name, sessions)
            marked = time.time()
            say(f"copy {len(folders)} folders")
            saved = restic.save(s, name, [*folders.values(), str(STATE / "secrets")])
        finally:
            _run_hooks(members, "after")
        say(f"sum up {len(sessions)} databases as they were at {point}")
        tables = {session.database: cluster.fingerprints(session) for session in sessions}
    say("have the WAL of that moment archived")
    pgbackrest.check(s)
    size, added = known["info"]["size"] + saved["total_bytes_processed"], known["info"]["repository"]["delta"] + saved["data_added_packed"]
    done = Backup(name, began, marked, time.time(), known["label"], point, lsn, exact, tables, folders, _names(), saved["total_files_processed"], size, added)
    restic.save_record(s, name, str(backups.record(done)))
    return done


def _names() -> dict:
    return {"users": {str(user.pw_uid): user.pw_name for user in pwd.getpwall()}, "groups": {str(group.gr_gid): group.gr_name for group in grp.getgrall()}}


def _mark(name: str, sessions: list[cluster.Session]) -> tuple[str, str, bool]:
    """Set a restore point, and have every session see the databases exactly as they will be when restored to it: nothing
    was written between the point and what the sessions see, and no transaction was under way that could commit."""
    point = position = ""
    for attempt in range(1, _ATTEMPTS + 1):
        for session in sessions:
            session.ask("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;" if attempt > 1 else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
        point = f"gatehouse-{name}-{attempt}"
        marker = cluster.Session(sessions[0].cluster, "postgres")
        try:
            position = marker.ask(f"SELECT pg_create_restore_point('{point}');")
        finally:
            marker.close()
        for session in sessions:
            session.send("SELECT pg_current_wal_insert_lsn() || ' ' || (pg_snapshot_xmin(s) = pg_snapshot_xmax(s)) FROM pg_current_snapshot() s;")
        if [session.answer() for session in sessions] == [f"{position} true"] * len(sessions):
            return point, position, True
    return point, position, False


def _run_hooks(members: list, when: str) -> None:
    for release, data in members:
        if argv := getattr(data, when):
            status, output = commands.run(argv, data.user)
            if status:
                raise Failure(f"what {release} does {when} a copy of {data.name} failed:\n{commands.indented(output)}")


def _expire(s: Settings, newest: Backup) -> None:
    """pgBackRest has deleted what is more than is to be kept; the folders go with it."""
    there = {pgbackrest.name_of(b) for b in pgbackrest.known(s)}
    if newest.name not in there:
        raise Failure(f"{s.repository} does not know of backup {newest.name}, which has just been taken: nothing old was deleted")
    restic.keep(s, there)
    for backup in backups.kept():
        if backup.name not in there:
            backups.forget(backup)
