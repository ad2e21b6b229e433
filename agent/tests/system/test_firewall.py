"""Rules of a host's firewall that block containers, and the two lines that allow their traffic."""

import unittest

from gatehouse.system import firewall
from gatehouse.system.firewall import _Rules
from tests import support


def chain(name: str, policy: str | None = None, family: str = "inet", table: str = "filter") -> dict:
    return {
        "chain": {"family": family, "table": table, "name": name}
        | ({"type": "filter", "hook": "forward", "prio": 0, "policy": policy} if policy else {})
    }


def rule(*expressions: dict, within: str = "forward", family: str = "inet", table: str = "filter") -> dict:
    return {"rule": {"family": family, "table": table, "chain": within, "expr": list(expressions)}}


def match(left: dict, right, op: str = "==") -> dict:
    return {"match": {"op": op, "left": left, "right": right}}


def meta(key: str, right, op: str = "==") -> dict:
    return match({"meta": {"key": key}}, right, op)


def payload(protocol: str, field: str, right) -> dict:
    return match({"payload": {"protocol": protocol, "field": field}}, right)


SUBNET = {"prefix": {"addr": "10.89.0.0", "len": 16}}
STATE = {"ct": {"key": "state"}}
ACCEPT, DROP, COUNTER = {"accept": None}, {"drop": None}, {"counter": {"packets": 1, "bytes": 1}}
ANSWERS = rule(match(STATE, ["established", "related"], "in"), ACCEPT)
OUT = rule(meta("iifname", "podman*"), COUNTER, ACCEPT)
CLOSED = chain("forward", "drop")

PASSES = {
    "no rule at all": [],
    "a policy that lets through": [chain("forward", "accept")],
    "both lines": [CLOSED, OUT, ANSWERS],
    "the bridge by its name, in a set": [CLOSED, rule(meta("iifname", {"set": ["lo", "podman1"]}), ACCEPT), ANSWERS],
    "what does not come from the cable": [CLOSED, rule(meta("iifname", "eth0", "!="), ACCEPT), ANSWERS],
    "the subnet": [CLOSED, rule(payload("ip", "saddr", SUBNET), ACCEPT), rule(payload("ip", "daddr", SUBNET), ACCEPT)],
    "a chain of its own": [
        CLOSED,
        chain("containers"),
        rule({"jump": {"target": "containers"}}),
        rule(ACCEPT, within="containers"),
    ],
    "a map of states": [
        CLOSED,
        OUT,
        rule({"vmap": {"key": STATE, "data": {"set": [["established", ACCEPT], ["invalid", DROP]]}}}),
    ],
    "what is not known here may let it through": [
        CLOSED,
        rule(match({"osf": {"key": "name"}}, "Linux"), ACCEPT),
        ANSWERS,
    ],
    "a drop of others'": [
        chain("forward", "accept"),
        rule(meta("iifname", "wg0"), DROP),
        rule(payload("ip6", "saddr", "fd00::1"), DROP),
    ],
    "a drop that is not certain": [chain("forward", "accept"), rule(match({"osf": {"key": "name"}}, "Linux"), DROP)],
    "iptables": [
        chain("FORWARD", "drop", "ip"),
        rule(meta("iifname", "podman1"), ACCEPT, within="FORWARD", family="ip"),
        rule({"xt": {"type": "match", "name": "conntrack"}}, ACCEPT, within="FORWARD", family="ip"),
    ],
    "another family's": [chain("FORWARD", "drop", "ip6")],
    "Podman's own": [chain("FORWARD", "drop", table="netavark")],
}
CUTS = {
    "a policy that drops": [CLOSED],
    "answers alone": [CLOSED, ANSWERS],
    "no answers": [CLOSED, OUT],
    "a rule at the end": [
        chain("forward", "accept"),
        ANSWERS,
        rule({"reject": {"type": "icmpx", "expr": "admin-prohibited"}}),
    ],
    "what others may": [CLOSED, rule(meta("iifname", "wg0"), ACCEPT), rule(meta("oifname", "wg0"), ACCEPT), ANSWERS],
    "a port": [CLOSED, rule(payload("tcp", "dport", 22), ACCEPT), ANSWERS],
    "a chain that returns": [
        CLOSED,
        chain("mine"),
        rule({"jump": {"target": "mine"}}),
        rule({"return": None}, within="mine"),
        rule(ACCEPT, within="mine"),
        ANSWERS,
    ],
    "a chain for good": [CLOSED, chain("mine"), rule({"goto": {"target": "mine"}}), rule(ACCEPT)],
    "iptables": [
        chain("FORWARD", "drop", "ip"),
        rule({"xt": {"type": "match", "name": "conntrack"}}, ACCEPT, within="FORWARD", family="ip"),
    ],
    "iptables, by a rule": [
        chain("FORWARD", "accept", "ip"),
        rule({"xt": {"type": "target", "name": "REJECT"}}, within="FORWARD", family="ip"),
    ],
}


