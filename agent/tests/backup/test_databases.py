"""Databases under an attacker's control: the queries of a session, the comparison, and the role that loads each part of
a dump."""

import os
import threading
import time
import unittest
from dataclasses import replace
from pathlib import Path

from gatehouse.backup import drill, owners, postgres, tables
from gatehouse.backup.inventory import Settings
from gatehouse.backup.postgres import Cluster, Refused, Session
from gatehouse.output.report import Failure
from gatehouse.output.table import legible
from gatehouse.system import process
from tests import support
from tests.backup.test_backups import backup
from tests.support import HostTest, at

# Answers each statement with the content of the file in the test's folder that is named after its first two words, and
# `\echo` as psql does.
PSQL = """#!/usr/bin/env python3
import os
import sys
state = "00000"
for line in sys.stdin:
    if line.startswith("\\\\echo "):
        print(line.split()[1], state, flush=True)
        continue
    name = " ".join(line.strip(";\\n").split()[:2])
    answer = f"{os.path.dirname(__file__)}/{name}"
    state = "00000"
    if os.path.exists(answer):
        text = open(answer).read()
        if text.startswith("!"):
            state, _, message = text[1:].partition(" ")
            sys.stderr.write(f"ERROR:  {message}")
            sys.stderr.flush()
        elif text.startswith("end"):
            sys.exit(2)
        else:
            sys.stdout.write(text)
"""


class Alone(HostTest):
    def test_sessions_in_a_database_are_terminated_only_until_it_is_renamed(self):
        server, asked = Cluster(Settings("main", "r", 7, "/bin", "c", "d", "postgres", "p", "s", ()), "/socket"), []

        def ask(sql):
            asked.append(sql)
            if len(asked) == 2:
                twice.set()
                raise Failure("it does not answer right now")

        twice = threading.Event()
        self.patch(server, "ask", ask)
        with server.alone("wiki", "o'clock"):
            self.assertTrue(twice.wait(5))
        ended = len(asked)
        time.sleep(0.4)
        self.assertEqual(len(asked), ended)
        self.assertIn("datname IN ('wiki', 'o''clock')", asked[0])


class WithPsql(HostTest):
    def setUp(self):
        super().setUp()
        Path(at("psql")).write_text(PSQL)
        os.chmod(at("psql"), 0o755)
        self.cluster = Cluster(
            Settings("main", "r", 7, str(support.TREE), "c", "d", "postgres", "p", "s", ()), "/socket"
        )
        self.cluster.__dict__["options"] = "-cwork_mem=4096"
        self.patch(process, "identity", lambda *_: {})
        self.session = Session(self.cluster, "wiki")
        self.addCleanup(self.session.close)

    def says(self, **answers: str) -> None:
        """Sets the answer to COPY of each table."""
        for table, text in answers.items():
            Path(at(f"COPY {table}")).write_text(text)


class Sessions(WithPsql):
    def test_a_row_cannot_be_mistaken_for_the_end(self):
        self.says(a="00000\n\\echo\n:SQLSTATE\n")
        self.assertEqual(self.session.ask("COPY a"), "00000\n\\echo\n:SQLSTATE")
        other = Session(self.cluster, "wiki")
        self.addCleanup(other.close)
        self.assertNotEqual(self.session._mark, other._mark)

    def test_a_failed_statement_raises_its_sqlstate_and_the_session_continues(self):
        self.says(a="!55P03 canceling\x1b[2J statement\n", b="1\n")
        with self.assertRaises(Refused) as refused:
            self.session.ask("COPY a")
        self.assertEqual(
            (refused.exception.state, str(refused.exception)), ("55P03", "ERROR: canceling\\x1b[2J statement")
        )
        self.assertEqual(self.session.ask("COPY b"), "1")

    def test_a_session_that_ends_or_does_not_answer_is_a_failure(self):
        self.says(a="end")
        with self.assertRaisesRegex(Failure, "ended the connection"):
            self.session.ask("COPY a")
        Path(at("psql")).write_text("#!/bin/sh\nexec sleep 60\n")
        silent = Session(self.cluster, "wiki")
        self.addCleanup(silent.close)
        with self.assertRaisesRegex(Failure, "ended the connection"):
            silent.ask("SELECT 1", seconds=0.1)

    def test_the_connection_overrides_settings_of_the_database(self):
        words = self.cluster.command("psql", "x")
        self.assertIn("PGOPTIONS=-cwork_mem=4096 -crole=none -csession_authorization=postgres", words)
        self.assertIn("--username=evil", self.cluster.command("pg_restore", login="evil"))

    def test_a_name_is_not_parsed_as_a_connection_string(self):
        for name, written in (("wiki", "dbname='wiki'"), ("a'b\\c host=x", "dbname='a\\'b\\\\c host=x'")):
            self.assertEqual(postgres.named(name), written)
        self.assertEqual(legible("a\nb\x1b[2J" + "x" * 400), "a b\\x1b[2J" + "x" * 290 + " ...")


