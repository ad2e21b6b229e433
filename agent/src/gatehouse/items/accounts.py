"""Looks up system groups and accounts, or creates missing ones. They are never deleted, since a new account could get
the same number and inherit the files."""

import grp
import pwd
import subprocess
from dataclasses import dataclass

from gatehouse.items import census
from gatehouse.items.census import Claim
from gatehouse.output.report import Failure, say
from gatehouse.protocol.answers import AccountAnswer, GroupAnswer
from gatehouse.protocol.document import read
from gatehouse.state import created, store


@dataclass(frozen=True)
class Group:
    name: str
    gid: int | None = None
    takes: tuple[str, ...] = ()  # items to take over although gatehouse did not create them


@dataclass(frozen=True)
class Account:
    name: str
    home: str
    groups: tuple[str, ...] = ()
    uid: int | None = None
    owner: str = ""  # the resource that requests it
    releases: tuple[str, ...] = ()  # the releases that run as it
    takes: tuple[str, ...] = ()  # items to take over although gatehouse did not create them


def ensure_group(text: str) -> GroupAnswer:
    """Raises Failure if the host has a different group of that name or number."""
    wanted = read(Group, text)
    with store.lock("accounts", f"group {wanted.name}"):
        found = _group(wanted.name)
        if found and wanted.gid is not None and found.gr_gid != wanted.gid:
            raise Failure(
                f"group {wanted.name} has GID {found.gr_gid} on this host, the configuration asks for {wanted.gid}; "
                f"files on the host have {found.gr_gid}: set that in the configuration, or renumber the group and its "
                "files by hand"
            )
        census.refuse(Claim(f"group-{wanted.name}", (f"group {wanted.name}",)), wanted.takes)
        created.add(f"group {wanted.name}")
        if not found:
            if wanted.gid is not None and (holder := _holder(wanted.gid)):
                raise Failure(
                    f"GID {wanted.gid}, configured for group {wanted.name}, is taken by group {holder}; "
                    "choose another or leave it out"
                )
            say(f"create group {wanted.name}")
            _run("groupadd", "--system", *(["--gid", str(wanted.gid)] if wanted.gid is not None else []), wanted.name)
        if (made := look_group(wanted.name)) is None:
            raise Failure(
                f"groupadd created group {wanted.name}, but this host does not find it: see /etc/nsswitch.conf"
            )
        return made


def ensure_account(text: str) -> AccountAnswer:
    """Raises Failure if the host has a different account of that name, or lacks a group."""
    wanted = read(Account, text)
    with store.lock("accounts", f"account {wanted.name}"):
        for release in wanted.releases:
            store.refuse_foreign(release, wanted.owner, wanted.takes)
        missing = [name for name in wanted.groups if not _group(name)]
        if missing:
            raise Failure(f"account {wanted.name} should belong to {', '.join(missing)}, which this host does not have")
        found = _account(wanted.name)
        if found and wanted.uid is not None and found.pw_uid != wanted.uid:
            raise Failure(
                f"account {wanted.name} has UID {found.pw_uid} on this host, the configuration asks for {wanted.uid}"
            )
        census.refuse(Claim(f"account-{wanted.name}", (f"account {wanted.name}",), groups=wanted.groups), wanted.takes)
        created.add(f"account {wanted.name}")
        if not found:
            say(f"create account {wanted.name}")
            own = ("--gid", wanted.name) if _group(wanted.name) else ("--user-group",)
            _run(
                "useradd",
                "--system",
                *own,
                "--no-create-home",
                "--home-dir",
                wanted.home,
                "--shell",
                "/usr/sbin/nologin",
                *(["--uid", str(wanted.uid)] if wanted.uid is not None else []),
                wanted.name,
            )
        if _memberships(wanted.name) != sorted(wanted.groups):
            say(f"account {wanted.name} belongs to {', '.join(wanted.groups) or 'its own group only'}")
            _run("usermod", "--groups", ",".join(wanted.groups), wanted.name)
        if (made := look_account(wanted.name)) is None:
            raise Failure(
                f"useradd created account {wanted.name}, but this host does not find it: see /etc/nsswitch.conf"
            )
        return made


def look_group(name: str) -> GroupAnswer | None:
    found = _group(name)
    return {"name": name, "gid": found.gr_gid} if found else None


def look_account(name: str) -> AccountAnswer | None:
    found = _account(name)
    return {"name": name, "uid": found.pw_uid, "gid": found.pw_gid, "groups": _memberships(name)} if found else None


def _memberships(name: str) -> list[str]:
    return sorted(g.gr_name for g in grp.getgrall() if name in g.gr_mem)


def _group(name: str) -> grp.struct_group | None:
    try:
        return grp.getgrnam(name)
    except KeyError:
        return None


def _account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _holder(gid: int) -> str | None:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"{argv[0]} failed: {done.stderr.strip()}")
