"""systemd, asked and told through systemctl."""

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from gatehouse.output.report import Failure, masked
from gatehouse.system import machine

UNITS = "/etc/systemd/system"
QUADLETS = "/etc/containers/systemd"
UNIT_ROOTS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/etc/containers/systemd/",
)  # with system.control beside the first two
TMPFILES_ROOT = "/etc/tmpfiles.d/"
RUNNING = ("active", "reloading")
# Seconds for a reload: systemd asks nothing more of a service that says it reloads, and never that it has.
_RELOAD = 10
SINCE = ("ActiveState", "ActiveEnterTimestampMonotonic")
HOUSE = ("RuntimeDirectory", "User", "Group")
_ENABLED = (
    "enabled",
    "enabled-runtime",
    "static",
    "alias",
    "indirect",
    "generated",
)  # as `systemctl is-enabled` judges
_ENDING = re.compile(r"\S+: Killing process \d+ \(.*\) with signal SIG")  # words of systemd
_FIELDS = ("MESSAGE", "PODMAN_EVENT", "CONTAINER_NAME", "_COMM")  # of an entry of the journal
Properties = dict[str, dict[str, str]]  # by unit and name
_answers: Properties = {}  # of the survey that is consulted


def survey(units: list[str], switched: list[str], housed: list[str], timed: list[str]) -> Callable[[], Properties]:
    """Begins to ask what may be asked of many units at once: of `switched` whether they are enabled, of `housed` which
    directories they get, of `timed` since when they run. Returns a function that waits for the answers. Units for which
    systemctl reports nothing are left out."""
    asked = [
        _meanwhile(lambda: show(housed, *HOUSE) if housed else {}),
        _meanwhile(lambda: show(timed, *SINCE) if timed else {}),
        _meanwhile(lambda: _states("is-active", units)),
        _meanwhile(lambda: _states("is-enabled", switched)),
    ]

    def answers() -> Properties:
        found: Properties = {}
        for answer in asked:
            for unit, known in answer().items():
                found.setdefault(unit, {}).update(known)
        return found

    return answers


def _meanwhile(question: Callable[[], Properties]) -> Callable[[], Properties]:
    """Asks in the background. Returns a function that waits for the answer, and raises what the question did."""
    told: list[Properties | Exception] = []

    def ask() -> None:
        try:
            told.append(question())
        except Exception as error:
            told.append(error)

    thread = threading.Thread(target=ask)
    thread.start()

    def answer() -> Properties:
        thread.join()
        if isinstance(told[0], Exception):
            raise told[0]
        return told[0]

    return answer


def _states(verb: str, units: list[str]) -> Properties:
    """What `is-active` or `is-enabled` says, which for many units takes little longer than for one. `show` collects all
    that systemd knows of each first."""
    states = machine.system.systemctl(verb, "--", *units).stdout.split() if units else []
    if len(states) != len(units):
        return {}
    return {unit: {verb: state} for unit, state in zip(units, states, strict=True)}


@contextlib.contextmanager
def consulting(answers: Properties) -> Iterator[None]:
    """Meanwhile questions that a survey has answered are not asked again."""
    global _answers
    _answers = answers
    try:
        yield
    finally:
        _answers = {}


def show(units: list[str], *properties: str) -> Properties:
    """Properties of each unit, in one call."""
    if all(_answers.get(unit, {}).keys() >= set(properties) for unit in units):
        return {unit: _answers[unit] for unit in units}
    out = machine.system.systemctl("show", "--property=Id," + ",".join(properties), "--", *units).stdout
    blocks = out.strip().split("\n\n")
    # Where systemctl fails there is no block at all.
    return {
        unit: dict(line.split("=", 1) for line in block.splitlines())
        for unit, block in zip(units, blocks, strict=False)
    }


def existing(units: Iterable[str]) -> list[str]:
    """Those that systemd can load at all, in order."""
    names = list(units)
    states = show(names, "LoadState")
    return [u for u in names if states[u]["LoadState"] == "loaded"]


def booting() -> bool:
    """Before basic.target: no unit that waits for it can run yet."""
    return machine.system.systemctl("is-system-running").stdout.strip() == "initializing"


def running_with(units: list[str]) -> list[str]:
    """The active ones of these units and of all that stop when they stop."""
    found, queue = [], list(units)
    while queue:
        found += queue
        states = show(queue, "RequiredBy", "BoundBy", "ConsistsOf")
        tied = [
            name
            for state in states.values()
            for names in (state["RequiredBy"], state["BoundBy"], state["ConsistsOf"])
            for name in names.split()
        ]
        queue = [name for name in dict.fromkeys(tied) if name not in found]
    down = inactive(found)
    return [name for name in dict.fromkeys(found) if name not in down]


