"""Parses the command line. An invalid call exits with status 2, after printing the error and the valid choices."""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable
from typing import NoReturn

from gatehouse.cli.verbs import VERBS, Verb
from gatehouse.output.report import MISUSE, fail, show

_HELP = {"-h", "--help"}
_OVERVIEW = """\
usage: gatehouse VERB [argument ...] [--json]
       gatehouse help [VERB]

gatehouse - inspect, roll back and restore the services on this host.

For the operator; each prints one line of JSON with --json:

{operator}

For the program, which passes a document on stdin where there is one, and reads one line of JSON:

{program}

Exit status: 0 done, or healthy; 1 refused, nothing was changed; 2 invalid call; 70 internal error: the next
apply rolls back the interrupted one. `status` and `verify`: 3 a problem, or a difference. Verbs that change the host: 3
failed and rolled back; 4 rolled back, but unhealthy; 5 failed and removed, since there was no earlier generation;
6 failed and not rolled back, since migrated data could not be restored: the new image stays, and the next apply
starts from it."""


class _Parser(ArgumentParser):
    """argparse with the agent's output: secrets are masked, control characters escaped."""

    def __init__(self, verb: Verb) -> None:
        super().__init__(
            prog=f"gatehouse {verb.name}",
            description=verb.description(),
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.color = False  # Python 3.14 colors help with control characters
        self.add_argument(
            "--json", action="store_true", help="print one line of JSON, as verbs of the program always do"
        )
        verb.arguments(self)

    def refuse_unknown(self, words: list[str]) -> None:
        """argparse reports an unknown option last: a mistyped one would only be reported as missing."""
        known = [option for action in self._actions for option in action.option_strings]
        for option in (word.partition("=")[0] for word in words if word.startswith("--") and word != "--"):
            if option not in known:
                self.error(f"unrecognized arguments: {option}{_suggestion(option, known)}")

    def print_help(self, file: object = None) -> None:
        show(self.format_help().rstrip().splitlines())

    def error(self, message: str) -> NoReturn:
        fail(f"{self.format_usage()}{self.prog}: {message}")
        sys.exit(MISUSE)


def parse(argv: list[str]) -> Namespace:
    """The call: `verb`, `json`, and the verb's own arguments. The first word that is not an option is the verb.

    Exits with 0 after printing help, and with 2 after reporting an invalid call."""
    words = [word for word in argv if not word.startswith("-")]
    wants_help = words[:1] == ["help"] or bool(_HELP & set(argv))
    if words[:1] == ["help"]:
        words, argv = words[1:], [*words[1:], "--help"]
    if wants_help and not words:
        show(_overview().splitlines())
        sys.exit(0)
    if not words:
        _refuse(f"expected a verb, got {' '.join(argv) or 'none'}")
    if words[0] not in VERBS:
        _refuse(f"invalid choice: {words[0]!r}{_suggestion(words[0], VERBS)}")
    verb, rest = VERBS[words[0]], list(argv)
    rest.remove(verb.name)
    return _call(verb, rest)


def _call(verb: Verb, rest: list[str]) -> Namespace:
    parser = _Parser(verb)
    parser.refuse_unknown(rest)
    # Options may appear between positional arguments, which parse_args of Python 3.11 does not support.
    call = parser.parse_intermixed_args(rest, Namespace(verb=verb.name))
    for option, other in verb.needs.items():
        if _given(call, option) and not _given(call, other):
            parser.error(f"argument {option}: only allowed with argument {other}")
    return call


def _given(call: Namespace, option: str) -> bool:
    return getattr(call, option.removeprefix("--").replace("-", "_")) not in (None, False)


def _refuse(what: str) -> NoReturn:
    fail(f"gatehouse: {what}; choose from {', '.join([*VERBS, 'help'])}\n`gatehouse help` describes them")
    sys.exit(MISUSE)


def _suggestion(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # imported only for an invalid call

    close = get_close_matches(word.lower(), known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _overview() -> str:
    def listed(for_program: bool) -> str:
        return "\n".join(
            f"  {verb.name:<10}{verb.summary}" for verb in VERBS.values() if verb.for_program == for_program
        )

    return _OVERVIEW.format(operator=listed(False), program=listed(True))
