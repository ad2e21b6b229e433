"""Reads AUTHENTIK_* like authentik, and refuses values that authentik would refuse or misread.

Up to 2026.2 only Python reads the environment: each literal value goes through json.loads.
From 2026.5 a Rust loader reads it too, by other rules: a value is accepted only if both read the same.
Values from file:// or env:// are text for both.
"""
import ipaddress
import json
import os
import re
from urllib.parse import urlsplit

from versions import at_least

TEXT = """secret_key log_level cookie_domain avatars web.path web.base_url
    bootstrap_password bootstrap_password_hash bootstrap_token bootstrap_email
    postgresql.host postgresql.name postgresql.user postgresql.password postgresql.sslmode postgresql.default_schema
    cache.url channel.url email.host email.username email.password email.from""".split()
NUMBER = """postgresql.port postgresql.conn_max_age web.workers web.threads worker.processes worker.threads
    email.port email.timeout""".split()
SWITCH = """debug disable_update_check disable_startup_analytics error_reporting.enabled error_reporting.send_pii
    outposts.discover outposts.disable_embedded_outpost email.use_tls email.use_ssl
    postgresql.conn_health_checks postgresql.disable_server_side_cursors""".split()
LISTEN = [f"listen.{name}" for name in "http https metrics debug debug_py listen_http listen_metrics".split()]
CIDRS = ["listen.trusted_proxy_cidrs"]
KNOWN = [*TEXT, *NUMBER, *SWITCH, *LISTEN, *CIDRS]
SECTIONS = {key.split(".")[0] for key in KNOWN if "." in key} | {"log"}
HIDDEN = re.compile("secret|password|token|url$")  # never repeated in a message

DEFAULTS = {
    "secret_key": "",
    "postgresql.host": "localhost",
    "postgresql.port": 5432,
    "postgresql.name": "authentik",
    "postgresql.user": "authentik",
    "postgresql.sslmode": "disable",
    "cache.url": "redis://localhost:6379/0",
    "channel.url": "redis://localhost:6379/0",
    "web.base_url": "",
    "listen.trusted_proxy_cidrs": [
        ipaddress.ip_network(cidr)
        for cidr in "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fe80::/10 ::1/128".split()
    ],
}


class Refused(Exception):
    """A setting with which authentik would not start, or that it would misread."""


def load(environ: dict[str, str], version: str) -> tuple[dict, list[str]]:
    """The settings by their dotted names, and the AUTHENTIK_ variables that match none known to the stand-in."""
    strict = at_least(version, "2026.5")
    any_host = "::" if strict else "0.0.0.0"
    ports = {"http": 9000, "https": 9443, "metrics": 9300, "listen_http": 9000, "listen_metrics": 9300}
    settings = {**DEFAULTS, **{f"listen.{name}": [(any_host, port)] for name, port in ports.items()}}
    settings["postgresql.password"] = environ.get("POSTGRES_PASSWORD", "")
    unknown = []
    for name in sorted(environ):
        if not name.startswith("AUTHENTIK_") or name.startswith("AUTHENTIK_STANDIN_"):
            continue
        key = name.removeprefix("AUTHENTIK_").lower().replace("__", ".")
        try:
            if key in SECTIONS:
                raise Refused("this names a whole section, which it would overwrite; set its keys, or leave it out")
            if key in KNOWN:
                settings[key] = setting(key, environ[name], environ, strict)
            else:
                unknown.append(name)
        except Refused as reason:
            given = "(not shown)" if HIDDEN.search(key) else repr(environ[name])
            raise Refused(f"{name}={given}: {reason}") from None
    check(settings, version)
    return settings, unknown


def setting(key: str, given: str, environ: dict[str, str], strict: bool):
    """One value: resolved if it is a reference, then converted to the type of its key."""
    if strict:
        refuse_if_read_apart(key, given)
    try:
        value = json.loads(given)
    except ValueError:
        value = given
    if isinstance(value, str) and re.match("(file|env)://", value):
        if key.startswith("bootstrap_"):
            raise Refused("bootstrap values are taken as they are, file:// and env:// do not work; give the value itself")
        value = pointed_to(value, environ, strict)
    if key in TEXT:
        if not isinstance(value, str):
            raise Refused(f"a text is needed, but JSON makes this a {type(value).__name__}; use file:///path")
        return value
    if key in NUMBER:
        if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d+", str(value).strip()):
            raise Refused("a whole number is needed")
        return int(value)
    if key in SWITCH:
        return str(value).lower() == "true"
    return networks(value) if key in CIDRS else addresses(value, strict)