def _activity(units: list[str]) -> dict[str, str]:
    known = {u: _answers[u] for u in units if "is-active" in _answers.get(u, {})}
    states = known | _states("is-active", [u for u in units if u not in known])
    return {u: states[u]["is-active"] for u in units}


def inactive(units: list[str]) -> list[str]:
    return [u for u, state in _activity(units).items() if state not in RUNNING]


def hung(units: list[str]) -> list[str]:
    """Those whose reload does not end."""
    reloading = changed([u for u, state in _activity(units).items() if state == "reloading"])
    return [u for u, since in reloading.items() if machine.system.monotonic() - int(since) / 1e6 >= _RELOAD]


def running(units: list[str]) -> list[str]:
    """What does not run cannot be reloaded: it reads its files when it starts."""
    down = inactive(units)
    return [u for u in units if u not in down]


def timers(units: Iterable[str]) -> list[str]:
    return [u for u in units if u.endswith(".timer")]


def triggered(units: Iterable[str]) -> list[str]:
    """What the timers among these start."""
    return [name for state in show(timers(units), "Triggers").values() for name in state["Triggers"].split()]


def active_since(unit: str) -> float | None:
    """When it last began to run, as the monotonic clock counts; None when it does not. A reload leaves it alone."""
    state = show([unit], *SINCE)[unit]
    return int(state["ActiveEnterTimestampMonotonic"]) / 1e6 if state["ActiveState"] in RUNNING else None


def changed(units: list[str]) -> dict[str, str]:
    """When each was last started, stopped or reloaded: to compare with another time that this is asked."""
    states = show(units, "StateChangeTimestampMonotonic") if units else {}
    return {unit: state["StateChangeTimestampMonotonic"] for unit, state in states.items()}


def enabled(unit: str) -> bool:
    if known := _answers.get(unit, {}).get("is-enabled"):
        return known in _ENABLED
    return machine.system.systemctl("is-enabled", "--quiet", "--", unit).returncode == 0


def set_enabled(unit: str, wanted: bool) -> None:
    """Raises Failure where systemd refuses."""
    done = machine.system.systemctl("enable" if wanted else "disable", "--quiet", "--", unit)
    if done.returncode:
        raise Failure(f"systemctl cannot {'enable' if wanted else 'disable'} {unit}: {done.stderr.strip()}")


def reset_failed(units: list[str]) -> None:
    """Forget their failures: a unit that had to be killed stays in systemd's list otherwise, even without its file."""
    if units:
        machine.system.systemctl("reset-failed", "--", *units)


def daemon_reload() -> None:
    """Raises Failure where systemd refuses."""
    done = machine.system.systemctl("daemon-reload")
    if done.returncode:
        raise Failure(f"systemctl daemon-reload failed: {done.stderr.strip()}")


def create_tmpfiles(paths: list[str]) -> None:
    """Raises Failure where systemd-tmpfiles refuses."""
    if (complaint := machine.system.create_tmpfiles(paths)) is not None:
        raise Failure(f"systemd-tmpfiles refuses {', '.join(paths)}: {complaint}")


def absorb(paths: list[str]) -> None:
    """Make systemd read what changed: once, whatever the number of files. Raises Failure where it refuses."""
    if any(p.startswith(UNIT_ROOTS) for p in paths):
        daemon_reload()
    if tmpfiles := [p for p in paths if p.startswith(TMPFILES_ROOT) and os.path.lexists(p)]:
        create_tmpfiles(tmpfiles)


def journal(units: list[str], since: float, lines: int = 15) -> str:
    """The last lines that the units wrote since a time, indented, without secrets. What Podman and systemd report one
    by one about containers and processes is passed over: a dozen of these would push out why the program failed."""
    out = machine.system.journal(units, since, 20 * lines, _FIELDS)
    entries = [entry for line in out.splitlines() if not _reports(entry := json.loads(line))]
    # What is no text comes as a list of bytes, and what is too long not at all.
    words = [
        bytes(said).decode(errors="replace") if isinstance(said, list) else said or ""
        for said in (entry.get("MESSAGE") for entry in entries)
    ]
    told = [line for said in words for line in said.splitlines() if not _ENDING.match(line)]
    return "".join(f"    {masked(line)}\n" for line in told[-lines:])


def _reports(entry: Mapping[str, object]) -> bool:
    """Whether Podman or its monitor tells of a container, in place of the container itself."""
    return "PODMAN_EVENT" in entry or (entry.get("_COMM") == "conmon" and "CONTAINER_NAME" not in entry)


def now() -> float:
    return time.time()
