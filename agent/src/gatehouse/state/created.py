"""A record of the accounts, groups, packages and units that gatehouse created on this host or was asked to take over,
written before they are created. Like them, it outlives releases, stacks and an apply that was killed."""

import grp
import json
import pwd

from gatehouse.state import store
from gatehouse.state.store import STATE, read_private, write_private
from gatehouse.system import safepath

_PATH = STATE / "made.json"
_BEFORE = STATE / "installing.json"  # the accounts and groups that existed before an installation


def things() -> set[str]:
    """Entries such as `account authentik`, `group postgres-clients`, `package caddy`, and `unit caddy.service` of a
    package."""
    kept = read_private(_PATH)
    return _before() if kept is None else set(json.loads(kept))


def begin() -> None:
    """Start the record before the first change: it then contains the packages of older agents, and nothing else."""
    if not _PATH.exists():
        add()


def add(*new: str) -> None:
    with store.lock("made", "a record of created items"):
        known = things()
        if not (_PATH.exists() and known.issuperset(new)):
            write_private(_PATH, json.dumps(sorted(known | set(new))))


def watch() -> None:
    """Note the existing accounts and groups before packages are installed, which may create their own."""
    write_private(_BEFORE, json.dumps(sorted(_names())))


def watched() -> bool:
    """Whether an installation was started, possibly by a run that was killed."""
    return _BEFORE.exists()


def catch() -> None:
    """Record the accounts and groups that were created since `watch`."""
    if (before := read_private(_BEFORE)) is not None:
        add(*_names().difference(json.loads(before)))
        safepath.remove(str(_BEFORE))


def _names() -> set[str]:
    return {f"account {account.pw_name}" for account in pwd.getpwall()} | {
        f"group {group.gr_name}" for group in grp.getgrall()
    }


def _before() -> set[str]:
    """The packages requested from older agents, which kept no such record but did install them."""
    return {
        f"package {name}"
        for item, record in store.items().items()
        if item.startswith("packages-")
        if "versions" in record.answer
        for name in record.answer["versions"]
    }
