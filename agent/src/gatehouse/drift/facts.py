"""What is true on this host now, against what the last apply left: the program asks this before it declares anything."""

from collections.abc import Callable

from gatehouse.drift import redaction, unmanaged
from gatehouse.health import survey
from gatehouse.items import accounts, claims, packages
from gatehouse.output.report import Failure
from gatehouse.protocol import document
from gatehouse.protocol.manifest import PROTOCOL, File, Manifest, owner_ids
from gatehouse.state import secrets, store
from gatehouse.state.store import UNPROVEN
from gatehouse.system import firewall, systemd
from gatehouse.tree import files


def facts(diffs: bool = False) -> dict:
    """For each item its due number, which moves on while the host differs from what was left, and the differences. With
    `diffs`, a file whose content differs has its diff in the lines below: redacted, and none of what is secret."""
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

    def __init__(self, records: dict[str, dict], live: list[Manifest]):
        wanted = {u.name: u.enabled for manifest in live for u in manifest.unit}
        timed = list({probe.unit for manifest in live for probe in manifest.probe if probe.unit})
        asked = systemd.survey(
            list(wanted),
            [name for name, enabled in wanted.items() if enabled is not None],
            unmanaged.housed(live),
            timed,
        )
        self.owned = unmanaged.owned()
        self.installed = packages.survey(
            [record["answer"] for item, record in records.items() if item.startswith("packages-")]
        )
        self.units = asked()
        with systemd.consulting(self.units):
            self.ill = survey.survey([manifest for manifest in live if f"release-{manifest.release}" in records])


def _look(item: str, record: dict, ahead: _Ahead, diffs: bool) -> dict:
    kind, _, name = item.partition("-")
    told = {key: record[key] for key in ("due", "document") if key in record}
    with store.glance(item) as busy:
        if busy:  # what is on its way is no drift: it ends with a number of its own
            return told | {"drifted": [], "busy": busy}
        try:
            drifted = _drifted(kind, name, record["answer"], ahead, diffs)
            if kind == "release" and (manifest := store.Release(name).manifest()):
                told["claims"] = claims.digest(manifest)
        except (
            Exception
        ) as error:  # what is odd about one must not hide the others, nor keep an `up` from putting it right
            drifted = [f"{kind} {name} cannot be looked at: {type(error).__name__}"]
    return told | {"due": _next(told["due"]) if drifted else told["due"], "drifted": drifted}


def _drifted(kind: str, name: str, left: dict, ahead: _Ahead, diffs: bool) -> list[str]:
    if kind == "release":
        with systemd.consulting(ahead.units):
            found = of_release(store.Release(name), ahead.owned)
        return (found and of_release(store.Release(name), ahead.owned, diffs)) + ahead.ill.get(name, [])
    if kind == "packages":
        return _packages(left, ahead.installed) and _packages(left, packages.survey([left]))
    return {"group": _group, "account": _account}[kind](name, left)


def _next(due: str) -> str:
    machine, _, repairs = due.rpartition("/")
    return f"{machine}/{int(repairs) + 1}" if repairs.isdigit() else f"{store.machine()}/0"


def _group(name: str, left: dict) -> list[str]:
    now = accounts.look_group(name)
    return [] if now == left else [f"group {name} is {_told(now)}, it was {_told(left)}"]


def _account(name: str, left: dict) -> list[str]:
    now = accounts.look_account(name)
    return [] if now == left else [f"account {name} is {_told(now)}, it was {_told(left)}"]


def _packages(left: dict, installed: dict[str, str]) -> list[str]:
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
    owners = {files.at_generation(i.path, generation): i.owner for i in (*manifest.file, *manifest.directory)}
    left, shown = release.left(generation), _shown(manifest) if diffs else {}
    for path, mark in left["files"].items():
        found += _compare(
            path, mark, owners.get(path), lambda: (there := files.look(path)) and there.fingerprint, shown.get(path)
        )
    for path, mark in left["folders"].items():
        found += _compare(path, mark, owners.get(path), lambda: files.look_folder(path))
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
    """The host may follow its manifest to the letter, and that manifest be another one than the program gave."""
    item = store.item(f"release-{name}")
    if "note" in item:
        return [item["note"]]
    if item.get("document") in (None, document.digest(document.sealed(text))):
        return []
    return [f"the program does not know of generation {generation} of release {name}"]


def _shown(manifest: Manifest) -> dict[str, Callable[[], str]]:
    """How the files that are not secret differ from what they should be, for who finds that they do."""
    return {} if manifest.secret else {file.path: lambda file=file: _diff(file, manifest) for file in manifest.file}


def _diff(file: File, manifest: Manifest) -> str:
    private = not int(file.mode, 8) & 0o044
    there = files.look(file.path)
    return redaction.unified(file.path, _merged(file, manifest), there.data if there else b"", private)


def _merged(file: File, manifest: Manifest) -> str:
    try:
        return secrets.merged(file, manifest)
    except Failure:  # the secret is gone: its place tells as much
        return file.content


def _compare(
    path: str, left: list, owner: str | None, look: Callable[[], list | None], shown: Callable[[], str] | None = None
) -> list[str]:
    """Of a file: checksum, mode, uid and gid. Of a directory: mode, uid and gid."""
    try:
        now = look()
    except (Failure, OSError):
        return [f"{path} is of another kind"]
    if now is None:
        return [f"{path} is missing"]
    if owner and not _owned_by(now, owner):
        return [f"{path} does not belong to {owner}"]
    if now[:-3] != left[:-3]:
        told = f"{path}: the content was changed by hand"
        return [told if shown is None else f"{told}\n{shown()}"]
    if now != left:
        return [f"{path}: mode or owner was changed by hand: {_access(now)} instead of {_access(left)}"]
    return []


def _access(mark: list) -> str:
    return "{:04o} {}:{}".format(*mark[-3:])


def _owned_by(now: list, owner: str) -> bool:
    """By name: a group that was made anew with another GID leaves its files with the old one."""
    try:
        return tuple(now[-2:]) == owner_ids(owner)
    except Failure:
        return False


def _told(answer: dict | None) -> str:
    return "gone" if answer is None else " ".join(f"{key}={value}" for key, value in answer.items() if key != "name")
