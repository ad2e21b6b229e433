"""Loads a dump of a database without running code of its owner as superuser.

Loading a dump runs code in it: CHECK constraints, domains, generated columns, index expressions, triggers, materialized
views. A superuser's session that has only switched to a role can be made to switch back (RESET ROLE). Therefore the
objects of a role are loaded by a session of a separate role, which is temporarily a member of it and has no rights of
its own. The owner itself may be unable to log in, or have no connection left.

The objects of superusers are loaded first, while the database has no function, type or operator of another role: an
object of a superuser that needs one fails. Afterwards the superuser only grants, which calls no code."""

import contextlib
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gatehouse.backup.postgres import Cluster, named
from gatehouse.output.report import Failure, say
from gatehouse.system import process, safepath

_ENTRY = re.compile(r"(?P<number>\d+); \d+ \d+ (?P<what>.*) (?P<owner>\S*)")
# Schemas, extensions and their comments: in an empty database they call no code of the owner, and they contain
# everything else.
_FIRST = (
    "SCHEMA - ",
    "EXTENSION - ",
    "ACL - SCHEMA ",
    "COMMENT - SCHEMA ",
    "COMMENT - EXTENSION ",
    "PROCEDURAL LANGUAGE - ",
)
_GRANTS = ("ACL ", "DEFAULT ACL ")
# pg_hba.conf lets PostgreSQL's own account log in as this role to a database that is being restored.
_LOADER = "gatehouse_loads"
_MADE = f"""DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{_LOADER}') THEN CREATE ROLE {_LOADER} LOGIN; END IF; END $$"""
# A restore that failed or was killed may have left the role a member of another owner.
_MEMBER = """DO $$ DECLARE other name; BEGIN
  FOR other IN SELECT rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
    WHERE m.member = '{loader}'::regrole LOOP
    EXECUTE format('REVOKE %I FROM {loader}', other); END LOOP;
  GRANT {owner} TO {loader}; END $$"""


@dataclass(frozen=True)
class Entry:
    """A line in the table of contents of an archive. The application chooses the names in it, but neither the kind nor
    the owner at the end."""

    number: str
    what: str
    owner: str


def load(live: Cluster, dump: str, database: str, owner: str) -> None:
    """Load everything in the archive `dump` into an empty database owned by `owner`. Raises Failure for anything that
    cannot be loaded."""
    superusers = set(live.ask("SELECT rolname FROM pg_roles WHERE rolsuper").splitlines())
    data, rest = contents(live, dump, "pre-data", "data"), contents(live, dump, "post-data")
    first = [entry for entry in data + rest if _is_first(entry, superusers)]
    later = [
        [entry for entry in part if not _is_first(entry, superusers) and not entry.what.startswith(_GRANTS)]
        for part in (data, rest)
    ]
    grants = [entry for entry in data + rest if entry.what.startswith("ACL ") and entry not in first]
    defaults = [entry for entry in data + rest if entry.what.startswith("DEFAULT ACL ")]
    _restore(live, dump, database, live.settings.user, first)
    with _loader(live, database):
        _restore_by_owners(live, dump, database, owner, later[0])
        _restore(live, dump, database, live.settings.user, grants)
        _restore_by_owners(live, dump, database, owner, later[1])
        _restore(live, dump, database, live.settings.user, defaults)


@contextlib.contextmanager
def _loader(live: Cluster, database: str) -> Iterator[None]:
    live.ask(_MADE)
    live.ask(f"GRANT CONNECT ON DATABASE {quoted(database)} TO {_LOADER}")
    yield
    live.ask(f"REVOKE CONNECT ON DATABASE {quoted(database)} FROM {_LOADER}")
    live.ask(f"DROP ROLE {_LOADER}")


def contents(live: Cluster, dump: str, *sections: str) -> list[Entry]:
    """The contents of an archive, in the order of loading. Raises Failure if it cannot be read."""
    words = (f"{live.settings.bin}/pg_restore", "--list", *(f"--section={section}" for section in sections), dump)
    status, output = process.run(words, live.settings.user, seconds=process.LONG)
    if status:
        raise Failure(f"the copy cannot be read:\n{process.indented(output)}")
    lines = [line for line in output.split("\n") if line and not line.startswith(";")]
    found = []
    for line in lines:
        if (match := _ENTRY.fullmatch(line)) is None:
            raise Failure(f"the copy has an unknown line: {line!r}")
        found.append(Entry(match["number"], match["what"], match["owner"]))
    return found


def _is_first(entry: Entry, superusers: set[str]) -> bool:
    return entry.what.startswith(_FIRST) or (entry.owner in superusers and not entry.what.startswith(_GRANTS))


def _made_by(entry: Entry, owner: str) -> str:
    """Entries without an owner, such as a cast, and those of pg_database_owner are created by the owner of the
    database."""
    return owner if entry.owner in ("", "pg_database_owner") else entry.owner


def _restore_by_owners(live: Cluster, dump: str, database: str, owner: str, entries: list[Entry]) -> None:
    for role, some in itertools.groupby(entries, lambda entry: _made_by(entry, owner)):
        live.ask(_MEMBER.format(loader=_LOADER, owner=quoted(role)))
        _restore(live, dump, database, role, list(some))
        # The owner's code may have switched back to the loader's own role and created objects.
        live.ask(f"REASSIGN OWNED BY {_LOADER} TO {quoted(role)}", database)


def _restore(live: Cluster, dump: str, database: str, role: str, entries: list[Entry]) -> None:
    """Load entries as `role` in the loader's session, or in the superuser's, which gives each object to its owner."""
    if not entries:
        return
    ours = role == live.settings.user
    say(f"load {len(entries)} parts as {role}")
    listed = f"{os.path.dirname(dump)}.list"  # beside the dump's directory, where only root can write
    safepath.write(
        listed, "".join(f"{entry.number};\n" for entry in entries).encode(), 0o644, os.geteuid(), os.getegid()
    )
    words = live.command(
        "pg_restore",
        f"--dbname={named(database)}",
        "--exit-on-error",
        f"--use-list={listed}",
        *(() if ours else ("--no-owner", f"--role={role}")),
        dump,
        login=None if ours else _LOADER,
    )
    status, output = process.run(words, live.settings.user, seconds=process.LONG)
    if status:
        why = (
            "; objects of a superuser cannot use objects of an application: restore everything instead, or make the "
            "database's owner their owner"
            if ours
            else ""
        )
        raise Failure(f"database {database} could not be loaded as {role}{why}:\n{process.indented(output)}")


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
