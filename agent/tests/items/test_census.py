"""What has a name on the host that gatehouse would use, and whether gatehouse made it."""

import contextlib
import grp
import hashlib
import io
import json
import os
import pwd
import unittest
from pathlib import Path

from gatehouse.items import accounts, census, claims, packages
from gatehouse.items.census import Claim
from gatehouse.output.report import Failure
from gatehouse.protocol.manifest import load
from gatehouse.release import remove
from gatehouse.state import created, store
from gatehouse.system import listeners
from tests import support
from tests.support import HostTest, at, file, manifest

# As they are; the host of the tests answers in their place.
STRANGERS, LISTENERS = census.unmanaged_objects, listeners.listeners
QUADLET = "[Container]\nContainerName=web\nVolume=kept:/data\nVolume=/srv:/srv\nVolume=other.volume:/x\n"


class Host(HostTest):
    """With accounts, containers and sockets of its own."""

    def setUp(self):
        super().setUp()
        self.users, self.groups, self.pods, self.ran = {}, {}, {"pod": [], "ps": [], "volume": []}, []
        self.fragments = {}
        for where, name, stand_in in (
            (census, "unmanaged_objects", STRANGERS),
            (census, "_podman", lambda *words: self.pods[words[0]]),
            (listeners, "listeners", lambda: self.sockets),
            (listeners, "holders", lambda inodes: {i: p for i, p in self.processes.items() if i in inodes}),
            (packages, "configuration", lambda: self.brought),
            (pwd, "getpwnam", self.users.__getitem__),
            (grp, "getgrnam", self.groups.__getitem__),
            (grp, "getgrall", lambda: list(self.groups.values())),
            (accounts, "_run", self.run_command),
        ):
            self.patch(where, name, stand_in)
        self.sockets, self.processes, self.brought = [], {}, {}
        properties = self.systemd._properties
        self.systemd._properties = lambda unit: (
            properties(unit)
            | {"FragmentPath": self.fragments.get(unit, f"/usr/lib/systemd/system/{unit}"), "SourcePath": ""}
        )

    def user(self, name: str, uid: int = 1000, *groups: str):
        self.users[name] = pwd.struct_passwd((name, "x", uid, uid, "", f"/home/{name}", "/bin/bash"))
        for group in groups:
            self.group(group, 27, name)

    def group(self, name: str, gid: int = 990, *members: str):
        self.groups[name] = grp.struct_group((name, "x", gid, list(members)))

    def run_command(self, *words: str):
        self.ran.append(words)
        name = words[-1]
        if words[0] == "groupadd":
            self.group(name)
        elif words[0] == "useradd":
            self.user(name, 998)
            self.group(name, 998)
        elif words[0] == "usermod":
            for group in words[2].split(","):
                self.groups[group] = grp.struct_group((group, "x", self.groups[group].gr_gid, [name]))

    def found(self, *names: str, **keys) -> dict[str, str]:
        return {
            found_object.thing: found_object.what
            for found_object in census.unmanaged_objects([Claim("release-app", names, "shop/prod/app", **keys)])
        }


