"""The file systems that are mounted, as the kernel tells them."""

import os
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Mount:
    """What is mounted at `point`."""

    point: str
    kind: str  # such as ext4, nfs4 or fuse.sshfs
    options: tuple[str, ...]  # of the file system, such as user_id=1000 where that account mounted it

    @property
    def of_an_account(self) -> bool:
        """Whether another account than root answers what is read from it."""
        return self.kind.partition(".")[0] in ("fuse", "fuseblk") and "user_id=0" not in self.options


def below(path: str) -> list[Mount]:
    """Those at a path, which is reached by no link, or below it."""
    with open("/proc/self/mountinfo", "rb") as lines:
        found = [_read(line) for line in lines]
    return [mount for mount in found if mount.point == path or mount.point.startswith(f"{path}/")]


def _read(line: bytes) -> Mount:
    before, _, after = line.partition(b" - ")
    point = re.sub(rb"\\(\d{3})", lambda octal: bytes([int(octal[1], 8)]), before.split(b" ")[4])
    kind, _, options = os.fsdecode(after.strip()).split(" ", 2)
    return Mount(os.fsdecode(point), kind, tuple(options.split(",")))
