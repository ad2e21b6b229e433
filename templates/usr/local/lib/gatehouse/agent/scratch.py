"""Folders that a restore works in."""

import grp
import os
import pwd
from typing import Callable

from columns import size
from report import Failure


def folder_of(user: str, path: str) -> None:
    """A new folder that only `user` enters."""
    owner = pwd.getpwnam(user)
    os.mkdir(path, 0o700)
    os.chown(path, owner.pw_uid, owner.pw_gid)


def refuse_without_room(folder: str, needed: int) -> None:
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    # A tenth, for WAL that is read on the way.
    if free < needed * 1.1:
        raise Failure(f"{folder} has {size(free)} free, and {size(needed * 1.1)} may be needed; make room there, nothing was done")


def _number(name: str, key: str, look: Callable) -> int | None:
    try:
        return getattr(look(name), key)
    except KeyError:
        return None  # nobody here has that name: the number stays


def give_back_names(folder: str, names: dict) -> None:
    """Each file to the user and group of the name that it had; a new host may have given them other numbers."""
    users = {number: _number(name, "pw_uid", pwd.getpwnam) for number, name in names["users"].items()}
    groups = {number: _number(name, "gr_gid", grp.getgrnam) for number, name in names["groups"].items()}
    for above, below, files in os.walk(folder):
        for path in [above, *(os.path.join(above, name) for name in files), *(p for name in below if os.path.islink(p := os.path.join(above, name)))]:
            found = os.lstat(path)
            uid, gid = users.get(str(found.st_uid)), groups.get(str(found.st_gid))
            uid, gid = found.st_uid if uid is None else uid, found.st_gid if gid is None else gid
            if (uid, gid) != (found.st_uid, found.st_gid):
                mode = found.st_mode
                os.chown(path, uid, gid, follow_symlinks=False)
                if not os.path.islink(path):
                    os.chmod(path, mode & 0o7777)  # which chown takes setuid and setgid from
