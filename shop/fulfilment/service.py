"""Handing over the goods, exactly once.

`plan_deliveries` joins the commit that makes an order paid. `deliver_order` then hands out what is
planned, in a transaction of its own: right away by whoever learnt of the payment, and again by the
sweep, should that process have died in between.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from ..attention.kinds import AttentionKind
from ..attention.models import AttentionItem
from ..attention.service import raise_attention, resolve_attention
from ..because import Because
from ..catalogue.models import DeliveryKind, Product
from ..catalogue.service import put_on_sale, take_off_sale
from ..db import insert_all_new, insert_if_new, transaction, utcnow
from ..orders.models import Order, OrderStatus
from ..orders.service import lock_order
from ..outbox.kinds import MailKind
from ..outbox.service import plan_mail
from ..queue import wake
from .copies import refuse_copies
from .files import MISSING, Looks, look_at_files, reference_of
from .models import Delivery, DeliveryState, LicenceKey
from .queries import deliveries_of, free_keys, in_stock
from .spent import next_keys, note_handed_out, note_withdrawn, refuse_spent

log = structlog.get_logger()


def plan_deliveries(session: Session, order: Order, note: str = "") -> None:
    """Note what is to be handed over and mailed, inside the transaction that makes the order paid."""
    for line in order.lines:
        if line.kind:
            insert_if_new(
                session, Delivery, order_id=order.id, order_line_id=line.id, kind=line.kind
            )
    plan_mail(session, order, MailKind.ORDER_DELIVERED, note=note)


def deliver_order(order_id: int, looks: Looks | None = None) -> None:
    """Hand out everything of a paid order that has not been handed out. Doing it again does nothing."""
    files = look_at_files(order_id, looks or Looks())
    with transaction("delivery") as session:
        order = lock_order(session, order_id)
        if order.status is not OrderStatus.PAID:
            return
        deliveries = deliveries_of(order_id)
        for delivery in deliveries:
            deliver(session, delivery, files)
        done = all(delivery.state is DeliveryState.DELIVERED for delivery in deliveries)
        if done:
            order.mark_fulfilled(at=utcnow())
    if done:
        log.info("order_fulfilled", order=order.number)
        wake("mails")


def deliver(session: Session, delivery: Delivery, files: Mapping[str, str]) -> None:
    """Hand out one line's goods, under the order's lock; the delivery waits on if keys or files are missing.

    `files` has each file that was looked at, and why it cannot be handed out; empty when it can.
    """
    if delivery.state is DeliveryState.DELIVERED:
        return
    product = delivery.line.product
    if product is None:
        raise RuntimeError(f"delivery {delivery.id} has no product")
    if not _are_there(session, delivery, product, files):
        return
    if delivery.kind is DeliveryKind.KEY and not _hand_out_keys(session, delivery, product):
        return
    # The product as it is now: an import may have put a file in the place of the text that was ordered.
    delivery.kind = product.delivery_kind or delivery.kind
    delivery.text, delivery.markdown = product.delivery_text, product.delivery_markdown
    delivery.file, delivery.file_size = product.delivery_file, product.delivery_size
    delivery.state, delivery.delivered_at = DeliveryState.DELIVERED, utcnow()
    _hand_out_further_files(session, delivery, product)
    delivery.order.record("delivered", f"{delivery.line.quantity} × {delivery.line.title}")


def _hand_out_keys(session: Session, delivery: Delivery, product: Product) -> bool:
    """Give each unit of the line its own key; a key's row can belong to one delivery only."""
    keys = next_keys(session, delivery, delivery.line.quantity)
    if len(keys) < delivery.line.quantity:
        raise_attention(
            session,
            AttentionKind.KEYS_SHORT,
            _name(delivery),
            f"Order {delivery.order.number} is paid and waits for keys of {product.slug}: "
            f"add some with `flask keys add {product.slug} FILE`.",
            order_id=delivery.order_id,
        )
        plan_mail(session, delivery.order, MailKind.KEY_WAITING)
        return False
    note_handed_out(delivery, keys)
    for unit, key in enumerate(keys, start=1):
        key.delivery_id, key.unit = delivery.id, unit
    report_few_keys(session, product)
    resolve_attention(
        session, [_name(delivery)], Because("keys were added"), kinds=[AttentionKind.KEYS_SHORT]
    )
    return True


def _hand_out_further_files(session: Session, delivery: Delivery, product: Product) -> None:
    """Each file behind the first is a delivery of its own."""
    for part, (file, size) in enumerate(product.files[1:], start=2):
        insert_if_new(
            session,
            Delivery,
            order_id=delivery.order_id,
            order_line_id=delivery.order_line_id,
            part=part,
            kind=delivery.kind,
            state=DeliveryState.DELIVERED,
            file=file,
            file_size=size,
            delivered_at=delivery.delivered_at,
        )


def _are_there(
    session: Session, delivery: Delivery, product: Product, files: Mapping[str, str]
) -> bool:
    """Whether all of the line's files can be handed out; if not, the buyer and a person are told."""
    names = [file for file, _ in product.files]
    if any(file not in files for file in names):
        return False  # an import has just named a file that was not looked at
    missing = [file for file in names if files[file]]
    for file in missing:
        note = (
            f"Order {delivery.order.number} is paid and waits for its file: {file} {files[file]}. "
            f"Put it back (`flask products import` does); it is handed over by itself then."
        )
        reference = reference_of(file)
        raise_attention(session, MISSING, reference, note, order_id=delivery.order_id)
    if missing:
        plan_mail(session, delivery.order, MailKind.FILE_WAITING)
    return not missing


