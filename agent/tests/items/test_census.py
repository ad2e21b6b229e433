"""Objects on the host with a name that gatehouse would use, and whether gatehouse created them."""

import contextlib
import errno
import grp
import hashlib
import io
import json
import os
import pwd
import unittest
from pathlib import Path
from unittest import mock

from gatehouse.drift import facts
from gatehouse.items import accounts, census, claims, packages
from gatehouse.items.census import Claim
from gatehouse.output.report import Failure
from gatehouse.protocol.manifest import load
from gatehouse.release import remove
from gatehouse.state import created, store, wanted
from gatehouse.system import listeners
from tests import support
from tests.support import HostTest, at, file, manifest

# The real functions, which the tests' host replaces.
STRANGERS, LISTENERS = census.unmanaged_objects, listeners.listeners
QUADLET = "[Container]\nContainerName=web\nVolume=kept:/data\nVolume=/srv:/srv\nVolume=other.volume:/x\n"


class Host(HostTest):
    """A host with simulated accounts, containers and sockets."""

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

    def test_an_existing_login_is_refused_with_its_details_and_not_changed(self):
        self.user("deploy", 1000, "sudo", "docker")
        self.refused(
            1,
            "account deploy: UID 1000, home /home/deploy, shell /bin/bash, a member of docker and sudo",
            "takeOver",
            call=lambda: self.account("deploy"),
        )
        self.assertEqual((self.ran, created.things()), ([], set()))

    def test_an_account_is_taken_over_on_request_and_managed_from_then_on(self):
        self.user("deploy", 1000)
        self.assertEqual(self.account("deploy", takes=["account deploy"])["uid"], 1000)
        self.assertEqual(self.account("deploy")["uid"], 1000)

    def test_an_account_created_by_gatehouse_is_never_refused(self):
        self.account("wiki")
        self.account("wiki")
        os.unlink(support.STATE / "items/account-wiki.json")  # the apply was killed after useradd
        self.account("wiki")
        self.assertEqual([words[0] for words in self.ran], ["useradd"])

    def test_a_recreated_account_with_another_uid_is_unmanaged(self):
        self.account("wiki")
        self.user("wiki", 1001)
        self.refused(1, "account wiki: UID 1001", call=lambda: self.account("wiki"))

    def test_accounts_created_by_an_older_agent_are_managed(self):
        self.user("wiki", 998)
        self.group("clients")
        store.settle("account-wiki", "machine/0", {"name": "wiki", "uid": 998, "gid": 998, "groups": []})
        store.settle("group-clients", "machine/0", {"name": "clients", "gid": 990})
        self.assertEqual(self.found("account wiki", "group clients"), {})
        self.group("later", 991)
        self.assertEqual(list(self.found("account wiki", "group clients", "group later")), ["group later"])

    def test_packages_of_an_older_agent_are_managed_and_later_ones_are_not(self):
        store.settle("packages-db", "machine/0", {"versions": {"db": "1"}})
        created.begin()
        store.settle("packages-web", "machine/0", {"versions": {"web": "1"}})
        self.assertEqual(created.things(), {"package db"})

    def test_a_group_with_members_is_refused_and_one_with_the_name_of_an_account_too(self):
        self.group("clients", 990, "bob")
        self.refused(1, "group clients: GID 990, with bob", call=lambda: accounts.ensure_group('name = "clients"\n'))
        self.group("wiki")
        self.refused(1, "group wiki: GID 990, without members", call=lambda: self.account("wiki"))
        self.account("wiki", takes=["group wiki"])
        self.assertEqual(self.ran[0][2:4], ("--gid", "wiki"))


