"""Data of a release that goes for good: a copy is made and named first, then it is deleted."""

import os
import pwd
import shutil
from datetime import UTC, datetime
from pathlib import Path

import commands
from manifest import Data, Manifest
from report import Failure, say
from store import Release, read_private, write_private

BACKUPS = Path("/var/backups/gatehouse")
_DROPPING = "purge"  # in the release's folder, once data is being deleted: where the copies of all of it lie


def save(release: Release, manifest: Manifest) -> str | None:
    """Copies of all data of the release, in a new folder that only root enters; its path, if there was anything. A removal
    that was interrupted when it deleted keeps the copies that it has; before, somebody may have written since."""
    if saved := read_private(release.folder / _DROPPING):
        return saved
    folder = BACKUPS / release.name / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    try:
        for data in manifest.data:
            say(f"save {data.name} to {folder}")
            _save(data, folder)
        os.sync()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return str(folder) if folder.exists() else None


def forget(release: Release) -> None:
    """The release lives on: copies of a removal that failed are of yesterday."""
    (release.folder / _DROPPING).unlink(missing_ok=True)


def drop(release: Release, manifest: Manifest, copies: str | None) -> None:
    """Nothing of the release can run any more."""
    if copies:
        write_private(release.folder / _DROPPING, copies)
    for data in manifest.data:
        say(f"delete {data.name}")
        if data.path:
            if os.path.lexists(data.path):
                shutil.rmtree(data.path)
        else:
            _run(data, data.drop, "could not be deleted")


def _save(data: Data, folder: Path) -> None:
    if data.path and not os.path.lexists(data.path):
        return
    for above in (BACKUPS, BACKUPS / folder.parent.name, folder):
        above.mkdir(parents=True, exist_ok=True)
        above.chmod(0o711)
    place = folder / data.name
    place.mkdir(mode=0o700)
    if data.path:
        _refuse_elsewhere(data.path)
        above, name = os.path.split(data.path)
        tar = ("tar", "--create", "--gzip", "--acls", "--xattrs", f"--file={place}/{name}.tar.gz", f"--directory={above}", name)
        _run(data, tar, "could not be copied")
    else:
        if not os.geteuid():
            os.chown(place, pwd.getpwnam(data.user).pw_uid, -1)
        _run(data, commands.filled(data.save, dump=str(place)), "could not be copied")
        if not os.geteuid():
            os.chown(place, 0, 0)


def _refuse_elsewhere(path: str) -> None:
    """A link would be copied without what it leads to, and a mount cannot be deleted."""
    if os.path.islink(path):
        raise Failure(f"{path} is a link to {os.path.realpath(path)}: what it leads to is not ours to delete; put the folder itself there, or take `purge` out")
    with open("/proc/self/mountinfo") as mounts:
        points = [line.split()[4].encode().decode("unicode_escape") for line in mounts]
    for point in points:
        if point == path or point.startswith(f"{path}/"):
            raise Failure(f"{point} is a file system of its own, which cannot be deleted; unmount it, or take `purge` out")


def _run(data: Data, argv: tuple[str, ...], complaint: str) -> None:
    status, output = commands.run(argv, data.user)
    if status:
        raise Failure(f"{data.name} {complaint}:\n{commands.indented(output)}")
