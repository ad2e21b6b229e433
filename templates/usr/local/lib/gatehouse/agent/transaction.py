"""A release, applied as a transaction: all of it, or back to what was there."""

import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass, field

import checks
import commands
import files
import probes
import store
import units
from files import Change
from manifest import Manifest, load
from report import NOT_ROLLED_BACK, NOTHING_BEFORE, ROLLED_BACK, ROLLED_BACK_UNHEALTHY, Failure, learn_secret, say
from store import Release

HOST = "host"  # the lock around swap, daemon-reload and packages: two generator runs at once have written corrupt units


@dataclass
class Plan:
    """What this apply would do."""

    manifest: Manifest
    text: str
    current: Manifest | None
    generation: int  # the one this apply makes
    changes: list[Change]
    stops: list[str]
    enables: dict[str, bool]
    restarts: list[str]
    reloads: list[str]
    starts: list[str]
    guards: list = field(default_factory=list)

    @property
    def idle(self) -> bool:
        return not (self.changes or self.stops or self.enables or self.starts)


def apply(text: str) -> dict:
    manifest = load(text)
    release = Release(manifest.release)
    release.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(release, manifest):
        done = _apply(release, manifest, text)
    _prune()
    return done


def _locked(release: Release, manifest: Manifest):
    return store.lock(f"release-{release.name}", f"apply of release {release.name}", manifest.deadline + 300)


def _apply(release: Release, manifest: Manifest, text: str) -> dict:
    _learn_secrets(manifest)
    recover(release)
    plan = _plan(manifest, text, release)
    as_wanted = plan.idle and plan.current is not None and text == release.text()
    if not as_wanted:
        for image in manifest.image:
            _fetch(image.reference)
        checks.run(manifest, plan.changes)
    for directory in manifest.directory:
        files.ensure_directory(directory)
    if as_wanted:
        say(f"release {release.name} is as wanted: generation {release.generation}")
    else:
        _carry_out(release, plan)
    return _answer(release, plan)


def _answer(release: Release, plan: Plan) -> dict:
    actions = {u: verb for verb, names in (("start", plan.starts), ("reload", plan.reloads), ("restart", plan.restarts), ("stop", plan.stops)) for u in names}
    return {"release": release.name, "generation": release.generation, "changed": [c.path for c in plan.changes], "units": actions}


def _plan(manifest: Manifest, text: str, release: Release) -> Plan:
    current, generation = release.manifest(), release.generation
    _claim(manifest, current)
    names = [u.name for u in manifest.unit]
    dropped = [u.name for u in (current.unit if current else ()) if u.name not in names]
    stops = units.existing(dropped)
    enables = {u.name: u.enabled for u in manifest.unit if u.enabled is not None and u.enabled != units.enabled(u.name)}
    wanted = files.wanted_files(manifest, generation, current, generation)
    changes = files.changes(wanted, current, generation)
    if changes or stops or enables or units.inactive(names):  # a new generation: paths that carry its number move to it
        wanted = files.wanted_files(manifest, generation + 1, current, generation)
        changes = files.changes(wanted, current, generation)
    guards = list(manifest.guard) if current and {i.reference for i in current.image} != {i.reference for i in manifest.image} else []
    restarts = [u for u in dict.fromkeys(_concerned(changes, "restarts") + [u for g in guards for u in g.units]) if u not in dropped]
    reloads = [u for u in _concerned(changes, "reloads") if u not in restarts + dropped]
    down = units.inactive(names + reloads)
    return Plan(
        manifest=manifest, text=text, current=current, generation=generation + 1, changes=changes, stops=stops, enables=enables,
        restarts=restarts, reloads=[u for u in reloads if u not in down],
        starts=[u for u in dict.fromkeys(names + reloads) if u in down and u not in restarts], guards=guards)


