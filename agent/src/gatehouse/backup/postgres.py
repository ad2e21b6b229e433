"""Queries to PostgreSQL: the live server, or a private one on a separate data directory. The owner of a database is
treated as an attacker: a superuser's session in it runs no code of the owner, and no setting of the owner affects the
session."""

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import IO

from gatehouse.backup.inventory import Settings
from gatehouse.output.report import Failure, say
from gatehouse.output.table import legible
from gatehouse.state import workspace
from gatehouse.system import process, safepath

PATIENCE = 30  # seconds for an answer that contains no data
_PIECE = 1 << 16  # bytes of a line to read at once: a row may be as large as memory
# The settings of every session, regardless of its database and role. All others are as on the server.
_FIXED = {
    "search_path": "pg_catalog,pg_temp",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    "client_min_messages": "error",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "exit_on_error": "off",
    "post_auth_delay": "0",
    "synchronous_commit": "local",
    "stats_fetch_consistency": "none",
    # Settings that would change the text of a row.
    "datestyle": "ISO,YMD",
    "timezone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "intervalstyle": "postgres",
    "lc_monetary": "C",
}
# Only these settings, for commands that query no database of an application.
PLAIN = " ".join(["-crole=none", *(f"-c{name}={value}".replace(" ", r"\ ") for name, value in _FIXED.items())])
# The owner of a database may set defaults for any setting that users may change. Connection options take precedence.
_OPTIONS = r"""SELECT
  string_agg('-c' || name || '=' || regexp_replace(coalesce(value, reset_val), '([\s\\])', '\\\1', 'g'), ' ')
  FROM pg_settings LEFT JOIN json_each_text('{fixed}') f(key, value) ON key = lower(name)
  WHERE context IN ('user', 'backend')
  AND name !~ '^(transaction_(isolation|read_only|deferrable)|client_encoding|application_name)$'"""
_DATABASES = (
    "SELECT json_agg(datname ORDER BY datname) FROM pg_database WHERE datname NOT IN ('template0', 'template1')"
)


class Refused(Failure):
    """One statement failed with SQLSTATE `state`; the session continues."""

    def __init__(self, message: str, state: str):
        super().__init__(message)
        self.state = state


class Cluster:
    """A server that is reached by a socket in `folder`."""

    def __init__(self, s: Settings, folder: str):
        self.settings, self.folder = s, folder

    @cached_property
    def options(self) -> str:
        """The settings of a session, in the form that libpq takes. They are read in the superuser's own database, which
        no application may connect to."""
        return self._ask(_OPTIONS.format(fixed=json.dumps(_FIXED)), PLAIN)

    def command(self, program: str, *words: str, login: str | None = None, more: str = "") -> tuple[str, ...]:
        """A PostgreSQL program that logs in as the superuser, or as another role."""
        login = login or self.settings.user
        options = f"{self.options} -crole=none -csession_authorization={login}{more}"
        return (
            "env",
            f"PGOPTIONS={options}",
            f"{self.settings.bin}/{program}",
            f"--host={self.folder}",
            f"--username={login}",
            *words,
        )

    def ask(self, sql: str, database: str = "postgres") -> str:
        """The output of statements, by default in the superuser's own database. In another one they must not call code
        of its owner. Raises Failure if PostgreSQL refuses them."""
        return self._ask(sql, self.options, database)

    @contextlib.contextmanager
    def alone(self, *databases: str) -> Iterator[None]:
        """Keep ending the sessions of others in these databases. Renaming a database waits five seconds for that, and
        blocks new sessions by itself."""
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in databases)
        done = threading.Event()

        def end() -> None:
            while not done.is_set():
                with contextlib.suppress(Failure):
                    self.ask(
                        f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname IN ({names})"
                    )
                done.wait(0.3)

        ending = threading.Thread(target=end)
        ending.start()
        try:
            yield
        finally:
            done.set()
            ending.join()

    def _ask(self, sql: str, options: str, database: str = "postgres") -> str:
        words = (
            "env",
            f"PGOPTIONS={options}",
            f"{self.settings.bin}/psql",
            f"--host={self.folder}",
            *_PSQL,
            "--set=ON_ERROR_STOP=1",
            f"--dbname={named(database)}",
            "--command",
            sql,
        )
        status, output = process.run(words, self.settings.user, seconds=process.LONG)
        if status:
            raise Failure(f"PostgreSQL refuses:\n{process.indented(output)}")
        return output.strip()

    def databases(self) -> list[str]:
        """All databases except the standard templates, including those that accept no connections, as an owner may
        set."""
        found: list[str] = json.loads(self.ask(_DATABASES))
        return found


