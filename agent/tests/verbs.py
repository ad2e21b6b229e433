"""The operator's commands, called without a process of their own."""

import json
import os

from gatehouse.cli import arguments, main
from gatehouse.protocol.document import sealed
from tests import support
from tests.support import HostTest


class VerbTest(HostTest):
    def setUp(self):
        super().setUp()
        self.enterContext(support.mock.patch.dict(os.environ, {"GATEHOUSE_UNIT": "1"}))

    def ask(self, *argv: str) -> tuple[int, str]:
        """The exit status, and the output on stdout and stderr."""
        self.output.clear()
        try:
            status = main.run(arguments.parse(list(argv)))
        except SystemExit as end:
            status = end.code
        return status, "".join(self.output)

    def shows(self, code: int, *words: str, argv: tuple[str, ...]) -> str:
        status, text = self.ask(*argv)
        self.assertEqual(status, code, text)
        for word in words:
            self.assertIn(word, text)
        return text

    def answers(self, code: int, *argv: str) -> dict:
        status, text = self.ask(*argv, "--json")
        self.assertEqual(status, code, text)
        return json.loads(text.splitlines()[-1])

    def given(self, **keys) -> None:
        """Applies and records a manifest as the program does."""
        text = support.manifest(**keys)
        release = keys.get("release", "app")
        support.store.settle(f"release-{release}", "machine/0", support.apply.apply(text), sealed(text))
