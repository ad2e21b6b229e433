"""What a file that was changed by hand may show of itself: a diff without what is, or looks like, a secret."""

import difflib
import re
from collections.abc import Iterator

from gatehouse.output.report import masked

_LONGEST = 60  # lines of a diff: it goes into a preview
_WIDEST = 500  # of a line; what follows is neither shown nor looked at
_HIDDEN = "[hidden]"
_WORD = (
    r"(?:pass|pwd|secret|token|credential|private|authorization|bearer|dsn|psk|key|_pw"
    r"|(?:master|primary|_)auth|\bauth(?=[\"']?[\s:=]))[\w.-]*+"
)
# A file's path, or where to find one, is no secret. Base64 may begin like one, but not without a capital.
_PATH = r"(?:file:/)?/[a-z0-9/._-]*(?![^\s\"',;])"
_NAMED = re.compile(rf"(?i:^(.*{_WORD}[\"']?(?:>|\s*[:=]\s*|\s+)))(?!{_PATH})\S.*$")
_OPENS = re.compile(rf"(?i){_WORD}[\"']?\s*[:=]?\s*(?:[|>][-+\d]*|.*\\)?\s*$")  # the value stands in the lines below
_LOGIN = re.compile(
    r"(?<=//)[^/\s@]*:[^/\s@]*(?=@)|(?<=\s)>\S+|(?<=\bBasic )\S+"
)  # in a URL, an ACL of Valkey's, a header
_OPAQUE = re.compile(rf"(?<![A-Za-z0-9+/_-])(?!{_PATH})[A-Za-z0-9+/_-]{{32,}}=*")


def unified(path: str, left: str, there: bytes, private: bool = False) -> str:
    """A diff from what was left to what is there now. Lines from the manifest are public; lines added since may contain
    secrets, and in a `private` file, which only its owner may read, none of them is shown."""
    try:
        now = masked(there.decode()).splitlines()
    except UnicodeDecodeError:
        return "no diff is shown: it is not text any more"
    lines = list(
        difflib.unified_diff(
            masked(left).splitlines(), now, f"{path}\tas it was left", f"{path}\tas it is now", lineterm=""
        )
    )
    shown = lines[:2] + list(_redacted(lines[2:_LONGEST], private))
    return "\n".join(shown + ([f"({len(lines) - _LONGEST} more lines)"] if len(lines) > _LONGEST else []))


def _redacted(lines: list[str], private: bool) -> Iterator[str]:
    below = ""  # "key" within a private key, "value" below the name of a secret, while lines are indented
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
