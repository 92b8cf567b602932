"""Legal texts, and what search engines are told: the same for everybody who asks in the same language."""

from __future__ import annotations

from functools import partial

import structlog
from flask import Blueprint, abort, render_template

from ..catalogue.version import made_of_catalogue
from ..config import current_settings
from ..i18n import language
from ..web.caching import Version, public
from ..web.own_files import UnreadableFile
from .crawlers import robots_txt, sitemap_entries
from .texts import NAMES, read_page, text_version

bp = Blueprint("site", __name__)

log = structlog.get_logger()


def made_of_text(name: str) -> Version:
    """How to read the version of a legal page: it is made of the operator's file, which may change at any time."""
    return partial(text_version, current_settings(), name, language())


def made_of_settings() -> Version:
    """How to read the version of a page of settings alone: it never changes."""
    return lambda: "settings"


@bp.get(f"/<any({', '.join(NAMES)}):name>")
@public(made_of_text)
def legal_page(name: str) -> str:
    """Terms, privacy, refunds or contact."""
    try:
        text = read_page(current_settings(), name, language())
    except UnreadableFile as error:
        log.error("page_unreadable", note=str(error))
        abort(503)
    return render_template("legal/page.html", page=text)


@bp.get("/robots.txt")
@public(made_of_settings, "text/plain")
def robots() -> str:
    """What crawlers may ask for."""
    return robots_txt()


@bp.get("/sitemap.xml")
@public(made_of_catalogue, "application/xml")
def sitemap() -> str:
    """Every public page."""
    return render_template("site/sitemap.xml", entries=sitemap_entries())
