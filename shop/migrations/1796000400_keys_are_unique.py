"""licence keys are unique across all products, however they are typed

Revision ID: 1796000400
Revises: 1796000300
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

# Not a copy of the rule: what is asked for later is hashed by the shop's own.
from shop.fulfilment.keys import key_hash

revision = "1796000400"
down_revision = "1796000300"
branch_labels = ()
depends_on = None

Key = sa.Row[Any]

keys = sa.table(
    "licence_keys",
    sa.column("id", sa.Integer),
    sa.column("product_id", sa.Integer),
    sa.column("value", sa.String),
    sa.column("delivery_id", sa.Integer),
    sa.column("withdrawn_at", sa.DateTime(timezone=True)),
    sa.column("exact", sa.String),
    sa.column("folded", sa.String),
)
products = sa.table(
    "products",
    sa.column("id", sa.Integer),
    sa.column("slug", sa.String),
    sa.column("available", sa.Integer),
)
deliveries = sa.table("deliveries", sa.column("id"), sa.column("order_id"))
orders = sa.table("orders", sa.column("id"), sa.column("number"))
attention = sa.table(
    "attention_items",
    *(sa.column(name) for name in ("kind", "reference", "note", "alert_key")),
    *(sa.column(name) for name in ("resolved_by", "resolution")),
    sa.column("created_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    for column in (
        sa.Column("case_sensitive", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("exact", sa.String(length=64), nullable=True),
        sa.Column("folded", sa.String(length=64), nullable=True),
    ):
        op.add_column("licence_keys", column)
    _mark()
    for name in ("exact", "folded"):
        op.create_index(f"uq_licence_keys_{name}", "licence_keys", [name], unique=True)


def downgrade() -> None:
    for name in ("folded", "exact"):
        op.drop_index(f"uq_licence_keys_{name}", "licence_keys")
        op.drop_column("licence_keys", name)
    op.drop_column("licence_keys", "case_sensitive")


def _mark() -> None:
    """Give each key its hashes; of those that are the same, one: sold before unsold, old before new."""
    connection = op.get_bind()
    query = sa.select(keys).order_by(keys.c.delivery_id.is_(None), keys.c.id)
    firsts, marks = dict[str, Key](), list[dict[str, Any]]()
    copies = defaultdict[int, list[tuple[Key, Key]]](list)
    for key in connection.execute(query):
        folded = key_hash(key.value)
        first = firsts.setdefault(folded, key)
        if first is key:
            exact = key_hash(key.value, case_sensitive=True)
            marks.append({"number": key.id, "exact_hash": exact, "folded_hash": folded})
        else:
            copies[key.product_id].append((key, first))
    hashes: dict[str, Any] = {
        "exact": sa.bindparam("exact_hash"),
        "folded": sa.bindparam("folded_hash"),
    }
    mark = keys.update().where(keys.c.id == sa.bindparam("number")).values(hashes)
    if marks:
        connection.execute(mark, marks)
    for product_id, pairs in copies.items():
        _withdraw(connection, product_id, [key.id for key, _ in pairs if key.delivery_id is None])
        _tell(connection, product_id, pairs)


def _withdraw(connection: sa.Connection, product_id: int, unsold: list[int]) -> None:
    """Take copies off sale that nobody has got yet; orders that hold more keys than there are will wait."""
    now = datetime.now(UTC)
    for number in unsold:
        connection.execute(keys.update().where(keys.c.id == number).values(withdrawn_at=now))
    left = sa.case(
        (products.c.available > len(unsold), products.c.available - len(unsold)), else_=0
    )
    connection.execute(products.update().where(products.c.id == product_id).values(available=left))


def _tell(connection: sa.Connection, product_id: int, pairs: list[tuple[Key, Key]]) -> None:
    """Put the copies of one product before a person."""
    both = [pair for pair in pairs if pair[0].delivery_id is not None]
    slugs = dict(connection.execute(sa.select(products.c.id, products.c.slug)).all())
    whose = ", ".join(sorted({slugs[first.product_id] for _, first in pairs}))
    note = (
        f"Of the licence keys of {slugs[product_id]}, {len(pairs)} are copies of keys of {whose}: "
        f"{len(pairs) - len(both)} that nobody has got are off sale now, {len(both)} were sold"
    )
    if both:
        numbers = sorted(_orders(connection, [key.delivery_id for pair in both for key in pair]))
        note += f" twice, in the orders {', '.join(numbers)}"
    connection.execute(
        attention.insert().values(
            kind="keys_copied",
            reference=f"product-{product_id}",
            note=f"{note}.",
            alert_key="",
            resolved_by="",
            resolution="",
            created_at=datetime.now(UTC),
        )
    )


def _orders(connection: sa.Connection, delivery_ids: list[int]) -> set[str]:
    """Numbers of the orders of these deliveries."""
    query = sa.select(orders.c.number).join(deliveries, deliveries.c.order_id == orders.c.id)
    return {
        number
        for delivery_id in set(delivery_ids)
        for number in connection.scalars(query.where(deliveries.c.id == delivery_id))
    }
