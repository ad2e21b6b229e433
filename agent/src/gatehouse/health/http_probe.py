"""A probe over HTTP: how a site answers, and with what."""

import http.client
import socket
import ssl
import time
from urllib.parse import urlsplit

from gatehouse.health import probes
from gatehouse.protocol.manifest import Probe

_BODY = 64 << 10  # bytes of an answer that are looked at


def ask(probe: Probe) -> str | None:
    """None when the probe passes, else what is wrong."""
    url = urlsplit(probe.http)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        if url.scheme == "https":
            connection = _Tls(url.hostname, port, timeout=probes.ANSWER)
        else:
            connection = http.client.HTTPConnection(url.hostname, port, timeout=probes.ANSWER)
        if probe.connect:
            connection._create_connection = lambda _, *rest, **named: socket.create_connection(
                probes.endpoint(probe.connect), *rest, **named
            )
        connection.request(
            "GET",
            url._replace(scheme="", netloc="", path=url.path or "/", fragment="").geturl(),
            headers={"User-Agent": "gatehouse"},
        )
        answer = connection.getresponse()
        status, body = answer.status, _beginning(answer) if probe.body else ""
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return f"{probe.http}: {error or type(error).__name__}"
    if status // 100 != 2 if probe.status is None else status != probe.status:
        return f"{probe.http} answers {status} instead of {probe.status or '2xx'}"
    return (
        None
        if (probe.body or "") in body
        else f"{probe.http} answers without {probe.body!r} in its first {_BODY} bytes"
    )


def _beginning(answer: http.client.HTTPResponse) -> str:
    """What comes in time: a stream of events never ends."""
    body, until = b"", time.monotonic() + probes.ANSWER
    while len(body) < _BODY and time.monotonic() < until and (more := answer.read1(_BODY - len(body))):
        body += more
    return body.decode(errors="replace")


class _Tls(http.client.HTTPSConnection):
    """TLS without trust: the question is whether the site answers under its name, not who signed for it."""

    def __init__(self, host: str, port: int, timeout: float):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(host, port, timeout=timeout, context=context)
