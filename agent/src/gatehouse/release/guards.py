"""Data that a new image may alter for ever: image and data go forward, and back, together."""

from gatehouse.output.report import Failure, say
from gatehouse.release.journal import Record
from gatehouse.system import process, systemd


def save(record: Record) -> None:
    """The units are stopped: nobody writes."""
    for guard in record.guards:
        say(f"save {guard['name']}")
        _run(guard, "save", "could not be saved before the new image")


def restore(record: Record) -> None:
    """An older image does not understand what a newer one migrated."""
    systemd.run("stop", systemd.existing(dict.fromkeys(u for guard in record.guards for u in guard["units"])))
    for guard in record.guards:
        say(f"restore {guard['name']}")
        _run(guard, "restore", "is migrated and could not be restored")


def _run(guard: dict, what: str, complaint: str) -> None:
    status, output = process.run(guard[what], guard["user"])
    if status:
        raise Failure(f"{guard['name']} {complaint}:\n{process.indented(output)}")
