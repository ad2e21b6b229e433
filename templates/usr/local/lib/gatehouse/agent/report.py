"""What the agent says: progress and failures on stderr, one JSON answer on stdout, never a secret."""

import json
import os
import sys
import time

STARTED = time.monotonic()
_secrets: set[str] = set()


class Failure(Exception):
    """Something the person at the keyboard must know. `code` is the exit status; docs/agent.md lists them."""

    def __init__(self, message: str, code: int = 1):
        super().__init__(message)
        self.code = code


# Exit codes. 1 is every refusal before anything was touched.
REFUSED = 1
ROLLED_BACK = 3
ROLLED_BACK_UNHEALTHY = 4
NOTHING_BEFORE = 5
NOT_ROLLED_BACK = 6


def learn_secret(text: str) -> None:
    """Remember a secret so that no journal tail or error shows it. Shorter ones than 6 would mask ordinary words."""
    for line in text.splitlines():
        if len(line.strip()) >= 6:
            _secrets.add(line.strip())


def masked(text: str) -> str:
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    return text


def say(message: str) -> None:
    """One line of progress, with the seconds since the start."""
    _write(sys.stderr.fileno(), f"{time.monotonic() - STARTED:6.1f}s  {masked(message)}\n")


def fail(message: str) -> None:
    _write(sys.stderr.fileno(), masked(message.rstrip()) + "\n")


def answer(value: dict) -> None:
    _write(sys.stdout.fileno(), json.dumps(value, sort_keys=True) + "\n")


def _write(descriptor: int, text: str) -> None:
    # The connection may be gone: what runs on the host goes on without a reader.
    try:
        os.write(descriptor, text.encode())
    except OSError:
        pass