class Releases(Host):
    def test_an_unmanaged_file_is_refused_and_nothing_is_changed(self):
        Path(at("etc")).mkdir()
        Path(at("etc/app.conf")).write_text("mine\n")
        before = self.standing()
        self.refused(1, f"file {at('etc/app.conf')}: 5 bytes of UID {os.getuid()}", file=[file("etc/app.conf", "x\n")])
        self.assertEqual(self.standing(), before)
        self.apply(file=[file("etc/app.conf", "x\n")], takes=[f"file {at('etc/app.conf')}"])
        self.apply(file=[file("etc/app.conf", "y\n")])

    def test_an_unchanged_file_of_a_package_is_accepted(self):
        Path(at("etc")).mkdir()
        Path(at("etc/app.conf")).write_text("stock\n")
        self.brought = {at("etc/app.conf"): hashlib.md5(b"of before\n").hexdigest()}
        self.refused(1, "file", file=[file("etc/app.conf", "x\n")])
        self.brought = {at("etc/app.conf"): hashlib.md5(b"stock\n").hexdigest()}
        self.apply(file=[file("etc/app.conf", "x\n")])

    def test_objects_created_by_our_packages_are_accepted(self):
        keys = dict(file=[file("etc/hba.conf", "x\n")], unit=[{"name": "db.service"}])
        Path(at("etc")).mkdir()
        Path(at("etc/hba.conf")).write_text("created by a script of the package\n")
        self.systemd.active.add("db.service")
        self.refused(1, "file ", "unit db.service: running", **keys)
        created.add("unit db.service")
        self.apply(**keys)

    def test_a_cluster_created_by_an_upgrade_beside_that_of_the_release_is_accepted(self):
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

    def test_packages_installed_before_and_their_units_are_unmanaged(self):
        created.begin()
        self.patch(packages, "versions", lambda manager, names: {"db": "1"})
        packages.ensure('names = ["db"]\nunits = ["db.service"]\n')
        self.assertEqual(created.things(), set())

    def test_an_account_created_by_a_package_is_accepted_even_if_the_installation_was_killed(self):
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

    def test_only_the_package_that_contains_a_unit_determines_its_origin(self):
        self.patch(packages, "versions", lambda manager, names: {"db": "1"})
        self.patch(packages, "_install", lambda *_: None)
        packages.ensure('names = ["db", "curl"]\nunits = ["db.service"]\n')
        self.assertEqual(created.things(), {"package curl"})

    def test_a_running_unit_is_refused_and_an_inactive_one_of_a_package_is_not(self):
        self.assertEqual(self.found("unit caddy.service"), {})
        self.systemd.active.add("caddy.service")
        self.assertEqual(
            self.found("unit caddy.service"),
            {"unit caddy.service": "running, defined by /usr/lib/systemd/system/caddy.service"},
        )

    def test_an_operators_unit_is_refused_even_if_inactive_unless_its_file_is_reported_already(self):
        self.fragments["app.service"] = "/etc/systemd/system/app.service"
        self.assertEqual(
            self.found("unit app.service"), {"unit app.service": "exists, defined by /etc/systemd/system/app.service"}
        )
        self.fragments["app.service"] = at("etc/app.service")
        self.assertEqual(self.found("unit app.service", f"file {at('etc/app.service')}"), {})

    def test_objects_of_a_release_are_its_own_even_after_an_interrupted_apply(self):
        keys = dict(file=[file("etc/app.conf", "x\n")], unit=[{"name": "app.service"}])
        self.fragments["app.service"] = "/etc/systemd/system/app.service"
        self.patch(support.apply, "_step", self.dies)
        created.add("unit app.service")
        with self.assertRaises(support.Killed):
            self.apply(**keys, step=[support.shell("dies", "true")])
        self.assertEqual(self.found(f"file {at('etc/app.conf')}", "unit app.service"), {})

    def dies(self, *_):
        raise support.Killed

    def test_a_release_of_another_stack_is_named_with_its_stack_and_moves_on_request(self):
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
    def test_names_in_a_quadlet_are_claimed(self):
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

    def test_manually_created_containers_are_refused_and_those_recreated_by_a_unit_are_not(self):
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

    def test_a_running_job_of_an_app_is_its_own(self):
        self.pods["ps"] = [{"Names": ["app-job"], "Labels": {"PODMAN_SYSTEMD_UNIT": "app-job.service"}}]
        self.assertEqual(self.found("container app-job"), {"container app-job": "created by app-job.service"})
        quadlet = file("job", "[Container]\n") | {"path": "/etc/containers/systemd/app-job.container"}
        with mock.patch.object(store.Release, "manifests", lambda _: [load(manifest(file=[quadlet]))]):
            self.apply(file=[file("etc/app.conf", "")])
            self.assertEqual(self.found("container app-job"), {})


