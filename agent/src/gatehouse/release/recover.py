"""Finishes or rolls back every interrupted release, at boot and on request."""

from collections.abc import Callable

from gatehouse.backup import directory_swap, restore
from gatehouse.health import disks
from gatehouse.output.report import FAULT, NOT_ROLLED_BACK, ROLLED_BACK_UNHEALTHY, Failure, say
from gatehouse.protocol.answers import RecoverAnswer
from gatehouse.release import journal, undo
from gatehouse.state import secrets, store
from gatehouse.state.store import Release
from gatehouse.system import process, systemd


def recover() -> RecoverAnswer:
    """Runs twice at boot: before the units of any release start, to restore their files, and after they have started,
    for the rest.

    Raises Failure, with the highest exit code of all failures, if a release was not rolled back or is not healthy."""
    secrets.learn_all()
    act, resolve_restore = (
        (undo.prepare, directory_swap.prepare_boot) if systemd.booting() else (undo.resolve, restore.resolve)
    )
    done: list[str] = []
    complaints: dict[str, Failure] = {}
    try:
        resolve_restore()  # first, because releases need their data
    except Failure as failure:
        complaints["restore"] = failure
    for release in _interrupted():
        try:
            with store.lock(
                f"release-{release.name}", f"recovery of release {release.name}", 3 * process.PATIENCE, wait=False
            ):
                if complaint := _attempt(act, release):
                    complaints[f"release {release.name}"] = complaint
                else:
                    done.append(release.name)
        except Failure as busy:
            say(f"release {release.name} is skipped: {busy}")
    if complaints:
        raise Failure(
            "\n".join(f"{name}: {failure}" for name, failure in complaints.items()),
            max(failure.code for failure in complaints.values()),
        )
    return {"recovered": done}


def _interrupted() -> list[Release]:
    """Releases with guards come last: their rollback needs a database, which may have been interrupted as well."""
    found = [(bool(record.guards), release) for release in store.releases() if (record := journal.read(release))]
    return [release for _, release in sorted(found, key=lambda pair: pair[0])]


def _attempt(act: Callable[[Release], None], release: Release) -> Failure | None:
    """Returns failures instead of raising them, so that a failed release does not block the next one."""
    try:
        act(release)
    except Failure as failure:
        return (
            failure
            if failure.code == NOT_ROLLED_BACK
            else Failure(f"rolled back, but not healthy:\n{failure}", ROLLED_BACK_UNHEALTHY)
        )
    except Exception as error:
        what = disks.explain(error) or f"{type(error).__name__}: {error}"
        return Failure(f"not rolled back; the next apply tries again: {what}", FAULT)
    return None