class Accounts(Host):
    def account(self, name: str, **keys) -> dict:
        done = accounts.ensure_account(support.toml({"name": name, "home": f"/var/lib/apps/{name}", **keys}))
        store.settle(f"account-{name}", "machine/0", done)
        return done

    def test_a_persons_login_is_refused_with_what_it_is_and_left_as_it_is(self):
        self.user("deploy", 1000, "sudo", "docker")
        self.refused(
            1,
            "account deploy: UID 1000, home /home/deploy, shell /bin/bash, a member of docker and sudo",
            "takeOver",
            call=lambda: self.account("deploy"),
        )
        self.assertEqual((self.ran, created.things()), ([], set()))

    def test_it_is_taken_over_where_the_configuration_says_so_and_is_gatehouses_from_then_on(self):
        self.user("deploy", 1000)
        self.assertEqual(self.account("deploy", takes=["account deploy"])["uid"], 1000)
        self.assertEqual(self.account("deploy")["uid"], 1000)

    def test_one_that_is_made_here_is_never_asked_about_again(self):
        self.account("wiki")
        self.account("wiki")
        os.unlink(support.STATE / "items/account-wiki.json")  # the apply was killed behind useradd
        self.account("wiki")
        self.assertEqual([words[0] for words in self.ran], ["useradd"])

    def test_another_account_of_its_name_is_another_one(self):
        self.account("wiki")
        self.user("wiki", 1001)
        self.refused(1, "account wiki: UID 1001", call=lambda: self.account("wiki"))

    def test_what_an_agent_had_made_that_kept_no_list_is_gatehouses(self):
        self.user("wiki", 998)
        self.group("clients")
        store.settle("account-wiki", "machine/0", {"name": "wiki", "uid": 998, "gid": 998, "groups": []})
        store.settle("group-clients", "machine/0", {"name": "clients", "gid": 990})
        self.assertEqual(self.found("account wiki", "group clients"), {})
        self.group("later", 991)
        self.assertEqual(list(self.found("account wiki", "group clients", "group later")), ["group later"])

    def test_so_are_its_packages_and_none_that_came_later(self):
        store.settle("packages-db", "machine/0", {"versions": {"db": "1"}})
        created.begin()
        store.settle("packages-web", "machine/0", {"versions": {"web": "1"}})
        self.assertEqual(created.things(), {"package db"})

    def test_a_group_of_people_is_refused_and_one_of_an_accounts_own_name_too(self):
        self.group("clients", 990, "bob")
        self.refused(1, "group clients: GID 990, with bob", call=lambda: accounts.ensure_group('name = "clients"\n'))
        self.group("wiki")
        self.refused(1, "group wiki: GID 990, without members", call=lambda: self.account("wiki"))
        self.account("wiki", takes=["group wiki"])
        self.assertEqual(self.ran[0][2:4], ("--gid", "wiki"))


