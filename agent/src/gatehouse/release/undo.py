"""Rolls back an apply that failed or was killed."""

from collections.abc import Callable, Collection
from typing import NoReturn, ParamSpec

from gatehouse.health import probes
from gatehouse.output.report import NOT_ROLLED_BACK, NOTHING_BEFORE, ROLLED_BACK, ROLLED_BACK_UNHEALTHY, Failure, say
from gatehouse.protocol.manifest import stored
from gatehouse.release import guards, holdings, journal
from gatehouse.release.journal import Record
from gatehouse.state import store
from gatehouse.state.store import HOST, UNPROVEN, Release
from gatehouse.system import jobs, machine, systemd
from gatehouse.tree import originals

_P = ParamSpec("_P")


def recover(release: Release) -> None:
    """Resolve an interrupted apply before any other operation on the release. A failed rollback is reported, and the
    operation continues."""
    try:
        resolve(release)
    except Failure as failure:
        say(
            str(failure)
            if failure.code == NOT_ROLLED_BACK
            else f"generation {release.generation} is restored but not healthy, which this apply may fix:\n{failure}"
        )


def resolve(release: Release) -> None:
    """Finish or undo an apply that was killed, as its journal records: finish it if the release had been found healthy
    (or nothing had to change), undo it otherwise. Raises Failure if the host is not healthy afterwards."""
    record = journal.read(release)
    if record is None:
        return
    if record.generation == release.generation:
        say(f"an earlier apply of {release.name} was interrupted at its end: generation {release.generation} is live")
        journal.finish(release, record)
    else:
        say(f"an earlier apply of {release.name} was interrupted: rolling back to generation {release.generation}")
        _undo(release, record)
        say(
            f"rolled back to generation {release.generation} of {release.name}, which is healthy"
            if release.generation
            else f"release {release.name} had no earlier generation: its files are removed again"
        )


def prepare(release: Release) -> None:
    """At boot, before the units of any release start: restore the files. Only enqueue jobs: waiting here would
    deadlock, because the units are ordered after this one. Keep the journal for `resolve`, which runs once the units
    have started.

    Raises Failure for files that could not be restored."""
    record, faults = journal.read(release), _Faults()
    if record is None or record.generation == release.generation:
        return
    if record.reached == "started" and record.guards:
        return say(
            f"an apply of {release.name} was interrupted, and its data may be migrated: "
            "it is rolled back once the host has started"
        )
    if record.reached == "started":
        faults.attempt(holdings.restore, record)
    if record.reached != "begun":
        say(f"an apply of {release.name} was interrupted: its files are restored to generation {release.generation}")
        faults.attempt(
            jobs.queue, "stop", systemd.existing(dict.fromkeys(u for u in record.touched if u not in record.ran))
        )
        with store.lock(HOST, f"rollback of release {release.name}"):
            _restore_files(release, record, faults)
        record.reach(release, "begun")  # from here on, only the units are left to restore
    # Units started earlier in the boot (such as mounts) are still using the new files, so restart them.
    faults.attempt(jobs.queue, "restart", systemd.running(systemd.existing(record.restarts)))
    faults.attempt(jobs.queue, "start", systemd.existing(record.ran))
    if faults:
        raise Failure("\n".join(faults))


def roll_back(release: Release, record: Record, failure: Failure) -> NoReturn:
    """Roll back, then raise a Failure that says what happened and what state the host is in."""
    if record.reached == "begun" and not record.stops:
        holdings.resume(record)
        journal.close(release)
        raise failure  # nothing was changed yet
    why = f"{failure}\n{_journals(record, failure, record.began)}"
    say("failed, rolling back")
    began = systemd.now()
    try:
        _undo(release, record)
    except Failure as second:
        if second.code == NOT_ROLLED_BACK:
            raise Failure(f"{why}{second}", NOT_ROLLED_BACK, at=failure.at) from None
        raise Failure(
            f"{why}rolled back to generation {release.generation}, but it is not healthy:\n{second}\n"
            f"{_journals(record, second, began)}",
            ROLLED_BACK_UNHEALTHY,
            at=failure.at,
        ) from None
    if release.generation == 0:
        raise Failure(
            f"{why}release {release.name} had no earlier generation: its files are removed again",
            NOTHING_BEFORE,
            at=failure.at,
        )
    raise Failure(f"{why}rolled back to generation {release.generation}, which is healthy", ROLLED_BACK, at=failure.at)


