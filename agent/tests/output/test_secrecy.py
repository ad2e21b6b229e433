"""No output of the agent contains a secret: neither progress nor errors nor journal excerpts."""

import unittest

from gatehouse.output import report
from gatehouse.output.report import ROLLED_BACK
from tests.support import STATE, HostTest, at, file, secret, shell

WORD = "correct-horse-battery"
SALTY = "SCRAM-SHA-256$4096:c2FsdA==$stored:server"


class Secrecy(HostTest):
    def everything(self, message: str = "") -> str:
        return message + "".join(self.output)

    def silent(self, message: str = "", word: str = WORD):
        self.assertNotIn(word, self.everything(message))

    def leaking(self, **keys) -> dict:
        """A manifest with a step that prints the secret."""
        return (
            dict(
                release="pw",
                secret=True,
                file=[secret("pw", WORD)],
                step=[shell("leak", f"echo password {WORD} refused; exit 1")],
            )
            | keys
        )

    def test_a_failing_step_shows_none_of_its_output(self):
        message = self.refused(
            report.NOTHING_BEFORE, "step leak failed:\nexit status 1; its output is not shown", **self.leaking()
        )
        self.assertNotIn("refused", message)
        self.silent(message)

    def test_the_output_of_a_release_that_is_not_secret_is_shown(self):
        self.refused(report.NOTHING_BEFORE, f"password {WORD} refused", **self.leaking(secret=False, file=[]))

    def test_a_failing_probe_or_check_does_not_show_the_secret(self):
        probe = self.leaking(step=[], probe=[shell("leak", f"echo {WORD}; exit 1")])
        self.silent(self.refused(report.NOTHING_BEFORE, "[secret]", **probe))
        check = self.leaking(
            step=[], check=[shell("leak", "cat {tree}/1/password; exit 1", tree=f"{STATE}/secrets/pw")]
        )
        self.silent(self.refused(report.REFUSED, "[secret]", **check))

    def test_secrets_of_the_host_are_not_shown_by_other_releases(self):
        self.apply(release="pw", secret=True, file=[secret("pw", WORD)])
        report._secrets.clear()  # as in a new process
        self.silent(
            self.refused(
                report.NOTHING_BEFORE, "[secret]", step=[shell("leak", f"cat {STATE}/secrets/pw/1/password; exit 1")]
            )
        )

    def test_a_merged_secret_is_not_shown(self):
        self.apply(release="pw", secret=True, gives=["app"], file=[secret("pw", WORD)])
        self.silent(
            self.refused(
                report.NOTHING_BEFORE,
                "[secret]",
                file=[file("etc/acl", "user >{{secrets pw/password}}", secrets=["pw/password"])],
                step=[shell("leak", f"cat {at('etc/acl')}; exit 1")],
            )
        )

    def test_the_journal_excerpt_does_not_show_it(self):
        self.systemd.written = f"app: bad password {WORD}"
        self.silent(
            self.refused(report.NOTHING_BEFORE, "bad password [secret]", **self.leaking(unit=[{"name": "app.service"}]))
        )

    def test_a_secret_quoted_by_a_step_is_not_shown(self):
        self.systemd.written = f"STATEMENT: ALTER ROLE app PASSWORD '{SALTY}'"
        step = shell("passwords", "exit 1", stdin=f"ALTER ROLE app\n  PASSWORD '{SALTY}' VALID UNTIL 'infinity';")
        self.silent(
            self.refused(
                report.NOTHING_BEFORE, "'[secret]'", **self.leaking(step=[step], unit=[{"name": "app.service"}])
            ),
            SALTY,
        )

    def test_the_progress_of_a_successful_apply_does_not_show_it(self):
        self.apply(**self.leaking(step=[]))
        self.assertIn("added: ", self.everything())
        self.silent()

    def test_a_rolled_back_secret_is_not_shown(self):
        self.apply(**self.leaking(step=[]))
        probe = [shell("leak", f"cat {STATE}/secrets/pw/*/password; exit 1")]
        self.silent(
            self.refused(
                ROLLED_BACK, "[secret]", **self.leaking(file=[secret("pw", "other-horse", "2")], step=[], probe=probe)
            )
        )
        self.silent(word="other-horse")

    def test_lines_of_a_long_secret_are_masked_one_by_one_and_short_words_not_at_all(self):
        report.learn_secret("-----KEY-----\nfirst line\nsecond line\nab\n")
        self.assertEqual(report.masked("got second line and ab"), "got [secret] and ab")

    def test_the_value_of_a_secret_line_is_masked_without_its_name_when_it_is_long_enough(self):
        report.learn_secret("PASSWORD = 'correct-horse'\nuser app >battery-staple\nurl: redis://a:b\nmode=fast\n")
        self.assertEqual(
            report.masked("got correct-horse, battery-staple and redis://a:b"), "got [secret], [secret] and [secret]"
        )
        self.assertEqual(report.masked("it is fast"), "it is fast")


class Lines(HostTest):
    def test_an_overlong_line_is_cut(self):
        report.say("x" * 70000)
        report.fail(f"short\n{'y' * 70000}\nshort")
        self.assertLess(max(map(len, "".join(self.output).split("\n"))), 2020)
        self.assertEqual("".join(self.output).count("short"), 2)

    def test_a_secret_at_the_cut_is_masked_first(self):
        report.learn_secret(WORD)
        report.say("x" * 1995 + WORD)
        self.assertNotIn(WORD[:4], "".join(self.output))


if __name__ == "__main__":
    unittest.main()
