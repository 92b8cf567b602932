"""The pages, the same for everybody who asks in the same language."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from ..config import current_settings
from ..i18n import language
from ..web.caching import public
from .texts import NAMES, read_page

bp = Blueprint("legal", __name__)


@bp.get(f"/<any({', '.join(NAMES)}):name>")
def page(name: str) -> Response:
    """Terms, privacy, refunds or contact."""
    text = read_page(current_settings(), name, language())
    return public(render_template("legal/page.html", page=text))
