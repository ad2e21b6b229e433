"""Whether the server or worker in this container lives. On its own: it runs often, and needs no database."""
import http.client
import socket
from pathlib import Path

from log import log


def check(temporary: Path) -> None:
    """The mode file says that one runs, its Unix socket whether it lives."""
    mode = (temporary / "authentik-mode").read_text()
    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(temporary / "authentik.sock"))
    connection.request("GET", "/-/health/live/")
    status = connection.getresponse().status
    if status != 200:
        raise ConnectionError(f"the {mode} answers {status}")
    log("healthy", mode=mode)
