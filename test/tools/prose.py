#!/usr/bin/env python3
"""Counts the comments, and the sentences of documents, that are not in plain English, by words that the field avoids.

    test/tools/prose.py            the shares; fails where one is over 3 %
    test/tools/prose.py PATH...    each hit below these paths, by file and line, and the shares

A few hits are plain English all the same, so that the limit is not zero. CONTRIBUTING.md has the house style.
"""

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
ROOMS = re.compile(r"(components|plan|policy|protocol|agent/src|agent/bootstrap|index\.ts)")
Part = tuple[int, str]  # line and text


def comments(path: str, text: str) -> Iterator[Part]:
    """Comments and docstrings, those of adjacent lines as one."""
    mark = "#" if path.endswith(".py") else "//"
    pattern = r'"""(.*?)"""' if path.endswith(".py") else r"/\*\*?(.*?)\*/"
    for found in re.finditer(pattern, text, re.S):
        yield text.count("\n", 0, found.start()) + 1, re.sub(r"\n\s*\*?", " ", found[1])
    block: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if alone := re.match(rf"\s*{mark}\s?(.*)$", line):
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
    totals = {"comments": [0, 0], "documents": [0, 0]}
    for path in listed:
        document = path.endswith(".md") and "golden" not in path and not path.startswith("bench")
        if not document and not (ROOMS.match(path) and path.endswith((".ts", ".js", ".py"))):
            continue
        with open(path) as file:
            text = file.read()
        total = totals["documents" if document else "comments"]
        for line, part in sentences(text) if document else comments(path, text):
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
