"""Checks releases with their own probes, and repairs container networks without a restart."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

from gatehouse.health import probes
from gatehouse.output.report import Failure, masked, say
from gatehouse.protocol.difference import Difference
from gatehouse.protocol.manifest import Manifest, Probe
from gatehouse.system import machine, process, systemd

_AT_ONCE = 16  # probes in parallel
_PAUSE = 0.2


def ask(wanted: tuple[Probe, ...], secret: bool) -> dict[str, str | None]:
    """The current error of each probe, by name; None if it passes. For a secret release the error's text is withheld,
    since it may contain secrets."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        complaints = list(pool.map(probes.ask, wanted))
    return {
        probe.name: complaint
        and ("fails; its output is not shown, since the release is secret" if secret else masked(complaint))
        for probe, complaint in zip(wanted, complaints, strict=True)
    }


def survey(manifests: list[Manifest], patience: float = probes.ANSWER) -> dict[str, list[Difference]]:
    """The failing probes by release, with all releases probed at once. Failing probes are repeated for `patience`
    seconds, since a service may just have been restarted. Releases with an inactive unit are left out, since that unit
    explains more than the probes do."""
    down = set(systemd.inactive(list({unit.name for manifest in manifests for unit in manifest.unit})))
    waiting = [
        manifest for manifest in manifests if manifest.probe and down.isdisjoint(unit.name for unit in manifest.unit)
    ]
    until = machine.system.monotonic() + patience
    failing: dict[str, list[Difference]] = {}
    while waiting:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            asked = list(pool.map(lambda manifest: ask(manifest.probe, manifest.secret), waiting))
        failing = {
            manifest.release: [_failing(name, complaint) for name, complaint in answers.items() if complaint]
            for manifest, answers in zip(waiting, asked, strict=True)
        }
        waiting = [manifest for manifest in waiting if failing[manifest.release]]
        if machine.system.monotonic() >= until:
            break
        if waiting:
            machine.system.sleep(_PAUSE)
    return {manifest.release: failing[manifest.release] for manifest in waiting}


def _failing(name: str, complaint: str) -> Difference:
    return Difference("probe", name, "failing", f"probe {name}: {' '.join(complaint.split())}")


def complaints(manifest: Manifest) -> list[Difference]:
    """The failing probes of one release at this moment."""
    return survey([manifest], patience=0).get(manifest.release, [])


def contains(manifest: Manifest) -> bool:
    """Whether the release runs in containers."""
    return any(file.path.startswith(systemd.QUADLETS) for file in manifest.file)


def ease(manifest: Manifest) -> None:
    """Reload Podman's networks, since their rules may have been flushed from the kernel, and give the units the rest of
    the time that a start may take."""
    if contains(manifest):
        say("reload Podman's networks")
        process.run(("podman", "network", "reload", "--all"), seconds=manifest.deadline)
    started = [since for unit in manifest.unit if (since := systemd.active_since(unit.name)) is not None]
    deadline = max([machine.system.monotonic() + probes.ANSWER, *(since + manifest.deadline for since in started)])
    with contextlib.suppress(Failure):  # the plan probes again, and restarts the units
        probes.await_every(manifest, deadline)
