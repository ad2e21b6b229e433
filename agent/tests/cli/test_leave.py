"""`gatehouse leave`: when a stack leaves a host, it lists what stays there, and the command that deletes each of it."""

import io
import pwd
import sys
import unittest

from gatehouse.cli import leave
from gatehouse.items import accounts
from gatehouse.output.report import Failure
from gatehouse.protocol.answers import PackagesAnswer
from gatehouse.release import purge
from gatehouse.state import created, remains, repositories, store, wanted
from gatehouse.system import machine, safepath
from tests import support
from tests.support import at, secret
from tests.verbs import VerbTest

STACK = "shop/prod"


class Leave(VerbTest):
    def setUp(self):
        super().setUp()
        self.there = {"/var/lib/app"}
        self.patch(purge, "BACKUPS", support.TREE / "backups")
        self.patch(leave, "_there", lambda path: path in self.there or safepath.status(path) is not None)

    def ask(self, *argv: str) -> tuple[int, str]:
        """As `pulumi destroy` calls it."""
        self.patch(sys, "stdin", io.StringIO("the source of the agent, which it does not need\n"))
        return super().ask(*argv)

    def given(self, **keys) -> None:
        super().given(owner=f"{STACK}/{keys.get('release', 'app')}", **keys)

    def app(self, **keys) -> None:
        self.given(
            directory=[{"path": at("var/app"), "mode": "0755", "owner": support.OWNER}],
            image=[{"reference": "app:1"}],
            unit=[{"name": "app.service"}],
            data=[
                {"name": "files", "path": at("var/app/files")},
                {"name": "database", "save": ["true"], "drop": ["true"], "database": "wiki"},
            ],
            **keys,
        )

    def stays(self, kind: str) -> dict[str, str]:
        """What stays of a kind, and the command for each."""
        status, text = self.ask("leave", STACK)
        self.assertEqual(status, 0, text)
        found = self.answers(0, "leave", STACK)["stays"]
        for one in found:
            self.assertRegex(text, rf"(?m)^{one['kind']} +{one['name'].replace('(', '.').replace(')', '.')} +")
        return {one["name"]: one["delete"] for one in found if one["kind"] == kind}

    def test_data_and_folders_of_removed_releases_and_databases_stay(self):
        self.app()
        (support.TREE / "var/app/files").mkdir()
        self.ask("remove", "app", "--owner", f"{STACK}/app")
        self.assertEqual(
            self.stays("data"),
            {
                at("var/app/files"): f"rm -r {at('var/app/files')}",
                "database wiki": "runuser -u postgres -- dropdb wiki",
            },
        )
        self.assertEqual(self.stays("folder"), {at("var/app"): f"rm -r {at('var/app')}"})

    def test_data_that_is_gone_or_in_use_again_is_not_listed(self):
        self.app()
        self.ask("remove", "app", "--owner", f"{STACK}/app")
        self.assertEqual(list(self.stays("data")), ["database wiki"], "there is no folder")
        self.app()
        remains.drop("app")  # as the verb `release` does
        self.assertEqual(self.stays("data"), {})
        self.ask("remove", "app", "--owner", f"{STACK}/app", "--purge")
        self.assertEqual(remains.of("data"), [])

    def test_secrets_stay_though_their_resource_is_removed(self):
        self.given(release="pw", secret=True, file=[secret("pw", "correct-horse")])
        self.ask("remove", "pw", "--owner", f"{STACK}/pw")
        path = f"{support.STATE}/secrets/pw"
        self.assertEqual(self.stays("secrets"), {path: f"rm -r {path}"})

    def test_secrets_that_an_operator_deleted_or_that_have_no_file_are_not_listed(self):
        self.given(release="roles", secret=True, probe=[support.shell("answers", "true")])
        self.given(release="pw", secret=True, file=[secret("pw", "correct-horse")])
        for name in ("pw", "roles"):
            self.ask("remove", name, "--owner", f"{STACK}/{name}")
        self.assertEqual(list(self.stays("secrets")), [f"{support.STATE}/secrets/pw"])
        support.shutil.rmtree(support.STATE / "secrets/pw")
        self.assertEqual(self.stays("secrets"), {})

    def test_secrets_of_a_release_that_is_in_use_are_not_listed(self):
        self.given(release="pw", secret=True, file=[secret("pw", "correct-horse")])
        self.assertEqual(self.stays("secrets"), {})
        self.assertIn("releases of stack shop/prod are still on this host: pw\n", self.ask("leave", STACK)[1])

    def test_what_gatehouse_created_stays_but_nothing_that_a_person_owns(self):
        known = {"app": 990, "deploy": 1000}
        self.patch(
            accounts,
            "look_account",
            lambda name: {"name": name, "uid": known[name], "gid": 1, "groups": []} if name in known else None,
        )
        self.patch(
            accounts, "look_group", lambda name: {"name": name, "gid": 1} if name in ("clients", "app") else None
        )
        self.patch(leave.pwd, "getpwnam", lambda name: pwd.struct_passwd((name, "", 1, 1, "", f"/var/lib/{name}", "")))
        created.add(
            *("account app", "account deploy", "account gone", "group app", "group clients"),
            *("package caddy", "unit caddy.service", "unit other.timer"),
        )
        self.systemd.enabled = {"caddy.service"}
        answer: PackagesAnswer = {"manager": "pacman", "versions": {"caddy": "2"}}
        store.settle("packages-caddy", "machine/0", answer)
        self.assertEqual(self.stays("account"), {"app": "userdel app"})
        self.assertEqual(self.stays("group"), {"clients": "groupdel clients"})
        self.assertEqual(self.stays("folder"), {"/var/lib/app": "rm -r /var/lib/app"})
        self.assertEqual(self.stays("package"), {"caddy": "pacman -Rns caddy"})
        self.assertEqual(
            self.stays("unit"), {"caddy.service (starts at the next boot)": "systemctl disable caddy.service"}
        )

    def test_images_of_all_kept_generations_and_backups_stay(self):
        self.app()
        self.app(deadline=2)
        self.patch(self.systemd, "image", lambda reference: None if reference == "gone:1" else machine.Image("4f5e", 1))
        self.given(release="gone", image=[{"reference": "gone:1"}])
        for name in ("app", "gone"):
            self.ask("remove", name, "--owner", f"{STACK}/{name}")
        repositories.remember("/srv/backups", "passphrase")
        self.assertEqual(self.stays("image"), {"app:1": "podman image rm app:1"})
        self.assertEqual(list(self.stays("backups")), ["/srv/backups"])
        purge.BACKUPS.mkdir()
        self.assertEqual(list(self.stays("backups")), ["/srv/backups", str(purge.BACKUPS)])
        self.assertEqual(self.stays("agent")["/usr/local/bin/gatehouse"], "rm -r /usr/local/bin/gatehouse")

    def test_it_wants_nothing_any_more_and_names_the_stacks_that_stay(self):
        wanted.record(STACK, {"app": "", "server": ""})
        super().given(release="site", owner="other/prod/site")
        self.assertIn("check first what other stacks on this host use: other/prod\n", self.ask("leave", STACK)[1])
        self.shows(0, "1 release, all healthy", argv=("status",))

    def test_databases_and_roles_that_steps_created_stay_each_once(self):
        self.app()
        self.given(release="postgres", leaves=["database wiki", "database shop", "role wiki"])
        for name in ("app", "postgres"):
            self.ask("remove", name, "--owner", f"{STACK}/{name}")
        self.assertEqual(
            self.stays("data"),
            {
                name: f"runuser -u postgres -- drop{name.replace('atabase', 'b')}"
                for name in ("database wiki", "database shop")
            },
        )
        self.assertEqual(self.stays("role"), {"wiki": "runuser -u postgres -- dropuser wiki"})
        self.refused(1, "leaves: 'table wiki' is not `database NAME` or `role NAME`", leaves=["table wiki"])

    def test_a_mistyped_stack_is_refused_to_an_operator_with_those_that_are_known(self):
        def mistyped() -> str:
            self.patch(sys, "stdin", io.StringIO(""))
            with self.assertRaises(Failure) as refused:
                VerbTest.ask(self, "leave", "shop/prdo")
            return str(refused.exception)

        unknown = "stack shop/prdo has nothing on this host; nothing was changed. Stacks that have, or had: "
        self.assertEqual(mistyped(), f"{unknown}none")
        self.app()
        super().given(release="site", owner="other/prod/site")
        wanted.record("other/live", {"site": ""})
        self.assertEqual(mistyped(), f"{unknown}other/live, other/prod, shop/prod")
        self.ask("remove", "app", "--owner", f"{STACK}/app")
        self.assertEqual(mistyped(), f"{unknown}other/live, other/prod, shop/prod")
        self.patch(sys, "stdin", io.StringIO(""))
        self.assertEqual(VerbTest.ask(self, "leave", STACK)[0], 0, "the list once more after a destroy")
        self.assertEqual(self.ask("leave", "shop/prdo")[0], 0, "in a destroy of a stack whose first up failed")

    def test_a_stack_with_releases_on_the_host_has_not_left(self):
        self.app()
        self.assertIn("releases of stack shop/prod are still on this host: app\n", self.ask("leave", STACK)[1])
        self.assertEqual([r.name for r in store.releases()], ["app"])


if __name__ == "__main__":
    unittest.main()
