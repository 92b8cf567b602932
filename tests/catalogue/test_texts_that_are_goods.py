"""A text that is the goods is what the operator wrote, in the file, on the page and in the mail."""

from __future__ import annotations

import email
import email.policy
import html
import json
import re
from email.message import EmailMessage

import pytest
import yaml
from flask import Flask
from sqlalchemy import select

from shop.catalogue.files.exporting import export_text
from shop.catalogue.models import Product
from shop.db import db, end_read
from shop.fulfilment.goods import goods_of
from shop.fulfilment.models import Delivery
from shop.orders.links import order_path
from shop.orders.models import Order
from shop.schema import migrations
from tests.factories import make_product, send_due_mails
from tests.support.sold import sell

from .conftest import ImportText, ProductText

LETTERS = (
    *("ABC*1*", "__init__ _x_", "1. one\n1. two", "# 4711", "a\nb", "    four blanks", "\tb\tc"),
    *("`a` ~~b~~", r"a\*b\\c", "&amp; &#65; <b>", "[x](https://a.example)", "<https://a.example>"),
    *(
        "two  blanks \n\n\n  and more ",
        "- - -",
        "***",
        "a" * 1200,
        "ключ*1*",
        "и\u0306",
        "- a\n+ b",
    ),
    *("<script>alert(1)</script>\"'", "> a", ".\n.\nFrom me", "null", "yes", "{{ 7*7 }} %(a)s"),
)
"""Goods of which Markdown, HTML, a mail or a reader of YAML would make something else."""


def product_with(text: str, slug: str = "code", **more: object) -> str:
    delivery = json.dumps({"text": text} | more, ensure_ascii=False)
    return (
        f"\n- {{slug: {slug}, title: Code, summary: A., prices: {{USD: 1}}, delivery: {delivery}}}"
    )


def shown(page: str, by: str) -> list[str]:
    """The texts of the elements with this mark, as a browser copies them."""
    found = re.findall(rf"<div [^>]*{by}[^>]*>(.*?)</div>", page.replace("\r\n", "\n"), re.DOTALL)
    return [html.unescape(text) for text in found]


def mailed(app: Flask) -> tuple[str, str]:
    """The plain part of the mail, and the other one."""
    assert send_due_mails() == 1
    (path,) = (app.config["SETTINGS"].shop_data_dir / "outbox").glob("*")
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    plain, page = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain
    assert page
    return plain.get_content().replace("\r\n", "\n"), page.get_content()


def test_a_text_that_is_the_goods_arrives_letter_for_letter(
    app: Flask, import_text: ImportText
) -> None:
    with app.app_context():
        import_text("".join(product_with(text, f"x{n}") for n, text in enumerate(LETTERS)))
        order = sell(app, *db.session.scalars(select(Product).order_by(Product.id)))

        plain, page = mailed(app)

        assert shown(app.test_client().get(order_path(order)).text, "goods__text") == [*LETTERS]
        assert shown(page, "pre-wrap") == [*LETTERS]
        assert [text for text in LETTERS if f"\nCode\n{text}\n" not in plain] == []


def test_a_text_that_is_markdown_says_so(app: Flask, import_text: ImportText) -> None:
    with app.app_context():
        import_text(product_with("Use **this**: [x](https://a.example)", markdown=True))

        (goods,) = goods_of(sell(app, db.session.scalars(select(Product)).one()))

        assert "<strong>this</strong>" in goods.text
        assert goods.plain_text == "Use this: x (https://a.example)"
        assert "    markdown: yes\n" in export_text()


@pytest.mark.parametrize("delivery", ["keys: yes", "file: files/rain.zip"])
def test_what_is_read_beside_the_goods_is_markdown(
    app: Flask, import_text: ImportText, product: ProductText, delivery: str
) -> None:
    with app.app_context():
        import_text(product("rain", delivery=f"{{{delivery}, text: Use **this**}}"))

        assert db.session.scalars(select(Product.delivery_markdown)).one()
        assert "markdown" not in export_text()


def test_an_import_changes_what_is_markdown_for_those_who_have_not_got_it_yet(
    app: Flask, import_text: ImportText
) -> None:
    with app.app_context():
        import_text(product_with("*a*"))
        sold = db.session.scalars(select(Product)).one()
        first = sell(app, sold)

        assert import_text(product_with("*a*", markdown=True)).changed == ["code"]
        second = sell(app, sold)

        assert [goods_of(order)[0].text for order in (first, second)] == [
            "*a*",
            "<p><em>a</em></p>",
        ]
        assert import_text(product_with("*a*", markdown=False)).changed == ["code"]


def test_goods_are_the_same_after_an_export_and_an_import(
    app: Flask, import_text: ImportText
) -> None:
    with app.app_context():
        for number, text in enumerate(LETTERS):
            make_product(slug=f"x{number}", delivery_text=text, delivery_markdown=number % 2 == 0)
        exported = export_text().removeprefix("products:\n")

        assert import_text(exported).changed == []
        assert import_text(f" {json.dumps(yaml.load(exported, yaml.BaseLoader))}").changed == []

        stored = db.session.scalars(select(Product.delivery_text).order_by(Product.id))
        assert tuple(stored) == LETTERS


def test_empty_lines_around_goods_are_the_files_own(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product("rain", delivery="\n    text: |2+\n\n       A\n      B\n\n\n"))

        assert db.session.scalars(select(Product.delivery_text)).one() == " A\nB"


def test_an_upgrade_leaves_markdown_what_was_markdown(app: Flask) -> None:
    with app.app_context():
        sell(app, make_product(delivery_text="*a*", delivery_markdown=False))
        end_read()
        migrations().downgrade("1796010100")
        migrations().upgrade()

        assert db.session.scalars(select(Product.delivery_markdown)).one()
        assert db.session.scalars(select(Delivery.markdown)).one()
        order = db.session.scalars(select(Order)).one()
        assert goods_of(order)[0].text == "<p><em>a</em></p>"