def _claim(manifest: Manifest, current: Manifest | None) -> None:
    """A release, and each of its files and units, has one owner. Within a stack a renamed resource takes its release along."""
    stack = manifest.owner.rpartition("/")[0]
    if current and current.owner.rpartition("/")[0] != stack:
        raise Failure(f"release {manifest.release} on this host belongs to {current.owner}, not to {manifest.owner}; nothing was done")
    claimed = {f.path for f in manifest.file} | {u.name for u in manifest.unit}
    for other in store.live_manifests(except_for=manifest.release):
        for taken in [f.path for f in other.file] + [u.name for u in other.unit]:
            if taken in claimed:
                raise Failure(f"{taken} belongs to release {other.release} ({other.owner}); "
                              f"take it out there with one `pulumi up`, then add it to {manifest.release}; nothing was done")


def _concerned(changes: list[Change], effect: str) -> list[str]:
    return list(dict.fromkeys(unit for change in changes for unit in getattr(change.file, effect)))


def _fetch(reference: str) -> None:
    if commands.run(("podman", "image", "exists", reference))[0] == 0:
        return
    say(f"pull {reference}")
    status, output = commands.run(("podman", "pull", "--quiet", reference))
    if status:
        raise Failure(f"image {reference} cannot be pulled, nothing was changed:\n{commands.indented(output)}")


# ---------------------------------------------------------------- forward

def _carry_out(release: Release, plan: Plan) -> None:
    began = units.now()
    touched = plan.restarts + plan.reloads + plan.starts
    record = {
        "generation": plan.generation, "began": began, "migrated": False, "guards": [asdict(g) for g in plan.guards],
        "restarts": plan.restarts, "reloads": plan.reloads, "starts": plan.starts,
        "ran": units.running_with(touched + plan.stops), "enabled": {u: units.enabled(u) for u in [*plan.enables, *_disables(plan)]},
    }
    try:
        with store.lock(HOST, f"release {release.name}"):
            checks.units(plan.changes)
            for change in plan.changes:
                say(f"{change.what}: {change.path}")
                if plan.current is None or not _owned(plan.current, change.path):
                    if files.keep_original(change.path):
                        say(f"the file that was there before is kept: {files.ORIGINALS}{change.path}")
            files.take_snapshot(release, [c.path for c in plan.changes])
            _write(release, record)
            for guard in plan.guards:
                _save(guard)
            units.run("stop", plan.stops)
            _swap(plan)
            record["migrated"] = bool(plan.guards)  # from here on the new image may change what it guards
            _write(release, record)
            jobs = [units.Job(verb, names) for verb, names in (("restart", plan.restarts), ("reload", plan.reloads), ("start", plan.starts)) if names]
            for job in jobs:
                job.queued()
        deadline = time.monotonic() + plan.manifest.deadline
        for job in jobs:
            job.wait()
        for step in plan.manifest.step:
            _step(step)
        probes.await_all(plan.manifest, deadline)
    except Exception as error:  # a full disk leads back just as a failing probe does
        if not release.record.exists():
            raise  # nothing was touched yet
        failure = error if isinstance(error, Failure) else Failure(f"{type(error).__name__}: {error}")
        _back(release, plan, failure, touched, began)
    # A generation is something that changed on the host; a reworded manifest is not.
    generation = plan.generation if not plan.idle or plan.current is None else release.generation
    _remember_files(release, plan, generation)
    release.commit(generation, plan.text)
    for change in plan.changes:
        if change.wanted is None:
            files.forget_original(change.path)
    _close(release)
    say(f"release {release.name} is healthy: generation {generation}")


def _close(release: Release) -> None:
    release.record.unlink()
    shutil.rmtree(release.snapshot, ignore_errors=True)


def _disables(plan: Plan) -> list[str]:
    """The dropped units that this release had enabled."""
    return [u.name for u in (plan.current.unit if plan.current else ()) if u.enabled and u.name in plan.stops]


def _owned(current: Manifest, path: str) -> bool:
    return any(f.path == path for f in current.file)


