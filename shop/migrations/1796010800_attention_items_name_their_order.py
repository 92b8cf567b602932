"""attention items name the order that they are about

Revision ID: 1796010800
Revises: 1796010701
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "1796010800"
down_revision = "1796010701"
branch_labels = ()
depends_on = None

NUMBER = re.compile(r"(?<![0-9A-Z])[2-9A-Z]{4}-[2-9A-Z]{4}(?![0-9A-Z])")
DELIVERY = re.compile(r"delivery-([0-9]+)")

items = sa.table("attention_items", *map(sa.column, ("id", "reference", "note", "order_id")))
orders = sa.table("orders", sa.column("id"), sa.column("number"))
payments = sa.table("payments", sa.column("order_id"), sa.column("invoice_id"))
deliveries = sa.table("deliveries", sa.column("id"), sa.column("order_id"))


def upgrade() -> None:
    op.execute(
        "ALTER TABLE attention_items ADD COLUMN order_id INTEGER "
        "CONSTRAINT fk_attention_items_order_id_orders REFERENCES orders (id)"
    )
    op.create_index(op.f("ix_attention_items_order_id"), "attention_items", ["order_id"])
    connection = op.get_bind()
    for item in connection.execute(sa.select(items)).all():
        order_id = connection.scalar(order_of(item.reference, item.note))
        if order_id is not None:
            named = sa.update(items).where(items.c.id == item.id)
            connection.execute(named.values(order_id=order_id))


def order_of(reference: str, note: str) -> sa.Select[int]:
    """By its number in the reference or in the words, its invoice, or its delivery: as it was guessed until now."""
    if delivery := DELIVERY.fullmatch(reference):
        return sa.select(deliveries.c.order_id).where(deliveries.c.id == int(delivery[1]))
    if numbers := [*NUMBER.findall(reference), *NUMBER.findall(note)]:
        return sa.select(orders.c.id).where(orders.c.number.in_(numbers)).order_by(orders.c.id)
    return sa.select(payments.c.order_id).where(payments.c.invoice_id == (reference or None))


def downgrade() -> None:
    op.drop_index(op.f("ix_attention_items_order_id"), "attention_items")
    op.drop_column("attention_items", "order_id")
