"""The manifest of a release: everything that makes up a service on this host. docs/manifest.md explains each key."""

import grp
import pwd
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from gatehouse.output.report import Failure
from gatehouse.protocol.document import located, read

PROTOCOL = 1  # incremented when manifests of older programs would be misread


@dataclass(frozen=True)
class Directory:
    """Created if missing, with this mode and owner; never deleted, since it holds data. Data at its `formerly` path is
    moved into it once, with the release's units stopped. What an operator puts into it must be readable for the account
    `reader`."""

    path: str
    mode: str
    owner: str
    formerly: str | None = None
    reader: str | None = None


@dataclass(frozen=True)
class File:
    """`{generation}` in a path is the generation of this release. A change to the file restarts or reloads the given
    units. `{{secrets NAME}}` in `content` is replaced by the secret if NAME is listed in `secrets` (state/secrets.py);
    otherwise it is plain text."""

    path: str
    mode: str
    owner: str
    content: str
    # In the order of their placeholders in the content: RELEASE/FILE, or RELEASE/GENERATION/FILE.
    secrets: tuple[str, ...] = ()
    restarts: tuple[str, ...] = ()
    reloads: tuple[str, ...] = ()
    rotation: str | None = None  # as long as it is unchanged, the host keeps its own content
    # The backup repository that this passphrase is for; the host keeps a passphrase that has opened it.
    opens: str | None = None


@dataclass(frozen=True)
class Image:
    """Pulled if missing, before any unit is stopped. An image of a `series` can replace one of the same series or of a
    series that it `follows`, and of no higher `version`: data migrations can neither skip a series nor be reversed. A
    `downgrade` may also go back, by one series at most."""

    reference: str
    series: str | None = None
    follows: tuple[str, ...] = ()
    version: str | None = None
    downgrade: bool = False
    permission: str | None = None  # the key of the configuration that sets `downgrade`

    def leaps(self, other: "Image") -> bool:
        """Whether data of the other image's series cannot be used by this one's."""
        if self.series is None or other.series in (None, self.series, *self.follows):
            return False
        return not (self.downgrade and self.series in other.follows)

    def is_older_than(self, other: "Image") -> bool:
        """Whether both have a version, and this one's is lower."""
        own, others = self.version, other.version
        return own is not None and others is not None and _numbers(own) < _numbers(others)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


@dataclass(frozen=True)
class Guard:
    """Data that a new image may change irreversibly. `save` runs before a change of image, with `units` stopped; once
    the new image has been started, `restore` is part of every rollback. If a rollback is interrupted it runs again, so
    `restore` must be idempotent: succeed without changes if the data has already been restored."""

    name: str
    units: tuple[str, ...]
    save: tuple[str, ...]
    restore: tuple[str, ...]
    user: str = "root"
    group: str | None = None  # in place of the account's own
    images: tuple[str, ...] = ()  # the images that may change the data; by default all of the manifest


@dataclass(frozen=True)
class Holding:
    """Contents of a unit that must not decrease over a restart: the counts that `exec` prints, in lines of a number and
    a name, or the keys of a Valkey with this `socket`, settings file `config` and data directory `data`."""

    name: str
    unit: str
    user: str = "root"  # the account that runs `exec`; for a Valkey, its account
    exec: tuple[str, ...] = ()
    socket: str | None = None
    config: str | None = None
    data: str | None = None
    appendonly: bool = False  # whether it reads the append-only file at its start, instead of the snapshot
    login: str | None = None  # the user with a password in the files `passwords`, a path with `*` for each generation
    passwords: str | None = None


@dataclass(frozen=True)
class Data:
    """Data that is backed up, and kept when the release is removed unless that is a purge: the folder `path`, or the
    output of `save` in the directory `{dump}`; `drop`, which must be idempotent, deletes the latter."""

    name: str  # of the directory with the copy
    path: str | None = None
    save: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    user: str = "root"
    before: tuple[str, ...] = ()  # makes the folder consistent right before it is backed up
    after: tuple[str, ...] = ()  # undoes `before` afterwards
    database: str | None = None  # in PostgreSQL: already part of the backup of the cluster
    borrowed: bool = False  # the operator's folder: backed up, but never purged


