"""Whether a service is well, as its clients would see it."""

import http.client
import socket
import ssl
import time
from urllib.parse import urlsplit

import commands
import units
from manifest import Manifest, Probe
from report import Failure, say

_PAUSE = 0.2
_ANSWER = 5  # seconds one question may take


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
    if probe.socket:
        return _ask_socket(probe.socket)
    return _ask_http(probe)


def _ask_socket(path: str) -> str | None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_ANSWER)
        try:
            client.connect(path)
        except OSError as error:
            return f"{path}: {error.strerror or error}"
    return None


def _ask_http(probe: Probe) -> str | None:
    url = urlsplit(probe.http)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        if url.scheme == "https":
            connection = _Tls(url.hostname, port, timeout=_ANSWER)
        else:
            connection = http.client.HTTPConnection(url.hostname, port, timeout=_ANSWER)
        if probe.connect:
            host, _, at = probe.connect.rpartition(":")
            connection._create_connection = lambda _, *rest, **named: socket.create_connection((host, int(at)), *rest, **named)
        connection.request("GET", url.path or "/", headers={"User-Agent": "gatehouse"})
        status = connection.getresponse().status
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return f"{probe.http}: {error or type(error).__name__}"
    return None if status == probe.status else f"{probe.http} answers {status} instead of {probe.status}"


class _Tls(http.client.HTTPSConnection):
    """TLS without trust: the question is whether the site answers under its name, not who signed for it."""

    def __init__(self, host: str, port: int, timeout: float):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(host, port, timeout=timeout, context=context)
