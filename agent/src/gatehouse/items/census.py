"""Finds items on this host that gatehouse did not create, under names that it would use."""

import grp
import hashlib
import json
import pwd
import re
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypedDict

from gatehouse.items import packages
from gatehouse.items.claims import of as things_of
from gatehouse.output.report import Failure
from gatehouse.protocol.manifest import Manifest
from gatehouse.state import created, store, wanted
from gatehouse.system import listeners, machine, safepath, systemd
from gatehouse.tree import files

_PACKAGED = ("/usr/lib/systemd/", "/lib/systemd/")


@dataclass(frozen=True)
class Claim:
    """The needs of the item `KIND-NAME`, each as kind and name. For packages, `things` are the units of the first
    one."""

    item: str
    things: tuple[str, ...]
    owner: str = ""  # of a release: PROJECT/STACK/RESOURCE
    groups: tuple[str, ...] = ()  # of an account: the groups that it should be a member of
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnmanagedObject:
    thing: str
    what: str


def main() -> None:
    """For the program, which sends this file to hosts that may not have the agent yet: reads claims from stdin, and in
    an update also which releases the stack wants. These are recorded unless an object is in the way."""
    question = json.load(sys.stdin)
    found = unmanaged_objects([_claim(claim) for claim in question["claims"]]) if question["claims"] else []
    if (wants := question.get("wants")) and all(one.thing in question["takes"] for one in found):
        try:
            store.prepare()
            wanted.declare(wants["stack"], wants["releases"])
        except OSError as error:
            sys.exit(
                f"the wanted releases cannot be recorded in {store.STATE}: {error.strerror}; nothing was changed. "
                f"Its disk and the room on it: df -h {store.STATE}; df -i {store.STATE}"
            )
    print(json.dumps([vars(one) for one in found]))


def _claim(found: dict[str, Any]) -> Claim:
    words: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
    return Claim(**words)


def refuse(claim: Claim, takes: Iterable[str]) -> None:
    """Raises Failure for items that gatehouse did not create, unless the configuration says to take them over."""
    if found := [found_object for found_object in unmanaged_objects([claim]) if found_object.thing not in takes]:
        listed = "\n".join(f"  {found_object.thing}: {found_object.what}" for found_object in found)
        raise Failure(
            f"this host has objects that gatehouse did not create:\n{listed}\nnothing was changed. Rename or remove "
            "them; or, to have gatehouse take them over, add to `takeOver` of the host: "
            f"{', '.join(found_object.thing for found_object in found)}"
        )


def refuse_release(manifest: Manifest, current: Manifest | None) -> None:
    """The same for items that a release newly needs."""
    known = things_of(current) if current else []
    if new := tuple(thing for thing in things_of(manifest) if thing not in known):
        refuse(Claim(f"release-{manifest.release}", new, manifest.owner), manifest.takes)


def unmanaged_objects(claims: list[Claim]) -> list[UnmanagedObject]:
    """All such items: stacks first, then in the order in which they are claimed."""
    ours, found = _Ours(claims), list(_of_stacks(claims))
    for claim in claims:
        if not claim.packages:
            found += [
                UnmanagedObject(thing, what) for needed in claim.things for thing, what in _look(needed, claim, ours)
            ]
    return list({found_object.thing: found_object for found_object in found}.values())


