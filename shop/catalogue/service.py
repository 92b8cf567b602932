"""What changes the catalogue: imports, exchange rates, and stock taken and returned by orders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sqlalchemy import Integer, Table, Update, bindparam, case, or_, update
from sqlalchemy.orm import Session

from ..config import current_settings
from ..db import rows_changed, transaction, utcnow
from ..money import CURRENCIES
from .fields import FieldProblem
from .following import Follow, unseen
from .images import BadImage
from .merging import (
    AT_ONCE,
    ImportReport,
    Known,
    Merge,
    arrange_categories,
    lock_categories,
    lock_products,
    merge_categories,
    store_files,
)
from .models import RATE_PLACES, ExchangeRate, Product
from .storage import StoredFile

if TYPE_CHECKING:
    from .files.importing import CatalogueFile
    from .files.reading import Problem

RATE = re.compile(rf"\d{{1,9}}(\.\d{{1,{RATE_PLACES}}})?", re.ASCII)

PER_DOLLAR = {"USD": "1", "RUB": "90", "EUR": "0.9", "GBP": "0.8", "UAH": "42"}
"""Roughly how many units a US dollar is worth: never to price with, only to doubt a first rate."""

DOUBTFUL = 10
"""A rate so many times larger or smaller than expected is the wrong way round, or has a point too far."""


_products = cast("Table", Product.__table__)
_quantity = bindparam("quantity", type_=Integer)
_TAKE = (  # built once: every sale runs it
    update(_products)
    .where(_products.c.id == bindparam("product_id"))
    .where(or_(_products.c.available.is_(None), _products.c.available >= _quantity))
    .values(
        available=_products.c.available - _quantity,
        taken=_products.c.taken + _quantity,
        updated_at=_products.c.updated_at,  # a sale is no change of the product
    )
)

Also = Callable[[Session, Mapping[str, Known]], None]
"""What belongs to an import and is done with it or not at all; it is given all products by slug."""


class BadRates(ValueError):
    """Exchange rates were refused and none was set; `problems` names each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def import_catalogue(path: Path, follow: Follow = unseen) -> ImportReport:
    """Make the shop's products as the file at `path` says; what is not in it stays as it is.

    Files are written first and the transaction is last, so a crash leaves unused files at worst.
    Raises CatalogueFileError, and then no product has changed.
    """
    from .files.importing import read_catalogue  # with YAML, which sales do without

    file = read_catalogue(path, current_settings().shop_base_currency, follow)
    return import_file(file, follow=follow)


def import_file(
    file: CatalogueFile, also: Also = lambda *_: None, follow: Follow = unseen
) -> ImportReport:
    """The same for a file that was read already; `also` is done in the same transaction, after it."""
    from .files.reading import CatalogueFileError

    places = range(len(file.products))
    stored = [_stored(file, place) for place in follow(places, "Storing pictures and goods")]
    report = ImportReport()
    problems: list[Problem] = []
    with transaction("import") as session:
        products, categories = lock_products(session), lock_categories(session)
        merge_categories(session, categories, file.categories, report)
        arrange_categories(categories, [draft.slug for draft in file.categories])
        session.flush()  # so that new categories have ids
        ids = {slug: category.id for slug, category in categories.items()}
        listed = [draft.slug for draft in file.products]
        merge = Merge(session, products, ids, listed, report)
        for start in follow(
            range(0, len(listed), AT_ONCE), f"Writing products, {AT_ONCE} at a time"
        ):
            end = start + AT_ONCE
            for place, problem in merge.take(file.products[start:end], stored[start:end]):
                problems.append(file.problem(start + place, problem))
        if problems:
            raise CatalogueFileError(problems)
        merge.arrange()
        also(session, products)
    return report