class Releases(Host):
    def test_a_file_of_nobodys_is_refused_and_nothing_is_changed(self):
        Path(at("etc")).mkdir()
        Path(at("etc/app.conf")).write_text("mine\n")
        before = self.standing()
        self.refused(1, f"file {at('etc/app.conf')}: 5 bytes of UID {os.getuid()}", file=[file("etc/app.conf", "x\n")])
        self.assertEqual(self.standing(), before)
        self.apply(file=[file("etc/app.conf", "x\n")], takes=[f"file {at('etc/app.conf')}"])
        self.apply(file=[file("etc/app.conf", "y\n")])

    def test_a_file_as_its_package_brought_it_is_no_persons(self):
        Path(at("etc")).mkdir()
        Path(at("etc/app.conf")).write_text("stock\n")
        self.brought = {at("etc/app.conf"): hashlib.md5(b"of before\n").hexdigest()}
        self.refused(1, "file", file=[file("etc/app.conf", "x\n")])
        self.brought = {at("etc/app.conf"): hashlib.md5(b"stock\n").hexdigest()}
        self.apply(file=[file("etc/app.conf", "x\n")])

    def test_what_was_made_while_our_packages_were_installed_is_theirs(self):
        keys = dict(file=[file("etc/hba.conf", "x\n")], unit=[{"name": "db.service"}])
        Path(at("etc")).mkdir()
        Path(at("etc/hba.conf")).write_text("created by a script of the package\n")
        self.systemd.active.add("db.service")
        self.refused(1, "file ", "unit db.service: running", **keys)
        created.add("unit db.service")
        self.apply(**keys)

    def test_the_cluster_that_an_upgrade_made_beside_the_releases_own_is_the_releases(self):
        self.apply(unit=[{"name": "db@15.service"}])
        self.systemd.active.update(("db@17.service", "web@17.service"))
        Path(at("etc")).mkdir()
        Path(at("etc/hba.conf")).write_text("copied by the upgrade\n")
        self.assertEqual(self.found("unit db@17.service", f"file {at('etc/hba.conf')}"), {})
        self.assertEqual(
            list(self.found("unit web@17.service", f"file {at('etc/hba.conf')}")),
            ["unit web@17.service", f"file {at('etc/hba.conf')}"],
        )

    def test_packages_are_noted_with_their_units_before_they_are_installed(self):
        self.patch(packages, "versions", lambda manager, names: {})
        self.patch(packages, "_install", lambda *_: self.assertIn("unit db.service", created.things()))
        packages.ensure('names = ["db"]\nunits = ["db.service"]\n')
        self.assertEqual(created.things(), {"package db", "unit db.service"})

    def test_packages_that_were_there_are_the_operators_and_so_is_what_they_run(self):
        created.begin()
        self.patch(packages, "versions", lambda manager, names: {"db": "1"})
        packages.ensure('names = ["db"]\nunits = ["db.service"]\n')
        self.assertEqual(created.things(), set())

    def test_an_account_that_a_package_brought_is_no_persons_also_where_the_installation_was_killed(self):
        self.patch(pwd, "getpwall", lambda: list(self.users.values()))
        self.patch(packages, "versions", lambda manager, names: {})
        install = {"missing": lambda names: self.user(names[0], 997)}
        self.patch(packages, "_held", contextlib.nullcontext)
        self.patch(packages.apt, "install", lambda names: install["missing"](names))
        self.user("bob")
        packages.ensure('names = ["db"]\n')
        self.assertEqual(list(self.found("account db", "account bob")), ["account bob"])

        def killed(names):
            self.user(names[0], 996)
            raise support.Killed

        install["missing"] = killed
        with self.assertRaises(support.Killed):
            packages.ensure('names = ["web"]\n')
        self.patch(packages, "versions", lambda manager, names: {"web": "1"})
        packages.ensure('names = ["web"]\n')
        self.user("eve")
        packages.ensure('names = ["web"]\n')
        self.assertEqual(list(self.found("account web", "account eve")), ["account eve"])

    def test_a_package_beside_the_one_that_brings_the_unit_says_nothing_of_it(self):
        self.patch(packages, "versions", lambda manager, names: {"db": "1"})
        self.patch(packages, "_install", lambda *_: None)
        packages.ensure('names = ["db", "curl"]\nunits = ["db.service"]\n')
        self.assertEqual(created.things(), {"package curl"})

    def test_a_unit_that_runs_is_refused_and_a_package_that_rests_is_not(self):
        self.assertEqual(self.found("unit caddy.service"), {})
        self.systemd.active.add("caddy.service")
        self.assertEqual(
            self.found("unit caddy.service"),
            {"unit caddy.service": "running, defined by /usr/lib/systemd/system/caddy.service"},
        )

    def test_a_unit_of_the_operators_own_is_refused_even_while_it_rests_unless_its_file_says_as_much(self):
        self.fragments["app.service"] = "/etc/systemd/system/app.service"
        self.assertEqual(
            self.found("unit app.service"), {"unit app.service": "exists, defined by /etc/systemd/system/app.service"}
        )
        self.fragments["app.service"] = at("etc/app.service")
        self.assertEqual(self.found("unit app.service", f"file {at('etc/app.service')}"), {})

    def test_what_a_release_has_is_its_own_also_of_one_that_was_killed_half_way(self):
        keys = dict(file=[file("etc/app.conf", "x\n")], unit=[{"name": "app.service"}])
        self.fragments["app.service"] = "/etc/systemd/system/app.service"
        self.patch(support.apply, "_step", self.dies)
        created.add("unit app.service")
        with self.assertRaises(support.Killed):
            self.apply(**keys, step=[support.shell("dies", "true")])
        self.assertEqual(self.found(f"file {at('etc/app.conf')}", "unit app.service"), {})

    def dies(self, *_):
        raise support.Killed

    def test_another_stacks_release_is_named_with_the_stack_and_moves_where_the_configuration_says_so(self):
        self.apply(file=[file("etc/app.conf", "x\n")], owner="shop/old/app")
        self.assertEqual(self.found(), {"stack shop/old": "on this host app belongs to it"})
        self.refused(
            1,
            "belongs to shop/old/app, not to shop/prod/app",
            "takeOver",
            "stack shop/old",
            file=[file("etc/app.conf", "x\n")],
        )
        self.refused(1, "belongs to shop/old/app", file=[file("etc/app.conf", "x\n")], takes=["stack shop/other"])
        self.apply(file=[file("etc/app.conf", "x\n")], takes=["stack shop/old"])
        self.assertEqual(store.Release("app").manifest().owner, "shop/prod/app")
        self.refused(
            1, "belongs to shop/prod/app, not to shop/old/app", file=[file("etc/app.conf", "x\n")], owner="shop/old/app"
        )
        self.assertFalse(remove.remove("app", "shop/old/app")["removed"])
        self.assertTrue(remove.remove("app", "shop/prod/app")["removed"])


