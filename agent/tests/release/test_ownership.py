"""A release and each of its files have one owner; others can neither change nor delete them."""

import unittest
from functools import partial
from unittest import mock

from gatehouse.items import accounts
from gatehouse.output.report import REFUSED
from gatehouse.release import apply, remove
from gatehouse.state.store import Release
from tests import support
from tests.support import HostTest, at, file, live


class Releases(HostTest):
    def setUp(self):
        super().setUp()
        self.keys = dict(
            file=[file("etc/app.conf", "one", restarts=["app.service"])],
            unit=[{"name": "app.service", "enabled": True}],
        )
        self.apply(owner="shop/prod/app", **self.keys)
        self.before = self.standing()

    def test_another_stack_is_refused(self):
        for owner in ("shop/test/app", "other/prod/app"):
            self.refused(REFUSED, "belongs to shop/prod/app", f"not to {owner}", "nothing was changed", owner=owner)
        self.assertEqual(self.standing(), self.before)
        self.assertEqual(Release("app").manifest().owner, "shop/prod/app")

    def test_another_resource_of_the_stack_takes_it_over_without_touching_the_host(self):
        self.systemd.log.clear()
        answer = self.apply(owner="shop/prod/renamed", **self.keys)
        self.assertEqual((answer["generation"], self.systemd.log, self.standing()), (1, [], self.before))
        self.assertEqual(Release("app").manifest().owner, "shop/prod/renamed")

    def test_a_former_owner_removes_nothing(self):
        self.apply(owner="shop/prod/renamed", **self.keys)
        answer = remove.remove("app", "shop/prod/app")
        self.assertEqual((answer["removed"], answer["why"]), (False, "it belongs to shop/prod/renamed"))
        self.assertEqual(self.standing(), self.before)
        self.assertTrue(remove.remove("app", "shop/prod/renamed")["removed"])
        self.assertEqual(support.tree(), {})

    def test_a_replaced_resource_deletes_first_and_creates_second(self):
        self.assertTrue(remove.remove("app", "shop/prod/app")["removed"])
        self.assertEqual(self.apply(owner="shop/prod/app", **self.keys)["generation"], 1)
        self.assertEqual(self.standing(), self.before)


class Accounts(HostTest):
    """Accounts that exist without groups, so that the tests do not change this machine."""

    def setUp(self):
        super().setUp()
        self.ran = []
        there = mock.Mock(pw_uid=990, pw_gid=990)
        for name, stand_in in (
            ("_account", lambda _: there),
            ("_memberships", lambda _: []),
            ("_group", lambda name: name),
            ("_run", lambda *argv: self.ran.append(argv)),
        ):
            self.patch(accounts, name, stand_in)

    def ask(self, owner: str = "shop/prod/app", **keys) -> dict:
        return accounts.ensure_account(
            support.toml(
                {
                    "name": "app",
                    "home": "/var/lib/app",
                    "groups": ["clients"],
                    "owner": owner,
                    "releases": ["app", "app-part"],
                }
                | keys
            )
        )

    def test_an_account_for_a_release_of_another_stack_is_refused_before_any_change(self):
        for release in ("app", "app-part"):
            with self.subTest(release):
                self.apply(release=release, owner="shop/prod/app")
                for owner in ("shop/test/app", "other/prod/app"):
                    self.refused(
                        REFUSED,
                        f"release {release} on this host belongs to shop/prod/app, not to {owner}; nothing was changed",
                        call=partial(self.ask, owner),
                    )
                self.assertEqual(self.ran, [])
                remove.remove(release, "shop/prod/app")
                self.ask("shop/test/app")
                self.assertEqual(self.ran, [("usermod", "--groups", "clients", "app")])
                self.ran.clear()

    def test_an_account_for_a_release_of_the_same_stack_or_of_none_is_changed(self):
        self.apply(release="app", owner="shop/prod/another")
        self.apply(release="app-other", owner="other/prod/app-other")
        self.ask()
        self.assertEqual(self.ran, [("usermod", "--groups", "clients", "app")])

    def test_an_account_for_a_release_in_progress_is_refused_too(self):
        with mock.patch.object(
            apply.probes,
            "await_all",
            lambda *_: self.refused(REFUSED, "belongs to shop/prod/app", call=lambda: self.ask("shop/test/app")),
        ):
            self.apply(release="app", owner="shop/prod/app")
        self.assertEqual(self.ran, [])


class Files(HostTest):
    def setUp(self):
        super().setUp()
        self.apply(release="one", file=[file("etc/shared", "one"), file("etc/one", "one")])

    def test_a_file_of_another_release_is_refused_with_the_remedy(self):
        self.refused(
            REFUSED,
            f"{at('etc/shared')} belongs to release one (shop/prod/one)",
            "remove it there with one `pulumi up`, then add it to two",
            "nothing was changed",
            release="two",
            file=[file("etc/shared", "two"), file("etc/two", "two")],
        )
        self.assertEqual(set(support.tree()), {"etc/one", "etc/shared"})
        self.assertEqual(live("etc/shared"), "one")

    def test_a_file_moves_with_two_applies(self):
        self.apply(release="one", file=[file("etc/one", "one")])
        self.apply(release="two", file=[file("etc/shared", "two")])
        self.apply(release="one", file=[file("etc/one", "one again")])
        remove.remove("one", "shop/prod/one")
        self.assertEqual({path: entry[0] for path, entry in support.tree().items()}, {"etc/shared": b"two"})


class Races(HostTest):
    def test_of_two_concurrent_applies_one_gets_the_file_and_the_unit(self):
        for what in ({"file": [file("etc/shared", "x")]}, {"unit": [{"name": "app.service"}]}):
            run = support.apply.checks.run

            def meanwhile(*arguments, run=run, what=what):
                run(*arguments)
                with support.mock.patch.object(support.apply.checks, "run", run):
                    self.apply(release="fast", **what)

            with self.subTest(what), support.mock.patch.object(support.apply.checks, "run", meanwhile):
                self.refused(REFUSED, "belongs to release fast", "nothing was changed", release="slow", **what)
                self.assertFalse(Release("slow").record.exists())

    def test_a_claim_counts_before_the_file_exists(self):
        refusals = []
        # Between claim and swap, when data is saved.
        with support.mock.patch.object(
            support.apply.guards,
            "save",
            lambda _: refusals.append(
                self.refused(REFUSED, "belongs to release slow", release="fast", file=[file("etc/shared", "x")])
            ),
        ):
            self.apply(release="slow", file=[file("etc/shared", "slow")])
        self.assertEqual((len(refusals), live("etc/shared")), (1, "slow"))


class Units(HostTest):
    def test_a_unit_of_another_release_is_refused_and_moves_with_two_applies(self):
        unit = [{"name": "app.service", "enabled": True}]
        self.apply(release="one", unit=unit)
        self.refused(REFUSED, "app.service belongs to release one (shop/prod/one)", release="two", unit=unit)
        self.apply(release="one")
        self.apply(release="two", unit=unit)
        remove.remove("one", "shop/prod/one")
        self.assertEqual((self.systemd.active, self.systemd.enabled), ({"app.service"}, {"app.service"}))


if __name__ == "__main__":
    unittest.main()
