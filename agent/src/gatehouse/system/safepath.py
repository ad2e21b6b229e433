"""The host's files and folders, opened as if an attacker owned them.

A path is walked name by name: each folder is opened by the descriptor of the one above it, and what is done to a name
is done below that descriptor. A link on the way is followed only where root alone can have put it. Anywhere else it is
refused: the owner of the folder could swap it in between a look and a use, and root would act on a path of its choice.

What takes a path and is not here belongs to folders that root alone can write; test_paths.py holds the other modules to
that.
"""

import contextlib
import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from typing import BinaryIO

from gatehouse.output.report import Failure

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a FIFO must not block who opens it
_LARGEST = 64 << 20  # bytes of a file that is read into memory: more is no configuration
_LINKS = 40  # on one path, as the kernel allows


# ---------------------------------------------------------------- the way to a path


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """A descriptor of the folder `path`.

    Raises FileNotFoundError or NotADirectoryError where there is none, and Failure where a link leads there that
    another account than root can have put on the way."""
    folder = _walk(path)[0]
    try:
        yield folder
    finally:
        os.close(folder)


@contextlib.contextmanager
def above(path: str) -> Iterator[tuple[int, str]]:
    """A descriptor of the folder that `path` is in, and the last name of `path`. Raises as `opened` does."""
    folder, name = os.path.split(path)
    with opened(folder) as descriptor:
        yield descriptor, name


def refuse_shared(path: str) -> None:
    """Where a program that takes paths works as root, no other account may write to a folder on the way to `path`.

    Raises Failure naming the path, and NotADirectoryError or FileNotFoundError as `opened` does.
    """
    folder, trusted = _walk(os.path.dirname(path))
    os.close(folder)
    if not trusted:
        raise Failure(
            f"a folder above {path} can be written by another account than root, which could put a link in its place: "
            f"make the folders above it root's (`namei --long {path}` lists them); nothing was done"
        )


def real(path: str) -> str:
    """The path of a folder without a link in it. Raises as `opened` does."""
    with opened(path) as folder:
        return os.readlink(f"/proc/self/fd/{folder}")


def links(path: str) -> list[str]:
    """The paths of the links that root alone can have put into a folder or below it. Where others can write there is
    none."""
    with opened(path) as folder:
        return list(_links(path, folder))


def _links(path: str, folder: int) -> Iterator[str]:
    if not _is_roots(os.fstat(folder)):
        return
    for name in sorted(os.listdir(folder)):
        with contextlib.suppress(FileNotFoundError):  # it went just now
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode) and found.st_uid in (0, os.geteuid()):
                yield f"{path}/{name}"
            elif stat.S_ISDIR(found.st_mode) and _is_roots(found):
                with _below(folder, name) as there:
                    yield from _links(f"{path}/{name}", there)


def _walk(path: str) -> tuple[int, bool]:
    """A descriptor of the folder, and whether root alone can change the way to it."""
    names, here, trusted, links = _names(path), os.open("/", _FOLDER), True, 0
    try:
        trusted = _is_roots(os.fstat(here))
        while names:
            name = names.pop()
            try:
                there = os.open(name, _FOLDER, dir_fd=here)
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                target = _target(path, here, name, trusted)
                links += 1
                if links > _LINKS:
                    raise Failure(f"{path}: more than {_LINKS} links lead there; nothing was done") from None
                names += _names(target)
                if not target.startswith("/"):
                    continue
                there, trusted = os.open("/", _FOLDER), True
            os.close(here)
            here = there
            trusted = trusted and _is_roots(os.fstat(here))
        return here, trusted
    except BaseException:
        os.close(here)
        raise


def _names(path: str) -> list[str]:
    """The names of a path, the last one first."""
    return [name for name in path.split("/") if name not in ("", ".")][::-1]


def _target(path: str, folder: int, name: str, trusted: bool) -> str:
    """Where a link leads, if it may be followed."""
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    if not trusted or found.st_uid not in (0, os.geteuid()):
        raise Failure(
            f"{path}: {name} on the way is a link in a folder that another account than root can write, and is not "
            "followed: look who put it there, and move it away; nothing was done"
        )
    return os.readlink(name, dir_fd=folder)


