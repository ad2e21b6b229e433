"""gatehouse - the agent on the host. It is asked over SSH, with a document on stdin, and answers with one line of JSON.

    gatehouse group NAME     --due N < document     make sure that the group exists; answers its GID
    gatehouse account NAME   --due N < document     the same for a system account, with its memberships
    gatehouse packages NAME  --due N < document     the same for native packages
    gatehouse release NAME   --due N < manifest     apply a release as one transaction
    gatehouse remove NAME --owner PROJECT/STACK/RESOURCE
    gatehouse facts                                 what is true now; changes nothing

Exit status: 0 done; 1 refused, nothing was touched; 3 failed and rolled back; 4 rolled back but not healthy;
5 failed and removed again, there was nothing before; 6 failed and not rolled back, since migrated data could not be
restored: the new image stays, and the next apply starts from it; 70 a fault of the agent's own: the next apply undoes
what was begun.
"""

import os
import signal
import sys
import traceback

import accounts
import document
import facts
import packages
import removal
import store
import transaction
from report import REFUSED, Failure, answer, fail

_ITEMS = {"group": accounts.ensure_group, "account": accounts.ensure_account, "packages": packages.ensure, "release": transaction.apply}


def main(argv: list[str]) -> int:
    match argv:
        case ["facts"]:
            answer(facts.facts())
        case [kind, name, "--due", due] if kind in _ITEMS:
            _outlive_the_connection(argv)
            raw = sys.stdin.buffer.read()
            text = document.whole(raw)
            _check_name(kind, name, text)
            store.prepare()
            done = _ITEMS[kind](text)
            store.settle(f"{kind}-{name}", due, done, raw)
            answer(done)
        case ["remove", name, "--owner", owner]:
            _outlive_the_connection(argv)
            done = removal.remove(name, owner)
            if done["removed"]:
                store.drop(f"release-{name}")
            answer(done)
        case _:
            print(__doc__.strip(), file=sys.stderr)
            return 2
    return 0


def _check_name(kind: str, name: str, text: str) -> None:
    """The answer is remembered under the name that was called: it must be that of the document. Packages have none."""
    told = document.parse(text).get("release" if kind == "release" else "name", name)
    if told != name:
        raise Failure(f"called for {kind} {name}, but the document is for {told!r}; nothing was done")


def _outlive_the_connection(argv: list[str]) -> None:
    """Go on in a transient unit of our own: the end of an SSH session must not end, or double, what it started."""
    if os.environ.get("GATEHOUSE_UNIT") != "1":
        os.execvp("systemd-run", ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec", "--setenv=GATEHOUSE_UNIT=1",
                                  "/usr/bin/python3", "-I", os.path.dirname(os.path.abspath(__file__)), *argv])


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as failure:
        fail(f"gatehouse: {failure}")
        sys.exit(failure.code or REFUSED)
    except Exception:
        fail(f"gatehouse: a fault of its own; the next apply undoes what was begun\n{traceback.format_exc()}")
        sys.exit(70)
