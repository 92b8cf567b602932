"""how far the journal was compared with the database, and keys that only the journal knows to be sold

Revision ID: 1796000000
Revises: 1795931000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796000000"
down_revision = "1795931000"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    op.create_table(
        "journal_marks",
        sa.Column("journal", sa.String(length=8), nullable=False),
        sa.Column("file", sa.Integer(), nullable=False),
        sa.Column("byte", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal", name=op.f("pk_journal_marks")),
    )
    op.create_table(
        "spent_keys",
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_spent_keys")),
    )
    op.create_index(op.f("ix_spent_keys_owner"), "spent_keys", ["owner"])


def downgrade() -> None:
    op.drop_table("spent_keys")
    op.drop_table("journal_marks")
