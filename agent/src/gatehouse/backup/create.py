"""`gatehouse backup`: copies PostgreSQL and all folders as of the same moment."""

import grp
import pwd
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime

from gatehouse.backup import catalog, inventory, moment, pgbackrest, postgres, restic, tables
from gatehouse.backup.inventory import LOCK, Backup, Names, Rows, Settings
from gatehouse.backup.parts import Parts
from gatehouse.backup.postgres import Cluster
from gatehouse.output.report import Failure, masked, say
from gatehouse.output.table import counted, legible
from gatehouse.protocol.answers import BackupAnswer, PrepareAnswer
from gatehouse.state import repositories, secrets, store
from gatehouse.system import jobs, process

_AT_ONCE = 4  # databases summed up in parallel


def prepare() -> PrepareAnswer:
    """Create the repositories for this cluster and its folders, and start the first backup if it is due. Raises Failure
    for a repository that cannot be used."""
    s = inventory.settings()
    _refuse_another_disk(s)
    restic.prepare(s)
    ours = pgbackrest.prepare(s)
    repositories.remember(s.repository, s.passphrase)
    if not ours:
        now = time.time()
        inventory.settle(
            s.repository,
            "backup",
            now,
            now,
            "the repository has the backups of another cluster, so nothing is added to it: "
            "`gatehouse restore --to latest` takes them over",
        )
    elif not catalog.read(s) or pgbackrest.first_is_due(s):
        jobs.queue("start", ["gatehouse-backup.service"])
    return {"prepared": ours, "repository": s.repository}


def _refuse_another_disk(s: Settings) -> None:
    """If the repository's disk is not mounted, its mount point is an empty directory; initializing a repository there
    would succeed and hide the problem."""
    taken = len(inventory.kept(s.repository))
    if taken and inventory.outcome(s.repository, "backup").get("good") and not pgbackrest.known(s):
        raise Failure(
            f"{s.repository} is empty, but this host has recorded {counted(taken, 'backup')} in it: is its disk "
            f"mounted? If the backups are lost, run `gatehouse forget {s.repository}` on the host"
        )


def refuse_loss(keep: int, place: str | None = None) -> None:
    """Raises Failure if keeping at most `keep` full backups would delete backups from a repository, by default the
    configured one. Backups that depend on a full backup are deleted with it."""
    if place is None and not inventory.SETTINGS.exists():
        return
    known = _labels(place or inventory.settings().repository)
    lost = [label for label in known if label.endswith("F")][:-keep]
    names = [name for label, name in known.items() if label.split("_")[0] in lost]
    if names:
        raise Failure(
            f"keeping {keep} full backups would delete {', '.join(names)}: raise backup.keep to {keep + len(lost)}, "
            "or, to accept the loss, set backup.allowDataLoss to true"
        )


def _labels(place: str) -> dict[str, str]:
    """The existing backups, oldest first, by pgBackRest's label. They come from the records on this host if the
    repository cannot be read: because it is unreachable, its key is about to change, or it is not the configured
    one."""
    known = {}
    if inventory.SETTINGS.exists() and (s := inventory.settings()).repository == place:
        try:
            known = {b["label"]: pgbackrest.name_of(b) or b["label"] for b in pgbackrest.known(s)}
        except Failure as failure:
            say(str(failure))
    return known or {b.label: b.name for b in inventory.kept(place)}


def take(full: bool = False) -> BackupAnswer:
    """Raises Failure if the backup fails, which is recorded as well."""
    began = time.time()
    secrets.learn_all()
    s = inventory.settings()
    with store.lock(LOCK, "a backup", process.LONG):
        try:
            backup = _take(s, full, began)
            catalog.expire(s, backup)
        except Exception as error:
            inventory.settle(s.repository, "backup", began, time.time(), masked(str(error)))
            raise
        inventory.settle(s.repository, "backup", began, time.time(), None)
    say(f"backup {backup.name} is in {s.repository}")
    return {
        "backup": backup.name,
        "kind": inventory.kind(backup),
        "seconds": round(backup.ended - began, 1),
        "size": backup.size,
        "added": backup.added,
        "incomplete": backup.incomplete,
    }


def _take(s: Settings, full: bool, began: float) -> Backup:
    name = datetime.fromtimestamp(began, UTC).strftime("%Y%m%d-%H%M%S")
    full = full or pgbackrest.full_is_due(s)
    say(f"back up PostgreSQL ({'full' if full else 'differential'})")
    known = pgbackrest.backup(s, name, full)
    server, parts = Cluster(s, s.socket_directory), Parts()
    databases = server.databases()
    with ExitStack() as stack:
        marker = stack.enter_context(moment.marker(server))
        sessions, unread = postgres.opened(server, databases)
        pool = stack.enter_context(ThreadPoolExecutor(_AT_ONCE))
        stack.enter_context(postgres.closing(sessions))
        try:
            parts.run_hooks("before")
            found = moment.mark(name, marker, sessions)
            marked = time.time()
            unread |= found.failed
            say(
                f"back up the folders of {len(parts.members)} releases, and compute checksums of {len(sessions)} "
                f"databases as of {found.point}"
            )
            sums = {
                session.database: pool.submit(_sums, session) for session in sessions if session.database not in unread
            }
            saved = parts.save(s, name)
            for before in inventory.kept(s.repository)[-1:]:
                parts.note_emptied(saved, before)
        finally:
            parts.run_hooks("after")
        read = {database: one.result() for database, one in sums.items()}
    unread |= {database: complaint for database, (_, complaint) in read.items() if complaint}
    incomplete = parts.incomplete | {
        f"database {legible(database)}": f"a drill cannot compare all of its tables: {why}"
        for database, why in unread.items()
    }
    incomplete = {whose: masked(why) for whose, why in incomplete.items()}
    say("archive the WAL up to that moment")
    pgbackrest.check(s)
    done = Backup(
        name,
        began,
        marked,
        time.time(),
        known["label"],
        found.point,
        found.lsn,
        not found.moved,
        {database: read[database][0] if database in read else {} for database in databases},
        parts.folders(saved),
        _names(),
        files=sum(one.files for one in saved.values()),
        size=known["info"]["size"] + sum(one.size for one in saved.values()),
        added=known["info"]["repository"]["delta"] + sum(one.added for one in saved.values()),
        sums=tables.KIND,
        moved=list(found.moved),
        parts={key: (one.files, one.size) for key, one in saved.items()},
        places={key: one.places for key, one in saved.items()},
        incomplete=incomplete,
    )
    for whose, what in incomplete.items():
        say(f"incomplete: {whose}: {what}")
    restic.save_record(s, name, str(inventory.record(s.repository, done)))
    repositories.remember(s.repository, s.passphrase)
    return done


def _sums(session: postgres.Session) -> tuple[dict[str, Rows], str | None]:
    """Closes the session afterwards, so that its snapshot is not held longer than needed."""
    try:
        return tables.read(session)
    finally:
        session.close()


def _names() -> Names:
    return Names(
        users={str(user.pw_uid): user.pw_name for user in pwd.getpwall()},
        groups={str(group.gr_gid): group.gr_name for group in grp.getgrall()},
    )
