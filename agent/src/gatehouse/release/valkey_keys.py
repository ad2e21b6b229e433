"""Keeps the keys of a Valkey over a restart: writes them in the form that the new server reads, then compares.

A setting decides which file Valkey reads at its start: dump.rdb or the append-only file. A server started with the
other one is empty, and overwrites dump.rdb with that when it stops."""

import contextlib
import time

from gatehouse.output.report import Failure, say
from gatehouse.release import valkey_client
from gatehouse.release.held import Before
from gatehouse.release.valkey_client import Refused, Server, Unreachable, Valkey
from gatehouse.system import jobs, process, safepath, systemd

# Milliseconds for which clients that write are blocked unless a restart ends that; renewed after each step.
_PAUSE = 60_000
_SNAPSHOT, _APPENDED = "dump.rdb", "appendonlydir"  # in the data directory


def save(valkey: Valkey, runs: bool, known: bool) -> Before:
    """Blocks clients that write until the restart. `known`: a release of gatehouse has started this server before."""
    try:
        if not runs:
            raise Unreachable(f"{valkey.unit} is not running")
        with Server(valkey) as server:
            return _save(valkey, server)
    except (Unreachable, Refused) as failure:
        _refuse_unread(valkey, runs, known, failure)
        return Before()


def _save(valkey: Valkey, server: Server) -> Before:
    server.info()  # waits until it has loaded its data
    paused = _pause(server)
    try:
        info = server.info()
        before = Before(
            keys=_keys(info) if paused else min(1, _keys(info)), appendonly=_appends(info), evicts=_evicts(info)
        )
        say(f"{valkey.name}: {_keys(info)}, saved for the restart")
        _write(server, valkey.appendonly)
        _pause(server)
        _run(valkey, _COPY)
        _pause(server)
    except BaseException:
        _unpause(server)
        raise
    return before


def _refuse_unread(valkey: Valkey, runs: bool, known: bool, failure: Failure) -> None:
    """The keys cannot be counted. Raises Failure if the restart would read them from a file they are not in."""
    there = {file for file in (_SNAPSHOT, _APPENDED) if safepath.status(f"{valkey.data}/{file}")}
    wanted, other = ("yes", "no") if valkey.appendonly else ("no", "yes")
    changes = valkey_client.configured(valkey).get("appendonly", "no").lower() != wanted
    if runs:
        lost = changes
    elif valkey.appendonly:
        lost = _APPENDED not in there
    else:
        # A live release may have an old append-only file in its directory, which it does not read.
        lost = _SNAPSHOT not in there or (_APPENDED in there and (changes or not known))
    if there and lost:
        raise Failure(
            f"{valkey.name} would be lost: with appendonly {wanted}, Valkey does not read the files that they are in "
            f"below {valkey.data}, and only a running server can convert these; {failure}\nFirst run `pulumi up` with "
            f"appendonly {other}, then with {wanted}; nothing was changed"
        )
    say(f"{valkey.name} cannot be counted before the restart: {failure}")


def lessened(valkey: Valkey, before: Before) -> str | None:
    """Returns a description of the loss, or None. Keys that expired or that a client deleted are no loss: Valkey
    reports how many keys it loaded."""
    if before.keys is None:
        return None
    with Server(valkey) as server:
        info = server.info()
    read = int(info["rdb_last_load_keys_loaded"]) + int(info["rdb_last_load_keys_expired"])
    # Valkey does not report a count for an append-only file that contains only commands.
    found = max(read, _keys(info) + int(info["expired_keys"]))
    if found < before.keys:
        return f"{found} keys, {before.keys} before"
    if int(info["evicted_keys"]) and not before.evicts:
        return (
            f"{info['evicted_keys']} keys were evicted, since they do not fit into maxmemory, which is "
            f"{info['maxmemory_human']} now ({info['maxmemory_policy']})"
        )
    return None


def resume(valkey: Valkey, before: Before) -> None:
    if before.keys is not None:
        try:
            with Server(valkey) as server:
                if valkey.appendonly and not before.appendonly:
                    server.ask("CONFIG", "SET", "appendonly", "no")
                    _run(valkey, _ASIDE)
                _unpause(server)
        except Failure as failure:
            say(f"{valkey.name}: {failure}")


