"""Temporary directories for checks, drills and restores."""

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

ROOM = f"{STATE}/scratch"  # owned by root; other accounts may traverse it, but neither list nor change its contents


@contextlib.contextmanager
def folder() -> Iterator[str]:
    """A new directory owned by root, deleted afterwards. An account gets its own directory in it, under a name that
    only root can change; files that root creates there are handed over last."""
    safepath.make(ROOM, 0o711)
    for name in safepath.entries(ROOM):  # left by runs that were killed
        if not os.path.exists(f"/proc/{name.partition('-')[0]}"):
            safepath.remove_tree(f"{ROOM}/{name}")
    path = f"{ROOM}/{os.getpid()}-{secrets.token_hex(8)}"
    safepath.make(path, 0o711)
    try:
        yield path
    finally:
        safepath.remove_tree(path)


def give(path: str, user: str, group: str | None = None) -> str:
    """Create a directory that only `user` can enter, and return its path."""
    account = process.identity(user, group)
    uid, gid = (account.uid, account.gid) if account else (os.geteuid(), os.getegid())
    safepath.make(path, 0o700)
    safepath.give(path, 0o700, uid, gid)
    return path


def refuse_without_room(folder: str, needed: int) -> None:
    """Require `needed` bytes and a tenth more, for WAL that is read meanwhile, free in the file system of `folder`.

    Raises Failure otherwise."""
    with safepath.opened(folder) as descriptor:
        found = os.fstatvfs(descriptor)
    free = found.f_bavail * found.f_frsize
    if free < needed * 1.1:
        raise Failure(
            f"{folder} has {size(free)} free, but {size(needed * 1.1)} may be needed; free some space there; "
            "nothing was changed"
        )


def give_back_names(folder: str, old_users: dict[str, str], old_groups: dict[str, str]) -> None:
    """Give each file to the user and group that have its old names, since a new host may use other numbers. The
    arguments map the old numbers, as text, to names."""
    users = {user.pw_name: user.pw_uid for user in pwd.getpwall()}
    groups = {group.gr_name: group.gr_gid for group in grp.getgrall()}
    # The number is kept if no account here has that name.
    safepath.renumber(
        folder,
        {int(number): users[name] for number, name in old_users.items() if name in users},
        {int(number): groups[name] for number, name in old_groups.items() if name in groups},
    )
