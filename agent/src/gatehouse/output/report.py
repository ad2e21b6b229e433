"""Prints progress and failures to stderr and one JSON answer to stdout, never a secret."""

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

STARTED = time.monotonic()
_LONGEST = 2000  # characters of a line: programs that read line by line fail on one of 64 KiB
_secrets: set[str] = set()
# Characters that affect a terminal instead of being shown: control characters, and those that reverse the order of
# letters or are invisible.
_ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# Text that affects programs which print this output: Pulumi's color codes, where an invalid one makes Pulumi fail, and
# the commands of a CI runner.
_COMMANDS = re.compile(r"<(?=\{%)|^[^\S\n]*:(?=:[A-Za-z])|#(?=#\[)", re.MULTILINE)


class At(NamedTuple):
    """The part of an apply that failed, as its table in the manifest, such as `probe`, and its name."""

    kind: Literal["image", "preparation", "check", "guard", "holding", "data", "unit", "step", "probe", "package"]
    name: str


class Failure(Exception):
    """An error to report to the user. `code` is the exit status; `gatehouse help` lists them. `units`: those with
    journal entries that explain the error. `at`: the part of an apply that failed, None if it is no single one."""

    def __init__(self, message: str, code: int = 1, units: Sequence[str] = (), at: At | None = None):
        super().__init__(message)
        self.code, self.units, self.at = code, units, at


# Exit codes. 1: refused before anything was changed; 2: invalid call.
REFUSED = 1
MISUSE = 2
ROLLED_BACK = 3
ROLLED_BACK_UNHEALTHY = 4
NOTHING_BEFORE = 5
NOT_ROLLED_BACK = 6
FAULT = 70
# In words, for the program; protocol/failure.ts says more of each.
Meaning = Literal[
    "refused", "rolled back", "rolled back, unhealthy", "removed again", "not rolled back", "internal error"
]
MEANINGS: dict[int, Meaning] = {
    REFUSED: "refused",
    ROLLED_BACK: "rolled back",
    ROLLED_BACK_UNHEALTHY: "rolled back, unhealthy",
    NOTHING_BEFORE: "removed again",
    NOT_ROLLED_BACK: "not rolled back",
    FAULT: "internal error",
}


def learn_secret(text: str) -> None:
    """Register a secret, so that no journal excerpt or error shows it, nor only the value in a line `name = value`.
    Words shorter than 6 and values shorter than 8 characters would mask ordinary text."""
    for line in map(str.strip, text.splitlines()):
        if len(line) >= 6:
            _secrets.add(line)
        for separator in "=:>":
            value = line.partition(separator)[2].strip(" \t'\"")
            if len(value) >= 8:
                _secrets.add(value)


def masked(text: str) -> str:
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    return text


def plain(text: str) -> str:
    """Escapes control sequences in text from applications, images and files, which may contain anything."""
    return _COMMANDS.sub(
        lambda found: found[0][:-1] + _escaped(found[0][-1]), _ACTS.sub(lambda found: _escaped(found[0]), text)
    )


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def say(message: str) -> None:
    """Print one line of progress, with the seconds since the start."""
    _write(sys.stderr.fileno(), f"{time.monotonic() - STARTED:6.1f}s  {_printable(message)}\n")


def fail(message: str) -> None:
    _write(sys.stderr.fileno(), _printable(message.rstrip()) + "\n")


def answer(value: Mapping[str, object]) -> None:
    """Print one line of JSON to stdout, for programs."""
    _write(sys.stdout.fileno(), json.dumps(value, sort_keys=True).replace("\x7f", "\\u007f") + "\n")


def show(lines: list[str]) -> None:
    """Print an answer as text."""
    _write(sys.stdout.fileno(), plain(masked("\n".join(lines))) + "\n")


def _printable(message: str) -> str:
    return "\n".join(
        line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..." for line in plain(masked(message)).split("\n")
    )


def _write(descriptor: int, text: str) -> None:
    # The connection may be closed: the operation continues without a reader.
    with contextlib.suppress(OSError):
        os.write(descriptor, text.encode(errors="backslashreplace"))
