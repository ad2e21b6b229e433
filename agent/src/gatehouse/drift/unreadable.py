"""Files that an operator has put into a directory for a service, and that the service's account cannot read. An apply
does not change them, since they are not gatehouse's."""

from gatehouse.output.table import counted, legible
from gatehouse.protocol.difference import Difference
from gatehouse.protocol.manifest import Directory, Manifest
from gatehouse.system import process

_SECONDS = 60  # to search one directory
_SHOWN = 20  # files of one directory
# A directory without the right to search it hides its contents.
_UNREADABLE = ("(", "!", "-readable", "-o", "-type", "d", "!", "-executable", ")", "-prune")


def unreadable(manifest: Manifest) -> list[Difference]:
    return [
        found for directory in manifest.directory if directory.reader for found in _below(directory, directory.reader)
    ]


def _below(directory: Directory, reader: str) -> list[Difference]:
    """Searched by the account itself, so that the kernel decides what it may read."""
    words = ("find", directory.path, "-mindepth", "1", *_UNREADABLE, "-printf", r"%p\0%m %u:%g\0")
    status, output = process.run(words, reader, seconds=_SECONDS)
    if status:
        return [Difference("directory", directory.path, "unreadable", f"{directory.path}: {legible(output)}")]
    fields = output.split("\0")[:-1]
    found = sorted(zip(fields[0::2], fields[1::2], strict=True))
    listed = [
        Difference(
            "file",
            path,
            "unreadable",
            f"{legible(path)} is {access}, and {reader} cannot read it: chgrp {reader} and chmod g+rX make it readable",
        )
        for path, access in found[:_SHOWN]
    ]
    if len(found) > _SHOWN:
        more = f"{reader} cannot read {counted(len(found) - _SHOWN, 'more file')} in {directory.path}"
        listed.append(Difference("directory", directory.path, "unreadable", more))
    return listed
