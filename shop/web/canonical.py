"""The addresses that a public page's head names for search engines: its own, and its translations'."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request

from ..config import current_settings
from ..i18n import LanguageLink, language_links


@dataclass(frozen=True, slots=True)
class PageAddresses:
    """Addresses in full, as crawlers want them."""

    canonical: str
    languages: list[LanguageLink]
    default: str
    """The page in the shop's first language, for readers of any language that the shop does not speak."""


def page_addresses(path: str = "") -> PageAddresses:
    """The addresses of the public page at `path` (without a language's prefix), or of the page at hand."""
    path = path or request.path
    links = [
        LanguageLink(link.code, link.name, in_full(link.url), link.current)
        for link in language_links(path)
    ]
    here = next(link.url for link in links if link.current)
    return PageAddresses(here, links, in_full(path))


def in_full(path: str) -> str:
    """An address that also works outside the shop's pages."""
    return current_settings().shop_public_url + path
