"""Tables of keys that key shops give out: the column of the keys, and which of them nobody has yet.

A key is taken letter for letter, as everywhere: only blanks around it go.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from .keyfiles import KeyFile, decoded

KEYS = ("license_key", "licence_key", "secret")
"""What License Manager for WooCommerce and dujiao-next call the column of the keys."""
NOT_FOR_SALE = {
    "1": "sold",
    "sold": "sold",
    "2": "delivered",
    "delivered": "delivered",
    "4": "inactive",
    "inactive": "inactive",
    "used": "used",
    "reserved": "reserved",
}
FOR_SALE = ("3", "active", "available")
SEPARATORS = (",", ";", "\t")
PRODUCT = ("product_id", "sku_id")

Wanted = list[tuple[int, dict[str, str]]]
"""Rows with their cells by name."""


class WhichProduct(Exception):
    """A table holds keys of several products; the text names them."""


def read_key_table(content: bytes, now: datetime, of: str = "") -> KeyFile | None:
    """The keys of a key shop's table that are for sale; None for a file that is no such table.

    If the table has keys of several products, `of` names the one whose keys are taken; without it, WhichProduct.
    """
    text = decoded(content)
    for sign in SEPARATORS:
        table = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
        try:
            names = [name.strip().casefold() for name in next(table, [])]
        except csv.Error:
            continue
        if len(names) > 1 and any(name in names for name in KEYS):
            return _read(names, table, now, of)
    return None


def _read(names: list[str], table: Iterator[list[str]], now: datetime, of: str) -> KeyFile:
    found, left = KeyFile(), Counter[str]()
    wanted: Wanted = []
    column = next(name for name in KEYS if name in names)
    row = 1
    try:
        for row, cells in enumerate(table, start=2):
            if len(cells) != len(names) and any(cells):
                found.bad.append(f"Row {row} has {len(cells)} cells, and the heading {len(names)}.")
            elif any(cells):
                record = dict(zip(names, map(str.strip, cells), strict=True))
                reason = _not_for_sale(record, now)
                left[reason] += 1
                wanted += [] if reason else [(row, record)]
    except csv.Error as error:
        found.bad.append(f"The table cannot be read after row {row}: {error}.")
    del left[""]
    for row, record in _of_one_product(wanted, of):
        found.take(record[column], row, "Row")
    if left:
        counts = ", ".join(f"{count} {reason}" for reason, count in left.most_common())
        found.notes.append(f"Not for sale, and left out: {counts}.")
    if "status" not in names:
        found.doubts.append(
            "The table has no column `status`: keys may be among these that were sold before."
        )
    return found


def _not_for_sale(record: Mapping[str, str], now: datetime) -> str:
    """Why a key is not for sale; empty if it is. A key whose status is not known is not for sale."""
    status = record.get("status", "").casefold()
    if "status" in record and status not in FOR_SALE:
        return NOT_FOR_SALE.get(status, "of a status that is not known")
    if record.get("order_id", "").strip("0"):
        return "with an order"
    expires = record.get("expires_at", "")
    if expires and not expires.startswith("0000"):
        try:
            end = datetime.fromisoformat(expires)
        except ValueError:
            return "with an end that cannot be read"
        if (end if end.tzinfo else end.replace(tzinfo=UTC)) <= now:
            return "expired"
    return ""


def _of_one_product(wanted: Wanted, of: str) -> Wanted:
    """The rows of the product that `of` names; all rows if there is only one product and `of` is empty."""
    products = Counter(_product(record) for _, record in wanted)
    if len(products) < 2 and not of:
        return wanted
    if of not in products:
        counts = ", ".join(f"{name or 'none'} ({count} keys)" for name, count in products.items())
        raise WhichProduct(
            f"The table has keys for several products: {counts}. Say which are meant: --of."
        )
    return [each for each in wanted if _product(each[1]) == of]


def _product(record: Mapping[str, str]) -> str:
    return "/".join(filter(None, map(record.get, PRODUCT)))
