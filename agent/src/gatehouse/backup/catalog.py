"""Reads the list of backups from a repository."""

import re
import time

from gatehouse.backup import inventory, pgbackrest, restic
from gatehouse.backup.inventory import Backup, Settings


def read(s: Settings) -> list[Backup]:
    """The backups that can be restored, oldest first: pgBackRest has the cluster, restic the folders and the record.
    Also updates the records on this host: those of deleted backups are removed, missing ones are added."""
    began = time.time()
    labels = {pgbackrest.name_of(one): one["label"] for one in pgbackrest.known(s)}
    folders, records = restic.contents(s)
    there = records.keys() & folders.keys() & labels.keys()
    known = {backup.name: backup for backup in inventory.kept(s.repository)}
    new = sorted(name for name in there - known.keys() if name and re.fullmatch(r"\d{8}-\d{6}", name))
    # PostgreSQL's account can write to a repository if it has the key, so a record may be forged.
    for name in new:
        found = inventory.read(restic.record(s, records[name]))
        if found.name == name and found.label == labels[name]:
            inventory.record(s.repository, found)
    for name in known.keys() - there:
        inventory.forget(s.repository, known[name])
    inventory.settle(s.repository, "reading", began, time.time(), None)
    return inventory.kept(s.repository)