def _save(guard) -> None:
    units.run("stop", list(guard.units))
    say(f"save {guard.name}")
    status, output = commands.run(guard.save, guard.user)
    if status:
        raise Failure(f"{guard.name} could not be saved before the new image:\n{commands.indented(output)}")


def _swap(plan: Plan) -> None:
    for name in _disables(plan):
        units.set_enabled(name, False)
    for change in plan.changes:
        files.put(change.path, change.wanted or files.original(change.path))
    _absorb([c.path for c in plan.changes])
    for name, wanted in plan.enables.items():
        units.set_enabled(name, wanted)


def _absorb(paths: list[str]) -> None:
    """Make systemd read what changed: once, whatever the number of files."""
    if any(p.startswith(units.UNIT_ROOTS) for p in paths):
        units.daemon_reload()
    if tmpfiles := [p for p in paths if p.startswith(units.TMPFILES_ROOT) and files.look(p)]:
        units.create_tmpfiles(tmpfiles)


def _step(step) -> None:
    say(f"step {step.name}")
    status, output = commands.run(step.exec, step.user, stdin=step.stdin)
    if status:
        raise Failure(f"step {step.name} failed:\n{commands.indented(output)}")


# ---------------------------------------------------------------- back

def recover(release: Release) -> None:
    """An apply that was killed left its record: undo it before anything else."""
    if not release.record.exists():
        return
    record = json.loads(release.record.read_text())
    if record["generation"] == release.generation:
        return _close(release)  # it had been found healthy
    say(f"an earlier apply of {release.name} was interrupted: going back to generation {release.generation}")
    try:
        _undo(release, record, release.manifest())
    except Failure as failure:
        if failure.code == NOT_ROLLED_BACK:
            raise
        say(f"generation {release.generation} is back but not healthy, which this apply may change:\n{failure}")


def _back(release: Release, plan: Plan, failure: Failure, touched: list[str], began: float) -> None:
    """Go back, then say what happened and where the host stands now."""
    tail = units.journal(touched, began) if touched else ""
    why = f"{failure}\n" + (f"  the last lines of {' '.join(touched)}:\n{tail}" if tail else "")
    say("failed, going back")
    try:
        _undo(release, json.loads(release.record.read_text()), plan.current)
    except Failure as second:
        if second.code == NOT_ROLLED_BACK:
            raise Failure(f"{why}{second}", NOT_ROLLED_BACK) from None
        raise Failure(f"{why}rolled back to generation {release.generation}, but it is not healthy:\n{second}", ROLLED_BACK_UNHEALTHY) from None
    if plan.current is None:
        raise Failure(f"{why}release {release.name} was never there before: its files are removed again", NOTHING_BEFORE)
    raise Failure(f"{why}rolled back to generation {release.generation}, which is healthy", ROLLED_BACK)


def _undo(release: Release, record: dict, current: Manifest | None) -> None:
    """Everything as it was. What fails on the way stops nothing and is told at the end, except guarded data."""
    faults = []

    def attempt(act, *arguments) -> None:
        try:
            act(*arguments)
        except Failure as fault:
            faults.append(str(fault))

    with store.lock(HOST, f"way back of release {release.name}"):
        new = [u for u in record["restarts"] + record["reloads"] + record["starts"] if u not in record["ran"]]
        attempt(units.run, "stop", units.existing(dict.fromkeys(new)))
        if record["migrated"]:
            _restore(record)
            _write(release, record | {"migrated": False})  # once: a second restore would take the restored data away
        for name, was in record["enabled"].items():
            if units.enabled(name) and not was:
                attempt(units.set_enabled, name, False)
        attempt(_absorb, files.restore_snapshot(release))
        for name, was in record["enabled"].items():
            if was and not units.enabled(name):
                attempt(units.set_enabled, name, True)
    attempt(units.run, "restart", [u for u in record["restarts"] if u in record["ran"]])
    attempt(units.run, "reload", [u for u in record["reloads"] if u in record["ran"]])
    attempt(units.run, "start", units.inactive(record["ran"]))
    _close(release)
    if current:
        attempt(probes.await_all, current, time.monotonic() + current.deadline)
    if faults:
        raise Failure("\n".join(faults))


