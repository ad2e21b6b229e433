"""The data in a service survives a restart, or the restart is rolled back."""

import os
import socketserver
import threading
import unittest
from pathlib import Path

from gatehouse.output.report import NOTHING_BEFORE, ROLLED_BACK
from gatehouse.release import holdings, journal, remove, undo
from gatehouse.state.store import Release
from gatehouse.tree import files
from tests import support
from tests.support import HostTest, at, file, live, shell

UNIT = "valkey.service"


class Valkey:
    """A server that stores its keys as Valkey does: a setting selects the file that it reads at its start, and it
    writes dump.rdb when it exits."""

    def __init__(self, socket: str, config: str, data: str):
        self.config, self.data, self.socket = Path(config), Path(data), socket
        self.allowed, self.asked = {"INFO", "CLIENT", "SAVE", "CONFIG", "BGREWRITEAOF", "PING"}, []
        self.saves, self.runs, self.paused = True, False, False
        self.expiring, self.limit = set(), None  # keys that expire in a restart; keys that fit into memory
        self.data.mkdir(parents=True)

        class Client(socketserver.StreamRequestHandler):
            def handle(client):
                while line := client.rfile.readline():
                    words = [
                        client.rfile.read(int(client.rfile.readline()[1:]) + 2)[:-2].decode()
                        for _ in range(int(line[1:]))
                    ]
                    client.wfile.write(self.answer(words).encode())

        self.listener = socketserver.ThreadingUnixStreamServer(socket, Client)
        self.listener.daemon_threads = True
        threading.Thread(target=lambda: self.listener.serve_forever(0.01), daemon=True).start()

    def file(self, appends: bool) -> Path:
        return self.data / ("appendonlydir/base.rdb" if appends else "dump.rdb")

    def write(self, appends: bool) -> None:
        self.file(appends).parent.mkdir(exist_ok=True)
        new = self.data / "temp-1"
        new.write_text(" ".join(sorted(self.keys)))
        new.rename(self.file(appends))

    def start(self) -> None:
        self.appends = "appendonly yes" in self.config.read_text()
        there = self.file(self.appends)
        found = set(there.read_text().split()) if there.exists() else set()
        self.expired = found & self.expiring
        self.keys, self.loaded, self.evicted, self.paused, self.runs = (
            found - self.expired,
            len(found - self.expired),
            0,
            False,
            True,
        )
        while self.limit is not None and len(self.keys) > self.limit:
            self.keys.pop()
            self.evicted += 1
        if self.appends:
            self.write(True)

    def stop(self) -> None:
        if self.runs:
            if self.saves:
                self.write(False)
            if self.appends:
                self.write(True)
        self.runs = False

    def answer(self, words: list[str]) -> str:
        self.asked.append(" ".join(words))
        if not self.runs or words[0] not in self.allowed:
            return f"-{'NOPERM' if self.runs else 'LOADING'} no\r\n"
        match words:
            case ["CLIENT", what, *_]:
                self.paused = what == "PAUSE"
            case ["SAVE"]:
                self.write(False)
            case ["CONFIG", "SET", "appendonly", "no"]:
                self.appends = False
            case ["CONFIG", "SET", "appendonly", "yes"] | ["BGREWRITEAOF"]:
                self.appends = True
                self.write(True)
            case ["INFO"]:
                info = {
                    "loading": 0,
                    "rdb_bgsave_in_progress": 0,
                    "aof_rewrite_in_progress": 0,
                    "aof_rewrite_scheduled": 0,
                    "aof_last_bgrewrite_status": "ok",
                    "aof_enabled": int(self.appends),
                    "rdb_last_load_keys_loaded": self.loaded,
                    "rdb_last_load_keys_expired": len(self.expired),
                    "expired_keys": 0,
                    "evicted_keys": self.evicted,
                    "maxmemory": int(self.limit is not None),
                    "maxmemory_human": "1B",
                    "maxmemory_policy": "noeviction" if self.limit is None else "allkeys-lru",
                    "db0": f"keys={len(self.keys)},expires=0,avg_ttl=0",
                }
                text = "".join(f"{key}:{value}\r\n" for key, value in info.items())
                return f"${len(text)}\r\n{text}\r\n"
        return "+OK\r\n"


