"""A unit of another release is told of a change last: once the release that brings it is well by itself."""

import unittest
from pathlib import Path

import support  # first: it puts the agent on the path
import transaction
from report import NOT_ROLLED_BACK, NOTHING_BEFORE, ROLLED_BACK
from store import Release
from support import HostTest, Killed, at, file, live, shell

OWN, FRONT = "app.service", "front.service"


class Telling(HostTest):
    def setUp(self):
        super().setUp()
        site = Path(at("etc/app.site"))  # there before, so that the front always has something to read
        site.parent.mkdir()
        site.write_text("none")
        self.systemd.reads[FRONT] = str(site)
        self.systemd.do("start", FRONT)
        self.systemd.log.clear()

    def keys(self, word: str, **keys) -> dict:
        """The front asks the app, and the app's site what the front has read."""
        log = at("order")
        return dict(file=[file("etc/app.conf", word, restarts=[OWN]), file("etc/app.site", word, reloads=[FRONT])], unit=[{"name": OWN}],
                    step=[shell("step", f"echo step >> {log}")],
                    probe=[shell("site", f"echo site >> {log}"), shell("app", f"echo app >> {log}", alone=True)]) | keys

    def order(self) -> list[str]:
        return live("order").split()

    def test_it_is_reloaded_once_units_steps_and_the_probes_alone_are_done(self):
        heard = []
        self.patch(self.systemd, "do", lambda verb, unit="", do=self.systemd.do: heard.append((verb, unit, self.seen())) or do(verb, unit))
        answer = self.apply(**self.keys("one"))
        self.assertEqual(heard, [("restart", OWN, []), ("reload", FRONT, ["step", "app"])])
        self.assertEqual(self.order(), ["step", "app", "site", "app"])
        self.assertEqual(answer["units"], {OWN: "restart", FRONT: "reload"})
        self.assertEqual(self.systemd.loaded[FRONT], b"one")

    def seen(self) -> list[str]:
        return self.order() if Path(at("order")).exists() else []

    def test_who_has_nothing_to_tell_asks_each_probe_once(self):
        self.apply(**self.keys("one", file=[file("etc/app.conf", "one", restarts=[OWN])]))
        self.assertEqual(self.order(), ["step", "site", "app"])

    def test_a_release_that_is_not_well_by_itself_tells_nobody(self):
        for broken in (dict(probe=[shell("app", "false", alone=True)]), dict(step=[shell("step", "false")]), dict(unit=[{"name": OWN}, {"name": "dead.service"}])):
            self.systemd.unknown = {"dead.service"}
            self.refused(NOTHING_BEFORE, **self.keys("one", **broken))
            self.assertEqual([line for line in self.systemd.log if FRONT in line], [])
            self.assertIn(FRONT, self.systemd.active)

    def test_a_site_that_does_not_answer_is_taken_back_out(self):
        self.apply(**self.keys("one"))
        self.systemd.log.clear()
        self.refused(ROLLED_BACK, "probe site", **self.keys("two", probe=[shell("site", f"grep -q one {at('etc/app.site')}")]))
        self.assertEqual([line for line in self.systemd.log if FRONT in line], [f"reload {FRONT}"] * 2)
        self.assertEqual(self.systemd.loaded[FRONT], b"one")

    def test_who_was_not_told_and_read_the_files_for_another_release_reads_them_again_on_the_way_back(self):
        def another(_, told=[]):
            told or told.append(self.systemd.do("reload", FRONT))
            return "broken"

        self.apply(**self.keys("one"))
        self.patch(transaction.probes, "ask", another)
        self.refused(4, "broken", **self.keys("two"))
        self.assertEqual(self.systemd.loaded[FRONT], b"one")

    def test_its_words_are_shown_where_it_was_told_and_not_before(self):
        shown = []
        self.patch(support.units, "journal", lambda units, *_: shown.append(units) or "")
        self.refused(NOTHING_BEFORE, **self.keys("one", probe=[shell("app", "false", alone=True)]))
        self.refused(NOTHING_BEFORE, **self.keys("one", probe=[shell("site", "false")]))
        self.assertEqual(shown, [[OWN], [OWN, FRONT]])

    def test_killed_before_or_after_it_is_told_the_way_back_ends_where_it_began(self):
        self.apply(**self.keys("one"))
        before = self.standing()
        for point in ("stepped", "told"):
            self.patch(transaction.faults, "point", lambda name, point=point: self.kill() if name == point else None)
            with self.assertRaises(Killed):
                self.apply(**self.keys("two", step=[shell("step", "true")]))
            self.patch(transaction.faults, "point", lambda _: None)
            transaction.back.resolve(Release("app"))
            Path(at("order")).write_bytes(before[0]["order"][0])
            self.assertEqual(self.standing(), before)

    def kill(self):
        raise Killed

    def test_who_cannot_go_back_tells_of_what_stays(self):
        image = lambda n: dict(image=[{"reference": f"app:{n}"}], guard=[dict(name="data", units=[OWN], save=["true"], restore=["false"])])  # noqa: E731
        self.apply(**self.keys("one", **image(1)))
        self.refused(NOT_ROLLED_BACK, **self.keys("two", **image(2), probe=[shell("app", "false", alone=True)]))
        self.assertEqual(self.systemd.loaded[FRONT], b"two")


if __name__ == "__main__":
    unittest.main()
