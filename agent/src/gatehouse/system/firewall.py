"""Detects a firewall on the host that cuts containers off from outside. It is only reported, since gatehouse does not
know the owner of these rules."""

import ipaddress
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from gatehouse.system import machine

_OURS = ("gatehouse", "netavark")  # tables
_OUTSIDE = {"ip": "192.0.2.1", "ip6": "2001:db8::1"}  # reserved for documentation
_ROUTES = Path("/proc/net/route")


@dataclass(frozen=True)
class _Packet:
    """The packet with which a container opens a connection to port 443 outside, or the reply to it."""

    family: str
    inward: str  # the interfaces where it enters and leaves
    outward: str
    source: str
    target: str
    state: str

    def value(self, left: object) -> str | int | None:
        """The value that a rule compares; None if unknown, "" if the packet has no such value."""
        match left:
            case {"meta": {"key": "iifname" | "iif"}}:
                return self.inward or None
            case {"meta": {"key": "oifname" | "oif"}}:
                return self.outward or None
            case {"meta": {"key": "l4proto"}} | {"payload": {"field": "protocol" | "nexthdr"}}:
                return "tcp"
            case {"meta": {"key": "nfproto"}}:
                return {"ip": "ipv4", "ip6": "ipv6"}[self.family]
            case {"payload": {"protocol": "ip" | "ip6" as family, "field": "saddr" | "daddr" as field}}:
                return "" if family != self.family else self.source if field == "saddr" else self.target
            case {"payload": {"protocol": "tcp" | "th", "field": "sport" | "dport" as field}}:
                return 443 if (field == "dport") == (self.state == "new") else None
            case {"payload": {"protocol": "udp" | "icmp" | "icmpv6"}}:
                return ""
            case {"ct": {"key": "state"}}:
                return self.state
            case {"ct": {"key": "status"}}:
                return ""
        return None


@dataclass(frozen=True)
class _Place:
    """The identity of a chain."""

    family: str
    table: str
    chain: str


@dataclass(frozen=True)
class _Chain:
    place: _Place
    hook: str | None
    policy: str | None


class _ListedChain(TypedDict, total=False):
    family: str
    table: str
    name: str
    hook: str
    policy: str


class _ListedRule(TypedDict):
    family: str
    table: str
    chain: str
    expr: list[object]  # of many forms, some of which `value` and `_action` interpret


class _Listed(TypedDict, total=False):
    """One entry in the output of nft."""

    chain: _ListedChain
    rule: _ListedRule


class _Rules:
    def __init__(self, listed: list[_Listed]):
        self.chains = [
            _Chain(_Place(chain["family"], chain["table"], chain["name"]), chain.get("hook"), chain.get("policy"))
            for chain in (entry["chain"] for entry in listed if "chain" in entry)
        ]
        self.rules: dict[_Place, list[list[object]]] = {}
        for rule in (entry["rule"] for entry in listed if "rule" in entry):
            place = _Place(rule["family"], rule["table"], rule["chain"])
            self.rules.setdefault(place, []).append(rule["expr"])

    def forwarding(self) -> list[_Chain]:
        """The chains that decide whether a packet may pass through the host, without those of gatehouse and Podman."""
        return [chain for chain in self.chains if chain.hook == "forward" and chain.place.table not in _OURS]

    def drops(self, chain: _Chain, packet: _Packet) -> bool:
        return (
            chain.place.family in ("inet", packet.family)
            and (self._verdict(chain.place, packet) or chain.policy) == "drop"
        )

    def _verdict(self, place: _Place, packet: _Packet) -> str | None:
        """accept or drop; None at the end of a chain. If a rule cannot be decided for certain, the packet passes."""
        for expressions in self.rules.get(place, ()):
            certain = True
            for expression in expressions:
                holds, action = self._action(expression, packet)
                if holds is False:
                    break
                certain = certain and holds is True
                verdict = self._followed(action, place, packet)
                if verdict == "accept" or (verdict == "drop" and certain):
                    return verdict
                match action:
                    case {"return": _} | {"goto": _} if certain:
                        return None
        return None

    def _followed(self, action: object, place: _Place, packet: _Packet) -> str | None:
        match action:
            case {"jump": {"target": str(chain)}} | {"goto": {"target": str(chain)}}:
                return self._verdict(_Place(place.family, place.table, chain), packet)
            case {"accept": _}:
                return "accept"
            case {"drop": _}:
                return "drop"
        return None

    def _action(self, expression: object, packet: _Packet) -> tuple[bool | None, object]:
        """Whether a part of a rule matches (None if unknown), and its verdict."""
        match expression:
            case {"match": {"op": op, "left": left, "right": right}}:
                holds = _among(packet.value(left), right)
                return (holds if op in ("==", "in") else not holds if op == "!=" and holds is not None else None), None
            case {"vmap": {"key": key, "data": {"set": list(entries)}}}:
                value = packet.value(key)
                for wanted, verdict in entries:
                    if _among(value, wanted) is not False:
                        return (None if value is None else True), verdict
                return True, None
            case {"xt": {"name": "conntrack" | "state"}}:  # of iptables, nearly always used to let replies pass
                return packet.state == "established", None
            case {"xt": {"type": "target", "name": "REJECT"}} | {"reject": _}:
                return True, {"drop": None}
            case {"xt": {"type": "match"}} | {"vmap": _} | {"xt": None}:
                return None, None
        return True, expression


