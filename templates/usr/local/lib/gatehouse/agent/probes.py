"""Whether a service is well, as its clients would see it."""

import http.client
import socket
import ssl
import time
from typing import Callable
from urllib.parse import urlsplit

import commands
import units
from manifest import Manifest, Probe
from report import Failure, say

_PAUSE = 0.2
_ANSWER = 5  # seconds one question may take
_BODY = 64 << 10  # bytes of an answer that are looked at


def await_all(manifest: Manifest, deadline: float) -> None:
    """Ask until every probe has passed and every unit is active; after `deadline` the ones still failing are told."""
    waiting, told = list(manifest.probe), time.monotonic()
    while True:
        complaints = []
        for probe in list(waiting):
            complaint = ask(probe)
            if complaint is None:
                waiting.remove(probe)
            else:
                complaints.append(f"probe {probe.name}: {complaint}")
        complaints += [f"{unit} is not active" for unit in units.inactive([u.name for u in manifest.unit])]
        if not complaints:
            return
        if time.monotonic() >= deadline:
            raise Failure("not healthy within the deadline:\n" + "\n".join(f"    {c}" for c in complaints))
        if time.monotonic() - told >= 10:
            told = time.monotonic()
            say(f"waiting, {deadline - told:.0f} s left: {complaints[0]}")
        time.sleep(_PAUSE)


def ask(probe: Probe) -> str | None:
    """None when the probe passes, else what is wrong."""
    if probe.exec:
        status, output = commands.run(probe.exec, probe.user, seconds=_ANSWER)
        return None if status == 0 else output.strip() or f"exit status {status}"
    if probe.unit:
        return _ask_unit(probe.unit, probe.seconds)
    if probe.http:
        return _ask_http(probe)
    if probe.tcp:
        return _connected(probe.tcp, lambda: socket.create_connection(_endpoint(probe.tcp), _ANSWER))
    return _connected(probe.socket, lambda: _unix_connection(probe.socket))


def _ask_unit(unit: str, seconds: int) -> str | None:
    """One that is restarted again and again runs at most moments, and is never well."""
    since = units.active_since(unit)
    if since is None:
        return f"{unit} does not run"
    lasted = time.monotonic() - since
    return None if lasted >= seconds else f"{unit} has run for {lasted:.0f} of {seconds} s since it was last started"


def _connected(where: str, connect: Callable[[], socket.socket]) -> str | None:
    try:
        connect().close()
    except OSError as error:
        return f"{where}: {error.strerror or error}"
    return None


def _unix_connection(path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(_ANSWER)
    try:
        client.connect(path)
    except OSError:
        client.close()
        raise
    return client


def _endpoint(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def _ask_http(probe: Probe) -> str | None:
    url = urlsplit(probe.http)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        if url.scheme == "https":
            connection = _Tls(url.hostname, port, timeout=_ANSWER)
        else:
            connection = http.client.HTTPConnection(url.hostname, port, timeout=_ANSWER)
        if probe.connect:
            connection._create_connection = lambda _, *rest, **named: socket.create_connection(_endpoint(probe.connect), *rest, **named)
        connection.request("GET", url._replace(scheme="", netloc="", path=url.path or "/", fragment="").geturl(), headers={"User-Agent": "gatehouse"})
        answer = connection.getresponse()
        status, body = answer.status, _beginning(answer) if probe.body else ""
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return f"{probe.http}: {error or type(error).__name__}"
    if status // 100 != 2 if probe.status is None else status != probe.status:
        return f"{probe.http} answers {status} instead of {probe.status or '2xx'}"
    return None if (probe.body or "") in body else f"{probe.http} answers without {probe.body!r} in its first {_BODY} bytes"


def _beginning(answer: http.client.HTTPResponse) -> str:
    """What comes in time: a stream of events never ends."""
    body, until = b"", time.monotonic() + _ANSWER
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
