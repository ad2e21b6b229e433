"""The stand-in's HTTP answers, on TCP and on authentik's own Unix socket."""
import contextlib
import http.server
import json
import os
import socket
import socketserver
import threading
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg2

import database
import first
import health
import media
import recovery
import valkey
from forwarded import origin
from log import log


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status: int, body: object = "", kind: str = "application/json") -> None:
        text = body if isinstance(body, str) else json.dumps({"stand-in": "this is not authentik", **body}, indent=2, default=str) + "\n"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(BrokenPipeError):  # a client that did not wait for its answer
                self.wfile.write(text.encode())

    def log_request(self, code="-", size="-") -> None:
        if not self.path.startswith("/-/health/"):
            log("request", method=self.command, path=urlsplit(self.path).path, status=int(code))

    def log_message(self, format: str, *args: object) -> None:
        log(format % args, "error")


class Metrics(Answer):
    def do_GET(self) -> None:
        self.reply(200, "# a stand-in, not authentik\nauthentik_stand_in 1\n", "text/plain")


class Page(Answer):
    site: "Site"  # set by Site.listen

    def do_GET(self) -> None:
        path = self.inside() or ""
        answers = {"/": self.page, "/notes": self.notes, "/if/flow/initial-setup/": self.setup_page,
                   "/api/v3/flows/executor/initial-setup/": self.initial_setup}
        upload = media.found(self.site.version, path) and self.upload
        self.answer(self.recovery if path.startswith("/recovery/use-token/") else answers.get(path) or upload)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer({"/notes": self.add_note}.get(self.inside()))

    def inside(self) -> str | None:
        """The request's path below authentik's configured base path, as authentik reads it; None outside of that."""
        path, base = unquote(urlsplit(self.path).path), self.site.settings.get("web.path", "/")
        return path[len(base) - 1:] if path.startswith(base) else None

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(media.found(self.site.version, self.inside()) and (lambda: self.add_upload(content)))

    def answer(self, respond) -> None:
        asked = {health.LIVE: health.live, health.READY: health.ready}.get(self.inside())
        if asked:
            return self.reply(*asked(self.site.version, self.site.started, self.reached))
        if not self.site.started:
            return self.reply(*health.STARTING)
        if not respond or self.site.mode == "worker":
            return self.reply(404, {"error": f"nothing at {self.path}"})
        try:
            respond()
        except psycopg2.Error as error:
            log("PostgreSQL does not answer", "error", error=str(error).strip())
            self.reply(*health.FAILED)

    def reached(self) -> bool:
        """Whether the stores respond. Their errors are only logged."""
        try:
            database.ask(self.site.settings, "SELECT 1")
            if valkey.used_by(self.site.version):
                valkey.ping(self.site.settings)
        except (psycopg2.Error, ConnectionError) as error:
            log("a store does not answer", "error", error=str(error).strip())
            return False
        return True

    def recovery(self) -> None:
        key = str(self.inside()).split("/")[3]
        if not recovery.use_recovery_key(self.site.settings, key):
            return self.reply(404, {"error": "no such key, or it was used"})
        self.send_response(302)
        self.send_header("Location", "/if/user/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def page(self) -> None:
        site = self.site
        self.reply(200, {
            "version": site.version, "mode": site.mode,
            "uid": os.getuid(), "gid": os.getgid(), "groups": sorted(os.getgroups()),
            "postgresql": database.facts(site.settings),
            "valkey": valkey.round_trip(site.settings) if valkey.used_by(site.version) else "not used",
            "data": {"path": site.data, "mounted": os.path.ismount(site.data), "writable": os.access(site.data, os.W_OK)},
            "request": origin(self.client_address[0] if self.client_address else "", self.headers, site.settings["listen.trusted_proxy_cidrs"]),
            "base_url": site.settings["web.base_url"],
        })

    def setup_page(self) -> None:
        """The page requests the flow as soon as it is opened."""
        self.reply(200, "<ak-flow-executor></ak-flow-executor>\n", "text/html")

    def initial_setup(self) -> None:
        self.reply(200, first.setup(self.site.settings))

    def upload(self) -> None:
        path = media.found(self.site.version, self.inside())
        if not path.is_file():
            return self.reply(404, {"error": f"no file {path}"})
        self.reply(200, path.read_text(), "application/octet-stream")

    def add_upload(self, content: bytes) -> None:
        path = media.found(self.site.version, self.inside())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.reply(201, {"path": str(path)})

    def notes(self) -> None:
        rows = database.ask(self.site.settings, 'SELECT id, "timestamp", text FROM stand_in_notes ORDER BY id')
        self.reply(200, {"notes": [{"id": number, "timestamp": when, "text": text} for number, when, text in rows]})

    def add_note(self) -> None:
        text = parse_qs(urlsplit(self.path).query).get("text")
        if not text:
            return self.reply(400, {"error": "no text; ask for POST /notes?text=..."})
        [(number,)] = database.ask(self.site.settings, "INSERT INTO stand_in_notes (text) VALUES (%s) RETURNING id", text[0])
        self.reply(201, {"id": number})


class Tcp(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)


class Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class Site:
    """One running server or worker: the content of its pages, and where they are served."""

    def __init__(self, settings: dict, version: str, mode: str, data: str) -> None:
        self.settings, self.version, self.mode, self.data = settings, version, mode, data
        self.started = False  # until the core has started

    def listen(self, http_at: list, https_at: list, metrics_at: list, path: Path) -> None:
        page = type("Page", (Page,), {"site": self})
        for kind, handler, addresses in (("HTTP", page, http_at), ("HTTPS, without TLS", page, https_at), ("metrics", Metrics, metrics_at)):
            for host, port in addresses:
                at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                try:
                    self.start(Tcp((host, port), handler))
                except OSError as error:
                    raise OSError(error.errno, f"{error.strerror}: cannot listen on {at} for {kind}") from None
                log("listening", at=at, kind=kind)
        path.unlink(missing_ok=True)  # like authentik: two servers that share a /dev/shm take it from each other
        self.start(Unix(str(path), page))

    @staticmethod
    def start(server: socketserver.BaseServer) -> None:
        threading.Thread(target=server.serve_forever, daemon=True).start()
