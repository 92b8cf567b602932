"""attention items that are resolved, figures of payments, late money, mails to the operator

Revision ID: 1795373540
Revises: 1795364354
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1795373540"
down_revision = "1795364354"
branch_labels = ()
depends_on = None

PAID = sa.text("status = 'paid'")
OPEN = sa.text("resolved_at IS NULL")
ATTENTION = {
    "alert_key": sa.String(length=120),
    "resolved_by": sa.String(length=80),
    "resolution": sa.Text(),
}
PAYMENTS = {
    "coin": sa.String(length=40),
    "due": sa.String(length=60),
    "received": sa.String(length=60),
    "confirmed_by": sa.String(length=80),
    "transaction_id": sa.String(length=120),
}


def upgrade() -> None:
    for name, kind in ATTENTION.items():
        op.add_column("attention_items", sa.Column(name, kind, nullable=False, server_default=""))
    with op.batch_alter_table("attention_items") as table:
        table.drop_constraint("uq_attention_items_kind_reference", type_="unique")
        table.create_index(
            "uq_attention_items_open",
            ["kind", "reference"],
            unique=True,
            sqlite_where=OPEN,
            postgresql_where=OPEN,
        )
    with op.batch_alter_table("outbox_mails") as table:
        table.alter_column("order_id", existing_type=sa.Integer(), nullable=True)
    op.add_column(
        "outbox_mails", sa.Column("note", sa.String(length=300), nullable=False, server_default="")
    )
    # Column by column: rebuilding the table on SQLite would drop the guard of its states.
    for name, kind in PAYMENTS.items():
        op.add_column("payments", sa.Column(name, kind, nullable=False, server_default=""))
    for name in ("retry_at", "refused_at"):
        op.add_column("payments", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in ("test_mode", "part_came"):
        op.add_column(
            "payments", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
        )
    op.execute("UPDATE payments SET part_came = true WHERE provider_status = 'partial'")
    op.add_column(
        "payments",
        sa.Column("refused_postbacks", sa.Integer(), nullable=False, server_default="0"),
    )
    op.add_column("products", sa.Column("honour_late_hours", sa.Integer(), nullable=True))
    op.add_column("products", sa.Column("taken", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE products SET taken = (SELECT COALESCE(SUM(quantity), 0) FROM stock_holds "
        "WHERE product_id = products.id AND state IN ('held', 'committed'))"
    )
    op.create_index("ix_orders_paid", "orders", ["id"], sqlite_where=PAID, postgresql_where=PAID)


def downgrade() -> None:
    op.drop_index("ix_orders_paid", "orders")
    op.drop_column("products", "taken")
    op.drop_column("products", "honour_late_hours")
    for name in (
        *PAYMENTS,
        "retry_at",
        "refused_at",
        "test_mode",
        "part_came",
        "refused_postbacks",
    ):
        op.drop_column("payments", name)
    op.drop_column("outbox_mails", "note")
    op.execute("DELETE FROM outbox_mails WHERE order_id IS NULL")
    with op.batch_alter_table("outbox_mails") as table:
        table.alter_column("order_id", existing_type=sa.Integer(), nullable=False)
    op.execute("DELETE FROM attention_items WHERE resolved_at IS NOT NULL")
    with op.batch_alter_table("attention_items") as table:
        table.drop_index("uq_attention_items_open", sqlite_where=OPEN, postgresql_where=OPEN)
        table.create_unique_constraint("uq_attention_items_kind_reference", ["kind", "reference"])
        for name in ATTENTION:
            table.drop_column(name)
