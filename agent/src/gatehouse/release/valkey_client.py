"""A client for Valkey: its protocol over a socket, logged in as one of its users."""

import shlex
import socket
import time
from dataclasses import dataclass

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
    """The server does not listen, or refuses every login."""


@dataclass(frozen=True)
class Valkey:
    """A holding that consists of the keys of a Valkey."""

    name: str
    unit: str
    user: str
    socket: str
    config: str
    data: str
    appendonly: bool
    login: str | None
    passwords: str | None


def of(holding: Holding) -> Valkey:
    """Raises Failure if the holding is not a Valkey, which the manifest's schema rules out."""
    if holding.socket is None or holding.config is None or holding.data is None:
        raise Failure(f"holding {holding.name} names neither `exec`, nor `socket`, `config` and `data`")
    return Valkey(
        holding.name,
        holding.unit,
        holding.user,
        holding.socket,
        holding.config,
        holding.data,
        holding.appendonly,
        holding.login,
        holding.passwords,
    )


class Server:
    """A connection to a Valkey, by gatehouse's socket or at the address in the server's configuration file."""

    def __init__(self, valkey: Valkey):
        """Raises Unreachable if nothing answers there or the login is refused."""
        settings = configured(valkey)
        try:
            self._connection = _connected(valkey, settings)
        except (OSError, ValueError) as error:
            raise Unreachable(f"{valkey.unit} does not answer: {getattr(error, 'strerror', None) or error}") from None
        self._connection.settimeout(PATIENCE)
        self._stream = self._connection.makefile("rb")
        self._log_in(_logins(valkey, settings))

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._connection.close()

    def ask(self, *words: str) -> str:
        """The answer to one command. Raises Refused for an error, Unreachable if the connection ends."""
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
        """The output of INFO. Waits until the server has loaded its data."""
        while True:
            found = dict(line.split(":", 1) for line in self.ask("INFO").splitlines() if ":" in line)
            if found["loading"] == "0":
                return found
            time.sleep(0.1)

    def _log_in(self, logins: list[tuple[str, ...]]) -> None:
        complaint = "there is no login"
        for login in logins:
            try:
                self.ask(*login)
                return
            except Refused as refused:
                if refused.state == "LOADING":
                    return
                complaint = str(refused)
        raise Unreachable(complaint)


def configured(valkey: Valkey) -> dict[str, str]:
    """The settings in the configuration file on the host; the last line for a name counts."""
    there = files.look(valkey.config)
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


def _is_own(valkey: Valkey, settings: dict[str, str]) -> bool:
    """A server that was set up by hand may use an address where any account can listen, so it gets no generated
    password."""
    return settings.get("unixsocket", valkey.socket if not settings else None) == valkey.socket


def _connected(valkey: Valkey, settings: dict[str, str]) -> socket.socket:
    if not _is_own(valkey, settings) and "unixsocket" not in settings:
        return socket.create_connection(("127.0.0.1", int(settings.get("port", "6379"))), 5)
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(settings.get("unixsocket", valkey.socket))
    except OSError:
        client.close()
        raise
    return client


def _logins(valkey: Valkey, settings: dict[str, str]) -> list[tuple[str, ...]]:
    """The agent's own user first, with each of its passwords: until a running server has read the new password, it
    accepts only the older one."""
    theirs = settings.get("requirepass", "")
    learn_secret(theirs)
    ours = _ours(valkey.login, valkey.passwords or "") if valkey.login and _is_own(valkey, settings) else []
    return [*ours, *([("AUTH", theirs)] if theirs else []), ("PING",)]


def _ours(login: str, passwords: str) -> list[tuple[str, ...]]:
    folder, _, name = passwords.partition("*/")
    if not folder or not safepath.status(folder):
        return []
    generations = sorted(filter(str.isdigit, safepath.entries(folder)), key=int, reverse=True)
    return [("AUTH", login, safepath.read(f"{folder}{generation}/{name}").decode()) for generation in generations]
