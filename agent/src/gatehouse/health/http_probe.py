"""A probe over HTTP: checks the status and the body of a response."""

import contextlib
import http.client
import socket
import ssl
import time
from urllib.parse import urlsplit

from gatehouse.protocol.manifest import Probe

_BODY = 64 << 10  # bytes of a response that are searched


def ask(probe: Probe, url: str, address: tuple[str, int] | None, timeout: float) -> str | None:
    """Returns None if the probe passes, otherwise the error. Connects to `address`, or by default to the URL's own host
    and port; each step may take `timeout` seconds."""
    parts = urlsplit(url)
    if parts.hostname is None:
        return f"{url} names no host"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    kind = _Tls if parts.scheme == "https" else _Plain
    connection = kind(parts.hostname, port, address or (parts.hostname, port), timeout)
    try:
        with contextlib.closing(connection):
            connection.request(
                "GET",
                parts._replace(scheme="", netloc="", path=parts.path or "/", fragment="").geturl(),
                headers={"User-Agent": "gatehouse"},
            )
            answer = connection.getresponse()
            status, body = answer.status, _beginning(answer, timeout) if probe.body else ""
    except (OSError, http.client.HTTPException) as error:
        return f"{url}: {error or type(error).__name__}"
    if status // 100 != 2 if probe.status is None else status != probe.status:
        return f"{url} answers {status} instead of {probe.status or '2xx'}"
    return None if (probe.body or "") in body else f"{url} answers without {probe.body!r} in its first {_BODY} bytes"


def _beginning(answer: http.client.HTTPResponse, timeout: float) -> str:
    """The part of the body that arrives in time, since an event stream never ends."""
    body, until = b"", time.monotonic() + timeout
    while len(body) < _BODY and time.monotonic() < until and (more := answer.read1(_BODY - len(body))):
        body += more
    return body.decode(errors="replace")


class _Plain(http.client.HTTPConnection):
    """HTTP requests for `host` and `port`, over a connection to `address`."""

    def __init__(self, host: str, port: int, address: tuple[str, int], timeout: float):
        super().__init__(host, port, timeout=timeout)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection(self._address, self.timeout)


class _Tls(http.client.HTTPSConnection):
    """The same over TLS. Any certificate is accepted, since the probe only checks that the site answers."""

    def __init__(self, host: str, port: int, address: tuple[str, int], timeout: float):
        self._tls = ssl.create_default_context()
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE
        super().__init__(host, port, timeout=timeout, context=self._tls)
        self._address = address

    def connect(self) -> None:
        connected = socket.create_connection(self._address, self.timeout)
        self.sock = self._tls.wrap_socket(connected, server_hostname=self.host)
