"""sizes of files, limits of downloads, renewals, withdrawn licence keys, low stock

Revision ID: 1795570100
Revises: 1795570000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1795570100"
down_revision = "1795570000"
branch_labels = ()
depends_on = None

COLUMNS = (
    ("products", "delivery_size", sa.BigInteger()),
    ("products", "max_downloads", sa.Integer()),
    ("products", "download_days", sa.Integer()),
    ("products", "low_stock", sa.Integer()),
    ("order_lines", "max_downloads", sa.Integer()),
    ("order_lines", "download_days", sa.Integer()),
    ("deliveries", "file_size", sa.BigInteger()),
    ("deliveries", "last_download_at", sa.DateTime(timezone=True)),
    ("deliveries", "renewed_at", sa.DateTime(timezone=True)),
    ("licence_keys", "withdrawn_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    for table, name, kind in COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for table, name, _ in COLUMNS:
        op.drop_column(table, name)
