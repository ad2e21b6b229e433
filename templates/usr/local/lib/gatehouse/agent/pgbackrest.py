"""PostgreSQL's own backups: pgBackRest, which copies the cluster's files and keeps all WAL since."""

import contextlib
import json
import os
import re
import time

import commands
import scratch
from backups import Settings
from report import Failure, say

_READERS = 8  # at the same time: a restore waits for the repository more than for a processor


def prepare(s: Settings) -> bool:
    """Make the repository for this cluster, and see WAL arrive in it. False where it is another cluster's already, as on
    a new host which has not restored from it yet."""
    status, output = _run(s, "stanza-create", "--log-level-console=info")
    if status and re.search(r"ERROR: \[028\]|does not match", output):
        return False
    if status:
        raise Failure(f"the repository of PostgreSQL in {s.repository} cannot be used:\n{commands.indented(output)}")
    check(s)
    return True


def check(s: Settings) -> None:
    """Have the WAL written so far archived."""
    status, output = _run(s, "check")
    if status:
        raise Failure(f"WAL of PostgreSQL does not reach {s.repository}:\n{commands.indented(output)}")


def archive_now(s: Settings) -> None:
    """What was written a moment ago may be wanted. A server that is broken has archived what it could."""
    say("have the WAL of this moment archived, if there is any")
    with contextlib.suppress(Failure):
        check(s)


def backup(s: Settings, name: str, full: bool) -> dict:
    """Take one that can be told by `name`; what pgBackRest knows of it."""
    status, output = _run(s, f"--type={'full' if full else 'diff'}", f"--annotation=gatehouse={name}", "backup")
    if status:
        raise Failure(f"PostgreSQL could not be backed up:\n{commands.indented(output)}")
    return next(b for b in reversed(known(s)) if (b.get("annotation") or {}).get("gatehouse") == name)


def known(s: Settings) -> list[dict]:
    """All backups in the repository, oldest first."""
    status, output = _run(s, "--output=json", "info")
    if status:
        raise Failure(f"the repository of PostgreSQL in {s.repository} cannot be read:\n{commands.indented(output)}")
    return [b for stanza in json.loads(output[output.index("["):]) if stanza["name"] == s.stanza for b in stanza["backup"]]


def full_is_due(s: Settings) -> bool:
    fulls = [b["timestamp"]["stop"] for b in known(s) if b["type"] == "full"]
    return not fulls or time.time() - fulls[-1] > s.full_days * 86400 - 43200  # half a day early: timers have delays


def restore(s: Settings, into: str, target: tuple[str, ...]) -> None:
    """The cluster as of `target` (options of pgBackRest), into a new folder. It reads WAL up to there when it is started."""
    scratch.folder_of(s.user, into)
    # On the timeline of the backup: one that somebody restored to, and left again, must not lead the way.
    words = (f"--pg1-path={into}", f"--process-max={_READERS}", *target, "--target-timeline=current", "restore")
    status, output, there = *_run(s, *words), -1
    # Over SFTP each reader leaves a handle open for every file, of which a server gives it about a thousand: then a new
    # one goes on with what is missing, as long as that gets less.
    while status and "sftp error [4]" in output and (now := sum(len(names) for _, _, names in os.walk(into))) > there:
        there = now
        say(f"the SFTP server has no more handles for one reader: {there} files are there, go on with a new one")
        status, output = _run(s, "--delta", *words)
    if status:
        raise Failure(f"PostgreSQL cannot be restored:\n{commands.indented(output)}")


def _run(s: Settings, *words: str) -> tuple[int, str]:
    return commands.run(("pgbackrest", f"--stanza={s.stanza}", *words), s.user, seconds=commands.LONG)
