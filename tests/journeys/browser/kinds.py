"""Every kind of page there is, and how to bring the shop to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import pytest
from flask import Flask
from playwright.sync_api import Page
from sqlalchemy import delete, update

from shop.because import Because
from shop.catalogue.models import Product
from shop.catalogue.queries import find_product
from shop.catalogue.storefront.listing import PAGE_SIZE
from shop.db import transaction, utcnow
from shop.fulfilment.models import Delivery, LicenceKey
from shop.fulfilment.service import deliver_order
from shop.orders.links import find_order_by_token, order_url
from shop.orders.models import Order, OrderFlag, OrderStatus
from shop.orders.queries import recent_orders
from shop.outbox.models import MailState, OutboxMail
from shop.payments.models import Payment
from shop.payments.opening import open_invoice
from shop.privacy.service import erase_order
from tests.factories import (
    gateway,
    make_buyer,
    make_cart,
    make_order,
    make_product,
    place_order,
    send_due_mails,
)
from tests.fulfilment.test_several_files import NAMES, make_files
from tests.journeys.books import Books
from tests.journeys.browser.test_purchases import put_into_cart
from tests.journeys.till import Till
from tests.support.sold import download_link

REFUND_DUE = (OrderStatus.REVIEW, OrderStatus.REFUND_DUE)


@dataclass(frozen=True)
class World:
    """The shop, the provider and the browser of a test."""

    app: Flask
    shop: str
    till: Till
    page: Page
    monkeypatch: pytest.MonkeyPatch

    def orders(self, *slugs: str, opened: bool = True) -> tuple[Order, str, str]:
        """A new order of these products: itself, its page, and its pay page."""
        with self.app.app_context():
            products = [found for slug in slugs if (found := find_product(slug))]
            order, payment = make_order(self.app, *products)
            if opened:
                open_invoice(payment, gateway(self.app))
            return order, order_url(order), payment.pay_url or ""

    def gives(self, slug: str) -> str:
        """The page of an order that costs nothing."""
        with self.app.app_context():
            product = find_product(slug)
            assert product is not None
            cart = make_cart(self.app, product)
            order, _ = place_order(cart, make_buyer(cart, email=f"{slug}@example.com"))
            deliver_order(order.id)
            return order_url(order)

    def pays(self, action: str, *slugs: str) -> tuple[str, str]:
        """An order to whose invoice this has happened: its page and its pay page."""
        _, page, pay_url = self.orders(*slugs)
        self.till.does(action, pay_url)
        Books(self.app).sweeps(seconds=16)
        return page, pay_url

    def orders_while(self, api: str, refusal: str = "none") -> str:
        """The page of an order that was placed while the provider answered like this."""
        self.till.is_switched(api, refusal=refusal)
        page = self.orders("rain")[1]
        self.till.is_switched("up", refusal="none")
        return page

    def moves(self, *path: OrderStatus, flag: OrderFlag | None = None) -> str:
        """The page of an order that was taken along this path by hand."""
        order, page, _ = self.orders("rain")
        for status in path:
            with self.app.app_context(), transaction() as session:
                found = session.get_one(Order, order.id)
                if status is OrderStatus.PAID:
                    found.mark_paid(Because("a test"), at=utcnow())
                else:
                    found.move(status, Because("a test"))
        with self.app.app_context(), transaction() as session:
            session.get_one(Order, order.id).flag = flag or OrderFlag.NONE
        return page

    def mail_is(self, order: Order, state: MailState) -> None:
        """What became of the order's first mail."""
        of = OutboxMail.order_id == order.id
        with self.app.app_context(), transaction() as session:
            session.execute(update(OutboxMail).where(of).values(state=state))


def _free(world: World) -> str:
    """The slug of a new product that costs nothing."""
    with world.app.app_context():
        return make_product(price=0, title="Tidewrack").slug


def _no_mail_server(world: World) -> None:
    world.monkeypatch.setattr("shop.config.Settings.mails_wait", property(lambda _: True))


Way = Callable[[World], str]
T = TypeVar("T", bound=Way)
KINDS: dict[str, dict[str, Way]] = {}


def kind(group: str) -> Callable[[T], T]:
    """Note a way to a page, under the function's name."""

    def note(way: T) -> T:
        KINDS.setdefault(group, {})[way.__name__] = way
        return way

    return note


@kind("public")
def index(world: World) -> str:
    return world.shop


@kind("public")
def index_in_another_currency(world: World) -> str:
    return f"{world.shop}/?currency=RUB"


