"""A page's language is a part of its address; an order keeps the one it was placed in."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import ngettext
from flask_wtf import FlaskForm
from wtforms import HiddenField
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from shop import create_app
from shop.checkout.forms import CheckoutForm
from shop.db import db
from shop.i18n import currency_name, money, readable_size, speaking
from shop.money import Money
from shop.orderpage.forms import AddressForm, FindForm
from shop.orders.links import order_path
from shop.orders.models import Order
from shop.payments.models import Payment
from shop.payments.opening import open_invoice
from shop.web.filters import clock, moment
from tests.buyer import Buyer
from tests.conftest import make_settings
from tests.factories import (
    confirm,
    gateway,
    make_buyer,
    make_cart,
    make_product,
    place_order,
    provider,
    send_due_mails,
)

HEADINGS = {"": "Your cart", "/ru": "Ваша корзина", "/uk": "Ваш кошик"}


def order_in(app: Flask, language: str) -> Order:
    """An order in this language, whose invoice is open."""
    cart = make_cart(app, make_product())
    order, payment = place_order(cart, make_buyer(cart, language=language))
    assert payment
    with provider(app) as calls:
        calls.invoice_is_made()
        open_invoice(payment, gateway(app))
    return order


@pytest.mark.parametrize(("prefix", "heading"), HEADINGS.items())
def test_a_prefix_of_the_address_chooses_the_language(
    client: FlaskClient, prefix: str, heading: str
) -> None:
    page = client.get(f"{prefix}/cart").text

    assert f"<h1>{heading}</h1>" in page
    assert f'<html lang="{prefix[1:] or "en"}">' in page
    assert f'href="{prefix}/"' in page  # links stay in the language


def test_every_page_leads_to_itself_in_every_language(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        slug = make_product().slug

    page = client.get(f"/uk/products/{slug}?currency=EUR&utm=x").text

    for prefix, code in (("", "en"), ("/ru", "ru"), ("/uk", "uk")):
        assert (
            f'href="{prefix}/products/{slug}?currency=EUR" lang="{code}" hreflang="{code}"' in page
        )


@pytest.mark.parametrize("path", ["/de/", "/russian/", "/ru/ru/", "/RU/"])
def test_what_is_no_language_of_the_shop_is_no_page(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_shops_first_language_has_the_bare_address(tmp_path: Path, database_url: str) -> None:
    settings = make_settings(tmp_path / "data", database_url, shop_languages="uk,en")
    app = create_app(settings)
    client = app.test_client()

    assert "Ваш кошик" in client.get("/cart").text
    assert "Your cart" in client.get("/en/cart").text
    assert client.get("/ru/cart").headers["Location"] == "/cart"
    with app.app_context():
        db.engine.dispose()


def test_a_shop_of_one_language_shows_no_choice(tmp_path: Path, database_url: str) -> None:
    app = create_app(make_settings(tmp_path / "data", database_url, shop_languages="ru"))

    page = app.test_client().get("/cart").text

    assert "Ваша корзина" in page
    assert "hreflang" not in page
    with app.app_context():
        db.engine.dispose()


def test_mistakes_are_told_in_the_language(client: FlaskClient) -> None:
    answer = client.get("/ru/none")

    assert answer.status_code == 404
    assert "Такой страницы нет" in answer.text
    assert 'href="/uk/" lang="uk"' in answer.text  # not to a page that is not there either


def test_a_form_with_mistakes_speaks_the_language(app: Flask) -> None:
    with app.app_context():
        slug = make_product().slug
    buyer = Buyer(app, "")
    buyer.opens(f"/uk/products/{slug}")
    buyer.sends("/uk/cart")
    buyer.opens("/uk/checkout")

    answer = buyer.sends("/uk/checkout", email="nobody")

    assert answer.status_code == 422
    assert "<title>Помилка: Оформлення замовлення" in answer.text
    assert "Введіть адресу електронної пошти повністю" in answer.text


@pytest.mark.parametrize("form", [AddressForm, CheckoutForm, FindForm])
def test_what_a_form_says_of_a_field_is_in_our_own_words(app: Flask, form: type[FlaskForm]) -> None:
    """The forms' library would say it in English: its own translations are left out, as each form read them."""
    with app.test_request_context("/ru/cart"):
        fields = [field for field in form() if not isinstance(field, HiddenField)]

    asked = [
        validator
        for field in fields
        for validator in field.validators
        if isinstance(validator, DataRequired | InputRequired | Length | Regexp)
    ]
    traps = [validator for validator in asked if getattr(validator, "max", None) == 0]
    assert all(validator.message for validator in asked if validator not in traps)


