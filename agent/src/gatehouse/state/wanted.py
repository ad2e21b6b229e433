"""What each stack declared in its last `pulumi up`, whether or not it was applied: the names of its releases, and a
checksum of the sketch of each. The program sends both before it applies anything."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, TypedDict
from urllib.parse import quote, unquote

from gatehouse.output.report import Failure
from gatehouse.state import store
from gatehouse.state.store import STATE, read_private, write_private
from gatehouse.system import safepath

FOLDER = STATE / "wanted"  # of one file for each stack
NEW = STATE / "new"  # of one file for each stack: the releases of its last `pulumi up` that were not on this host then
FAILURES = STATE / "failures"  # of one file for each item that failed in its last apply

Sketches = dict[str, str]  # by release; empty if its manifest is secret


class Lack(NamedTuple):
    """A release that is not on this host, or not as its stack wants it."""

    release: str
    stack: str
    there: bool  # an earlier version is
    why: str | None = None  # the error of its last apply, or of items that it may wait for


class _Failed(NamedTuple):
    stack: str
    why: str
    sketch: str  # that its stack wanted then
    document: str  # checksum of the one that could not be applied


def lacks() -> list[Lack]:
    """The releases that are missing, or in an earlier version. If a stack has sent no names, because its program does
    not inspect the host, only releases that could not be applied are known to be missing."""
    there = {release.name for release in store.releases() if not release.retained}
    failures, known = _failures(), stacks()
    sent = [(stack, name, sketch) for stack in known for name, sketch in _sketches(stack).items()]
    found = [
        Lack(name, stack, name in there, _reason(stack, name, sketch, failures))
        for stack, name, sketch in sent
        if name not in there or _behind(name, sketch, failures.get(f"release-{name}"))
    ]
    return found + [
        Lack(item.partition("-")[2], failure.stack, False, failure.why)
        for item, failure in failures.items()
        if item.startswith("release-") and failure.stack not in known and item.partition("-")[2] not in there
    ]


def _behind(name: str, sketch: str, failure: _Failed | None) -> bool:
    """Whether the stack wants another sketch, or a document that could not be applied with this one: a secret has no
    sketch, and a generation of secrets is in no sketch. Unknown if an older agent applied the release."""
    item = store.item(f"release-{name}")
    if not item:
        return False
    refused = failure and failure.sketch == sketch and failure.document != item.document
    return bool(refused or (sketch and item.sketch and item.sketch != sketch))


def _reason(stack: str, name: str, sketch: str, failures: Mapping[str, _Failed]) -> str | None:
    """Its own failure, if that was with the wanted version; or those of packages, accounts and groups, which come
    first."""
    own = failures.get(f"release-{name}")
    if own and own.sketch == sketch:
        return own.why
    before = [
        f"{item.replace('-', ' ', 1)} failed: {failure.why}"
        for item, failure in failures.items()
        if not item.startswith("release-") and failure.stack in (stack, "")
    ]
    return "; ".join(before) or None


def described(lack: Lack) -> str:
    because = f": {lack.why}" if lack.why else ""
    if lack.there:
        return f"it is not the version that the last `pulumi up` of {lack.stack} wanted; run that again{because}"
    return f"it is not on this host although the last `pulumi up` of {lack.stack} wanted it; run that again{because}"


def stacks() -> list[str]:
    names = [path.name for path in (FOLDER.iterdir() if FOLDER.exists() else ())]
    return sorted(unquote(name) for name in names if not name.startswith("."))  # without unfinished writes


def _alone() -> AbstractContextManager[None]:
    """Pulumi applies and removes several releases of a stack at once, each of which changes the stack's file."""
    return store.lock("wanted", "a record of what a stack wants")


def record(stack: str, sketches: Sketches) -> None:
    if sketches:
        write_private(_file(stack), json.dumps(sketches, sort_keys=True))
    else:
        safepath.remove(str(_file(stack)))


