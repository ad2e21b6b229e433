"""Deletes the data of a release, after copying it."""

import os
import pwd
from datetime import UTC, datetime
from pathlib import Path

from gatehouse.output.report import At, Failure, say
from gatehouse.protocol.manifest import Data, Manifest
from gatehouse.state import secrets, store
from gatehouse.state.store import Release, read_private, write_private
from gatehouse.system import mounts, process, safepath

BACKUPS = Path("/var/backups/gatehouse")
_DROPPING = "purge"  # file in the release's directory, present while data is being deleted: the path of the copies


def save(release: Release, manifest: Manifest) -> str | None:
    """Copy all data of the release into a new directory that only root can enter. Returns its path, or None if there
    was no data. A removal that was interrupted while deleting keeps the copies it has made; one that was interrupted
    earlier copies again, because the data may have changed since."""
    if saved := read_private(release.folder / _DROPPING):
        return saved
    folder = BACKUPS / release.name / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    begun = folder.with_name(f"{folder.name}.partial")
    try:
        for data in _deleted(manifest):
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
    """Raises Failure for secrets that another release's manifest refers to or has merged into a file."""
    paths = [f"{data.path}/" for data in _deleted(manifest) if data.path]
    for theirs in store.claims(except_for=release.name):
        if secrets.takes(theirs, release.name) or any(
            f"{folder}/".startswith(path) for folder in theirs.refers for path in paths
        ):
            raise Failure(
                f"release {theirs.release} uses data that would be deleted with {release.name}; remove "
                f"{theirs.release} first, or remove `purge`"
            )


def forget(release: Release) -> None:
    """The release is being applied again, so discard the marker of an earlier failed removal."""
    safepath.remove(f"{release.folder}/{_DROPPING}")


def drop(release: Release, manifest: Manifest, copies: str | None) -> None:
    """Delete the data. Nothing of the release is running any more."""
    if copies:
        write_private(release.folder / _DROPPING, copies)
    for data in _deleted(manifest):
        say(f"delete {data.name}")
        if data.path:
            safepath.remove_tree(data.path)
        else:
            _run(data, data.drop, "could not be deleted")


def _deleted(manifest: Manifest) -> list[Data]:
    """All data except the operator's own folders."""
    return [data for data in manifest.data if not data.borrowed]


def _save(data: Data, folder: Path) -> None:
    if data.path and safepath.status(data.path) is None:
        return
    place = f"{folder}/{data.name}"
    safepath.make(str(folder), 0o711)
    safepath.make(place, 0o700)
    if data.path:
        _refuse_elsewhere(data.path)
        with safepath.above(data.path) as (above, name):
            # tar opens each directory relative to the descriptor of its parent.
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
    """Raises Failure if the path leads through a symlink, since its target may belong to something else, or contains a
    mount point, which cannot be deleted."""
    if (there := os.path.realpath(path)) != path:
        raise Failure(
            f"{path} is a link to {there}, which gatehouse does not delete; replace the link with the folder itself, "
            "or remove `purge`"
        )
    if not os.path.isdir(path):
        raise Failure(f"{path} is not a folder; check what it is, or remove `purge`")
    for mount in mounts.below(path):
        raise Failure(
            f"{mount.point} is a separate file system, which cannot be deleted; unmount it, or remove `purge`"
        )


def _run(data: Data, argv: tuple[str, ...], complaint: str, folder: int | None = None) -> None:
    status, output = process.run(argv, data.user, seconds=process.LONG, folder=folder)
    if status:
        raise Failure(f"{data.name} {complaint}:\n{process.indented(output)}", at=At("data", data.name))