def _restore(record: dict) -> None:
    """Image and data go back together: an older image does not understand what a newer one migrated."""
    for guard in record["guards"]:
        units.run("stop", guard["units"])
        say(f"restore {guard['name']}")
        status, output = commands.run(guard["restore"], guard["user"])
        if status:
            raise Failure(f"not rolled back: {guard['name']} is migrated and could not be restored, so the new image stays:\n"
                          f"{commands.indented(output)}", NOT_ROLLED_BACK)


# ---------------------------------------------------------------- removal

def remove(name: str, owner: str) -> dict:
    """Stop the release's units and remove its files, if `owner` still owns it. Data stays, secrets with it."""
    release = Release(name)
    if not release.folder.exists():
        return {"release": name, "removed": False, "why": "it is not on this host"}
    with store.lock(f"release-{name}", f"removal of release {name}", 300):
        recover(release)
        current = release.manifest()
        if current is None:  # it never got there, or its removal was interrupted
            release.forget()
            return {"release": name, "removed": True}
        if current.owner != owner:
            return {"release": name, "removed": False, "why": f"it belongs to {current.owner}"}
        if current.secret:
            return {"release": name, "removed": False, "why": f"secrets are data: {store.SECRETS / name} is kept"}
        own = [u.name for u in current.unit]
        paths = [f.path for f in current.file]
        with store.lock(HOST, f"removal of release {name}"):
            units.run("stop", units.existing(own))
            for unit in current.unit:
                if unit.enabled and units.enabled(unit.name):
                    units.set_enabled(unit.name, False)
            for path in paths:
                files.put(path, files.original(path))
            _absorb(paths)
        gone = [Change(f.path, None, f, "removed") for f in current.file]
        for verb, effect in (("restart", "restarts"), ("reload", "reloads")):
            others = units.existing(u for u in _concerned(gone, effect) if u not in own)
            units.run(verb, [u for u in others if u not in units.inactive(others)])
        release.forget()
        for path in paths:  # last: a removal that was interrupted is repeated
            files.forget_original(path)
        return {"release": name, "removed": True}


# ---------------------------------------------------------------- memory

def _write(release: Release, record: dict) -> None:
    store.write_private(release.record, json.dumps(record))


def _remember_files(release: Release, plan: Plan, generation: int) -> None:
    """Fingerprints of what went live, which is what drift is measured against."""
    wanted = files.wanted_files(plan.manifest, generation, plan.manifest, generation)
    prints = {path: fingerprint(content) for path, (_, content) in wanted.items()}
    store.write_private(release.folder / str(generation) / "files.json", json.dumps(prints))


def fingerprint(content: files.Content) -> list:
    return [hashlib.sha256(content.data).hexdigest(), content.mode, content.uid, content.gid]


def _learn_secrets(manifest: Manifest) -> None:
    for step in manifest.step if manifest.secret else ():
        learn_secret(step.stdin.replace("'", "\n"))  # what SQL quotes is shown without its surroundings
    for path in store.SECRETS.rglob("*") if store.SECRETS.exists() else ():
        if path.is_file():
            learn_secret(path.read_text(errors="replace"))


def _prune() -> None:
    """Delete secrets that nobody refers to any more, also from the files that they were merged into."""
    texts = [text for release in store.releases() if (text := release.text())]
    for name in dict.fromkeys(files.prune_secrets(texts)):
        say(f"old secrets of {name} are deleted: nobody refers to them any more")
        for release in store.releases():
            if f"{{{{secrets {name}/" in (release.text() or ""):
                with _locked(release, release.manifest()):
                    text = release.text()  # again: another apply may have changed it while we waited
                    _apply(release, load(text), text)