@kind("public")
def list_without_a_price(world: World) -> str:
    settings = world.app.config["SETTINGS"].model_copy(update={"shop_base_currency": "GBP"})
    world.monkeypatch.setitem(world.app.config, "SETTINGS", settings)
    return f"{world.shop}/?currency=GBP"


@kind("public")
def category(world: World) -> str:
    return f"{world.shop}/categories/long?currency=EUR"


@kind("public")
def search_with_hits(world: World) -> str:
    return f"{world.shop}/search?q=rain&sort=name"


@kind("public")
def search_without_hits(world: World) -> str:
    return f"{world.shop}/search?q={'zebra' * 18}"


@kind("public")
def list_of_several_pages(world: World) -> str:
    with world.app.app_context():
        for _ in range(2 * PAGE_SIZE + 1):
            make_product(title="Lamp")
    return f"{world.shop}/search?q=lamp&page=2"


@kind("public")
def product_with_pictures(world: World) -> str:
    return f"{world.shop}/products/rain"


@kind("public")
def product_of_few(world: World) -> str:
    return f"{world.shop}/products/few"


@kind("public")
def product_sold_out(world: World) -> str:
    return f"{world.shop}/products/gone?currency=UAH"


@kind("public")
def product_that_is_free(world: World) -> str:
    return f"{world.shop}/products/{_free(world)}"


@kind("public")
def page_that_does_not_exist(world: World) -> str:
    return f"{world.shop}/none"


@kind("public")
def link_that_has_expired(world: World) -> str:
    return f"{world.shop}/downloads/none"


@kind("public")
def our_own_mistake(world: World) -> str:
    def fail(*_: object) -> None:
        raise RuntimeError("a test")

    world.monkeypatch.setattr("shop.orderpage.views.find_payment_by_reference", fail)
    return f"{world.shop}/payment/success?order_id=1"


@kind("texts")
def terms(world: World) -> str:
    return f"{world.shop}/terms"


@kind("texts")
def privacy_in_russian(world: World) -> str:
    return f"{world.shop}/ru/privacy"


@kind("texts")
def refunds_in_ukrainian(world: World) -> str:
    return f"{world.shop}/uk/refunds"


@kind("texts")
def contact(world: World) -> str:
    return f"{world.shop}/contact"


@kind("texts")
def components(world: World) -> str:
    return f"{world.shop}/components"


@kind("buying")
def empty_cart(world: World) -> str:
    return f"{world.shop}/cart"


@kind("buying")
def cart(world: World) -> str:
    for slug in ("rain", "few", "keyed"):
        put_into_cart(world.page, world.shop, slug)
    return f"{world.shop}/cart"


@kind("buying")
def cart_that_had_to_be_changed(world: World) -> str:
    put_into_cart(world.page, world.shop, "rain")
    put_into_cart(world.page, world.shop, "few")
    with world.app.app_context(), transaction() as session:
        session.execute(update(Product).where(Product.slug == "few").values(available=0))
    return f"{world.shop}/cart"


@kind("buying")
def checkout(world: World) -> str:
    put_into_cart(world.page, world.shop, "keyed")
    return f"{world.shop}/checkout"


@kind("buying")
def checkout_without_a_mail_server(world: World) -> str:
    _no_mail_server(world)
    return checkout(world)


@kind("buying")
def cart_of_what_is_free(world: World) -> str:
    put_into_cart(world.page, world.shop, _free(world))
    return f"{world.shop}/cart"


@kind("buying")
def checkout_of_what_is_free(world: World) -> str:
    cart_of_what_is_free(world)
    return f"{world.shop}/checkout"


@kind("buying")
def cart_whose_cookie_does_not_come_back(world: World) -> str:
    return f"{world.shop}/cart?added=keyed&quantity=2&shown=EUR"


@kind("buying")
def checkout_without_a_cookie(world: World) -> str:
    return f"{world.shop}/checkout?product=keyed&quantity=2&shown=EUR"


@kind("buying")
def back_in_a_browser_that_knows_no_order(world: World) -> str:
    return f"{world.shop}/payment/success"


@kind("buying")
def finding_an_order(world: World) -> str:
    return f"{world.shop}/orders/find"


@kind("buying")
def finding_an_order_without_a_mail_server(world: World) -> str:
    _no_mail_server(world)
    return finding_an_order(world)


@kind("open order")
def another_address_for_an_order(world: World) -> str:
    return world.orders("rain")[1] + "/address"


@kind("open order")
def order_whose_mail_was_refused(world: World) -> str:
    order, page, _ = world.orders("rain")
    world.mail_is(order, MailState.REFUSED)
    return page


@kind("open order")
def order_opening(world: World) -> str:
    return world.orders("rain", opened=False)[1]


