"""The images that gatehouse pulled: they are removed once no kept generation refers to them. An image that was on the
host before, or that anything else uses, stays."""

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterable

from gatehouse.output.report import At, Failure, say
from gatehouse.output.table import size
from gatehouse.protocol.answers import ImageStatus
from gatehouse.protocol.manifest import Manifest
from gatehouse.state import store
from gatehouse.state.store import STATE, Release, read_private, write_private
from gatehouse.system import machine, process, safepath

_PULLED = STATE / "images.json"  # by reference: the ID of the image, or none while it is being pulled
_COMING = "fetching"  # file in the release's directory, while an apply needs images that no manifest names yet
_LOCK = "images"
# The folders of Quadlet and systemd: an operator's own units there may name an image that no container uses now.
_UNITS = (
    "/etc/containers/systemd",
    "/run/containers/systemd",
    "/usr/share/containers/systemd",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
)
_LINKS = 40  # as many as the kernel follows
_YAML = re.compile(r"^Yaml=(.+?)\s*$", re.M)  # in a .kube Quadlet: the file that names the images


def fetch(release: Release, manifest: Manifest) -> None:
    """Find or pull the images of a manifest. They are kept until `release` is done with them.

    Raises Failure for an image that cannot be pulled."""
    if not manifest.image:
        return
    with store.lock(_LOCK, f"images of release {release.name}"):
        write_private(release.folder / _COMING, "\n".join(f'"{image.reference}"' for image in manifest.image))
    for image in manifest.image:
        if machine.system.image(image.reference) is None:
            _note(image.reference, "")
            _pull(image.reference)
            if pulled := machine.system.image(image.reference):
                _note(image.reference, pulled.id)


def done(release: Release) -> None:
    """The apply has ended: its manifest is live, or not needed."""
    safepath.remove(f"{release.folder}/{_COMING}")


def prune() -> None:
    """Remove the images that no kept generation of any release refers to."""
    with store.lock(_LOCK, "removal of unused images"):
        pulled = _pulled()
        texts = _kept_texts() if pulled else []
        unused = [reference for reference in pulled if not _named(reference, texts)]
        if not unused:
            return
        try:
            units = [text for folder in _UNITS for text in _texts(folder, set())]
        except Failure as failure:  # it may name any image
            return say(f"no image is removed: {failure}")
        used = machine.system.images_of_containers()
        for reference in unused:
            image = machine.system.image(reference)
            if image is None or pulled[reference] not in ("", image.id):
                del pulled[reference]  # an operator removed it, or pulled another one with this name
            elif reference in used or image.id in used or _named(reference, units):
                continue
            elif complaint := machine.system.remove_image(reference):
                say(f"image {reference} is no longer needed, but Podman keeps it: {' '.join(complaint.split())}")
            else:
                say(f"image {reference} is no longer needed and removed: {size(image.size)}")
                del pulled[reference]
        write_private(_PULLED, json.dumps(pulled))


def overview() -> list[ImageStatus]:
    """The images that gatehouse pulled and that are still on this host, with the room that each takes."""
    pulled = _pulled()
    live = [text for release in store.releases() for text in release.texts()]
    kept = _kept_texts() if pulled else []
    return [
        {
            "reference": reference,
            "size": image.size,
            "needed": "live" if _named(reference, live) else "rollback" if _named(reference, kept) else "no",
        }
        for reference in sorted(pulled)
        if (image := machine.system.image(reference))
    ]


def _pulled() -> dict[str, str]:
    found: dict[str, str] = json.loads(read_private(_PULLED) or "{}")
    return found


def _note(reference: str, identity: str) -> None:
    with store.lock(_LOCK, f"pull of {reference}"):
        write_private(_PULLED, json.dumps(_pulled() | {reference: identity}))


def _pull(reference: str) -> None:
    if (complaint := machine.system.pull(reference)) is None:
        return
    raise Failure(
        f"image {reference} cannot be pulled, nothing was changed:\n{process.indented(complaint)}\n"
        f"if {reference.partition('/')[0]} requires a login, set `registries` in the configuration: "
        "docs/configuration.md",
        at=At("image", reference),
    )


def _kept_texts() -> list[str]:
    """The manifests of all kept generations of all releases, and of applies that are under way or were interrupted."""
    folder = STATE / "releases"
    found: list[str] = []
    for release in (Release(path.name) for path in (folder.iterdir() if folder.exists() else ())):
        found += [path.read_text() for path in release.folder.glob("*/manifest.toml")]
        found += release.texts()
        found.append(read_private(release.folder / _COMING) or "")
    return found


def _texts(folder: str, seen: set[str]) -> Iterable[str]:
    """The files in and below a directory, also behind symlinks, as systemd and Quadlet read them. Raises Failure for
    one that cannot be read."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # an operator may rename one at this moment
        if (real := safepath.real(folder)) in seen:
            return
        seen.add(real)
        for name in safepath.entries(real):
            yield from _unit_texts(f"{real}/{name}", seen)


def _unit_texts(path: str, seen: set[str]) -> Iterable[str]:
    path, found = _followed(path)
    if found and stat.S_ISDIR(found.st_mode):
        yield from _texts(path, seen)
    elif found and stat.S_ISREG(found.st_mode):  # a mask is a link to a device
        with contextlib.suppress(FileNotFoundError):
            yield (text := safepath.read(path).decode(errors="replace"))
            if path.endswith(".kube"):
                for other in _YAML.findall(text):
                    yield from _unit_texts(os.path.join(os.path.dirname(path), other), seen)


def _followed(path: str) -> tuple[str, os.stat_result | None]:
    """The target of the symlinks at a path, and its status; None for a broken or endless one."""
    for _ in range(_LINKS):
        found = safepath.status(path)
        if not found or not stat.S_ISLNK(found.st_mode):
            return path, found
        path = os.path.join(os.path.dirname(path), safepath.target(path))
    return path, None


def _named(reference: str, texts: Iterable[str]) -> bool:
    """Whether a text has the reference, and not only a longer one that begins with it. An operator may write it with
    its transport, or without the registry that Podman searches."""
    forms = {reference, reference.removeprefix("docker.io/"), reference.removeprefix("docker.io/library/")}
    written = "|".join(map(re.escape, sorted(forms)))
    pattern = re.compile(rf"(?:(?<![\w./:@-])|(?<=docker://))(?:{written})(?![\w./:@-])")
    return any(pattern.search(text) for text in texts)
