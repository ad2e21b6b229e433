"""Commands of a manifest: as which user, with which input, and what is told when they fail."""

import grp
import os
import pwd
import subprocess

from report import Failure

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def identity(user: str, group: str | None = None) -> dict:
    """The keywords that make subprocess run as a user with its groups, as a login of it would."""
    if os.geteuid():  # the agent's own tests
        return {}
    account = pwd.getpwnam(user)
    gid = grp.getgrnam(group).gr_gid if group else account.pw_gid
    return {"user": account.pw_uid, "group": gid, "extra_groups": os.getgrouplist(user, gid)}


def start(argv: tuple[str, ...], user: str, group: str | None = None, home: str = "/", **keywords) -> subprocess.Popen:
    try:
        return subprocess.Popen(argv, env={**_ENVIRONMENT, "HOME": home}, cwd="/", **identity(user, group), **keywords)
    except KeyError:
        raise Failure(f"{argv[0]} should run as {user}{':' + group if group else ''}, which this host does not know") from None
    except FileNotFoundError:
        raise Failure(f"{argv[0]} is not installed on this host") from None


def run(argv: tuple[str, ...], user: str = "root", group: str | None = None, home: str = "/",
        stdin: str = "", seconds: float | None = None) -> tuple[int, str]:
    """Exit status and merged output. A command that outlasts `seconds` is ended and counts as failed."""
    process = start(argv, user, group, home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output, _ = process.communicate(stdin, timeout=seconds)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        process.kill()
        return 124, f"no answer within {seconds:.0f} s\n{process.communicate()[0]}"


def filled(argv: tuple[str, ...], **values: str) -> tuple[str, ...]:
    """argv with `{name}` replaced by values; other braces are left alone."""
    for name, value in values.items():
        argv = tuple(word.replace("{" + name + "}", value) for word in argv)
    return argv


def indented(text: str, lines: int = 20) -> str:
    return "\n".join("    " + line for line in text.strip().splitlines()[-lines:])