@dataclass(frozen=True)
class Borrowed:
    """A folder or file of the operator that units use: it exists, only root can replace it, and it is never
    changed."""

    path: str
    readonly: bool = False


@dataclass(frozen=True)
class Check:
    """Runs against `{tree}`, a copy of directory `tree` with the changes applied. With `ready`, `exec` is a server: it
    is started, `ready` must succeed, and it is stopped. `{scratch}` is an empty directory owned by `user`."""

    name: str
    exec: tuple[str, ...]
    tree: str
    user: str = "root"
    group: str | None = None
    prepare: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unit:
    """A unit that runs because of this release. `enabled` is omitted for units created by a generator."""

    name: str
    enabled: bool | None = None


@dataclass(frozen=True)
class Step:
    """Runs on every apply once the units are up; must be idempotent. A rollback does not undo it."""

    name: str
    exec: tuple[str, ...]
    user: str = "root"
    group: str | None = None  # in place of the account's own
    stdin: str = ""


@dataclass(frozen=True)
class Probe:
    """A condition of health: exactly one of `exec`, `http`, `tcp`, `socket` and `unit`."""

    name: str
    exec: tuple[str, ...] = ()
    user: str = "root"
    http: str | None = None
    status: int | None = None  # by default any 2xx
    body: str | None = None  # text that the response must contain
    connect: str | None = None  # address:port to connect to, in place of that in the URL
    tcp: str | None = None  # address:port
    socket: str | None = None
    unit: str | None = None
    seconds: int = 5  # the time that `unit` must have been running without a restart
    # The unit of another release that the probe needs: it runs only once that unit has reloaded for a change.
    through: str | None = None


@dataclass(frozen=True)
class Manifest:
    release: str
    owner: str  # project/stack/name of the resource that may change and delete it
    protocol: int
    deadline: int = 60  # seconds from starting the units within which all probes must pass
    secret: bool = False
    listens: tuple[str, ...] = ()  # ADDRESS:PORT/tcp or /udp, `*` for all addresses; no other process may use them
    takes: tuple[str, ...] = ()  # items to take over although gatehouse did not create them, each as kind and name
    refers: tuple[str, ...] = ()  # directories of secret versions, kept as long as this manifest is
    gives: tuple[str, ...] = ()  # releases of the stack with files that may contain secrets of this one
    leaves: tuple[str, ...] = ()  # databases and roles of PostgreSQL that stay after its removal, as kind and name
    directory: tuple[Directory, ...] = ()
    image: tuple[Image, ...] = ()
    preparation: tuple[Step, ...] = ()  # run before any check, to create its prerequisites; must be idempotent
    file: tuple[File, ...] = ()
    check: tuple[Check, ...] = ()
    guard: tuple[Guard, ...] = ()
    holding: tuple[Holding, ...] = ()
    data: tuple[Data, ...] = ()
    borrowed: tuple[Borrowed, ...] = ()
    unit: tuple[Unit, ...] = ()
    step: tuple[Step, ...] = ()
    probe: tuple[Probe, ...] = ()


def load(text: str) -> Manifest:
    """Parse a manifest from TOML. Raises Failure with all errors if anything in it is invalid."""
    manifest = read(Manifest, text)
    faults = [located(text, at, complaint) for at, complaint in _faults(manifest)]
    if faults:
        raise Failure("the manifest is refused:\n  " + "\n  ".join(faults))
    return manifest


def stored(text: str) -> Manifest:
    """Parse a manifest that was accepted before, possibly by the newer agent of another stack: unknown keys and
    accounts that no longer exist must not block other releases.

    Raises Failure for text that was never a manifest."""
    return read(Manifest, text, newer=True)


