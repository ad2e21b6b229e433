"""What a stack wants is one file, which several of its releases change at once."""

import unittest
from concurrent.futures import ThreadPoolExecutor

from gatehouse.state import wanted
from tests.support import HostTest

NAMES = [f"app-{number}" for number in range(24)]


class AtOnce(HostTest):
    def test_of_releases_that_are_removed_at_once_none_is_wanted_afterwards(self):
        wanted.declare("shop/prod", dict.fromkeys([*NAMES, "app-kept"], ""))
        with ThreadPoolExecutor(len(NAMES)) as pool:
            list(pool.map(lambda name: wanted.drop("shop/prod", name), NAMES))
        self.assertEqual(wanted.of_stacks(), {"shop/prod": {"app-kept": ""}})


if __name__ == "__main__":
    unittest.main()
