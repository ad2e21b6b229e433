"""What gatehouse made on this host, or was told to take over, written down before it is made. It outlives releases,
stacks and an apply that was killed, as accounts, groups and packages do."""

import grp
import json
import pwd

from gatehouse.state import store
from gatehouse.state.store import STATE, read_private, write_private
from gatehouse.system import safepath

_PATH = STATE / "made.json"
_BEFORE = STATE / "installing.json"  # the accounts and groups that were there when an installation began


def things() -> set[str]:
    """Such as `account authentik`, `group postgres-clients`, `package caddy`, and `unit caddy.service` of a package."""
    kept = read_private(_PATH)
    return _before() if kept is None else set(json.loads(kept))


def begin() -> None:
    """From the first change on this is kept; what came before is known by then, and nothing else is."""
    if not _PATH.exists():
        add()


def add(*new: str) -> None:
    with store.lock("made", "a note of what is made"):
        known = things()
        if not (_PATH.exists() and known.issuperset(new)):
            write_private(_PATH, json.dumps(sorted(known | set(new))))


def watch() -> None:
    """From here on packages are installed, which make accounts and groups of their own."""
    write_private(_BEFORE, json.dumps(sorted(_names())))


def watched() -> bool:
    """Whether an installation was begun, by a run that may have been killed in it."""
    return _BEFORE.exists()


def catch() -> None:
    """What was made since is theirs."""
    if (before := read_private(_BEFORE)) is not None:
        add(*_names().difference(json.loads(before)))
        safepath.remove(str(_BEFORE))


def _names() -> set[str]:
    return {f"account {account.pw_name}" for account in pwd.getpwall()} | {
        f"group {group.gr_name}" for group in grp.getgrall()
    }


def _before() -> set[str]:
    """The packages that an agent which kept no such list was asked for, it installed."""
    return {
        f"package {name}"
        for item, record in store.items().items()
        if item.startswith("packages-")
        if "versions" in record.answer
        for name in record.answer["versions"]
    }
