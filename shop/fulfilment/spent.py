"""Licence keys that were handed out or withdrawn although the database, an older copy, does not know it.

The journal knows them. Those that the sweep has found are in the table `spent_keys`; lines that were written
since are read from the journal itself, so that no key is sold twice in between.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import structlog
from sqlalchemy import case, select
from sqlalchemy.orm import Session

from ..attention.kinds import AttentionKind
from ..attention.service import raise_attention
from ..catalogue.models import Product
from ..catalogue.service import take_off_sale
from ..db import db, insert_if_new, transaction
from ..ops import journal
from ..ops.models import JournalMark
from ..web.network import keyed_hashes
from .copies import KeysRefused, keys_known
from .keys import normal_key
from .models import Delivery, DeliveryState, LicenceKey, SpentKey
from .queries import find_delivery, in_stock

log = structlog.get_logger()

NOBODY = "withdrawn.0"
"""The owner, in the journal, of a key that a person took off sale: no order has this number."""


def fingerprints(value: str, *, case_sensitive: bool) -> list[str]:
    """Keyed hashes by which a key is known again; to anybody without SECRET_KEY they tell nothing.

    There are some for each accepted SECRET_KEY, to find what was written before a change.
    """
    exact, folded = _hashes(value, case_sensitive=case_sensitive)
    return exact + folded


def _hashes(value: str, *, case_sensitive: bool) -> tuple[list[str], list[str]]:
    """The key's hashes with its capitals and, unless case counts, without: the database has the same rule."""
    exact = keyed_hashes("licence-key", normal_key(value, case_sensitive=True))
    return exact, [] if case_sensitive else keyed_hashes("licence-key-folded", normal_key(value))


def fingerprints_of(key: LicenceKey) -> list[str]:
    """The fingerprints of a stored key."""
    return fingerprints(key.value, case_sensitive=key.case_sensitive)


def owner_of(delivery: Delivery) -> str:
    """The owner, in the journal, of a key that was handed out: the order's number and the line."""
    return f"{delivery.order.number}.{delivery.line.position}"


def note_handed_out(delivery: Delivery, keys: Iterable[LicenceKey]) -> None:
    """Write into the journal that the delivery is about to get these keys."""
    _note(keys, owner_of(delivery))


def note_withdrawn(keys: Iterable[LicenceKey]) -> None:
    """Write into the journal that these keys are about to be taken off sale, and belong to nobody."""
    _note(keys, NOBODY)


def _note(keys: Iterable[LicenceKey], owner: str) -> None:
    both = ((key.id, _hashes(key.value, case_sensitive=key.case_sensitive)) for key in keys)
    journal.note("key", *((id, of[0], owner) for id, hashes in both for of in hashes if of))


def next_keys(session: Session, delivery: Delivery, count: int) -> Sequence[LicenceKey]:
    """Up to `count` keys that nobody has, neither in the database nor in the journal; their rows are locked.

    Keys that the journal gives to this very delivery come first: its buyer may have seen them.
    """
    own: set[int] = set()
    others: set[int] = set()
    stock = select(LicenceKey).where(in_stock(delivery.line.product_id))
    while True:
        keys = session.scalars(
            stock.where(LicenceKey.id.not_in(others))
            .order_by(case((LicenceKey.id.in_(own), 0), else_=1), LicenceKey.id)
            .limit(count)
            .with_for_update(skip_locked=True)
        ).all()
        known = len(own), len(others)
        for key_id, its_own in _spent(session, keys, owner_of(delivery)):
            (own if its_own else others).add(key_id)
        if (len(own), len(others)) == known:
            return keys


def refuse_spent(session: Session, lines: Mapping[str, int], *, case_sensitive: bool) -> None:
    """Raise KeysRefused if one of these keys, each with its line, is spent, but only the journal says so."""
    spent = set(session.scalars(select(SpentKey.fingerprint)))
    spent |= {line.about[1] for line in _not_compared(session, {" key "})}
    known = [
        value
        for value in lines
        if spent and not spent.isdisjoint(fingerprints(value, case_sensitive=case_sensitive))
    ]
    told = keys_known(session, known, case_sensitive=case_sensitive)
    if numbers := [str(lines[value]) for value in known if value not in told]:
        problem = "Keys that were handed out or withdrawn before, says the journal, stand in line"
        raise KeysRefused([f"{problem} {', '.join(numbers)}."])


