"""The data folders of releases: their real location and their contents, as found on the host."""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass

from gatehouse.output.report import Failure
from gatehouse.output.table import legible
from gatehouse.system import mounts, process, safepath

_COUNTING = 600  # seconds to list all files: there may be millions
_EACH = (
    "(",
    "-type",
    "f",
    "-printf",
    r"f%D:%i %n %b %s %C@\0",
    ")",
    "-o",
    "(",
    "-type",
    "l",
    "-uid",
    str(os.geteuid()),
    "-printf",
    r"l%p\0t%l\0",
    ")",
)


@dataclass(frozen=True)
class Amount:
    """The number and the sizes of plain files."""

    files: int = 0
    size: int = 0  # bytes of content, once per hard link
    disk: int = 0  # bytes used on disk, without holes and without further hard links
    leading_out: tuple[str, ...] = ()  # symlinks owned by root that lead elsewhere and are not followed


def places(path: str) -> list[str]:
    """The real location of a folder, and the target of each symlink in it. A symlink is followed if only root can have
    created it, as when an operator moves a folder to another disk. Any other symlink belongs to the application and is
    copied as a symlink.

    Raises Failure if the folder itself cannot be reached in this way, or does not exist."""
    found, todo = [_place(path)], safepath.links(path)
    while todo:
        with contextlib.suppress(Failure):  # reported by `complaint`
            place = _place(link := todo.pop(0))
            if not _is_in(place, found) and not _is_in(found[0], [place]):  # not nested in either direction
                found.append(place)
                todo += safepath.links(link)
    return found


def _place(path: str) -> str:
    try:
        place = safepath.real(path)
    except FileNotFoundError:
        raise Failure(f"{path} is a link to a missing target: is its disk mounted?") from None
    except NotADirectoryError:
        raise Failure(f"{path} is a file, or a link to one, but only folders are backed up") from None
    safepath.refuse_shared(place)
    for mount in mounts.below(place):
        if mount.of_an_account:
            raise Failure(f"{mount.point} was mounted by an account other than root, so it is not read: unmount it")
    return place


def _is_in(path: str, at: Iterable[str]) -> bool:
    return any(f"{path}/".startswith(f"{place}/") for place in at)


def look(at: list[str], until: float | None = None) -> Amount:
    """The contents of folders that only root can replace, including file systems mounted in them; with `until`, only
    files that have not changed since that time.

    Raises Failure if this takes too long."""
    files = size = disk = 0
    seen: set[str] = set()
    leading_out: list[str] = []
    link = ""
    for word in process.words(("find", *at, *_EACH), _COUNTING) if at else ():
        if word.startswith("f"):
            inode, names, blocks, held, changed = word[1:].split(" ")
            if names == "1" or inode not in seen:
                disk += int(blocks) * 512
            if names != "1":
                seen.add(inode)
            if until is None or float(changed) <= until:
                files, size = files + 1, size + int(held)
        elif word.startswith("l"):
            link = word[1:]
        elif _leads_out(link, word[1:], at):
            leading_out.append(link)
    followed = _followed(at) if leading_out else set()
    return Amount(files, size, disk, tuple(link for link in leading_out if link not in followed))


def _leads_out(link: str, target: str, at: list[str]) -> bool:
    return not _is_in(os.path.normpath(os.path.join(os.path.dirname(link), target)), at)


def _followed(at: list[str]) -> set[str]:
    found = set()
    for link in [link for place in at for link in safepath.links(place)]:
        with contextlib.suppress(Failure, OSError):
            found |= {link} if _is_in(safepath.real(link), at) else set()
    return found


def complaint(found: Amount) -> str | None:
    """Reports data that is not in a backup although root created a symlink to it."""
    if not found.leading_out:
        return None
    first, *more = found.leading_out
    return (
        f"{legible(first)}{f' and {len(more)} more' if more else ''}: a link of root is followed only to a folder, and "
        "only if no other account can write to the folders above; move its target there, or mount it"
    )