def _is_roots(folder: os.stat_result) -> bool:
    """Whether root alone can replace what is in a folder: in a sticky one, only root can replace root's files."""
    others = folder.st_mode & stat.S_IWOTH or (folder.st_mode & stat.S_IWGRP and folder.st_gid)
    return folder.st_uid in (0, os.geteuid()) and (not others or bool(folder.st_mode & stat.S_ISVTX))


# ---------------------------------------------------------------- looking


def status(path: str) -> os.stat_result | None:
    """Of what is at a path itself, which may be a link; None where there is nothing, or no folder on the way."""
    try:
        with above(path) as (folder, name):
            return os.stat(name or ".", dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def read(path: str) -> bytes:
    """The content of a plain file, and of nothing else: neither a link's target nor a FIFO's.

    Raises Failure where it is something else, or larger than 64 MiB.
    """
    with above(path) as (folder, name), _plain(path, folder, name) as file:
        if os.fstat(file.fileno()).st_size > _LARGEST:
            raise Failure(f"{path} is larger than {_LARGEST >> 20} MiB; nothing was done")
        return file.read(_LARGEST)


def _plain(path: str, folder: int, name: str) -> BinaryIO:
    try:
        descriptor = os.open(name, _FILE, dir_fd=folder)
    except BlockingIOError:  # a lease, which the owner of a file may take
        raise Failure(
            f"{path} is held by a process of its owner's, so that nobody else can open it; nothing was done"
        ) from None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        raise Failure(f"{path} is a link or a socket, and not a plain file; nothing was done") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Failure(f"{path} is not a plain file; nothing was done")
    return open(descriptor, "rb")


def target(path: str) -> str:
    """Where the link at a path leads."""
    with above(path) as (folder, name):
        return os.readlink(name, dir_fd=folder)


def entries(path: str) -> dict[str, os.stat_result]:
    """What is in a folder, by name and in order. Raises as `opened` does."""
    found = {}
    with opened(path) as folder:
        for name in sorted(os.listdir(folder)):
            with contextlib.suppress(FileNotFoundError):  # it went just now
                found[name] = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return found


def count(path: str) -> int:
    """The number of files below a folder."""
    with opened(path) as folder:
        return sum(len(files) for _, _, files, _ in os.fwalk(".", dir_fd=folder))


# ---------------------------------------------------------------- changing


def write(path: str, data: bytes, mode: int, uid: int, gid: int) -> None:
    """Put a file in place, whole or not at all. Its folder is there."""
    with above(path) as (folder, name), _beside(folder, name) as new:
        _fill(folder, new, data, mode, uid, gid)


def link(path: str, target: str) -> None:
    """Put a symbolic link in place."""
    with above(path) as (folder, name), _beside(folder, name) as new:
        os.symlink(target, new, dir_fd=folder)


@contextlib.contextmanager
def _beside(folder: int, name: str) -> Iterator[str]:
    """A name for what is to take the place of another."""
    _unlink(folder, new := _new(name))
    yield new
    os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def _new(name: str) -> str:
    """A dot-name without the suffix that the folder's reader looks for."""
    return f".{name}.gatehouse"


def _unlink(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _fill(folder: int, name: str, data: bytes, mode: int, uid: int, gid: int) -> None:
    with _created(folder, name) as file:
        file.write(data)
        file.flush()
        os.fchown(file.fileno(), uid, gid)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def _created(folder: int, name: str) -> BinaryIO:
    return open(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder), "wb")


def remove(path: str) -> None:
    """Remove a file or a link, if there is one, and what an interrupted `write` was about to put in its place."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), above(path) as (folder, name):
        _unlink(folder, _new(name))
        _unlink(folder, name)
        os.fsync(folder)


def make(path: str, mode: int = 0o755) -> None:
    """Make a folder of root's, and with the same mode those that are missing above it. An existing folder is not
    changed."""
    with contextlib.suppress(FileNotFoundError), opened(path):
        return
    make(os.path.dirname(path), mode)
    with above(path) as (folder, name):
        with contextlib.suppress(FileExistsError):
            _new_folder(folder, name, mode)
        os.fsync(folder)


def _new_folder(folder: int, name: str, mode: int) -> None:
    os.mkdir(name, 0o700, dir_fd=folder)
    with _below(folder, name) as new:
        os.fchmod(new, mode)


@contextlib.contextmanager
def _below(folder: int, name: str) -> Iterator[int]:
    """A descriptor of a folder in a folder, which is no link."""
    descriptor = os.open(name, _FOLDER, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def give(path: str, mode: int, uid: int, gid: int) -> None:
    """Set the owner and the mode of a folder, not of what is in it."""
    with opened(path) as folder:
        os.fchown(folder, uid, gid)
        os.fchmod(folder, mode)


def rename(source: str, target: str) -> None:
    """Move what is at one path to another on the same file system."""
    with above(source) as (here, name), above(target) as (there, new):
        os.rename(name, new, src_dir_fd=here, dst_dir_fd=there)
        for folder in (here, there):
            os.fsync(folder)


def remove_folder(path: str) -> bool:
    """Remove a folder if it is empty; whether it is gone."""
    try:
        with above(path) as (folder, name):
            os.rmdir(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def remove_tree(path: str) -> None:
    """Remove whatever is at a path, with all that is in it on the same file system. Raises Failure where that fails."""
    try:
        with above(path) as (folder, name):
            os.stat(name, dir_fd=folder, follow_symlinks=False)
            done = subprocess.run(
                ["rm", "--recursive", "--force", "--one-file-system", "--", name],
                cwd=f"/proc/self/fd/{folder}",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
    except (FileNotFoundError, NotADirectoryError):
        return
    if done.returncode:
        raise Failure(f"{path} cannot be removed: {done.stderr.strip()}")


# ---------------------------------------------------------------- whole trees


def copy(source: str, into: str) -> None:
    """Copy the plain files, folders and links that are in a folder, with owners and modes, into the new folder `into`.
    That one is root's alone until `give_as` hands it over. A socket cannot be copied, and a FIFO has no content: they
    are left out."""
    with opened(source) as here, above(into) as (folder, name):
        _new_folder(folder, name, 0o700)
        with _below(folder, name) as there:
            _copy(source, here, there)


def _copy(path: str, here: int, there: int) -> None:
    for name in os.listdir(here):
        with contextlib.suppress(FileNotFoundError):  # it went just now
            found = os.stat(name, dir_fd=here, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                os.symlink(os.readlink(name, dir_fd=here), name, dir_fd=there)
                os.chown(name, found.st_uid, found.st_gid, dir_fd=there, follow_symlinks=False)
            elif stat.S_ISREG(found.st_mode):
                with _plain(f"{path}/{name}", here, name) as source, _created(there, name) as target:
                    shutil.copyfileobj(source, target)
                    _give_as(os.fstat(source.fileno()), target.fileno())
            elif stat.S_ISDIR(found.st_mode):
                with _below(here, name) as below:
                    os.mkdir(name, 0o700, dir_fd=there)
                    with _below(there, name) as copied:
                        _copy(f"{path}/{name}", below, copied)
                        _give_as(os.fstat(below), copied)


def give_as(source: str, into: str) -> None:
    """Set the owner and the mode of a folder to those of another one."""
    with opened(source) as here, opened(into) as there:
        _give_as(os.fstat(here), there)


def _give_as(found: os.stat_result, descriptor: int) -> None:
    os.fchown(descriptor, found.st_uid, found.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(found.st_mode))


def renumber(path: str, users: dict[int, int], groups: dict[int, int]) -> None:
    """Give each file below `path`, and the folder itself, to the user and the group that stand for its own. The folders
    above are root's alone, so that nothing in there changes meanwhile."""
    refuse_shared(path)
    seen: set[tuple[int, int]] = set()  # files that have several names
    for folder, below, files in os.walk(path):
        for name in (".", *files, *(name for name in below if os.path.islink(os.path.join(folder, name)))):
            each = os.path.join(folder, name)
            found = os.lstat(each)
            if not stat.S_ISDIR(found.st_mode) and found.st_nlink > 1:
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
            uid, gid = users.get(found.st_uid, found.st_uid), groups.get(found.st_gid, found.st_gid)
            if (uid, gid) != (found.st_uid, found.st_gid):
                os.lchown(each, uid, gid)
                if not stat.S_ISLNK(found.st_mode):
                    os.chmod(each, stat.S_IMODE(found.st_mode))  # which chown takes setuid and setgid from
