"""`gatehouse leave`: a stack leaves this host, as the last step of `pulumi destroy`. Says what stays, and how it goes;
deletes nothing."""

import pwd

from gatehouse.items import accounts, keys, packages
from gatehouse.output.report import Failure
from gatehouse.output.table import columns
from gatehouse.protocol.answers import LeaveAnswer, Left
from gatehouse.release import purge
from gatehouse.state import created, remains, repositories, store, wanted
from gatehouse.system import machine, safepath, systemd

_PERSONS = 1000  # the first UID of an account that is not the system's
_UNITS = ("gatehouse-recover.service", "gatehouse-recovered.service")
_AGENT = (
    "/var/lib/gatehouse",
    "/usr/local/lib/gatehouse",
    "/usr/local/bin/gatehouse",
    *(f"/etc/systemd/system/{unit}" for unit in _UNITS),
)


def refuse_unknown(stack: str) -> None:
    """Raises Failure for a stack that never had a release on this host, with those that have, or had one."""
    owners = [manifest.owner.rpartition("/")[0] for manifest in store.live()]
    known = sorted({*owners, *wanted.stacks(), *remains.of("stack")})
    if stack not in known:
        raise Failure(
            f"stack {stack} has nothing on this host; nothing was changed. Stacks that have, or had: "
            f"{', '.join(known) or 'none'}"
        )


def leave(stack: str) -> LeaveAnswer:
    wanted.leave(stack)
    there = [(manifest.owner.rpartition("/")[0], manifest.release) for manifest in store.expected()]
    return {
        "stack": stack,
        "running": sorted(release for owner, release in there if owner == stack),
        "others": sorted({owner for owner, _ in there if owner != stack}),
        "stays": [*_data(), *_roles(), *_secrets(), *_keys(), *_backups(), *_system(), *_images(), *_agent()],
    }


def lines(done: LeaveAnswer) -> list[str]:
    head = [f"stack {done['stack']} leaves this host: its services are stopped and their files removed"]
    if done["running"]:
        head = [f"releases of stack {done['stack']} are still on this host: {', '.join(done['running'])}"]
    if done["others"]:
        head.append(f"check first what other stacks on this host use: {', '.join(done['others'])}")
    rows = [[one["kind"], one["name"], one["delete"]] for one in done["stays"]]
    return [
        *head,
        "the following stays, and a later `pulumi up` finds it again: docs/operations.md#what-stays-after-a-destroy",
        *columns(["STAYS", "NAME", "DELETE IT WITH"], rows),
    ]


def _data() -> list[Left]:
    found = remains.of("data")
    homes = [home for name in _made("account") if (home := pwd.getpwnam(name).pw_dir).startswith("/var/lib/")]
    folders = [path for path in dict.fromkeys([*homes, *remains.of("directory")]) if path not in found]
    rows = [_left("data", name, _deletion(name)) for name in found if not name.startswith("/") or _there(name)]
    # The command for a folder also deletes the folders in it.
    outer = [path for path in folders if not any(path.startswith(f"{other}/") for other in folders if other != "/")]
    return rows + [_left("folder", path, f"rm -r {path}") for path in outer if path != "/" and _there(path)]


def _deletion(name: str) -> str:
    kind, _, database = name.rpartition(" ")
    return f"runuser -u postgres -- dropdb {database}" if kind else f"rm -r {name}"


def _roles() -> list[Left]:
    """Come after the databases that they own."""
    return [_left("role", name, f"runuser -u postgres -- dropuser {name}") for name in remains.of("role")]


def _secrets() -> list[Left]:
    paths = [str(store.SECRETS / release.name) for release in store.releases() if release.retained]
    return [_left("secrets", path, f"rm -r {path}") for path in paths if _there(path)]


def _keys() -> list[Left]:
    return [_left("key", name, f"rm {keys.FOLDER / name}.*") for name in _made("key")]


def _backups() -> list[Left]:
    copies = str(purge.BACKUPS)
    rows = [
        _left("backups", place, f"gatehouse forget {place}, and its files there") for place in repositories.places()
    ]
    return rows + ([_left("backups", copies, f"rm -r {copies}")] if _there(copies) else [])


def _system() -> list[Left]:
    answers = [record.answer for record in store.items().values() if "versions" in record.answer]
    purges = packages.purge_commands(_made("package"), answers)
    enabled = [unit for unit in systemd.existing(_made("unit")) if systemd.enabled(unit)] if _made("unit") else []
    rows = [_left("unit", f"{unit} (starts at the next boot)", f"systemctl disable {unit}") for unit in enabled]
    rows += [_left("package", name, command) for name, command in purges.items()]
    users = _made("account")  # each with the group of the same name
    rows += [_left("account", name, f"userdel {name}") for name in users]
    return rows + [_left("group", name, f"groupdel {name}") for name in _made("group") if name not in users]


def _made(kind: str) -> list[str]:
    """The objects of this kind that gatehouse or its packages created, and that still exist. An account of a person,
    which gatehouse took over, is not among them."""
    names = sorted(thing.removeprefix(f"{kind} ") for thing in created.things() if thing.startswith(f"{kind} "))
    if kind == "account":
        return [name for name in names if (found := accounts.look_account(name)) and found["uid"] < _PERSONS]
    return [name for name in names if kind != "group" or accounts.look_group(name)]


def _images() -> list[Left]:
    return [
        _left("image", reference, f"podman image rm {reference}")
        for reference in remains.of("image")
        if machine.system.image(reference) is not None
    ]


def _agent() -> list[Left]:
    """Comes last: the commands above need it."""
    return [
        _left("agent", "its units", f"systemctl disable {' '.join(_UNITS)}"),
        *(_left("agent", path, f"rm -r {path}") for path in _AGENT),
    ]


def _left(kind: str, name: str, delete: str) -> Left:
    return {"kind": kind, "name": name, "delete": delete}


def _there(path: str) -> bool:
    try:
        return safepath.status(path) is not None
    except Failure:  # below a folder of another account
        return True
