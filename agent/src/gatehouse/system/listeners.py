"""The processes that listen on the ports of this host, from /proc."""

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_STATES = {"tcp": "0A", "udp": "07"}  # listening; bound


@dataclass(frozen=True)
class Listener:
    address: str
    port: int
    protocol: str
    inode: str

    def meets(self, address: str, port: int, protocol: str) -> bool:
        """Whether this listener conflicts with `address` (which may be `*`), port and protocol."""
        same = (
            address == "*"
            or ipaddress.ip_address(self.address).is_unspecified
            or ipaddress.ip_address(self.address) == ipaddress.ip_address(address)
        )
        return same and (self.port, self.protocol) == (port, protocol)


@dataclass(frozen=True)
class Process:
    pid: int
    name: str
    unit: str  # empty if there is none
    container: str  # its id, if Podman holds a published port for it


def parsed(port: str) -> tuple[str, int, str]:
    """Address, number and protocol of a port such as `*:443/tcp` or `127.0.0.1:9000/tcp`."""
    endpoint, _, protocol = port.rpartition("/")
    address, _, number = endpoint.rpartition(":")
    return address.strip("[]"), int(number), protocol


def listeners() -> list[Listener]:
    found = []
    for protocol, state in _STATES.items():
        for table in (f"net/{protocol}", f"net/{protocol}6"):
            for line in (_PROC / table).read_text().splitlines()[1:] if (_PROC / table).exists() else ():
                words = line.split()
                address, _, port = words[1].partition(":")
                if words[3] == state and words[2].endswith(":0000"):
                    found.append(Listener(_address(address), int(port, 16), protocol, words[9]))
    return found


def _address(digits: str) -> str:
    """The kernel prints each word of an address in the host's byte order."""
    words = [bytes.fromhex(digits[n : n + 8])[::-1] for n in range(0, len(digits), 8)]
    found = ipaddress.ip_address(b"".join(words))
    return str(getattr(found, "ipv4_mapped", None) or found)


def holders(inodes: set[str]) -> dict[str, Process]:
    """The process that has each of these sockets open."""
    found: dict[str, Process] = {}
    for process in _PROC.glob("[0-9]*"):
        try:
            for descriptor in os.listdir(process / "fd"):
                inode = os.readlink(process / "fd" / descriptor).removeprefix("socket:[").removesuffix("]")
                if inode in inodes:
                    found.setdefault(inode, _process(process))
        except OSError:  # the process has ended
            continue
    return found


def _process(process: Path) -> Process:
    words = (process / "cmdline").read_text(errors="replace").split("\0")
    container = words[words.index("-c") + 1] if os.path.basename(words[0]) == "conmon" and "-c" in words else ""
    unit = re.search(r"/([^/\s]+\.service)", (process / "cgroup").read_text())
    return Process(int(process.name), (process / "comm").read_text().strip(), unit[1] if unit else "", container)