class Warnings(support.HostTest):
    def setUp(self):
        super().setUp()
        for name, stand_in in (
            ("_networks", lambda: [("podman1", "10.89.0.0/24")]),
            ("_outward", lambda: "eth0"),
        ):
            self.patch(firewall, name, stand_in)

    def reported(self, ruleset: list[dict]) -> list[str]:
        self.systemd.ask = lambda *_: support.json.dumps({"nftables": ruleset})
        return firewall.warnings()

    def test_rules_that_allow_containers_are_not_reported(self):
        for name, ruleset in PASSES.items():
            with self.subTest(name):
                self.assertEqual(self.reported(ruleset), [])

    def test_rules_that_block_containers_are_reported_with_two_lines(self):
        for name, ruleset in CUTS.items():
            with self.subTest(name):
                (warning,) = self.reported(ruleset)
                self.assertIn("blocks traffic of containers", warning)
                self.assertEqual(len(warning.splitlines()), 3)

    def test_the_two_lines_are_those_of_the_firewall(self):
        def lines(*ruleset):
            return self.reported(list(ruleset))[0].splitlines()[1:]

        self.assertEqual(
            lines(CLOSED),
            [
                "  nft 'insert rule inet filter forward iifname \"podman*\" accept'",
                "  nft 'insert rule inet filter forward oifname \"podman*\" ct state established,related accept'",
            ],
        )
        self.assertEqual(
            lines(chain("FORWARD", "drop", "ip")),
            [
                "  iptables -I FORWARD -i podman+ -j ACCEPT",
                "  iptables -I FORWARD -o podman+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            ],
        )
        self.assertEqual(
            lines(chain("filter_FORWARD", "drop", table="firewalld")),
            ["  firewall-cmd --permanent --zone=trusted --add-source=10.89.0.0/24", "  firewall-cmd --reload"],
        )

    def test_an_address_of_the_other_kind(self):
        six = ("podman1", "fd00:89::/64")
        with support.mock.patch.object(firewall, "_networks", lambda: [("podman1", "10.89.0.0/24"), six]):
            closed = [chain("FORWARD", "drop", "ip6")]
            self.assertIn("table ip6 filter", self.reported(closed)[0])
            self.assertEqual(
                self.reported(
                    [
                        *closed,
                        rule(
                            payload("ip6", "saddr", {"prefix": {"addr": "fd00:89::", "len": 64}}),
                            ACCEPT,
                            within="FORWARD",
                            family="ip6",
                        ),
                        rule(match(STATE, "established"), ACCEPT, within="FORWARD", family="ip6"),
                    ]
                ),
                [],
            )

    def test_an_unknown_route_is_not_reported(self):
        named = [CLOSED, rule(meta("oifname", "wan0"), ACCEPT), ANSWERS]
        self.assertEqual(len(self.reported(named)), 1)
        with support.mock.patch.object(firewall, "_outward", lambda: ""):
            self.assertEqual(self.reported(named), [])
            self.assertEqual(len(self.reported([CLOSED])), 1)

    def test_a_host_without_nft(self):
        self.assertEqual(firewall.warnings(), [])

    def test_chains_of_other_hooks_are_none(self):
        self.assertEqual(
            _Rules(
                [{"chain": {"family": "inet", "table": "filter", "name": "input", "hook": "input", "policy": "drop"}}]
            ).forwarding(),
            [],
        )


if __name__ == "__main__":
    unittest.main()
