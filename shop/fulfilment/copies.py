"""Refusing licence keys that the shop has had before: which keys, and of which product."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from ..catalogue.models import Product
from .keys import key_hash
from .models import LicenceKey

NAMED = 20
"""How many refused keys are named one by one: enough to see that a whole file is another product's."""
AT_ONCE = 1000
"""Values in one query: databases take only some thousands."""


class KeysRefused(ValueError):
    """Keys were refused and none was put into stock; `problems` names the line of each, never the key."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def refuse_copies(
    session: Session, product_id: int, lines: Mapping[str, int], *, case_sensitive: bool
) -> None:
    """Raise KeysRefused if the product lacks one of these keys after the insert: it copies another key."""
    mine = keys_there(session, product_id, list(lines))
    copies = [value for value in lines if value not in mine]
    problems = [
        f"Line {lines[value]} {_is_a_copy(session, product_id, lines, value, case_sensitive)}."
        for value in copies[:NAMED]
    ]
    if len(copies) > NAMED:
        problems.append(f"So it is with {len(copies) - NAMED} more.")
    if problems:
        raise KeysRefused(problems)


def keys_there(session: Session, product_id: int, values: list[str]) -> set[str]:
    """Which of these keys the product has, sold ones included."""
    found = set[str]()
    for start in range(0, len(values), AT_ONCE):
        query = select(LicenceKey.value).where(
            LicenceKey.product_id == product_id,
            LicenceKey.value.in_(values[start : start + AT_ONCE]),
        )
        found.update(session.scalars(query))
    return found


def keys_known(session: Session, values: list[str], *, case_sensitive: bool) -> set[str]:
    """Which of these keys the database has, or has had, for whatever product and however typed."""
    found = set[str]()
    for start in range(0, len(values), AT_ONCE):
        some = values[start : start + AT_ONCE]
        exact = {value: key_hash(value, case_sensitive=True) for value in some}
        folded = {} if case_sensitive else {value: key_hash(value) for value in some}
        for column, hashes in (LicenceKey.exact, exact), (LicenceKey.folded, folded):
            had = set(session.scalars(select(column).where(column.in_(hashes.values()))))
            found.update(value for value, hash in hashes.items() if hash in had)
    return found


def _is_a_copy(
    session: Session, product_id: int, lines: Mapping[str, int], value: str, case_sensitive: bool
) -> str:
    same = LicenceKey.exact == key_hash(value, case_sensitive=True)
    if not case_sensitive:
        same = or_(same, LicenceKey.folded == key_hash(value))
    query = select(LicenceKey.value, Product).join(Product, Product.id == LicenceKey.product_id)
    other, product = session.execute(query.where(same).limit(1)).one()
    if product.id != product_id:
        return f"is a key of {product.title} ({product.slug})"
    if other in lines:
        return f"is the key of line {lines[other]}, typed otherwise"
    return "is a key of this product, typed otherwise"