@kind("open order")
def order_waiting(world: World) -> str:
    return world.orders("few", "keyed")[1]


@kind("open order")
def order_checking(world: World) -> str:
    return world.orders("rain")[1] + "?returned=1"


@kind("open order")
def order_partial(world: World) -> str:
    return world.pays("short", "rain")[0]


@kind("open order")
def order_failed(world: World) -> str:
    return world.orders_while("down")


@kind("open order")
def order_busy(world: World) -> str:
    return world.orders_while("429")


@kind("open order")
def order_refused(world: World) -> str:
    return world.orders_while("up", refusal="shop_id")


@kind("open order")
def order_refused_a_while_ago(world: World) -> str:
    page = world.orders_while("up", refusal="shop_id")
    with world.app.app_context(), transaction() as session:
        session.execute(update(Payment).values(retry_at=utcnow()))
    return page


@kind("open order")
def order_expired(world: World) -> str:
    return world.pays("expire", "rain")[0]


@kind("closed order")
def order_paid(world: World) -> str:
    return world.moves(OrderStatus.PAID)


@kind("closed order")
def order_delivered(world: World) -> str:
    return world.pays("pay", "rain", "keyed", "few")[0]


@kind("closed order")
def order_delivered_without_a_mail_server(world: World) -> str:
    _no_mail_server(world)
    return order_delivered(world)


@kind("closed order")
def order_of_what_is_free(world: World) -> str:
    return world.gives(_free(world))


@kind("closed order")
def order_of_several_files(world: World) -> str:
    with world.app.app_context():
        slug = make_files(world.app, *NAMES, max_downloads=3, price=0).slug
    return world.gives(slug)


@kind("closed order")
def order_whose_mail_came_back(world: World) -> str:
    page = world.moves(OrderStatus.PAID)
    with world.app.app_context():
        (order,) = recent_orders(limit=1)
    world.mail_is(order, MailState.BOUNCED)
    return page


@kind("closed order")
def order_that_waits_for_a_key(world: World) -> str:
    with world.app.app_context(), transaction() as session:
        session.execute(delete(LicenceKey))
    return world.pays("pay", "keyed", "rain")[0]


@kind("closed order")
def order_that_waits_for_a_file(world: World) -> str:
    world.monkeypatch.setattr("shop.catalogue.storage.Folder.problem", lambda *_: "is not there")
    return world.pays("pay", "rain")[0]


@kind("closed order")
def download_with_a_button(world: World) -> str:
    page = world.pays("pay", "rain")[0]
    with world.app.app_context():
        order = find_order_by_token(page.rpartition("/")[2])
        assert order
        return f"{world.shop}{download_link(order)}"


@kind("closed order")
def download_that_is_used_up(world: World) -> str:
    address = download_with_a_button(world)
    with world.app.app_context(), transaction() as session:
        session.execute(update(Delivery).values(downloads=5))
    return address


@kind("closed order")
def order_cancelled(world: World) -> str:
    return world.moves(OrderStatus.CANCELLED)


@kind("closed order")
def order_in_review(world: World) -> str:
    return world.moves(OrderStatus.REVIEW, flag=OrderFlag.NO_STOCK)


@kind("closed order")
def order_with_refund_due(world: World) -> str:
    return world.moves(*REFUND_DUE, flag=OrderFlag.PAID_TWICE)


@kind("closed order")
def order_refunded(world: World) -> str:
    return world.moves(*REFUND_DUE, OrderStatus.REFUNDED, flag=OrderFlag.PAID_OVER)


@kind("erased order")  # by itself: the orders of the others contradict the books, which keeps them
def order_of_an_erased_buyer(world: World) -> str:
    page = world.pays("pay", "rain")[0]
    with world.app.app_context():
        send_due_mails(utcnow() + timedelta(minutes=3))
        erase_order(order_id_of(page), Because("asked to", "Ann"))
    return page


def order_id_of(page: str) -> int:
    """The order whose page this is; within an app context."""
    order = find_order_by_token(page.rpartition("/")[2])
    assert order
    return order.id


@kind("provider")
def pay_page(world: World) -> str:
    return world.orders("few")[2]


@kind("provider")
def pay_page_partial(world: World) -> str:
    return world.pays("short", "few")[1]


@kind("provider")
def pay_page_expired(world: World) -> str:
    return world.pays("expire", "rain")[1]


@kind("provider")
def pay_page_paid(world: World) -> str:
    return world.pays("pay", "rain")[1]


@kind("provider")
def control_panel(world: World) -> str:
    return world.till.address


@kind("provider")
def pay_page_of_nothing(world: World) -> str:
    return f"{world.till.address}/NONE0000"
