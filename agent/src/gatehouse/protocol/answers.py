"""The answers of the agent to the program: each is one JSON object, sent and stored in the same form."""

from typing import Literal, NotRequired, TypedDict, final

from gatehouse.output.report import Meaning

Verb = Literal["start", "reload", "stop", "restart"]


@final
class GroupAnswer(TypedDict):
    name: str
    gid: int


@final
class AccountAnswer(TypedDict):
    name: str
    uid: int
    gid: int
    groups: list[str]  # the groups that it is a member of, sorted


@final
class PackagesAnswer(TypedDict):
    manager: NotRequired[str]  # absent from older agents, which knew only apt
    versions: dict[str, str]  # by package


@final
class KeyAnswer(TypedDict):
    name: str
    certificate: str  # in PEM format


@final
class ReleaseAnswer(TypedDict):
    release: str
    generation: int
    changed: list[str]  # paths
    units: dict[str, Verb]
    opens: NotRequired[dict[str, str]]  # the passphrase of each backup repository that the release has a file for


class Named(TypedDict):
    kind: str
    name: str


class FailureReport(TypedDict):
    """Why an item was not applied or removed, in the place of its answer."""

    verb: Literal["apply", "remove"]
    item: Named  # group, account, packages, key or release
    code: int  # the exit status
    meaning: Meaning  # of the exit status
    at: NotRequired[Named]  # the part that failed, if it is a single one: its table in the manifest, and its name


Answer = GroupAnswer | AccountAnswer | PackagesAnswer | KeyAnswer | ReleaseAnswer


class ItemFacts(TypedDict):
    """The current state of an item on the host."""

    due: str  # its due number, which changes once the item has drifted
    document: NotRequired[str]  # the checksum of the document that the program sent last
    drifted: list[str]  # for programs that do not know `differences`
    differences: list[dict[str, object]]  # each a Difference
    busy: NotRequired[str]  # an operation in progress, so that the state is unknown
    claims: NotRequired[str]  # of a release: the checksum of the names that it has on this host
    data: NotRequired[list[str]]  # of a release: the directories and databases that stay after its removal
    sketch: NotRequired[str]  # of a release: what its stack wanted when it was applied last


class Facts(TypedDict):
    protocol: int
    machine: str
    items: dict[str, ItemFacts]
    warnings: list[str]
    wants: dict[str, dict[str, str]]  # by PROJECT/STACK: the releases of its last `pulumi up`, each with its sketch


class RemoveAnswer(TypedDict):
    release: str
    removed: bool
    why: NotRequired[str]  # the reason if it was not removed
    copies: NotRequired[str]  # the directory with copies of the data that a purge deleted


class Left(TypedDict):
    """Something that a stack leaves on the host."""

    kind: str  # such as data, secrets or package
    name: str
    delete: str  # the command that deletes it


class LeaveAnswer(TypedDict):
    stack: str
    running: list[str]  # its releases that are still on the host
    others: list[str]  # other stacks with releases on the host
    stays: list[Left]


class RecoverAnswer(TypedDict):
    recovered: list[str]  # releases


class Outcome(TypedDict, total=False):
    """The result of the last run of an operation; empty before the first."""

    ended: float
    seconds: float  # duration
    failed: str | None  # the error
    good: float | None  # when a run last succeeded
    backup: str  # the backup that a drill restored


class BackupPath(TypedDict):
    """Data of a release in a backup."""

    path: str
    places: list[str]  # the real location of the folder, and the targets of symlinks in it
    files: int
    size: int


class BackupRow(TypedDict):
    name: str
    marked: str | None
    marked_seconds: float
    seconds: float
    kind: str
    size: int
    added: int
    tables: int
    files: int
    exact: bool
    moved: list[str]
    incomplete: dict[str, str]
    paths: dict[str, BackupPath]


class Overview(TypedDict):
    """The backups of this host."""

    healthy: bool
    repository: str
    backups: list[BackupRow]
    last: Outcome
    drill: Outcome
    read: float | None  # when the repository was last read
    others: dict[str, int]  # the number of backups in each other repository that this host knows


class PrepareAnswer(TypedDict):
    prepared: bool  # false if the repository has the backups of another cluster
    repository: str


class BackupAnswer(TypedDict):
    backup: str
    kind: str
    seconds: float
    size: int
    added: int
    incomplete: dict[str, str]


class DrillAnswer(TypedDict):
    backup: str
    tables: int
    rows: int
    files: int
    exact: bool
    moved: list[str]
    compared: bool
    incomplete: dict[str, str]
    seconds: float


class ForgetAnswer(TypedDict):
    forgot: str
    backups: list[str]
    lost: str


@final
class RestoreAnswer(TypedDict):
    to: str
    backup: str
    folders: list[str]
    stops: list[str]  # units
    database: str | None
    done: bool
    seconds: NotRequired[float]


@final
class ConfirmAnswer(TypedDict):
    confirmed: str


@final
class UndoAnswer(TypedDict):
    undone: str


class ReleaseStatus(TypedDict):
    release: str
    generation: int
    applied: str | None
    applied_seconds: float | None
    units: dict[str, str]  # by unit: its state
    jobs: dict[str, str]  # by unit that a timer starts: its state
    probes: dict[str, str | None]  # by probe: its error
    in_progress: str | None
    interrupted: bool
    drifted: list[str]
    healthy: bool


class WantedRelease(TypedDict):
    """A release that is not on the host as a stack declared it in its last `pulumi up`."""

    release: str
    stack: str
    in_progress: str | None
    why: str | None  # the error of its last apply, or of items that it may wait for


class DiskStatus(TypedDict):
    paths: list[str]  # folders on it that are written to
    point: str  # where it is mounted
    size: int
    free: int
    problem: str | None


class ImageStatus(TypedDict):
    """An image that gatehouse pulled."""

    reference: str
    size: int
    needed: Literal["live", "rollback", "no"]  # by a live manifest, by an older kept one, or by none


class Status(TypedDict):
    healthy: bool
    releases: list[ReleaseStatus]
    missing: list[WantedRelease]  # not on the host
    behind: list[WantedRelease]  # on the host in an earlier version
    disks: list[DiskStatus]
    images: list[ImageStatus]
    retained: list[str]  # releases of secrets that a stack removed, and whose secrets stay
    backups: Overview | None
    restored: str | None  # a restore that is neither confirmed nor undone
    warnings: list[str]


class VerifyAnswer(TypedDict):
    in_sync: bool
    items: dict[str, list[str]]  # by item: its differences
    unexpected: list[str]


class GenerationRow(TypedDict):
    generation: int
    applied: str | None
    applied_seconds: float | None
    changed: list[str] | None  # None if an older agent did not record it
    live: bool


class ReleaseHistory(TypedDict):
    release: str
    generations: list[GenerationRow]  # oldest first


class History(TypedDict):
    releases: list[ReleaseHistory]


DiffAnswer = TypedDict("DiffAnswer", {"release": str, "from": int, "to": int, "files": dict[str, str]})


class RollbackAnswer(TypedDict):
    release: str
    generation: int
    changed: list[str]
    units: dict[str, Verb]
    rolled_back_to: int
