"""Files that an operator may put into the data folder to make the shop their own: texts, style, logo."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class Unreadable(Exception):
    """Something lies there and cannot be used; the text says what."""


def own_bytes(path: Path) -> bytes | None:
    """What the file holds; None where nothing lies."""
    try:
        # Without waiting: a pipe that nobody writes to would hold its reader for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreadable(f"{path} cannot be read ({error.strerror})") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Unreadable(f"{path} is not a plain file")
        with open(handle, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read ({error.strerror})") from None
    finally:
        os.close(handle)


def own_text(path: Path) -> str | None:
    """The same as text."""
    content = own_bytes(path)
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable(f"{path} is not text in UTF-8") from None