def forget_missing_keys(session: Session, order: Order, *, who: str) -> None:
    """Close the items about keys that the order waited for, because its money goes back."""
    names = [_name(delivery) for delivery in deliveries_of(order.id)]
    resolve_attention(
        session, names, Because("a refund is due", who), kinds=[AttentionKind.KEYS_SHORT]
    )


def _name(delivery: Delivery) -> str:
    return f"delivery-{delivery.id}"


class _OnlyLooked(Exception):
    """Rolls back a transaction that only tried out what would happen."""


def look_at_keys(
    product: Product, keys: Mapping[str, int], *, case_sensitive: bool
) -> tuple[int, int]:
    """What `put_keys` would return or raise; nothing is changed."""
    product_id = product.id
    with suppress(_OnlyLooked), transaction("look") as session:
        counts = _put_keys(session, product_id, keys, case_sensitive)
        raise _OnlyLooked
    return counts


def put_keys(product: Product, keys: Mapping[str, int], *, case_sensitive: bool) -> tuple[int, int]:
    """Put licence keys, each with its line, into stock; returns how many are new, and how many were there.

    Raises KeysRefused if one is a copy of another, of whatever product and however typed; then none is put
    into stock. `case_sensitive` says that these keys may differ from others by their capitals alone.
    """
    product_id = product.id
    with transaction("keys") as session:
        new, known = _put_keys(session, product_id, keys, case_sensitive)
        put_on_sale(session, product_id, new, most=max(free_keys(product_id), 0))
        if not _few_keys(session, product_id):
            resolve_attention(
                session,
                [_product_reference(product_id)],
                Because("keys were added"),
                kinds=[AttentionKind.KEYS_LOW],
            )
    return new, known


def _put_keys(
    session: Session, product_id: int, keys: Mapping[str, int], case_sensitive: bool
) -> tuple[int, int]:
    """Store the new keys; returns how many they are, and how many the product had. KeysRefused for a copy."""
    _one_import_at_a_time(session)
    refuse_spent(session, keys, case_sensitive=case_sensitive)
    given = [
        {
            "product_id": product_id,
            "value": value,
            "case_sensitive": case_sensitive,
            "added_at": utcnow(),
        }
        for value in keys
    ]
    new = insert_all_new(session, LicenceKey, given)
    if new < len(given):
        refuse_copies(session, product_id, keys, case_sensitive=case_sensitive)
    return new, len(given) - new


class NotWithdrawn(Exception):
    """No key was taken off sale; the text says why."""


def withdraw_keys(product: Product, numbers: Collection[int] | None, because: Because) -> int:
    """Take unsold licence keys off sale for good, all (None) or some; returns how many.

    Reason and name (`because`) are kept in an attention item, closed from the start. NotWithdrawn when one of
    the numbers is no unsold key of the product, or when orders hold the keys.
    """
    product_id, slug = product.id, product.slug
    with transaction("withdraw_keys") as session:
        _one_import_at_a_time(session)
        query = select(LicenceKey).where(in_stock(product_id)).order_by(LicenceKey.id)
        if numbers is not None:
            query = query.where(LicenceKey.id.in_(numbers))
        keys = session.scalars(query.with_for_update()).all()
        if missing := sorted(set(numbers or ()) - {key.id for key in keys}):
            names = ", ".join(map(str, missing))
            raise NotWithdrawn(f"{slug} has no unsold key with the number {names}.")
        if not keys or not take_off_sale(session, product_id, len(keys)):
            raise NotWithdrawn(
                f"Of the {len(keys)} keys some are held by orders, or there are none: name fewer of them."
            )
        note_withdrawn(keys)
        for key in keys:
            key.withdrawn_at = utcnow()
        numbers_said = ", ".join(str(key.id) for key in keys[:20])
        more = f" and {len(keys) - 20} more" if len(keys) > 20 else ""
        session.add(
            AttentionItem(
                kind=AttentionKind.KEYS_WITHDRAWN,
                reference=_product_reference(product_id),
                note=f"{len(keys)} licence keys of {slug} were withdrawn (numbers {numbers_said}{more}).",
                resolved_at=utcnow(),
                resolved_by=because.who,
                resolution=because.why,
            )
        )
        report_few_keys(session, session.get_one(Product, product_id, populate_existing=True))
    log.info("keys_withdrawn", product=slug, keys=len(keys), who=because.who)
    return len(keys)


def _one_import_at_a_time(session: Session) -> None:
    """Wait for other imports: two with the same keys in another order block each other. SQLite has one writer."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE licence_keys IN SHARE UPDATE EXCLUSIVE MODE"))


def report_few_keys(session: Session, product: Product) -> None:
    """Tell a person when fewer keys are left for sale than the product's `low_stock`."""
    if _few_keys(session, product.id):
        note = (
            f"Fewer than {product.low_stock} keys of {product.slug} are left for sale: "
            f"add some with `flask keys add {product.slug} FILE`."
        )
        raise_attention(session, AttentionKind.KEYS_LOW, _product_reference(product.id), note)


def _few_keys(session: Session, product_id: int) -> bool:
    """Whether too few units may still be sold. Keys in stock are no measure: two deliveries at once miscount."""
    low = select(Product.id).where(Product.id == product_id, Product.available < Product.low_stock)
    return session.scalar(low) is not None


def _product_reference(product_id: int) -> str:
    return f"product-{product_id}"
