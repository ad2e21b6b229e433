"""`gatehouse restore --database NAME`: restores one database and leaves all others unchanged."""

import contextlib
import os
import re
import time
from datetime import UTC, datetime

from gatehouse.backup import owners, pgbackrest, postgres
from gatehouse.backup.inventory import Settings, Target
from gatehouse.backup.postgres import Cluster
from gatehouse.health import probes
from gatehouse.output.report import ROLLED_BACK, Failure, say
from gatehouse.protocol.answers import RestoreAnswer
from gatehouse.protocol.manifest import Manifest
from gatehouse.state import store, workspace
from gatehouse.system import jobs, machine, process, safepath, systemd

# pg_restore lists the entries of an archive with the owner as the last word of a line.
_WITH_BLANKS = r"""SELECT string_agg(DISTINCT quote_ident(rolname), ', ')
  FROM pg_shdepend JOIN pg_roles r ON refobjid = r.oid
  WHERE dbid = (SELECT oid FROM pg_database WHERE datname = '{database}') AND refclassid = 'pg_authid'::regclass
  AND deptype = 'o' AND rolname ~ '\s'"""


def restore(s: Settings, live: Cluster, target: Target, name: str, dry_run: bool, began: float) -> RestoreAnswer:
    """Copy the database from a private server with the restored state, and give it the name of the live one, which is
    kept under another name. Raises Failure if it did not exist at that time, or cannot be loaded."""
    stamp = datetime.fromtimestamp(began, UTC).strftime("%Y%m%d%H%M%S")
    fresh, old, private = f"{name}_restored_{stamp}", f"{name}_before_{stamp}", f"{s.data}.restored-{stamp}"
    if not re.fullmatch(r"[\w.-]+", name):
        raise Failure(
            f"database {name!r} cannot be restored alone, since its name does not consist of letters, digits, dots, "
            "dashes and underscores"
        )
    if name not in target.backup.tables:
        raise Failure(
            f"database {name} is not in backup {target.backup.name}; there are: "
            f"{', '.join(sorted(target.backup.tables))}"
        )
    users = [m for m in store.live() if any(data.database == name for data in m.data)]
    named = systemd.existing(dict.fromkeys(unit.name for m in users for unit in m.unit))
    stops = [unit for unit in systemd.running_with(named) if unit != s.unit]
    answer: RestoreAnswer = {
        "to": target.words,
        "backup": target.backup.name,
        "folders": [],
        "stops": stops,
        "database": name,
        "done": not dry_run,
    }
    workspace.refuse_without_room(os.path.dirname(s.data), 2 * target.backup.size)
    if dry_run:
        return answer
    try:
        pgbackrest.archive_now(s)
        say(f"restore PostgreSQL to {target.words}, beside the running server")
        pgbackrest.restore(s, private, target.options)
        with postgres.private(s, private, durable=False) as server:
            _copy(s, server, live, name, fresh)
    except BaseException:
        with contextlib.suppress(Failure):
            live.ask(f'DROP DATABASE IF EXISTS "{fresh}" WITH (FORCE)')
        raise
    finally:
        safepath.remove_tree(private)
    _exchange(live, users, stops, name, fresh, old)
    say(f'the previous database {name} is kept as {old}: DROP DATABASE "{old}" when you no longer need it')
    return {**answer, "seconds": round(time.time() - began, 1)}


def _copy(s: Settings, server: Cluster, live: Cluster, name: str, fresh: str) -> None:
    say(f"copy database {name}")
    owner = server.ask(f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{name}'")
    made = server.ask(f"""SELECT format(
      'CREATE DATABASE %I TEMPLATE template0 OWNER %I ENCODING %L LC_COLLATE %L LC_CTYPE %L', '{fresh}',
      pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype)
      FROM pg_database WHERE datname = '{name}'""")
    if not made:
        raise Failure(f"database {name} did not exist then")
    blanks = server.ask(_WITH_BLANKS.format(database=name))
    if blanks:
        raise Failure(
            f"database {name} has owners with a space in their names: {blanks}; rename them, or restore everything "
            "instead"
        )
    live.ask(made)
    live.ask(f'REVOKE ALL ON DATABASE "{fresh}" FROM PUBLIC')
    with workspace.folder() as folder:
        dump = f"{workspace.give(f'{folder}/dump', s.user)}/archive"
        server.ask(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')  # only this restore can reach that server
        words = server.command("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={postgres.named(name)}")
        status, output = process.run(words, s.user, seconds=process.LONG)
        if status:
            raise Failure(f"database {name} could not be copied:\n{process.indented(output)}")
        owners.load(live, dump, fresh, owner)


def _exchange(live: Cluster, users: list[Manifest], stops: list[str], name: str, fresh: str, old: str) -> None:
    # The current releases of the host define which roles may connect.
    grants = live.ask(f"""SELECT coalesce(string_agg(format('GRANT %s ON DATABASE %I TO %s;', privilege_type, '{fresh}',
      CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END), ' '), 'SELECT 1')
      FROM pg_database, aclexplode(datacl) WHERE datname = '{name}'""")
    live.ask(grants)
    deadline = machine.system.monotonic() + max((m.deadline for m in users), default=60)
    try:
        jobs.run("stop", stops)
        with live.alone(name, fresh):
            live.ask(f"DO $$ BEGIN {_moves(name, old, fresh)} END $$")
        jobs.run("start", stops, deadline)
        for m in users:
            probes.await_every(m, deadline)
    except Exception as error:
        say("failed, rolling back to the previous database")
        jobs.run("stop", stops)
        with live.alone(name, old):
            live.ask(
                f"DO $$ BEGIN IF EXISTS (SELECT FROM pg_database WHERE datname = '{old}') THEN "
                f"{_moves(name, fresh, old)} END IF; END $$"
            )
        jobs.run("start", stops)
        raise Failure(
            f"{error}\nrolled back to the previous database; the restored one is kept as {fresh}", ROLLED_BACK
        ) from error


def _moves(name: str, away: str, comes: str) -> str:
    """Rename in one transaction. The live database may be missing, for example dropped by mistake."""
    return f"""IF EXISTS (SELECT FROM pg_database WHERE datname = '{name}') THEN
        ALTER DATABASE "{name}" RENAME TO "{away}"; END IF;
      ALTER DATABASE "{comes}" RENAME TO "{name}";"""
