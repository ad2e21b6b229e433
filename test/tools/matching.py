"""Finds the agent's tests for changed files.

usage: matching.py PATH... - prints the tests' modules, as `python3 -m unittest` takes them in agent/

For a module these are the test with its name (src/gatehouse/state/locks.py: tests/state/test_locks.py) and the tests that
import it; if there are none, the tests of its folder. For a file in tests/ these are the file and those that import it.
"""

import ast
import sys
from pathlib import Path

AGENT = Path(__file__).resolve().parents[2] / "agent"


def module(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts)


def imports(test: Path) -> set[str]:
    """The imports of a file: every name that may be a module."""
    found = set()
    for node in ast.walk(ast.parse(test.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def matching(changed: list[str]) -> set[str]:
    tests = {module(test, AGENT): test for test in (AGENT / "tests").rglob("test_*.py")}
    found: set[str] = set()
    for path in (Path(name).resolve() for name in changed):
        if path.is_relative_to(AGENT / "src"):
            name, place = module(path, AGENT / "src"), path.relative_to(AGENT / "src/gatehouse")
            home = module(AGENT / "tests" / place.with_name(f"test_{place.name}"), AGENT)
            own = {test for test, file in tests.items() if test == home or name in imports(file)}
            folder = f"{home.rpartition('.')[0]}."
            found |= own or {test for test in tests if test.startswith(folder)}
        elif path.is_relative_to(AGENT / "tests"):
            name = module(path, AGENT)
            found |= {test for test, file in tests.items() if test == name or name in imports(file)}
    return found


print(*sorted(matching(sys.argv[1:])), sep="\n")
