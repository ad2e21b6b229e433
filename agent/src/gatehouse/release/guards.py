"""Saves data that a new image may change irreversibly, so that image and data are rolled back together."""

from gatehouse.output.report import At, Failure, say
from gatehouse.protocol.manifest import Guard
from gatehouse.release.journal import Record
from gatehouse.system import jobs, process, systemd


def save(record: Record) -> None:
    """Runs while the units are stopped, so nothing writes. Raises Failure for data that cannot be saved."""
    for guard in record.guards:
        say(f"save {guard.name}")
        _run(guard, guard.save, "could not be saved before the new image")


def restore(record: Record) -> None:
    """Restore the data, since an older image cannot read data that a newer one has migrated. Raises Failure for data
    that cannot be restored."""
    jobs.run("stop", systemd.existing(dict.fromkeys(unit for guard in record.guards for unit in guard.units)))
    for guard in record.guards:
        say(f"restore {guard.name}")
        _run(guard, guard.restore, "is migrated and could not be restored")


def _run(guard: Guard, argv: tuple[str, ...], complaint: str) -> None:
    status, output = process.run(argv, guard.user, guard.group)
    if status:
        raise Failure(f"{guard.name} {complaint}:\n{process.indented(output)}", at=At("guard", guard.name))