class Keys(HostTest):
    def setUp(self):
        super().setUp()
        self.socket = at("valkey.sock")
        self.valkey = Valkey(self.socket, at("etc/valkey.conf"), at("data"))
        self.addCleanup(self.valkey.listener.server_close)
        self.addCleanup(self.valkey.listener.shutdown)
        do = self.systemd.do

        def done(verb, unit=""):
            if unit == UNIT and verb in ("stop", "restart"):
                self.valkey.stop()
            if unit == UNIT and verb in ("start", "restart"):
                self.valkey.start()
            return do(verb, unit)

        self.patch(self.systemd, "do", done)
        self.apply(**self.version())
        self.valkey.keys = {"a", "b", "c"}
        self.valkey.asked.clear()

    def version(self, appendonly: bool = False, line: str = "", **keys) -> dict:
        holding = {
            "name": "Valkey's keys",
            "unit": UNIT,
            "socket": self.socket,
            "config": at("etc/valkey.conf"),
            "data": at("data"),
            "appendonly": appendonly,
        }
        text = f"unixsocket {self.socket}\nappendonly {'yes' if appendonly else 'no'}\n{line}\n"
        return (
            dict(file=[file("etc/valkey.conf", text, restarts=[UNIT])], unit=[{"name": UNIT}], holding=[holding]) | keys
        )

    def test_without_saving_a_switch_of_appendonly_loses_all_keys(self):
        self.apply(**self.version(True, holding=[]))
        self.assertEqual(self.valkey.keys, set())

    def test_appendonly_is_switched_at_runtime_in_both_directions(self):
        self.apply(**self.version(True))
        self.assertEqual((self.valkey.keys, self.valkey.appends), ({"a", "b", "c"}, True))
        self.assertIn("CONFIG SET appendonly yes", self.valkey.asked)
        self.valkey.saves = False  # as with `save ""`
        self.valkey.keys.add("d")
        self.apply(**self.version(False))
        self.assertEqual((self.valkey.keys, self.valkey.appends), ({"a", "b", "c", "d"}, False))

    def test_writes_are_blocked_between_counting_and_restart(self):
        self.apply(**self.version(True))
        asked = [words for words in self.valkey.asked if words != "INFO"]
        self.assertEqual(
            asked[1:4], ["CLIENT PAUSE 60000 WRITE", "CONFIG SET appendonly yes", "CLIENT PAUSE 60000 WRITE"], asked
        )

    def test_keys_survive_a_restart_of_a_server_that_does_not_save_on_exit(self):
        self.valkey.saves = False
        self.apply(**self.version(line='save ""'))
        self.assertEqual(self.valkey.keys, {"a", "b", "c"})

    def test_fewer_keys_are_unhealthy_and_all_of_them_are_restored(self):
        start = self.valkey.start

        def forgetting():
            if "elsewhere" in live("etc/valkey.conf"):
                self.valkey.file(False).write_text("a")
            start()

        self.valkey.start = forgetting
        self.refused(
            ROLLED_BACK,
            "valkey.service holds less after its restart than before: 1 keys, 3 before",
            **self.version(line="elsewhere"),
        )
        self.assertEqual(
            (self.valkey.keys, live("etc/valkey.conf")),
            ({"a", "b", "c"}, f"unixsocket {self.socket}\nappendonly no\n\n"),
        )
        self.assertEqual(sorted(os.listdir(at("data"))), [".failed", "dump.rdb"])
        self.assertEqual(live("data/.failed/dump.rdb"), "a", "what the failed one had is kept")
        self.apply(**self.version(line="healthy"))
        self.assertEqual(sorted(os.listdir(at("data"))), ["dump.rdb"])

    def test_a_key_that_expires_meanwhile_is_no_loss(self):
        self.valkey.expiring = {"c"}
        self.assertEqual(self.apply(**self.version(line="other"))["generation"], 2)
        self.assertEqual(self.valkey.keys, {"a", "b"})

    def test_a_key_that_a_client_deletes_meanwhile_is_no_loss(self):
        start = self.valkey.start
        self.valkey.start = lambda: (start(), self.valkey.keys.discard("a"))
        self.assertEqual(self.apply(**self.version(line="other"))["generation"], 2)

    def test_keys_evicted_by_a_new_limit_are_restored_with_the_old_settings(self):
        start = self.valkey.start

        def limited():
            self.valkey.limit = 1 if "maxmemory" in live("etc/valkey.conf") else None
            start()

        self.valkey.start = limited
        self.refused(
            ROLLED_BACK, "2 keys were evicted, since they do not fit into maxmemory", **self.version(line="maxmemory 1")
        )
        self.assertEqual(self.valkey.keys, {"a", "b", "c"})

    def test_a_cache_that_evicted_keys_before_is_healthy(self):
        self.valkey.limit = 2
        self.apply(**self.version(line="other"))
        self.assertEqual(len(self.valkey.keys), 2)

    def test_a_rollback_for_another_reason_keeps_later_writes(self):
        for appendonly in (True, False):
            writing = shell("no", f"echo >>{at('late')}; exit 1")
            with support.mock.patch.object(support.apply, "_step", side_effect=self.late):
                self.refused(ROLLED_BACK, **self.version(appendonly, step=[writing]))
            self.assertEqual((self.valkey.keys, self.valkey.appends), ({"a", "b", "c", "late"}, not appendonly))
            self.valkey.keys.discard("late")
            self.apply(**self.version(appendonly))
            self.assertEqual(self.valkey.keys, {"a", "b", "c"})

    def late(self, *_):
        self.valkey.keys.add("late")
        raise support.report.Failure("no")

    def test_a_switch_of_a_stopped_server_is_refused(self):
        self.systemd.do("stop", UNIT)
        before = self.standing()
        self.refused(
            1,
            "Valkey's keys would be lost: with appendonly yes",
            f"{UNIT} is not running",
            "First run `pulumi up` with appendonly no, then with yes",
            **self.version(True),
        )
        self.assertEqual((self.standing(), Release("app").record.exists()), (before, False))
        self.apply(**self.version(line="other"))
        self.assertEqual(self.valkey.keys, {"a", "b", "c"}, "one that is only started reads what it wrote")

    def test_a_recreated_release_reads_the_latest_file(self):
        for appendonly in (True, False):
            self.apply(**self.version(appendonly))
            self.valkey.saves = False
            remove.remove("app", "shop/prod/app")
            self.refused(1, "would be lost", **self.version(not appendonly))
            self.apply(**self.version(appendonly, line="again"))
            self.assertEqual((self.valkey.keys, self.valkey.appends), ({"a", "b", "c"}, appendonly))

    def test_without_data_there_is_nothing_to_lose(self):
        self.systemd.do("stop", UNIT)
        self.valkey.file(False).unlink()
        self.apply(**self.version(True))
        self.assertEqual(self.systemd.active, {UNIT})

    def test_the_password_is_sent_only_to_the_releases_own_socket(self):
        for number, word in ((1, "older"), (2, "newer")):
            files.put(at(f"secrets/{number}/password"), files.Content(word.encode(), 0o600, 0, 0))
        login = {"login": "gatehouse", "passwords": at("secrets/*/password")}
        asked = [
            self.version(line=line) | {"holding": [self.version()["holding"][0] | login]} for line in ("one", "two")
        ]
        self.apply(**asked[0])
        self.assertEqual(self.valkey.asked[:2], ["AUTH gatehouse newer", "AUTH gatehouse older"])
        elsewhere = at("elsewhere.sock")
        os.link(self.socket, elsewhere)
        files.put(
            at("etc/valkey.conf"),
            files.Content(f"unixsocket {elsewhere}\nrequirepass 'by hand'\n".encode(), 0o600, 0, 0),
        )
        self.valkey.asked.clear()
        self.apply(**asked[1])
        self.assertEqual(self.valkey.asked[:2], ["AUTH by hand", "PING"])

    def test_a_server_with_the_rules_of_an_older_version_is_restarted_and_not_switched(self):
        self.valkey.allowed -= {"INFO", "CLIENT"}
        self.apply(**self.version(line="other"))
        self.assertEqual(self.valkey.keys, {"a", "b", "c"})
        self.assertIn("Valkey's keys cannot be counted before the restart", "".join(self.output))
        self.refused(1, "would be lost", "First run `pulumi up` with appendonly no", **self.version(True))

    def test_a_failure_before_the_restart_unblocks_clients(self):
        with support.mock.patch.object(support.apply, "_swap", side_effect=support.report.Failure("no")):
            self.refused(1, **self.version(True))
        self.assertEqual((self.valkey.paused, self.valkey.appends, self.valkey.keys), (False, False, {"a", "b", "c"}))

    def test_after_a_kill_the_rollback_restores_the_keys(self):
        def boot():
            self.systemd.do("stop", UNIT)
            undo.prepare(Release("app"))

        for recover in (lambda: self.apply(**self.version()), boot):
            with (
                support.mock.patch.object(support.apply, "_step", side_effect=support.Killed),
                self.assertRaises(support.Killed),
            ):
                self.apply(**self.version(True, step=[shell("any", "true")]))
            recover()
            self.systemd.do("start", UNIT)
            self.assertEqual((self.valkey.keys, self.valkey.appends), ({"a", "b", "c"}, False))

    def test_a_partly_restored_folder_is_restored(self):
        killed = "mv .before .restored"
        run = support.apply.process.run
        with support.mock.patch.object(support.apply, "_step", side_effect=self.losing):
            self.patch(
                support.apply.process,
                "run",
                lambda argv, *rest, **more: run(
                    tuple(word.replace(killed, f"{killed}; exit 1") for word in argv), *rest, **more
                ),
            )
            self.refused(
                support.report.ROLLED_BACK_UNHEALTHY,
                "cannot be copied",
                **self.version(line="x", step=[shell("any", "true")]),
            )
        self.patch(support.apply.process, "run", run)
        holdings.restore(self.last)
        self.assertEqual(live("data/dump.rdb"), "a b c")

    def losing(self, *_):
        self.last = journal.read(Release("app"))
        self.valkey.loaded = 0
        self.valkey.keys = set()
        raise support.report.Failure("no")


