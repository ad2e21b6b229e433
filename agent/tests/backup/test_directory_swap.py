"""Swapping directories: after any interruption either all of them are new or all are old."""

import os
import unittest
from pathlib import Path

from gatehouse.backup import directory_swap
from gatehouse.backup.directory_swap import Exchange, Swap
from gatehouse.output.report import Failure
from tests import support
from tests.support import HostTest, Killed, at


class Swapping(HostTest):
    def setUp(self):
        super().setUp()
        self.patch(directory_swap, "_UNDER_WAY", support.STATE / "restore/swapping.json")
        self.patch(directory_swap, "_KEPT", support.STATE / "restore/kept.json")
        self.calls = 0
        self.names = ("one", "two", "gone")  # `gone` exists only in the restored data
        for name in self.names:
            self.folder(f"{name}.new", "restored")
            if name != "gone":
                self.folder(name, "now")
        self.swap = Swap(
            "a test",
            tuple(Exchange(at(n), at(f"{n}.new"), at(f"{n}.old")) for n in self.names),
            ("app.service",),
            (at("shelf"),),
        )
        self.folder("shelf", "empty")

    def folder(self, name: str, word: str) -> None:
        os.makedirs(at(name))
        Path(at(name), "word").write_text(word)

    def words(self) -> list[str | None]:
        return [Path(at(name), "word").read_text() if os.path.exists(at(name)) else None for name in self.names]

    def beside(self) -> list[str]:
        return sorted(set(os.listdir(support.TREE)) - set(self.names))

    def test_all_of_them(self):
        directory_swap.forward(self.swap)
        self.assertEqual(self.words(), ["restored"] * 3)
        self.assertEqual(directory_swap.interrupted(), self.swap)
        directory_swap.keep(self.swap)
        self.assertEqual((directory_swap.interrupted(), directory_swap.kept()), (None, self.swap))
        with self.assertRaisesRegex(Failure, "--confirm.*--undo"):
            directory_swap.refuse_another()
        directory_swap.confirm(self.swap)
        self.assertEqual((self.words(), self.beside(), directory_swap.kept()), (["restored"] * 3, [], None))
        directory_swap.refuse_another()

    def test_and_back(self):
        directory_swap.forward(self.swap)
        directory_swap.keep(self.swap)
        directory_swap.back(self.swap)
        self.assertEqual(self.words(), ["now", "now", None])
        directory_swap.discard(self.swap)
        self.assertEqual((self.words(), self.beside()), (["now", "now", None], []))

    def test_after_a_kill_at_any_rename_a_boot_rolls_back(self):
        self.killed_at_each(lambda: directory_swap.forward(self.swap), ["now", "now", None])

    def test_after_a_kill_at_any_rename_of_a_rollback_a_boot_continues_it(self):
        def there_and_back():
            directory_swap.forward(self.swap)
            directory_swap.back(self.swap)

        self.killed_at_each(there_and_back, ["now", "now", None])

    def killed_at_each(self, act, wanted):
        rename, seen = directory_swap.safepath.rename, 0

        def counted(source, target, limit):
            self.calls += 1
            if self.calls > limit:
                raise Killed
            rename(source, target)

        for limit in range(100):
            self.calls = 0
            with unittest.mock.patch.object(
                directory_swap.safepath, "rename", lambda s, t, limit=limit: counted(s, t, limit)
            ):
                try:
                    act()
                    break
                except Killed:
                    seen += 1
            directory_swap.prepare_boot()
            self.assertEqual(
                (self.words(), self.beside(), directory_swap.interrupted()),
                (wanted, [], None),
                f"after {limit} renames",
            )
            for name in self.names:
                self.folder(f"{name}.new", "restored")
        self.assertGreaterEqual(seen, 5, "a test that interrupts nothing shows nothing")

    def test_a_failed_rename_is_reported_and_rolled_back(self):
        os.rename(at("two.new"), at("elsewhere"))
        with self.assertRaisesRegex(Failure, "two.new cannot be renamed to"):
            directory_swap.forward(self.swap)
        directory_swap.back(self.swap)
        self.assertEqual(self.words(), ["now", "now", None])


if __name__ == "__main__":
    unittest.main()
