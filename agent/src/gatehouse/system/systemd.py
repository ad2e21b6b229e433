"""Queries and commands for systemd, through systemctl."""

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from gatehouse.output.report import At, Failure, masked
from gatehouse.system import machine

UNITS = "/etc/systemd/system"
QUADLETS = "/etc/containers/systemd"
UNIT_ROOTS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/etc/containers/systemd/",
)  # prefixes: the first two also match system.control
TMPFILES_ROOT = "/etc/tmpfiles.d/"
RUNNING = ("active", "reloading")
# Seconds for a reload: systemd sets no limit for a service that reports the beginning of its reload but not the end.
_RELOAD = 10
SINCE = ("ActiveState", "ActiveEnterTimestampMonotonic")
# How a unit starts and ends, which a wait reads again and again.
_WAITED = (*SINCE, "SubState", "Job", "NRestarts", "Result", "ExecMainStatus")
HOUSE = ("RuntimeDirectory", "User", "Group")
_ENABLED = (
    "enabled",
    "enabled-runtime",
    "static",
    "alias",
    "indirect",
    "generated",
)  # the states for which `systemctl is-enabled` succeeds
_ENDING = re.compile(r"\S+: Killing process \d+ \(.*\) with signal SIG")  # logged by systemd
_FIELDS = ("MESSAGE", "PODMAN_EVENT", "CONTAINER_NAME", "_COMM")  # of a journal entry
Properties = dict[str, dict[str, str]]  # by unit and name
_answers: Properties = {}  # results of the survey that is being consulted


def survey(units: list[str], switched: list[str], housed: list[str], timed: list[str]) -> Callable[[], Properties]:
    """Start querying many units at once: whether `switched` are enabled, the runtime directories of `housed`, the start
    times of `timed`. Returns a function that blocks until the results are in. Units for which systemctl reports nothing
    are omitted."""
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
    """Run a query in the background. Returns a function that waits for the result, or raises the query's exception."""
    results: list[Properties | Exception] = []

    def ask() -> None:
        try:
            results.append(question())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=ask)
    thread.start()

    def answer() -> Properties:
        thread.join()
        if isinstance(results[0], Exception):
            raise results[0]
        return results[0]

    return answer


def _states(verb: str, units: list[str]) -> Properties:
    """The output of `is-active` or `is-enabled`, which takes little longer for many units than for one. `show` first
    collects all properties of each unit."""
    states = machine.system.systemctl(verb, "--", *units).stdout.split() if units else []
    if len(states) != len(units):
        return {}
    return {unit: {verb: state} for unit, state in zip(units, states, strict=True)}


def states(units: Iterable[str]) -> Properties:
    """What a wait needs to know about each unit, in one query; "" for a property that its type of unit lacks."""
    names = list(dict.fromkeys(units))
    found = show(names, *_WAITED) if names else {}
    none = dict.fromkeys(_WAITED, "")
    return {unit: none | state | {"is-active": state["ActiveState"]} for unit, state in found.items()}


@contextlib.contextmanager
def consulting(answers: Properties) -> Iterator[None]:
    """Use the results of a survey in place of new queries."""
    global _answers
    _answers = answers
    try:
        yield
    finally:
        _answers = {}


def show(units: list[str], *properties: str) -> Properties:
    """The properties of each unit, in one call."""
    if all(_answers.get(unit, {}).keys() >= set(properties) for unit in units):
        return {unit: _answers[unit] for unit in units}
    out = machine.system.systemctl("show", "--property=Id," + ",".join(properties), "--", *units).stdout
    blocks = out.strip().split("\n\n")
    # If systemctl fails, there is no block at all.
    return {
        unit: dict(line.split("=", 1) for line in block.splitlines())
        for unit, block in zip(units, blocks, strict=False)
    }


def existing(units: Iterable[str]) -> list[str]:
    """The units that systemd can load, in order."""
    names = list(units)
    states = show(names, "LoadState")
    return [u for u in names if states[u]["LoadState"] == "loaded"]


def booting() -> bool:
    """Whether basic.target has not been reached yet, so that no unit ordered after it is running."""
    return machine.system.systemctl("is-system-running").stdout.strip() == "initializing"


def running_with(units: list[str]) -> list[str]:
    """The active ones among these units and all units that stop with them."""
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
    """The units with a reload that does not end."""
    reloading = changed([u for u, state in _activity(units).items() if state == "reloading"])
    return [u for u, since in reloading.items() if machine.system.monotonic() - int(since) / 1e6 >= _RELOAD]


