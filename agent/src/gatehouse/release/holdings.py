"""Holdings: the contents of a service, counted before and after a restart, since a restart must not lose any."""

import re

from gatehouse.output.report import At, Failure, say
from gatehouse.protocol.manifest import Holding, Manifest
from gatehouse.release import valkey_client, valkey_keys
from gatehouse.release.held import Before, Held
from gatehouse.release.journal import Record
from gatehouse.state import store
from gatehouse.state.store import Release
from gatehouse.system import process, systemd

_LINE = re.compile(r"(\d+) (.+)")


def of(manifest: Manifest, names: list[str]) -> list[Holding]:
    """The holdings of these units, which may belong to other releases."""
    others = store.claims(except_for=manifest.release) if set(names) - {u.name for u in manifest.unit} else []
    return [holding for m in (manifest, *others) for holding in m.holding if holding.unit in names]


def save(release: Release, record: Record, wanted: list[Holding]) -> None:
    """Runs right before the restart: records the current contents, written to disk in the form the new server reads.

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
    """Once the release is healthy: raises Failure if a service holds less than before."""
    for holding, before in _each(record):
        complaint = (
            _lessened(holding, before.counts)
            if holding.exec
            else valkey_keys.lessened(valkey_client.of(holding), before)
        )
        if complaint:
            raise Failure(
                f"{holding.unit} holds less after its restart than before: {complaint}", at=At("holding", holding.name)
            )


def resume(record: Record) -> None:
    """Nothing was restarted: unblock the clients that are waiting for the restart."""
    for holding, before in _each(record):
        if not holding.exec:
            valkey_keys.resume(valkey_client.of(holding), before)


def restore(record: Record) -> None:
    """Part of a rollback, before the files are restored: gives the old service the contents it had, or those written
    since. Raises Failure if they cannot be restored."""
    for holding, before in _each(record):
        if not holding.exec:
            valkey_keys.restore(valkey_client.of(holding), before)


def forget(record: Record) -> None:
    """The release is healthy: delete the copies."""
    for holding, before in _each(record):
        if not holding.exec:
            try:
                valkey_keys.forget(valkey_client.of(holding), before)
            except Failure as failure:
                say(str(failure))


def _each(record: Record) -> list[tuple[Holding, Before]]:
    return [(held.holding, held.before) for held in record.holdings]


def _counted(holding: Holding) -> dict[str, int] | None:
    """None if the service does not answer: an unhealthy service may still be restarted."""
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
    lost = [f"{now.get(name, 0)} {name}, {count} before" for name, count in before.items() if now.get(name, 0) < count]
    return "; ".join(lost) or None