def _among(value: str | int | None, wanted: object) -> bool | None:
    """Whether a value is among those that a rule names."""
    match wanted:
        case _ if value is None:
            return None
        case {"set": list(several)} | list(several):
            found = [_among(value, one) for one in several]
            return True if True in found else None if None in found else False
        case {"prefix": {"addr": address, "len": length}}:
            return value != "" and ipaddress.ip_address(value) in ipaddress.ip_network(
                f"{address}/{length}", strict=False
            )
        case {"range": [int(low), int(high)]} if isinstance(value, int):
            return low <= value <= high
        case str() if wanted.startswith("@"):
            return None
        case str() if wanted.endswith("*") and isinstance(value, str):
            return value.startswith(wanted[:-1])
        case str() | int():
            return value == wanted
    return None


def warnings() -> list[str]:
    """Firewall rules that block running containers, each with the two commands that correct it; empty if nft is not
    installed."""
    try:
        rules = _Rules(
            json.loads(machine.system.ask("nft", "--json", "list", "ruleset") or '{"nftables": []}')["nftables"]
        )
        chains = rules.forwarding()
        networks = _networks() if chains else []
    except FileNotFoundError:
        return []
    found = []
    for chain in chains:
        cut = [
            (bridge, subnet)
            for bridge, subnet in networks
            if any(rules.drops(chain, packet) for packet in _exchange(bridge, subnet))
        ]
        if cut:
            bridges = list(dict.fromkeys(bridge for bridge, _ in cut))
            subnets = list(dict.fromkeys(subnet for _, subnet in cut))
            place = chain.place
            found.append(
                f"the firewall blocks traffic of containers: chain {place.chain} of table {place.family} "
                f"{place.table} drops packets from {', '.join(bridges)}, or the answers. "
                "These two lines allow both; add them also where that firewall is configured:\n"
                + "\n".join(f"  {line}" for line in _mending(place, bridges, subnets))
            )
    return found


def _exchange(bridge: str, subnet: str) -> tuple[_Packet, _Packet]:
    network = ipaddress.ip_network(subnet, strict=False)
    family, inside, device = f"ip{'6' * (network.version == 6)}", str(network.network_address + 2), _outward()
    outside = _OUTSIDE[family]
    return _Packet(family, bridge, device, inside, outside, "new"), _Packet(
        family, device, bridge, outside, inside, "established"
    )


def _mending(place: _Place, bridges: list[str], subnets: list[str]) -> list[str]:
    family, table, name = place.family, place.table, place.chain
    alike = all(bridge.startswith("podman") for bridge in bridges)  # Podman's default names, also of future networks
    if table == "firewalld":
        return [
            f"firewall-cmd --permanent --zone=trusted {' '.join(f'--add-source={subnet}' for subnet in subnets)}",
            "firewall-cmd --reload",
        ]
    if family in ("ip", "ip6") and name == "FORWARD":
        tool = "iptables" if family == "ip" else "ip6tables"
        named = "podman+" if alike else bridges[0]
        return [
            f"{tool} -I FORWARD -i {named} -j ACCEPT",
            f"{tool} -I FORWARD -o {named} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        ]
    named = '"podman*"' if alike else f"{{ {', '.join(json.dumps(bridge) for bridge in bridges)} }}"
    return [
        f"nft 'insert rule {family} {table} {name} iifname {named} accept'",
        f"nft 'insert rule {family} {table} {name} oifname {named} ct state established,related accept'",
    ]


def _networks() -> list[tuple[str, str]]:
    """Bridge and subnet of each Podman network in which a container is running."""
    found = json.loads(machine.system.ask("podman", "network", "ls", "--format=json", "--filter=driver=bridge") or "[]")
    return [
        (network["network_interface"], subnet["subnet"])
        for network in found or ()
        for subnet in network.get("subnets") or ()
        if os.path.exists(f"/sys/class/net/{network['network_interface']}")
    ]


def _outward() -> str:
    """The interface of the default route; "" if unknown, as with IPv6 only."""
    routes = (line.split() for line in _ROUTES.read_text().splitlines()[1:])
    return next((route[0] for route in routes if route[1] == "00000000"), "")
