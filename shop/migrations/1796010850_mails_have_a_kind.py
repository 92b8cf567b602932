"""what a mail is for is called its kind, as in every other table

Revision ID: 1796010850
Revises: 1796010800
"""

from __future__ import annotations

from alembic import op

revision = "1796010850"
down_revision = "1796010800"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    # Both engines do this in place; a batch would copy the whole table on SQLite.
    op.execute("ALTER TABLE outbox_mails RENAME COLUMN template TO kind")


def downgrade() -> None:
    op.execute("ALTER TABLE outbox_mails RENAME COLUMN kind TO template")
