"""texts of the catalogue in Unicode's composed form, and every apostrophe parts words in search

Revision ID: 1796010100
Revises: 1796000500
"""

from __future__ import annotations

import unicodedata
from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "1796010100"
down_revision = "1796000500"
branch_labels = ()
depends_on = None

APOSTROPHES = "ʹʻʼʽˈꞌ"
"""Those that Unicode counts among letters. The others part words in both databases already."""
TEXTS = {
    "products": ("title", "summary", "description"),
    "categories": ("title", "summary"),
    "product_images": ("alt",),
}
first = import_module("shop.migrations.1795570000_categories_and_search")


def upgrade() -> None:
    for table, names in TEXTS.items():
        compose(table, names)
    if op.get_context().dialect.name == "sqlite":
        index_on_sqlite(f"separators '{APOSTROPHES}'")
    else:
        spaces = " " * len(APOSTROPHES)
        index_on_postgresql("translate({}, '" + APOSTROPHES + f"', '{spaces}')")


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        index_on_sqlite("")
    else:
        index_on_postgresql("{}")


def compose(table: str, names: tuple[str, ...]) -> None:
    """Write what is stored as an import writes it, so that importing the same file still changes nothing."""
    rows = sa.table(table, sa.column("id"), *map(sa.column, names))
    connection = op.get_bind()
    for id, *texts in connection.execute(sa.select(rows)).all():
        composed = [unicodedata.normalize("NFC", text) for text in texts]
        if composed != texts:
            values = dict(zip(names, composed, strict=True))
            connection.execute(rows.update().where(rows.c.id == id).values(values))


def index_on_sqlite(more: str) -> None:
    """The full-text table anew; the triggers that fill it stand at `products`, and stay."""
    op.execute("DROP TABLE product_search")
    op.execute(
        "CREATE VIRTUAL TABLE product_search USING fts5(title, summary, description, "
        f'tokenize = "unicode61 remove_diacritics 2 {more}")'
    )
    op.execute(first.FILL)


def index_on_postgresql(text: str) -> None:
    """The generated column anew, of the texts as `text` changes them."""
    collation = first.unicode_collation()
    vector = " || ".join(
        f"setweight(to_tsvector('simple', {first.folded_on_postgresql(text.format(name), collation)}), '{weight}')"
        for name, weight in (("title", "A"), ("summary", "B"), ("description", "C"))
    )
    op.execute("ALTER TABLE products DROP COLUMN product_search")
    op.execute(
        "ALTER TABLE products ADD COLUMN product_search tsvector "
        f"GENERATED ALWAYS AS ({vector}) STORED"
    )
    op.execute("CREATE INDEX ix_products_product_search ON products USING gin (product_search)")
