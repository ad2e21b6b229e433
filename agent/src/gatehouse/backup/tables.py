"""The contents of the tables of a database, as numbers for comparison with a restored copy.

A query would be planned, and the planner evaluates constant expressions in index expressions, extended statistics and
CHECK constraints of the table: functions of the owner, in the superuser's session. COPY plans nothing, and calls only
the output functions of built-in types."""

import json
import time
from hashlib import blake2b

from gatehouse.backup.inventory import Rows
from gatehouse.backup.postgres import Refused, Session
from gatehouse.output.report import Failure
from gatehouse.output.table import legible
from gatehouse.system import process

KIND = "blake2b-128 of COPY's lines, added up"  # recorded, since sums of another kind cannot be compared
_WAITING = 10.0  # seconds to wait for locks of other sessions, in total for a database
_LOCKED, _LEAST = "55P03", 0.001
# Materialized views are left out: they are derived from tables, and COPY does not read them before PostgreSQL 18.
_LIST = """SELECT coalesce(json_agg(format('%I.%I', nspname, relname) ORDER BY nspname, relname), '[]')
  FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND relpersistence = 'p'
  AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_toast%'"""


def read(session: Session) -> tuple[dict[str, Rows], str | None]:
    """The number of rows of each table and a sum over their contents, independent of their order; and a description of
    tables that could not be read. The session is in a transaction, and its snapshot is read."""
    found: dict[str, Rows] = {}
    missing: list[str] = []
    patience = _WAITING
    try:
        listed: list[str] = json.loads(session.ask(_LIST))
        for table in [*listed, "pg_catalog.pg_largeobject"]:
            for statement in ("SAVEPOINT one", f"SET LOCAL lock_timeout = {max(1, round(patience * 1000))}"):
                session.ask(statement)
            began = time.monotonic()
            try:
                found[table] = _sum(session, table)
                session.ask("RELEASE one")
            except Refused as refused:
                missing.append(
                    f"{legible(table, 100)} "
                    f"({'another session holds a lock on it' if refused.state == _LOCKED else refused})"
                )
                if refused.state == _LOCKED:
                    patience = max(_LEAST, patience - (time.monotonic() - began))
                session.ask("ROLLBACK TO one")
    except Failure as failure:
        missing.append(f"the rest ({failure})")
    names = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    return found, f"not read: {names}" if missing else None


def _sum(session: Session, table: str) -> Rows:
    count = total = 0
    line = blake2b(digest_size=16)
    session.send(f"COPY {table} TO STDOUT")
    with session.within(process.LONG):
        for piece in session.pieces():
            line.update(piece)
            if piece.endswith(b"\n"):
                count, total = count + 1, total + int.from_bytes(line.digest())
                line = blake2b(digest_size=16)
    return Rows(count, f"{total % (1 << 128):x}")
