"""Files that are handed out to be saved, not shown: whole or from where a download broke off.

The file goes from the disk to the socket by the server's `wsgi.file_wrapper` (under gunicorn that is
sendfile), so its size costs no memory. It costs a thread for as long as the buyer takes, which is
why not all threads may be spent on it.
"""

from __future__ import annotations

import io
import mimetypes
import threading
import unicodedata
from pathlib import Path
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.http import dump_options_header
from werkzeug.wsgi import wrap_file

DOWNLOADS_AT_ONCE = 16
"""Of a process's 32 threads; the others are for pages, checkouts and postbacks."""

_slots = threading.BoundedSemaphore(DOWNLOADS_AT_ONCE)


class Stretch(io.FileIO):
    """So many bytes of a file, from a place in it; keeps one of the slots until it is closed."""

    def __init__(self, path: Path, start: int, length: int) -> None:
        self.left = length
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
        most = self.left if size is None or size < 0 else min(size, self.left)
        data = super().read(most) or b""
        self.left -= len(data)
        return data

    def close(self) -> None:
        """Close the file and give the slot back, once."""
        if not self.closed:
            super().close()
            _slots.release()


def attachment(path: Path) -> Response:
    """The file, or as much of it as the request's Range asks for; the caller closes what it does not return.

    Raises RequestedRangeNotSatisfiable, and ServiceUnavailable when too many download at once.
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
    # Even a browser that showed it all the same would treat it as a page of nobody's.
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "private, no-store"
    response.make_conditional(request, accept_ranges=True, complete_length=facts.st_size)
    if request.method == "GET" and response.status_code in (200, 206):
        stretch = Stretch(path, first_byte(response), response.content_length or 0)
        response.response = wrap_file(request.environ, stretch)
    return response


def first_byte(response: Response) -> int:
    """Where in the file the answer begins."""
    return response.content_range.start or 0 if response.status_code == 206 else 0


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
