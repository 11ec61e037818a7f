"""Files with a checksum: one that is written, and one that is verified before anybody reads it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from pathlib import Path
from typing import IO, Any

from pgvec_versions.errors import ArchiveMismatch, UnreadableFile

#: What is read, hashed and compared at once. Large enough that a file of gigabytes has few digests.
#: Units: bytes.
BLOCK = 1 << 20


class HashedFile:
    """A file that is written once, front to back. Knows its checksum at the end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Appends bytes."""
        view = memoryview(data).cast("B")
        self._file.write(view)
        self._hash.update(view)
        self.bytes += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        """The bytes written so far."""
        return self.bytes

    def flush(self) -> None:
        """Flushes the file below."""
        self._file.flush()

    def close(self) -> None:
        """Ends writing. The file below stays open."""
        self.closed = True

    def writable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """No."""
        return False

    def seekable(self) -> bool:
        """No."""
        return False

    @property
    def sha256(self) -> str:
        """The checksum of what was written, in hex."""
        return self._hash.hexdigest()


class VerifiedFile(RawIOBase):
    """An open file that is read once for its SHA-256, and afterwards gives exactly those bytes.

    Somebody may change the file between the two. So each block is compared with what was hashed
    before the caller gets it. Raises: ArchiveMismatch, from ``read``.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        super().__init__()
        self.path = path
        self._file = file
        self._digests: list[bytes] = []
        self._size = self._position = 0
        #: The last block that was verified, with its number.
        self._verified: tuple[int, bytes] = (-1, b"")
        whole = hashlib.sha256()
        while block := file.read(BLOCK):
            whole.update(block)
            self._digests.append(hashlib.sha256(block).digest())
            self._size += len(block)
        self.sha256 = whole.hexdigest()

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Moves the position."""
        start = {SEEK_SET: 0, SEEK_CUR: self._position, SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Verified bytes, at most ``size``; with -1, the rest of the file."""
        end = self._size if size < 0 else min(self._position + size, self._size)
        parts: list[bytes] = []
        while self._position < end:
            number, start = divmod(self._position, BLOCK)
            part = self._block(number)[start : start + end - self._position]
            parts.append(part)
            self._position += len(part)
        return b"".join(parts)

    def _block(self, number: int) -> bytes:
        if self._verified[0] != number:
            self._file.seek(number * BLOCK)
            block = self._file.read(BLOCK)
            if hashlib.sha256(block).digest() != self._digests[number]:
                raise ArchiveMismatch(
                    f"{self.path} was changed while it was read.",
                    hint="Nothing was restored. Keep the file where nobody else can write.",
                    detail={"path": str(self.path)},
                )
            self._verified = number, block
        return self._verified[1]


@contextmanager
def opened_file(path: Path) -> Generator[IO[bytes]]:
    """Opens a plain file for reading. Raises: UnreadableFile."""
    try:
        # Not blocking: opening a pipe would wait until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as exc:
        raise UnreadableFile(f"{path} cannot be read: {exc.strerror}.") from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableFile(f"{path} cannot be read: it is not a plain file.")
    with os.fdopen(descriptor, "rb") as file:
        yield file