class Podman(Host):
    def test_what_a_quadlet_names_is_needed(self):
        text = manifest(
            file=[
                {**file("web.container", QUADLET), "path": "/etc/containers/systemd/web.container"},
                {**file("web.pod", "PodName=web\n"), "path": "/etc/containers/systemd/web.pod"},
            ],
            unit=[{"name": "web.service"}],
            listens=["127.0.0.1:80/tcp"],
        )
        self.assertEqual(
            claims.of(load(text)),
            [
                "container web",
                "file /etc/containers/systemd/web.container",
                "file /etc/containers/systemd/web.pod",
                "pod web",
                "port 127.0.0.1:80/tcp",
                "unit web.service",
                "volume kept",
            ],
        )

    def test_what_was_made_by_hand_is_refused_and_what_a_unit_makes_anew_is_not(self):
        self.pods["pod"] = [{"Name": "web", "Labels": {}, "Containers": [{"Names": "web-infra"}, {"Names": "db"}]}]
        self.pods["ps"] = [{"Names": ["web"], "Labels": None}]
        self.pods["volume"] = [{"Name": "kept", "Labels": {}}]
        names = ("pod web", "container web", "volume kept", "unit web-pod.service")
        self.assertEqual(
            self.found(*names),
            {
                "pod web": "created by hand, with db and web-infra",
                "container web": "created by hand",
                "volume kept": "created by hand",
            },
        )
        self.pods["pod"][0]["Labels"] = {"PODMAN_SYSTEMD_UNIT": "web-pod.service"}
        self.assertNotIn("pod web", self.found(*names))
        self.pods["pod"][0]["Labels"] = {"PODMAN_SYSTEMD_UNIT": "theirs-pod.service"}
        self.assertEqual(self.found(*names)["pod web"], "created by theirs-pod.service, with db and web-infra")


