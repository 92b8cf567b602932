"""Products, orders and payments for tests, made the way the shop makes them."""

from __future__ import annotations

import itertools
import json
import secrets
from datetime import UTC, datetime

import jwt
import responses
from flask import Flask

from shop.catalogue.models import DeliveryKind, Price, Product
from shop.checkout.cart import Cart, add, load_cart
from shop.checkout.forms import Buyer
from shop.checkout.service import place_order
from shop.config import Settings
from shop.db import db, transaction
from shop.fulfilment.service import add_keys
from shop.orders.models import Order
from shop.payments.cryptocloud import CryptoCloud
from shop.payments.models import Payment
from shop.payments.service import open_invoice

_numbers = itertools.count(1)


def make_product(
    *,
    stock: int | None = None,
    price: int = 1000,
    kind: DeliveryKind = DeliveryKind.TEXT,
    keys: int = 0,
    **values: object,
) -> Product:
    """A product for sale at `price` minor units of the base currency; unlimited unless `stock` is given."""
    n = next(_numbers)
    if kind is DeliveryKind.KEY:
        stock = 0
    product = Product(
        slug=f"product-{n}",
        title=f"Product {n}",
        summary="A product.",
        available=stock,
        stock_total=None if kind is DeliveryKind.KEY else stock,
        delivery_kind=kind,
        delivery_text=f"The goods of product {n}.",
        prices=[Price(currency="USD", minor=price)],
    )
    for name, value in values.items():
        setattr(product, name, value)
    with transaction() as session:
        session.add(product)
    if keys:
        add_keys(product, [f"KEY-{n}-{i:03}" for i in range(keys)])
        db.session.refresh(product)
    return product


def make_cart(app: Flask, *products: Product, quantity: int = 1, currency: str = "USD") -> Cart:
    """A priced cart as a buyer's session would hold it."""
    with app.test_request_context():
        for product in products:
            add(product.slug, quantity)
        return load_cart(currency)


def make_buyer(cart: Cart, **values: str) -> Buyer:
    """A buyer who has just been shown this cart."""
    given = {
        "email": "buyer@example.com",
        "currency": cart.currency,
        "checkout_key": secrets.token_urlsafe(24),
        "seen": cart.seen,
    }
    return Buyer(**given | values)


def make_order(app: Flask, *products: Product, quantity: int = 1) -> tuple[Order, Payment]:
    """An order that was just placed, and its payment, not opened yet."""
    cart = make_cart(app, *(products or (make_product(),)), quantity=quantity)
    order, payment = place_order(cart, make_buyer(cart))
    assert payment is not None
    return order, payment


def make_open_order(app: Flask, *products: Product, quantity: int = 1) -> tuple[Order, Payment]:
    """An order whose invoice is open at the provider."""
    order, payment = make_order(app, *products, quantity=quantity)
    with provider(app) as calls:
        calls.invoice_is_made()
        open_invoice(payment, gateway(app))
    return order, payment


def gateway(app: Flask) -> CryptoCloud:
    """The app's client of the provider."""
    client: CryptoCloud = app.extensions["cryptocloud"]
    return client


class Provider(responses.RequestsMock):
    """The provider's answers, said in advance, one method for each."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(assert_all_requests_are_fired=False)
        self.create_url = f"{settings.cryptocloud_api_url}/v1/invoice/create"
        self.info_url = f"{settings.cryptocloud_api_url}/v1/invoice/info"
        self.pay_origin = settings.cryptocloud_pay_hosts[0]

    def invoice_is_made(self, invoice_id: str | None = None) -> str:
        """The next create call makes this invoice."""
        invoice_id = invoice_id or f"T{next(_numbers):07}"
        self.post(
            self.create_url,
            json={
                "status": "success",
                "currency": "BTC",
                "invoice_id": invoice_id,
                "pay_url": f"{self.pay_origin}/{invoice_id}",
            },
        )
        return invoice_id

    def invoice_is(self, status: str) -> None:
        """Whoever asks about any invoice is told this."""
        self.upsert(
            responses.GET, self.info_url, json={"status": "success", "status_invoice": status}
        )


def provider(app: Flask) -> Provider:
    """Answers in place of the provider, within a `with` block."""
    return Provider(app.config["SETTINGS"])


def make_token(settings: Settings, invoice_id: str, **claims: object) -> str:
    """A token as the provider signs it: the bare invoice id, and five minutes to live."""
    now = int(datetime.now(UTC).timestamp())
    given = {"id": invoice_id, "exp": now + 300} | claims
    return jwt.encode(given, settings.cryptocloud_secret_key.get_secret_value(), "HS256")


def make_postback(settings: Settings, payment: Payment, **fields: object) -> dict[str, object]:
    """A genuine notice about a payment's invoice."""
    assert payment.invoice_id is not None
    return {
        "status": "success",
        "invoice_id": payment.invoice_id,
        "amount_crypto": "10.01",
        "currency": "USDT_TRC20",
        "order_id": payment.reference,
        "token": make_token(settings, payment.invoice_id),
    } | fields


def as_json(fields: dict[str, object]) -> dict[str, object]:
    """Arguments for a test client that posts the notice as JSON."""
    return {"data": json.dumps(fields), "content_type": "application/json"}
