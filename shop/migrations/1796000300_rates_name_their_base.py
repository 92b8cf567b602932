"""exchange rates name the base currency that they are for

Revision ID: 1796000300
Revises: 1796000100
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1796000300"
down_revision = "1796000100"
branch_labels = ()
depends_on = None


def upgrade() -> None:
    op.add_column(
        "exchange_rates",
        sa.Column("base_currency", sa.String(length=3), nullable=False, server_default=""),
    )
    fill_in = sa.text("UPDATE exchange_rates SET base_currency = :base WHERE currency = :currency")
    for currency, base in _proven_bases():
        op.get_bind().execute(fill_in, {"base": base, "currency": currency})


def downgrade() -> None:
    op.drop_column("exchange_rates", "base_currency")


def _proven_bases() -> list[tuple[str, str]]:
    """Rates with the base currency that they must have been set for; others are left out.

    The setting of today is no proof: it may have been changed since, which is what this column is for.
    The products are: each has a price in the base currency. So it must be the only currency that prices
    all products as old as the rate, but for those whose rates were set with it; and today's products
    must have it too. Where there is no such currency, the rate is not used until it is set again, and
    `doctor` says so: a currency less for a while is better than a wrong price.
    """
    run = op.get_bind().execute
    rates = run(sa.text("SELECT currency, set_at FROM exchange_rates")).all()
    prices = run(
        sa.text(
            "SELECT p.id, p.updated_at, f.currency FROM products p "
            "JOIN prices f ON f.product_id = p.id WHERE p.active"
        )
    ).all()
    today = _in_all([(price.id, price.currency) for price in prices])
    proven = []
    for rate in rates:
        then = _in_all([(p.id, p.currency) for p in prices if p.updated_at <= rate.set_at])
        then -= {other.currency for other in rates if other.set_at == rate.set_at}
        if len(then) == 1 and then <= today:
            proven.append((rate.currency, then.pop()))
    return proven


def _in_all(prices: list[tuple[int, str]]) -> set[str]:
    """The currencies in which every one of these products has a price."""
    of_products: dict[int, set[str]] = {}
    for product, currency in prices:
        of_products.setdefault(product, set()).add(currency)
    return set.intersection(*of_products.values()) if of_products else set()