class Ports(Host):
    def listen(self, port: int, unit: str = "", address: str = "0.0.0.0", protocol: str = "tcp", container: str = ""):
        self.sockets.append(listeners.Listener(address, port, protocol, str(len(self.sockets))))
        self.processes[self.sockets[-1].inode] = listeners.Process(7, "nginx", unit, container)

    def test_a_port_in_use_is_reported_with_its_process(self):
        self.listen(443, "nginx.service")
        self.assertEqual(
            self.found("port *:443/tcp"),
            {"port *:443/tcp": "taken by nginx (process 7) of nginx.service, which listens at 0.0.0.0"},
        )
        self.assertEqual(self.found("port *:443/udp", "port *:444/tcp"), {})

    def test_a_port_conflicts_on_the_same_address_and_on_all_addresses(self):
        self.listen(9000, address="192.0.2.1")
        self.assertEqual(self.found("port 127.0.0.1:9000/tcp"), {})
        self.listen(9000, address="::")
        self.assertEqual(list(self.found("port 127.0.0.1:9000/tcp")), ["port 127.0.0.1:9000/tcp"])

    def test_a_port_of_the_same_stack_is_accepted_and_that_of_another_is_reported(self):
        self.apply(unit=[{"name": "other.service"}], release="other")
        self.listen(9000, "other.service")
        self.assertEqual(self.found("port *:9000/tcp"), {})
        self.apply(unit=[{"name": "far.service"}], release="far", owner="away/prod/far")
        self.listen(9100, "far.service")
        self.assertIn("far.service, release far of away/prod/far", self.found("port *:9100/tcp")["port *:9100/tcp"])

    def test_an_object_reported_under_another_name_is_not_reported_twice(self):
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

    def test_the_kernels_socket_tables_are_parsed(self):
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
    def test_claims_of_all_kinds_are_answered_and_packages_cover_their_files(self):
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
        self.assertEqual(self.asked(claims=claims, takes=[]), ["account deploy", "unit db.service"])

    def asked(self, **question) -> list[str]:
        self.patch(census.sys, "stdin", io.StringIO(json.dumps(question)))
        with contextlib.redirect_stdout(io.StringIO()) as said:
            census.main()
        return [found_object["thing"] for found_object in json.loads(said.getvalue())]

    def test_the_wanted_releases_are_recorded_unless_an_object_is_in_the_way(self):
        self.user("deploy", 1000)
        claims = [{"item": "account-deploy", "things": ["account deploy"], "groups": []}]
        wants = {"stack": "shop/prod", "releases": {"caddy": "1", "app-wiki": ""}}
        self.asked(claims=claims, takes=[], wants=wants)
        self.asked(claims=claims, takes=["account deploy"])
        self.assertEqual(wanted.of_stacks(), {})
        self.asked(claims=claims, takes=["account deploy"], wants=wants)
        self.assertEqual(wanted.of_stacks(), {"shop/prod": {"app-wiki": "", "caddy": "1"}})
        self.asked(claims=[], takes=[], wants={**wants, "releases": {"caddy": "2"}})
        self.assertEqual(facts.facts()["wants"], {"shop/prod": {"caddy": "2"}})

    def test_a_full_disk_is_named_with_its_path(self):
        self.patch(wanted, "write_private", mock.Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
        with self.assertRaises(SystemExit) as ended:
            self.asked(claims=[], takes=[], wants={"stack": "shop/prod", "releases": {"caddy": ""}})
        self.assertRegex(
            str(ended.exception.code),
            f"cannot be recorded in {store.STATE}: No space left on device; nothing was changed.*df -h {store.STATE}",
        )

    def test_ports_in_a_manifest_have_one_form(self):
        for port in ("80", "*:80", "localhost:80/tcp", "*:80/sctp"):
            with self.subTest(port=port), self.assertRaises(Failure):
                load(manifest(listens=[port]))
        load(manifest(listens=["*:443/udp", "[::1]:80/tcp", "127.0.0.1:80/tcp"]))


if __name__ == "__main__":
    unittest.main()
