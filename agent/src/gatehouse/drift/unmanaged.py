"""Checks for anything that belongs to no release but affects releases: drop-ins and Quadlets, images, runtime
directories."""

import json
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from gatehouse.output.report import Failure
from gatehouse.protocol.difference import Difference
from gatehouse.protocol.manifest import File, Manifest, owner_ids
from gatehouse.state import store
from gatehouse.state.left import Left
from gatehouse.state.store import Release
from gatehouse.system import machine, safepath, systemd
from gatehouse.tree import files

QUADLETS = Path(systemd.QUADLETS)
UNITS = (
    Path(systemd.UNITS),
    Path("/etc/systemd/system.control"),
    Path("/run/systemd/system"),
    Path("/run/systemd/system.control"),
)
RUN = "/run"
_OPENED = re.compile(r"^ExecStartPost=\+\S+/\S+-socket-folder open (\S+) (\S+) ", re.M)
_OPEN, _CLOSED = "3770", "3750"  # to clients: while the unit is running, and while it is not
_TMPFILES = re.compile(r"^[dD]\S*\s+(/\S+)\s+([0-7]{3,4})\s+(\S+)\s+(\S+)", re.M)


def owned() -> set[str]:
    """The files of every release, including releases that are being applied."""
    return {
        files.at_generation(f.path, generation)
        for release in store.releases()
        for generation in [release.generation]
        for manifest in release.manifests()
        for f in manifest.file
    }


def unexpected(owned: set[str]) -> list[str]:
    """Unmanaged files that are reported and never removed: Quadlets, and drop-ins of a template unit, which apply to
    all instances of the template."""
    ours, templates = {f"{path}.d" for path in owned}, set()
    for manifest in filter(None, (release.manifest() for release in store.releases())):
        templates |= {re.sub("@.+(?=[.])", "@", u.name) for u in manifest.unit if "@" in u.name}
    there = [path for path in QUADLETS.rglob("*") if str(path.parent) not in ours]
    there += [path for root in UNITS for name in templates for path in (root / f"{name}.d").glob("*.conf")]
    return [f"{path} belongs to no release" for path in sorted(there) if not path.is_dir() and str(path) not in owned]


def dropins(manifest: Manifest, owned: set[str]) -> list[File]:
    """Unmanaged drop-ins of the units and Quadlets of the release: they change how these run, so an apply removes them.
    systemd ignores any other file in these directories. Returned as entries of a manifest, with the units that they
    concern."""
    return [
        File(str(path), "0600", "root:root", "", restarts=restarts)
        for folder, restarts in _folders(manifest).items()
        # If the drop-in directory is a symlink, only the link is removed; its target may belong to something else.
        for path in ([folder] if folder.is_symlink() else sorted(folder.glob("*.conf")))
        if (path.is_file() or path.is_symlink()) and str(path) not in owned
    ]


def _folders(manifest: Manifest) -> dict[Path, tuple[str, ...]]:
    """The *.d directories in every place where systemd or Quadlet looks for local configuration."""
    names: dict[str, tuple[str, ...]] = {u.name: (u.name,) for u in manifest.unit}
    found: dict[Path, tuple[str, ...]] = {}
    for file in manifest.file:
        path = Path(file.path)
        if path.parent == QUADLETS:
            found[QUADLETS / f"{path.name}.d"] = file.restarts
        elif path.parent in UNITS:
            names.setdefault(path.name, file.restarts)
        elif path.parent.parent in UNITS and path.parent.name.endswith(".d"):
            names.setdefault(path.parent.name.removesuffix(".d"), file.restarts)
    for name, restarts in names.items():
        found.update({root / f"{name}.d": restarts for root in UNITS})
    return found


def images_of(release: Release, manifest: Manifest) -> list[Difference]:
    """The containers of the units must run the images in the manifest. A pod's infra container is skipped."""
    if not manifest.image or not shutil.which("podman"):
        return []
    wanted = {image.reference: _images(image.reference) for image in manifest.image}
    ids = {reference: images[0]["Id"] for reference, images in wanted.items() if images}
    found = [
        Difference("other", reference, "missing", f"image {reference} is not on this host")
        for reference in wanted
        if reference not in ids
    ]
    names = [u.name for u in manifest.unit]
    for container in _containers(_running()):
        labels, name = container["Config"].get("Labels") or {}, container["Name"]
        if container.get("IsInfra") or labels.get("PODMAN_SYSTEMD_UNIT") not in names:
            continue
        if container["ImageName"] not in wanted:
            message = f"container {name} runs {container['ImageName']}, the manifest says {', '.join(wanted)}"
            found.append(Difference("other", name, "image", message))
        elif container["Image"] != ids.get(container["ImageName"], container["Image"]):
            message = f"container {name} does not run the image that {container['ImageName']} refers to now"
            found.append(Difference("other", name, "image", message))
    return found


def _running() -> list[str]:
    return machine.system.ask("podman", "ps", "--quiet").split()


