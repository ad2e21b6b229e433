"""Runs a verb: calls the layers below with its arguments, prints the result, and returns the exit status."""

import contextlib
import os
import signal
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

from gatehouse.backup import create, drill, forget, inventory, restore
from gatehouse.cli import history, leave, rollback, status, verify
from gatehouse.drift import facts
from gatehouse.health import disks
from gatehouse.items import accounts, keys, packages
from gatehouse.output.report import (
    FAULT,
    MEANINGS,
    REFUSED,
    ROLLED_BACK,
    At,
    Failure,
    answer,
    fail,
    masked,
    plain,
    show,
)
from gatehouse.output.table import legible
from gatehouse.protocol import document
from gatehouse.protocol.answers import (
    AccountAnswer,
    ConfirmAnswer,
    FailureReport,
    GroupAnswer,
    KeyAnswer,
    PackagesAnswer,
    ReleaseAnswer,
    RestoreAnswer,
    UndoAnswer,
)
from gatehouse.release import apply, failpoints, recover, remove
from gatehouse.state import created, remains, store, wanted
from gatehouse.tree import files

_DIFFERS = 3

_Item = TypeVar("_Item", GroupAnswer, AccountAnswer, PackagesAnswer, KeyAnswer, ReleaseAnswer)
_Shown = TypeVar("_Shown", bound=Mapping[str, object])