class Tables(WithPsql):
    def read(self) -> tuple[dict, str | None]:
        Path(at("SELECT coalesce(json_agg(format('%I.%I',")).write_text('["public.a", "public.b"]\n')
        return tables.read(self.session)

    def test_rows_are_added_up_in_any_order_and_each_byte_counts(self):
        Path(at("COPY public.a")).write_text("1\tx\n2\ty\n")
        Path(at("COPY public.b")).write_text("2\ty\n1\tx\n")
        found, missing = self.read()
        self.assertIsNone(missing)
        self.assertEqual(found["public.a"], found["public.b"])
        self.assertEqual((found["public.a"].number, found["pg_catalog.pg_largeobject"]), (2, (0, "0")))
        Path(at("COPY public.b")).write_text("2\ty\n1\tX\n")
        changed, _ = self.read()
        self.assertNotEqual(changed["public.b"][1], found["public.b"][1])

    def test_a_row_larger_than_a_chunk_counts_once(self):
        self.patch(postgres, "_PIECE", 100)
        Path(at("COPY public.a")).write_text("x" * 1000 + "\n" + "y" * 99 + "\n")
        self.assertEqual(self.read()[0]["public.a"][0], 2)

    def test_a_table_that_cannot_be_read_is_left_out_and_named(self):
        Path(at("COPY public.a")).write_text("!55P03 canceling statement due to lock timeout\n")
        Path(at("COPY public.b")).write_text("1\n")
        found, missing = self.read()
        self.assertEqual(list(found), ["public.b", "pg_catalog.pg_largeobject"])
        self.assertEqual(missing, "not read: public.a (another session holds a lock on it)")
        Path(at("COPY public.b")).write_text("end")
        found, missing = self.read()
        self.assertEqual(found, {})
        self.assertIn("the rest (PostgreSQL ended the connection)", missing)


class Comparing(unittest.TestCase):
    RECORD = replace(
        backup("first", 0, "0/10"),
        sums=tables.KIND,
        tables={"wiki": {"public.page": [3, "77"]}, "blog": {"public.post": [1, "5"]}},
    )

    def test_a_table_that_differs_from_its_record_is_found(self):
        same = {"public.page": [3, "77"]}
        self.assertEqual(drill._differing(self.RECORD, "wiki", same), [])
        for found in ({"public.page": [3, "78"]}, {}, same | {"public.more": [0, "0"]}):
            self.assertEqual(len(drill._differing(self.RECORD, "wiki", found)), 1)

    def test_tables_without_a_record_are_not_compared(self):
        other = {"public.page": [3, "78"], "public.more": [0, "0"]}
        left_out = replace(
            self.RECORD, incomplete={"database wiki": "locked"}, tables={"wiki": {"public.page": [3, "78"]}}
        )
        self.assertEqual(drill._differing(left_out, "wiki", other), [])
        self.assertEqual(drill._differing(self.RECORD, "new", other), [])
        for record in (
            replace(self.RECORD, sums=""),
            replace(self.RECORD, exact=False),
            replace(self.RECORD, exact=False, moved=["wiki"]),
        ):
            self.assertEqual(drill._differing(record, "wiki", other), [])

    def test_if_one_database_was_in_use_the_others_are_still_compared(self):
        record = replace(self.RECORD, exact=False, moved=["wiki"])
        self.assertEqual(drill._differing(record, "blog", {"public.post": [1, "6"]}), ["public.post"])


