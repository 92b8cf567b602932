"""prices and orders of nothing: free products

Revision ID: 1796010400
Revises: 1796010301
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796010400"
down_revision = "1796010301"
branch_labels = ()
depends_on = None

RULES = (
    ("prices", "minor", "minor > 0", "minor >= 0"),
    (
        "orders",
        "total",
        "total_minor > 0",
        "total_minor > 0 OR (total_minor = 0 AND status IN ('pending', 'paid', 'fulfilled'))",
    ),
)


def upgrade() -> None:
    for table, name, old, new in RULES:
        change_check(table, f"ck_{table}_{name}", old, new)


def downgrade() -> None:
    """Free orders stay as they are; a price of nothing is no price to the version before."""
    op.execute("DELETE FROM prices WHERE minor = 0")
    for table, name, old, new in reversed(RULES):
        change_check(table, f"ck_{table}_{name}", new, old)


def change_check(table: str, name: str, old: str, new: str) -> None:
    """Put another CHECK in the place of one.

    On SQLite in the table's text, as its manual says (lang_altertable, 7): `orders` cannot be built anew, because
    dropping the old one would delete what other tables point at, and its triggers would be gone.
    """
    if op.get_context().dialect.name != "sqlite":
        op.drop_constraint(op.f(name), table, type_="check")
        # NOT VALID: what is there fits the wider rule, and stays as it is under the narrower one.
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({new}) NOT VALID")
        return
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    changed = connection.execute(
        sa.text(
            "UPDATE sqlite_master SET sql = replace(sql, :old, :new) "
            "WHERE type = 'table' AND name = :table AND instr(sql, :old)"
        ),
        {"table": table, "old": f"{name} CHECK ({old})", "new": f"{name} CHECK ({new})"},
    )
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=OFF")
    if changed.rowcount != 1:
        raise RuntimeError(f"the table {table} has no rule {name}: CHECK ({old})")