def refuse_if_read_apart(key: str, given: str) -> None:
    """2026.5 and later: refuses values that Python and Rust would read differently, or Rust not at all."""
    if not given.strip():
        raise Refused("an empty value is refused; leave the variable out")
    if given != given.strip():
        raise Refused("Rust strips the blanks at its ends, Python keeps them; use file:///path")
    if given[0] in "\"'" or given[-1] in "\"'":
        raise Refused("quotes stay part of the value in Rust; write it without")
    if key in SWITCH and given not in ("true", "false"):
        raise Refused("only true and false are understood")
    if key in TEXT and (given.lower() in ("true", "false", "null") or is_number(given)):
        raise Refused("a text is needed, but this is read as a number, a boolean or null; use file:///path")


def is_number(given: str) -> bool:
    try:
        float(given)  # like Rust: signs, exponents, inf and nan too
    except ValueError:
        return False
    return "_" not in given


def pointed_to(value: str, environ: dict[str, str], strict: bool) -> str:
    """The text that file:///path[?fallback] or env://NAME[?default] refers to."""
    url = urlsplit(value)
    if url.scheme == "env":
        return environ.get(url.netloc, url.query)
    if strict and not re.fullmatch("/[A-Za-z0-9._/-]*", url.path):
        raise Refused(f"the path {url.path!r} may hold only letters, digits and . _ / -")
    try:
        with open(url.path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        if url.query:
            return url.query
        raise Refused(f"cannot read {url.path} as uid {os.getuid()}: {error.strerror}; mount it, readable by the container's user")


def addresses(value: object, strict: bool) -> list[tuple[str, int]]:
    """2026.5 and later: ip:port[,ip:port...]. Earlier one host:port, in which the host is optional."""
    found = []
    for part in str(value).split(",") if strict else [str(value)]:
        match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]*):(\d{1,5})", part)
        host = match[1].strip("[]") if match else ""
        if strict:
            try:
                ipaddress.ip_address(host)
            except ValueError:
                match = None
        if not match or int(match[2]) > 65535:
            raise Refused("an address is ip:port, such as 0.0.0.0:9000 or [::1]:9000")
        found.append((host or "0.0.0.0", int(match[2])))
    return found


def networks(value: object) -> list:
    try:
        parts = [part.strip() for part in str(value).split(",")]
        if not all("/" in part for part in parts):
            raise ValueError
        return [ipaddress.ip_network(part, strict=False) for part in parts]
    except ValueError:
        raise Refused("a list of networks is needed, each with its /length, such as 127.0.0.0/8,10.89.0.0/24") from None


def check(settings: dict, version: str) -> None:
    """Checks required settings and combinations."""
    if not settings["secret_key"].strip():
        raise Refused("AUTHENTIK_SECRET_KEY: secret key missing; set it, best to file:///path")
    if at_least(version, "2026.5"):
        if settings["postgresql.host"].startswith("/") and settings["postgresql.sslmode"] in ("require", "verify-ca", "verify-full"):
            raise Refused(f"AUTHENTIK_POSTGRESQL__SSLMODE={settings['postgresql.sslmode']}: a Unix socket has no TLS; write disable")
        if "bootstrap_password" in settings and "bootstrap_password_hash" in settings:
            raise Refused("AUTHENTIK_BOOTSTRAP_PASSWORD and AUTHENTIK_BOOTSTRAP_PASSWORD_HASH are both set; keep one")
    else:
        for key in ("cache.url", "channel.url"):
            if not re.match("(unix|rediss?)://", settings[key]):
                raise Refused(f"AUTHENTIK_{key.upper().replace('.', '__')}: not a Redis URL; write unix://user:password@/path?db=0")
