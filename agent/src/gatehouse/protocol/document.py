"""Parses a request from stdin: TOML that ends with its own length, read into closed types.

TOML that was truncated between two tables is still valid, so a lost connection would look like a request to delete the
missing items. The last line therefore contains the number of bytes before it; without it nothing is done."""

import functools
import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from gatehouse.output.report import Failure

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Shape = TypeVar("Shape", bound="DataclassInstance")

_TRAILER = re.compile(rb"# gatehouse: (\d+) bytes\n?\Z")
# Strings and comments, which may contain brackets and equals signs, come first so that they are skipped.
_PLACES = re.compile(
    r"""\"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' | \#[^\n]*
                         | ^\[\[(?P<table>[\w-]+)\]\] | ^(?P<key>[\w-]+)[ ]*=""",
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)


def whole(raw: bytes) -> str:
    """The text of a complete document, without its trailer.

    Raises Failure if it was truncated."""
    found = _TRAILER.search(raw)
    if not found or int(found[1]) != found.start():
        raise Failure(
            f"truncated: {len(raw)} bytes arrived and the closing line is missing or wrong; nothing was changed"
        )
    return raw[: found.start()].decode("utf-8")


def sealed(text: str) -> bytes:
    """A document with its trailer, in the form that `whole` expects."""
    body = text.encode()
    return body + b"# gatehouse: %d bytes\n" % len(body)


def digest(raw: bytes) -> str:
    """A checksum that identifies a document without revealing it."""
    return hashlib.sha256(raw).hexdigest()


def parse(text: str) -> dict[str, Any]:
    """The tables of a document. Raises Failure if it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Failure(f"the document is not TOML: {error}; nothing was changed") from None


class _Refused(Exception):
    """`at`, such as `file[2].mode`, is the position in the document; the message describes it."""

    def __init__(self, at: str, message: str):
        super().__init__(message)
        self.at = at


def read(shape: type[Shape], text: str, newer: bool = False) -> Shape:
    """An instance of dataclass `shape` from TOML. If a `newer` agent may have accepted the document, unknown keys are
    ignored.

    Raises Failure, with the line, for an unknown, missing or wrongly typed key."""
    try:
        return _table(shape, parse(text), "", newer)
    except _Refused as fault:
        raise Failure(located(text, fault.at, str(fault))) from None


def remembered(shape: type[Shape], found: Mapping[str, Any]) -> Shape:
    """An instance of dataclass `shape` from JSON that an agent wrote. Keys of newer agents are ignored."""
    known = {f.name for f in fields(shape)}
    return shape(**{key: value for key, value in found.items() if key in known})


def located(text: str, at: str, message: str) -> str:
    """A message about the position `at`, with its line in `text`."""
    lines = _lines(text)
    while at and at not in lines:
        # An element is on the line of its list; a missing key has no line.
        at = at[: max(at.rfind("."), at.rfind("["), 0)]
    return f"line {lines[at]}, {message}" if at else message


@functools.lru_cache(1)
def _lines(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    seen: Counter[str] = Counter()
    table, line, last = "", 1, 0
    for place in _PLACES.finditer(text):
        line, last = line + text.count("\n", last, place.start()), place.start()
        if name := place["table"]:
            table = f"{name}[{seen[name]}]"
            seen[name] += 1
            found[table] = line
        elif key := place["key"]:
            found[f"{table}.{key}" if table else key] = line
    return found


def _table(shape: type[Shape], table: object, at: str, newer: bool) -> Shape:
    known = {f.name: f for f in fields(shape)}
    where, below = (f"{at}: ", f"{at}.") if at else ("", "")
    if not isinstance(table, dict):
        raise _Refused(at, f"{where}expected a table, got {_type_of(table)}")
    for key in table:
        if key not in known and not newer:
            raise _Refused(below + key, f"{where}unknown key {key!r}; allowed are {', '.join(sorted(known))}")
    values = {}
    for name, field in known.items():
        if name in table:
            values[name] = _value(field.type, table[name], below + name, newer)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise _Refused(below + name, f"{where}key {name!r} is missing")
    return shape(**values)


def _value(kind: Any, value: object, at: str, newer: bool) -> object:
    if isinstance(kind, UnionType):  # `X | None`: TOML has no null, so a key that is present has type X
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise _Refused(at, f"{at}: expected a list, got {_type_of(value)}")
        return tuple(_value(get_args(kind)[0], item, f"{at}[{n}]", newer) for n, item in enumerate(value))
    if isinstance(kind, type) and is_dataclass(kind):
        return _table(kind, value, at, newer)
    if type(value) is not kind:
        raise _Refused(at, f"{at}: expected {kind.__name__}, got {_type_of(value)}")
    return value


def _type_of(value: object) -> str:
    return f"a {type(value).__name__}"  # never the value: the document may be secret