class Ports(Host):
    def listen(self, port: int, unit: str = "", address: str = "0.0.0.0", protocol: str = "tcp", container: str = ""):
        self.sockets.append(listeners.Listener(address, port, protocol, str(len(self.sockets))))
        self.processes[self.sockets[-1].inode] = listeners.Process(7, "nginx", unit, container)

    def test_a_port_that_is_taken_is_told_with_who_has_it(self):
        self.listen(443, "nginx.service")
        self.assertEqual(
            self.found("port *:443/tcp"),
            {"port *:443/tcp": "taken by nginx (process 7) of nginx.service, which listens at 0.0.0.0"},
        )
        self.assertEqual(self.found("port *:443/udp", "port *:444/tcp"), {})

    def test_another_address_is_not_in_the_way_and_all_addresses_are(self):
        self.listen(9000, address="192.0.2.1")
        self.assertEqual(self.found("port 127.0.0.1:9000/tcp"), {})
        self.listen(9000, address="::")
        self.assertEqual(list(self.found("port 127.0.0.1:9000/tcp")), ["port 127.0.0.1:9000/tcp"])

    def test_what_the_stack_has_itself_its_up_moves_and_what_another_has_is_told(self):
        self.apply(unit=[{"name": "other.service"}], release="other")
        self.listen(9000, "other.service")
        self.assertEqual(self.found("port *:9000/tcp"), {})
        self.apply(unit=[{"name": "far.service"}], release="far", owner="away/prod/far")
        self.listen(9100, "far.service")
        self.assertIn("far.service, release far of away/prod/far", self.found("port *:9100/tcp")["port *:9100/tcp"])

    def test_who_is_told_of_by_another_name_is_not_told_twice(self):
        self.systemd.active.add("caddy.service")
        self.listen(443, "caddy.service")
        self.assertEqual(list(self.found("port *:443/tcp", "unit caddy.service")), ["unit caddy.service"])
        self.pods["ps"] = [{"Id": "abc", "Names": ["x-infra"], "PodName": "hand", "Labels": {}}]
        self.listen(9000, container="abc")
        self.assertEqual(
            self.found("port *:9000/tcp")["port *:9000/tcp"],
            "taken by nginx (process 7) of container x-infra, which listens at 0.0.0.0",
        )
        self.pods["pod"] = [{"Name": "hand", "Labels": {}}]
        self.assertEqual(list(self.found("port *:9000/tcp", "pod hand")), ["pod hand"])

    def test_the_kernels_own_tables_are_read(self):
        Path(at("net")).mkdir()
        Path(at("net/tcp")).write_text(
            "head\n 0: 0100007F:2328 00000000:0000 0A 0 0 0 0 0 41 x\n 1: 0100007F:2329 0100007F:0050 01 0 0 0 0 0 42 x\n"
        )
        Path(at("net/tcp6")).write_text(
            "head\n 0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 0 0 0 0 0 43 x\n"
            " 1: 0000000000000000FFFF00000100007F:01BC 00000000000000000000000000000000:0000 0A 0 0 0 0 0 44 x\n"
        )
        self.patch(listeners, "_PROC", support.TREE)
        self.assertEqual(
            LISTENERS(),
            [
                listeners.Listener("127.0.0.1", 9000, "tcp", "41"),
                listeners.Listener("::", 443, "tcp", "43"),
                listeners.Listener("127.0.0.1", 444, "tcp", "44"),
            ],
        )


class ForTheProgram(Host):
    def test_it_answers_claims_of_all_kinds_with_packages_as_what_they_brought(self):
        self.user("deploy", 1000)
        self.systemd.active.update(("caddy.service", "db.service"))
        created.add("package caddy")
        claims = [
            {"item": "packages-caddy", "packages": ["caddy"], "things": ["unit caddy.service"]},
            {"item": "packages-db", "packages": ["db"], "things": ["unit db.service"]},
            {"item": "account-deploy", "things": ["account deploy"], "groups": ["clients"]},
            {"item": "release-caddy", "owner": "shop/prod/caddy", "things": ["unit caddy.service"]},
            {"item": "release-db", "owner": "shop/prod/db", "things": ["unit db.service"]},
        ]
        self.patch(census.sys, "stdin", io.StringIO(json.dumps(claims)))
        with contextlib.redirect_stdout(io.StringIO()) as said:
            census.main()
        self.assertEqual(
            [found_object["thing"] for found_object in json.loads(said.getvalue())],
            ["account deploy", "unit db.service"],
        )

    def test_a_manifest_says_ports_in_one_way_only(self):
        for port in ("80", "*:80", "localhost:80/tcp", "*:80/sctp"):
            with self.subTest(port=port), self.assertRaises(Failure):
                load(manifest(listens=[port]))
        load(manifest(listens=["*:443/udp", "[::1]:80/tcp", "127.0.0.1:80/tcp"]))


if __name__ == "__main__":
    unittest.main()
