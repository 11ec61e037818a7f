"""Files that we write: ours alone, whole or not at all, and never through somebody's link.

A folder may be shared (``/tmp``), and somebody may have put a link where the new file goes. So the
file is written under a name that nobody can know beforehand, made by this call and readable by its
owner alone, and takes its own name only when it is whole: without replacing anything, unless that
is asked for, and then only a plain file, never what a link points to.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pgvec_versions.errors import InvalidArgument, UnreadableFile

__all__ = ["new_file", "write_text"]

#: Read and written by its owner alone: it holds texts that row-level security may keep from others.
_MODE = 0o600
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def new_file(path: Path, *, replace: bool = False) -> Generator[IO[bytes]]:
    """A file to write, mode 0600, that has its name when the block has ended well.

    ``replace``: a plain file of that name gives way, its content untouched until then.
    Effects: the bytes are on the disk when it has its name. A block that fails leaves nothing.
    Raises: InvalidArgument for what stands there already, a link too; UnreadableFile for a place
    that cannot be written.
    """
    try:
        # Held open: the name is put into the very folder that was looked at.
        folder = os.open(path.parent, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError as exc:
        raise UnreadableFile(f"{path} cannot be written: {exc.strerror}.") from exc
    part = f".pgvec-{secrets.token_hex(8)}.part"
    try:
        _refuse_standing(path, folder, replace=replace)
        try:
            number = os.open(part, _NEW, _MODE, dir_fd=folder)
        except OSError as exc:
            raise UnreadableFile(f"{path} cannot be written: {exc.strerror}.") from exc
        try:
            with os.fdopen(number, "wb") as file:
                yield file
                try:
                    file.flush()
                    os.fsync(file.fileno())
                except OSError as exc:
                    raise UnreadableFile(f"{path} cannot be written: {exc.strerror}.") from exc
            _give_name(path, part, folder, replace=replace)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part, dir_fd=folder)
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Writes a text file, in place of a plain file of that name. Raises: as ``new_file``."""
    with new_file(path, replace=True) as file:
        file.write(text.encode("utf-8"))


def _refuse_standing(path: Path, folder: int, *, replace: bool) -> None:
    try:
        found = os.lstat(path.name, dir_fd=folder)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise UnreadableFile(f"{path} cannot be written: {exc.strerror}.") from exc
    if replace and stat.S_ISREG(found.st_mode):
        return
    what = "is a link" if stat.S_ISLNK(found.st_mode) else "exists already"
    if replace and not stat.S_ISLNK(found.st_mode):
        what = "is no plain file"
    raise InvalidArgument(f"{path} {what}.", hint="Name a new file.")


def _give_name(path: Path, part: str, folder: int, *, replace: bool) -> None:
    if replace:
        _refuse_standing(path, folder, replace=True)
        # Of a link that has come just now, rename replaces the link itself.
        os.replace(part, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        return
    try:
        # A hard link is made only where nothing stands, not even a link that points nowhere.
        os.link(part, path.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        return
    except FileExistsError:
        raise InvalidArgument(f"{path} exists already.", hint="Name a new file.") from None
    except (OSError, NotImplementedError):
        pass  # a file system without hard links
    try:
        # The name is taken by a file of ours, which the whole one then replaces.
        os.close(os.open(path.name, _NEW, _MODE, dir_fd=folder))
    except FileExistsError:
        raise InvalidArgument(f"{path} exists already.", hint="Name a new file.") from None
    except OSError as exc:
        raise UnreadableFile(f"{path} cannot be written: {exc.strerror}.") from exc
    os.replace(part, path.name, src_dir_fd=folder, dst_dir_fd=folder)