def declare(stack: str, sketches: Sketches) -> None:
    """Record what a `pulumi up` declares before it applies anything, and which of it is not on this host yet. What
    failed before is forgotten: it is sent again if it is still wanted, and not if it was taken back."""
    for item, failure in _failures().items():
        if failure.stack == stack:
            safepath.remove(str(FAILURES / item))
    there = {release.name for release in store.releases()}
    with _alone():
        _write_new(stack, [name for name in sketches if name not in there])
        record(stack, sketches)


def refuse_purge(name: str, owner: str) -> None:
    """Raises Failure if the stack declared new releases in the same `pulumi up`: one of them may be this one under
    another name. The next `pulumi up` declares its releases again, and deletes the data if it still does not have this
    one."""
    stack = _stack(owner)
    new = _new(stack)["names"]
    if new:
        with _alone():
            _write_new(stack, new, refused=True)
        raise Failure(
            f"the data of {name} is not deleted and {name} is not removed, because the same `pulumi up` adds "
            f"{', '.join(new)}: if {name} only got another name, its data would be lost. To keep the data, undo the "
            "new name; docs/platform.md#renames-and-moves says how to rename. To delete it, run `pulumi up` again"
        )


class _New(TypedDict):
    names: list[str]
    refused: bool  # a purge was


def _new(stack: str) -> _New:
    found: _New = json.loads(read_private(NEW / quote(stack, safe="")) or '{"names": [], "refused": false}')
    return found


def _write_new(stack: str, names: list[str], *, refused: bool = False) -> None:
    if names:
        write_private(NEW / quote(stack, safe=""), json.dumps(_New(names=names, refused=refused)))
    else:
        safepath.remove(str(NEW / quote(stack, safe="")))


def of_stacks() -> dict[str, Sketches]:
    """Without a stack with a failure or a refused purge: its next `pulumi up` declares its releases again."""
    failed = {failure.stack for failure in _failures().values()}
    return {stack: _sketches(stack) for stack in stacks() if stack not in failed and not _new(stack)["refused"]}


def sketch(owner: str, name: str) -> str:
    """The sketch that the stack of an owner wants; empty if it is not known."""
    return _sketches(_stack(owner)).get(name, "") if owner else ""


def drop(stack: str, name: str) -> None:
    """The stack no longer wants the release."""
    safepath.remove(str(FAILURES / f"release-{name}"))
    with _alone():
        if name in (sketches := _sketches(stack)):
            del sketches[name]
            record(stack, sketches)


def leave(stack: str) -> None:
    """The stack no longer wants anything on this host."""
    for item, failure in _failures().items():
        if failure.stack in (stack, ""):
            safepath.remove(str(FAILURES / item))
    with _alone():
        _write_new(stack, [])
        record(stack, {})


def failed(item: str, owner: str, error: str, document: str) -> None:
    """Record why an item could not be applied, until it can. Packages and groups have no owner."""
    name = item.partition("-")[2]
    found = _Failed(_stack(owner), error, sketch(owner, name), document)
    write_private(FAILURES / item, json.dumps(found._asdict()))


def applied(item: str, owner: str) -> None:
    """Another stack may have had the release before, and no longer wants it."""
    safepath.remove(str(FAILURES / item))
    kind, _, name = item.partition("-")
    for stack in stacks() if kind == "release" else ():
        if stack != _stack(owner):
            drop(stack, name)


def _failures() -> dict[str, _Failed]:
    """By item, such as release-caddy."""
    names = [path.name for path in (sorted(FAILURES.iterdir()) if FAILURES.exists() else ())]
    texts = {name: read_private(FAILURES / name) for name in names if not name.startswith(".")}
    return {name: _Failed(**json.loads(text)) for name, text in texts.items() if text}


def _sketches(stack: str) -> Sketches:
    found: Sketches | list[str] = json.loads(read_private(_file(stack)) or "{}")
    return dict.fromkeys(found, "") if isinstance(found, list) else found  # a list from an older program


def _stack(owner: str) -> str:
    return owner.rpartition("/")[0]


def _file(stack: str) -> Path:
    return FOLDER / quote(stack, safe="")
