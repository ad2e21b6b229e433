"""What the agent says: progress and failures on stderr, one JSON answer on stdout, never a secret."""

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence

STARTED = time.monotonic()
_LONGEST = 2000  # of a line: who reads us line by line chokes on one of 64 KiB
_secrets: set[str] = set()
# Characters that a terminal acts on instead of showing them: control characters, and those that reverse the order of
# letters or are invisible.
_ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# Text that the programs which print our output act on: Pulumi's colour codes, of which a wrong one ends Pulumi, and the
# commands of a workflow runner.
_COMMANDS = re.compile(r"<(?=\{%)|^[^\S\n]*:(?=:[A-Za-z])|#(?=#\[)", re.MULTILINE)


class Failure(Exception):
    """Something the person at the keyboard must know. `code` is the exit status; `gatehouse help` lists them. `heard`
    are units whose journals say why."""

    def __init__(self, message: str, code: int = 1, heard: Sequence[str] = ()):
        super().__init__(message)
        self.code, self.heard = code, heard


# Exit codes. 1 is every refusal before anything was touched, 2 a call that is not understood.
REFUSED = 1
MISUSE = 2
ROLLED_BACK = 3
ROLLED_BACK_UNHEALTHY = 4
NOTHING_BEFORE = 5
NOT_ROLLED_BACK = 6
FAULT = 70


def learn_secret(text: str) -> None:
    """Remember a secret so that no journal tail or error shows it, nor the value alone of a line `name = value`.
    Words shorter than 6, and values shorter than 8, would mask ordinary text."""
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
    """Words of others, in which nothing acts: an application, an image or a file may say anything."""
    return _COMMANDS.sub(
        lambda found: found[0][:-1] + _escaped(found[0][-1]), _ACTS.sub(lambda found: _escaped(found[0]), text)
    )


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def say(message: str) -> None:
    """One line of progress, with the seconds since the start."""
    _write(sys.stderr.fileno(), f"{time.monotonic() - STARTED:6.1f}s  {_told(message)}\n")


def fail(message: str) -> None:
    _write(sys.stderr.fileno(), _told(message.rstrip()) + "\n")


def answer(value: Mapping[str, object]) -> None:
    """The one line of JSON on stdout that a program reads."""
    _write(sys.stdout.fileno(), json.dumps(value, sort_keys=True).replace("\x7f", "\\u007f") + "\n")


def show(lines: list[str]) -> None:
    """An answer for people."""
    _write(sys.stdout.fileno(), plain(masked("\n".join(lines))) + "\n")


def _told(message: str) -> str:
    return "\n".join(
        line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..." for line in plain(masked(message)).split("\n")
    )


def _write(descriptor: int, text: str) -> None:
    # The connection may be gone: what runs on the host goes on without a reader.
    with contextlib.suppress(OSError):
        os.write(descriptor, text.encode(errors="backslashreplace"))
