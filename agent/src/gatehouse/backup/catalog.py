"""The list of backups in a repository."""

import re
import time

from gatehouse.backup import inventory, pgbackrest, restic
from gatehouse.backup.inventory import Backup, Settings
from gatehouse.output.report import Failure


def read(s: Settings) -> list[Backup]:
    """The backups that can be restored, oldest first: pgBackRest has the cluster, restic the folders and the record.
    Also updates the records on this host: those of deleted backups are removed, missing ones are added."""
    began = time.time()
    return _record(s, began, _labels(s), restic.contents(s))


def expire(s: Settings, newest: Backup) -> None:
    """Delete the folders of backups that pgBackRest has deleted, and their records on this host. Raises Failure, before
    anything is deleted, if the newest backup is not in the repository."""
    began = time.time()
    labels = _labels(s)
    if newest.name not in labels:
        raise Failure(
            f"backup {newest.name} was just taken, but {s.repository} does not list it: no old backup was deleted"
        )
    _record(s, began, labels, restic.keep(s, set(labels)))


def _labels(s: Settings) -> dict[str, str]:
    """The label in pgBackRest by the name of the backup, for those that gatehouse has taken."""
    return {name: one["label"] for one in pgbackrest.known(s) if (name := pgbackrest.name_of(one))}


def _record(s: Settings, began: float, labels: dict[str, str], found: restic.Contents) -> list[Backup]:
    there = found.records.keys() & found.folders.keys() & labels.keys()
    known = {backup.name: backup for backup in inventory.kept(s.repository)}
    new = sorted(name for name in there - known.keys() if re.fullmatch(r"\d{8}-\d{6}", name))
    # PostgreSQL's account can write to a repository if it has the key, so a record may be forged.
    for name in new:
        record = inventory.read(restic.record(s, found.records[name]))
        if record.name == name and record.label == labels[name]:
            inventory.record(s.repository, record)
    for name in known.keys() - there:
        inventory.forget(s.repository, known[name])
    inventory.settle(s.repository, "reading", began, time.time(), None)
    return inventory.kept(s.repository)