def test_a_form_reads_no_file_of_words(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **more: object) -> None:
        raise AssertionError("a catalogue is read")

    monkeypatch.setattr("flask_wtf.i18n.support.Translations.load", refuse)
    with app.test_request_context("/ru/cart"):
        assert CheckoutForm(formdata=None).email.label


def test_the_cart_is_the_same_in_every_language(app: Flask) -> None:
    with app.app_context():
        product = make_product()
    buyer = Buyer(app)
    buyer.opens(f"/ru/products/{product.slug}")
    buyer.sends("/ru/cart")

    assert product.title in buyer.opens("/uk/cart").text
    assert f"Товар «{product.title}» добавлен в корзину." in buyer.page.text  # said in Russian


def test_an_order_comes_back_from_the_pay_page_in_its_language(app: Flask) -> None:
    with app.app_context():
        slug = make_product().slug
    buyer = Buyer(app)
    buyer.opens(f"/ru/products/{slug}")
    buyer.sends("/ru/cart")
    buyer.opens("/ru/checkout")
    with provider(app) as calls:
        calls.invoice_is_made()
        buyer.sends("/ru/checkout", email=buyer.email)
        calls.invoice_is("created")
        with app.app_context():
            payment = db.session.query(Payment).one()
            order, reference = payment.order, payment.reference

        page = buyer.comes_back(f"/payment/success?order_id={reference}")

    assert order.language == "ru"
    assert f"Заказ {order.number}" in page
    assert "Проверяем оплату" in page


def test_the_same_form_in_another_language_is_the_same_order(app: Flask) -> None:
    with app.app_context():
        cart = make_cart(app, make_product())
        russian = make_buyer(cart, language="ru")
        first, _ = place_order(cart, russian)

        again, payment = place_order(cart, make_buyer(cart, checkout_key=russian.checkout_key))

        assert (again.id, payment, again.language) == (first.id, None, "ru")


LETTERS = {
    "en": ("Storefront: your order", "Paid, thank you", "USD\N{NO-BREAK SPACE}10.00", "/orders/"),
    "ru": ("Storefront: ваш заказ", "Оплачено, спасибо", "10,00\N{NO-BREAK SPACE}USD", "/ru/orders/"),
    "uk": ("Storefront: ваше замовлення", "Сплачено, дякуємо", "10,00\N{NO-BREAK SPACE}USD", "/uk/orders/"),
}  # fmt: skip


@pytest.mark.parametrize("language", LETTERS)
def test_mails_speak_the_language_of_the_order(app: Flask, language: str) -> None:
    subject, headline, total, link = LETTERS[language]
    with app.app_context():
        order = order_in(app, language)
        confirm(app, order)
        assert order_path(order).startswith(link)

        send_due_mails()

    letter = goods_letter(app)
    text, html = (part.get_content() for part in letter.iter_parts())
    assert letter["Subject"].startswith(subject)
    assert f'<html lang="{language}">' in html
    for part in (text, html):
        assert headline in part
        assert total in part
        assert f"http://localhost{link}" in part


def goods_letter(app: Flask) -> EmailMessage:
    folder = app.config["SETTINGS"].shop_data_dir / "outbox"
    letters = [message_from_bytes(path.read_bytes(), policy=default) for path in folder.iterdir()]
    (letter,) = [each for each in letters if each["To"] == "buyer@example.com"]
    assert isinstance(letter, EmailMessage)
    return letter


