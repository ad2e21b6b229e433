"""The state of this host, compared with what the last apply left: the program asks for it before it declares
resources."""

from collections.abc import Callable, Mapping
from functools import partial

from gatehouse.drift import redaction, unmanaged
from gatehouse.health import survey
from gatehouse.items import accounts, claims, packages
from gatehouse.output.report import Failure
from gatehouse.protocol import document
from gatehouse.protocol.answers import Answer, Facts, ItemFacts, PackagesAnswer
from gatehouse.protocol.manifest import PROTOCOL, File, Manifest, owner_ids
from gatehouse.state import secrets, store
from gatehouse.state.left import Access, Mark
from gatehouse.state.store import UNPROVEN, Item
from gatehouse.system import firewall, systemd
from gatehouse.tree import files


def facts(diffs: bool = False) -> Facts:
    """For each item its due number, which is incremented while the host differs from what was left, and the
    differences. With `diffs`, a file whose content differs has its diff in the lines below: redacted, and none of what
    is secret."""
    secrets.learn_all()
    records, live = store.items(), store.live()
    ahead = _Ahead(records, live)
    return {
        "protocol": PROTOCOL,
        "machine": store.machine(),
        "items": {item: _look(item, record, ahead, diffs) for item, record in records.items()},
        "warnings": firewall.warnings(),
    }


class _Ahead:
    """What one question answers for all items. The answers are older than the look at an item, which nobody changes
    meanwhile: what seems to differ is asked again then."""

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
            self.ill = survey.survey([manifest for manifest in live if f"release-{manifest.release}" in records])


def _look(item: str, record: Item, ahead: _Ahead, diffs: bool) -> ItemFacts:
    kind, _, name = item.partition("-")
    told: ItemFacts = {"due": record.due, "drifted": []}
    if record.document is not None:
        told["document"] = record.document
    with store.glance(item) as busy:
        if busy:  # what is on its way is no drift: it ends with a number of its own
            told["busy"] = busy
            return told
        # What is odd about one must not hide the others, nor keep an `up` from correcting it.
        try:
            told["drifted"] = _drifted(kind, name, record.answer, ahead, diffs)
            if kind == "release" and (manifest := store.Release(name).manifest()):
                told["claims"] = claims.digest(manifest)
        except Exception as error:
            told["drifted"] = [f"{kind} {name} cannot be looked at: {type(error).__name__}"]
    if told["drifted"]:
        told["due"] = _next(record.due)
    return told


def _drifted(kind: str, name: str, left: Answer, ahead: _Ahead, diffs: bool) -> list[str]:
    if kind == "release":
        with systemd.consulting(ahead.units):
            found = of_release(store.Release(name), ahead.owned)
        return (found and of_release(store.Release(name), ahead.owned, diffs)) + ahead.ill.get(name, [])
    if kind == "packages" and "versions" in left:
        return _packages(left, ahead.installed) and _packages(left, packages.survey([left]))
    return {"group": _group, "account": _account}[kind](name, left)


def _next(due: str) -> str:
    machine, _, repairs = due.rpartition("/")
    return f"{machine}/{int(repairs) + 1}" if repairs.isdigit() else f"{store.machine()}/0"


def _group(name: str, left: Answer) -> list[str]:
    now = accounts.look_group(name)
    return [] if now == left else [f"group {name} is {_told(now)}, it was {_told(left)}"]


def _account(name: str, left: Answer) -> list[str]:
    now = accounts.look_account(name)
    return [] if now == left else [f"account {name} is {_told(now)}, it was {_told(left)}"]


def _packages(left: PackagesAnswer, installed: dict[str, str]) -> list[str]:
    # A newer version is an update of the distribution's, not drift.
    return [f"package {name} is not installed" for name in left["versions"] if name not in installed]


