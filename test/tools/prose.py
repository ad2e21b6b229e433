#!/usr/bin/env python3
"""Counts comments, and sentences of documents, that are not in plain English, by words that the field avoids.

    test/tools/prose.py            the shares; fails if one is over 3 %
    test/tools/prose.py PATH...    also each hit below these paths, by file and line

Some hits are plain English, so the limit is not zero. CONTRIBUTING.md describes the house style.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator

LIMIT = 3  # percent
MARKERS = [
    r"\b(tell|tells|told|telling|untold)\b",  # report, print, return
    r"\b(who|whoever|whom|whose)\b",  # the caller, the client, another release
    r"\b(somebody|nobody|anybody|everybody)('s)?\b",
    r"\bof (the |an? |its |our )?[\w.]+'s\b(?! [a-z]+ (that|which))",  # of X's
    r"\b(anew|put right|puts right|looked after|made again|set back|set up anew|went away|goes away)\b",
    r"\b(lie|lies|lay|lain)\b",  # is
    r"\b(stand|stands|stood)\b(?!-)",  # is
    r"\b(all that|what (is|was|it|they|he|she|ran|runs|stood|stands|somebody|others|has|have|must|may|needs|changes"
    r"|fails|lies|goes|cannot|nobody|the))\b",  # a noun
    r"\b(is|are|was|be|gets?) (well|ill)\b",  # healthy
    r"\b(of before|of now|of then|by now|from before|of those)\b",
]
SOURCES = re.compile(r"(components|plan|policy|protocol|agent/(src|bootstrap)|index\.ts)")
TESTS = re.compile(r"(test|agent/tests)/(?!.*\bgolden/|lab/arch/\w+/|.*\.(golden|json|mod|sum|txt|in)$)")
C_LIKE = (".ts", ".js", ".go")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
Part = tuple[int, str]  # line and text


def kind(path: str) -> str | None:
    if path.endswith(".md"):
        return None if "golden" in path or path.startswith("bench") else "documents"
    if TESTS.match(path):
        return "comments of tests"
    return "comments" if SOURCES.match(path) and path.endswith((*C_LIKE, ".py")) else None


def comments(path: str, text: str) -> Iterator[Part]:
    """Comments and docstrings; adjacent lines are one comment."""
    mark = "//" if path.endswith(C_LIKE) else "#"
    if mark == "//":
        for found in re.finditer(r"^[ \t]*/\*\*?(.*?)\*/", text, re.S | re.M):
            yield text.count("\n", 0, found.start()) + 1, re.sub(r"\n\s*\*?", " ", found[1])
    if path.endswith(".py") or re.match(r"#!.*python", text):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, DOCUMENTED) and (docstring := ast.get_docstring(node)):
                yield node.body[0].lineno, docstring
    block: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if alone := re.match(rf"\s*{mark}(?!!)\s?(.*)$", line):
            block.append(alone[1])
            continue
        if block:
            yield number - len(block), " ".join(block)
            block = []
        if behind := re.search(rf"\s{mark} (.+)$", line):
            yield number, behind[1]


def sentences(text: str) -> Iterator[Part]:
    blank = re.compile(r"```.*?```|<!--.*?-->", re.S)
    text = blank.sub(lambda found: "\n" * found[0].count("\n"), text)
    start = 0
    for sentence in re.split(r"(?<=[.!?:])\s+|\n\n|\n\|", text):
        start = max(text.find(sentence, start), start)
        yield text.count("\n", 0, start) + 1, sentence


def main(paths: list[str]) -> int:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.splitlines()
    totals = {"comments": [0, 0], "comments of tests": [0, 0], "documents": [0, 0]}
    for path in listed:
        name = kind(path)
        if name is None or os.path.islink(path):
            continue
        with open(path) as file:
            text = file.read()
        total = totals[name]
        for line, part in sentences(text) if name == "documents" else comments(path, text):
            part = " ".join(part.split())
            if len(part.split()) < 4:
                continue
            total[1] += 1
            hits = [found[0] for marker in MARKERS if (found := re.search(marker, part, re.I))]
            total[0] += bool(hits)
            if hits and path.startswith(tuple(paths) or ("\0",)):
                print(f"{path}:{line}: [{', '.join(hits)}] {part}")
    for name, (hits_of, all_of) in totals.items():
        print(f"{name}: {hits_of} of {all_of}, {100 * hits_of / all_of:.1f} %")
    return int(any(100 * hits_of > LIMIT * all_of for hits_of, all_of in totals.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