def test_an_order_in_a_language_that_was_dropped_is_told_in_the_first(
    tmp_path: Path, app: Flask
) -> None:
    with app.app_context():
        order = order_in(app, "ru")
        number = order.number
    fewer = make_settings(
        tmp_path / "data", app.config["SETTINGS"].database_url, shop_languages="uk"
    )
    with create_app(fewer).app_context():
        order = db.session.query(Order).filter_by(number=number).one()

        assert order_path(order).startswith("/orders/")
        with speaking(order.language):
            assert money(order.total) == "10,00\N{NO-BREAK SPACE}USD"
        db.engine.dispose()


FORMS = {1: "1 минута", 2: "2 минуты", 5: "5 минут", 21: "21 минута", 112: "112 минут"}


@pytest.mark.parametrize(("minutes", "words"), FORMS.items())
def test_numbers_take_their_plural_form(app: Flask, minutes: int, words: str) -> None:
    with app.test_request_context("/"), speaking("ru"):
        said = ngettext("(about a minute left)", "(about %(num)s minutes left)", minutes)

    assert words + ")" in said


AT = datetime(2026, 11, 22, 18, 40, tzinfo=UTC)
READ = {
    "en": ("USD 1,234.50", "22 November 2026, 18:40 UTC", "22 November", "3.1 MB", "US Dollar"),
    "ru": ("1 234,50 USD", "22 ноября 2026, 18:40 UTC", "22 ноября", "3,1 МБ", "доллар США"),
    "uk": ("1 234,50 USD", "22 листопада 2026, 18:40 UTC", "22 листопада", "3,1 МБ", "долар США"),
}


@pytest.mark.parametrize("language", READ)
def test_money_dates_and_sizes_read_as_the_language_writes_them(app: Flask, language: str) -> None:
    with app.test_request_context("/"), speaking(language):
        said = (
            money(Money(123450, "USD")),
            moment(AT).striptags(),
            clock(AT).striptags().partition(", ")[2],
            readable_size(3_100_000),
            currency_name("USD"),
        )

    assert tuple(words.replace("\N{NO-BREAK SPACE}", " ") for words in said) == READ[language]


def test_a_moment_is_written_for_machines_as_html_wants_it(app: Flask) -> None:
    with app.test_request_context("/"):
        written = moment(AT.replace(microsecond=123456)), clock(AT.replace(microsecond=123456))

    for words in written:
        assert 'datetime="2026-11-22T18:40:00+00:00"' in words


def test_pictures_and_styles_have_one_address_in_all_languages(client: FlaskClient) -> None:
    page = client.get("/ru/cart").text

    assert 'href="/static/css/main.' in page
    assert "/ru/static" not in page


def test_a_text_in_a_template_is_a_format_string_and_what_goes_into_it_is_escaped(
    app: Flask,
) -> None:
    page = app.jinja_env.from_string("{{ _('100 %%') }} {{ _('Only <b>%(word)s</b>', word=word) }}")
    with app.test_request_context():
        assert page.render(word="<") == "100 % Only <b>&lt;</b>"
        assert (
            app.jinja_env.from_string(
                "{% autoescape false %}{{ _('<b>') }}{{ _('<%(word)s>', word=word) }}{% endautoescape %}"
            ).render(word="<")
            == "<b><<>"
        )


def test_a_mail_in_another_language_leaves_the_page_in_its_own(app: Flask) -> None:
    word = app.jinja_env.from_string("{{ _('Cart') }} {{ language() }}{{ merchants_lang() }}")
    with app.test_request_context("/uk/"):
        before = word.render()

        with speaking("ru"):
            assert word.render() == 'Корзина ru lang="en"'
            with speaking("en"):
                assert word.render() == "Cart en"
            assert word.render() == 'Корзина ru lang="en"'

        assert word.render() == before
