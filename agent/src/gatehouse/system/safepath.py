"""Access to the host's files and directories as if an attacker owned them.

A path is walked name by name: each directory is opened relative to the descriptor of its parent, and operations on a
name are relative to that descriptor. A symlink on the way is followed only if no account but root can have created it.
Anywhere else it is refused: the owner of the directory could create it between a check and a use, and root would act on
a path that the owner chose.

Any other code that takes paths works in directories that only root can write to; test_paths.py enforces this for the
other modules."""

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
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a FIFO must not block open()
_LARGEST = 64 << 20  # bytes of a file that is read into memory: no configuration file is larger
_LINKS = 40  # on one path, as the kernel allows


# ---------------------------------------------------------------- resolving paths


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """A descriptor of the directory `path`.

    Raises FileNotFoundError or NotADirectoryError if there is none, and Failure if a symlink leads there that an
    account other than root can have created."""
    folder = _walk(path)[0]
    try:
        yield folder
    finally:
        os.close(folder)


@contextlib.contextmanager
def above(path: str) -> Iterator[tuple[int, str]]:
    """A descriptor of the directory that contains `path`, and the last name of `path`. Raises as `opened` does."""
    folder, name = os.path.split(path)
    with opened(folder) as descriptor:
        yield descriptor, name


def refuse_shared(path: str) -> None:
    """Require that only root can write to the directories above `path`, for programs that use paths as root.

    Raises Failure naming the path, and NotADirectoryError or FileNotFoundError as `opened` does."""
    folder, trusted = _walk(os.path.dirname(path))
    os.close(folder)
    if not trusted:
        raise Failure(
            f"a folder above {path} can be written by an account other than root, which could replace it with a link: "
            f"make root the owner of the folders above it (`namei --long {path}` lists them); nothing was changed"
        )


def real(path: str) -> str:
    """The path of a directory with all symlinks resolved. Raises as `opened` does."""
    with opened(path) as folder:
        return os.readlink(f"/proc/self/fd/{folder}")


def links(path: str) -> list[str]:
    """The symlinks in or below a directory that only root can have created. Directories that others can write to are
    skipped."""
    with opened(path) as folder:
        return list(_links(path, folder))


def _links(path: str, folder: int) -> Iterator[str]:
    if not _is_roots(os.fstat(folder)):
        return
    for name in sorted(os.listdir(folder)):
        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode) and found.st_uid in (0, os.geteuid()):
                yield f"{path}/{name}"
            elif stat.S_ISDIR(found.st_mode) and _is_roots(found):
                with _below(folder, name) as there:
                    yield from _links(f"{path}/{name}", there)


def _walk(path: str) -> tuple[int, bool]:
    """A descriptor of the directory, and whether only root can change the path to it."""
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
                    raise Failure(
                        f"{path}: the path goes through more than {_LINKS} links; nothing was changed"
                    ) from None
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
    """The target of a symlink, if it may be followed."""
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    if not trusted or found.st_uid not in (0, os.geteuid()):
        raise Failure(
            f"{path}: {name} on this path is a link in a folder that an account other than root can write, and is not "
            "followed: check who created it, and move it away; nothing was changed"
        )
    return os.readlink(name, dir_fd=folder)


def _is_roots(folder: os.stat_result) -> bool:
    """Whether only root can replace the entries of a directory; in a sticky one, only root can replace root's files."""
    others = folder.st_mode & stat.S_IWOTH or (folder.st_mode & stat.S_IWGRP and folder.st_gid)
    return folder.st_uid in (0, os.geteuid()) and (not others or bool(folder.st_mode & stat.S_ISVTX))


# ---------------------------------------------------------------- reading


