"""Plans an apply, from the manifest and the state of the host."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gatehouse.drift import unmanaged
from gatehouse.health import survey
from gatehouse.items import census
from gatehouse.output.report import Failure
from gatehouse.protocol.difference import Difference
from gatehouse.protocol.manifest import Directory, Guard, Image, Manifest, Probe, Step, Unit
from gatehouse.release import borrowed
from gatehouse.state import remains, secrets, store
from gatehouse.state.left import Left
from gatehouse.state.store import Release
from gatehouse.system import systemd
from gatehouse.tree import files, moves
from gatehouse.tree.files import Change, Wanted
from gatehouse.tree.moves import Move

Effect = Literal["restarts", "reloads"]  # how a changed file affects units


@dataclass
class Plan:
    manifest: Manifest
    text: str
    current: Manifest | None
    generation: int  # the one that this apply creates, or the current one if nothing on the host changes
    wanted: Wanted
    changes: list[Change]
    folders: list[Directory]
    moves: list[Move]  # data to move to a new location
    guards: list[Guard]
    wrong_permissions: list[Difference]  # wrong permissions of runtime directories: a restart recreates them
    failing: list[Difference]  # failed probes although nothing has drifted: only a restart is left to try
    hung: list[str]  # units of the release with a reload that hangs; a restart ends it
    stops: list[str]  # before the swap
    disables: list[str]
    enables: dict[str, bool]
    restarts: list[str]
    reloads: list[str]
    dependents: list[str]  # dependents (units of other releases) to reload once this release is healthy by itself
    starts: list[str]
    enabled: list[str]  # the units that this release has enabled, in any generation
    unproven: bool  # the live generation was never found healthy

    @property
    def idle(self) -> bool:
        return not (
            self.changes
            or self.folders
            or self.moves
            or self.guards
            or self.wrong_permissions
            or self.hung
            or self.failing
            or self.stops
            or self.enables
            or self.starts
        )

    @property
    def stays(self) -> bool:
        """Whether units, steps and own probes are as before, no unit is restarted, and the release was found
        healthy."""
        return not (self.stops or self.restarts or self.reloads or self.starts or self.unproven) and _own(
            self.manifest
        ) == _own(self.current)

    @property
    def paths(self) -> list[str]:
        return (
            [c.path for c in self.changes]
            + [d.path for d in self.folders]
            + [m.target for m in self.moves if m.target not in [d.path for d in self.folders]]
        )

    @property
    def left(self) -> Left:
        """The state that drift is later measured against."""
        return Left(
            files={path: content.mark for path, (_, content) in self.wanted.items()},
            # Files with content that the host keeps in place of the content in the manifest.
            kept={
                path: content.data.hex()
                for path, (file, content) in self.wanted.items()
                if file.rotation is not None and content.data != file.content.encode()
            },
            folders={d.path: files.wanted_folder(d) for d in self.manifest.directory},
            enabled=self.enabled,
            changed=self.paths,
        )


def make(release: Release, manifest: Manifest, text: str, downgrade: bool = False) -> Plan:
    """Raises Failure if the release must not be applied: it claims items of another owner, or would lose data."""
    current, generation = release.manifest(), release.generation
    claim(manifest)
    census.refuse_release(manifest, current)
    borrowed.refuse(manifest)
    # The data of a removed release stays, and so does what its last images have done to it.
    before = current.image if current else remains.last_images(release.name)
    unless = "" if current else f". If that data was deleted since the removal: rm {remains.place(release.name)}"
    _refuse_leap(manifest, before, unless)
    if not downgrade:
        _refuse_downgrade(manifest, before, unless)
    names = [u.name for u in manifest.unit]
    dropped = [u.name for u in (current.unit if current else ()) if u.name not in names]
    stops = systemd.existing(dropped + systemd.triggered(dropped))  # a timer's service is stopped with it
    enables = {
        u.name: u.enabled for u in manifest.unit if u.enabled is not None and u.enabled != systemd.enabled(u.name)
    }
    left = release.left()
    enabled = left.enabled
    folders = files.folder_changes(manifest.directory)
    moving = moves.due(manifest, current)
    guards = _guards(manifest, current)
    wrong_permissions = unmanaged.wrong_permissions(manifest, left) if current else []
    hung = systemd.hung(names)
    removals = [
        Change(f.path, None, f, "set aside", unmanaged=True)
        for f in unmanaged.dropins(manifest, unmanaged.owned() | {f.path for f in manifest.file})
    ]
    wanted = files.wanted_files(manifest, generation, current, generation, left)
    changes = files.changes(wanted, current, generation) + removals
    failing = (
        []
        if not current or guards or moving or wrong_permissions or hung or _starts_anew(changes, names)
        else survey.complaints(current)
    )
    if (
        changes
        or folders
        or moving
        or guards
        or wrong_permissions
        or hung
        or failing
        or stops
        or enables
        or systemd.inactive(names)
        or not current
    ):
        # A new generation means a change on the host, which an edit of the text alone does not make. Paths that contain
        # the number of the generation change with it.
        wanted = files.wanted_files(manifest, generation + 1, current, generation, left)
        changes = files.changes(wanted, current, generation) + files.mended(current, generation, left) + removals
        generation += 1
    quiet = [u for g in guards for u in g.units] + (names if moving else [])  # stopped, so that nothing writes
    resting = _resting(changes, names)
    restarts = [
        u
        for u in dict.fromkeys(
            concerned(changes, "restarts") + quiet + (names if wrong_permissions or failing else hung)
        )
        if u not in dropped + resting
    ]
    passed = [p.through for p in current.probe if p.through] if current and failing else []
    reloads = [
        u for u in dict.fromkeys(concerned(changes, "reloads") + passed) if u not in restarts + dropped + resting
    ]
    down = systemd.inactive(names)
    return Plan(
        manifest=manifest,
        text=text,
        current=current,
        generation=generation,
        wanted=wanted,
        changes=changes,
        folders=folders,
        moves=moving,
        guards=guards,
        wrong_permissions=wrong_permissions,
        hung=hung,
        failing=failing,
        # If systemd loaded a new calendar while a timer is active, it would start the runs missed by that calendar.
        stops=list(
            dict.fromkeys(stops + systemd.existing(quiet + systemd.triggered(quiet) + systemd.timers(restarts)))
        ),
        disables=[u for u in stops if u in enabled],
        enables=enables,
        restarts=restarts,
        reloads=[u for u in reloads if u in names and u not in down],
        dependents=[u for u in reloads if u not in names],
        starts=[u for u in names if u in down and u not in restarts],
        enabled=[u.name for u in manifest.unit if u.enabled or (u.enabled is None and u.name in enabled)],
        unproven=release.unproven,
    )


def _own(manifest: Manifest | None) -> tuple[tuple[Unit, ...], tuple[Step, ...], list[Probe]] | None:
    return (manifest.unit, manifest.step, [p for p in manifest.probe if not p.through]) if manifest else None


def claim(manifest: Manifest) -> None:
    """Claim the release, its files and its units: each belongs to one release, and the release to one stack. The
    program names a release after its resource, so a renamed resource is another release, which is refused until the
    first one has given up its files. Raises Failure for anything that another release or stack has claimed."""
    store.refuse_foreign(manifest.release, manifest.owner, manifest.takes)
    secrets.refuse_foreign_folders(manifest)
    claimed = {f.path for f in manifest.file} | {u.name for u in manifest.unit}
    for other in store.claims(except_for=manifest.release):
        for taken in [f.path for f in other.file] + [u.name for u in other.unit]:
            if taken in claimed:
                raise Failure(
                    f"{taken} belongs to release {other.release} ({other.owner}); "
                    f"remove it there with one `pulumi up`, then add it to {manifest.release}; nothing was changed"
                )
        for one, theirs in ((manifest, other), (other, manifest)):
            for data in one.data:
                for path in _paths(theirs):
                    if f"{path}/".startswith(f"{data.path}/"):
                        what = "a restore would replace" if data.borrowed else "a purge would delete"
                        raise Failure(
                            f"{path} of release {theirs.release} is in {data.path}, which is data of release "
                            f"{one.release}: {what} it; nothing was changed"
                        )


def _paths(manifest: Manifest) -> list[str]:
    return [
        *(file.path for file in manifest.file),
        *(directory.path for directory in manifest.directory),
        *(data.path for data in manifest.data if data.path),
    ]


def _refuse_leap(manifest: Manifest, before: Iterable[Image], unless: str) -> None:
    """`before`: the images that last used the data; `unless`: what to do if it no longer exists."""
    for image in manifest.image:
        for there in before:
            if image.leaps(there):
                raise Failure(
                    f"{image.reference} is of series {image.series}, which can only follow "
                    f"{_listed(image.follows)}, and this host has {there.series}: its data is migrated one "
                    f"series at a time, and never back. {_way(image, there)}{unless}; nothing was changed"
                )


def _way(image: Image, there: Image) -> str:
    if not image.is_older_than(there):
        return "Upgrade through each series between them with its own `pulumi up`"
    if image.series in there.follows:
        return _permission(image)
    return f"A permitted downgrade goes back by one series only, here to {_listed(there.follows)}"


def _refuse_downgrade(manifest: Manifest, before: Iterable[Image], unless: str) -> None:
    for image in manifest.image:
        for there in () if image.downgrade else before:
            if image.is_older_than(there):
                raise Failure(
                    f"{image.reference} is older than {there.reference}, which this host has or had: it may not be "
                    f"able to use data that the newer one has migrated. {_permission(image)}{unless}; "
                    "nothing was changed"
                )


def _permission(image: Image) -> str:
    if not image.permission:
        return "No key of the configuration permits it"
    return f"To replace it anyway, set {image.permission}: true in the configuration"


def _listed(series: tuple[str, ...]) -> str:
    return " or ".join(series) or "nothing"


def _starts_anew(changes: list[Change], names: list[str]) -> bool:
    """Whether this apply starts or restarts units anyway, or reloads dependents. Then it runs the probes at its end."""
    return bool(
        systemd.inactive(names) or concerned(changes, "restarts") or set(concerned(changes, "reloads")) - set(names)
    )


def concerned(changes: Iterable[Change], effect: Effect) -> list[str]:
    files_of = (change.file for change in changes)
    return list(
        dict.fromkeys(unit for file in files_of for unit in (file.restarts if effect == "restarts" else file.reloads))
    )


def _resting(changes: list[Change], names: list[str]) -> list[str]:
    """Units that are not running and of which only a file is removed, such as the old cluster after an upgrade of
    PostgreSQL: they are not started."""
    needed = {*names, *_affected(c for c in changes if c.wanted)}
    return systemd.inactive([u for u in _affected(c for c in changes if not c.wanted) if u not in needed])


def _affected(changes: Iterable[Change]) -> dict[str, None]:
    """In order, without duplicates."""
    found = list(changes)
    return dict.fromkeys(concerned(found, "restarts") + concerned(found, "reloads"))


def _guards(manifest: Manifest, current: Manifest | None) -> list[Guard]:
    """The guards with a change of image. Another image may change the data that the old release guarded as well as that
    of the new one."""
    if current is None:
        return []
    guards = {g.name: g for g in (*current.guard, *manifest.guard)}
    return [g for g in guards.values() if _watched(current, g) != _watched(manifest, g)]


def _watched(manifest: Manifest, guard: Guard) -> set[str]:
    """The images of a manifest that may change the data of a guard, which may be a guard of another generation."""
    own = next((g for g in manifest.guard if g.name == guard.name), guard)
    there = {i.reference for i in manifest.image}
    return there & (set(own.images) or there)
