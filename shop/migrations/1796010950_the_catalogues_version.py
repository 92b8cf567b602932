"""the catalogue's version: a random name that changes with whatever public pages show

Revision ID: 1796010950
Revises: 1796010900
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796010950"
down_revision = "1796010921"
branch_labels = ()
depends_on = None

SHOWN_WHOLE = (
    "categories",
    "prices",
    "product_files",
    "product_images",
    "exchange_rates",
    "former_addresses",
)
SHOWN = (
    "slug",
    "position",
    "category_id",
    "title",
    "name_key",
    "summary",
    "description",
    "active",
    "most_per_order",
    "delivery_kind",
    "delivery_file",
    "delivery_size",
    "max_downloads",
    "download_days",
    "created_at",
    "updated_at",
)
"""Of a product. Its stock is shown while few are left; of what is sold, nothing."""
STOCK = "CASE WHEN {0}.available < 100 THEN {0}.available END"


def upgrade() -> None:
    on_sqlite = op.get_context().dialect.name == "sqlite"
    op.create_table(
        "catalogue_version",
        sa.Column("version", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_catalogue_version")),
    )
    op.execute("INSERT INTO catalogue_version (version) VALUES ('')")
    # Random from the first on: an older copy that is put back is upgraded while pages of this one are kept.
    op.execute(RENEW_ON_SQLITE if on_sqlite else RENEW_ON_POSTGRESQL)
    if not on_sqlite:
        op.execute(RENEW)
        op.execute(CHANGES_FIRST)
        for table in (*SHOWN_WHOLE, "products"):
            op.execute(trigger_on_truncate(table))
    make = trigger_on_sqlite if on_sqlite else trigger_on_postgresql
    for table in SHOWN_WHOLE:
        for event in ("INSERT", "UPDATE", "DELETE"):
            op.execute(make(table, event, ""))
    op.execute(make("products", "INSERT", ""))
    op.execute(make("products", "DELETE", ""))
    op.execute(make("products", "UPDATE", f"{shown('OLD')} {differs(on_sqlite)} {shown('NEW')}"))


def downgrade() -> None:
    on_sqlite = op.get_context().dialect.name == "sqlite"
    for table in (*SHOWN_WHOLE, "products"):
        for event in ("INSERT", "UPDATE", "DELETE", *([] if on_sqlite else ["TRUNCATE"])):
            place = "" if on_sqlite else f" ON {table}"
            op.execute(f"DROP TRIGGER {name(table, event)}{place}")
    if not on_sqlite:
        op.execute("DROP FUNCTION renew_catalogue_version")
        op.execute("DROP FUNCTION catalogue_changes_first")
    op.drop_table("catalogue_version")


def name(table: str, event: str) -> str:
    return f"tr_catalogue_version_{table}_{event.lower()}"


def shown(row: str) -> str:
    return f"({', '.join([*(f'{row}.{column}' for column in SHOWN), STOCK.format(row)])})"


def differs(on_sqlite: bool) -> str:
    return "IS NOT" if on_sqlite else "IS DISTINCT FROM"


RENEW_ON_SQLITE = "UPDATE catalogue_version SET version = lower(hex(randomblob(16)))"


def trigger_on_sqlite(table: str, event: str, condition: str) -> str:
    """Rebuilding a table (batch_alter_table) drops its triggers: such a migration must make them again."""
    when = f"WHEN {condition} " if condition else ""
    head = f"CREATE TRIGGER {name(table, event)} AFTER {event} ON {table} FOR EACH ROW {when}"
    return f"{head}BEGIN {RENEW_ON_SQLITE}; END"


RENEW_ON_POSTGRESQL = "UPDATE catalogue_version SET version = gen_random_uuid()::text"
RENEW = f"""
    CREATE FUNCTION renew_catalogue_version() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        {RENEW_ON_POSTGRESQL};
        RETURN NULL;
    END $$"""
CHANGES_FIRST = """
    CREATE FUNCTION catalogue_changes_first() RETURNS boolean LANGUAGE plpgsql AS $$
    DECLARE this text := pg_current_xact_id()::text;
    BEGIN
        IF current_setting('shop.catalogue_changed_by', true) = this THEN
            RETURN false;
        END IF;
        PERFORM set_config('shop.catalogue_changed_by', this, true);
        RETURN true;
    END $$"""
"""Whether no row was changed before in this transaction: an import changes a hundred thousand, and a trigger that
waits for the commit would be called for each of them there, while everybody else waits. What a savepoint takes back
of the rows, it takes back of the setting, too."""


def trigger_on_postgresql(table: str, event: str, condition: str) -> str:
    """At the commit, because all who change the catalogue need this one row: only there nobody who has it waits
    for a product that another one has, and it is held no longer than the commit takes."""
    first = "catalogue_changes_first()"
    # Not AND: nothing says which side of it is looked at first.
    when = f"CASE WHEN {condition} THEN {first} ELSE false END" if condition else first
    return (
        f"CREATE CONSTRAINT TRIGGER {name(table, event)} AFTER {event} ON {table} "
        f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION renew_catalogue_version()"
    )


def trigger_on_truncate(table: str) -> str:
    """At once, as PostgreSQL has no other; who truncates keeps everybody out of the table anyway."""
    return (
        f"CREATE TRIGGER {name(table, 'TRUNCATE')} AFTER TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION renew_catalogue_version()"
    )
