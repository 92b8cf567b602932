"""Legal texts, and what search engines are told: the same for everybody who asks in the same language."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, abort, render_template

from ..config import current_settings
from ..i18n import language
from ..web.caching import public
from ..web.own_files import UnreadableFile
from .crawlers import robots_txt, sitemap_entries
from .texts import NAMES, read_page

bp = Blueprint("site", __name__)

log = structlog.get_logger()


@bp.get(f"/<any({', '.join(NAMES)}):name>")
def legal_page(name: str) -> Response:
    """Terms, privacy, refunds or contact."""
    try:
        text = read_page(current_settings(), name, language())
    except UnreadableFile as error:
        log.error("page_unreadable", note=str(error))
        abort(503)
    return public(render_template("legal/page.html", page=text))


@bp.get("/robots.txt")
def robots() -> Response:
    """What crawlers may ask for."""
    return public(robots_txt(), "text/plain")


@bp.get("/sitemap.xml")
def sitemap() -> Response:
    """Every public page."""
    page = render_template("site/sitemap.xml", entries=sitemap_entries())
    return public(page, "application/xml")
