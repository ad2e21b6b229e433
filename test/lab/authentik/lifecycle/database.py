"""PostgreSQL through libpq, as authentik's Python core opens it."""
import time

import psycopg2

from log import log
from versions import at_least, steps

LOCK = 1000  # authentik's advisory lock: server and worker start at the same time, and one of them migrates

SCHEMA = """
    CREATE TABLE IF NOT EXISTS authentik_version_history (
        id serial PRIMARY KEY, "timestamp" timestamptz NOT NULL DEFAULT now(), version text NOT NULL, build text NOT NULL);
    CREATE TABLE IF NOT EXISTS authentik_core_user (id serial PRIMARY KEY, username text UNIQUE NOT NULL);
    ALTER TABLE authentik_core_user ADD COLUMN IF NOT EXISTS password text;
    INSERT INTO authentik_core_user (username) VALUES ('alice'), ('bob') ON CONFLICT DO NOTHING;
    CREATE TABLE IF NOT EXISTS stand_in_setup (opened boolean);
    CREATE TABLE IF NOT EXISTS stand_in_notes (id serial PRIMARY KEY, "timestamp" timestamptz NOT NULL DEFAULT now(), text text NOT NULL);
    CREATE TABLE IF NOT EXISTS stand_in_recovery (key text PRIMARY KEY, username text NOT NULL, expires timestamptz NOT NULL);
    CREATE TABLE IF NOT EXISTS stand_in_blueprints (path text NOT NULL, models text NOT NULL, applied timestamptz NOT NULL DEFAULT now());
"""


class VersionRefused(Exception):
    """This version must not use a database of that version."""


def connect(settings: dict):
    """A new connection each time, so that a restart of PostgreSQL needs no special care."""
    names = {"host": "host", "port": "port", "name": "dbname", "user": "user", "password": "password", "sslmode": "sslmode"}
    given = {libpq: settings[f"postgresql.{key}"] for key, libpq in names.items() if settings[f"postgresql.{key}"] != ""}
    connection = psycopg2.connect(**given, connect_timeout=3, application_name="authentik-stand-in")
    connection.autocommit = True
    return connection


def ask(settings: dict, sql: str, *values: object) -> list[tuple]:
    connection = connect(settings)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()
    finally:
        connection.close()


def migrate(settings: dict, version: str, seconds: float) -> None:
    """Takes `seconds` if there is something to migrate."""
    connection = connect(settings)
    connection.autocommit = False
    cursor = connection.cursor()
    log("waiting to acquire database lock")
    while not locked(cursor):  # not pg_advisory_lock: libpq would block in it and ignore SIGTERM
        time.sleep(0.2)
    cursor.execute(SCHEMA)
    cursor.execute("SELECT version FROM authentik_version_history ORDER BY id DESC LIMIT 1")
    (recorded,) = cursor.fetchone() or (None,)
    refuse_wrong_order(recorded, version)
    if recorded != version:
        # A migration leaves two traces: a row in the history, inserted before the first table changes, and a changed
        # table.
        cursor.execute("INSERT INTO authentik_version_history (version, build) VALUES (%s, 'stand-in')", (version,))
        connection.commit()
        time.sleep(seconds)
        cursor.execute(f'ALTER TABLE authentik_core_user ADD COLUMN IF NOT EXISTS "since_{version}" boolean')
        log("migrated", before=recorded, after=version)
    connection.commit()
    connection.close()


def locked(cursor) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))
    return cursor.fetchone()[0]


def refuse_wrong_order(recorded: str | None, version: str) -> None:
    distance = steps(recorded, version) if recorded else 0
    if distance < 0:
        raise VersionRefused(f"The database is newer ({recorded}) than this version ({version}); there is no downgrade: restore the backup made before the upgrade")
    if distance > 1 and at_least(version, "2026.8"):
        raise VersionRefused(f"Major version skips are not allowed: the database is at {recorded}, this is {version}; upgrade through each series between")


def facts(settings: dict) -> dict:
    """The page's information about the database."""
    sql = """SELECT current_user, inet_server_addr() IS NULL, (SELECT count(*) FROM authentik_core_user), (SELECT count(*) FROM stand_in_notes),
        (SELECT array_agg(version ORDER BY id) FROM authentik_version_history)"""
    user, by_socket, users, notes, history = ask(settings, sql)[0]
    return {"user": user, "by": "unix socket" if by_socket else "tcp", "users": users, "notes": notes, "history": history}
