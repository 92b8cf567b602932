"""A link to a product in the shop that it moved from leads to its page here; no page of this shop can be led away."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from shop.catalogue.former import (
    BadAddress,
    Old,
    former_addresses,
    old_address,
    plan_addresses,
    remember,
)
from shop.catalogue.models import Category, Product
from shop.db import db, transaction
from tests.factories import make_product

RAIN = "дождь-в-гавани"


@pytest.fixture
def shop(app: Flask) -> Flask:
    """Two products in one category, one of them withdrawn; and one that is withdrawn and in none."""
    with app.app_context():
        sound = Category(slug="sound", title="Sound")
        make_product(slug="rain", category=sound)
        make_product(slug="fog", category=sound, active=False)
        make_product(slug="old", active=False)
    return app


@pytest.fixture
def moved(shop: Flask) -> FlaskClient:
    """The addresses that five systems give to the same things."""
    with shop.app_context(), transaction() as session:
        wanted = {
            f"/product/{RAIN}/": "/products/rain",
            "/?p=12": "/products/rain",
            "/?product=rain": "/products/rain",
            "https://old.example/downloads/rain": "/products/rain",
            "/products/rain-in-the-harbour": "/categories/sound",
            "/products/rain-in-the-harbour?variant=7": "/products/rain",
            "/product-category/audio/sound/": "/categories/sound",
            "/index.php?route=product&product_id=4": "/products/rain",
            "/product/fog/": "/products/fog",
            "/product/old/": "/products/old",
        }
        plan = plan_addresses(session, wanted.items())
        assert not plan.refused
        remember(session, plan.new)
    return shop.test_client()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"/product/{quote(RAIN)}/", "/products/rain"),
        (f"/product/{quote(RAIN).lower()}", "/products/rain"),
        (f"/product/{RAIN}/).", "/products/rain"),
        ("/?p=12", "/products/rain"),
        ("/?post_type=product&p=12", "/products/rain"),
        ("/?product=rain&utm_source=x", "/products/rain"),
        ("/downloads/rain/", "/products/rain"),
        ("/downloads/rain?coupon=HALF&utm_source=mail", "/products/rain"),
        ("/products/rain-in-the-harbour", "/categories/sound"),
        ("/products/rain-in-the-harbour?currency=EUR&variant=7&x=1", "/products/rain"),
        ("/products/rain-in-the-harbour?variant=8", "/categories/sound"),
        ("/product-category/audio/sound", "/categories/sound"),
        ("/index.php?product_id=4&route=product", "/products/rain"),
        ("/ru/downloads/rain/", "/ru/products/rain"),
        ("/downloads/rain/?lang=ru", "/ru/products/rain"),
        ("/ru/downloads/rain/?lang=en_US", "/products/rain"),
        ("/downloads/rain?locale=de", "/products/rain"),
        ("/product/fog/", "/categories/sound"),
    ],
)
def test_an_old_address_leads_to_todays_page(moved: FlaskClient, old: str, new: str) -> None:
    answer = moved.get(old)

    assert (answer.status_code, answer.headers["Location"]) == (301, new)
    assert moved.head(old).status_code == 301
    assert moved.get(new).status_code == 200


@pytest.mark.parametrize(
    "nowhere",
    [
        "/product/old/",  # withdrawn, and in no category
        "/product/other/",
        "/index.php?route=product",
        "/index.php?product_id=5&route=product",
        "/product",
        "/product/%00",
        "/product/%ff%fe",
        "/" + "x" * 5000,
        "/product/other?" + "&".join(f"a{n}=1" for n in range(200)),
        "/product/other?a=" + "x" * 5000,
    ],
)
def test_what_nobody_remembers_is_no_page(moved: FlaskClient, nowhere: str) -> None:
    assert moved.get(nowhere).status_code == 404


def test_a_form_that_is_sent_to_an_old_address_is_not_led_on(moved: FlaskClient) -> None:
    assert moved.post("/product-category/audio/sound").status_code == 404


@pytest.mark.parametrize(
    "address", ["/", "/?currency=EUR&utm_source=x", "/?p=13", "/products/rain?p=12"]
)
def test_pages_of_the_shop_answer_as_ever(moved: FlaskClient, address: str) -> None:
    assert moved.get(address).status_code == 200


def test_the_shops_own_pages_ask_for_no_old_address(moved: FlaskClient) -> None:
    asked: list[str] = []
    with moved.application.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *about: asked.append(about[2]))
        for page in ("/", "/?utm_source=x", "/products/rain", "/categories/sound", "/search?q=a"):
            assert moved.get(page).status_code == 200

    assert asked
    assert not [statement for statement in asked if "former_addresses" in statement]


def test_a_renamed_product_is_found_under_its_old_name_until_that_is_sold_again(
    shop: Flask,
) -> None:
    lead(shop, {"/products/old": "/products/rain"})
    client = shop.test_client()

    assert client.get("/products/old").headers["Location"] == "/products/rain"

    with shop.app_context(), transaction() as session:
        product = session.query(Product).filter_by(slug="old").one()
        product.active = True
    assert client.get("/products/old").status_code == 200


def test_two_withdrawn_products_that_lead_to_each_other_make_no_loop(shop: Flask) -> None:
    lead(shop, {"/products/old": "/products/fog", "/products/fog": "/products/old"})
    client = shop.test_client()

    assert client.get("/products/old").headers["Location"] == "/categories/sound"
    assert client.get("/products/fog").status_code == 404


def lead(shop: Flask, wanted: dict[str, str]) -> None:
    with shop.app_context(), transaction() as session:
        plan = plan_addresses(session, wanted.items())
        assert not plan.refused
        remember(session, plan.new | plan.changed)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("/products/rain/", "/products/rain", "is the address of a page here"),
        ("/categories/sound", "/products/rain", "is the address of a page here"),
        ("/", "/products/rain", "is the address of a page here"),
        ("/ru/?utm_source=x", "/products/rain", "is the address of a page here"),
        ("/cart", "/products/rain", "is the address of a page here"),
        ("/ru/orders/find", "/products/rain", "is the address of a page here"),
        ("/orders/abc", "/products/rain", "is the address of a page here"),
        ("/terms", "/products/rain", "is the address of a page here"),
        (
            "/a",
            "/products/none",
            "would lead to /products/none, which is no product or category here",
        ),
        ("/a", "https://evil.example/", "would lead to https://evil.example/, which is no product"),
        ("rain", "/products/rain", "is no address; write it from its first / on"),
        ("", "/products/rain", "is no address; write it from its first / on"),
        ("/a%00", "/products/rain", "holds a control character"),
        ("/" + "a" * 401, "/products/rain", "is too long"),
        ("/a?b=" + "a" * 200, "/products/rain", "is too long"),
    ],
)
def test_an_address_that_would_do_harm_or_no_good_is_refused(
    shop: Flask, old: str, new: str, why: str
) -> None:
    with shop.app_context():
        plan = plan_addresses(db.session, [(old, new)])

    ((given_as, reason),) = plan.refused
    assert given_as == old
    assert reason.startswith(why)


def test_an_address_that_is_to_lead_to_two_places_is_refused_once_both_spellings_are_known(
    shop: Flask,
) -> None:
    with shop.app_context():
        plan = plan_addresses(
            db.session, [("/a%C3%A9/", "/products/rain"), ("/ae\u0301", "/products/fog")]
        )

    assert plan.refused == [("/ae\u0301", "is to lead to /products/rain and to /products/fog")]


def test_an_import_can_plan_for_products_that_it_is_about_to_make(shop: Flask) -> None:
    wanted = [("/product/new/", "/products/new"), ("/products/new", "/products/rain")]
    with shop.app_context():
        plan = plan_addresses(db.session, wanted, coming={"/products/new"})

    assert plan.new == {Old("/product/new", ""): "/products/new"}
    assert plan.refused == [("/products/new", "is the address of a page here")]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_whatever_an_address_holds_it_has_one_spelling(engine: str) -> None:
    @settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(st.lists(st.text(max_size=8), min_size=1, max_size=4))
    def check(texts: list[str]) -> None:
        path, *query = (quote(text, safe="/", errors="replace") for text in texts)
        try:
            old = old_address(f"/x{path}?{'=a&'.join(query)}")
        except BadAddress:
            return
        assert old_address(str(old)) == old

    check()


def csv(folder: Path, content: str) -> str:
    path = folder / "old.csv"
    path.write_text(content, "utf-8")
    return str(path)


def run(runner: FlaskCliRunner, *words: str) -> tuple[int, str]:
    result = runner.invoke(args=["products", "addresses", *words])
    return result.exit_code, result.output


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("heading", ["", "\ufeffold{0}new\n", "Redirect from{0}Redirect to\n"])
def test_a_merchants_list_is_imported_twice_and_given_out_again(
    shop: Flask, runner: FlaskCliRunner, tmp_path: Path, separator: str, heading: str
) -> None:
    rows = f"/product/{quote(RAIN)}/{separator}/products/rain\n\n/?p=12{separator}https://shop.example/ru/products/rain/\n"
    file = csv(tmp_path, heading.format(separator) + rows)

    assert run(runner, "import", file) == (0, "2 added, 0 changed, 0 there already.\n")
    assert run(runner, "import", file) == (0, "0 added, 0 changed, 2 there already.\n")

    copy = tmp_path / "copy.csv"
    assert run(runner, "export", str(copy)) == (0, f"2 old addresses written to {copy}.\n")
    assert copy.read_text() == f"old,new\n/?p=12,/products/rain\n/product/{RAIN},/products/rain\n"
    assert run(runner, "export")[1] == copy.read_text()
    assert run(runner, "export", str(copy))[0] == 1
    assert run(runner, "import", str(copy)) == (0, "0 added, 0 changed, 2 there already.\n")


def test_one_bad_line_changes_nothing_and_is_named(
    shop: Flask, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    file = csv(tmp_path, "/product/rain,/products/rain\n/product/fog,/products/fogg\n")

    code, output = run(runner, "import", file)

    assert code == 1
    assert f"{file}: /product/fog would lead to /products/fogg, which is no product" in output
    assert run(runner, "list") == (0, "No old addresses.\n")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"/a,/products/rain\n/b\n", "row 2 below the heading"),
        (b'/a,"/products/rain\n', "is no CSV"),
        ("/дождь,/products/rain".encode("cp1251"), "is not UTF-8"),
        (b"x" * (5 * 1024 * 1024 + 1), "is larger than 5 MB"),
    ],
)
def test_a_file_that_is_no_list_is_refused_in_a_sentence(
    shop: Flask, runner: FlaskCliRunner, tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "old.csv"
    file.write_bytes(content)

    code, output = run(runner, "import", str(file))

    assert code == 1
    assert says in output


def test_a_dry_run_says_what_would_change_and_changes_nothing(
    shop: Flask, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    lead(shop, {"/product/rain": "/products/fog"})
    file = csv(tmp_path, "/product/rain,/products/rain\n/product/fog,/products/fog\n")

    said = run(runner, "import", file, "--dry-run")

    assert said == (0, "1 added, 1 changed, 0 there already.\nNothing was changed.\n")
    with shop.app_context():
        assert former_addresses() == [(Old("/product/rain", ""), "/products/fog")]


def test_old_addresses_are_listed_and_removed(shop: Flask, runner: FlaskCliRunner) -> None:
    lead(shop, {"/product/rain": "/products/rain", "/product-category/a": "/categories/sound"})

    assert json.loads(run(runner, "list", "--json")[1]) == [
        {"old": "/product-category/a", "new": "/categories/sound"},
        {"old": "/product/rain", "new": "/products/rain"},
    ]
    assert run(runner, "remove", "/product/rain/", "/product/none")[0] == 1
    assert run(runner, "remove", "/product/rain/") == (0, "1 removed.\n")
    assert run(runner, "list")[1] == "/product-category/a  /categories/sound\n"


def test_without_the_database_a_page_that_is_nowhere_is_nowhere(shop: Flask) -> None:
    with shop.app_context(), transaction() as session:
        session.execute(text("DROP TABLE former_addresses"))

    assert shop.test_client().get("/product/rain").status_code == 404
    assert shop.test_client().get("/?p=12").status_code == 200
