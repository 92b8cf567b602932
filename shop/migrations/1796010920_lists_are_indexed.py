"""an index for the order of each list, and what titles are sorted by beside the titles

Revision ID: 1796010920
Revises: 1796010900
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796010920"
down_revision = "1796010900"
branch_labels = ()
depends_on = None

LISTS = {
    "in_shop_order": ("position", "id"),
    "of_category": ("category_id", "position", "id"),
    "newest": (sa.text("created_at DESC"), "position", "id"),
    "by_name": ("name_key", "id"),
}
AFTER = str.maketrans(
    {"ё": "е\uffff", "ґ": "г\uffff", "є": "е\ufffe", "і": "и\ufffe", "ї": "и\uffff"}
)


def upgrade() -> None:
    on_sqlite = op.get_context().dialect.name == "sqlite"
    # Python's own order, which is that of SQLite; PostgreSQL would take that of the database's language.
    text = sa.Text() if on_sqlite else sa.Text(collation="C")
    op.add_column("products", sa.Column("name_key", text, nullable=False, server_default=""))
    products = sa.table("products", sa.column("id"), sa.column("title"), sa.column("name_key"))
    titles = op.get_bind().execute(sa.select(products.c.id, products.c.title)).all()
    keys = [{"of": id, "name_key": name_key(title)} for id, title in titles]
    if keys:
        op.get_bind().execute(products.update().where(products.c.id == sa.bindparam("of")), keys)
    for name, columns in LISTS.items():
        op.create_index(
            f"ix_products_{name}",
            "products",
            [*columns],
            sqlite_where=sa.text("active = 1"),
            postgresql_where=sa.text("active"),
        )


def name_key(title: str) -> str:
    """As `shop/catalogue/alphabet.py` had it when this was written."""
    return title.casefold().translate(AFTER).lstrip("\"'«„“‘( ")


def downgrade() -> None:
    for name in LISTS:
        op.drop_index(f"ix_products_{name}", "products")
    op.drop_column("products", "name_key")
