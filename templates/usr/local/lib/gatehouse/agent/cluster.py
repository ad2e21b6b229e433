"""PostgreSQL asked: the one that everybody uses, or a private one on folders of its own."""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import commands
from backups import Settings
from report import Failure, say

# What no setting of a client's may change in the text of a row.
_PLAIN = "SET datestyle = 'ISO, YMD'; SET timezone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET intervalstyle = 'postgres'; SET statement_timeout = 0;"
_TABLES = """SELECT coalesce(json_agg(format('%I.%I', nspname, relname) ORDER BY nspname, relname), '[]') FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind IN ('r', 'm') AND relpersistence = 'p' AND relispopulated AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_toast%'"""
_DATABASES = "SELECT coalesce(json_agg(datname ORDER BY datname), '[]') FROM pg_database WHERE datallowconn AND NOT datistemplate"


class Cluster:
    """A server that is reached by a socket in `folder`."""

    def __init__(self, s: Settings, folder: str):
        self.settings, self.folder = s, folder

    def psql(self, database: str) -> tuple[str, ...]:
        return (f"{self.settings.bin}/psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
                f"--host={self.folder}", f"--dbname={database}")

    def ask(self, sql: str, database: str = "postgres") -> str:
        status, output = commands.run((*self.psql(database), "--command", sql), self.settings.user, seconds=commands.LONG)
        if status:
            raise Failure(f"PostgreSQL refuses in database {database}:\n{commands.indented(output)}")
        return output.strip()

    def databases(self) -> list[str]:
        return json.loads(self.ask(_DATABASES))


class Session:
    """psql in one database, which does one thing after the other."""

    def __init__(self, cluster: Cluster, database: str):
        self.cluster, self.database = cluster, database
        self.process = commands.start(cluster.psql(database), cluster.settings.user, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True)

    def send(self, sql: str) -> None:
        try:
            self.process.stdin.write(f"{sql};\n\\echo :\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # told by `answer`

    def answer(self) -> str:
        """What it said since the last time."""
        lines = []
        for line in self.process.stdout:
            if line == ":\n":
                return "".join(lines).strip()
            lines.append(line)
        raise Failure(f"PostgreSQL refuses in database {self.database}:\n{commands.indented(''.join(lines))}")

    def ask(self, sql: str) -> str:
        self.send(sql)
        return self.answer()

    def close(self) -> None:
        commands.end(self.process, grace=1)


@contextlib.contextmanager
def sessions(cluster: Cluster, databases: list[str]):
    opened = [Session(cluster, name) for name in databases]
    try:
        for session in opened:
            session.send(_PLAIN)
        for session in opened:
            session.answer()
        yield opened
    finally:
        for session in opened:
            session.close()


def fingerprints(session: Session) -> dict[str, list]:
    """Number of rows of each table of a database, and a sum over their contents that their order does not change."""
    tables = json.loads(session.ask(_TABLES)) + ["pg_catalog.pg_largeobject"]
    return {table: json.loads(session.ask(
        f"SELECT json_build_array(count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text) FROM ONLY {table} t")) for table in tables}


@contextlib.contextmanager
def private(s: Settings, data: str, durable: bool):
    """A server on `data` that nobody else reaches, once it has read all WAL that it is to read. Not `durable`: it may
    forget what the machine forgets. WAL that it writes waits in `data` until the cluster there has a way to archive it."""
    owner = pwd.getpwnam(s.user)
    folder = f"{data}.server"
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder, 0o700)
    Path(folder, "hba").write_text(f"local all {s.user} peer\n")
    Path(folder, "ident").touch()
    for path in (folder, f"{folder}/hba", f"{folder}/ident"):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    settings = {
        "data_directory": data, "hba_file": f"{folder}/hba", "ident_file": f"{folder}/ident", "external_pid_file": f"{folder}/pid",
        "unix_socket_directories": folder, "listen_addresses": "", "logging_collector": "off", "log_destination": "stderr",
        # An empty command: WAL is kept until there is another one.
        "archive_mode": "on", "archive_command": "", "hot_standby": "off", "fsync": "on" if durable else "off",
        # Nothing of its own accord: no jobs of extensions, no vacuum.
        "shared_preload_libraries": "", "autovacuum": "off", "shared_buffers": "128MB", "huge_pages": "off",
    }
    words = (f"{s.bin}/postgres", f"--config-file={s.config}", *(word for item in settings.items() for word in ("-c", "=".join(item))))
    server = Cluster(s, folder)
    with open(f"{folder}/log", "w+", errors="replace") as log:
        process = commands.start(words, s.user, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _await(data, process, log)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # a fast shutdown
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(300)
            commands.end(process, grace=1)
            shutil.rmtree(folder)


def _await(data: str, process: subprocess.Popen, log) -> None:
    """It says so itself, in the file that pg_ctl reads too; who connects before fills the log."""
    until, told = time.monotonic() + commands.LONG, time.monotonic()
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError):
            if Path(data, "postmaster.pid").read_text().splitlines()[7:8] == ["ready   "]:
                return
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say("PostgreSQL is reading WAL")
        time.sleep(0.1)
    log.seek(0)
    text = log.read()
    if "recovery ended before configured recovery target was reached" in text:
        last = re.findall(r"last completed transaction was at log time (.*)", text)
        raise Failure(f"what was saved ends before that{f', with a transaction of {last[-1]}' if last else ''}: the rest had not been archived yet; "
                      "`--to latest` restores all that was saved")
    raise Failure(f"PostgreSQL does not start on what was restored:\n{commands.indented(text)}")


def forget_recovery(server: Cluster) -> None:
    """How a cluster came to be must not be how it starts next time."""
    for name in ("restore_command", *(f"recovery_target{end}" for end in ("", "_name", "_time", "_lsn", "_action", "_timeline"))):
        server.ask(f"ALTER SYSTEM RESET {name}")


def verify_pages(s: Settings, data: str) -> None:
    """Of a server that is stopped."""
    say("compare the checksum of every page")
    status, output = commands.run((f"{s.bin}/pg_checksums", "--check", f"--pgdata={data}"), s.user, seconds=commands.LONG)
    if status and "not enabled" not in output:
        raise Failure(f"what was restored is damaged:\n{commands.indented(output)}")
