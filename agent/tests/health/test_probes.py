"""Probes against real servers; only systemd and the clock are simulated."""

import contextlib
import socket
import socketserver
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from unittest import mock

from gatehouse.health import probes
from gatehouse.output import report
from gatehouse.protocol.manifest import Probe
from tests import support
from tests.support import ROOM


class Site(BaseHTTPRequestHandler):
    """Answers with the status in the path and, except for 204, a long body with the host and the path."""

    def do_GET(self):
        self.send_response(int(self.path[1:4]))
        self.end_headers()
        if self.path[1:4] != "204":
            body = f"the answer of {self.headers['Host']} to {self.path}"
            self.wfile.write(body.encode() + b"." * 100_000 + b"the end")

    def log_message(self, *_):
        pass


class Questions(unittest.TestCase):
    def served(self, server) -> str:
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.shutdown)
        return (
            server.server_address if isinstance(server.server_address, str) else "{}:{}".format(*server.server_address)
        )

    def ask(self, complaint: str | None, **keys) -> None:
        complaint_of_probe = probes.ask(Probe(name="p", **keys))
        if complaint is None:
            self.assertIsNone(complaint_of_probe)
        else:
            self.assertIn(complaint, complaint_of_probe)

    def test_http_checks_the_status(self):
        at = self.served(ThreadingHTTPServer(("127.0.0.1", 0), Site))
        for path, keys, complaint in (
            ("200", {}, None),
            ("204", {}, None),
            ("302", {}, "answers 302 instead of 2xx"),
            ("503", {}, "answers 503 instead of 2xx"),
            ("204", {"status": 204}, None),
            ("503", {"status": 503}, None),
            ("200", {"status": 204}, "answers 200 instead of 204"),
            ("200?a=b", {"body": "to /200?a=b."}, None),
            ("200", {"body": "another answer"}, "answers without 'another answer' in its first 65536 bytes"),
            ("200", {"body": "the end"}, "answers without 'the end'"),
            ("503", {"body": "answer"}, "answers 503"),
            ("503", {"body": "answer", "status": 503}, None),
        ):
            with self.subTest(path=path, **keys):
                self.ask(complaint, http=f"http://{at}/{path}", **keys)

    def test_an_endless_stream_is_read_until_the_limit(self):
        class Stream(Site):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                with contextlib.suppress(OSError):
                    while True:
                        self.wfile.write(b".")
                        time.sleep(0.01)

        at = self.served(ThreadingHTTPServer(("127.0.0.1", 0), Stream))
        with mock.patch.object(probes, "ANSWER", 0.3):
            self.ask("answers without 'never'", http=f"http://{at}/", body="never")
            self.ask(None, http=f"http://{at}/", body="..")

    def test_http_can_connect_to_another_address(self):
        at = self.served(ThreadingHTTPServer(("127.0.0.1", 0), Site))
        for name in ("nowhere.invalid", "nowhere.invalid:8080"):
            self.ask(None, http=f"http://{name}/200", connect=at, body=f"answer of {name} to")
        self.ask("nowhere.invalid", http="http://nowhere.invalid/200")

    def test_a_url_without_a_host_is_an_error(self):
        self.ask("http:///200 names no host", http="http:///200")

    def test_tcp_and_unix_sockets_must_accept(self):
        address = self.served(socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler))
        path = self.served(socketserver.UnixStreamServer(str(ROOM / "answers.sock"), socketserver.BaseRequestHandler))
        self.ask(None, tcp=address)
        self.ask(None, socket=path)
        with socket.socket() as taken:  # a reserved port without a listener
            taken.bind(("127.0.0.1", 0))
            self.ask("Connection refused", tcp=f"127.0.0.1:{taken.getsockname()[1]}")
        self.ask("No such file or directory", socket=str(ROOM / "nothing.sock"))

    def test_ipv6_addresses_are_in_brackets(self):
        self.assertEqual(probes._endpoint("[::1]:443"), ("::1", 443))
        self.assertEqual(probes._endpoint("app.internal:80"), ("app.internal", 80))

    def test_a_command_that_hangs_is_stopped(self):
        with mock.patch.object(probes, "ANSWER", 0.2):
            began = time.monotonic()
            self.ask("it was stopped after 0 s", exec=("sleep", "60"))
        self.assertLess(time.monotonic() - began, 10)


class AUnit(support.HostTest):
    PROBE: ClassVar = {"name": "it stays", "unit": "app.service", "seconds": 3}

    def apply_it(self, **keys):
        return self.apply(
            deadline=20,
            unit=[{"name": "app.service"}],
            file=[support.file("etc/app.conf", "x")],
            probe=[self.PROBE],
            **keys,
        )

    def test_that_runs_long_enough_is_healthy(self):
        self.apply_it()
        self.assertAlmostEqual(self.clock.now, 3, delta=0.5)

    def test_that_ran_before_is_not_waited_for(self):
        self.apply_it()
        self.clock.now = 100.0
        self.apply(
            deadline=20,
            unit=[{"name": "app.service"}],
            file=[support.file("etc/app.conf", "y", reloads=["app.service"])],
            probe=[self.PROBE | {"seconds": 19}],
        )
        self.assertEqual(self.clock.now, 100.0)

    def flapping(self):
        """A unit that is active at each check, but restarts every second."""
        sleep = self.clock.sleep

        def on(seconds):
            sleep(seconds)
            for unit in self.systemd.since:
                self.systemd.since[unit] = float(int(self.clock.now))

        self.clock.sleep = on

    def test_that_flaps_is_not_healthy_although_it_is_active(self):
        self.flapping()
        self.refused(
            report.NOTHING_BEFORE,
            "probe it stays: app.service has run for",
            "of 3 s since it was last started",
            call=self.apply_it,
        )

    def test_that_flaps_passes_without_such_a_probe(self):
        self.flapping()
        self.apply(deadline=20, unit=[{"name": "app.service"}], file=[support.file("etc/app.conf", "x")])

    def test_that_is_not_running_is_reported(self):
        self.assertEqual(probes.ask(Probe(name="p", unit="app.service")), "app.service is not running")

    def test_progress_names_what_is_missing_every_ten_seconds(self):
        self.flapping()
        self.refused(report.NOTHING_BEFORE, "not healthy within the deadline", call=self.apply_it)
        self.assertEqual(
            [line.split(", ")[1].split(":")[0] for line in self.output if "waiting" in line], ["10 s left"]
        )


if __name__ == "__main__":
    unittest.main()
