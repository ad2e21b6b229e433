"""What removed releases left on this host, since their manifests are no longer here."""

import json
from dataclasses import asdict

from gatehouse.protocol.document import remembered
from gatehouse.protocol.manifest import Image, Manifest
from gatehouse.state.store import STATE, read_private, write_private
from gatehouse.system import safepath

FOLDER = STATE / "remains"  # of one file for each removed release
# By kind: stack, data, role, directory, image, and last: its last images, each as JSON.
Remains = dict[str, list[str]]


def record(manifest: Manifest, images: list[str]) -> None:
    """`images`: of all kept generations."""
    found: Remains = {
        "stack": [manifest.owner.rpartition("/")[0]],
        "data": data_of(manifest),
        "role": [thing.removeprefix("role ") for thing in manifest.leaves if thing.startswith("role ")],
        "directory": [folder.path for folder in manifest.directory],
        "image": list(dict.fromkeys(images)),
        "last": [json.dumps(asdict(image)) for image in manifest.image],
    }
    write_private(FOLDER / manifest.release, json.dumps(found))


def data_of(manifest: Manifest) -> list[str]:
    """The directories and databases that stay after a removal without a purge."""
    data = [data.path or f"database {data.database or data.name}" for data in manifest.data if not data.borrowed]
    return list(dict.fromkeys([*data, *(thing for thing in manifest.leaves if thing.startswith("database "))]))


def drop(name: str) -> None:
    """The release is back, or its data was deleted."""
    safepath.remove(str(FOLDER / name))


def place(name: str) -> str:
    """The file of a removed release."""
    return str(FOLDER / name)


def last_images(name: str) -> list[Image]:
    """The images that last used the data of a removed release; none from an older agent, which did not record them."""
    kept: Remains = json.loads(read_private(FOLDER / name) or "{}")
    return [remembered(Image, json.loads(image)) for image in kept.get("last", [])]


def of(kind: str) -> list[str]:
    """Of all removed releases, each once."""
    found: dict[str, None] = {}
    for path in sorted(FOLDER.iterdir()) if FOLDER.exists() else ():
        kept: Remains = json.loads(read_private(path) or "{}")
        found |= dict.fromkeys(kept.get(kind, []))
    return list(found)
