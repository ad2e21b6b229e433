"""Entry point. Imports stay minimal until the process has re-executed itself in a transient unit."""

import os
import sys

from gatehouse.cli import arguments
from gatehouse.cli.verbs import VERBS


def _outlive_the_connection(argv: list[str]) -> None:
    """Continue in a transient unit, so that the end of an SSH session neither ends nor duplicates the operation."""
    os.execvp(
        "systemd-run",
        [
            "systemd-run",
            "--quiet",
            "--pipe",
            "--wait",
            "--collect",
            "--service-type=exec",
            "--setenv=GATEHOUSE_UNIT=1",
            "/usr/bin/python3",
            "-I",
            os.path.dirname(os.path.abspath(__file__)),
            *argv,
        ],
    )


if __name__ == "__main__":
    call = arguments.parse(sys.argv[1:])
    if VERBS[call.verb].changes and os.geteuid() == 0 and os.environ.get("GATEHOUSE_UNIT") != "1":
        _outlive_the_connection(sys.argv[1:])
    from gatehouse.cli import main  # not earlier: it takes longest, and would be repeated in the unit

    sys.exit(main.main(call))
