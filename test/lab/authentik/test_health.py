"""The stand-in's health is that of each series. Run with python3 -m unittest discover -s test/lab/authentik"""
import os
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent / "lifecycle"))

import health  # noqa: E402
import healthcheck  # noqa: E402

OLDEST, MIDDLE, NEWER, NEWEST = "2025.8.7", "2025.10.4", "2025.12.5", "2026.8.3"
HERE, GONE = (lambda: True), (lambda: False)


class Paths(unittest.TestCase):
    def test_while_it_starts(self) -> None:
        for version, live in (OLDEST, 200), (MIDDLE, 502), (NEWER, 502), (NEWEST, 502):
            self.assertEqual(health.live(version, False, HERE), (live, "", "text/html"), version)
            answer = health.ready(version, False, HERE)
            self.assertEqual((answer.status, "authentik starting" in answer.body), (503, True), version)

    def test_once_it_has_started(self) -> None:
        for version in OLDEST, MIDDLE, NEWER, NEWEST:
            self.assertEqual((health.live(version, True, HERE).status, health.ready(version, True, HERE).status), (200, 200), version)

    def test_without_its_database(self) -> None:
        for version, live, ready, page in (OLDEST, 200, 503, False), (MIDDLE, 502, 503, False), (NEWER, 502, 500, True), (NEWEST, 502, 500, True):
            answer = health.ready(version, True, GONE)
            self.assertEqual((health.live(version, True, GONE).status, answer.status, bool(answer.body)), (live, ready, page), version)


class Live(BaseHTTPRequestHandler):
    status = 200

    def do_HEAD(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_) -> None:
        pass


class TheCommand(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        mock.patch.object(healthcheck, "log").start()
        self.addCleanup(mock.patch.stopall)

    def mode(self, mode: str) -> None:
        (self.folder / "authentik-mode").write_text(mode)

    def test_of_a_server_asks_at_the_address_where_it_listens(self) -> None:
        for status in 200, 502:
            server = HTTPServer(("127.0.0.1", 0), type("Answer", (Live,), {"status": status}))
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            self.addCleanup(server.server_close)
            self.addCleanup(server.shutdown)
            self.mode("server")
            with mock.patch.dict(os.environ, {"AUTHENTIK_LISTEN__HTTP": "127.0.0.1:{}".format(server.server_port)}):
                if status == 200:
                    healthcheck.check(self.folder, OLDEST)
                else:
                    self.assertRaisesRegex(ConnectionError, "the server answers 502", healthcheck.check, self.folder, NEWER)

    def test_of_a_worker_asks_whether_its_process_is_there(self) -> None:
        self.mode("worker")
        self.assertRaises(FileNotFoundError, healthcheck.check, self.folder, NEWER)
        (self.folder / "authentik-worker.pid").write_text(str(os.getpid()))
        healthcheck.check(self.folder, NEWER)
        (self.folder / "authentik-worker.pid").write_text("4194304")  # above the highest PID
        self.assertRaises(ProcessLookupError, healthcheck.check, self.folder, NEWER)

    def test_of_the_newest_asks_over_its_own_socket(self) -> None:
        for mode in "server", "worker":
            self.mode(mode)
            self.assertRaisesRegex(FileNotFoundError, "No such file", healthcheck.check, self.folder, NEWEST)


if __name__ == "__main__":
    unittest.main()
