"""`gatehouse history`, `diff` and `rollback`."""

import os
import unittest
from functools import partial

from gatehouse.drift import facts
from gatehouse.output.report import ROLLED_BACK
from gatehouse.release import undo
from gatehouse.state import store
from tests import support
from tests.support import at, file, live, secret, shell
from tests.verbs import VerbTest


class Generations(VerbTest):
    def setUp(self):
        super().setUp()
        self.one = dict(
            file=[file("etc/app.conf", "port = 1\nhost = a\n", restarts=["app.service"]), file("etc/same", "same")],
            unit=[{"name": "app.service"}],
        )
        self.two = dict(
            file=[
                file("etc/app.conf", "port = 2\nhost = a\n", restarts=["app.service"]),
                file("etc/same", "same"),
                file("etc/new", "new\n"),
            ],
            unit=[{"name": "app.service"}],
        )
        self.given(**self.one)
        self.given(**self.two)

    def drifted(self, release: str = "app") -> list:
        return facts.facts()["items"][f"release-{release}"]["drifted"]

    # ------------------------------------------------------------ history

    def test_history_lists_times_and_changes(self):
        rows = self.shows(0, argv=("history", "app")).splitlines()[1:]
        self.assertEqual(
            [row.split()[:2] + row.split()[-1:] for row in rows if row.startswith("app")],
            [["app", "2", at("etc/app.conf")], ["app", "1", at("etc/app.conf")]],
        )
        self.assertIn(" live ", rows[0])
        generations = self.answers(0, "history")["releases"][0]["generations"]
        self.assertEqual(
            [(g["generation"], g["changed"], g["live"]) for g in generations],
            [(1, [at("etc/app.conf"), at("etc/same")], False), (2, [at("etc/app.conf"), at("etc/new")], True)],
        )
        self.assertGreaterEqual(generations[1]["applied_seconds"], generations[0]["applied_seconds"])

    def test_a_reworded_manifest_keeps_what_its_generation_changed(self):
        before = self.answers(0, "history")
        self.given(**self.two | {"step": [shell("another", "true")]})
        self.assertEqual(self.answers(0, "history"), before)

    def test_generations_of_an_older_agent_are_listed_without_what_it_did_not_record(self):
        os.unlink(store.Release("app").folder / "1/left.json")
        self.shows(0, "not recorded", argv=("history",))

    def test_an_unknown_release(self):
        self.refused(1, "release other is not on this host; there are: app", call=lambda: self.ask("history", "other"))
        self.refused(1, "release ../app is not", call=lambda: self.ask("rollback", "../app"))

    # ------------------------------------------------------------ diff

    def test_diff_shows_the_changed_lines_only(self):
        text = self.shows(
            0,
            f"--- {at('etc/app.conf')}\tgeneration 1, 0644",
            "-port = 1\n+port = 2\n host = a",
            "--- /dev/null\tgeneration 1\n",
            "+new",
            argv=("diff", "app", "1", "2"),
        )
        self.assertNotIn("etc/same", text)
        self.assertEqual(set(self.answers(0, "diff", "app", "2", "1")["files"]), {at("etc/app.conf"), at("etc/new")})
        self.shows(0, "no file differs", argv=("diff", "app", "2", "2"))

    def test_diff_shows_a_changed_mode(self):
        self.given(**self.two | {"file": [*self.two["file"][:2], file("etc/new", "new\n", "0600")]})
        self.assertEqual(
            len(self.shows(0, "generation 2, 0644", "generation 3, 0600", argv=("diff", "app", "2", "3")).splitlines()),
            2,
        )

    def test_a_secret_release_is_neither_shown_nor_rolled_back(self):
        for word in ("secret-one", "secret-two"):
            self.given(release="pw", secret=True, file=[secret("pw", word, rotation=word)])
        for argv in (("diff", "pw", "1", "2"), ("diff", "pw", "2", "2"), ("rollback", "pw"), ("rollback", "pw", "2")):
            self.assertNotIn("secret-", self.refused(1, "its content is not shown", call=partial(self.ask, *argv)))
        self.assertEqual(self.answers(0, "history", "pw")["releases"][0]["generations"][0]["generation"], 2)

    def test_a_generation_that_is_not_kept(self):
        self.refused(
            1,
            "generation 7 of release app is not kept on this host; there are: 1, 2",
            call=lambda: self.ask("diff", "app", "1", "7"),
        )
        self.refused(1, "generation 0 of", call=lambda: self.ask("rollback", "app", "0"))

    # ------------------------------------------------------------ rollback

    def test_rollback_applies_the_previous_generation_and_the_program_sees_it(self):
        self.assertEqual(self.drifted(), [])
        self.shows(0, "is rolled back to generation 1, as generation 3", "pulumi preview", argv=("rollback", "app"))
        self.assertEqual((live("etc/app.conf"), os.path.exists(at("etc/new"))), ("port = 1\nhost = a\n", False))
        self.assertIn("restart app.service", self.systemd.log)
        item = facts.facts()["items"]["release-app"]
        self.assertEqual(
            (item["due"], item["drifted"]), ("machine/1", ["release app was rolled back by hand to generation 1"])
        )
        self.given(**self.two)
        self.assertEqual((live("etc/app.conf"), self.drifted()), ("port = 2\nhost = a\n", []))

    def test_rollback_to_a_chosen_generation_answers_json(self):
        self.given(**self.one | {"file": self.one["file"][:1]})
        done = self.answers(0, "rollback", "app", "1")
        self.assertEqual((done["generation"], done["rolled_back_to"], done["changed"]), (4, 1, [at("etc/same")]))
        self.assertEqual(self.drifted(), ["release app was rolled back by hand to generation 1"])

    def test_rolling_back_and_forth_ends_in_sync_with_the_program(self):
        self.ask("rollback", "app")
        self.ask("rollback", "app")
        self.assertEqual((live("etc/app.conf"), self.drifted()), ("port = 2\nhost = a\n", []))

    def test_the_oldest_kept_generation_can_be_rolled_back_to(self):
        for port in range(3, 8):
            self.given(**self.one | {"file": [file("etc/app.conf", f"port = {port}\n")]})
        self.ask("rollback", "app", "3")
        self.assertEqual(
            (live("etc/app.conf"), self.drifted()),
            ("port = 3\n", ["release app was rolled back by hand to generation 3"]),
        )

    def test_a_rollback_that_is_not_healthy_is_undone_and_not_reported_to_the_program(self):
        before, self.systemd.broken = self.standing(), lambda unit: live("etc/app.conf").startswith("port = 1")
        self.refused(
            ROLLED_BACK, "rolled back to generation 2, which is healthy", call=lambda: self.ask("rollback", "app")
        )
        self.assertEqual((self.standing(), self.drifted()), (before, []))

    def test_a_rollback_killed_before_its_note_is_due_anyway(self):
        with support.mock.patch.object(store, "note", side_effect=support.Killed), self.assertRaises(support.Killed):
            self.ask("rollback", "app")
        self.assertEqual(self.drifted(), ["the program does not know of generation 3 of release app"])

    def test_a_generation_that_cannot_be_applied_again_is_refused(self):
        self.refused(1, "generation 2 of release app is live", call=lambda: self.ask("rollback", "app", "2"))
        self.given(release="one", file=[file("etc/one", "1")])
        self.refused(1, "release one has no generation before the live one", call=lambda: self.ask("rollback", "one"))
        manifest = store.Release("app").folder / "1/manifest.toml"
        manifest.write_text(undo.UNPROVEN + manifest.read_text())
        self.refused(1, "was never found healthy", call=lambda: self.ask("rollback", "app", "1"))
        self.refused(1, "no generation before", call=lambda: self.ask("rollback", "app"))
        manifest.write_text(support.manifest(refers=[f"{support.STATE}/secrets/pw/1"]))
        self.refused(1, "secrets that no longer exist", call=lambda: self.ask("rollback", "app"))
        self.assertEqual(store.Release("app").generation, 2)


if __name__ == "__main__":
    unittest.main()
