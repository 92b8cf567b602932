"""indexes by which a sweep finds the few payments and postbacks that it has to see to

Revision ID: 1796010921
Revises: 1796010920
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796010921"
down_revision = "1796010920"
branch_labels = ()
depends_on = None

CHECKS = "ix_payments_next_check_at"
PARTIAL: dict[str, tuple[str, str, str]] = {
    CHECKS: ("payments", "next_check_at", "next_check_at IS NOT NULL"),
    "ix_payments_unclear": ("payments", "unclear_since", "unclear_since IS NOT NULL"),
    "ix_payments_in_call": ("payments", "lease_until", "state = 'creating' OR state = 'unknown'"),
    "ix_payments_not_asked_about": (
        "payments",
        "expires_at",
        "next_check_at IS NULL AND invoice_id IS NOT NULL",
    ),
    "ix_postbacks_not_done": ("postbacks", "last_at", "done_at IS NULL"),
}


def upgrade() -> None:
    op.drop_index(CHECKS, "payments")
    for name, (table, column, where) in PARTIAL.items():
        holds = sa.text(where)
        op.create_index(name, table, [column], sqlite_where=holds, postgresql_where=holds)
    op.create_index("ix_orders_expires_at", "orders", ["expires_at"])


def downgrade() -> None:
    op.drop_index("ix_orders_expires_at", "orders")
    for name, (table, _, _) in PARTIAL.items():
        op.drop_index(name, table)
    op.create_index(CHECKS, "payments", ["next_check_at"])
