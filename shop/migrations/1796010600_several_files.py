"""several files to one product, each a delivery of its own

Revision ID: 1796010600
Revises: 1796010400
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796010600"
down_revision = "1796010400"
branch_labels = ()
depends_on = None

ONE = "CONSTRAINT uq_deliveries_order_line_id UNIQUE (order_line_id)"
EACH = "CONSTRAINT uq_deliveries_order_line_id_part UNIQUE (order_line_id, part)"


def upgrade() -> None:
    op.create_table(
        "product_files",
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_product_files_product_id_products")
        ),
        sa.PrimaryKeyConstraint("product_id", "position", name=op.f("pk_product_files")),
    )
    op.add_column("deliveries", sa.Column("part", sa.Integer(), nullable=False, server_default="1"))
    if op.get_context().dialect.name == "sqlite":
        build_anew(ONE, EACH)
        return
    op.drop_constraint(op.f("uq_deliveries_order_line_id"), "deliveries", type_="unique")
    op.create_unique_constraint(
        op.f("uq_deliveries_order_line_id_part"), "deliveries", ["order_line_id", "part"]
    )


def downgrade() -> None:
    """Each line keeps its first file."""
    op.execute("DELETE FROM deliveries WHERE part > 1")
    if op.get_context().dialect.name == "sqlite":
        build_anew(EACH, ONE)
    else:
        op.drop_constraint(op.f("uq_deliveries_order_line_id_part"), "deliveries", type_="unique")
        op.create_unique_constraint(
            op.f("uq_deliveries_order_line_id"), "deliveries", ["order_line_id"]
        )
    op.drop_column("deliveries", "part")
    op.drop_table("product_files")


def build_anew(old: str, new: str) -> None:
    """Build `deliveries` anew on SQLite, with another rule in its text and all else as it was.

    While it is gone nothing may point at it: licence keys are told again afterwards whose they are.
    """
    connection = op.get_bind()
    made = (
        "SELECT sql FROM sqlite_master WHERE tbl_name = 'deliveries' AND type = :type AND sql <> ''"
    )
    table = connection.execute(sa.text(made), {"type": "table"}).scalar_one()
    indexes = connection.execute(sa.text(made), {"type": "index"}).scalars().all()
    if old not in table:
        raise RuntimeError(f"the table deliveries has no rule {old}")
    columns = table.replace(old, new).partition("(")[2]
    for statement in (
        f"CREATE TABLE deliveries_anew ({columns}",
        "INSERT INTO deliveries_anew SELECT * FROM deliveries",
        "CREATE TEMPORARY TABLE owners AS SELECT id, delivery_id, unit FROM licence_keys WHERE delivery_id IS NOT NULL",
        "UPDATE licence_keys SET delivery_id = NULL WHERE delivery_id IS NOT NULL",
        "DROP TABLE deliveries",
        "ALTER TABLE deliveries_anew RENAME TO deliveries",
        *indexes,
        "UPDATE licence_keys SET delivery_id = owners.delivery_id FROM owners WHERE owners.id = licence_keys.id",
        "DROP TABLE owners",
    ):
        connection.exec_driver_sql(statement)
