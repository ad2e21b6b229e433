"""Data of a release that goes for good: a copy is made and named first, then it is deleted."""

import os
import pwd
from datetime import UTC, datetime
from pathlib import Path

from gatehouse.output.report import Failure, say
from gatehouse.protocol.manifest import Data, Manifest
from gatehouse.state import secrets, store
from gatehouse.state.store import Release, read_private, write_private
from gatehouse.system import mounts, process, safepath

BACKUPS = Path("/var/backups/gatehouse")
_DROPPING = "purge"  # in the release's folder, once data is being deleted: where the copies of all of it lie


def save(release: Release, manifest: Manifest) -> str | None:
    """Copies of all data of the release, in a new folder that only root enters; its path, if there was anything. A
    removal that was interrupted when it deleted keeps the copies that it has; before, somebody may have written
    since."""
    if saved := read_private(release.folder / _DROPPING):
        return saved
    folder = BACKUPS / release.name / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    begun = folder.with_name(f"{folder.name}.partial")
    try:
        for data in manifest.data:
            say(f"save {data.name} to {folder}")
            _save(data, begun)
        os.sync()
    except BaseException:
        safepath.remove_tree(str(begun))
        raise
    if safepath.status(str(begun)) is None:
        return None
    safepath.rename(str(begun), str(folder))
    return str(folder)


def refuse_in_use(release: Release, manifest: Manifest) -> None:
    """Raises Failure for secrets that another release's manifest refers to, or has merged into a file."""
    paths = [f"{data.path}/" for data in manifest.data if data.path]
    for theirs in store.claims(except_for=release.name):
        if secrets.takes(theirs, release.name) or any(
            f"{folder}/".startswith(path) for folder in theirs.refers for path in paths
        ):
            raise Failure(
                f"release {theirs.release} uses what would be deleted with {release.name}; remove that one first, or "
                "take `purge` out"
            )


def forget(release: Release) -> None:
    """The release lives on: copies of a removal that failed are of yesterday."""
    safepath.remove(f"{release.folder}/{_DROPPING}")


def drop(release: Release, manifest: Manifest, copies: str | None) -> None:
    """Nothing of the release can run any more."""
    if copies:
        write_private(release.folder / _DROPPING, copies)
    for data in manifest.data:
        say(f"delete {data.name}")
        if data.path:
            safepath.remove_tree(data.path)
        else:
            _run(data, data.drop, "could not be deleted")


def _save(data: Data, folder: Path) -> None:
    if data.path and safepath.status(data.path) is None:
        return
    place = f"{folder}/{data.name}"
    safepath.make(str(folder), 0o711)
    safepath.make(place, 0o700)
    if data.path:
        _refuse_elsewhere(data.path)
        with safepath.above(data.path) as (above, name):
            # tar itself opens each folder by the descriptor of the one above it.
            tar = (
                "tar",
                "--create",
                "--gzip",
                "--sparse",
                "--acls",
                "--xattrs",
                f"--file={place}/{name}.tar.gz",
                "--",
                name,
            )
            _run(data, tar, "could not be copied", above)
    else:
        writer = pwd.getpwnam(data.user).pw_uid if not os.geteuid() else os.geteuid()
        safepath.give(place, 0o700, writer, os.getegid())
        _run(data, process.filled(data.save, dump=place), "could not be copied")
        safepath.give(place, 0o700, os.geteuid(), os.getegid())


def _refuse_elsewhere(path: str) -> None:
    """A link, at the end or on the way, leads to what is not ours; a mount cannot be deleted."""
    if (there := os.path.realpath(path)) != path:
        raise Failure(
            f"{path} leads by a link to {there}, which is not ours to delete; put the folder itself there, or take "
            "`purge` out"
        )
    if not os.path.isdir(path):
        raise Failure(f"{path} is no folder; look what it is, or take `purge` out")
    for mount in mounts.below(path):
        raise Failure(
            f"{mount.point} is a file system of its own, which cannot be deleted; unmount it, or take `purge` out"
        )


def _run(data: Data, argv: tuple[str, ...], complaint: str, folder: int | None = None) -> None:
    status, output = process.run(argv, data.user, seconds=process.LONG, folder=folder)
    if status:
        raise Failure(f"{data.name} {complaint}:\n{process.indented(output)}")
