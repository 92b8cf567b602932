"""One shop in a process of its own that has many orders, all of them ended: what a sweep costs that finds nothing due.

`python swept.py CHECKOUT ORDERS` makes twenty orders as buyers and the provider would, and copies their rows. Then
each line of its input is answered with milliseconds of processor time for each sweep, as by `asked_in_process`.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import datetime, timedelta
from typing import Any

ORIGINALS = 20
TABLES = (
    *("orders", "order_lines", "stock_holds", "payments"),
    *("deliveries", "order_events", "outbox_mails", "postbacks"),
)
REFERS = {
    "order_id": "orders",
    "order_line_id": "order_lines",
    "payment_id": "payments",
    "delivery_id": "deliveries",
}
NUMBERS = "(WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < {last}) SELECT k FROM n)"
UNIQUE = {
    "number": "substr(CAST(1000000000 + {k} * 1000 + id AS TEXT), 2, 9)",
    "checkout_key": "{k} || '-' || substr(checkout_key, 1, 50)",
    "reference": "{k} || '-' || substr(reference, 1, 50)",
    "invoice_id": "{k} || '-' || substr(invoice_id, 1, 20)",
    "dedupe_key": "substr(dedupe_key, 1, 100) || ':' || {k}",
    "message_id": "{k} || '-' || message_id",
}


def main(checkout: str, orders: str) -> None:
    """Fill the shop, say that it is ready, and sweep until the input ends."""
    sys.path.insert(0, checkout)
    from shop import create_app
    from shop.payments.sweep import sweep
    from tests.factories import gateway

    app = create_app()
    with app.app_context():
        made = app.test_cli_runner().invoke(args=("db", "upgrade"))
    if made.exit_code:
        sys.exit(f"the tables could not be made:\n{made.output}{made.exception or ''}")
    logging.disable(logging.CRITICAL)
    with app.app_context():
        make_originals(app)
        multiply(int(orders) // ORIGINALS)
        sweep(gateway(app))
        print("ready", flush=True)
        for line in sys.stdin:
            times = json.loads(line)["times"]
            before = time.process_time_ns()
            for _ in range(times):
                sweep(gateway(app))
            used = (time.process_time_ns() - before) / times / 1e6
            print(json.dumps({"ms": used, "digest": ""}), flush=True)


def make_originals(app: Any) -> None:
    """Three of four are confirmed and delivered, the fourth's time is over."""
    from shop.db import utcnow
    from shop.payments.sweep import sweep
    from tests.factories import confirm, gateway, make_open_order, make_product, provider

    product = make_product(stock=1_000)
    for number in range(ORIGINALS):
        order, _ = make_open_order(app, product)
        if number % 4:
            confirm(app, order)
    with provider(app) as calls:
        calls.invoice_is("canceled")
        sweep(gateway(app), utcnow() + timedelta(hours=30))


def multiply(copies: int) -> None:
    """Copy the rows, each copy with numbers and keys of its own; then nothing of them is due any more."""
    from sqlalchemy import text

    from shop.db import Base, db

    tables = [Base.metadata.tables[name] for name in TABLES]
    with db.engine.begin() as connection:
        if (
            connection.dialect.name == "postgresql"
        ):  # which would end what takes longer than a request may
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            # The copies refer to each other as the originals do: looking at each again takes a minute.
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for table in tables:
            put_back(connection, table)
        most = {
            table.name: connection.scalar(text(f"SELECT coalesce(max(id), 0) FROM {table.name}"))
            for table in tables
            if "id" in table.columns
        }
        numbers = NUMBERS.format(last=copies - 1)
        for table in tables:
            columns = [column.name for column in table.columns if not column.computed]
            values = ", ".join(_copied(table.name, column, most) for column in columns)
            rows = f"SELECT {values} FROM {table.name}, {numbers} AS numbers"
            connection.execute(text(f"INSERT INTO {table.name} ({', '.join(columns)}) {rows}"))
        connection.execute(text("UPDATE payments SET next_check_at = NULL"))
        connection.execute(text("UPDATE outbox_mails SET state = 'sent'"))


def put_back(connection: Any, table: Any) -> None:
    """Have all moments of the originals lie long ago, and spread over most of a year."""
    for number, row in enumerate(connection.execute(table.select()).mappings().all()):
        ago = timedelta(days=20 + 15 * (number % ORIGINALS))
        moments = {name: at - ago for name, at in row.items() if isinstance(at, datetime)}
        if moments:
            itself = [column == row[column.name] for column in table.primary_key]
            connection.execute(table.update().where(*itself).values(moments))


def _copied(table: str, column: str, most: dict[str, int]) -> str:
    """What a copy has in this column: the original's value, unless that would be the same twice."""
    if column == "id" and table in most:
        return f"id + k * {most[table]}"
    if column in REFERS and REFERS[column] in most:
        return f"{column} + k * {most[REFERS[column]]}"
    return UNIQUE.get(column, column).format(k="k")


if __name__ == "__main__":
    main(*sys.argv[1:])
