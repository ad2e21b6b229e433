"""Whether the server or worker in this container is alive, checked like `ak healthcheck` of its series. A separate
program, since it runs often and needs no database."""
import http.client
import os
import socket
from pathlib import Path

from health import LIVE
from log import log
from versions import at_least

RUST = {"server": "2026.8", "worker": "2026.5"}  # the first series in which each of them is Rust


def check(temporary: Path, version: str) -> None:
    mode = (temporary / "authentik-mode").read_text()
    if at_least(version, RUST[mode]):
        with socket.socket(socket.AF_UNIX) as own:
            own.settimeout(10)
            own.connect(str(temporary / "authentik.sock"))
            connection = http.client.HTTPConnection("localhost")
            connection.sock = own
            ask(connection, mode)
    elif mode == "server":
        host, _, port = os.environ.get("AUTHENTIK_LISTEN__HTTP", "0.0.0.0:9000").rpartition(":")
        ask(http.client.HTTPConnection(host, int(port), timeout=10), mode)
    else:
        os.kill(int((temporary / "authentik-worker.pid").read_text()), 0)  # the process exists, in whatever state
    log("healthy", mode=mode)


def ask(connection: http.client.HTTPConnection, mode: str) -> None:
    connection.request("HEAD", os.environ.get("AUTHENTIK_WEB__PATH", "/") + LIVE[1:])
    status = connection.getresponse().status
    if status != 200:
        raise ConnectionError(f"the {mode} answers {status}")