def _spent(session: Session, keys: Sequence[LicenceKey], owner: str) -> Iterator[tuple[int, bool]]:
    """The ids of all keys that the journal gives to this owner (True), and of those of `keys` that it gives others."""
    ids = {of: key.id for key in keys for of in fingerprints_of(key)}
    known = SpentKey.fingerprint.in_(ids) | (SpentKey.owner == owner)
    rows = session.scalars(select(SpentKey).where(known))
    told = [(row.key_id, row.fingerprint, row.owner) for row in rows]
    for line in _not_compared(session, {f" {word}" for word in (owner, *ids)}):
        if line.kind == "key":
            told.append((int(line.about[0]), line.about[1], line.about[2]))
    for key_id, of, whose in told:
        if whose == owner:
            yield key_id, True
        elif of in ids:
            yield ids[of], False


def _not_compared(session: Session, texts: Collection[str]) -> list[journal.Line]:
    """The journal's lines with one of these words that no sweep has compared with the database yet."""
    marks = session.execute(select(JournalMark.journal, JournalMark.file, JournalMark.byte))
    since = {name: journal.Position(file, byte) for name, file, byte in marks}
    try:
        return [
            line
            for name in journal.files()
            for line in journal.lines_with(texts, name, since.get(name, journal.START))
        ]
    except OSError as error:  # the sweep tells a person; what the database knows is enough to go on
        log.error("journal_not_read", error=type(error).__name__)
        return []


def note_spent(session: Session, key_id: int, of: str, owner: str) -> None:
    """Note a key that only the journal knows to be spent: it is not sold, and `withdraw_spent` tells a person."""
    if not insert_if_new(session, SpentKey, fingerprint=of, key_id=key_id, owner=owner):
        return
    free = select(LicenceKey).where(LicenceKey.delivery_id.is_(None))
    for key in session.scalars(free.where(LicenceKey.withdrawn_at.is_(None))):
        if of in fingerprints_of(key):
            session.get_one(SpentKey, of).key_id = key.id


def withdraw_spent(now: datetime) -> None:
    """Take spent keys out of stock, except those that the journal gives to a delivery which still waits for a key.

    A key that cannot be taken out yet, because an order holds the unit, is not handed out either.
    """
    for key_id in _spent_in_stock():
        with transaction("spent_key") as session:
            key = session.get_one(LicenceKey, key_id, with_for_update=True, populate_existing=True)
            product = session.get_one(Product, key.product_id)
            if key.delivery_id is None and take_off_sale(session, product.id, 1):
                key.withdrawn_at = now
                note = (
                    f"A licence key of {product.slug} (number {key.id}) was handed out or withdrawn before, says "
                    "the journal, and the database does not know it: it is not for sale any more."
                )
                raise_attention(session, AttentionKind.KEY_SOLD_BEFORE, f"key-{key.id}", note)


def _spent_in_stock() -> list[int]:
    query = select(LicenceKey, SpentKey).join(SpentKey, SpentKey.key_id == LicenceKey.id)
    query = query.where(LicenceKey.delivery_id.is_(None), LicenceKey.withdrawn_at.is_(None))
    found = (
        key.id
        for key, spent in db.session.execute(query)
        if spent.fingerprint in fingerprints_of(key) and not _waits(spent.owner)
    )
    return list(dict.fromkeys(found))  # a key has two fingerprints


def _waits(owner: str) -> bool:
    """Whether the delivery to which the journal gives the key still waits for one in the database."""
    number, _, position = owner.partition(".")
    delivery = find_delivery(number, int(position))
    return delivery is not None and delivery.state is DeliveryState.WAITING
