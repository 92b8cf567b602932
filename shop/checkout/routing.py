"""The blueprint of cart and checkout, and what both read from a request."""

from __future__ import annotations

from flask import Blueprint, request
from flask_babel import lazy_gettext

from ..web.remembered import for_private_pages
from ..web.too_often import no_cookie_came

bp = Blueprint("checkout", __name__)
bp.context_processor(for_private_pages)

CHANGED_ELSEWHERE = lazy_gettext(
    "Your cart was changed in another tab or window. Please check what is in it now."
)


def carried(slug: str | None) -> dict[str, int] | None:
    """The product and quantity that the request itself names, if its browser keeps no cookie; else None."""
    if not slug or not no_cookie_came():
        return None
    return {slug: max(quantity(request.values.get("quantity", "1")), 1)}


def quantity(text: str) -> int:
    """The whole number that was typed; -1 for anything else."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else -1
