"""Files that an operator has put into a directory for a service, and that the service's account cannot read. An apply
does not change them, since they are not gatehouse's."""

import os

from gatehouse.output.table import counted, legible
from gatehouse.protocol.difference import Difference
from gatehouse.protocol.manifest import Directory, Manifest
from gatehouse.system import process

_SECONDS = 60  # to search one directory
_SHOWN = 20  # files of one directory
# A directory without the right to search it hides its contents.
_SEARCHED = ("(", "!", "-readable", "-o", "-type", "d", "!", "-executable", "-o", "-type", "l", ")", "-prune")
_PRINTED = ("-printf", r"%p\0%m %u:%g\0%l\0")  # the last one is empty except for a link


def unreadable(manifest: Manifest) -> list[Difference]:
    return [
        found for directory in manifest.directory if directory.reader for found in _below(directory, directory.reader)
    ]


def _below(directory: Directory, reader: str) -> list[Difference]:
    """Searched by the account itself, so that the kernel decides what it may read."""
    words = ("find", directory.path, "-mindepth", "1", *_SEARCHED, *_PRINTED)
    status, output = process.run(words, reader, seconds=_SECONDS)
    if status:
        return [Difference("directory", directory.path, "unreadable", f"{directory.path}: {legible(output)}")]
    fields = output.split("\0")[:-1]
    found = sorted(
        (path, _why(access, target, reader))
        for path, access, target in zip(fields[0::3], fields[1::3], fields[2::3], strict=True)
        if not target or _leaves(directory.path, path, target)
    )
    listed = [Difference("file", path, "unreadable", f"{legible(path)} {why}") for path, why in found[:_SHOWN]]
    if len(found) > _SHOWN:
        more = f"{reader} cannot read {counted(len(found) - _SHOWN, 'more file')} in {directory.path}"
        listed.append(Difference("directory", directory.path, "unreadable", more))
    return listed


def _leaves(folder: str, link: str, target: str) -> bool:
    """Whether a link leads out of the directory, which a container has at another path, and nothing around it."""
    return target.startswith("/") or not os.path.normpath(f"{os.path.dirname(link)}/{target}").startswith(f"{folder}/")


def _why(access: str, target: str, reader: str) -> str:
    if target:
        return f"is a link to {legible(target)}, which a container does not see: copy the file itself there"
    return f"is {access}, and {reader} cannot read it: chgrp {reader} and chmod g+rX make it readable"