_PSQL = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align")


def named(database: str) -> str:
    """A connection string for a database, with any characters in its name."""
    return "dbname='" + re.sub(r"(['\\])", r"\\\1", database) + "'"


class Session:
    """psql as the superuser in one database, running one statement at a time."""

    def __init__(self, cluster: Cluster, database: str):
        self.database = database
        self._mark = secrets.token_hex(16)  # so that no row can look like it
        self._errors, self._shown = os.fdopen(os.memfd_create("errors"), "rb"), 0
        # Rows in their stored encoding, so that no conversion can fail.
        words = cluster.command(
            "psql", *_PSQL, "--set=VERBOSITY=terse", f"--dbname={named(database)}", more=" -cclient_encoding=SQL_ASCII"
        )
        self.process = process.start(
            words, cluster.settings.user, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        assert self.process.stdin is not None and self.process.stdout is not None  # pipes
        self._statements, self._answers = self.process.stdin, self.process.stdout

    def send(self, statement: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # reported by `pieces`
            self._statements.write(f"{statement};\n\\echo {self._mark} :SQLSTATE\n".encode(errors="surrogateescape"))
            self._statements.flush()

    def pieces(self) -> Iterator[bytes]:
        """The lines of output since the last call; a long one in several pieces, of which only the last ends with a
        newline. Raises Refused for a statement that failed, Failure if the session has ended."""
        begins = True
        while piece := self._answers.readline(_PIECE):
            if begins and piece.startswith(self._mark.encode()):
                state = piece.split()[1].decode()
                if state != "00000":
                    raise Refused(self._complaint(), state)
                return
            yield piece
            begins = piece.endswith(b"\n")
        raise Failure(self._complaint() or "PostgreSQL ended the connection")

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Kill the session if it has not answered in time."""
        limit = threading.Timer(seconds, self.process.kill)
        limit.start()
        try:
            yield
        finally:
            limit.cancel()

    def answer(self, seconds: float = PATIENCE) -> str:
        with self.within(seconds):
            return b"".join(self.pieces()).decode(errors="surrogateescape").strip()

    def ask(self, statement: str, seconds: float = PATIENCE) -> str:
        self.send(statement)
        return self.answer(seconds)

    def close(self) -> None:
        """Idempotent."""
        if not self._errors.closed:
            self._errors.close()
            process.end(self.process, grace=1)
            with contextlib.suppress(BrokenPipeError):
                self._statements.close()
            self._answers.close()

    def _complaint(self) -> str:
        new = os.pread(self._errors.fileno(), 1 << 16, self._shown)
        self._shown += len(new)
        return legible(new.decode(errors="replace"))


def opened(cluster: Cluster, databases: list[str]) -> tuple[list[Session], dict[str, str]]:
    """A session in each database, and why there is none for the others: no connections accepted, or database
    dropped."""
    begun = [Session(cluster, name) for name in databases]
    with ThreadPoolExecutor(len(begun) or 1) as pool:
        complaints = dict(zip(databases, pool.map(_begin, begun), strict=True))
    return (
        [session for session in begun if complaints[session.database] is None],
        {database: complaint for database, complaint in complaints.items() if complaint is not None},
    )


def _begin(session: Session) -> str | None:
    try:
        session.ask("SELECT pg_stat_force_next_flush()")  # moment.py compares the number of sessions
    except Failure as failure:
        session.close()
        return str(failure)
    return None


@contextlib.contextmanager
def closing(sessions: list[Session]) -> Iterator[None]:
    try:
        yield
    finally:
        for session in sessions:
            session.close()


@contextlib.contextmanager
def private(s: Settings, data: str, durable: bool) -> Iterator[Cluster]:
    """A server on `data` that only this process can reach, once it has replayed its WAL. If not `durable`, it runs with
    fsync=off and may lose data in a crash. WAL that it writes stays in `data` until that cluster archives it."""
    with workspace.folder() as folder, _server(s, data, durable, folder) as server:
        yield server


@contextlib.contextmanager
def _server(s: Settings, data: str, durable: bool, folder: str) -> Iterator[Cluster]:
    # Owned by root, except for the socket's directory, in which root writes nothing.
    sockets = workspace.give(f"{folder}/sockets", s.user)
    for name, text in (("hba", f"local all {s.user} peer\n"), ("ident", "")):
        safepath.write(f"{folder}/{name}", text.encode(), 0o644, os.geteuid(), os.getegid())
    settings = {
        "data_directory": data,
        "hba_file": f"{folder}/hba",
        "ident_file": f"{folder}/ident",
        "external_pid_file": "",
        "unix_socket_directories": sockets,
        "listen_addresses": "",
        "logging_collector": "off",
        "log_destination": "stderr",
        # With an empty command, WAL is kept until another command is set.
        "archive_mode": "on",
        "archive_command": "",
        "hot_standby": "off",
        "fsync": "on" if durable else "off",
        # No background activity: no jobs of extensions, no vacuum.
        "shared_preload_libraries": "",
        "autovacuum": "off",
        "shared_buffers": "128MB",
        "huge_pages": "off",
    }
    words = (
        f"{s.bin}/postgres",
        f"--config-file={s.config}",
        *(word for item in settings.items() for word in ("-c", "=".join(item))),
    )
    with os.fdopen(os.memfd_create("log"), "w+", errors="replace") as log:
        server = process.start(words, s.user, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _await(s, data, server, log)
            yield Cluster(s, sockets)
        finally:
            server.send_signal(signal.SIGINT)  # a fast shutdown
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(300)
            process.end(server, grace=1)


def _await(s: Settings, data: str, server: subprocess.Popen[bytes], log: IO[str]) -> None:
    """Poll postmaster.pid for "ready", as pg_ctl does; connection attempts before that would clutter the log."""
    until, reported = time.monotonic() + process.LONG, time.monotonic()
    while server.poll() is None and time.monotonic() < until:
        # Read as the account that owns the directory.
        if (
            process.run(("sed", "--quiet", "8p", f"{data}/postmaster.pid"), s.user, seconds=PATIENCE)[1].strip()
            == "ready"
        ):
            return
        if time.monotonic() - reported > 10:
            reported = time.monotonic()
            say("PostgreSQL is reading WAL")
        time.sleep(0.1)
    log.seek(0)
    text = log.read()
    if "recovery ended before configured recovery target was reached" in text:
        last = re.findall(r"last completed transaction was at log time (.*)", text)
        raise Failure(
            f"the archived WAL ends before that{f', with a transaction of {last[-1]}' if last else ''}; "
            "`--to latest` restores all that was archived"
        )
    raise Failure(f"PostgreSQL does not start with the restored data:\n{process.indented(text)}")


def forget_recovery(server: Cluster) -> None:
    """Reset the recovery settings, so that the next start does not recover again."""
    for name in (
        "restore_command",
        *(f"recovery_target{end}" for end in ("", "_name", "_time", "_lsn", "_action", "_timeline")),
    ):
        server.ask(f"ALTER SYSTEM RESET {name}")


def verify_pages(s: Settings, data: str) -> None:
    """Verify the page checksums of a stopped server. Raises Failure for a damaged page."""
    say("compare the checksum of every page")
    status, output = process.run((f"{s.bin}/pg_checksums", "--check", f"--pgdata={data}"), s.user, seconds=process.LONG)
    if status and "not enabled" not in output:
        raise Failure(f"the restored data is damaged:\n{process.indented(output)}")
