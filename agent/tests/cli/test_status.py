"""`gatehouse status`: exits with 0 if all is healthy, and otherwise with 3 and a list of problems."""

import os
import unittest

from gatehouse.output import table
from gatehouse.state import store
from tests import support
from tests.support import at, file, secret, shell
from tests.verbs import VerbTest


class Status(VerbTest):
    def setUp(self):
        super().setUp()
        self.ok = support.ROOM / "ok"
        self.ok.write_text("")
        self.keys = dict(
            file=[file("etc/app.conf", "port = 1\n")],
            unit=[{"name": "app.service"}, {"name": "side.service"}],
            probe=[shell("answers", f"test -e {self.ok} || {{ echo no answer; exit 1; }}")],
        )
        self.given(**self.keys)

    def release(self, code: int) -> dict:
        found = self.answers(code, "status")
        self.assertEqual(found["healthy"], code == 0)
        return found["releases"][0]

    def test_a_healthy_host(self):
        text = self.shows(0, "1 release, all healthy", argv=("status",))
        head, first, second = text.splitlines()[:3]
        self.assertEqual(
            first.split(), ["app", "1", "0", "s", "ago", "app.service", "active", "1", "of", "1", "pass", "in", "sync"]
        )
        self.assertEqual(head.index("UNIT"), first.index("app.service"))
        self.assertEqual(head.index("UNIT"), second.index("side.service"))
        found = self.release(0)
        self.assertEqual(
            (
                found["generation"],
                found["units"],
                found["probes"],
                found["drifted"],
                found["interrupted"],
                found["healthy"],
            ),
            (1, {"app.service": "active", "side.service": "active"}, {"answers": None}, [], False, True),
        )
        self.assertRegex(found["applied"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_a_refused_first_apply_creates_no_release(self):
        self.refused(
            support.report.REFUSED,
            "belongs to release app",
            call=lambda: self.given(release="other", unit=[{"name": "app.service"}]),
        )
        self.assertTrue((support.STATE / "releases/other").exists())
        self.assertEqual([r["release"] for r in self.answers(0, "status")["releases"]], ["app"])

    def test_a_failing_probe_is_unhealthy(self):
        self.ok.unlink()
        self.shows(3, "0 of 1 pass  unhealthy", "app      probe answers: no answer", argv=("status",))
        self.assertEqual(self.release(3)["probes"], {"answers": "no answer"})

    def test_an_inactive_unit(self):
        self.systemd.active.discard("side.service")
        text = self.shows(3, "inactive", "drifted", "side.service is not active", argv=("status",))
        self.assertEqual(text.count("side.service is"), 1)
        self.assertEqual(self.release(3)["units"]["side.service"], "inactive")

    def test_a_reloading_unit_is_healthy_until_its_reload_hangs(self):
        self.systemd.hung.add("side.service")
        self.systemd.stirred["side.service"] = self.clock.now - 5
        self.assertEqual(self.release(0)["units"]["side.service"], "reloading")
        self.systemd.stirred["side.service"] = self.clock.now - 11
        self.shows(3, "reloading", "drifted", "the reload of side.service does not finish", argv=("status",))
        self.systemd.log.clear()
        self.given(**self.keys)
        self.assertEqual(self.systemd.log, ["restart side.service"])
        self.assertEqual(self.release(0)["units"]["side.service"], "active")

    def test_a_job_of_a_timer_is_healthy_unless_its_last_run_failed(self):
        self.systemd.triggers = {"side.timer": "side-job.service"}
        self.given(**self.keys | {"unit": [{"name": "side.timer"}]})
        for running, state in (((), "inactive"), (("side-job.service",), "active")):
            self.systemd.active.update(running)
            self.assertEqual(self.release(0)["jobs"], {"side-job.service": state})
        self.systemd.active.discard("side-job.service")
        self.systemd.failed.add("side-job.service")
        self.shows(3, "side-job.service  failed", "the last run of side-job.service failed", argv=("status",))
        self.assertEqual((self.release(3)["jobs"], self.release(3)["drifted"]), ({"side-job.service": "failed"}, []))

    def test_a_file_that_was_changed_by_hand(self):
        os.chmod(at("etc/app.conf"), 0o666)
        self.shows(3, "drifted", "mode or owner was changed by hand", argv=("status",))
        self.assertEqual(len(self.release(3)["drifted"]), 1)

    def test_an_interrupted_apply_and_one_in_progress(self):
        store.Release("app").record.write_text('{"text": ""}')
        self.shows(3, "interrupted", argv=("status",))
        self.assertTrue(self.release(3)["interrupted"])
        with store.lock("release-app", "apply of release app"):
            self.shows(3, "in progress", "apply of release app is in progress", argv=("status",))
            found = self.release(3)
            self.assertEqual(
                (found["interrupted"], found["in_progress"], found["drifted"]), (False, "apply of release app", [])
            )

    def test_no_secret_is_printed(self):
        self.apply(release="pw", secret=True, file=[secret("pw", "correct-horse")])
        support.report._secrets.clear()
        self.given(
            release="leaky", probe=[shell("leak", f"cat {support.STATE}/secrets/pw/1/password; test -e {self.ok}")]
        )
        self.ok.unlink()
        self.assertIn("[secret]", self.shows(3, "leaky", argv=("status",)))
        self.assertNotIn("correct-horse", self.ask("status")[1] + self.ask("status", "--json")[1])

    def test_an_empty_host_is_healthy(self):
        support.shutil.rmtree(support.STATE / "releases")
        self.shows(0, "no release is on this host", argv=("status",))


class Words(VerbTest):
    def test_it_needs_root(self):
        environment = {key: value for key, value in os.environ.items() if key != "GATEHOUSE_STATE"}
        with (
            support.mock.patch.dict(os.environ, environment, clear=True),
            support.mock.patch.object(os, "geteuid", lambda: 1000),
        ):
            self.refused(1, "only root", call=lambda: self.ask("status"))
            self.assertEqual(self.ask("--help")[0], 0)

    def test_ages_of_times(self):
        with support.mock.patch.object(table.time, "time", lambda: 1000000.0):
            self.assertEqual(
                [table.ago(1000000 - seconds) for seconds in (-5, 0, 59, 60, 7200, 86400 * 3)],
                ["0 s ago", "0 s ago", "59 s ago", "1 min ago", "2 h ago", "3 d ago"],
            )


if __name__ == "__main__":
    unittest.main()
