"""categories, and a search index that the database itself keeps in step with the products

Revision ID: 1795570000
Revises: 1795567436
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1795570000"
down_revision = "1795567436"
branch_labels = ()
depends_on = None

# The tokenizer of SQLite folds case and Latin accents, but not ё, which is often written е.
FILL = """
    INSERT INTO product_search (rowid, title, summary, description)
    SELECT id,
        replace(replace(title, 'ё', 'е'), 'Ё', 'Е'),
        replace(replace(summary, 'ё', 'е'), 'Ё', 'Е'),
        replace(replace(description, 'ё', 'е'), 'Ё', 'Е')
    FROM products"""
REMOVE = "DELETE FROM product_search WHERE rowid = OLD.id"
TRIGGERS = {
    "added": ("INSERT", f"{FILL} WHERE id = NEW.id"),
    # Not at every change: each sale changes the stock.
    "changed": ("UPDATE OF title, summary, description", f"{REMOVE}; {FILL} WHERE id = NEW.id"),
    "deleted": ("DELETE", REMOVE),
}


def upgrade() -> None:
    op.create_table(
        "categories",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("summary", sa.String(length=240), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_categories")),
        sa.UniqueConstraint("slug", name=op.f("uq_categories_slug")),
    )
    # By hand: Alembic would rebuild the table on SQLite, while orders point at its rows.
    op.execute(
        "ALTER TABLE products ADD COLUMN category_id INTEGER "
        "CONSTRAINT fk_products_category_id_categories REFERENCES categories (id)"
    )
    op.create_index("ix_products_category_id", "products", ["category_id"])
    if op.get_context().dialect.name == "sqlite":
        index_on_sqlite()
    else:
        index_on_postgresql()


def index_on_sqlite() -> None:
    """A full-text table, filled now and by triggers from now on.

    Rebuilding `products` (batch_alter_table) drops the triggers: such a migration must make them again
    (the table itself is newer: one_spelling_for_search).
    """
    op.execute("DROP TABLE IF EXISTS product_search")
    op.execute(
        "CREATE VIRTUAL TABLE product_search USING fts5(title, summary, description, "
        "tokenize = 'unicode61 remove_diacritics 2')"
    )
    op.execute(FILL)
    for name, (moment, action) in TRIGGERS.items():
        op.execute(
            f"CREATE TRIGGER tr_product_search_{name} AFTER {moment} ON products FOR EACH ROW "
            f"BEGIN {action}; END"
        )


def index_on_postgresql() -> None:
    collation = unicode_collation()
    vector = " || ".join(
        f"setweight(to_tsvector('simple', {folded_on_postgresql(name, collation)}), '{weight}')"
        for name, weight in (("title", "A"), ("summary", "B"), ("description", "C"))
    )
    op.execute(
        "ALTER TABLE products ADD COLUMN product_search tsvector "
        f"GENERATED ALWAYS AS ({vector}) STORED"
    )
    op.execute("CREATE INDEX ix_products_product_search ON products USING gin (product_search)")


def folded_on_postgresql(name: str, collation: str) -> str:
    """Lower-case words without Latin accents, and е for ё: what SQLite's tokenizer makes of a text."""
    lower = f"lower({name}{collation})"
    plain = rf"regexp_replace(normalize({lower}, NFD), '([a-zе])[\u0300-\u036f]+', '\1', 'g')"
    return f"regexp_replace(normalize({plain}, NFC){collation}, '[^[:alnum:]]+', ' ', 'g')"


def unicode_collation() -> str:
    """One that knows the letters of all languages: a database made with locale C knows only English ones."""
    found = {
        name
        for (name,) in op.get_bind().execute(
            sa.text("SELECT collname FROM pg_collation WHERE collencoding IN (-1, 6)")
        )
    }
    names = ("pg_c_utf8", "und-x-icu", "C.utf8")
    return next((f' COLLATE pg_catalog."{name}"' for name in names if name in found), "")


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for name in TRIGGERS:
            op.execute(f"DROP TRIGGER tr_product_search_{name}")
        op.execute("DROP TABLE product_search")
    else:
        op.execute("ALTER TABLE products DROP COLUMN product_search")
    op.drop_index("ix_products_category_id", "products")
    op.drop_column("products", "category_id")
    op.drop_table("categories")
