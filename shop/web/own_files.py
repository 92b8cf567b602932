"""Files that an operator may put into the data folder to make the shop their own: texts, style, logo."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UnreadableFile(Exception):
    """Something lies there and cannot be used; `why` says so without the path, the text with it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}")
        self.why = why


@contextmanager
def plain_file(path: Path) -> Iterator[int]:
    """A handle of the file, to be read. Raises FileNotFoundError where nothing lies, or UnreadableFile."""
    try:
        # Without waiting: a pipe that nobody writes to would hold its reader for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise UnreadableFile(path, "is not a plain file")
            yield handle
        finally:
            os.close(handle)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableFile(path, f"cannot be read ({error.strerror})") from None


def own_bytes(path: Path) -> bytes | None:
    """What the file holds; None where nothing lies. Raises UnreadableFile."""
    try:
        with plain_file(path) as handle, open(handle, "rb", closefd=False) as file:
            return file.read()
    except FileNotFoundError:
        return None


def own_text(path: Path) -> str | None:
    """The same as text."""
    content = own_bytes(path)
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableFile(path, "is not text in UTF-8") from None
