"""Folders that checks, drills and restores work in."""

import contextlib
import grp
import os
import pwd
import secrets
from collections.abc import Iterator

from gatehouse.output.report import Failure
from gatehouse.output.table import size
from gatehouse.state.store import STATE
from gatehouse.system import process, safepath

ROOM = f"{STATE}/scratch"  # root's: other accounts may pass through, and neither list nor change what is in it


@contextlib.contextmanager
def folder() -> Iterator[str]:
    """A new folder of root's; gone afterwards. An account is given one of its own in it, under a name that root alone
    can change, and whatever root makes in it is handed over last."""
    safepath.make(ROOM, 0o711)
    for name in safepath.entries(ROOM):  # of runs that were killed
        if not os.path.exists(f"/proc/{name.partition('-')[0]}"):
            safepath.remove_tree(f"{ROOM}/{name}")
    path = f"{ROOM}/{os.getpid()}-{secrets.token_hex(8)}"
    safepath.make(path, 0o711)
    try:
        yield path
    finally:
        safepath.remove_tree(path)


def give(path: str, user: str, group: str | None = None) -> str:
    """A new folder that `user` alone enters; its path."""
    account = process.identity(user, group)
    uid, gid = (account.uid, account.gid) if account else (os.geteuid(), os.getegid())
    safepath.make(path, 0o700)
    safepath.give(path, 0o700, uid, gid)
    return path


def refuse_without_room(folder: str, needed: int) -> None:
    """A tenth more than `needed` bytes must be free in the file system of `folder`, for WAL that is read on the way.

    Raises Failure otherwise."""
    with safepath.opened(folder) as descriptor:
        found = os.fstatvfs(descriptor)
    free = found.f_bavail * found.f_frsize
    if free < needed * 1.1:
        raise Failure(
            f"{folder} has {size(free)} free, and {size(needed * 1.1)} may be needed; make room there, nothing was done"
        )


def give_back_names(folder: str, old_users: dict[str, str], old_groups: dict[str, str]) -> None:
    """Each file to the user and group of the name that it had, by number as text; a new host may have given them other
    numbers."""
    users = {user.pw_name: user.pw_uid for user in pwd.getpwall()}
    groups = {group.gr_name: group.gr_gid for group in grp.getgrall()}
    # Where no account here has that name the number stays.
    safepath.renumber(
        folder,
        {int(number): users[name] for number, name in old_users.items() if name in users},
        {int(number): groups[name] for number, name in old_groups.items() if name in groups},
    )