class _Ours:
    """The items that belong to gatehouse, and queries of the host that cover all claims."""

    def __init__(self, claims: list[Claim]):
        self.made = created.things()
        manifests = [manifest for release in store.releases() for manifest in release.manifests()]
        self.files = {file.path for manifest in manifests for file in manifest.file}
        self.units = {unit.name: manifest for manifest in manifests for unit in manifest.unit}
        # Units of packages that gatehouse installed: if one is running, the distribution started it, not an operator.
        self.packaged = {
            thing
            for claim in claims
            if claim.packages and f"package {claim.packages[0]}" in self.made
            for thing in claim.things
        }
        self.packaged |= {thing for thing in self.made if thing.startswith("unit ")}
        # The upgrade of a cluster creates another instance beside the one that the release has.
        self.packaged |= {
            thing
            for claim in claims
            for thing in claim.things
            if _template(thing)
            in {
                _template(f"unit {name}")
                for name, manifest in self.units.items()
                if f"release-{manifest.release}" == claim.item
            }
            - {None}
        }
        claimed = {
            kind: [
                name for claim in claims for thing in claim.things for k, _, name in [thing.partition(" ")] if k == kind
            ]
            for kind in ("file", "unit", "port", "pod", "container", "volume")
        }
        self.claimed = {kind: set(names) for kind, names in claimed.items()}
        self.shown = (
            systemd.show(claimed["unit"], "LoadState", "ActiveState", "FragmentPath", "SourcePath")
            if claimed["unit"]
            else {}
        )
        self.listening = listeners.listeners() if claimed["port"] else []
        self.podman = {kind: _podman(*words) if self.claimed[kind] else [] for kind, words in _LISTS.items()}

    def has(self, kind: str, name: str) -> bool:
        """An account or a group that was applied once, or is about to be created by an apply that was killed."""
        return f"{kind} {name}" in self.made or bool(store.item(f"{kind}-{name}"))


_LISTS = {"pod": ("pod", "ps"), "container": ("ps", "--all", "--pod"), "volume": ("volume", "ls")}


def _template(thing: str) -> str | None:
    return re.sub("@.+(?=[.])", "@", thing) if thing.startswith("unit ") and "@" in thing else None


class _Member(TypedDict):
    """A container in a pod."""

    Names: str


class _Listed(TypedDict, total=False):
    """A pod, container or volume, as Podman lists it."""

    Id: str
    Name: str  # of a pod or a volume
    Names: list[str]  # of a container
    Labels: dict[str, str] | None
    PodName: str
    Containers: list[_Member] | None


def _podman(*words: str) -> list[_Listed]:
    if not shutil.which("podman"):
        return []
    found: list[_Listed] | None = json.loads(machine.system.ask("podman", *words, "--format", "json") or "[]")
    return found or []


def _of_stacks(claims: list[Claim]) -> Iterable[UnmanagedObject]:
    """The stacks that own these releases on this host, if not the stack that claims them."""
    found: dict[str, list[str]] = {}
    for kind, name, stack in (
        (*claim.item.split("-", 1), claim.owner.rpartition("/")[0]) for claim in claims if claim.owner
    ):
        for other in (
            sorted({manifest.owner.rpartition("/")[0] for manifest in store.Release(name).manifests()} - {stack})
            if kind == "release"
            else ()
        ):
            found.setdefault(other, []).append(name)
    for other, names in found.items():
        yield UnmanagedObject(
            f"stack {other}", f"on this host {' and '.join(names)} {'belong' if names[1:] else 'belongs'} to it"
        )


def _look(thing: str, claim: Claim, ours: _Ours) -> Iterable[tuple[str, str]]:
    kind, _, name = thing.partition(" ")
    return {
        "account": _account,
        "group": _group,
        "file": _file,
        "unit": _unit,
        "port": _port,
        "pod": _of_podman,
        "container": _of_podman,
        "volume": _of_podman,
    }[kind](kind, name, claim, ours)


def _account(kind: str, name: str, claim: Claim, ours: _Ours) -> Iterable[tuple[str, str]]:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        if not ours.has("account", name):
            yield from _group("group", name, claim, ours)  # a new account gets a group of that name
        return
    record = store.item(f"account-{name}")
    answered = record.answer.get("uid") if record else None
    if ours.has("account", name) and answered in (None, found.pw_uid):
        return
    others = sorted({group.gr_name for group in grp.getgrall() if name in group.gr_mem} - set(claim.groups))
    yield (
        f"account {name}",
        ", ".join(
            [
                f"UID {found.pw_uid}",
                f"home {found.pw_dir}",
                f"shell {found.pw_shell}",
                *([f"a member of {' and '.join(others)}"] if others else []),
            ]
        ),
    )