class _Image(TypedDict):
    """The fields used from `podman inspect`."""

    Id: str


class _Config(TypedDict, total=False):
    Labels: dict[str, str] | None


class _ContainerOrInfra(TypedDict, total=False):
    IsInfra: bool


class _Container(_ContainerOrInfra):
    """The fields used from `podman inspect`."""

    Name: str
    Image: str  # its id
    ImageName: str
    Config: _Config


def _images(reference: str) -> list[_Image]:
    found: list[_Image] = json.loads(_inspected("image", reference))
    return found


def _containers(ids: list[str]) -> list[_Container]:
    found: list[_Container] = json.loads(_inspected("container", *ids)) if ids else []
    return found


def _inspected(kind: str, *names: str) -> str:
    return machine.system.ask("podman", "inspect", "--type", kind, *names) or "[]"


def modes_of(manifest: Manifest) -> list[Difference]:
    """Wrong permissions of runtime directories, as tmpfiles.d and unit files of the manifest define them, and of
    sockets in setgid directories, which must have the group and the permissions of the directory."""
    found = []
    for path, mode, owner in _runtime(manifest):
        wanted = int(mode, 8)
        try:
            now, (uid, gid) = files.look_folder(path), _ids(owner)
        except Failure as failure:
            found.append(Difference("runtime", path, "unreadable", str(failure)))
            continue
        if now is None:
            found.append(Difference("runtime", path, "missing", f"{path} is missing"))
            continue
        if now.mode != wanted or uid not in (None, now.uid) or gid not in (None, now.gid):
            message = f"{path} is {now.mode:04o} {now.uid}:{now.gid}, the manifest says {mode} {owner}"
            found.append(Difference("runtime", path, "access", message, now=now._asdict()))
        if wanted & stat.S_ISGID and mode != _CLOSED:
            found += _sockets(path, wanted & 0o777, now.uid if uid is None else uid, now.gid if gid is None else gid)
    return found


def wrong_permissions(manifest: Manifest, left: Left) -> list[Difference]:
    """The differences that an apply can correct: one that remained after the last restarts would remain again."""
    return [difference for difference in modes_of(manifest) if difference not in left.endures]


def _runtime(manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """Path, mode and owner of each runtime directory."""
    for file in manifest.file:
        if Path(file.path).parent.name == "tmpfiles.d":
            yield from (
                (path, mode, f"{user}:{group}")
                for path, mode, user, group in _TMPFILES.findall(file.content)
                if path.startswith(f"{RUN}/")
            )
    for unit, content in _services(manifest):
        for path, owner in _OPENED.findall(content):
            yield path, _CLOSED if systemd.inactive([unit]) else _OPEN, owner
    for unit, mode in _housed(manifest):
        shown = systemd.show([unit], *systemd.HOUSE)[unit]
        for name in shown["RuntimeDirectory"].split():
            yield f"{RUN}/{name}", mode, f"{shown['User'] or 'root'}:{shown['Group'] or '-'}"


def housed(manifests: list[Manifest]) -> list[str]:
    """The units with a runtime directory mode that one of the manifests sets."""
    return list(dict.fromkeys(unit for manifest in manifests for unit, _ in _housed(manifest)))


def _housed(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Each with its mode. The directory and its owner come from systemd, since the package's unit file may set them."""
    for unit, content in _services(manifest):
        if mode := _last(content, "RuntimeDirectoryMode"):
            yield unit, mode


def _services(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Each service with every file of the manifest that configures it. Template units are skipped."""
    for file in manifest.file:
        if "/systemd/system/" in file.path:
            parts = (part.removesuffix(".d") for part in reversed(Path(file.path).parts))
            yield from (
                (unit, file.content) for unit in parts if unit.endswith(".service") and not unit.endswith("@.service")
            )


def _last(text: str, key: str) -> str | None:
    found: list[str] = re.findall(rf"^{key}=([0-7]+)\s*$", text, re.M)
    return found[-1] if found else None


def _ids(owner: str) -> tuple[int | None, int | None]:
    """None for `-`, which matches any. Raises Failure for a name that this host does not know."""
    user, _, group = owner.partition(":")
    return None if user == "-" else owner_ids(f"{user}:0")[0], None if group == "-" else owner_ids(f"0:{group}")[1]


def _sockets(folder: str, mode: int, uid: int, gid: int) -> list[Difference]:
    """Checks the sockets of the server only: clients may create others beside them."""
    found = []
    for name, info in safepath.entries(folder).items():
        if (
            stat.S_ISSOCK(info.st_mode)
            and info.st_uid == uid
            and (stat.S_IMODE(info.st_mode), info.st_gid) != (mode, gid)
        ):
            now = {"mode": stat.S_IMODE(info.st_mode), "gid": info.st_gid}
            message = (
                f"{folder}/{name} is {now['mode']:04o} of group {info.st_gid}, it should be {mode:04o} of group {gid}"
            )
            found.append(Difference("runtime", f"{folder}/{name}", "access", message, now=now))
    return found
