"""Installs the agent's files as a new directory and then switches a symlink to it, so that a running agent never sees a
mixture of versions."""

import compileall
import fcntl
import hashlib
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys

ROOT = pathlib.Path("/usr/local/lib/gatehouse")
UNITS = pathlib.Path("/etc/systemd/system")
STATE = pathlib.Path("/var/lib/gatehouse")
COMMAND = """#!/bin/sh
[ "$(id -u)" = 0 ] || exec sudo -n "$0" "$@"
exec /usr/bin/python3 -I /usr/local/lib/gatehouse/current "$@"
"""


def install(agent: dict, machine: str) -> None:
    current = ROOT / "current"
    installed = int((current / "PROTOCOL").read_text()) if current.exists() else 0
    if installed > agent["protocol"]:
        sys.exit(
            f"gatehouse: the agent on this host speaks protocol {installed}, this program only {agent['protocol']}: "
            "another stack uses a newer gatehouse here; update this program to the same version"
        )
    body = json.dumps(agent, sort_keys=True).encode()
    folder = ROOT / hashlib.sha256(body).hexdigest()[:16]
    new = not folder.exists()
    if new:
        fresh = ROOT / ".new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for name, text in agent["files"].items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_text(text)
        (fresh / "PROTOCOL").write_text(str(agent["protocol"]))
        compileall.compile_dir(fresh, quiet=1)
        fresh.rename(folder)
    point(current, folder.name)
    command = ROOT / ".gatehouse"
    command.write_text(COMMAND)
    command.chmod(0o755)
    command.rename("/usr/local/bin/gatehouse")
    STATE.mkdir(mode=0o711, exist_ok=True)
    name = STATE / "machine"
    # The name comes from the host itself if it has an agent; a program that did not query the host leaves it unchanged.
    if machine != "never-asked" or not name.exists():
        fresh = STATE / ".machine.new"
        fresh.write_text(machine if machine != "never-asked" else secrets.token_hex(6))
        fresh.rename(name)
    install_units(agent["units"])
    if new:
        os.sync()  # after a power cut during the first apply, the next boot needs these files
    for other in ROOT.iterdir():
        if other.is_dir() and not other.is_symlink() and other != folder:
            shutil.rmtree(other)
    print(json.dumps({"agent": folder.name}))


def install_units(units: dict[str, str]) -> None:
    """The units run at the next boot; until then the next apply does the same."""
    changed = [
        name for name, text in units.items() if not (UNITS / name).exists() or (UNITS / name).read_text() != text
    ]
    disabled = [
        name
        for name in units
        if subprocess.run(["systemctl", "is-enabled", "--quiet", name], stderr=subprocess.DEVNULL).returncode
    ]
    if not changed and not disabled:
        return
    locks = STATE / "locks"
    locks.mkdir(mode=0o700, exist_ok=True)
    with open(locks / "host", "a") as lock:  # held by releases while they reload systemd
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in changed:
            fresh = UNITS / f".{name}.new"
            fresh.write_text(units[name])
            fresh.chmod(0o644)
            fresh.rename(UNITS / name)
        subprocess.run(["systemctl", "--quiet", "--no-reload", "enable", *units], check=True)
        subprocess.run(["systemctl", "daemon-reload"], check=True)


def point(link: pathlib.Path, target: str) -> None:
    fresh = link.with_name(".current")
    fresh.unlink(missing_ok=True)
    os.symlink(target, fresh)
    fresh.rename(link)
