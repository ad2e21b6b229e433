"""Valkey asked: its protocol over a socket, as one of the users whom it lets in."""

import shlex
import socket
import time

from gatehouse.output.report import Failure, learn_secret
from gatehouse.protocol.manifest import Holding
from gatehouse.system import safepath
from gatehouse.tree import files

PATIENCE = 3600  # seconds for one answer: a SAVE writes all keys


class Refused(Failure):
    """Valkey answers with an error; `state` is its first word, such as NOPERM."""

    def __init__(self, text: str):
        super().__init__(f"Valkey refuses: {text}")
        self.state = text.partition(" ")[0]


class Unreachable(Failure):
    """Nobody listens, or nobody lets us in."""


class Server:
    """A connection to the Valkey that `holding` tells of: its own socket, or where its file on the host says."""

    def __init__(self, holding: Holding):
        said = configured(holding)
        try:
            self._connection = _connected(holding, said)
        except (OSError, ValueError) as error:
            raise Unreachable(f"{holding.unit} does not answer: {getattr(error, 'strerror', None) or error}") from None
        self._connection.settimeout(PATIENCE)
        self._stream = self._connection.makefile("rb")
        self._log_in(_logins(holding, said))

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self._stream.close()
        self._connection.close()

    def ask(self, *words: str) -> str:
        """The answer to one command."""
        try:
            self._connection.sendall(
                b"*%d\r\n" % len(words)
                + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in (w.encode() for w in words))
            )
            line = self._stream.readline().decode(errors="replace").rstrip("\r\n")
            if line.startswith("-"):
                raise Refused(line[1:])
            if line.startswith("$"):
                return self._stream.read(int(line[1:]) + 2).decode(errors="replace")
        except OSError as error:
            raise Unreachable(f"Valkey ends the connection: {error.strerror or error}") from None
        if not line:
            raise Unreachable("Valkey ends the connection")
        return line[1:]

    def info(self) -> dict[str, str]:
        """What it says of itself. Waits while it loads its data."""
        while True:
            found = dict(line.split(":", 1) for line in self.ask("INFO").splitlines() if ":" in line)
            if found["loading"] == "0":
                return found
            time.sleep(0.1)

    def _log_in(self, logins: list[tuple[str, ...]]) -> None:
        for login in logins:
            try:
                self.ask(*login)
                return
            except Refused as refused:
                if refused.state == "LOADING":
                    return
                complaint = str(refused)
        raise Unreachable(complaint)


def configured(holding: Holding) -> dict[str, str]:
    """The settings in its file on the host; the last of a name counts."""
    there = files.look(holding.config)
    lines = [
        line.split(None, 1)
        for line in (there.data.decode(errors="replace") if there else "").splitlines()
        if not line.lstrip().startswith("#")
    ]
    return {words[0].lower(): _word(words[1]) for words in lines if len(words) == 2}


def _word(text: str) -> str:
    try:
        return (shlex.split(text) or [""])[0]
    except ValueError:
        return text


def _is_ours(holding: Holding, said: dict[str, str]) -> bool:
    """One that was set up by hand may listen elsewhere, where anybody may listen: it gets no password of ours."""
    return said.get("unixsocket", holding.socket if not said else None) == holding.socket


def _connected(holding: Holding, said: dict[str, str]) -> socket.socket:
    if not _is_ours(holding, said) and "unixsocket" not in said:
        return socket.create_connection(("127.0.0.1", int(said.get("port", "6379"))), 5)
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(said.get("unixsocket", holding.socket))
    except OSError:
        client.close()
        raise
    return client


def _logins(holding: Holding, said: dict[str, str]) -> list[tuple[str, ...]]:
    """The agent's own user first, by each of its passwords: the running server knows the older one while a new one is on its way in."""
    theirs = said.get("requirepass", "")
    learn_secret(theirs)
    return [*(_ours(holding) if _is_ours(holding, said) else []), *([("AUTH", theirs)] if theirs else []), ("PING",)]


def _ours(holding: Holding) -> list[tuple[str, ...]]:
    folder, _, name = (holding.passwords or "").partition("*/")
    generations = (
        sorted(filter(str.isdigit, safepath.entries(folder)), key=int, reverse=True)
        if folder and safepath.status(folder)
        else []
    )
    return [
        ("AUTH", holding.login, safepath.read(f"{folder}{generation}/{name}").decode()) for generation in generations
    ]