def _group(kind: str, name: str, claim: Claim, ours: _Ours) -> Iterable[tuple[str, str]]:
    try:
        found = grp.getgrnam(name)
    except KeyError:
        return
    if not ours.has("group", name):
        yield (
            f"group {name}",
            f"GID {found.gr_gid}, {'with ' + ' and '.join(found.gr_mem) if found.gr_mem else 'without members'}",
        )


def _file(kind: str, path: str, claim: Claim, ours: _Ours) -> Iterable[tuple[str, str]]:
    found = safepath.status(path)
    if found is None:
        return
    # A package may create configuration files during installation that are not in its file list.
    brought = packages.configuration().get(path)
    generated = brought is None and any(thing in ours.packaged for thing in claim.things)
    if path not in ours.files and not generated and not (brought and _md5(path) == brought):
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.st_mtime))
        yield f"file {path}", f"{found.st_size} bytes of UID {found.st_uid}, of {when}"


def _md5(path: str) -> str | None:
    there = files.look(path)
    return hashlib.md5(there.data, usedforsecurity=False).hexdigest() if there else None


def _unit(kind: str, name: str, claim: Claim, ours: _Ours) -> Iterable[tuple[str, str]]:
    shown = ours.shown.get(name, {})
    source = shown.get("SourcePath") or shown.get("FragmentPath") or ""
    runs = shown.get("ActiveState") not in ("inactive", "failed", None)
    if name in ours.units or f"unit {name}" in ours.packaged or source in ours.files | ours.claimed["file"]:
        return
    if runs or (shown.get("LoadState") == "loaded" and source and not source.startswith(_PACKAGED)):
        yield f"unit {name}", f"{'running' if runs else 'exists'}, defined by {source or 'no file'}"


def _port(kind: str, name: str, claim: Claim, ours: _Ours) -> Iterable[tuple[str, str]]:
    met = [listener for listener in ours.listening if listener.meets(*listeners.parsed(name))]
    holders = listeners.holders({listener.inode for listener in met}) if met else {}
    for listener in met:
        if whose := _holder(holders.get(listener.inode), claim, ours):
            yield f"port {name}", f"taken by {whose}, which listens at {listener.address}"
            return


def _holder(process: listeners.Process | None, claim: Claim, ours: _Ours) -> str | None:
    """None if the port belongs to the claiming stack, which moves it, or to another item that is reported anyway."""
    if process is None:
        return "the kernel, or a process that has just ended"
    nothing: _Listed = {}
    listed = _podman(*_LISTS["container"]) if process.container else []
    held = next((container for container in listed if container["Id"] == process.container), nothing)
    unit = (held.get("Labels") or {}).get("PODMAN_SYSTEMD_UNIT") or process.unit
    if (
        unit in ours.claimed["unit"]
        or held.get("PodName") in ours.claimed["pod"]
        or ours.claimed["container"] & set(held.get("Names", ()))
    ):
        return None
    release = ours.units.get(unit)
    if release and release.owner.rpartition("/")[0] == claim.owner.rpartition("/")[0]:
        return None
    container = f"container {held['Names'][0]}" if held else ""
    owner = f", release {release.release} of {release.owner}" if release else ""
    return f"{process.name} (process {process.pid}){' of ' if unit or held else ''}{unit or container}{owner}"


def _of_podman(kind: str, name: str, claim: Claim, ours: _Ours) -> Iterable[tuple[str, str]]:
    for found in ours.podman[kind]:
        if name not in (found.get("Names") or [found.get("Name", "")]):
            continue
        # A unit recreates the containers of its Quadlet at each start, so the conflict is reported for the unit or its
        # file. The unit of a job is in no manifest, unlike its timer.
        unit = (found.get("Labels") or {}).get("PODMAN_SYSTEMD_UNIT")
        quadlet = f"{systemd.QUADLETS}/{(unit or '').removesuffix('.service')}.container"
        if unit not in ours.claimed["unit"] and unit not in ours.units and quadlet not in ours.files:
            members = sorted(member["Names"] for member in found.get("Containers") or ())
            holds = [f"with {' and '.join(members)}"] if members else []
            yield f"{kind} {name}", ", ".join([f"created {'by ' + unit if unit else 'by hand'}", *holds])
