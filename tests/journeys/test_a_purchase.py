"""Whole purchases, from the product page to the goods."""

from __future__ import annotations

from flask import Flask

from tests.buyer import Buyer
from tests.factories import make_product
from tests.journeys.books import Books
from tests.journeys.till import Till


def test_a_buyer_pays_and_finds_the_goods_on_the_order_page_and_in_the_mail(
    app: Flask, buyer: Buyer, till: Till, books: Books
) -> None:
    with app.app_context():
        product = make_product()
    pay_url = buyer.buys(product.slug)
    assert pay_url.startswith(till.pay_origins)
    assert "Waiting for your payment" in buyer.looks_at_order()

    invoice = till.does("pay", pay_url)
    page = buyer.comes_back(invoice["return_url"])

    assert invoice["postbacks"][0]["answer"] == 200
    assert "Paid, thank you" in page
    assert product.delivery_text in page
    (mail,) = books.mails()
    assert mail["To"] == buyer.email
    assert product.delivery_text in mail.as_string()


def test_the_invoice_asks_for_what_the_buyer_saw_in_the_currency_they_chose(
    app: Flask, buyer: Buyer, till: Till
) -> None:
    with app.app_context():
        product = make_product(price=1250)
    app.test_cli_runner().invoke(args=["rates", "set", "EUR=0.92"])
    buyer.puts_into_cart(product.slug, 2, currency="EUR")

    seen = buyer.opens("/cart").text
    buyer.checks_out()

    (invoice,) = till.invoices()
    assert "EUR\u00a023.00" in seen
    assert (invoice["amount"], invoice["currency"]) == ("23.00", "EUR")
    assert invoice["email"] == buyer.email


def test_a_cart_of_several_products_is_one_order_and_one_mail(
    app: Flask, buyer: Buyer, till: Till, books: Books
) -> None:
    with app.app_context():
        first = make_product()
    with app.app_context():
        second = make_product(stock=5)
    buyer.puts_into_cart(first.slug)
    pay_url = buyer.buys(second.slug, 2)

    page = buyer.comes_back(till.does("pay", pay_url)["return_url"])

    assert first.delivery_text in page
    assert second.delivery_text in page
    assert books.order().total_minor == 3000
    assert books.left(second.slug) == 3
    assert len(books.mails()) == 1


def test_json_postbacks_do_as_well_as_form_fields(app: Flask, buyer: Buyer, till: Till) -> None:
    till.is_switched("up", postback_format="json")
    with app.app_context():
        product = make_product()

    invoice = till.does("pay", buyer.buys(product.slug))

    assert (invoice["postbacks"][0]["encoding"], invoice["postbacks"][0]["answer"]) == ("json", 200)
    assert "Paid, thank you" in buyer.comes_back(invoice["return_url"])