def main(call: Namespace) -> int:
    """Returns the exit status. Errors are printed to stderr, and to the program as data as well."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        return run(call)
    except Failure as failure:
        fail(f"gatehouse: {failure}")
        return _failed(call, failure.code or REFUSED, failure.at)
    except Exception as error:
        if full := disks.explain(error):
            fail(f"gatehouse: {full}\nfree some space, and the next apply rolls back the interrupted one")
        else:
            fail(f"gatehouse: internal error; the next apply rolls back the interrupted one\n{traceback.format_exc()}")
        return _failed(call, FAULT)


def _failed(call: Namespace, code: int, at: At | None = None) -> int:
    """Report a failure of an item to the program, which names the document for its meaning; to an operator, name it."""
    if kind := _ITEMS.get(call.verb):
        failure: FailureReport = {
            "verb": "remove" if call.verb == "remove" else "apply",
            "item": {"kind": kind, "name": call.name},
            "code": code,
            "meaning": MEANINGS[code],
        }
        if at:
            failure["at"] = {"kind": at.kind, "name": plain(masked(at.name))}
        answer({"failure": failure})
    elif code >= ROLLED_BACK:
        fail(f"what to do at exit status {code}: docs/manifest.md#exit-codes")
    return code


def run(call: Namespace) -> int:
    _need_root()
    return _RUN[call.verb](call)


def _status(call: Namespace) -> int:
    return _print(status.status(), status.lines, call)


def _verify(call: Namespace) -> int:
    return _print(verify.verify(), verify.lines, call)


def _history(call: Namespace) -> int:
    return _print(history.history(call.release), history.lines, call)


def _diff(call: Namespace) -> int:
    return _print(history.diff(call.release, call.before, call.after), history.diff_lines, call)


def _rollback(call: Namespace) -> int:
    return _print(rollback.rollback(call.release, call.generation), rollback.lines, call)


def _backup(call: Namespace) -> int:
    if call.keeps is not None:
        create.refuse_loss(call.keeps, getattr(call, "in"))
    else:
        answer(create.prepare() if call.prepare else create.take(full=call.full))
    return 0


def _backups(call: Namespace) -> int:
    return _print(inventory.overview(), inventory.lines, call)


def _drill(call: Namespace) -> int:
    return _print(drill.drill(call.backup), drill.lines, call)


def _restore(call: Namespace) -> int:
    done: RestoreAnswer | ConfirmAnswer | UndoAnswer
    if call.confirm:
        done = restore.confirm()
    elif call.undo:
        done = restore.undo()
    else:
        done = restore.restore(call.to, call.database, call.dry_run)
    return _print(done, restore.lines, call)


def _forget(call: Namespace) -> int:
    if call.for_ever:
        return _print(forget.forget(call.repository), forget.lines, call)
    forget.refuse(call.repository)
    return 0


def _apply(call: Namespace, ensure: Callable[[str], _Item]) -> _Item:
    """Apply the document on stdin, and record it with its due number. Raises Failure as `ensure` does, and for a
    document that is truncated or has another name."""
    raw = sys.stdin.buffer.read()
    text = document.whole(raw)
    _check_name(call.verb, call.name, text)
    failpoints.point("received")
    store.prepare()
    created.begin()
    restore.resolve()
    item, owner = f"{call.verb}-{call.name}", str(document.parse(text).get("owner", ""))
    sketch = wanted.sketch(owner, call.name)
    try:
        done = ensure(text)
    except Exception as error:
        why = str(error) if isinstance(error, Failure) else disks.explain(error) or f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):  # the disk may be full
            wanted.failed(item, owner, legible(masked(why)), document.digest(raw))
        raise
    store.settle(item, call.due, done, raw, sketch)
    wanted.applied(item, owner)
    return done


def _group(call: Namespace) -> int:
    answer(_apply(call, accounts.ensure_group))
    return 0


def _account(call: Namespace) -> int:
    answer(_apply(call, accounts.ensure_account))
    return 0


def _packages(call: Namespace) -> int:
    answer(_apply(call, packages.ensure))
    return 0


def _key(call: Namespace) -> int:
    answer(_apply(call, keys.ensure))
    return 0


def _release(call: Namespace) -> int:
    done = _apply(call, apply.apply)
    remains.drop(call.name)
    if opened := _opened(call.name):
        done["opens"] = opened
    answer(done)
    return 0


def _remove(call: Namespace) -> int:
    done = remove.remove(call.name, call.owner, call.purge)
    if done["removed"] or store.Release(call.name).retained:
        store.drop(f"release-{call.name}")
    wanted.drop(call.owner.rpartition("/")[0], call.name)
    answer(done)
    return 0


def _leave(call: Namespace) -> int:
    # `pulumi destroy` sends the agent's source again, and fails if it cannot send all of it. The stack that it destroys
    # is not mistyped, even if none of its releases reached this host.
    if sys.stdin.isatty() or not sys.stdin.read():
        leave.refuse_unknown(call.stack)
    done = leave.leave(call.stack)
    if call.json:
        answer(done)
    else:
        fail("\n".join(leave.lines(done)))  # on stderr, as progress, which `pulumi destroy` shows
    return 0


def _recover(call: Namespace) -> int:
    answer(recover.recover())
    return 0


def _facts(call: Namespace) -> int:
    answer(facts.facts(diffs=True))
    return 0


_RUN: dict[str, Callable[[Namespace], int]] = {
    "status": _status,
    "verify": _verify,
    "history": _history,
    "diff": _diff,
    "rollback": _rollback,
    "backup": _backup,
    "backups": _backups,
    "drill": _drill,
    "restore": _restore,
    "forget": _forget,
    "group": _group,
    "account": _account,
    "packages": _packages,
    "key": _key,
    "release": _release,
    "remove": _remove,
    "leave": _leave,
    "recover": _recover,
    "facts": _facts,
}


# The verbs of an item, which the program runs for one of its resources.
_ITEMS: dict[str, Literal["group", "account", "packages", "key", "release"]] = {
    "group": "group",
    "account": "account",
    "packages": "packages",
    "key": "key",
    "release": "release",
    "remove": "release",
}


def _opened(name: str) -> dict[str, str]:
    """The passphrases that the program outputs as `recovery`. The release is secret, and so is its answer."""
    release = store.Release(name)
    manifest = release.manifest()
    return files.opened_by(manifest, release.generation) if manifest else {}


def _print(found: _Shown, lines: Callable[[_Shown], list[str]], call: Namespace) -> int:
    """Print as JSON or as text. Returns 3 if `found` reports a problem or a difference."""
    if call.json:
        answer(found)
    else:
        show(lines(found))
    return 0 if found.get("healthy", True) and found.get("in_sync", True) else _DIFFERS


def _need_root() -> None:
    if os.geteuid() and "GATEHOUSE_STATE" not in os.environ:
        raise Failure("only root can inspect this host's releases; try: sudo gatehouse ...")


def _check_name(kind: str, name: str, text: str) -> None:
    """The answer is recorded under the name in the call, so it must be that of the document. Packages have none."""
    named = document.parse(text).get("release" if kind == "release" else "name", name)
    if named != name:
        raise Failure(f"called for {kind} {name}, but the document is for {named!r}; nothing was changed")
