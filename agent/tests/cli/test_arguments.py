"""The command line: an invalid call gets the error and the allowed values; a valid one reaches its function."""

import unittest
from argparse import SUPPRESS
from unittest import mock

from gatehouse.backup import create, drill, forget, restore
from gatehouse.cli import arguments, history, main, rollback
from gatehouse.cli.verbs import VERBS
from gatehouse.release import remove
from tests.verbs import VerbTest


class Invalid(VerbTest):
    def test_a_typo_gets_the_allowed_values(self):
        for typo, meant in (("rolback", "rollback"), ("bakup", "backup"), ("stauts", "status"), ("fact", "facts")):
            text = self.shows(2, f"invalid choice: '{typo}' (did you mean {meant}?)", argv=(typo, "caddy"))
            for verb in VERBS:
                self.assertIn(verb, text)
        self.shows(2, "invalid choice: 'Status' (did you mean status?)", argv=("Status",))
        self.assertNotIn("did you mean", self.shows(2, "invalid choice: 'zzz'; choose from status,", argv=("zzz",)))
        self.shows(2, "invalid choice: 'rolback' (did you mean rollback?)", argv=("help", "rolback"))

    def test_no_verb(self):
        self.shows(2, "expected a verb, got none; choose from status,", argv=())
        self.shows(2, "expected a verb, got --json; choose from status,", argv=("--json",))

    def test_each_error_names_the_argument_and_the_usage(self):
        for argv, fault in (
            (("rollback",), "the following arguments are required: RELEASE"),
            (("diff", "app", "1"), "the following arguments are required: M"),
            (("diff", "app", "1", "x"), "argument M: expected a whole number such as 3, got 'x'"),
            (("rollback", "app", "-1"), "argument N: expected a whole number such as 3, got '-1'"),
            (("group", "a"), "the following arguments are required: --due"),
            (("remove", "app"), "the following arguments are required: --owner"),
            (("backup", "--keeps", "many"), "argument --keeps: expected a whole number such as 3, got 'many'"),
            (("backup", "--keeps"), "argument --keeps: expected one argument"),
            (("backup", "--ful"), "unrecognized arguments: --ful (did you mean --full?)"),
            (("restore", "--too", "latest"), "unrecognized arguments: --too (did you mean --to?)"),
            (("restore", "--confrim=1"), "unrecognized arguments: --confrim (did you mean --confirm?)"),
            (
                ("leave", "prod"),
                "argument PROJECT/STACK: expected a project and a stack such as gatehouse/prod, got 'prod'",
            ),
            (
                ("leave", "a/"),
                "argument PROJECT/STACK: expected a project and a stack such as gatehouse/prod, got 'a/'",
            ),
            (("backup", "--full", "--prepare"), "argument --prepare: not allowed with argument --full"),
            (("backup", "--in", "/srv"), "argument --in: only allowed with argument --keeps"),
            (("status", "app"), "unrecognized arguments: app"),
            (("history", "a", "b"), "unrecognized arguments: b"),
            (("restore",), "one of the arguments --to --confirm --undo is required"),
            (("restore", "--database", "wiki"), "one of the arguments --to --confirm --undo is required"),
            (("restore", "--undo", "--dry-run"), "argument --dry-run: only allowed with argument --to"),
            (("restore", "--undo", "--database", "a"), "argument --database: only allowed with argument --to"),
        ):
            with self.subTest(argv):
                usage = f"usage: gatehouse {argv[0]} "
                self.assertTrue(self.shows(2, f"gatehouse {argv[0]}: {fault}", argv=argv).startswith(usage))

    def test_control_characters_in_the_error_are_escaped(self):
        self.shows(2, r"invalid choice: '\x1b[31mstatus'", argv=("\x1b[31mstatus",))
        self.shows(2, r"unrecognized arguments: \x1b[31m", argv=("status", "\x1b[31m"))


class Valid(VerbTest):
    def called(self, module: object, name: str, *argv: str) -> tuple:
        """The arguments with which a call reaches a function."""
        found = mock.Mock(return_value={"removed": False})
        with mock.patch.object(module, name, found), mock.patch.object(module, "lines", lambda _: [], create=True):
            self.assertEqual(self.ask(*argv)[0], 0, argv)
        (call,) = found.call_args_list
        return (*call.args, *call.kwargs.values())

    def test_each_call_reaches_its_function(self):
        for module, name, argv, expected in (
            (history, "history", "history", (None,)),
            (history, "history", "history app", ("app",)),
            (rollback, "rollback", "rollback app", ("app", None)),
            (rollback, "rollback", "rollback app 2", ("app", 2)),
            (rollback, "rollback", "rollback app --json 2", ("app", 2)),
            (rollback, "rollback", "--json rollback app 2", ("app", 2)),
            (create, "take", "backup", (False,)),
            (create, "take", "backup --full --json", (True,)),
            (create, "prepare", "backup --prepare", ()),
            (create, "refuse_loss", "backup --keeps 0", (0, None)),
            (create, "refuse_loss", "backup --keeps 2 --in /srv/backups", (2, "/srv/backups")),
            (drill, "drill", "drill", (None,)),
            (drill, "drill", "drill 20261125-020412", ("20261125-020412",)),
            (restore, "restore", "restore --to latest", ("latest", None, False)),
            (restore, "restore", "restore --to 0/3000028 --dry-run --database wiki", ("0/3000028", "wiki", True)),
            (restore, "confirm", "restore --confirm", ()),
            (restore, "undo", "restore --undo", ()),
            (forget, "refuse", "forget /srv/backups", ("/srv/backups",)),
            (forget, "forget", "forget /srv/backups --for-ever", ("/srv/backups",)),
            (remove, "remove", "remove app --owner shop/prod/app", ("app", "shop/prod/app", False)),
            (remove, "remove", "remove app --owner shop/prod/app --purge", ("app", "shop/prod/app", True)),
        ):
            with self.subTest(argv):
                self.assertEqual(self.called(module, name, *argv.split()), expected)

    def test_a_value_may_contain_blanks(self):
        called = self.called(restore, "restore", "restore", "--to", "2026-11-24 13:39:00")
        self.assertEqual(called, ("2026-11-24 13:39:00", None, False))

    def test_each_verb_has_a_function(self):
        self.assertEqual(set(main._RUN), set(VERBS))


class Help(VerbTest):
    def test_it_lists_each_verb(self):
        for argv in (("help",), ("--help",), ("-h",)):
            text = self.shows(0, "Exit status: ", argv=argv)
            for verb in VERBS.values():
                self.assertIn(f"  {verb.name:<10}{verb.summary}\n", text)

    def test_each_verb_describes_all_its_arguments(self):
        for verb in VERBS.values():
            with self.subTest(verb.name):
                text = self.shows(0, verb.summary[1:], argv=(verb.name, "--help"))
                self.assertEqual(self.ask("help", verb.name), (0, text))
                self.assertEqual("Used by the program" in text, verb.for_program)
                for action in arguments._Parser(verb)._actions:
                    self.assertTrue(action.help and action.help != SUPPRESS, action)
                    for word in action.option_strings or [action.metavar]:
                        self.assertRegex(text, rf"\n  .*\b{word.lstrip('-')}\b")

    def test_options_of_the_program_are_marked(self):
        text = self.shows(0, "--full ", argv=("backup", "--help"))
        for option in ("--prepare", "--keeps N", "--in REPOSITORY"):
            self.assertRegex(text, rf"{option} +\[program\] ")


if __name__ == "__main__":
    unittest.main()
