"""What is true on this host now, against what the last apply left: the program asks this before it declares anything."""

import json

import accounts
import files
import packages
import store
import units
from manifest import PROTOCOL, owner_ids
from report import Failure
from transaction import fingerprint


def facts() -> dict:
    """For each item its due number, which moves on while the host differs from what was left, and the differences."""
    machine, told = store.machine(), {}
    for item, record in store.items().items():
        kind, _, name = item.partition("-")
        drifted = _LOOK[kind](name, record["answer"])
        told[item] = {"due": _next(record["due"]) if drifted else record["due"], "drifted": drifted}
    return {"protocol": PROTOCOL, "machine": machine, "items": told}


def _next(due: str) -> str:
    machine, _, repairs = due.rpartition("/")
    return f"{machine}/{int(repairs) + 1}" if repairs.isdigit() else f"{store.machine()}/0"


def _group(name: str, left: dict) -> list[str]:
    now = accounts.look_group(name)
    return [] if now == left else [f"group {name} is {_told(now)}, it was {_told(left)}"]


def _account(name: str, left: dict) -> list[str]:
    now = accounts.look_account(name)
    return [] if now == left else [f"account {name} is {_told(now)}, it was {_told(left)}"]


def _packages(_: str, left: dict) -> list[str]:
    # A newer version is an update of the distribution's, not drift.
    installed = packages.versions(tuple(left["versions"]))
    return [f"package {name} is not installed" for name in left["versions"] if name not in installed]


def _release(name: str, _: dict) -> list[str]:
    release = store.Release(name)
    manifest = release.manifest()
    if manifest is None:
        return [f"release {name} has no generation"]
    prints = json.loads((release.folder / str(release.generation) / "files.json").read_text())
    owners = {files.at_generation(f.path, release.generation): f.owner for f in manifest.file}
    found = [f"an apply of release {name} is under way or was interrupted"] if release.record.exists() else []
    for path, left in prints.items():
        live = files.look(path)
        if live is None:
            found.append(f"{path} is missing")
        elif not _owned_by(live, owners.get(path)):
            found.append(f"{path} does not belong to {owners[path]}")
        elif (now := fingerprint(live)) != left:
            found.append(f"{path}: {'the content' if now[0] != left[0] else 'mode or owner'} was changed by hand")
    found += [f"{unit} is not active" for unit in units.inactive([u.name for u in manifest.unit])]
    found += [f"{u.name} is {'not ' if u.enabled else ''}enabled" for u in manifest.unit if u.enabled is not None and units.enabled(u.name) != u.enabled]
    return found


def _owned_by(live: files.Content, owner: str | None) -> bool:
    """By name: a group that was made anew with another GID leaves its files with the old one."""
    try:
        return owner is None or (live.uid, live.gid) == owner_ids(owner)
    except Failure:
        return False


def _told(answer: dict | None) -> str:
    return "gone" if answer is None else " ".join(f"{key}={value}" for key, value in answer.items() if key != "name")


_LOOK = {"group": _group, "account": _account, "packages": _packages, "release": _release}
