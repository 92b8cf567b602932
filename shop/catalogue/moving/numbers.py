"""Prices, dates and flags as other shops and spreadsheets write them. What could be two figures is asked.

BadValue    a cell that is not what its column says; the text goes on from the cell: "'1e3' is no price"
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

from babel.numbers import list_currencies

SPACES = " \u00a0\u202f\u2009"
GROUPS = f"[{SPACES}'’]"
SIGNS = {
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "₽": "RUB",
    "₴": "UAH",
    "¥": "JPY",
    "zł": "PLN",
    "₹": "INR",
}
"""What is written beside prices; `$` stands for many dollars, but for nothing else."""
SIGN = re.compile(rf"({'|'.join(map(re.escape, SIGNS))}|[A-Z]{{3}})", re.IGNORECASE)
FIGURE = re.compile(rf"(\d|[.,]|{GROUPS})+", re.ASCII)
YES = {"1", "true", "yes", "wahr", "истина", "да", "ja", "так", "істина"}
NO = {"0", "false", "no", "falsch", "ложь", "нет", "nein", "ні", "хибність", ""}
ISO = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)")
DOTTED = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4})")
SLASHED = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})")
TIME = re.compile(r"(?:[ T](\d\d?):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


class BadValue(ValueError):
    """A cell is not what its column says."""


@dataclass(frozen=True, slots=True)
class Decimals:
    """Which sign stands before the cents in a file; not known when a price could be two figures."""

    sign: str
    example: str = ""
    """A price that could be two figures."""
    why: str = ""


def settle(cells: Iterable[str]) -> Decimals:
    """The decimal sign of all prices of a file, by those that can be read in one way only."""
    proof: dict[str, str] = {}
    doubtful: dict[str, str] = {}
    for cell in cells:
        figure = _bare(cell)
        signs = [sign for sign in figure if sign in ".,"]
        if not signs or not FIGURE.fullmatch(figure):
            continue
        last, places = signs[-1], len(figure) - figure.rindex(signs[-1]) - 1
        if len(set(signs)) == 2 or places in (1, 2) or places > 3 or figure.startswith("0"):
            proof.setdefault(last, cell)
        elif len(signs) > 1:
            proof.setdefault("," if last == "." else ".", cell)
        else:
            doubtful.setdefault(last, cell)
    if len(proof) == 2:
        one, other = proof.values()
        return Decimals("", one, f"both {one.strip()} and {other.strip()} stand in it")
    if not proof and doubtful:
        example = next(iter(doubtful.values())).strip()
        return Decimals("", example, f"{example} could be two figures")
    return Decimals(next(iter(proof), "."))


def amount(cell: str, decimals: str, currency: str) -> Decimal | None:
    """A price, exactly as it is written; None for an empty cell."""
    if not cell.strip():
        return None
    for sign in SIGN.findall(cell):
        code = SIGNS.get(sign.lower(), sign.upper())
        if currency and code != currency and code in list_currencies():
            raise BadValue(f"{cell.strip()[:40]!r} is not in {currency}")
    thousands = "," if decimals == "." else r"\."
    grouped = rf"\d{{1,3}}(?:(?:{thousands}|{GROUPS})\d{{3}})+|\d+"
    found = re.fullmatch(rf"({grouped})(?:{re.escape(decimals)}(\d+))?", _bare(cell), re.ASCII)
    if not found or len(cell) > 40:
        raise BadValue(f"{cell.strip()[:40]!r} is no price")
    if found[2] and len(found[2]) > 2:
        raise BadValue(f"{cell.strip()[:40]!r} has more than 2 decimal places")
    return Decimal(re.sub(r"\D", "", found[1]) + "." + (found[2] or "0"))


def whole(cell: str) -> int | None:
    """A whole number, also a negative one; None for an empty cell. `1.000` may be a thousand, and is refused."""
    found = re.fullmatch(r"([+-]?\d{1,10})(?:[.,](?!000$)0+)?", cell.strip(), re.ASCII)
    if not found and cell.strip():
        raise BadValue(f"{cell.strip()[:40]!r} is no whole number")
    return int(found[1]) if found else None


def flag(cell: str) -> bool | None:
    """A yes or a no, in the languages of spreadsheets; None for neither."""
    word = cell.strip().casefold()
    return True if word in YES else False if word in NO else None


def day_first(cells: Iterable[str]) -> bool | None:
    """Whether `3/4/2026` is in April, by the dates of a file that have a day above 12; None if none has."""
    found = [match for cell in cells if (match := SLASHED.match(cell.strip()))]
    first = any(int(match[1]) > 12 for match in found)
    second = any(int(match[2]) > 12 for match in found)
    return first if first != second else None if found else True


def moment(cell: str, zone: tzinfo, *, days_first: bool = True) -> datetime | None:
    """A date with or without a time; without a zone of its own it is one of `zone`. None for an empty cell."""
    text = cell.strip()
    if not text:
        return None
    for shape, order in ((ISO, "ymd"), (DOTTED, "dmy"), (SLASHED, "dmy" if days_first else "mdy")):
        if not (date := shape.match(text)):
            continue
        if not (time := TIME.fullmatch(text[date.end() :])):
            break
        part = dict(zip(order, map(int, date.groups()), strict=True))
        hour, minute, second = (int(each or 0) for each in time.groups()[:3])
        own = time[4] and datetime.fromisoformat(f"2000-01-01T00:00{time[4]}").tzinfo
        try:
            local = datetime(part["y"], part["m"], part["d"], hour, minute, second, 0, own or zone)
            return local.astimezone(UTC)
        except (ValueError, OverflowError):
            break
    raise BadValue(f"{text[:40]!r} is no date")


def _bare(cell: str) -> str:
    """The figure without the sign or the code of its currency, and without blanks around it."""
    return SIGN.sub("", cell).strip(SPACES)
