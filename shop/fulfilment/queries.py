"""Reading deliveries and licence keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from ..attention.models import LONGEST_REFERENCE, AttentionItem
from ..catalogue.models import DeliveryKind, Product, ProductFile
from ..db import db
from ..orders.models import (
    HAS_GOODS,
    HoldState,
    Order,
    OrderLine,
    OrderStatus,
    StockHold,
)
from ..orders.queries import has_status
from .models import Delivery, DeliveryState, LicenceKey


def deliveries_of(order_id: int) -> Sequence[Delivery]:
    """What an order hands over, line by line, file by file."""
    query = select(Delivery).where(Delivery.order_id == order_id)
    return db.session.scalars(query.order_by(Delivery.order_line_id, Delivery.part)).all()


def find_delivery(number: str, position: int, part: int = 1) -> Delivery | None:
    """What the line at `position` of the order hands over, or one of its files."""
    query = select(Delivery).join(Delivery.order).join(Delivery.line)
    query = query.where(Order.number == number, OrderLine.position == position)
    return db.session.scalar(query.where(Delivery.part == part))


def undelivered_orders() -> Sequence[int]:
    """The ids of paid orders that have not got everything yet; oldest first."""
    query = select(Order.id).where(has_status(OrderStatus.PAID)).order_by(Order.id)
    return db.session.scalars(query).all()


def files_to_hand_out(order_id: int) -> list[tuple[str, int | None]]:
    """Names and sizes of the files that a paid order waits for, as the products are now."""
    query = (
        select(Product)
        .join(OrderLine, OrderLine.product_id == Product.id)
        .join(Delivery, Delivery.order_line_id == OrderLine.id)
        .join(Order, Delivery.order_id == Order.id)
        .where(Order.id == order_id, Order.status == OrderStatus.PAID)
        .where(Delivery.state == DeliveryState.WAITING, Product.delivery_file != "")
    )
    products = db.session.scalars(query.execution_options(populate_existing=True)).unique().all()
    return [file for product in products for file in product.files]


def files_in_use(now: datetime) -> list[tuple[str, int | None]]:
    """Names and sizes of the files that are for sale, or that buyers may still download."""
    on_sale = select(Product.delivery_file, Product.delivery_size).where(
        Product.active, Product.delivery_file != ""
    )
    more = select(ProductFile.name, ProductFile.size).join(Product).where(Product.active)
    begin = func.max(func.coalesce(Delivery.renewed_at, Delivery.delivered_at))
    most, days = OrderLine.max_downloads, OrderLine.download_days
    sold = (
        select(Delivery.file, Delivery.file_size, begin, days)
        .join(Delivery.order)
        .join(Delivery.line)
        .where(Delivery.state == DeliveryState.DELIVERED, Delivery.file != "")
        .where(Order.status.in_(HAS_GOODS), or_(most.is_(None), Delivery.downloads < most))
        .group_by(Delivery.file, Delivery.file_size, days)
    )
    files = {*_names_and_sizes(on_sale), *_names_and_sizes(more)}
    for file, size, last, kept in db.session.execute(sold):
        if kept is None or last + timedelta(days=kept) > now:
            files.add((file, size))
    return sorted(files, key=lambda each: (each[0], each[1] or 0))


def files_reported(kind: str) -> dict[str, list[tuple[str, int | None]]]:
    """For each open attention item of this kind, by its reference: names and sizes of the files it is about."""
    items = select(AttentionItem.reference).where(
        AttentionItem.kind == kind, AttentionItem.resolved_at.is_(None)
    )
    return {
        reference: _called(reference, Product.delivery_file, Product.delivery_size)
        + _called(reference, ProductFile.name, ProductFile.size)
        + _called(reference, Delivery.file, Delivery.file_size)
        for reference in db.session.scalars(items).all()
    }


def _called(
    reference: str,
    file: InstrumentedAttribute[str],
    size: InstrumentedAttribute[int | None],
) -> list[tuple[str, int | None]]:
    same = func.substr(file, 1, LONGEST_REFERENCE) == reference
    return _names_and_sizes(select(file, size).where(same))


def _names_and_sizes(query: Select[str, int | None]) -> list[tuple[str, int | None]]:
    return [(file, size) for file, size in db.session.execute(query.distinct())]


def free_keys(product_id: int) -> int:
    """How many licence keys no order holds and no paid order waits for; negative if keys are missing.

    One statement, which sees one moment: an order that is paid just now is counted once.
    """
    stock = select(func.count()).where(in_stock(product_id))
    held = select(func.coalesce(func.sum(StockHold.quantity), 0)).where(
        StockHold.product_id == product_id, StockHold.state == HoldState.HELD
    )
    paid = (
        select(func.coalesce(func.sum(OrderLine.quantity), 0))
        .join(Order)
        .join(Delivery, Delivery.order_line_id == OrderLine.id)
        .where(Order.status == OrderStatus.PAID, Delivery.state == DeliveryState.WAITING)
        .where(OrderLine.product_id == product_id)
    )
    free = stock.scalar_subquery() - held.scalar_subquery() - paid.scalar_subquery()
    return int(db.session.scalar(select(free)) or 0)


def in_stock(product_id: int | None) -> ColumnElement[bool]:
    """Whether a licence key is the product's, was handed out to nobody, and may be handed out."""
    return and_(
        LicenceKey.product_id == product_id,
        LicenceKey.delivery_id.is_(None),
        LicenceKey.withdrawn_at.is_(None),
    )


def key_counts() -> list[tuple[str, int, int, int, int]]:
    """Each product that has licence keys by slug: on sale, in stock (held ones included), sold, withdrawn."""
    withdrawn = LicenceKey.withdrawn_at.is_not(None)
    sold = and_(~withdrawn, LicenceKey.delivery_id.is_not(None))

    def count(of: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((of, 1), else_=0)), 0)

    query = (
        select(
            Product.slug,
            func.coalesce(Product.available, 0),
            count(and_(~withdrawn, LicenceKey.delivery_id.is_(None), LicenceKey.id.is_not(None))),
            count(sold),
            count(withdrawn),
        )
        .outerjoin(LicenceKey, LicenceKey.product_id == Product.id)
        .where(Product.delivery_kind == DeliveryKind.KEY)
        .group_by(Product.id, Product.slug, Product.available, Product.position)
        .order_by(Product.position, Product.id)
    )
    return [
        (slug, on_sale, stock, gone, bad)
        for slug, on_sale, stock, gone, bad in db.session.execute(query)
    ]


def keys_in_stock(product_id: int) -> list[tuple[int, str]]:
    """Number and value of each licence key that nobody has got."""
    query = select(LicenceKey.id, LicenceKey.value).where(in_stock(product_id))
    return [(id, value) for id, value in db.session.execute(query.order_by(LicenceKey.id))]