class Counts(HostTest):
    """Data counted by a command, as with PostgreSQL."""

    def version(self, name: str, **keys) -> dict:
        holding = shell("rows", f"cat {at('count')}", unit="app.service")
        return (
            dict(
                file=[file("etc/app.conf", name, restarts=["app.service"])],
                unit=[{"name": "app.service"}],
                holding=[holding],
            )
            | keys
        )

    def count(self, text: str) -> None:
        files.put(at("count"), files.Content(text.encode(), 0o600, 0, 0))

    def setUp(self):
        super().setUp()
        self.count("3 rows of one\n5 rows of another\n")
        self.apply(**self.version("1"))

    def becomes(self, text: str) -> dict:
        return self.version("2", step=[shell("rewrite", f"printf '{text}' >{at('count')}")])

    def test_equal_or_higher_counts_are_healthy(self):
        self.assertEqual(
            self.apply(**self.becomes("3 rows of one\\n6 rows of another\\n1 rows of a third\\n"))["generation"], 2
        )

    def test_lower_counts_are_not_healthy(self):
        self.refused(
            ROLLED_BACK,
            "app.service holds less after its restart than before: 4 rows of another, 5 before",
            **self.becomes("3 rows of one\\n4 rows of another\\n"),
        )
        self.assertEqual(live("etc/app.conf"), "1")

    def test_a_missing_count_is_zero(self):
        self.refused(
            ROLLED_BACK, "0 rows of one, 3 before; 0 rows of another, 5 before", **self.becomes("9 rows of a third\\n")
        )

    def test_a_failing_count_after_the_restart_is_not_healthy(self):
        self.refused(
            ROLLED_BACK,
            "rows cannot be counted any more",
            **self.version("2", step=[shell("gone", f"rm {at('count')}")]),
        )

    def test_a_service_that_cannot_be_counted_can_be_restarted(self):
        os.unlink(at("count"))
        self.assertEqual(self.apply(**self.version("2"))["generation"], 2)

    def test_without_a_restart_nothing_is_counted(self):
        os.unlink(at("count"))
        self.output.clear()
        self.apply(**self.version("1", step=[shell("other", "true")]))
        self.assertNotIn("counted", "".join(self.output))

    def test_a_unit_of_another_release_is_counted_too(self):
        restarting = [file("etc/other.conf", "1", restarts=["app.service"])]
        self.refused(
            NOTHING_BEFORE,
            "app.service holds less",
            release="other",
            file=restarting,
            step=[shell("less", f": >{at('count')}")],
        )


if __name__ == "__main__":
    unittest.main()
