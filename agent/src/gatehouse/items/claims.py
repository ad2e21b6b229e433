"""The names on a host that a release needs exclusively, and that may already be in use."""

import hashlib
import re

from gatehouse.protocol.manifest import Manifest
from gatehouse.state.store import STATE

_QUADLETS = "/etc/containers/systemd/"
# Names that a Quadlet gives to objects of Podman. A volume with another beginning is a path, or another Quadlet.
_NAMES = {
    "pod": re.compile(r"^PodName=(\S+)$", re.M),
    "container": re.compile(r"^ContainerName=(\S+)$", re.M),
    "volume": re.compile(r"^Volume=([A-Za-z0-9][\w.-]*(?<!\.volume)):", re.M),
}


def of(manifest: Manifest) -> list[str]:
    """Each as kind and name, such as `file /etc/caddy/Caddyfile`, sorted; the program computes the same list."""
    found = {f"unit {unit.name}" for unit in manifest.unit} | {f"port {port}" for port in manifest.listens}
    for file in manifest.file:
        if not file.path.startswith(f"{STATE}/"):  # files in the agent's own state directory
            found.add(f"file {file.path}")
        if file.path.startswith(_QUADLETS):
            found |= {f"{kind} {name}" for kind, names in _NAMES.items() for name in names.findall(file.content)}
    return sorted(found)


def digest(manifest: Manifest) -> str:
    """A checksum by which the program recognizes that all of these names are its own already."""
    stack = manifest.owner.rpartition("/")[0]
    return hashlib.sha256("\n".join([f"stack {stack}", *of(manifest)]).encode()).hexdigest()
