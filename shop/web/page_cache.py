"""Public pages kept in memory and answered before Flask: one that is kept costs little more than a constant.

A page is kept with the version of what it is made of, which was read before the page was made. Each hit reads
the version of now and compares, so no page is stale, whichever process has changed something. Kept is only
what its view declares to be the same for everybody (web/caching.py), by all that such a page may depend on:
host, path (with the language in it), what of the query the shop reads, and whether the client takes gzip.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Hashable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask
from werkzeug.http import is_entity_header, parse_accept_header, parse_etags

from ..ops.logs import REQUEST_ID, log_request, new_request_id
from .caching import PUBLIC_PAGE, Headers, PublicPage
from .query_string import asked_for

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEPT_BYTES = 8 * 2**20
"""In each process; the pages that were kept first go first."""
LARGEST = KEPT_BYTES // 2
BESIDE_BODY = 2000
"""Bytes that a page takes beside its body, about."""


class KeptPage(NamedTuple):
    """A public page, and the headers that it shares with its answer without a body."""

    page: PublicPage
    headers: Headers
    size: int


def init_app(app: Flask, *, reads: Collection[str], never_with: Collection[str]) -> None:
    """Keep the public pages. Of the names in a query, those that the shop `reads` tell pages apart.

    Where one of `never_with` is among them, the answer depends on more, and is not kept.
    """
    app.wsgi_app = PageCache(app.wsgi_app, frozenset(reads), frozenset(never_with))  # type: ignore[method-assign]


class PageCache:
    """Answers with kept pages, and keeps the public ones that the shop makes; for all threads of a process."""

    def __init__(
        self, app: WSGIApplication, reads: frozenset[str], never_with: frozenset[str]
    ) -> None:
        self.app, self.reads, self.never_with = app, reads, never_with
        self._pages = dict[Hashable, KeptPage]()
        self._size = 0
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer from memory where that is as good as asking the shop."""
        started = time.perf_counter()
        key = self._key(environ)
        if key is None:
            return self.app(environ, start_response)
        kept = self._pages.get(key)
        if kept is None or kept.page.version() != kept.page.seen:
            return self._ask(key, environ, start_response)
        return _answer(kept, environ, start_response, started)

    def _key(self, environ: WSGIEnvironment) -> Hashable | None:
        """All that a public page may depend on; None for a request that no kept page answers."""
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD") or "HTTP_IF_MATCH" in environ:
            return None
        asked: Mapping[str, str] = {}
        if query := environ.get("QUERY_STRING"):
            pairs = asked_for(query.encode("latin-1"))
            if any(name in self.never_with for name, _ in pairs):
                return None
            # Others do not matter, such as those that each visitor from a social network has of their own; nor
            # does a value behind the first one of its name.
            asked = {name: value for name, value in reversed(pairs) if name in self.reads}
        host, path = environ.get("HTTP_HOST"), environ.get("PATH_INFO")
        gzip = _takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))
        return host, environ.get("SCRIPT_NAME"), path, frozenset(asked.items()), gzip

    def _ask(
        self, key: Hashable, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            page: PublicPage | None = environ.get(PUBLIC_PAGE)
            if page and status[:3] in ("200", "304"):
                self._keep(key, page, headers)
            return start_response(status, headers, exc_info)

        return self.app(environ, start)

    def _keep(self, key: Hashable, page: PublicPage, answered: Headers) -> None:
        if page.seen is None or len(page.body) > LARGEST or _is_personal(answered):
            return
        headers = [
            (name, value)
            for name, value in answered
            if name != REQUEST_ID and not is_entity_header(name)
        ]
        kept = KeptPage(page, headers, len(page.body) + len(repr(key)) + BESIDE_BODY)
        with self._lock:
            self._drop(key)
            self._pages[key] = kept
            self._size += kept.size
            while self._size > KEPT_BYTES:
                self._drop(next(iter(self._pages)))

    def _drop(self, key: Hashable) -> None:
        if dropped := self._pages.pop(key, None):
            self._size -= dropped.size


def _answer(
    kept: KeptPage, environ: WSGIEnvironment, start_response: StartResponse, started: float
) -> Iterable[bytes]:
    page, method, request_id = kept.page, environ["REQUEST_METHOD"], new_request_id()
    known = environ.get("HTTP_IF_NONE_MATCH")
    changed = known is None or not parse_etags(known).contains_weak(page.etag)
    headers = [*page.headers, *kept.headers] if changed else [*kept.headers]
    headers.append((REQUEST_ID, request_id))
    start_response("200 OK" if changed else "304 NOT MODIFIED", headers)
    status = 200 if changed else 304
    log_request(method, page.route, status, time.perf_counter() - started, request_id)
    return [page.body] if changed and method == "GET" else []


def _is_personal(headers: Headers) -> bool:
    """Whether an answer is not the same for everybody after all: an operator's template may ask for the session."""
    lowered = {name.lower(): value.lower() for name, value in headers}
    return "set-cookie" in lowered or "cookie" in lowered.get("vary", "")


@lru_cache(maxsize=256)
def _takes_gzip(accepted: str) -> bool:
    return bool(parse_accept_header(accepted)["gzip"])
