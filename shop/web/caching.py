"""Answers with pages that are the same for everybody, so that caches may keep them."""

from __future__ import annotations

import gzip

from flask import Response, make_response, request


def public(page: str, mimetype: str = "text/html") -> Response:
    """Answer with a page that caches may keep, but must ask about each time; compressed if the client takes that.

    The page has no token and nothing private in it, so that its compressed length gives nothing away (BREACH).
    """
    response = make_response(page)
    response.mimetype = mimetype
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"]:
        response.data = gzip.compress(response.data, compresslevel=6, mtime=0)
        response.content_encoding = "gzip"
    response.headers["Cache-Control"] = "public, max-age=0, must-revalidate"
    response.add_etag()
    response.make_conditional(request)
    return response
