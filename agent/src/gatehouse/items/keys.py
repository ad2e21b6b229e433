"""A private key of this host with its certificate, which is no authority: others trust the certificate itself. The key
never leaves the host."""

import ipaddress
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gatehouse.output.report import Failure, say
from gatehouse.protocol.answers import KeyAnswer
from gatehouse.protocol.document import read
from gatehouse.protocol.manifest import owner_ids
from gatehouse.state import created, store
from gatehouse.system import safepath

FOLDER = Path(os.environ.get("GATEHOUSE_KEYS", "/etc/gatehouse/keys"))  # set by the agent's own tests
# The certificate is trusted as long as others list it, so an expiry would only stop the services one day.
_DAYS = "36500"
_MODE = 0o640  # of the private key


@dataclass(frozen=True)
class Key:
    name: str
    subject: str  # the common name in the certificate
    addresses: tuple[str, ...]  # the IP addresses in it
    group: str = "root"  # may read the key


def ensure(text: str) -> KeyAnswer:
    """Create the key if it is missing, and its certificate if that is missing or for another subject or address.

    Raises Failure if OpenSSL cannot create them."""
    wanted = read(Key, text)
    subject, gid = _subject(wanted), owner_ids(f"root:{wanted.group}")[1]
    with store.lock("keys", f"key {wanted.name}"):
        safepath.make(str(FOLDER), 0o755)
        key, certificate = FOLDER / f"{wanted.name}.key", FOLDER / f"{wanted.name}.crt"
        created.add(f"key {wanted.name}")
        if not key.exists():
            say(f"create key {wanted.name}")
            _write(key, _run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256").encode(), gid)
        elif (key.stat().st_mode & 0o777, key.stat().st_gid) != (_MODE, gid):
            _write(key, safepath.read(str(key)), gid)
        if not (certificate.exists() and _is_for(certificate, key, subject)):
            say(f"create certificate {wanted.name}")
            safepath.write(str(certificate), _signed(key, subject).encode(), 0o644, os.geteuid(), os.getegid())
        made = look(wanted.name)
    if made is None:
        raise Failure(f"key {wanted.name} is missing although it was created")
    return made


def look(name: str) -> KeyAnswer | None:
    """None if the key or its certificate is missing."""
    key, certificate = FOLDER / f"{name}.key", FOLDER / f"{name}.crt"
    if not (key.exists() and certificate.exists()):
        return None
    return {"name": name, "certificate": safepath.read(str(certificate)).decode()}


def _write(key: Path, content: bytes, gid: int) -> None:
    safepath.write(str(key), content, _MODE, os.geteuid(), gid)


def _subject(wanted: Key) -> list[str]:
    """Options of OpenSSL with the contents of the certificate."""
    try:
        names = ",".join(f"IP:{ipaddress.ip_address(address)}" for address in wanted.addresses)
    except ValueError as error:
        raise Failure(f"addresses: {error}; nothing was changed") from None
    return [
        *("-subj", f"/CN={wanted.subject}"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "extendedKeyUsage=serverAuth,clientAuth"),
        *("-addext", f"subjectAltName={names}"),
    ]


def _signed(key: Path, subject: list[str]) -> str:
    return _run("req", "-x509", "-key", str(key), "-days", _DAYS, *subject)


def _is_for(certificate: Path, key: Path, subject: list[str]) -> bool:
    """Whether the certificate is that of the key, with this subject and these addresses."""
    shown = ("-noout", "-pubkey", "-subject", "-ext", "subjectAltName,extendedKeyUsage,basicConstraints")
    return _run("x509", "-in", str(certificate), *shown) == _run("x509", *shown, stdin=_signed(key, subject))


def _run(*argv: str, stdin: str = "") -> str:
    done = subprocess.run(("openssl", *argv), input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"openssl {argv[0]} failed: {done.stderr.strip()}")
    return done.stdout
