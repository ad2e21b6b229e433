"""Nothing in the agent depends on the wording of a sentence: with every message of a failure and of a difference replaced, the same
operations give the same data and exit codes, and leave the same host."""

import json
import re
import unittest
from collections.abc import Callable
from pathlib import Path

from gatehouse.drift import facts
from gatehouse.output import report
from gatehouse.output.report import Failure
from gatehouse.protocol.difference import Difference
from tests import support
from tests.support import at, file, secret, shell
from tests.verbs import VerbTest


def reworded(sentence: str) -> str:
    """Another sentence: each word backwards."""
    return " ".join(word[::-1] for word in sentence.split(" "))


def data(value: object) -> object:
    """A value without its prose, which is every string with a blank, and without its times."""
    match value:
        case str():
            return "a sentence" if " " in value else re.sub(r"^\d{4}-\d\d-\d\dT[\d:]+Z$", "a time", value)
        case float():
            return "a time"
        case dict():
            return {data(key): data(inner) for key, inner in value.items()}
        case list() | tuple():
            return [data(inner) for inner in value]
    return value


class Sentences(VerbTest):
    def setUp(self):
        super().setUp()
        self.ok = support.ROOM / "ok"

    def release(self, **more: object) -> dict:
        return dict(
            file=[
                file("etc/app.conf", "port = 1\n", restarts=["app.service"]),
                file("etc/app.key", "key", reloads=["side.service"]),
                file("etc/app.list", "one"),
            ],
            directory=[{"path": at("var/app"), "mode": "0750", "owner": support.OWNER}],
            unit=[{"name": "app.service", "enabled": True}, {"name": "side.service"}, {"name": "third.service"}],
            probe=[shell("answers", f"test -e {self.ok} || {{ echo it does not answer; exit 1; }}")],
            **more,
        )

    def drift(self) -> None:
        Path(at("etc/app.conf")).write_text("port = 4711\n")
        Path(at("etc/app.key")).unlink()
        Path(at("etc/app.list")).chmod(0o600)
        Path(at("var/app")).chmod(0o777)
        drop_in = Path(at("etc/systemd/system/app.service.d/own.conf"))
        drop_in.parent.mkdir(parents=True)
        drop_in.write_text("[Service]\nNice=5\n")
        self.systemd.active.discard("side.service")
        self.systemd.enabled.discard("app.service")
        self.systemd.hung.add("third.service")
        self.ok.unlink()

    def outcome(self, call: Callable[[], object]) -> object:
        try:
            return call()
        except Failure as failure:
            return [type(failure), failure.code, failure.at, sorted(failure.units), str(failure)]

    def asked(self, *argv: str) -> object:
        """The exit code of a verb, and the JSON that it prints last."""
        status, text = self.ask(*argv, "--json")
        return [status, json.loads(text.splitlines()[-1])]

    def story(self) -> list[object]:
        """What each operation of a release answers, from its first apply to its removal."""
        answers: list[object] = []

        def then(call: Callable[[], object]) -> None:
            answers.extend(
                [self.outcome(call), sorted(self.systemd.active), sorted(self.systemd.enabled), support.tree()]
            )

        def look() -> None:
            then(facts.facts)
            for verb in ("status", "verify"):
                answers.append(self.asked(verb))

        self.ok.write_text("")
        then(lambda: self.given(release="keys", file=[secret("keys", "first")]))
        then(lambda: self.given(**self.release()))
        look()
        self.drift()
        look()
        then(lambda: self.given(**self.release()))  # the probe still fails
        self.ok.write_text("")
        self.systemd.hung.clear()
        then(lambda: self.given(**self.release()))
        look()
        then(lambda: self.given(**self.release(check=[shell("valid", "echo it is wrong; exit 1")], deadline=2)))
        self.systemd.broken = lambda unit: unit == "app.service" and "port = 2" in support.live("etc/app.conf")
        changed = self.release()
        changed["file"][0]["content"] = "port = 2\n"
        then(lambda: self.given(**changed))
        self.systemd.broken = lambda unit: False
        then(lambda: self.given(**changed))
        then(lambda: self.given(release="other", unit=[{"name": "app.service"}]))
        for argv in (("rollback", "app"), ("history", "app"), ("status",), ("rollback", "nothing"), ("history", "app")):
            then(lambda argv=argv: self.asked(*argv))
        return answers

    maxDiff = None

    def test_no_operation_depends_on_the_wording_of_a_sentence(self):
        before = self.story()
        printed = "".join(self.output)
        self.tearDown()
        self.doCleanups()
        self.setUp()
        failure, difference = Failure.__init__, Difference.__init__

        def fail(self: Failure, message: str, *rest: object, **more: object) -> None:
            failure(self, reworded(message), *rest, **more)

        def differ(self: Difference, kind: str, name: str, what: str, message: str, *rest: object, **more) -> None:
            difference(self, kind, name, what, reworded(message), *rest, **more)

        self.patch(Failure, "__init__", fail)
        self.patch(Difference, "__init__", differ)
        after = self.story()
        self.assertEqual(data(after), data(before))
        self.assertNotEqual(after, before)  # people read other words
        self.assertNotEqual("".join(self.output), printed)
        self.assertGreater(str(before).count("'kind'"), 5)  # there was something to word
        self.assertIn(report.ROLLED_BACK, [one[1] for one in before if isinstance(one, list) and len(one) == 5])


if __name__ == "__main__":
    unittest.main()