def running(units: list[str]) -> list[str]:
    """The running units; others cannot be reloaded, and read their files when they start."""
    down = inactive(units)
    return [u for u in units if u not in down]


def timers(units: Iterable[str]) -> list[str]:
    return [u for u in units if u.endswith(".timer")]


def triggered(units: Iterable[str]) -> list[str]:
    """The units that the timers among these start."""
    return [name for state in show(timers(units), "Triggers").values() for name in state["Triggers"].split()]


def active_since(unit: str) -> float | None:
    """When a unit last became active, on the monotonic clock; None if it is not running. A reload does not change
    it."""
    state = show([unit], *SINCE)[unit]
    return int(state["ActiveEnterTimestampMonotonic"]) / 1e6 if state["ActiveState"] in RUNNING else None


def changed(units: list[str]) -> dict[str, str]:
    """When each unit was last started, stopped or reloaded, for comparison with a later call."""
    states = show(units, "StateChangeTimestampMonotonic") if units else {}
    return {unit: state["StateChangeTimestampMonotonic"] for unit, state in states.items()}


def failing_first(units: Iterable[str]) -> list[str]:
    """Each unit once, those that failed or were restarted by systemd first: others are down only because of these."""
    names = list(dict.fromkeys(units))
    states = show(names, "Result", "NRestarts") if names else {}
    return sorted(names, key=lambda unit: not _ended_by_itself(states.get(unit, {})))


def _ended_by_itself(state: Mapping[str, str]) -> bool:
    # Not every type of unit has both properties.
    return state.get("Result") not in (None, "", "success") or state.get("NRestarts") not in (None, "", "0")


def enabled(unit: str) -> bool:
    if known := _answers.get(unit, {}).get("is-enabled"):
        return known in _ENABLED
    return machine.system.systemctl("is-enabled", "--quiet", "--", unit).returncode == 0


def set_enabled(unit: str, wanted: bool) -> None:
    """Raises Failure if systemd refuses."""
    done = machine.system.systemctl("enable" if wanted else "disable", "--quiet", "--", unit)
    if done.returncode:
        raise Failure(
            f"systemctl cannot {'enable' if wanted else 'disable'} {unit}: {done.stderr.strip()}", at=At("unit", unit)
        )


def reset_failed(units: list[str]) -> None:
    """Reset failures: otherwise a unit that had to be killed stays in systemd's list even without its file."""
    if units:
        machine.system.systemctl("reset-failed", "--", *units)


def daemon_reload() -> None:
    """Raises Failure if systemd refuses."""
    done = machine.system.systemctl("daemon-reload")
    if done.returncode:
        raise Failure(f"systemctl daemon-reload failed: {done.stderr.strip()}")


def create_tmpfiles(paths: list[str]) -> None:
    """Raises Failure if systemd-tmpfiles refuses."""
    if (complaint := machine.system.create_tmpfiles(paths)) is not None:
        raise Failure(f"systemd-tmpfiles refuses {', '.join(paths)}: {complaint}")


def absorb(paths: list[str]) -> None:
    """Make systemd load the changed files, in one reload for all of them. Raises Failure if it refuses."""
    if any(p.startswith(UNIT_ROOTS) for p in paths):
        daemon_reload()
    if tmpfiles := [p for p in paths if p.startswith(TMPFILES_ROOT) and os.path.lexists(p)]:
        create_tmpfiles(tmpfiles)


def journal(unit: str, since: float, lines: int = 15) -> str:
    """The last lines that a unit logged since a time, indented and redacted. Reports of Podman and systemd about
    each container and process are left out: a dozen of these would hide why the program failed."""
    out = machine.system.journal(unit, since, 20 * lines, _FIELDS)
    entries = [entry for line in out.splitlines() if not _reports(entry := json.loads(line))]
    # A binary message arrives as a list of bytes, and one that is too long as null.
    words = [
        bytes(message).decode(errors="replace") if isinstance(message, list) else message or ""
        for message in (entry.get("MESSAGE") for entry in entries)
    ]
    shown = [line for message in words for line in message.splitlines() if not _ENDING.match(line)]
    return "".join(f"    {masked(line)}\n" for line in shown[-lines:])


def _reports(entry: Mapping[str, object]) -> bool:
    """Whether Podman or its monitor reports about a container, rather than the container itself."""
    return "PODMAN_EVENT" in entry or (entry.get("_COMM") == "conmon" and "CONTAINER_NAME" not in entry)


def now() -> float:
    return time.time()
