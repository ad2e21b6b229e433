"""The mounted file systems, from /proc."""

import os
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Mount:
    """A file system mounted at `point`."""

    point: str
    kind: str  # such as ext4, nfs4 or fuse.sshfs
    source: str  # such as /dev/vda1
    options: tuple[str, ...]  # of the file system, such as user_id=1000 if that account mounted it

    @property
    def of_an_account(self) -> bool:
        """Whether an account other than root serves the file system's contents."""
        return self.kind.partition(".")[0] in ("fuse", "fuseblk") and "user_id=0" not in self.options

    @property
    def of_a_device(self) -> bool:
        return self.source.startswith("/dev/")


def all_mounts() -> list[Mount]:
    with open("/proc/self/mountinfo", "rb") as lines:
        return [_read(line) for line in lines]


def below(path: str) -> list[Mount]:
    """The mounts at or below a path, which must be free of symlinks."""
    return [mount for mount in all_mounts() if mount.point == path or mount.point.startswith(f"{path}/")]


def holding(path: str, among: list[Mount]) -> str | None:
    """The point of the mount that a path is on. Compares names and opens nothing, so symlinks are not followed."""
    points = [mount.point for mount in among if f"{path}/".startswith(f"{mount.point.rstrip('/')}/")]
    return max(points, key=len, default=None)


def _read(line: bytes) -> Mount:
    before, _, after = line.partition(b" - ")
    point = re.sub(rb"\\(\d{3})", lambda octal: bytes([int(octal[1], 8)]), before.split(b" ")[4])
    kind, source, options = os.fsdecode(after.strip()).split(" ", 2)
    return Mount(os.fsdecode(point), kind, source, tuple(options.split(",")))
