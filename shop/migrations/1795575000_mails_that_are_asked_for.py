"""mails that buyers ask for, refusals and bounces, an address corrected once, what was paid with

Revision ID: 1795575000
Revises: 1795570100
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1795575000"
down_revision = "1795570100"
branch_labels = ()
depends_on = None

BEFORE = ("queued", "sending", "sent", "failed")
SINCE = (*BEFORE, "refused", "bounced", "skipped")


def upgrade() -> None:
    op.create_table(
        "rations",
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "day", "number", name=op.f("pk_rations")),
    )
    op.add_column(
        "outbox_mails",
        sa.Column("address", sa.String(length=254), nullable=False, server_default=""),
    )
    _allow(SINCE)
    op.create_index(op.f("ix_outbox_mails_order_id"), "outbox_mails", ["order_id"])
    # Column by column: rebuilding the table on SQLite would drop the guard of its states.
    op.add_column("orders", sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "orders", sa.Column("paid_with", sa.String(length=120), nullable=False, server_default="")
    )


def downgrade() -> None:
    op.drop_column("orders", "paid_with")
    op.drop_column("orders", "corrected_at")
    op.drop_index(op.f("ix_outbox_mails_order_id"), "outbox_mails")
    op.execute("DELETE FROM outbox_mails WHERE state = 'skipped'")
    op.execute("UPDATE outbox_mails SET state = 'failed' WHERE state IN ('refused', 'bounced')")
    _allow(BEFORE)
    op.drop_column("outbox_mails", "address")
    op.drop_table("rations")


def _allow(states: tuple[str, ...]) -> None:
    name = op.f("ck_outbox_mails_state")
    with op.batch_alter_table("outbox_mails") as table:
        table.drop_constraint(name, type_="check")
        table.create_check_constraint(name, f"state IN ({', '.join(map(repr, states))})")
