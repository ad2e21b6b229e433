"""Applies a release as a transaction: either completely, or the previous state is restored."""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Literal

from gatehouse.backup import create, inventory
from gatehouse.drift import unmanaged
from gatehouse.health import disks, probes, survey
from gatehouse.output.report import At, Failure, learn_secret, say
from gatehouse.protocol.answers import ReleaseAnswer, Verb
from gatehouse.protocol.manifest import Manifest, Step, load
from gatehouse.release import checks, failpoints, guards, holdings, images, journal, purge, undo
from gatehouse.release.journal import Record
from gatehouse.release.plan import Plan, claim, make
from gatehouse.state import secrets, store
from gatehouse.state.store import HOST, Release
from gatehouse.system import firewall, jobs, machine, process, safepath, systemd
from gatehouse.tree import files, moves, originals


def apply(text: str, downgrade: bool = False) -> ReleaseAnswer:
    """`downgrade`: whether its images may be older than the live ones, within a series.

    Raises Failure if the manifest is refused, or if it was applied and rolled back; its code says which."""
    manifest = load(text)
    release = Release(manifest.release)
    safepath.make(str(release.folder), 0o700)
    with _locked(release, manifest):
        failpoints.point("locked")
        try:
            done = _apply(release, manifest, text, downgrade)
            release.adopt()
        finally:
            images.done(release)
    images.prune()
    secrets.prune(_apply_again)
    failpoints.point("pruned")
    return done


def _locked(release: Release, manifest: Manifest, wait: bool = True) -> AbstractContextManager[None]:
    """Lock the release. The time limit covers pulling images, saving and restoring data, starting units, and a
    rollback."""
    return store.lock(
        f"release-{release.name}", f"apply of release {release.name}", 3 * (process.PATIENCE + manifest.deadline), wait
    )


def _apply_again(release: Release) -> None:
    """Apply the release again, with the current secrets merged into its files. Does nothing if another apply holds
    the lock, since that one merges them itself, or if the release has been removed."""
    manifest = release.manifest()
    if manifest is None:
        return
    with _locked(release, manifest, wait=False):
        text = release.text()  # read again: another apply or a removal may have changed it
        if text is not None:
            _apply(release, load(text), text, downgrade=True)


def _apply(release: Release, manifest: Manifest, text: str, downgrade: bool) -> ReleaseAnswer:
    _learn_secrets(manifest)
    undo.recover(release)
    purge.forget(release)
    plan = make(release, manifest, text, downgrade)
    if plan.failing and plan.current:
        say(f"release {release.name} is unhealthy: {plan.failing[0]}")
        survey.ease(plan.current)
        plan = make(release, manifest, text, downgrade)
    failpoints.point("planned")
    if plan.idle and text == release.text() and plan.left.files == release.left().files:
        say(f"release {release.name} is in sync: generation {release.generation}")
    else:
        images.fetch(release, manifest)
        failpoints.point("fetched")
        for step in manifest.preparation:
            _step("preparation", step, manifest)
        checks.run(manifest, plan.changes)
        failpoints.point("checked")
        if plan.guards and inventory.SETTINGS.exists():
            say("take a backup first: the new image may change data irreversibly")
            create.take()
        _carry_out(release, plan)
    verbs: tuple[tuple[Verb, list[str]], ...] = (
        ("start", plan.starts),
        ("reload", plan.reloads + plan.dependents),
        ("stop", plan.stops),
        ("restart", plan.restarts),
    )
    actions = {unit: verb for verb, names in verbs for unit in names}
    return {"release": release.name, "generation": release.generation, "changed": plan.paths, "units": actions}


def _learn_secrets(manifest: Manifest) -> None:
    for step in (*manifest.preparation, *manifest.step) if manifest.secret else ():
        learn_secret(step.stdin.replace("'", "\n"))  # SQL errors quote a literal without the text around it
    secrets.learn_all()


