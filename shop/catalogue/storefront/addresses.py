"""The address of a list of products: what it asks for, and the same list asked for otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from flask import request, url_for

from ...config import current_settings
from . import search
from .listing import Sort

READ = frozenset({"q", "currency", "sort", "page"})
"""The names in an address that public pages look at."""
SORTS = {sort.value: sort for sort in Sort}
LAST_PAGE = 999_999
"""No shop has that many pages, and no database is asked for more."""


@dataclass(frozen=True, slots=True)
class ListAddress:
    """What the address of a list says; whatever is as usual is left out of it."""

    path: str
    typed: str
    """What is searched for."""
    currency: str
    sort: Sort
    page: int

    def url(
        self,
        path: str | None = None,
        *,
        typed: str | None = None,
        currency: str | None = None,
        sort: Sort | None = None,
        page: int = 1,
    ) -> str:
        """The address at `path` with these changes; another list or sort starts at its first page."""
        currency = self.currency if currency is None else currency
        asked = {
            "q": self.typed if typed is None else typed,
            "currency": "" if currency == base_currency() else currency,
            "sort": self.sort if sort is None else sort,
            "page": str(page) if page > 1 else "",
        }
        path = self.path if path is None else path
        said = {name: value for name, value in asked.items() if value}
        return f"{path}?{urlencode(said)}" if said else path

    @property
    def canonical(self) -> str:
        """Which page of the list this is, however it is priced and sorted."""
        return self.url(request.path, currency=base_currency(), sort=Sort.SHOP, page=self.page)


def address_at_hand(path: str, typed: str = "") -> ListAddress:
    """What the request asks for; what makes no sense is as if it were not there."""
    return ListAddress(
        path=path,
        typed=typed,
        currency=chosen_currency(),
        sort=_chosen_sort(),
        page=_chosen_page(),
    )


def start_of(endpoint: str, part: str = "") -> str:
    """What the addresses of all pages of a kind start with, up to their own `part`: url_for is slow."""
    return _start_of(request.script_root, endpoint, part)


@lru_cache(maxsize=100)
def _start_of(prefix: str, endpoint: str, part: str) -> str:
    values: dict[str, Any] = {part: "-"}
    return url_for(endpoint, **values)[:-1] if part else url_for(endpoint)


def base_currency() -> str:
    """The one whose pages have the bare address."""
    return current_settings().shop_base_currency


def chosen_currency() -> str:
    """The currency asked for, or the base currency where the shop has no such one."""
    wanted = request.args.get("currency", "")
    return wanted if wanted in current_settings().shop_currencies else base_currency()


def currency_asked() -> str | None:
    """The currency to keep in links to pages of several; None for the base currency."""
    chosen = chosen_currency()
    return None if chosen == base_currency() else chosen


def currency_query(currency: str) -> str:
    """What a product's address ends with, so that a page has one address in the base currency."""
    return "" if currency == base_currency() else f"?currency={currency}"


def typed_query() -> str:
    """What was typed into the search box."""
    return search.tidy(request.args.get("q", ""))


def _chosen_sort() -> Sort:
    return SORTS.get(request.args.get("sort", ""), Sort.SHOP)


def _chosen_page() -> int:
    wanted = request.args.get("page", "")
    if not (wanted.isascii() and wanted.isdigit()):
        return 1
    return int(wanted) if len(wanted) <= len(str(LAST_PAGE)) else LAST_PAGE
