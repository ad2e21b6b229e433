"""Due numbers have one format, which the program reads too (test/unit/due.test.ts)."""

import unittest

from gatehouse.protocol.due import Due, after_drift


class Dues(unittest.TestCase):
    def test_they_are_read_as_they_are_written(self):
        for text, due in {
            "1f0c9a7b3d52/2": Due("1f0c9a7b3d52", 2),
            "1f0c9a7b3d52/0.1796028000": Due("1f0c9a7b3d52", 0, 1796028000),
        }.items():
            self.assertEqual((Due.parse(text), str(due)), (due, text))

    def test_other_strings_are_none(self):
        for text in ("never-asked", "", "a", "a/", "/1", "a/b", "a/1.", "a/1.2.3", "a/1 "):
            self.assertIsNone(Due.parse(text), text)

    def test_drift_increments_them(self):
        self.assertEqual(
            [after_drift(text, "here") for text in ("there/0", "there/7.1796028000", "never-asked")],
            ["there/1", "there/8", "here/0"],
        )


if __name__ == "__main__":
    unittest.main()
