"""Waits for units, with reports of progress, and gives up early on a unit that cannot start."""

from collections.abc import Sequence

from gatehouse.output.report import At, Failure, say
from gatehouse.system import machine, systemd

ENOUGH = 5  # identical failures in a row, after which another attempt would not help
_SAYING = 10  # seconds between reports of progress
_BETWEEN = "auto-restart"  # while systemd pauses before a restart, and still reports how the unit ended
_CHANGING = ("activating", "deactivating", "reloading")


class Wait:
    """Follows units until `deadline`. The caller calls `go_on` at each check."""

    def __init__(self, names: list[str], deadline: float):
        self.names, self.deadline = names, deadline
        # How each unit ended, by its number of restarts until then.
        self._ended: dict[str, dict[str, str]] = {name: {} for name in names}
        self._reported = machine.system.monotonic()

    def go_on(self, missing: Sequence[str] = ()) -> None:
        """Report missing conditions from time to time. Raises Failure if a unit cannot start, whatever else is
        missing."""
        states = systemd.states(self.names)
        if hopeless := self._hopeless(states):
            complaints = [*hopeless.values(), *missing]
            raise Failure(
                "not healthy, and waiting longer would not help:\n" + "\n".join(f"    {c}" for c in complaints),
                units=list(hopeless),
                at=At("unit", next(iter(hopeless))),
            )
        if machine.system.monotonic() - self._reported >= _SAYING:
            self._reported = machine.system.monotonic()
            changing = [
                f"{name} is {state['ActiveState']}"
                for name, state in states.items()
                if state["ActiveState"] in _CHANGING
            ]
            say(f"waiting, {self.deadline - self._reported:.0f} s left: {', '.join([*missing[:1], *changing])}")

    def _hopeless(self, states: dict[str, dict[str, str]]) -> dict[str, str]:
        """The units that will not start however long the wait, each with the reason."""
        found = {}
        for name, state in states.items():
            if state["SubState"] == "failed" and state["Job"] in ("", "0"):
                found[name] = f"{name} has failed and is not started again: {_end(state)}"
            elif state["SubState"] == _BETWEEN:
                self._ended[name][state["NRestarts"]] = _end(state)
                last = list(self._ended[name].values())[-ENOUGH:]
                if len(last) == ENOUGH and len(set(last)) == 1:
                    found[name] = f"{name} has ended {ENOUGH} times in the same way: {last[0]}"
        return found


def _end(state: dict[str, str]) -> str:
    """How a unit ended, in a form that can be compared."""
    if state["Result"] in ("success", "exit-code"):
        return f"exit status {state['ExecMainStatus']}"
    return f"{state['Result']} {state['ExecMainStatus']}"
