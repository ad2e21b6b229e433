"""The free room on the disks that the releases of this host write to."""

import errno
import os
import shlex
from typing import NamedTuple

from gatehouse.health import survey as releases
from gatehouse.output.table import size
from gatehouse.protocol.manifest import Manifest
from gatehouse.state import store
from gatehouse.system import machine, mounts

# Where every host is written to: the state of the agent, the configuration of services, their data and their logs.
_ALWAYS = (str(store.STATE), "/etc", "/var/lib", "/var/log")
_LEAST = 1 << 30  # bytes that must be free, or a twentieth of a small disk
_LEAST_FILES = 1000  # files that it must be possible to create, or a hundredth of a small disk's
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Disk(NamedTuple):
    """`paths`: the folders on it that are written to. `files`: how many more it can hold; None if it sets no limit."""

    point: str
    paths: list[str]
    size: int
    free: int
    files: int | None
    problem: str | None


def survey() -> list[Disk]:
    """Each disk once, by mount point."""
    holding: dict[str, list[str]] = {}
    there = [mount for mount in mounts.all_mounts() if not mount.of_an_account and mount.kind != "autofs"]
    paths = [*_ALWAYS, *(path for manifest in store.live() for path in _written(manifest))]
    # A disk of its own below /var/lib is some service's data.
    paths += [mount.point for mount in there if mount.of_a_device and mount.point.startswith("/var/lib/")]
    for path in dict.fromkeys(paths):
        if (point := mounts.holding(path, there)) is not None:
            holding.setdefault(point, []).append(path)
    return [disk for point, used in sorted(holding.items()) if (disk := _look(point, used))]


def problems() -> list[str]:
    """What lacks room, each with its path."""
    return [disk.problem for disk in survey() if disk.problem]


def explain(error: BaseException) -> str | None:
    """Which disk is full, if that is what the error is about: the kernel does not say which one."""
    if not isinstance(error, OSError) or error.errno not in _FULL:
        return None
    return "\n".join([f"a disk is full: {error}", *problems()])


def _written(manifest: Manifest) -> list[str]:
    found = [data.path for data in manifest.data if data.path] + [folder.path for folder in manifest.directory]
    return found + (["/var/lib/containers"] if releases.contains(manifest) else [])


def _look(point: str, paths: list[str]) -> Disk | None:
    found = machine.system.room(point)
    if not found.f_blocks or found.f_flag & os.ST_RDONLY:  # not a disk, or one like a snap's, which is always full
        return None
    whole, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
    files = found.f_favail if found.f_files else None
    lacks = None
    if free < min(_LEAST, whole // 20):
        lacks = f"only {size(free)} of {size(whole)} are free"
    elif files is not None and files < min(_LEAST_FILES, found.f_files // 100):
        lacks = f"only {files} more files can be created, of {found.f_files}"
    problem = lacks and (
        f"{lacks} on the disk of {paths[0]} (mounted at {point}); "
        f"to see what takes the room: du -xh --max-depth=2 {shlex.quote(point)} | sort -h | tail"
    )
    return Disk(point, paths, whole, free, files, problem)
