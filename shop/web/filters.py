"""What templates can use: money, moments, and the names that every page needs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from babel.lists import format_list
from flask import Flask
from flask_babel import format_date, get_locale
from markupsafe import Markup
from structlog.contextvars import get_contextvars

from ..config import Settings
from ..i18n import moment_text, money, readable_seconds
from .canonical import in_full, page_addresses


def init_app(app: Flask, settings: Settings) -> None:
    """Filters for money, moments and lists; settings, request id and addresses in full as globals."""
    app.jinja_env.filters.update(
        money=money, moment=moment, clock=clock, either=either, seconds_until=readable_seconds
    )
    app.jinja_env.globals.update(
        settings=settings,
        pay_hosts=settings.pay_hosts,
        page_addresses=page_addresses,
        in_full=in_full,
    )
    app.context_processor(lambda: {"request_id": get_contextvars().get("request_id", "")})


def moment(at: datetime) -> Markup:
    """A moment with its date, such as 22 November 2026, 18:40 UTC."""
    return _time(at, moment_text(at))


def clock(at: datetime) -> Markup:
    """A moment with its day but no year, such as 18:40 UTC, 22 November."""
    return _time(at, f"{at:%H:%M} UTC, {format_date(at, 'd MMMM', rebase=False)}")


def either(names: Sequence[str]) -> Markup:
    """The names in bold, as a list of alternatives in the page's language: **one**, **two** or **three**."""
    strong = [Markup("<strong>{}</strong>").format(name) for name in names]
    return Markup(format_list(strong, style="or", locale=get_locale()))  # noqa: S704, each is escaped


def _time(at: datetime, words: str) -> Markup:
    # Whole seconds: HTML allows no more than three digits of a fraction.
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), words)