PLACE = re.compile(r"\{\{secrets ([^{}\s]+)\}\}")  # the placeholder of a secret
SECRET = re.compile(r"([a-z0-9-]+)/(?:(\d+)/)?(\w[\w.-]*)")
_ENDPOINT = re.compile(r"(\[[\da-fA-F:]+\]|[^\s:\[\]]+):\d{1,5}")
_PORT = re.compile(r"(\*|[\d.]+|\[[\da-fA-F:]+\]):\d{1,5}/(tcp|udp)")
_LEFT = re.compile(r"(database|role) \S+")
_KINDS = ("exec", "http", "tcp", "socket", "unit")


def _faults(m: Manifest) -> Iterator[tuple[str, str]]:
    """Each with its position in the manifest."""
    if m.protocol != PROTOCOL:
        yield (
            "protocol",
            f"protocol: this agent speaks {PROTOCOL}, the manifest {m.protocol}; install the program's own agent first",
        )
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", m.release):
        yield "release", f"release: {m.release!r} is not a name of lower-case letters, digits and dashes"
    if not re.fullmatch(r"[^/\s]+/[^/\s]+/[^/\s]+", m.owner):
        yield "owner", f"owner: {m.owner!r} is not PROJECT/STACK/RESOURCE"
    if m.deadline < 1:
        yield "deadline", f"deadline: {m.deadline} is not a positive number of seconds"
    for n, port in enumerate(m.listens):
        if not _PORT.fullmatch(port):
            yield (
                f"listens[{n}]",
                f"listens: {port!r} is not ADDRESS:PORT/tcp or /udp, such as 127.0.0.1:9000/tcp or *:443/udp",
            )
    for n, thing in enumerate(m.leaves):
        if not _LEFT.fullmatch(thing):
            yield f"leaves[{n}]", f"leaves: {thing!r} is not `database NAME` or `role NAME`"
    seen: set[str] = set()
    files = {f.path for f in m.file}
    places: list[tuple[str, int, File | Directory]] = [
        *(("file", n, file) for n, file in enumerate(m.file)),
        *(("directory", n, directory) for n, directory in enumerate(m.directory)),
    ]
    for kind, n, item in places:
        what, at = f"{kind} {item.path}", f"{kind}[{n}]"
        if not _clean(item.path):
            yield f"{at}.path", f"{what}: not an absolute, clean path"
        for above in {str(parent) for parent in PurePosixPath(item.path).parents} & files:
            yield f"{at}.path", f"{what}: is below the file {above}"
        if "{generation}" in item.path and not (m.secret and isinstance(item, File)):
            yield (
                f"{at}.path",
                f"{what}: only a secret file can have {{generation}} in its path, "
                "since only secrets are kept by generation",
            )
        if not re.fullmatch(r"0[0-7]{3,4}", item.mode):
            yield f"{at}.mode", f"{what}: mode {item.mode!r} is not octal, such as 0640"
        if item.path in seen:
            yield f"{at}.path", f"{what}: named twice"
        seen.add(item.path)
        if isinstance(item, Directory) and item.formerly is not None and not _apart(item, item.formerly, m.directory):
            yield (
                f"{at}.formerly",
                f"{what}: formerly {item.formerly!r} is not an absolute, clean path "
                "apart from this and the other directories",
            )
        try:
            owner_ids(item.owner)
        except Failure as failure:
            yield f"{at}.owner", f"{what}: {failure}"
    for n, file in enumerate(m.file):
        what, at = f"file {file.path}", f"file[{n}].secrets"
        for name in file.secrets:
            if not SECRET.fullmatch(name):
                yield at, f"{what}: secrets: {name!r} is not RELEASE/FILE or RELEASE/GENERATION/FILE"
        if file.secrets and (named := tuple(PLACE.findall(file.content))) != file.secrets:
            yield (
                at,
                f"{what}: secrets must list the placeholders in the content, which are "
                f"{', '.join(named) or 'none'}, but lists {', '.join(file.secrets)}",
            )
    for n, data in enumerate(m.data):
        what, at = f"data {data.name}", f"data[{n}]"
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", data.name) or data.name in [d.name for d in m.data[:n]]:
            yield (
                f"{at}.name",
                f"{what}: not a unique name of lower-case letters, digits, dots and dashes",
            )
        if bool(data.path) == bool(data.save) or bool(data.save) != bool(data.drop):
            yield at, f"{what}: give either path, or save and drop"
        for key in ("before", "after", "borrowed") if data.save else ("database",):
            if getattr(data, key):
                yield f"{at}.{key}", f"{what}: {key} is allowed only with {'path' if data.save else 'save and drop'}"
        if data.path and not data.borrowed and not (_clean(data.path) and data.path.count("/") > 2):
            yield f"{at}.path", f"{what}: {data.path} is not an absolute, clean path of three names or more"
        if data.borrowed and data.path not in [b.path for b in m.borrowed]:
            yield f"{at}.path", f"{what}: {data.path} is not among the borrowed folders"
    for n, borrowed in enumerate(m.borrowed):
        if not _clean(borrowed.path):
            yield f"borrowed[{n}].path", f"borrowed {borrowed.path}: not an absolute, clean path"
    for n, holding in enumerate(m.holding):
        if bool(holding.exec) == all((holding.socket, holding.config, holding.data)) or bool(holding.login) != bool(
            holding.passwords
        ):
            yield (
                f"holding[{n}]",
                f"holding {holding.name}: give either exec, or socket, config and data; and login with passwords",
            )
    for n, probe in enumerate(m.probe):
        what, at = f"probe {probe.name}", f"probe[{n}]"
        if sum(bool(getattr(probe, kind)) for kind in _KINDS) != 1:
            yield at, f"{what}: give exactly one of {', '.join(_KINDS)}"
        for key in ("tcp", "connect"):
            if (endpoint := getattr(probe, key)) is not None and not _ENDPOINT.fullmatch(endpoint):
                yield (
                    f"{at}.{key}",
                    f"{what}: {key} {endpoint!r} is not ADDRESS:PORT, such as 127.0.0.1:443 or [::1]:443",
                )
        if probe.through and (
            probe.through in {u.name for u in m.unit}
            or all(probe.through not in f.reloads or probe.through in f.restarts for f in m.file)
        ):
            yield (
                f"{at}.through",
                f"{what}: {probe.through} is not a unit of another release that a file here reloads, "
                "so it would never run",
            )
        if probe.unit and not 0 < probe.seconds < m.deadline:
            yield f"{at}.seconds", f"{what}: {probe.seconds} seconds are not between 1 and the deadline of {m.deadline}"


def _apart(directory: Directory, former: str, all_of_them: tuple[Directory, ...]) -> bool:
    """Whether data from the former path has one destination, and is not moved together with another directory."""
    others = {d.path for d in all_of_them} | {d.formerly for d in all_of_them if d is not directory}
    return (
        _clean(former)
        and former not in others
        and not f"{directory.path}/".startswith(f"{former}/")
        and not f"{former}/".startswith(f"{directory.path}/")
    )


def _clean(path: str) -> bool:
    return bool(re.fullmatch(r"(/[^/\0\n]+)+", path)) and "/../" not in path + "/" and "/./" not in path + "/"


def owner_ids(owner: str) -> tuple[int, int]:
    """uid and gid of `user:group`, as names or numbers. Raises Failure for a name that this host does not know."""
    user, _, group = owner.partition(":")
    try:
        return (
            int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid,
            int(group) if group.isdigit() else grp.getgrnam(group).gr_gid,
        )
    except KeyError:
        raise Failure(f"owner {owner!r}: no such user or group on this host") from None
