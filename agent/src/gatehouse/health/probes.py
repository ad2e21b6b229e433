"""Checks whether a service is healthy, from the perspective of its clients."""

import socket
from collections.abc import Callable, Collection
from functools import partial

from gatehouse.output.report import At, Failure
from gatehouse.protocol.manifest import Manifest, Probe
from gatehouse.system import machine, process, systemd
from gatehouse.system.waiting import Wait

_PAUSE = 0.2
ANSWER = 5  # seconds that one probe may take


def await_all(manifest: Manifest, deadline: float) -> None:
    """Wait until the release is healthy by itself: all probes that need no unit of another release have passed, and all
    units are active. Raises Failure after `deadline`."""
    _await([p for p in manifest.probe if not p.through], [u.name for u in manifest.unit], deadline)


def await_through(reloaded: Collection[str], manifest: Manifest, deadline: float) -> None:
    """Wait until the probes that need these units of other releases have passed. Raises Failure after `deadline`."""
    _await([p for p in manifest.probe if p.through in reloaded], [], deadline)


def await_units(names: Collection[str], deadline: float) -> None:
    """Wait until units are active. Raises Failure after `deadline`."""
    _await([], list(names), deadline)


def await_every(manifest: Manifest, deadline: float) -> None:
    """Wait until the release is healthy, including probes that need other releases. Raises Failure after `deadline`."""
    _await(list(manifest.probe), [u.name for u in manifest.unit], deadline)


def _await(asked: list[Probe], names: list[str], deadline: float) -> None:
    """Raises Failure, with the failing probes, after `deadline` or as soon as a unit cannot start."""
    waiting, wait = list(asked), Wait(names, deadline)
    while True:
        failing = _failing([probe for probe in waiting if not probe.unit])
        # After the other probes: a unit that has stopped meanwhile is noticed. One query answers all that follows.
        with systemd.consulting(systemd.states([*names, *(probe.unit for probe in waiting if probe.unit)])):
            failing += _failing([probe for probe in waiting if probe.unit])
            waiting = [probe for probe, _ in failing]
            down = systemd.inactive(names)
            missing = [f"probe {probe.name}: {complaint}" for probe, complaint in failing]
            missing += [f"{unit} is not active" for unit in down]
            if not missing:
                return
            if machine.system.monotonic() >= deadline:
                down = systemd.failing_first(down)
                raise Failure(
                    "not healthy within the deadline:\n" + "\n".join(f"    {c}" for c in missing),
                    units=down,
                    at=At("probe", waiting[0].name) if waiting else At("unit", down[0]),
                )
            wait.go_on(missing)
        machine.system.sleep(_PAUSE)


def _failing(asked: list[Probe]) -> list[tuple[Probe, str]]:
    return [(probe, complaint) for probe in asked if (complaint := ask(probe)) is not None]


def ask(probe: Probe) -> str | None:
    """Returns None if the probe passes, otherwise the error. Raises Failure for a kind that this agent does not
    know."""
    if probe.exec:
        status, output = process.run(probe.exec, probe.user, seconds=ANSWER)
        return None if status == 0 else output.strip() or f"exit status {status}"
    if probe.unit:
        return _ask_unit(probe.unit, probe.seconds)
    if probe.http:
        # Imported here, because importing HTTP and TLS takes longer than most calls of the agent.
        from gatehouse.health import http_probe

        return http_probe.ask(probe, probe.http, _endpoint(probe.connect) if probe.connect else None, ANSWER)
    if probe.tcp:
        return _connected(probe.tcp, partial(socket.create_connection, _endpoint(probe.tcp), ANSWER))
    if probe.socket:
        return _connected(probe.socket, partial(_unix_connection, probe.socket))
    raise Failure(f"probe {probe.name} is of a kind that this agent does not know", at=At("probe", probe.name))


def _ask_unit(unit: str, seconds: int) -> str | None:
    """A unit that restarts in a loop is active only for moments, and never passes."""
    since = systemd.active_since(unit)
    if since is None:
        return f"{unit} is not running"
    lasted = machine.system.monotonic() - since
    return None if lasted >= seconds else f"{unit} has run for {lasted:.0f} of {seconds} s since it was last started"


def _connected(where: str, connect: Callable[[], socket.socket]) -> str | None:
    try:
        connect().close()
    except OSError as error:
        return f"{where}: {error.strerror or error}"
    return None


def _unix_connection(path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(ANSWER)
    try:
        client.connect(path)
    except OSError:
        client.close()
        raise
    return client


def _endpoint(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)
