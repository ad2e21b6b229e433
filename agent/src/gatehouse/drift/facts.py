"""Compares this host with the state that the last apply left, which the program asks for before it declares
resources."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

from gatehouse.drift import redaction, unmanaged
from gatehouse.health import disks, survey
from gatehouse.items import accounts, claims, keys, packages
from gatehouse.output.report import Failure
from gatehouse.protocol import document
from gatehouse.protocol.answers import Answer, Facts, ItemFacts, PackagesAnswer
from gatehouse.protocol.difference import Difference
from gatehouse.protocol.due import after_drift
from gatehouse.protocol.manifest import PROTOCOL, File, Manifest, owner_ids
from gatehouse.state import remains, secrets, store, wanted
from gatehouse.state.left import Access, Mark
from gatehouse.state.store import UNPROVEN, Item
from gatehouse.system import firewall, systemd
from gatehouse.tree import files


def facts(diffs: bool = False) -> Facts:
    """The due number of each item, incremented while the host differs from the last applied state, and the differences.
    With `diffs`, a file with changed content has its diff as well, redacted and without secrets."""
    secrets.learn_all()
    records, live = store.items(), store.live()
    ahead = _Ahead(records, live)
    return {
        "protocol": PROTOCOL,
        "machine": store.machine(),
        "items": {item: _look(item, record, ahead, diffs) for item, record in records.items()},
        "warnings": firewall.warnings() + disks.problems(),
        "wants": wanted.of_stacks(),
    }


class _Ahead:
    """Queries that cover all items at once, prefetched. A difference is confirmed by a fresh query while the item is
    locked."""

    def __init__(self, records: dict[str, Item], live: list[Manifest]):
        wanted = {u.name: u.enabled for manifest in live for u in manifest.unit}
        timed = list({probe.unit for manifest in live for probe in manifest.probe if probe.unit})
        asked = systemd.survey(
            list(wanted),
            [name for name, enabled in wanted.items() if enabled is not None],
            unmanaged.housed(live),
            timed,
        )
        self.owned = unmanaged.owned()
        self.installed = packages.survey([record.answer for record in records.values() if "versions" in record.answer])
        self.units = asked()
        with systemd.consulting(self.units):
            self.failing = survey.survey([manifest for manifest in live if f"release-{manifest.release}" in records])


def _look(item: str, record: Item, ahead: _Ahead, diffs: bool) -> ItemFacts:
    kind, _, name = item.partition("-")
    answer: ItemFacts = {"due": record.due, "drifted": [], "differences": []}
    found: list[Difference] = []
    if record.document is not None:
        answer["document"] = record.document
    if record.sketch:
        answer["sketch"] = record.sketch
    with store.glance(item) as busy:
        if busy:  # an operation in progress is not drift: it ends with a due number of its own
            answer["busy"] = busy
            return answer
        # An error about one item must not hide the others, nor keep an `up` from correcting it.
        try:
            found = _drifted(kind, name, record.answer, ahead, diffs)
            if kind == "release" and (manifest := store.Release(name).manifest()):
                answer["claims"] = claims.digest(manifest)
                if data := remains.data_of(manifest):
                    answer["data"] = data
        except Exception as error:
            message = f"{kind} {name} cannot be inspected: {type(error).__name__}"
            found = [Difference("other", name, "unreadable", message)]
    if found:
        answer["due"] = after_drift(record.due, store.machine())
        answer["drifted"] = [str(difference) for difference in found]
        answer["differences"] = [difference.json() for difference in found]
    return answer


def _drifted(kind: str, name: str, left: Answer, ahead: _Ahead, diffs: bool) -> list[Difference]:
    if kind == "release":
        with systemd.consulting(ahead.units):
            found = of_release(store.Release(name), ahead.owned)
        return (found and of_release(store.Release(name), ahead.owned, diffs)) + ahead.failing.get(name, [])
    if kind == "packages" and "versions" in left:
        return _packages(left, ahead.installed) and _packages(left, packages.survey([left]))
    return {"group": _group, "account": _account, "key": _key}[kind](name, left)


def _group(name: str, left: Answer) -> list[Difference]:
    return _identity("group", name, accounts.look_group(name), left)


def _account(name: str, left: Answer) -> list[Difference]:
    return _identity("account", name, accounts.look_account(name), left)


def _key(name: str, left: Answer) -> list[Difference]:
    now = keys.look(name)
    if now == left:
        return []
    what: Literal["missing", "changed"] = "missing" if now is None else "changed"
    return [Difference("key", name, what, f"key {name} is missing" if now is None else f"key {name} is another one")]


def _identity(
    kind: Literal["group", "account"], name: str, now: Mapping[str, object] | None, left: Answer
) -> list[Difference]:
    if now == left:
        return []
    had = _listed(left)
    message = (
        f"{kind} {name} is missing; it had {had}"
        if now is None
        else f"{kind} {name} has {_listed(now)} instead of {had}"
    )
    numbers = {key: value for key, value in (now or {}).items() if isinstance(value, int)}
    return [Difference(kind, name, "missing" if now is None else "changed", message, now=numbers)]


def _packages(left: PackagesAnswer, installed: dict[str, str]) -> list[Difference]:
    # A newer version is an update of the distribution, not drift.
    return [
        Difference("package", name, "missing", f"package {name} is not installed")
        for name in left["versions"]
        if name not in installed
    ]


def of_release(release: store.Release, owned: set[str], diffs: bool = False) -> list[Difference]:
    """`owned` contains the files of all releases."""
    name, generation = release.name, release.generation
    text = release.text(generation)
    if text is None:
        return [Difference("generation", name, "missing", f"release {name} has no generation")]
    manifest = store.read(text)
    found = []
    if release.record.exists():
        found.append(Difference("generation", name, "interrupted", f"an apply of release {name} was interrupted"))
    if text.startswith(UNPROVEN):
        message = f"generation {generation} of release {name} is live though it was never found healthy"
        found.append(Difference("generation", name, "unproven", message))
    else:
        found += _another(name, generation, text)
    owners = {files.at_generation(file.path, generation): file.owner for file in manifest.file}
    owners |= {files.at_generation(directory.path, generation): directory.owner for directory in manifest.directory}
    left, shown = release.left(generation), _shown(manifest) if diffs else {}
    for path, mark in left.files.items():
        found += _compare("file", path, mark, owners.get(path), partial(_mark_at, path), shown.get(path))
    for path, access in left.folders.items():
        found += _compare("directory", path, access, owners.get(path), partial(files.look_folder, path))
    for dropin in unmanaged.dropins(manifest, owned):
        diff = redaction.unified(dropin.path, "", there.data) if diffs and (there := files.look(dropin.path)) else ""
        message = f"{dropin.path} belongs to no release"
        found.append(Difference("drop-in", dropin.path, "unmanaged", message, diff.strip("\n")))
    found += unmanaged.wrong_permissions(manifest, left)
    names = [u.name for u in manifest.unit]
    found += [
        Difference("unit", unit, "reloading", f"the reload of {unit} does not finish") for unit in systemd.hung(names)
    ]
    found += [Difference("unit", unit, "inactive", f"{unit} is not active") for unit in systemd.inactive(names)]
    found += [
        Difference(
            "unit",
            u.name,
            "disabled" if u.enabled else "enabled",
            f"{u.name} is {'not ' if u.enabled else ''}enabled",
        )
        for u in manifest.unit
        if u.enabled is not None and systemd.enabled(u.name) != u.enabled
    ]
    return found


def _another(name: str, generation: int, text: str) -> list[Difference]:
    """The host may match its manifest even though that is not the manifest that the program last applied."""
    item = store.item(f"release-{name}")
    if item is None:
        return []
    if item.note is not None:
        return [Difference("generation", name, "rolled-back", item.note)]
    if item.document in (None, document.digest(document.sealed(text))):
        return []
    message = f"the program does not know of generation {generation} of release {name}"
    return [Difference("generation", name, "unknown", message)]


def _shown(manifest: Manifest) -> dict[str, Callable[[], str]]:
    """The diffs of the files that are not secret, computed only for files that differ."""
    return {} if manifest.secret else {file.path: partial(_diff, file, manifest) for file in manifest.file}


def _diff(file: File, manifest: Manifest) -> str:
    private = not int(file.mode, 8) & 0o044
    there = files.look(file.path)
    return redaction.unified(file.path, _merged(file, manifest), there.data if there else b"", private)


def _merged(file: File, manifest: Manifest) -> str:
    try:
        return secrets.merged(file, manifest)
    except Failure:  # the secret no longer exists: show its placeholder
        return file.content


def _mark_at(path: str) -> Mark | None:
    there = files.look(path)
    return there.mark if there else None


def _compare(
    kind: Literal["file", "directory"],
    path: str,
    left: Mark | Access,
    owner: str | None,
    look: Callable[[], Mark | Access | None],
    shown: Callable[[], str] | None = None,
) -> list[Difference]:
    """Compare a file or directory with its state after the last apply."""
    try:
        now = look()
    except (Failure, OSError):
        return [Difference(kind, path, "type", f"{path} is no longer a {kind}")]
    if now is None:
        return [Difference(kind, path, "missing", f"{path} is missing")]
    if owner and not _owned_by(now, owner):
        return [Difference(kind, path, "owner", f"{path} does not belong to {owner}")]
    if isinstance(now, Mark) and isinstance(left, Mark) and now.sha256 != left.sha256:
        message = f"{path}: the content was changed by hand"
        return [Difference(kind, path, "content", message, shown() if shown else "")]
    if now != left:
        message = f"{path}: mode or owner was changed by hand: {_access(now)} instead of {_access(left)}"
        return [Difference(kind, path, "access", message)]
    return []


def _access(there: Mark | Access) -> str:
    return f"{there.mode:04o} {there.uid}:{there.gid}"


def _owned_by(now: Mark | Access, owner: str) -> bool:
    """Compares names: a group that was created again with another GID leaves its files with the old one."""
    try:
        return (now.uid, now.gid) == owner_ids(owner)
    except Failure:
        return False


def _listed(answer: Mapping[str, object]) -> str:
    return " ".join(f"{key}={value}" for key, value in answer.items() if key != "name")
