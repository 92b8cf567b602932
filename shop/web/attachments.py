"""Files that are handed out to be saved, not shown: whole or from where a download broke off.

The file goes from the disk to the socket by the server's `wsgi.file_wrapper` (under gunicorn that is
sendfile), or in pieces if a meter must grant each of them, so its size costs no memory. A download costs a
thread for as long as the buyer takes, which is why not all threads may serve downloads.
"""

from __future__ import annotations

import io
import mimetypes
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.http import dump_options_header
from werkzeug.wsgi import FileWrapper, wrap_file

DOWNLOADS_AT_ONCE = 16
"""How many of a process's 32 threads may serve downloads; the others are for pages, checkouts and postbacks."""

PIECE = 64 * 1024
"""Bytes that are read together if a meter grants the file in portions."""

_slots = threading.BoundedSemaphore(DOWNLOADS_AT_ONCE)


class Meter(Protocol):
    """Counts what is given of a file."""

    in_portions: bool
    """Whether `more` has to be called when the file has been read up to byte `granted`."""

    @property
    def granted(self) -> int:
        """The byte up to which the file may be given."""

    def more(self) -> None:
        """Grant a further portion, or raise."""

    def end(self, reached: int) -> None:
        """Called when the answer is over; `reached` is the byte after the last one that was given."""


MeterMaker = Callable[[int, int, int], Meter]
"""Makes a meter for bytes of a file, or raises; it takes their start, their stop, and the file's size."""


class Stretch(io.FileIO):
    """A file's bytes from `start` to `stop`; it takes one of the slots for downloads until it is closed."""

    def __init__(self, path: Path, start: int, stop: int) -> None:
        self.reached, self.stop = start, stop
        self.meter: Meter | None = None
        if not _slots.acquire(blocking=False):
            raise ServiceUnavailable
        try:
            super().__init__(path)
        except BaseException:
            _slots.release()
            raise
        self.seek(start)

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` of the bytes that are left."""
        position, stop = self.tell(), self.stop
        if self.meter and position < stop:
            if position >= self.meter.granted:
                self.meter.more()
            stop = min(stop, self.meter.granted)
        left = stop - position
        data = super().read(left if size is None or size < 0 else min(size, left)) or b""
        self.reached = max(self.reached, position + len(data))
        return data

    def seek(self, place: int, whence: int = 0, /) -> int:
        """Go there. sendfile reads past this object, and tells by a call of this how far it came."""
        position = super().seek(place, whence)
        self.reached = max(self.reached, position)
        return position

    def close(self) -> None:
        """Close the file, give the slot back and have what was given counted, once."""
        if not self.closed:
            super().close()
            _slots.release()
            if self.meter:
                self.meter.end(self.reached)


def attachment(path: Path, meter: MeterMaker) -> Response:
    """The file, or as much of it as the request's Range asks for and `meter` lets through.

    Raises RequestedRangeNotSatisfiable, ServiceUnavailable when too many download at once, and what `meter` raises.
    """
    facts = path.stat()
    response = Response(
        mimetype=mimetype_of(path.name),
        direct_passthrough=True,
    )
    response.content_length = facts.st_size
    response.last_modified = facts.st_mtime  # type: ignore[assignment]  # a number will do
    response.set_etag(f"{facts.st_mtime_ns:x}-{facts.st_size:x}")
    response.headers["Content-Disposition"] = disposition(path.name)
    # A browser that shows the file all the same treats it as a page of no site.
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "private, no-store"
    response.make_conditional(request, accept_ranges=True, complete_length=facts.st_size)
    if request.method == "GET" and response.status_code in (200, 206):
        start = response.content_range.start or 0 if response.status_code == 206 else 0
        stretch = Stretch(path, start, start + (response.content_length or 0))
        try:
            stretch.meter = meter(start, stretch.stop, facts.st_size)
        except BaseException:
            stretch.close()
            raise
        if stretch.meter.in_portions:
            response.response = FileWrapper(stretch, PIECE)
            response.headers["X-Accel-Buffering"] = "no"  # nginx would read ahead of the buyer
        else:
            response.response = wrap_file(request.environ, stretch)
    return response


def mimetype_of(name: str) -> str:
    """What kind of file this is, by its name."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def disposition(name: str) -> str:
    """The header that has a browser save the file under this name, in any script (RFC 6266)."""
    # A file system takes line ends and broken characters in a name; a header takes neither.
    name = "".join(letter if letter.isprintable() else "_" for letter in name)
    if name.isascii():
        return dump_options_header("attachment", {"filename": name})
    # For programs that know only the plain name: curl would save `дождь.zip` as `.zip`.
    stem, dot, ending = name.rpartition(".")
    plain = [
        unicodedata.normalize("NFKD", part).encode("ascii", "ignore").decode().strip()
        for part in (stem, ending)
    ]
    simple = f"{plain[0] or 'download'}{dot}{plain[1]}"
    quoted = quote(name, safe="!#$&+-.^_`|~")  # RFC 8187's attr-char
    return dump_options_header("attachment", {"filename": simple, "filename*": f"UTF-8''{quoted}"})
