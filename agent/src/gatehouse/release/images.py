"""The images that gatehouse pulled: they are removed once no kept generation refers to them. An image that was on the
host before, or that anything else uses, stays."""

import contextlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

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
# Where an operator's own units may name an image that no container uses at the moment.
_UNITS = (Path("/etc/containers/systemd"), Path("/run/containers/systemd"), Path("/etc/systemd/system"))


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
        units = [text for folder in _UNITS for text in _texts(folder)]
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


def _texts(folder: Path) -> Iterable[str]:
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # an operator may rename one at this moment
            if path.is_file() and not path.is_symlink():
                yield path.read_text(errors="replace")


def _named(reference: str, texts: Iterable[str]) -> bool:
    """Whether a text has the reference, and not only a longer one that begins with it. An operator may write it with
    its transport, or without the registry that Podman searches."""
    forms = {reference, reference.removeprefix("docker.io/"), reference.removeprefix("docker.io/library/")}
    written = "|".join(map(re.escape, sorted(forms)))
    pattern = re.compile(rf"(?:(?<![\w./:@-])|(?<=docker://))(?:{written})(?![\w./:@-])")
    return any(pattern.search(text) for text in texts)
