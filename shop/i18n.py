"""The shop's languages: which one a page or a mail speaks, the address of a page in each, and how
money, sizes and dates read in it.

A language is a part of the address, so that pages stay the same for everybody who asks for them:
the shop's first language has the bare address, `/products/rain`, every other one a prefix,
`/ru/products/rain`. The prefix is taken off before Flask looks at the address and is WSGI's
SCRIPT_NAME, which `url_for` puts in front of all it makes: no view knows of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from babel import Locale
from babel.dates import format_timedelta
from babel.numbers import get_currency_name
from babel.units import format_unit
from flask import Flask, current_app, g, has_request_context, request
from flask_babel import Babel, force_locale, format_date, gettext, refresh
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup, escape
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from .config import LANGUAGES, Settings, current_settings
from .money import Money, format_money

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

KEPT = ("currency", "returned")
"""Query parameters that the links to a page's other languages keep."""

SIZES = (("gigabyte", 1000**3), ("megabyte", 1000**2), ("kilobyte", 1000))

READY_TEXTS = 2000
"""How many texts are kept for each language; the shop's templates have a quarter of that."""


@dataclass(frozen=True, slots=True)
class LanguageLink:
    """The page at hand in one of the shop's languages."""

    code: str
    name: str
    url: str
    current: bool


class Spoken:
    """One language as it is spoken: found once for each page or mail, and not for each word."""

    def __init__(self, code: str, first: str) -> None:
        self.code = code
        self.locale = Locale.parse(code)
        self.merchants_lang = Markup() if code == first else Markup(' lang="{}"').format(first)
        self.said = lru_cache(READY_TEXTS)(self._said)
        self.in_html = lru_cache(READY_TEXTS)(self._in_html)

    def _said(self, text: str) -> str:
        """The text in this language, whatever the page at hand speaks."""
        with force_locale(self.locale):
            return str(gettext(text))

    def _in_html(self, text: str) -> Markup:
        """The text as it stands in a page; it has no variables, but is a format string all the same."""
        return Markup(self.said(text) % {})  # noqa: S704, the shop's own words


def init_app(app: Flask, settings: Settings) -> None:
    """Let templates speak (`_`, `ngettext`), and answer below a prefix for each further language."""
    first = settings.shop_languages[0]
    app.extensions["spoken"] = {code: Spoken(code, first) for code in settings.shop_languages}
    Babel(app, default_locale=first, locale_selector=_language_of_address)
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.globals.update(
        gettext=_text,
        _=_text,
        language=language,
        language_links=language_links,
        merchants_lang=merchants_lang,
    )
    # A language is remembered for as long as `g` lives, which may be several requests.
    app.before_request(_forget_language)
    # Also for languages that the shop does not speak: web/former.py redirects their old addresses.
    mounts: dict[str, WSGIApplication] = {f"/{code}": app.wsgi_app for code in LANGUAGES}
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, mounts)  # type: ignore[method-assign]


def _spoken() -> Spoken:
    """What is spoken now; Flask-Babel would ask for it anew at each word."""
    found: Spoken | None = g.get("spoken")
    if found is None:
        found = g.spoken = current_app.extensions["spoken"][_code_at_hand()]
    return found


def _code_at_hand() -> str:
    languages = current_settings().shop_languages
    code = request.script_root.rpartition("/")[2] if has_request_context() else ""
    return code if code in languages else languages[0]


def _language_of_address() -> Locale:
    """What Flask-Babel is told, which asks once for each page."""
    return _spoken().locale


def _forget_language() -> None:
    g.pop("spoken", None)
    refresh()


def language() -> str:
    """The code of the language that is spoken now: the page's, or the one a mail is written in."""
    return _spoken().code


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speak this language in a `with` block; the shop's first one if the shop has dropped this since."""
    before, languages = _spoken(), current_settings().shop_languages
    g.spoken = current_app.extensions["spoken"][code if code in languages else languages[0]]
    try:
        with force_locale(g.spoken.locale):
            yield
    finally:
        g.spoken = before


@pass_eval_context
def _text(context: EvalContext, text: str, /, **variables: Any) -> str:
    """`_("Sold in %(currency)s", currency=code)` in a template, as Jinja's own: every text is a format string."""
    spoken = _spoken()
    if context.autoescape and not variables:
        return spoken.in_html(text)
    said = spoken.said(text)
    return (Markup(said) if context.autoescape else said) % variables  # noqa: S704


def merchants_lang() -> Markup:
    """The `lang` attribute of words that the operator wrote, on a page that speaks another language.

    They are taken to be in the shop's first language. Screen readers change their voice by it (WCAG 3.1.2).
    """
    return _spoken().merchants_lang


def prefix_of(code: str) -> str:
    """The prefix of the addresses of pages in this language; empty for the shop's first language."""
    return f"/{code}" if code in current_settings().shop_languages[1:] else ""


def language_links(path: str = "") -> list[LanguageLink]:
    """The page at `path` in each of the shop's languages; without one, the page at hand."""
    now, rest = language(), path or _address_at_hand()
    return [
        LanguageLink(code, LANGUAGES[code], prefix_of(code) + rest, code == now)
        for code in current_settings().shop_languages
    ]


def _address_at_hand() -> str:
    # Not the whole query: what a stranger has put into an address must not come back in our page.
    kept = {name: request.args[name] for name in KEPT if name in request.args}
    return f"{request.path}?{urlencode(kept)}" if kept else request.path


def money(amount: Money) -> Markup:
    """The amount for people, as their language writes it; an amount of 0 is called free."""
    return format_money(amount, language()) if amount.minor else escape(gettext("Free"))


def currency_name(code: str) -> str:
    """A currency's name in the language that is spoken now."""
    return _currency_name(code, _spoken().locale)


@lru_cache(maxsize=100)
def _currency_name(code: str, locale: Locale) -> str:
    return get_currency_name(code, locale=locale)


def moment_text(at: datetime) -> str:
    """22 November 2026, 18:40 UTC; as a plain text, for use within a sentence."""
    return f"{format_date(at, 'd MMMM y', rebase=False)}, {at:%H:%M} UTC"


def readable_size(size: int) -> str:
    """A size in bytes for people: 512 bytes, 24 kB, 3.1 MB."""
    return _readable_size(size, _spoken().locale)


@lru_cache(maxsize=500)
def _readable_size(size: int, locale: Locale) -> str:
    name, unit = next((pair for pair in SIZES if size >= pair[1]), ("byte", 1))
    amount = size / unit
    return format_unit(
        amount,
        f"digital-{name}",
        length="long" if name == "byte" else "short",
        format="#,##0" if amount >= 10 or name == "byte" else "#,##0.#",
        locale=locale,
    )


def readable_wait(until: datetime) -> str:
    """How long it is until then: in 2 minutes, in 5 hours; a minute at least."""
    return _wait_text(until, timedelta(minutes=1), "minute")


def readable_seconds(until: datetime) -> str:
    """How long it is until then, if that is soon: in 5 seconds, in 2 minutes; a second at least."""
    return _wait_text(until, timedelta(seconds=1), "second")


def _wait_text(until: datetime, least: timedelta, granularity: Literal["minute", "second"]) -> str:
    wait = timedelta(seconds=math.ceil(max(until - datetime.now(UTC), least).total_seconds()))
    return format_timedelta(
        wait, granularity=granularity, threshold=1.5, add_direction=True, locale=_spoken().locale
    )
