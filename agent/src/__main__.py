"""Where the agent is called: nothing of weight is imported before it is known where it goes on."""

import os
import sys

from gatehouse.cli.verbs import CHANGING


def _outlive_the_connection(argv: list[str]) -> None:
    """What changes the host goes on in a transient unit of its own: the end of an SSH session must not end, or double, what
    it started."""
    if (
        set(argv[:1]) & CHANGING
        and not {"--help", "-h"} & set(argv)
        and os.geteuid() == 0
        and os.environ.get("GATEHOUSE_UNIT") != "1"
    ):
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
    _outlive_the_connection(sys.argv[1:])
    from gatehouse.cli import main  # no earlier: it takes longer than all else here, and would be done twice

    sys.exit(main.main(sys.argv[1:]))
