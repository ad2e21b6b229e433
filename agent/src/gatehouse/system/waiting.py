"""Waiting for units: what is missing is said again and again, and a unit that cannot come ends the wait."""

from collections.abc import Sequence

from gatehouse.output.report import Failure, say
from gatehouse.system import machine, systemd

ENOUGH = 5  # failures in a row, each like the one before: the next would be like them
_SAYING = 10  # seconds from one line of progress to the next
_BETWEEN = "auto-restart"  # systemd pauses before it starts a unit again, and still knows how it ended
_CHANGING = ("activating", "deactivating", "reloading")


class Wait:
    """Follows some units until `deadline`. Whoever waits calls `go_on` at every look."""

    def __init__(self, names: list[str], deadline: float):
        self.names, self.deadline = names, deadline
        # How each unit ended, by the number of its restarts before that.
        self._ended: dict[str, dict[str, str]] = {name: {} for name in names}
        self._said = machine.system.monotonic()

    def go_on(self, missing: Sequence[str] = ()) -> None:
        """Reports from time to time what is missing. Raises Failure where a unit cannot come, whatever else is
        missing."""
        states = self._states()
        if hopeless := self._hopeless(states):
            complaints = [*hopeless.values(), *missing]
            raise Failure(
                "not healthy, and to wait longer would not help:\n" + "\n".join(f"    {c}" for c in complaints),
                heard=list(hopeless),
            )
        if machine.system.monotonic() - self._said >= _SAYING:
            self._said = machine.system.monotonic()
            changing = [
                f"{name} is {state['ActiveState']}"
                for name, state in states.items()
                if state["ActiveState"] in _CHANGING
            ]
            say(f"waiting, {self.deadline - self._said:.0f} s left: {', '.join([*missing[:1], *changing])}")

    def _states(self) -> dict[str, dict[str, str]]:
        properties = ("ActiveState", "SubState", "Job", "NRestarts", "Result", "ExecMainStatus")
        none = dict.fromkeys(properties, "")  # not every kind of unit has all of them
        return (
            {name: none | state for name, state in systemd.show(self.names, *properties).items()} if self.names else {}
        )

    def _hopeless(self, states: dict[str, dict[str, str]]) -> dict[str, str]:
        """What will not run however long it is waited for, each with the reason."""
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
    """How a unit ended; two ends are the same when this is."""
    if state["Result"] in ("success", "exit-code"):
        return f"exit status {state['ExecMainStatus']}"
    return f"{state['Result']} {state['ExecMainStatus']}"