def status(path: str) -> os.stat_result | None:
    """The status of a path itself, which may be a symlink; None if it or a directory on the way does not exist."""
    try:
        with above(path) as (folder, name):
            return os.stat(name or ".", dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def read(path: str) -> bytes:
    """The content of a regular file, never through a symlink and never of a FIFO.

    Raises Failure if it is anything else, or larger than 64 MiB."""
    with above(path) as (folder, name), _plain(path, folder, name) as file:
        if os.fstat(file.fileno()).st_size > _LARGEST:
            raise Failure(f"{path} is larger than {_LARGEST >> 20} MiB; nothing was changed")
        return file.read(_LARGEST)


def _plain(path: str, folder: int, name: str) -> BinaryIO:
    try:
        descriptor = os.open(name, _FILE, dir_fd=folder)
    except BlockingIOError:  # a lease, which the owner of a file may take
        raise Failure(
            f"{path} is locked by a process of its owner (a lease), so it cannot be opened; nothing was changed"
        ) from None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        raise Failure(f"{path} is a link or a socket, and not a plain file; nothing was changed") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Failure(f"{path} is not a plain file; nothing was changed")
    return open(descriptor, "rb")


def target(path: str) -> str:
    """The target of the symlink at a path."""
    with above(path) as (folder, name):
        return os.readlink(name, dir_fd=folder)


def entries(path: str) -> dict[str, os.stat_result]:
    """The entries of a directory with their status, sorted by name. Raises as `opened` does."""
    found = {}
    with opened(path) as folder:
        for name in sorted(os.listdir(folder)):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                found[name] = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return found


def count(path: str) -> int:
    """The number of files below a directory."""
    with opened(path) as folder:
        return sum(len(files) for _, _, files, _ in os.fwalk(".", dir_fd=folder))


# ---------------------------------------------------------------- changing


def write(path: str, data: bytes, mode: int, uid: int, gid: int) -> None:
    """Put a file in place atomically. Its directory must exist."""
    with above(path) as (folder, name), _beside(folder, name) as new:
        _fill(folder, new, data, mode, uid, gid)


def link(path: str, target: str) -> None:
    """Put a symlink in place atomically."""
    with above(path) as (folder, name), _beside(folder, name) as new:
        os.symlink(target, new, dir_fd=folder)


@contextlib.contextmanager
def _beside(folder: int, name: str) -> Iterator[str]:
    """A temporary name in the same directory, renamed to `name` afterwards."""
    _unlink(folder, new := _new(name))
    yield new
    os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def _new(name: str) -> str:
    """A hidden name, without the suffix that readers of the directory look for."""
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
    """Remove a file or symlink, if it exists, and the temporary file of an interrupted `write`."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), above(path) as (folder, name):
        _unlink(folder, _new(name))
        _unlink(folder, name)
        os.fsync(folder)


def make(path: str, mode: int = 0o755) -> None:
    """Create a directory owned by root, and missing parents with the same mode. An existing directory is not
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
    """A descriptor of a subdirectory, which must not be a symlink."""
    descriptor = os.open(name, _FOLDER, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def give(path: str, mode: int, uid: int, gid: int) -> None:
    """Set the owner and mode of a directory, but not of its contents."""
    with opened(path) as folder:
        os.fchown(folder, uid, gid)
        os.fchmod(folder, mode)


def rename(source: str, target: str) -> None:
    """Move a file or directory to another path on the same file system."""
    with above(source) as (here, name), above(target) as (there, new):
        os.rename(name, new, src_dir_fd=here, dst_dir_fd=there)
        for folder in (here, there):
            os.fsync(folder)


def remove_folder(path: str) -> bool:
    """Remove a directory if it is empty. Returns True if it no longer exists."""
    try:
        with above(path) as (folder, name):
            os.rmdir(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def remove_tree(path: str) -> None:
    """Remove a path and everything in it on the same file system. Raises Failure if that fails."""
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
    """Copy the regular files, directories and symlinks in a directory, with owners and modes, into the new directory
    `into`, which only root can enter until `give_as` hands it over. Sockets cannot be copied and FIFOs have no content,
    so both are left out."""
    with opened(source) as here, above(into) as (folder, name):
        _new_folder(folder, name, 0o700)
        with _below(folder, name) as there:
            _copy(source, here, there)


def _copy(path: str, here: int, there: int) -> None:
    for name in os.listdir(here):
        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
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
    """Set the owner and mode of a directory to those of another one."""
    with opened(source) as here, opened(into) as there:
        _give_as(os.fstat(here), there)


def _give_as(found: os.stat_result, descriptor: int) -> None:
    os.fchown(descriptor, found.st_uid, found.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(found.st_mode))


def renumber(path: str, users: dict[int, int], groups: dict[int, int]) -> None:
    """Map the user and group of `path` and of each file below it to new numbers. Only root can write to the directories
    above it, so that nothing in there changes meanwhile."""
    refuse_shared(path)
    seen: set[tuple[int, int]] = set()  # files with several hard links
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
                    os.chmod(each, stat.S_IMODE(found.st_mode))  # chown clears setuid and setgid
