"""The releases that each stack declared in its last `pulumi up`, whether or not they were applied. The program sends
the names before it applies anything."""

import json
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from gatehouse.protocol.manifest import Manifest
from gatehouse.state import store
from gatehouse.state.store import STATE, Release, read_private, write_private
from gatehouse.system import safepath

FOLDER = STATE / "wanted"  # of one file for each stack


class Missing(NamedTuple):
    release: str
    stack: str
    why: str | None  # the error of its last apply, if there was one


_NONE = Missing("", "", None)


def missing() -> list[Missing]:
    """The releases that a stack wants and that this host does not have. Of a stack that has sent no names, because its
    program does not inspect the host, these are the releases that could not be applied."""
    there, errors, known = {release.name for release in store.releases() if not release.retained}, _errors(), stacks()
    found = [Missing(name, stack, errors.get(name, _NONE).why) for stack in known for name in _names(stack)]
    found += [lack for lack in errors.values() if lack.stack not in known]
    return [lack for lack in found if lack.release not in there]


def described(lack: Missing) -> str:
    because = f": {lack.why}" if lack.why else ""
    return f"it is not on this host although the last `pulumi up` of {lack.stack} wanted it; run that again{because}"


def stacks() -> list[str]:
    names = [path.name for path in (FOLDER.iterdir() if FOLDER.exists() else ())]
    return sorted(unquote(name) for name in names if not name.startswith("."))  # without unfinished writes


def record(stack: str, names: list[str]) -> None:
    if names:
        write_private(_file(stack), json.dumps(sorted(names)))
    else:
        safepath.remove(str(_file(stack)))


def of_stacks() -> dict[str, list[str]]:
    return {stack: _names(stack) for stack in stacks()}


def drop(stack: str, name: str) -> None:
    """The stack no longer wants the release."""
    if name in (names := _names(stack)):
        names.remove(name)
        record(stack, names)


def leave(stack: str) -> None:
    """The stack no longer wants anything on this host."""
    for lack in _errors().values():
        if lack.stack == stack:
            safepath.remove(str(_error(lack.release)))
    record(stack, [])


def failed(manifest: Manifest, error: str) -> None:
    """Record why a release could not be applied, until it can."""
    stack = manifest.owner.rpartition("/")[0]
    write_private(_error(manifest.release), json.dumps({"stack": stack, "why": error}))


def applied(name: str) -> None:
    """Another stack may have had the release before, and no longer wants it."""
    safepath.remove(str(_error(name)))
    for manifest in Release(name).manifests():
        for stack in stacks():
            if stack != manifest.owner.rpartition("/")[0]:
                drop(stack, name)


def _errors() -> dict[str, Missing]:
    """By release."""
    folder = STATE / "releases"
    names = [path.name for path in (sorted(folder.iterdir()) if folder.exists() else ())]
    texts = {name: read_private(_error(name)) for name in names}
    return {name: Missing(name, **json.loads(text)) for name, text in texts.items() if text}


def _names(stack: str) -> list[str]:
    names: list[str] = json.loads(read_private(_file(stack)) or "[]")
    return names


def _file(stack: str) -> Path:
    return FOLDER / quote(stack, safe="")


def _error(name: str) -> Path:
    return Release(name).folder / "failed"
