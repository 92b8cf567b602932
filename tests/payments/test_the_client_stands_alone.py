"""`shop.payments.cryptocloud` is a small library: it works where Flask and the database are not."""

from __future__ import annotations

import subprocess
import sys

from shop.config import ROOT
from tests.payments.wire import MADE_REPLY, says, serving

PROGRAM = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"flask", "werkzeug", "jinja2", "sqlalchemy", "alembic",
                                      "pysqlite3", "psycopg", "pydantic", "huey", "structlog"}:
            raise ModuleNotFoundError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
import jwt, time
from shop.money import Money
from shop.payments.cryptocloud import CryptoCloud

gateway = CryptoCloud(api_key="a key", shop_id="a shop", secret_key="s" * 32, url=sys.argv[1])
invoice = gateway.create_invoice(Money.parse("10.00", "EUR"), reference="order-1")
token = jwt.encode({"id": invoice.id, "exp": int(time.time()) + 300}, "s" * 32, "HS256")
postback = gateway.read_postback(None, f"invoice_id={invoice.id}&token={token}".encode())
print(invoice.id, postback.invoice_id)
"""


def test_it_makes_invoices_and_proves_postbacks_where_flask_and_sqlalchemy_cannot_be_imported() -> (
    None
):
    with serving(says(MADE_REPLY)) as url:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, url],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert (done.stdout, done.stderr) == ("DZLF4212 DZLF4212\n", "")
