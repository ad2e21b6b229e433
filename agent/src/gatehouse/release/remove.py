"""Removes a release from this host."""

from gatehouse.output.report import Failure
from gatehouse.protocol.answers import RemoveAnswer
from gatehouse.protocol.manifest import Manifest
from gatehouse.release import plan, purge, undo
from gatehouse.state import remains, store, wanted
from gatehouse.state.store import HOST, Release
from gatehouse.system import jobs, machine, systemd
from gatehouse.tree import originals
from gatehouse.tree.files import Change


def remove(name: str, owner: str, purging: bool = False) -> RemoveAnswer:
    """Stop the release's units and remove its files, if `owner` still owns it. Data is kept, and
    a release of secrets is retained. A purge
    copies the data before it removes anything, and deletes the data last.

    Raises Failure if data is in use or cannot be copied, or a unit does not stop."""
    release = Release(name)
    if not release.folder.exists():
        return {"release": name, "removed": False, "why": "it is not on this host"}
    with store.lock(f"release-{name}", f"removal of release {name}", 3600):
        undo.recover(release)
        current = release.manifest()
        if current is None:  # it was never committed, or its removal was interrupted
            release.forget()
            return {"release": name, "removed": True}
        if current.owner != owner:
            return {"release": name, "removed": False, "why": f"it belongs to {current.owner}"}
        if purging:
            wanted.refuse_purge(name, owner)
        if current.secret and not purging:
            release.retain()
            return {"release": name, "removed": False, "why": f"secrets are data: {store.SECRETS / name} is kept"}
        own = [u.name for u in current.unit]
        # All versions of a secret are in one directory, which counts as data.
        paths = [f.path for f in current.file if "{generation}" not in f.path]
        copies = _stop(release, current, own, purging)
        with store.lock(HOST, f"removal of release {name}"):
            for unit in release.left().enabled:
                if systemd.enabled(unit):
                    systemd.set_enabled(unit, False)
            for path in paths:
                originals.put(path, originals.original(path))
            systemd.absorb(paths)
        gone = [Change(f.path, None, f, "removed") for f in current.file]
        effects: tuple[tuple[str, plan.Effect], ...] = (("restart", "restarts"), ("reload", "reloads"))
        for verb, effect in effects:
            others = systemd.existing(u for u in plan.concerned(gone, effect) if u not in own)
            jobs.run(verb, systemd.running(others), machine.system.monotonic() + current.deadline)
        if purging:
            purge.drop(release, current, copies)
            remains.drop(name)
        else:
            kept = [store.read(text) for n in release.generations() if (text := release.text(n))]
            remains.record(current, [image.reference for manifest in kept for image in manifest.image])
        release.forget()
        for path in paths:  # last, because an interrupted removal is repeated
            originals.forget_original(path)
        done: RemoveAnswer = {"release": name, "removed": True}
        return {**done, "copies": copies} if copies else done


def _stop(release: Release, current: Manifest, own: list[str], purging: bool) -> str | None:
    """Stop every unit that could write to the data. For a purge, returns the directory with the copies of the data."""
    there = systemd.existing(own)
    running, started = systemd.running_with(there), systemd.triggered(there)
    try:
        if purging:
            purge.refuse_in_use(release, current)
        jobs.run("stop", there + started)
        systemd.reset_failed(own + started)
        return purge.save(release, current) if purging else None
    except BaseException as error:
        try:
            jobs.run("start", running)
        except Failure as failure:
            raise Failure(f"{error}\nand the units that ran before do not start again: {failure}") from error
        raise
