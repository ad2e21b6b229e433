"""What a service holds, which no restart of a release's may lessen: counted before it and after it."""

import re

from gatehouse.output.report import Failure, say
from gatehouse.protocol.manifest import Holding, Manifest
from gatehouse.release import valkey_client, valkey_keys
from gatehouse.release.held import Before, Held
from gatehouse.release.journal import Record
from gatehouse.state import store
from gatehouse.state.store import Release
from gatehouse.system import process, systemd

_LINE = re.compile(r"(\d+) (.+)")


def of(manifest: Manifest, names: list[str]) -> list[Holding]:
    """What these units hold, which may be units of other releases."""
    others = store.claims(except_for=manifest.release) if set(names) - {u.name for u in manifest.unit} else []
    return [holding for m in (manifest, *others) for holding in m.holding if holding.unit in names]


def save(release: Release, record: Record, wanted: list[Holding]) -> None:
    """Right before the restart: what each holds now, written so that it is read again.

    Raises Failure for keys of a Valkey that the restart would lose."""
    down = systemd.inactive([holding.unit for holding in wanted])
    for holding in wanted:
        runs = holding.unit not in down
        if holding.exec:
            before = Before(counts=_counted(holding) if runs else None)
        else:
            before = valkey_keys.save(valkey_client.of(holding), runs, known=release.generation > 0)
        record.holdings.append(Held(holding, before))
        record.reach(release, "begun")


def compare(record: Record) -> None:
    """Once all is healthy: raises Failure where a service holds less than before."""
    for holding, before in _each(record):
        complaint = (
            _lessened(holding, before.counts)
            if holding.exec
            else valkey_keys.lessened(valkey_client.of(holding), before)
        )
        if complaint:
            raise Failure(f"{holding.unit} holds less after its restart than before: {complaint}")


def resume(record: Record) -> None:
    """Nothing was restarted: clients that wait for the restart need not wait any more."""
    for holding, before in _each(record):
        if not holding.exec:
            valkey_keys.resume(valkey_client.of(holding), before)


def restore(record: Record) -> None:
    """Part of a rollback, before the files: the service that comes back finds what the one before had, or what was
    written since. Raises Failure where that cannot be brought back."""
    for holding, before in _each(record):
        if not holding.exec:
            valkey_keys.restore(valkey_client.of(holding), before)


def forget(record: Record) -> None:
    """It is healthy: no copy is needed any more."""
    for holding, before in _each(record):
        if not holding.exec:
            try:
                valkey_keys.forget(valkey_client.of(holding), before)
            except Failure as failure:
                say(str(failure))


def _each(record: Record) -> list[tuple[Holding, Before]]:
    return [(held.holding, held.before) for held in record.holdings]


def _counted(holding: Holding) -> dict[str, int] | None:
    """None where it does not answer: a service that is ill can be restarted."""
    status, output = process.run(holding.exec, holding.user)
    if status:
        say(f"{holding.name} cannot be counted:\n{process.indented(output)}")
        return None
    return {found[2]: int(found[1]) for found in map(_LINE.fullmatch, output.splitlines()) if found}


def _lessened(holding: Holding, before: dict[str, int] | None) -> str | None:
    if before is None:
        return None
    now = _counted(holding)
    if now is None:
        return f"{holding.name} cannot be counted any more"
    told = [f"{now.get(name, 0)} {name}, {count} before" for name, count in before.items() if now.get(name, 0) < count]
    return "; ".join(told) or None
