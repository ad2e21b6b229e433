"""Only `tree` opens paths that another account can write, by descriptor and without following links."""

import ast
import unittest

from tests import AGENT

CHANGES = {
    "os": {
        "chmod",
        "chown",
        "lchmod",
        "lchown",
        "link",
        "makedirs",
        "mkdir",
        "mkfifo",
        "mknod",
        "remove",
        "removedirs",
        "removexattr",
        "rename",
        "renames",
        "replace",
        "rmdir",
        "setxattr",
        "symlink",
        "truncate",
        "unlink",
        "utime",
    },
    "shutil": {
        "chown",
        "copy",
        "copy2",
        "copyfile",
        "copymode",
        "copystat",
        "copytree",
        "make_archive",
        "move",
        "rmtree",
        "unpack_archive",
    },
    "tempfile": {"mkdtemp", "mkstemp", "NamedTemporaryFile", "TemporaryDirectory"},
}
READS = {"os": {"fwalk", "listdir", "open", "readlink", "scandir", "stat", "lstat", "walk"}}
# Methods of Path; no other object of the agent has methods with these names.
CHANGING_METHODS = {
    "chmod",
    "hardlink_to",
    "lchmod",
    "mkdir",
    "rmdir",
    "symlink_to",
    "touch",
    "unlink",
    "write_bytes",
    "write_text",
}
READING_METHODS = {"glob", "iterdir", "read_bytes", "read_text", "rglob"}

# Modules that change files by path, each with its folders. Only root can write these folders and their parents.
CHANGE_BY_PATH = {"system.safepath": "the module itself", "state.store": "/var/lib/gatehouse"}
READ_BY_PATH = CHANGE_BY_PATH | {
    "system.apt": "/var/lib/dpkg",
    "backup.inventory": "/etc/gatehouse and /var/lib/gatehouse",
    "release.checks": "systemd's folders of units",
    "system.firewall": "/proc",
    "backup.forget": "/var/lib/gatehouse",
    "system.listeners": "/proc",
    "tree.originals": "/var/lib/gatehouse",
    "system.mounts": "/proc",
    "system.pacman": "/var/lib/pacman",
    "state.repositories": "/var/lib/gatehouse",
    "drift.unmanaged": "systemd's and Quadlet's folders of units",
    "state.secrets": "/var/lib/gatehouse",
    "release.images": "/var/lib/gatehouse",
    "state.remains": "/var/lib/gatehouse",
    "state.wanted": "/var/lib/gatehouse",
}


def calls(source: str) -> tuple[set[str], set[str]]:
    """A module's calls that change a path, and those that only read one."""
    changes, reads = set(), set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "open":
            if not _descriptor(node.args[0]):
                writes = any(
                    isinstance(word, ast.Constant) and set(str(word.value)) & set("wax+") for word in node.args[1:2]
                )
                (changes if writes else reads).add("open")
        elif isinstance(node.func, ast.Attribute):
            name, of = node.func.attr, node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            if name in CHANGES.get(of, ()) or (of != "tree" and name in CHANGING_METHODS):
                changes.add(name)
            if name in READS.get(of, ()) or (of != "tree" and name in READING_METHODS):
                reads.add(name)
    return changes, reads


def _descriptor(word: ast.expr) -> bool:
    """Whether the argument is already a descriptor."""
    return isinstance(word, ast.Call) and ast.unparse(word.func) in ("os.memfd_create", "os.open")


def sources() -> dict[str, str]:
    """Each module of the agent by its dotted name below `gatehouse`."""
    root = AGENT / "gatehouse"
    return {".".join(path.relative_to(root).with_suffix("").parts): path.read_text() for path in root.rglob("*.py")}


class Paths(unittest.TestCase):
    def test_only_the_module_that_opens_by_descriptor_changes_paths(self):
        found = {
            name: changes
            for name, text in sources().items()
            if name not in CHANGE_BY_PATH and (changes := calls(text)[0])
        }
        self.assertEqual(found, {}, "use tree instead")

    def test_modules_that_read_by_path_are_listed(self):
        found = {
            name: reads for name, text in sources().items() if name not in READ_BY_PATH and (reads := calls(text)[1])
        }
        self.assertEqual(found, {}, "use tree instead, or name the folders, which are root's alone")

    def test_listed_modules_read_by_path(self):
        self.assertEqual([name for name in READ_BY_PATH if not any(calls(sources()[name]))], [])

    def test_the_rule_finds_violations(self):
        for source in (
            "os.chown(p, 0, 0)",
            "shutil.rmtree(p)",
            "Path(p).write_text('')",
            "open(p, 'w')",
            "(a / b).unlink()",
            "tempfile.mkdtemp()",
        ):
            self.assertTrue(calls(source)[0], source)
        for source in ("open(p)", "Path(p).read_text()", "os.listdir(p)", "p.glob('*')"):
            self.assertTrue(calls(source)[1], source)
        for source in (
            "tree.rename(a, b)",
            "open(os.memfd_create('x'), 'w+')",
            "tree.read(p)",
            "text.replace('a', 'b')",
            "found.remove(x)",
            "os.fchown(d, 0, 0)",
            "open(os.open(p, 1), 'wb')",
        ):
            self.assertEqual(calls(source)[0], set(), source)


if __name__ == "__main__":
    unittest.main()
