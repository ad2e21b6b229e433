"""What the agent answers to the program: each is one JSON object, as it goes out and as it is remembered."""

from typing import Literal, NotRequired, TypedDict, final

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
    groups: list[str]  # of which it is a member, sorted


@final
class PackagesAnswer(TypedDict):
    manager: NotRequired[str]  # older agents knew apt alone, and did not record it
    versions: dict[str, str]  # by package


@final
class ReleaseAnswer(TypedDict):
    release: str
    generation: int
    changed: list[str]  # paths
    units: dict[str, Verb]
    opens: NotRequired[dict[str, str]]  # the passphrase of each repository of backups that it has a file for


Answer = GroupAnswer | AccountAnswer | PackagesAnswer | ReleaseAnswer


class ItemFacts(TypedDict):
    """How an item of the program's is on the host now."""

    due: str  # its due number, which is another one once the item has drifted
    document: NotRequired[str]  # the checksum of the document that the program gave last
    drifted: list[str]  # for programs that know no `differences`
    differences: list[dict[str, object]]  # each a Difference
    busy: NotRequired[str]  # what is under way, so that nothing is known
    claims: NotRequired[str]  # of a release: the checksum of the names that it has on this host


class Facts(TypedDict):
    protocol: int
    machine: str
    items: dict[str, ItemFacts]
    warnings: list[str]


class RemoveAnswer(TypedDict):
    release: str
    removed: bool
    why: NotRequired[str]  # it was not removed
    copies: NotRequired[str]  # the folder with copies of the data that a purge deleted


class RecoverAnswer(TypedDict):
    recovered: list[str]  # releases


class Outcome(TypedDict, total=False):
    """How the last run of something ended; empty before the first."""

    ended: float
    seconds: float  # that it took
    failed: str | None  # why
    good: float | None  # when a run last succeeded
    backup: str  # that a drill restored


class BackupPath(TypedDict):
    """Data of a release in a backup."""

    path: str
    places: list[str]  # where the folder is in truth, and those that links in it lead to
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

    well: bool
    repository: str
    backups: list[BackupRow]
    last: Outcome
    drill: Outcome
    read: float | None  # when the repository was read last
    others: dict[str, int]  # the number of backups in each other repository that this host knows


class PrepareAnswer(TypedDict):
    prepared: bool  # false where the repository has the backups of another cluster
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
    units: dict[str, str]  # with the state of each
    jobs: dict[str, str]  # what timers start, with the state of each
    probes: dict[str, str | None]  # what each complains of
    under_way: str | None
    interrupted: bool
    drifted: list[str]
    well: bool


class Status(TypedDict):
    well: bool
    releases: list[ReleaseStatus]
    backups: Overview | None
    restored: str | None  # a restore that is neither confirmed nor taken back
    warnings: list[str]


class VerifyAnswer(TypedDict):
    well: bool
    items: dict[str, list[str]]  # the differences of each
    unexpected: list[str]


class GenerationRow(TypedDict):
    generation: int
    applied: str | None
    applied_seconds: float | None
    changed: list[str] | None  # None where an older agent did not record it
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
