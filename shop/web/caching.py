"""Pages that are the same for everybody, and may be kept."""

from __future__ import annotations

import gzip

from flask import Response, make_response, request


def public(page: str, mimetype: str = "text/html") -> Response:
    """A page that anybody may keep, and must ask about before using it again; compressed for who takes it.

    It holds no token and nothing of anybody's, so that its length gives nothing away (BREACH).
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
