"""Pages that are the same for everybody, and may be kept."""

from __future__ import annotations

from flask import Response, make_response, request


def public(page: str, mimetype: str = "text/html") -> Response:
    """A page that anybody may keep, and must ask about before using it again."""
    response = make_response(page)
    response.mimetype = mimetype
    response.headers["Cache-Control"] = "public, max-age=0, must-revalidate"
    response.add_etag()
    response.make_conditional(request)
    return response
