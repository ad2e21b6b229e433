"""Folders and files of the operator that units of a release use. Podman opens them by path, as root, at every start."""

import os
import stat

from gatehouse.output.report import Failure
from gatehouse.protocol.manifest import Manifest
from gatehouse.system import safepath

_LINKS = 40  # on one path, as the kernel allows


def refuse(manifest: Manifest) -> None:
    """Raises Failure with all of them that are missing, that are neither a folder nor a plain file, or that another
    account than root could replace."""
    faults = [fault for one in manifest.borrowed if (fault := _fault(one.path, _is_saved(one.path, manifest)))]
    if faults:
        raise Failure("; ".join(faults) + "; nothing was changed")


def _is_saved(path: str, manifest: Manifest) -> bool:
    return any(data.path == path for data in manifest.data)


def _fault(path: str, saved: bool) -> str | None:
    try:
        found = _followed(path)
    except Failure as failure:
        return str(failure).removesuffix("; nothing was changed")
    if stat.S_ISDIR(found.st_mode):
        if (there := safepath.real(path)) == path:
            return None
        return f"{path} leads through a link to {there}: use that path, so that units wait for its mount"
    if not stat.S_ISREG(found.st_mode):
        return f"{path} is neither a folder nor a plain file"
    return (
        f"{path} is a file, and only folders are backed up: back up its folder, or remove `backup`" if saved else None
    )


def _followed(path: str) -> os.stat_result:
    """The status at the end of root's symlinks.

    Raises Failure if nothing is there, or if an account other than root could replace it."""
    for _ in range(_LINKS):
        try:
            safepath.refuse_shared(path)
            found = safepath.status(path)
        except (FileNotFoundError, NotADirectoryError):
            found = None
        if found is None:
            raise Failure(f"{path} does not exist: create it, or mount its disk")
        above = safepath.status(os.path.dirname(path))
        # In /tmp and the like, each account may replace what it owns.
        if found.st_uid != os.geteuid() and above and above.st_mode & stat.S_ISVTX:
            raise Failure(
                f"{path} can be replaced by its owner, an account other than root, with a link: move it to a folder "
                "that only root can write"
            )
        if not stat.S_ISLNK(found.st_mode):
            return found
        path = os.path.normpath(os.path.join(safepath.real(os.path.dirname(path)), safepath.target(path)))
    raise Failure(f"{path}: the path goes through more than {_LINKS} links")
