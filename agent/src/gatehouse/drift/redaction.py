"""Diffs of files that were changed by hand, without secrets and without text that looks like one."""

import difflib
import re
from collections.abc import Iterator

from gatehouse.output.report import masked

_LONGEST = 60  # lines of a diff, which is shown in a preview
_WIDEST = 500  # characters of a line; the rest is neither shown nor examined
_HIDDEN = "[hidden]"
_WORD = (
    r"(?:pass|pwd|secret|token|credential|private|authorization|bearer|dsn|psk|key|_pw"
    r"|(?:master|primary|_)auth|\bauth(?=[\"']?[\s:=]))[\w.-]*+"
)
# A file path or file URL is not a secret. Base64 may begin like a path, but contains capital letters.
_PATH = r"(?:file:/)?/[a-z0-9/._-]*(?![^\s\"',;])"
_NAMED = re.compile(rf"(?i:^(.*{_WORD}[\"']?(?:>|\s*[:=]\s*|\s+)))(?!{_PATH})\S.*$")
_OPENS = re.compile(rf"(?i){_WORD}[\"']?\s*[:=]?\s*(?:[|>][-+\d]*|.*\\)?\s*$")  # the value is on the following lines
# A password in a URL, in an ACL of Valkey, or in a header.
_LOGIN = re.compile(r"(?<=//)[^/\s@]*:[^/\s@]*(?=@)|(?<=\s)>\S+|(?<=\bBasic )\S+")
_OPAQUE = re.compile(rf"(?<![A-Za-z0-9+/_-])(?!{_PATH})[A-Za-z0-9+/_-]{{32,}}=*")


def unified(path: str, left: str, there: bytes, private: bool = False) -> str:
    """A diff from the last applied content to the current one. Lines from the manifest are public; lines added since
    may contain secrets, and in a `private` file, readable only by its owner, none of them is shown."""
    try:
        now = masked(there.decode()).splitlines()
    except UnicodeDecodeError:
        return "no diff is shown: the file is no longer text"
    lines = list(
        difflib.unified_diff(
            masked(left).splitlines(), now, f"{path}\tlast applied", f"{path}\ton the host", lineterm=""
        )
    )
    shown = lines[:2] + list(_redacted(lines[2:_LONGEST], private))
    return "\n".join(shown + ([f"({len(lines) - _LONGEST} more lines)"] if len(lines) > _LONGEST else []))


def _redacted(lines: list[str], private: bool) -> Iterator[str]:
    below = ""  # "key" inside a private key, "value" in the indented lines below the name of a secret
    for line in (line if len(line) <= _WIDEST else f"{line[:_WIDEST]} ..." for line in lines):
        if not line.startswith("+"):
            below = ""
            yield line
        elif private or below == "key" or (below == "value" and line[1:2].isspace()):
            yield f"+{_HIDDEN}"
            below = "" if "-----END" in line else below
        else:
            named = _NAMED.sub(rf"\1{_HIDDEN}", line[1:])
            yield "+" + _OPAQUE.sub(_HIDDEN, _LOGIN.sub(_HIDDEN, named))
            below = "key" if "-----BEGIN" in line else "value" if _OPENS.search(line[1:]) else ""
