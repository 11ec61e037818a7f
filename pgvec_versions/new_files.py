"""Writes files that only their owner can read, complete or not at all, and never through a link.

In a shared folder such as ``/tmp``, another user may have put a link where the new file goes. So we
write the file under a random name, readable by its owner alone, and rename it when it is complete.
It replaces nothing unless you ask for that, and then only a plain file, never a link's target.
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

#: Only its owner reads it: it holds texts that row-level security may hide from others.
_MODE = 0o600
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def new_file(path: Path, *, replace: bool = False) -> Generator[IO[bytes]]:
    """Opens a file to write, mode 0600. It gets its name when the block ends without an error.

    ``replace``: it replaces a plain file of that name, which stays as it was until then.
    Effects: its bytes are on the disk before it gets its name. A block that fails leaves nothing.
    Raises: InvalidArgument if a file or a link exists there already; UnreadableFile for a folder
    that cannot be written to.
    """
    try:
        # Held open, so that we check and write in one and the same folder.
        folder = os.open(path.parent, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError as exc:
        raise UnreadableFile(f"{path} cannot be written: {exc.strerror}.") from exc
    part = f".pgvec-{secrets.token_hex(8)}.part"
    try:
        _refuse_existing(path, folder, replace=replace)
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
    """Writes a text file, or replaces a plain file of that name. Raises: as ``new_file``."""
    with new_file(path, replace=True) as file:
        file.write(text.encode("utf-8"))


def _refuse_existing(path: Path, folder: int, *, replace: bool) -> None:
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
        what = "is not a plain file"
    raise InvalidArgument(f"{path} {what}.", hint="Name a new file.")


def _give_name(path: Path, part: str, folder: int, *, replace: bool) -> None:
    if replace:
        _refuse_existing(path, folder, replace=True)
        # If a link has come meanwhile, this replaces the link itself, not its target.
        os.replace(part, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        return
    try:
        # A hard link fails if anything has that name, even a link that points nowhere.
        os.link(part, path.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        return
    except FileExistsError:
        raise InvalidArgument(f"{path} exists already.", hint="Name a new file.") from None
    except (OSError, NotImplementedError):
        pass  # a file system without hard links
    try:
        # Reserve the name with an empty file, which the complete one then replaces.
        os.close(os.open(path.name, _NEW, _MODE, dir_fd=folder))
    except FileExistsError:
        raise InvalidArgument(f"{path} exists already.", hint="Name a new file.") from None
    except OSError as exc:
        raise UnreadableFile(f"{path} cannot be written: {exc.strerror}.") from exc
    os.replace(part, path.name, src_dir_fd=folder, dst_dir_fd=folder)
