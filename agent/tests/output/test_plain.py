"""Untrusted output is shown as plain text: journals, images, names and contents of files may contain anything."""

import json
import unittest
from unittest import mock

from gatehouse.output import report
from gatehouse.output import table as tables

HOSTILE = "\x1b[2J\x1b]0;pwned\x07 \x9b31m \r\x08\x00\x7f \u202etxt.exe\u2066 \u2028 \U000e0041"
SHOWN = r"\x1b[2J\x1b]0;pwned\x07 \x9b31m \x0d\x08\x00\x7f \u202etxt.exe\u2066 \u2028 \U000e0041"


def written(act) -> str:
    with mock.patch("gatehouse.output.report._write") as write:
        act()
    return "".join(call.args[1] for call in write.call_args_list)


class Plain(unittest.TestCase):
    def test_control_characters_are_shown_escaped(self):
        self.assertEqual(report.plain(HOSTILE), SHOWN)

    def test_ordinary_text_is_unchanged(self):
        for text in (
            "two\nlines\tand a tab",
            "é中文🏠 👩‍👩‍👧 شکریہ",
            r"C:\x1b",
            "1::2",
            "a < b {% x %}",
            "[::1]:80",
            "# ## #a",
        ):
            self.assertEqual(report.plain(text), text)

    def test_commands_to_pulumi_and_ci_runners_are_escaped(self):
        self.assertEqual(report.plain("a <{%fg 1%}> b <{%x%}>"), r"a \x3c{%fg 1%}> b \x3c{%x%}>")
        self.assertEqual(
            report.plain("::error::a\n  ::add-mask::b\nc ::d::"), "\\x3a:error::a\n  \\x3a:add-mask::b\nc ::d::"
        )
        self.assertEqual(report.plain("##[group]a"), r"\x23#[group]a")

    def test_every_output_of_the_agent_is_escaped(self):
        for act in (lambda: report.say(HOSTILE), lambda: report.fail(HOSTILE), lambda: report.show([HOSTILE])):
            self.assertIn(SHOWN, written(act))

    def test_an_answer_is_the_same_value_in_escaped_form(self):
        line = written(lambda: report.answer({"said": HOSTILE}))
        self.assertTrue(line.isascii() and line.removesuffix("\n").isprintable())
        self.assertEqual(json.loads(line), {"said": HOSTILE})

    def test_a_secret_is_masked_before_escaping(self):
        with mock.patch.object(report, "_secrets", {"hun\x1bter22"}):
            self.assertEqual(written(lambda: report.fail("it is hun\x1bter22")), "it is [secret]\n")

    def test_a_name_cannot_add_a_row(self):
        table = tables.columns(["A", "B"], [["x\ny  in sync", "\x1b[2K"]])
        self.assertEqual(table[1:], [r"x\x0ay  in sync  \x1b[2K"])


if __name__ == "__main__":
    unittest.main()
