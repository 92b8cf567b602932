"""Files that an operator may put into the data folder to make the shop their own: texts, style, logo."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UnreadableFile(Exception):
    """The file is there, but cannot be used; `why` says the reason without the path, the text with it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}")
        self.why = why


@contextmanager
def plain_file(path: Path) -> Iterator[int]:
    """A handle by which to read the file. Raises FileNotFoundError if there is none, or UnreadableFile."""
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
    """The file's content; None if there is no file. Raises UnreadableFile."""
    try:
        with plain_file(path) as handle, open(handle, "rb", closefd=False) as file:
            return file.read()
    except FileNotFoundError:
        return None


def own_text(path: Path) -> str | None:
    """The file's content as text; None if there is no file. Raises UnreadableFile."""
    content = own_bytes(path)
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableFile(path, "is not text in UTF-8") from None
