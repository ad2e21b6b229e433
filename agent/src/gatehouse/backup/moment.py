"""The moment of a backup: a restore point in the WAL, and the contents of each database at that point."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

from gatehouse.backup.postgres import Cluster, Session
from gatehouse.output.report import Failure

_SETTLES, _GIVES_UP = 3, 10  # seconds until an attempt as good as the best so far is accepted, and until any is
_AT_REST = "('idle', 'idle in transaction', 'idle in transaction (aborted)')"
_OTHERS = "datid = d.oid AND pid NOT IN (pg_backend_pid(), {marker}) AND backend_type <> 'autovacuum worker'"
_BEFORE = f"""SELECT json_build_array(clock_timestamp()::text, pg_stat_get_db_sessions(d.oid),
  ARRAY(SELECT pid FROM pg_stat_activity WHERE {_OTHERS} ORDER BY pid))
  FROM pg_database d WHERE datname = current_database()"""
_AFTER = f"""SELECT json_build_array(NOT EXISTS (SELECT FROM pg_stat_activity WHERE {_OTHERS}
  AND (state IN {_AT_REST} AND state_change < '{{since}}') IS NOT TRUE), pg_stat_get_db_sessions(d.oid),
  ARRAY(SELECT pid FROM pg_stat_activity WHERE {_OTHERS} ORDER BY pid))
  FROM pg_database d WHERE datname = current_database()"""


@dataclass(frozen=True)
class Moment:
    point: str
    lsn: str
    # Databases with activity at the point: their sessions may see a transaction more or less.
    moved: tuple[str, ...]
    failed: dict[str, str]  # databases that could not be queried, and why


@dataclass(frozen=True)
class Marker:
    session: Session  # in the superuser's own database
    pid: str


@contextlib.contextmanager
def marker(cluster: Cluster) -> Iterator[Marker]:
    """The connection that sets the restore point. It opens first: without a connection to a database one part of the
    backup is incomplete, but without this one there is no backup."""
    session = Session(cluster, "postgres")
    try:
        yield Marker(session, session.ask("SELECT pg_backend_pid()"))
    finally:
        session.close()


def mark(name: str, marker: Marker, sessions: list[Session]) -> Moment:
    """Set a restore point such that each session sees its database exactly as a restore to the point will: nothing runs
    in the database while the point is set and the snapshot of the session is taken. Activity in other databases does
    not matter."""
    failed: dict[str, str] = {}
    # By session: the time right before the point, and the sessions of its database, which must not change until the
    # snapshot.
    before: dict[Session, list[object]] = {}
    began, attempt, most = time.monotonic(), 0, 0
    while True:
        attempt += 1
        alive = [session for session in sessions if session.database not in failed]
        fresh = [session for session in alive if session not in before]
        _each(fresh, "ROLLBACK", failed)
        for session, text in _each(fresh, _BEFORE.format(marker=marker.pid), failed).items():
            before[session] = json.loads(text)
        _each(fresh, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", failed)
        point = f"gatehouse-{name}-{attempt}"
        lsn = marker.session.ask(f"SELECT pg_create_restore_point('{point}')")
        _each(alive, "SELECT pg_stat_clear_snapshot()", failed)
        for session in alive:
            if session.database not in failed:
                found = _each([session], _AFTER.format(marker=marker.pid, since=before[session][0]), failed)
                if found and json.loads(found[session]) != [True, *before[session][1:]]:
                    del before[session]
        alive = [session for session in alive if session.database not in failed]
        moved = tuple(session.database for session in alive if session not in before)
        most, lasted = max(most, len(alive) - len(moved)), time.monotonic() - began
        if not moved or lasted > _GIVES_UP or (lasted > _SETTLES and len(alive) - len(moved) == most):
            return Moment(point, lsn, moved, failed)
        time.sleep(0.01)


def _each(sessions: list[Session], statement: str, failed: dict[str, str]) -> dict[Session, str]:
    """Run a statement in all sessions in parallel. Returns the answers, and adds errors to `failed`."""
    asked = [session for session in sessions if session.database not in failed]
    for session in asked:
        session.send(statement)
    answers = {}
    for session in asked:
        try:
            answers[session] = session.answer()
        except Failure as failure:
            failed[session.database] = str(failure)
    return answers
