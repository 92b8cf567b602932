"""payments of ours are cancelled, as orders are; `canceled` is the provider's word

Revision ID: 1796010900
Revises: 1796010850
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796010900"
down_revision = "1796010850"
branch_labels = ()
depends_on = None

RULES = {
    "ck_payments_state": "state IN ('creating', 'unknown', 'open', 'partial', 'paid', {}, 'failed', 'abandoned')",
    "ck_payments_invoice": "state NOT IN ('open', 'partial', {}) OR (invoice_id IS NOT NULL AND pay_url IS NOT NULL)",
}


def upgrade() -> None:
    respell("'canceled'", "'cancelled'")


def downgrade() -> None:
    respell("'cancelled'", "'canceled'")


def respell(old: str, new: str) -> None:
    """Write a state in another way: in the rows, in both rules that name it, and in the trigger that guards its moves."""
    if op.get_context().dialect.name == "sqlite":
        build_anew(old, new)
    else:
        replace_rules(old, new)


def build_anew(old: str, new: str) -> None:
    """Build `payments` anew on SQLite, with its indexes and its trigger. No other table points at it."""
    connection = op.get_bind()
    made = connection.execute(
        sa.text(
            "SELECT sql FROM sqlite_master WHERE tbl_name = 'payments' AND sql <> '' "
            "ORDER BY type <> 'table'"
        )
    ).all()
    table, *others = (each.sql.replace(old, new) for each in made)
    if not all(rule.format(new) in table for rule in RULES.values()):
        raise RuntimeError(f"the rules of the table payments do not name the state {old}")
    columns = [row.name for row in connection.exec_driver_sql("PRAGMA table_info(payments)")]
    values = (f"replace({name}, {old}, {new})" if name == "state" else name for name in columns)
    for statement in (
        f"CREATE TABLE payments_anew ({table.partition('(')[2]}",
        f"INSERT INTO payments_anew SELECT {', '.join(values)} FROM payments",  # noqa: S608  # its own names
        "DROP TABLE payments",
        "ALTER TABLE payments_anew RENAME TO payments",
        *others,
    ):
        connection.exec_driver_sql(statement)


def replace_rules(old: str, new: str) -> None:
    """Put others in the place of PostgreSQL's rules; what the trigger calls names no state, and stays."""
    connection = op.get_bind()
    guard = connection.exec_driver_sql(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger "
        "WHERE tgrelid = 'payments'::regclass AND tgname = 'tr_payments_state'"
    ).scalar_one()
    if old not in guard:
        raise RuntimeError(f"the trigger of the table payments does not name the state {old}")
    for statement in (
        "DROP TRIGGER tr_payments_state ON payments",
        *(f"ALTER TABLE payments DROP CONSTRAINT {name}" for name in RULES),
        f"UPDATE payments SET state = {new} WHERE state = {old}",  # noqa: S608  # two words of ours
        *(
            f"ALTER TABLE payments ADD CONSTRAINT {name} CHECK ({rule.format(new)})"
            for name, rule in RULES.items()
        ),
        guard.replace(old, new),
    ):
        connection.exec_driver_sql(statement)
