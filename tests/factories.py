"""Products, orders and payments for tests, made the way the shop makes them."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar

import jwt
import responses
from flask import Flask
from requests import PreparedRequest

from shop.because import Because
from shop.catalogue.models import DeliveryKind, Price, Product
from shop.checkout import service as checkout
from shop.checkout.cart import Cart, add, load_cart
from shop.checkout.forms import Buyer
from shop.config import Settings
from shop.db import db, transaction
from shop.fulfilment.letters import compose
from shop.fulfilment.service import put_keys
from shop.orders.models import Order
from shop.outbox import sending
from shop.payments.by_hand import confirm_order
from shop.payments.cryptocloud import CryptoCloud
from shop.payments.models import Payment
from shop.payments.opening import open_invoice

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


def add_keys(
    product: Product, lines: Iterable[str], *, case_sensitive: bool = False
) -> tuple[int, int]:
    """Put licence keys into stock, one to a line; how many were new and how many were there already."""
    numbers = dict[str, int]()
    for number, line in enumerate(lines, start=1):
        if value := line.strip():
            numbers.setdefault(value, number)
    return put_keys(product, numbers, case_sensitive=case_sensitive)


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
        "language": "en",
        "currency": cart.currency,
        "checkout_key": secrets.token_urlsafe(24),
        "seen": cart.seen,
    }
    return Buyer(**given | values)


def place_order(cart: Cart, buyer: Buyer) -> tuple[Order, Payment | None]:
    """Place an order, and look it and its payment up as they are stored."""
    placed, payment = checkout.place_order(cart, buyer)
    stored = db.session.get_one(Payment, payment.id) if payment else None
    return db.session.get_one(Order, placed.id), stored


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
    db.session.refresh(order)  # for those who look at both after the end of the app's context
    db.session.refresh(payment)
    return order, payment


def confirm(app: Flask, order: Order, provider_says: str = "created") -> None:
    """Ann has seen the money of this order elsewhere, and vouches for it."""
    with provider(app) as calls:
        calls.invoice_is(provider_says)
        confirm_order(order, gateway(app), Because("seen", "Ann"), transaction_id="0xfeed")


def send_due_mails(now: datetime | None = None) -> int:
    """Send what the outbox holds, as the worker does."""
    return sending.send_due_mails(compose, now)


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


class ProviderV2(Provider):
    """The same for a shop that speaks API v2; it knows what each invoice was made for."""

    made: ClassVar[dict[str, dict[str, object]]] = {}
    """By invoice id, for as long as the tests run: an order is often opened in another block."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        base = f"{settings.cryptocloud_api_url}/v2/invoice"
        self.create_url = f"{base}/create"
        self.info_url = f"{base}/merchant/info"
        self.list_url = f"{base}/merchant/list"

    def invoice_is_made(self, invoice_id: str | None = None) -> str:
        """The next create call makes this invoice, for what the call asks for."""
        number = invoice_id or f"T{next(_numbers):07}"

        def make(request: PreparedRequest) -> Reply:
            asked = json.loads(request.body or "")
            self.made[number] = {
                "uuid": f"INV-{number}",
                "status": "created",
                "amount_in_fiat": float(asked["amount"]),
                "fiat_currency": asked["currency"],
                "order_id": asked["order_id"],
                "link": f"{self.pay_origin}/{number}",
                "test_mode": False,
            }
            return say(self.made[number])

        self.add_callback(responses.POST, self.create_url, make)
        return number

    def invoice_is(self, status: str, **facts: object) -> None:
        """Whoever asks about any invoice is told this; facts given here win over what it was made for."""

        def tell(request: PreparedRequest) -> Reply:
            uuids = json.loads(request.body or "")["uuids"]
            known = [self.made[uuid.removeprefix("INV-")] for uuid in uuids]
            return say([each | {"status": status} | facts for each in known])

        self.remove(responses.POST, self.info_url)
        self.add_callback(responses.POST, self.info_url, tell)

    def invoices_are_listed(self, *ids: str) -> None:
        """The list of invoices holds these."""
        found = [self.made[each] for each in ids]
        listed = {"status": "success", "result": found, "all_count": len(found)}
        self.upsert(responses.POST, self.list_url, json=listed)


Reply = tuple[int, dict[str, str], str]


def say(result: object) -> Reply:
    """What API v2 wraps a result in."""
    return 200, {}, json.dumps({"status": "success", "result": result})


def provider(app: Flask) -> Provider:
    """Answers in place of the provider, within a `with` block."""
    settings = app.config["SETTINGS"]
    return ProviderV2(settings) if settings.cryptocloud_api_version == "2" else Provider(settings)


def make_token(settings: Settings, invoice_id: str, **claims: object) -> str:
    """A token as the provider signs it: the bare invoice id, and five minutes to live."""
    now = int(datetime.now(UTC).timestamp())
    given = {"id": invoice_id, "exp": now + 300} | claims
    return jwt.encode(given, settings.cryptocloud_secret_key.get_secret_value(), "HS256")


def make_postback(settings: Settings, payment: Payment, **fields: object) -> dict[str, object]:
    """A genuine postback about a payment's invoice."""
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
    """Arguments for a test client that posts the postback as JSON."""
    return {"data": json.dumps(fields), "content_type": "application/json"}
