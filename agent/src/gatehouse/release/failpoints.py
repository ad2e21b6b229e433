"""Failpoints, at which the project's tests interrupt a release. They do nothing unless GATEHOUSE_FAILPOINT is set, and
only the tests set it.

GATEHOUSE_FAILPOINT=POINT:ACTION        POINT.2 is the second pass through a failpoint
"""

import errno
import os
import signal
from collections import Counter

from gatehouse.output.report import say

# In the order in which a release passes them; `swapped` once per file, `stepped` once per step.
POINTS = (
    "received",
    "locked",
    "planned",
    "fetched",
    "checked",
    "claimed",
    "saved",
    "snapshot",
    "recorded",
    "swapped",
    "reloaded",
    "enqueued",
    "started",
    "stepped",
    "notified",
    "probed",
    "committed",
    "pruned",
)
_passed: Counter[str] = Counter()


def point(name: str) -> None:
    """Raises OSError if the action is a full disk."""
    where, _, action = os.environ.get("GATEHOUSE_FAILPOINT", "").partition(":")
    if not where:
        return
    _passed[name] += 1
    if where not in (name if _passed[name] == 1 else "", f"{name}.{_passed[name]}"):
        return
    match action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "full":
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} (simulated at {where})")
        case "wait":  # until SIGCONT arrives or the process is killed
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT})
            say(f"waiting at {where}")
            signal.sigwait({signal.SIGCONT})
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCONT})
        case _:
            raise ValueError(f"GATEHOUSE_FAILPOINT has no action {action!r}")