LIST = """;
; Archive created at 2026-11-30 02:00:00 UTC
;
5; 2615 2200 SCHEMA - public pg_database_owner
3401; 0 0 COMMENT - SCHEMA public pg_database_owner
3402; 0 0 ACL - SCHEMA public pg_database_owner
2; 3079 16395 EXTENSION - citext \n\
3403; 0 0 COMMENT - EXTENSION citext \n\
210; 1255 16400 FUNCTION public chk(integer) evil
211; 1259 16401 TABLE public bait evil
212; 1259 16402 TABLE public operators postgres
213; 1259 16403 TABLE public x postgres evil
220; 2605 16410 CAST - CAST (public.bait AS text) \n\
3380; 0 16401 TABLE DATA public bait evil
3381; 0 16402 TABLE DATA public operators postgres
214; 1259 16404 TABLE public lent second
3404; 0 0 ACL public TABLE bait evil
3405; 826 16500 DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES evil
"""
POST = "3300; 1259 16420 INDEX public bait_idx evil\n3301; 1259 16421 INDEX public operators_idx postgres\n"


class Owners(HostTest):
    def setUp(self):
        super().setUp()
        self.loaded: list[tuple[str, str | None, list[str], bool]] = []
        self.cluster = Cluster(Settings("main", "r", 7, "/bin", "c", "d", "postgres", "p", "s", ()), "/socket")
        self.cluster.__dict__["options"] = ""
        self.asked: list[str] = []
        self.patch(self.cluster, "ask", lambda sql, database="postgres": self.asked.append(sql) or "postgres")
        self.patch(process, "run", self.run_command)

    def run_command(self, words: tuple[str, ...], *_, **__) -> tuple[int, str]:
        if "--list" in words:
            return 0, POST if "--section=post-data" in words else LIST
        login = next(word for word in words if word.startswith("--username=")).removeprefix("--username=")
        listed = Path(
            next(word for word in words if word.startswith("--use-list=")).removeprefix("--use-list=")
        ).read_text()
        role = next((word.removeprefix("--role=") for word in words if word.startswith("--role=")), None)
        self.asked.append(f"-- load as {role}")
        self.loaded.append(
            (login, role, [line.partition(";")[0] for line in listed.splitlines()], "--no-owner" in words)
        )
        return 0, ""

    def test_the_superuser_loads_only_entries_that_call_nothing_and_each_owner_its_own(self):
        owners.load(self.cluster, at("dump/archive"), "wiki_restored", "evil")
        self.assertEqual(
            self.loaded,
            [
                ("postgres", None, ["5", "3401", "3402", "2", "3403", "212", "3381", "3301"], False),
                ("gatehouse_loads", "evil", ["210", "211", "213", "220", "3380"], True),
                ("gatehouse_loads", "second", ["214"], True),
                ("postgres", None, ["3404"], False),
                ("gatehouse_loads", "evil", ["3300"], True),
                ("postgres", None, ["3405"], False),
            ],
        )

    def test_the_loading_role_is_a_member_of_one_owner_at_a_time_and_keeps_nothing(self):
        owners.load(self.cluster, at("dump/archive"), "wiki_restored", "evil")
        begins = next(index for index, sql in enumerate(self.asked) if sql == "-- load as second")
        before, after = self.asked[begins - 1], self.asked[begins + 1]
        self.assertIn("EXECUTE format('REVOKE %I FROM gatehouse_loads', other)", before)
        self.assertIn('GRANT "second" TO gatehouse_loads; END', before)
        self.assertEqual(after, 'REASSIGN OWNED BY gatehouse_loads TO "second"')
        self.assertEqual(
            self.asked[-2:],
            ['REVOKE CONNECT ON DATABASE "wiki_restored" FROM gatehouse_loads', "DROP ROLE gatehouse_loads"],
        )

    def test_an_unknown_line_is_an_error(self):
        self.patch(process, "run", lambda *_, **__: (0, "; a remark\nTABLE public bait evil\n"))
        with self.assertRaisesRegex(Failure, "unknown line: 'TABLE public bait evil'"):
            owners.contents(self.cluster, "archive")


if __name__ == "__main__":
    unittest.main()