def _carry_out(release: Release, plan: Plan) -> None:
    with store.lock(HOST, f"claim of release {release.name}"):
        claim(plan.manifest)  # repeated under the lock: another release may have claimed something since planning
        record = journal.begin(release, plan)
    try:
        failpoints.point("claimed")
        jobs.run("stop", plan.stops)
        guards.save(record)
        holdings.save(release, record, holdings.of(plan.manifest, plan.restarts + plan.starts))
        failpoints.point("saved")
        with store.lock(HOST, f"swap of release {release.name}"):
            started = _swap(release, plan, record)
        deadline = machine.system.monotonic() + plan.manifest.deadline
        jobs.finish(started, deadline)
        failpoints.point("started")
        for step in plan.manifest.step:
            _step("step", step, plan.manifest, max(0.0, deadline - machine.system.monotonic()))
            failpoints.point("stepped")
        if not (plan.stays and plan.dependents):  # a site can be changed while its application is unhealthy
            probes.await_all(plan.manifest, deadline)
        holdings.compare(record)
        if notified := systemd.running(
            plan.dependents
        ):  # last, so that a release that fails its own probes affects no other
            record.notified = True
            _notify(plan.manifest, notified)
        failpoints.point("probed")
        # The units have just been restarted: whatever permissions differ now, another restart would not correct.
        record.left = replace(record.left, endures=unmanaged.modes_of(plan.manifest))
        release.commit(record.generation, plan.text, record.left)
    except Exception as error:  # any error rolls back: a full disk as well as a failed probe
        full = disks.explain(error)
        undo.roll_back(
            release,
            record,
            error if isinstance(error, Failure) else Failure(full or f"{type(error).__name__}: {error}"),
        )
    failpoints.point("committed")
    holdings.forget(record)
    journal.finish(release, record)
    say(f"release {release.name} is healthy: generation {record.generation}")
    for warning in firewall.warnings() if survey.contains(plan.manifest) else ():
        say(f"warning: {warning}")


def _swap(release: Release, plan: Plan, record: Record) -> list[machine.Job]:
    """The part of an apply that two releases must not run at the same time. It does not wait for units."""
    owned = unmanaged.owned()  # repeated under the lock: another release may have taken over unmanaged files
    plan.changes = [c for c in plan.changes if not (c.unmanaged and c.path in owned)]
    # Repeated under the lock: another rollback may have removed empty directories.
    plan.folders = files.folder_changes(plan.manifest.directory)
    checks.units(plan.changes)
    for change in plan.changes:
        say(f"{change.what}: {change.path}")
        if change.unmanaged:
            say(f"it belongs to no release and is kept as {originals.set_aside(release, plan.generation, change.path)}")
        elif not any(
            f.path == change.path for f in (plan.current.file if plan.current else ())
        ) and originals.keep_original(change.path):
            say(f"the original file is kept: {originals.ORIGINALS}{change.path}")
    for complaint in [
        *map(str, plan.wrong_permissions),
        *(f"the reload of {unit} does not finish" for unit in plan.hung),
    ]:
        say(complaint)
    surveyed = [moves.survey(move) for move in plan.moves]
    originals.take_snapshot(release, [c.path for c in plan.changes], [d.path for d in plan.folders], surveyed)
    failpoints.point("snapshot")
    record.reach(release, "swapped")
    failpoints.point("recorded")
    for name in plan.disables:
        systemd.set_enabled(name, False)
    for directory in plan.folders:
        say(f"directory: {directory.path}")
        originals.put_folder(directory.path, *files.wanted_folder(directory))
    for each in surveyed:
        say(f"the contents of {each.source} move to {each.target}")
        moves.forward(each)
    for change in plan.changes:
        originals.put(change.path, change.wanted or (None if change.unmanaged else originals.original(change.path)))
        failpoints.point("swapped")
    systemd.absorb([c.path for c in plan.changes] + [f.path for f in plan.manifest.file if plan.wrong_permissions])
    failpoints.point("reloaded")
    for name, wanted in plan.enables.items():
        systemd.set_enabled(name, wanted)
    record.reach(release, "started")
    started = jobs.enqueue(restart=plan.restarts, reload=plan.reloads, start=plan.starts)
    failpoints.point("enqueued")
    return started


def _notify(manifest: Manifest, others: list[str]) -> None:
    """Reload dependents. They have a deadline of their own, since the release may have used up its whole deadline."""
    deadline = machine.system.monotonic() + manifest.deadline
    jobs.run("reload", others, deadline)
    failpoints.point("notified")
    probes.await_through(others, manifest, deadline)


def _step(
    kind: Literal["preparation", "step"], step: Step, manifest: Manifest, seconds: float = process.PATIENCE
) -> None:
    say(f"{kind} {step.name}")
    status, output = process.run(step.exec, step.user, step.group, stdin=step.stdin, seconds=seconds)
    if status:
        # The output of a step of a secret release may contain secrets in a form that redaction does not recognize.
        shown = (
            f"exit status {status}; its output is not shown, since the release is secret"
            if manifest.secret
            else process.indented(output)
        )
        raise Failure(f"{kind} {step.name} failed:\n{shown}", at=At(kind, step.name))