def _journals(record: Record, failure: Failure, since: float) -> str:
    """The last lines, since a time, of each unit that failed, was restarted or was reloaded, even if only together with
    another one: the container that cannot start is not the pod that the apply restarts."""
    own = systemd.changed(list(record.own))
    units = [
        *failure.units,
        *(unit for unit, was in record.own.items() if own.get(unit) != was),
        *(record.dependents if record.notified else ()),
    ]
    tails = [(unit, systemd.journal(unit, since)) for unit in systemd.failing_first(units)]
    return "".join(f"  the last lines of {unit}:\n{tail}" for unit, tail in tails if tail)


class _Faults(list[str]):
    """Collects failures during a rollback so that it continues, and reports them together."""

    def attempt(self, act: Callable[_P, object], *arguments: _P.args, **named: _P.kwargs) -> None:
        try:
            act(*arguments, **named)
        except Failure as fault:
            self.append(str(fault))


def _undo(release: Release, record: Record) -> None:
    """Restore everything. If guarded data cannot be restored, keep the new generation."""
    current, faults, starts = release.manifest(), _Faults(), _Faults()
    if record.reached != "started":
        holdings.resume(record)
    if record.reached != "begun":
        new = [u for u in record.touched if u not in record.ran or record.moves]  # nothing may write to moved data
        faults.attempt(jobs.run, "stop", systemd.existing(dict.fromkeys(new)))
        systemd.reset_failed(new)  # a unit that failed while stopping stays in systemd's list even without its file
    if record.reached == "started" and record.guards:
        try:
            guards.restore(record)
        except Failure as failure:
            _stay(release, record, faults)
            raise Failure(
                "\n".join(
                    [
                        f"not rolled back: {failure}",
                        f"the new image stays, as generation {release.generation}; "
                        "the saved data is kept until the next change of image",
                        *faults,
                    ]
                ),
                NOT_ROLLED_BACK,
            ) from None
    if record.reached == "started":
        faults.attempt(holdings.restore, record)
        record.reach(release, "swapped")
    if record.reached != "begun":
        with store.lock(HOST, f"rollback of release {release.name}"):
            _restore_files(release, record, faults)
    patience = (current or stored(record.text)).deadline
    until = machine.system.monotonic() + patience
    if record.reached != "begun":
        starts.attempt(jobs.run, "restart", [u for u in record.restarts if u in record.ran], until)
        faults.attempt(jobs.run, "reload", systemd.running([u for u in record.reloads if u in record.ran]), until)
    starts.attempt(jobs.run, "start", systemd.inactive(record.ran), until)
    reloaded = _reload_dependents(record, faults, patience) if record.reached != "begun" else []
    journal.close(release)
    if current:
        faults.attempt(probes.await_all, current, until)
        faults.attempt(probes.await_through, reloaded, current, machine.system.monotonic() + patience)
    if starts and not _run(record.ran, until):
        faults[:0] = starts
    if faults:
        raise Failure("\n".join(faults))


def _run(names: Collection[str], until: float) -> bool:
    """Whether units run, at the latest by a time: systemd restarts a unit after its first start failed."""
    try:
        probes.await_units(names, until)
    except Failure:
        return False
    return True


def _reload_dependents(record: Record, faults: _Faults, patience: int) -> list[str]:
    """Reload every dependent that has loaded the new files, including those reloaded on behalf of another release."""
    now = systemd.changed(list(record.dependents))
    reloaded = systemd.running([u for u, was in record.dependents.items() if now[u] != was])
    faults.attempt(jobs.run, "reload", reloaded, machine.system.monotonic() + patience)
    return reloaded


def _restore_files(release: Release, record: Record, faults: _Faults) -> None:
    """Restore files and enablement, in an order that keeps a unit's file present whenever systemctl needs it."""
    for name, was in record.enabled.items():
        if systemd.enabled(name) and not was:
            faults.attempt(systemd.set_enabled, name, False)
    faults.attempt(lambda: systemd.absorb(originals.restore_snapshot(release)))
    for name, was in record.enabled.items():
        if was and not systemd.enabled(name):
            faults.attempt(systemd.set_enabled, name, True)


def _stay(release: Release, record: Record, faults: _Faults) -> None:
    """Commit the new generation: its files are live and its data cannot be restored, so the next apply must start
    from it."""
    manifest = stored(record.text)
    wanted = dict.fromkeys(record.touched + [u.name for u in manifest.unit])
    until = machine.system.monotonic() + manifest.deadline
    starts = _Faults()
    starts.attempt(jobs.run, "start", systemd.inactive(list(wanted)), until)
    if starts and not _run(wanted, until):
        faults += starts
    faults.attempt(jobs.run, "reload", systemd.running(list(record.dependents)), until)
    journal.commit(release, record, UNPROVEN + record.text)