def set_rates(given: Mapping[str, str], *, sure: bool = False) -> None:
    """Set exchange rates (units per one of the base currency) as of now: all of them, or none.

    Raises BadRates; also for a rate far from the one before, unless the operator is `sure` of it.
    """
    base = current_settings().shop_base_currency
    problems = [p for code, text in given.items() if (p := _problem_with_rate(code, text, base))]
    if problems:
        raise BadRates(problems)
    now = utcnow()
    with transaction("rates") as session:
        doubts = [d for code in given if (d := _doubt(session, code, given[code], base))]
        if doubts and not sure:
            raise BadRates(doubts)
        for code, text in given.items():
            rate_e8 = int(Decimal(text).scaleb(RATE_PLACES))
            session.merge(
                ExchangeRate(currency=code, base_currency=base, rate_e8=rate_e8, set_at=now)
            )


def take_stock(session: Session, product_id: int, quantity: int) -> bool:
    """Take units off the shelf; False if there are too few. The product may also be unlimited.

    One conditional UPDATE: reading first would sell the last unit to everybody who looked.
    """
    _require_positive(quantity)
    values = {"product_id": product_id, "quantity": quantity}
    return rows_changed(session, _TAKE, values) == 1


def return_stock(session: Session, product_id: int, quantity: int) -> None:
    """Put units back on the shelf that nobody paid for."""
    _require_positive(quantity)
    statement = (
        update(Product)
        .where(Product.id == product_id)
        .values(available=Product.available + quantity, taken=Product.taken - quantity)
    )
    _rows(session, statement)


def put_on_sale(session: Session, product_id: int, quantity: int, *, most: int) -> None:
    """Put new units on the shelf; not so many that more than `most` are for sale, for orders may wait for some."""
    more = Product.available + quantity
    statement = update(Product).where(Product.id == product_id)
    _rows(session, statement.values(available=case((more > most, most), else_=more)))


def take_off_sale(session: Session, product_id: int, quantity: int) -> bool:
    """Take units away that nobody is to have, such as bad keys; False if too few are on sale."""
    _require_positive(quantity)
    statement = (
        update(Product)
        .where(Product.id == product_id, Product.available >= quantity)
        .values(available=Product.available - quantity)
    )
    return _rows(session, statement) == 1


def _stored(file: CatalogueFile, place: int) -> list[StoredFile]:
    try:
        return store_files(file.products[place], current_settings().shop_data_dir)
    except BadImage as error:
        from .files.reading import CatalogueFileError

        problem = FieldProblem(("images",), f"an image {error}")
        raise CatalogueFileError([file.problem(place, problem)]) from None


def _rows(session: Session, statement: Update) -> int:
    # Not through the objects in the session, nor a new date: a sale is no change of the product.
    statement = statement.values(updated_at=Product.updated_at)
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return int(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def _require_positive(quantity: int) -> None:
    if quantity < 1:
        raise ValueError(f"a quantity is at least 1, not {quantity}")


def _problem_with_rate(code: str, text: str, base: str) -> str:
    if code == base:
        return f"{code} is the base currency; its rate is always 1"
    if code not in CURRENCIES:
        return f"{code} is not one of {', '.join(CURRENCIES)}"
    if not RATE.fullmatch(text):
        return f"{text!r} is not a rate of {code}; write it like 0.92, {RATE_PLACES} places at most"
    return f"the rate of {code} must be more than 0" if not Decimal(text) else ""


def _doubt(session: Session, code: str, text: str, base: str) -> str:
    """Why this rate is most likely a slip; empty when it is near the last one, or near what is usual."""
    rate, last = Decimal(text), session.get(ExchangeRate, code)
    expected = Decimal(PER_DOLLAR[code]) / Decimal(PER_DOLLAR[base])
    if last and last.base_currency == base:
        expected = last.rate
    if expected / DOUBTFUL < rate < expected * DOUBTFUL:
        return ""
    return (
        f"1 {base} = {text} {code} is far from the expected 1 {base} = {expected:.4g} {code}. Write how "
        f"many {code} are worth one {base}; if it is right as it stands, add --yes"
    )