def of_release(release: store.Release, owned: set[str], diffs: bool = False) -> list[str]:
    """`owned` are the files of all releases."""
    name, generation = release.name, release.generation
    text = release.text(generation)
    if text is None:
        return [f"release {name} has no generation"]
    manifest = store.read(text)
    found = [f"an apply of release {name} was interrupted"] if release.record.exists() else []
    if text.startswith(UNPROVEN):
        found.append(f"generation {generation} of release {name} is live though it was never found healthy")
    else:
        found += _another(name, generation, text)
    owners = {files.at_generation(file.path, generation): file.owner for file in manifest.file}
    owners |= {files.at_generation(directory.path, generation): directory.owner for directory in manifest.directory}
    left, shown = release.left(generation), _shown(manifest) if diffs else {}
    for path, mark in left.files.items():
        found += _compare(path, mark, owners.get(path), partial(_mark_at, path), shown.get(path))
    for path, access in left.folders.items():
        found += _compare(path, access, owners.get(path), partial(files.look_folder, path))
    for stray in unmanaged.dropins(manifest, owned):
        diff = redaction.unified(stray.path, "", there.data) if diffs and (there := files.look(stray.path)) else ""
        found.append(f"{stray.path} belongs to no release\n{diff}".strip())
    found += unmanaged.crooked(manifest, left)
    found += [f"the reload of {unit} does not end" for unit in systemd.hung([u.name for u in manifest.unit])]
    found += [f"{unit} is not active" for unit in systemd.inactive([u.name for u in manifest.unit])]
    found += [
        f"{u.name} is {'not ' if u.enabled else ''}enabled"
        for u in manifest.unit
        if u.enabled is not None and systemd.enabled(u.name) != u.enabled
    ]
    return found


def _another(name: str, generation: int, text: str) -> list[str]:
    """The host may match its manifest even though that is not the manifest that the program gave last."""
    item = store.item(f"release-{name}")
    if item is None:
        return []
    if item.note is not None:
        return [item.note]
    if item.document in (None, document.digest(document.sealed(text))):
        return []
    return [f"the program does not know of generation {generation} of release {name}"]


def _shown(manifest: Manifest) -> dict[str, Callable[[], str]]:
    """How the files that are not secret differ from what they should be, for who finds that they do."""
    return {} if manifest.secret else {file.path: partial(_diff, file, manifest) for file in manifest.file}


def _diff(file: File, manifest: Manifest) -> str:
    private = not int(file.mode, 8) & 0o044
    there = files.look(file.path)
    return redaction.unified(file.path, _merged(file, manifest), there.data if there else b"", private)


def _merged(file: File, manifest: Manifest) -> str:
    try:
        return secrets.merged(file, manifest)
    except Failure:  # the secret is gone: its place tells as much
        return file.content


def _mark_at(path: str) -> Mark | None:
    there = files.look(path)
    return there.mark if there else None


def _compare(
    path: str,
    left: Mark | Access,
    owner: str | None,
    look: Callable[[], Mark | Access | None],
    shown: Callable[[], str] | None = None,
) -> list[str]:
    """A file, or a directory, with what was left of it."""
    try:
        now = look()
    except (Failure, OSError):
        return [f"{path} is of another kind"]
    if now is None:
        return [f"{path} is missing"]
    if owner and not _owned_by(now, owner):
        return [f"{path} does not belong to {owner}"]
    if isinstance(now, Mark) and isinstance(left, Mark) and now.sha256 != left.sha256:
        told = f"{path}: the content was changed by hand"
        return [told if shown is None else f"{told}\n{shown()}"]
    if now != left:
        return [f"{path}: mode or owner was changed by hand: {_access(now)} instead of {_access(left)}"]
    return []


def _access(there: Mark | Access) -> str:
    return f"{there.mode:04o} {there.uid}:{there.gid}"


def _owned_by(now: Mark | Access, owner: str) -> bool:
    """By name: a group that was made anew with another GID leaves its files with the old one."""
    try:
        return (now.uid, now.gid) == owner_ids(owner)
    except Failure:
        return False


def _told(answer: Mapping[str, object] | None) -> str:
    return "gone" if answer is None else " ".join(f"{key}={value}" for key, value in answer.items() if key != "name")
