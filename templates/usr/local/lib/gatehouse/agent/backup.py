"""`gatehouse backup`: PostgreSQL and all folders, in a state that belongs together."""

import grp
import pwd
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime

import backups
import cluster
import commands
import moment
import pgbackrest
import restic
import store
import tables
import units
import vault
from backups import LOCK, Backup, Settings
from cluster import Cluster
from columns import counted, legible
from parts import Parts
from report import Failure, masked, say

_AT_ONCE = 4  # databases that are summed up


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
    return {"backup": backup.name, "kind": backups.kind(backup), "seconds": round(backup.ended - began, 1), "size": backup.size, "added": backup.added,
            "incomplete": backup.incomplete}


def _take(s: Settings, full: bool, began: float) -> Backup:
    name = datetime.fromtimestamp(began, UTC).strftime("%Y%m%d-%H%M%S")
    full = full or pgbackrest.full_is_due(s)
    say(f"copy PostgreSQL, {'all of it' if full else 'what differs from the last full backup'}")
    known = pgbackrest.backup(s, name, full)
    server, parts = Cluster(s, s.socket_directory), Parts()
    databases = server.databases()
    with ExitStack() as stack:
        marker = stack.enter_context(moment.marker(server))
        sessions, unread = cluster.opened(server, databases)
        pool = stack.enter_context(ThreadPoolExecutor(_AT_ONCE))
        stack.enter_context(cluster.closing(sessions))
        try:
            parts.run_hooks("before")
            found = moment.mark(name, marker, sessions)
            marked = time.time()
            unread |= found.failed
            say(f"copy the folders of {len(parts.members)} releases, and sum up {len(sessions)} databases as they were at {found.point}")
            sums = {session.database: pool.submit(_sums, session) for session in sessions if session.database not in unread}
            saved = parts.save(s, name)
        finally:
            parts.run_hooks("after")
        read = {database: one.result() for database, one in sums.items()}
    unread |= {database: complaint for database, (_, complaint) in read.items() if complaint}
    incomplete = parts.incomplete | {f"database {legible(database)}": f"a drill cannot compare all of it: {why}" for database, why in unread.items()}
    incomplete = {whose: masked(why) for whose, why in incomplete.items()}
    say("have the WAL of that moment archived")
    pgbackrest.check(s)
    done = Backup(
        name, began, marked, time.time(), known["label"], found.point, found.lsn, not found.moved,
        {database: read[database][0] if database in read else {} for database in databases},
        parts.folders(saved), _names(),
        files=sum(one.files for one in saved.values()), size=known["info"]["size"] + sum(one.size for one in saved.values()),
        added=known["info"]["repository"]["delta"] + sum(one.added for one in saved.values()),
        sums=tables.KIND, moved=list(found.moved), parts={release: [one.files, one.size] for release, one in saved.items()}, incomplete=incomplete)
    for whose, what in incomplete.items():
        say(f"incomplete: {whose}: {what}")
    restic.save_record(s, name, str(backups.record(done)))
    return done


def _sums(session: cluster.Session) -> tuple[dict, str | None]:
    """The session ends with it, so that nothing of its moment is held longer than it is read."""
    try:
        return tables.read(session)
    finally:
        session.close()


def _names() -> dict:
    return {"users": {str(user.pw_uid): user.pw_name for user in pwd.getpwall()}, "groups": {str(group.gr_gid): group.gr_name for group in grp.getgrall()}}


def _expire(s: Settings, newest: Backup) -> None:
    """pgBackRest has deleted what is more than is to be kept; the folders go with it."""
    there = {pgbackrest.name_of(b) for b in pgbackrest.known(s)}
    if newest.name not in there:
        raise Failure(f"{s.repository} does not know of backup {newest.name}, which has just been taken: nothing old was deleted")
    restic.keep(s, there)
    for backup in backups.kept():
        if backup.name not in there:
            backups.forget(backup)