def restore(valkey: Valkey, before: Before) -> None:
    """If no keys are missing, keep those written since as well; otherwise restore the keys as of the restart."""
    if before.keys is None:
        return
    try:
        if not lessened(valkey, before):
            with Server(valkey) as server:
                _pause(server)
                _write(server, before.appendonly)
            return None if before.appendonly else _run(valkey, _ASIDE)
    except (Unreachable, Refused):
        pass
    say(f"{valkey.name}: restored as of the restart; what the failed server wrote is in {valkey.data}/.failed")
    jobs.run("stop", systemd.running([valkey.unit]))
    _run(valkey, _BACK)


def forget(valkey: Valkey, before: Before) -> None:
    if before.keys is not None:
        _run(valkey, "rm -rf .before .failed\n" + ("" if valkey.appendonly else _ASIDE))


# ---------------------------------------------------------------- the server


def _pause(server: Server) -> bool:
    """Block writes and expiry. Returns False if the ACL, which may be an older one, does not allow that."""
    try:
        server.ask("CLIENT", "PAUSE", str(_PAUSE), "WRITE")
        return True
    except Refused:
        return False


def _unpause(server: Server) -> None:
    with contextlib.suppress(Refused, Unreachable):  # the pause expires anyway
        server.ask("CLIENT", "UNPAUSE")


def _write(server: Server, appendonly: bool) -> None:
    """Write all keys to the file that a server with or without `appendonly` reads."""
    _rest(server)
    if not appendonly:
        server.ask("SAVE")
        return
    if _appends(server.info()):
        server.ask("BGREWRITEAOF")
    else:
        server.ask("CONFIG", "SET", "appendonly", "yes")
    if _rest(server)["aof_last_bgrewrite_status"] != "ok":
        raise Failure("Valkey could not write its append-only file; its journal says why")


def _rest(server: Server) -> dict[str, str]:
    """Wait until no file is being written in the background."""
    until = time.monotonic() + valkey_client.PATIENCE
    while any(
        (info := server.info())[name] != "0"
        for name in ("rdb_bgsave_in_progress", "aof_rewrite_in_progress", "aof_rewrite_scheduled")
    ):
        if time.monotonic() > until:
            raise Failure("Valkey does not finish writing its files")
        _pause(server)
        time.sleep(0.05)
    return info


def _keys(info: dict[str, str]) -> int:
    """The number of keys in all databases."""
    return sum(
        int(dict(pair.split("=") for pair in value.split(","))["keys"])
        for name, value in info.items()
        if name[:2] == "db" and name[2:].isdigit()
    )


def _appends(info: dict[str, str]) -> bool:
    return info["aof_enabled"] == "1"


def _evicts(info: dict[str, str]) -> bool:
    return info["maxmemory"] != "0" and info["maxmemory_policy"] != "noeviction"


# ---------------------------------------------------------------- its data directory

# These scripts run as Valkey's account. dump.rdb and other .rdb files are replaced and never modified in place, so a
# hard link is a copy. `.restored` exists only when it is complete.
_COPY = """rm -rf .before .failed .restored; mkdir .before
for file in * */*; do
  [ -f "$file" ] && [ ! -h "$file" ] || continue
  case $file in temp-* | */temp-*) continue ;; */*) mkdir -p ".before/${file%/*}" ;; esac
  case $file in *.rdb) ln "$file" ".before/$file" ;; *) cp --preserve --reflink=auto "$file" ".before/$file" ;; esac
done"""
# An append-only file that is no longer written to is older than dump.rdb, and must not be mistaken for the latest
# data.
_ASIDE = f"""if [ -e {_APPENDED} ]; then rm -rf .{_APPENDED}; mv {_APPENDED} .{_APPENDED}; fi"""
_BACK = """if [ -d .before ]; then
  mkdir -p .failed
  for found in *; do [ ! -e "$found" ] || mv "$found" .failed/; done
  mv .before .restored
fi
if [ -d .restored ]; then
  for found in .restored/*; do [ ! -e "$found" ] || mv "$found" .; done
  rmdir .restored
fi"""


def _run(valkey: Valkey, script: str) -> None:
    status, output = process.run(("sh", "-euc", f'cd "$1"\n{script}', "sh", valkey.data), valkey.user)
    if status:
        raise Failure(
            f"{valkey.name}: its folder {valkey.data} cannot be copied beside itself, or "
            f"back:\n{process.indented(output)}"
        )
