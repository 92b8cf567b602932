"""WooCommerce's product table, in any of its languages, from its exporter or saved again by Excel."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import nh3
import pytest

from shop.catalogue.moving.found import Findings, FoundProduct, MovingError, Sale
from tests.catalogue.moving.conftest import SAMPLES, WriteTable, found, record


def only(path: Path, **answers: object) -> FoundProduct:
    (product,) = found(path, **answers).products
    return product


def left(path: Path, **answers: object) -> list[str]:
    return [each.reason for each in found(path, **answers).left]


def outline(findings: Findings) -> list[tuple[object, ...]]:
    """What is the same in each language's sample."""
    return [
        (p.key, p.price, p.sale, p.stock, bool(p.off), len(p.pictures), len(p.goods), p.downloads)
        for p in findings.products
    ]


@pytest.mark.parametrize(
    ("name", "title", "category", "said"),
    [
        ("woocommerce.csv", "Harbour Rain – Forty Minutes", "Uncategorized", "UTF-8"),
        ("woocommerce-german-excel.csv", "Regen über Möwen", "Unkategorisiert", "cp1252"),
        ("woocommerce-russian-excel.csv", "Дождь в гавани", "Без категории", "cp1251"),
    ],
)
def test_the_same_shop_is_read_in_each_language_and_from_excel(
    name: str, title: str, category: str, said: str
) -> None:
    """In WooCommerce, a file that Excel saved with semicolons could not be imported."""
    findings = found(SAMPLES / name)

    assert outline(findings) == outline(found(SAMPLES / "woocommerce.csv"))
    assert findings.products[0].title == title
    assert findings.products[4].category == (category,)
    assert said in findings.read_as[0]
    assert findings.system == "WooCommerce"


def test_a_product_arrives_with_all_that_the_file_says_of_it() -> None:
    rain = found(SAMPLES / "woocommerce.csv").products[0]

    assert (rain.title, rain.summary) == (
        "Harbour Rain – Forty Minutes",
        "Forty minutes of rain & wind.",
    )
    assert rain.description == (
        "Recorded **before dawn**.\n\n- Rain on tin\n- Rain on water & wood\n\nA path like C:\\\\new stays."
    )
    assert (rain.price, rain.sale) == (Decimal("12.5"), Sale(Decimal("9.9")))
    assert rain.category == ("Sound", "Field recordings")
    assert [str(note) for note in rain.notes] == [
        "was also in another category: Rain, wind and snow"
    ]
    assert [picture.address.rpartition("/")[2] for picture in rain.pictures] == [
        "rain.jpg",
        "pier.jpg",
    ]
    assert [(each.name, each.title) for each in rain.goods] == [
        ("harbour rain.zip", "The recording"),
        ("notes.pdf", "Notes"),
    ]
    assert (rain.downloads, rain.days, rain.text) == (5, 30, "Use *headphones*.")
    assert [(each.path, each.sure) for each in rain.addresses] == [
        ("/?p=41", True),
        ("/?post_type=product&p=41", True),
        ("/product/harbour-rain-forty-minutes/", False),
    ]


def test_variations_are_editions_wherever_their_parent_stands() -> None:
    """In WooCommerce, variations came without a price, got lost, or became loose products."""
    findings = found(SAMPLES / "woocommerce.csv")

    personal, studio = findings.products[1:3]
    assert (personal.title, studio.title) == ("Ink Brushes: Personal", "Ink Brushes: Studio")
    assert (personal.price, studio.price) == (Decimal(19), Decimal(1299))
    assert (
        personal.description == "### What is in it\n\nSixty brushes for ink.\n\nFor one person."
        or (personal.description.endswith("Sixty brushes for ink.\n\nFor one person."))
    )
    assert (personal.category, len(personal.pictures)) == (("Design", "Brushes"), 1)
    assert [(part.where.id, sorted(part.of)) for part in findings.parts] == [("51", [3, 5, 6])]
    reasons = {each.where.id: each.reason for each in findings.left}
    assert reasons["54"] == "has the same options as row 5 53 (Ink Brushes - Studio)"
    assert reasons["55"] == "belongs to a product that is not in the file"


def test_what_this_shop_cannot_sell_is_left_with_the_reason() -> None:
    reasons = {each.where.id: each.reason for each in found(SAMPLES / "woocommerce.csv").left}

    assert {key: reasons[key] for key in ("66", "67", "68", "71")} == {
        "66": "has to be sent",
        "67": "sells other products together",
        "68": "is sold on another site",
        "71": "is a subscription",
    }


def test_goods_that_only_seem_to_be_sent_are_carried_if_the_merchant_says_so() -> None:
    findings = found(SAMPLES / "woocommerce.csv", digital=True)

    assert "66" in [product.key for product in findings.products]


@pytest.mark.parametrize(
    ("values", "off"),
    [
        ({}, ""),
        ({"Published": "0"}, "is private"),
        ({"Published": "-1"}, "is a draft, or planned for later"),
        ({"Published": "'-1"}, "is a draft, or planned for later"),
        ({"Published": "2"}, "waits for review"),
        ({"Published": "maybe"}, "is in a state that is not known here"),
        ({"Published": ""}, "is in a state that is not known here"),
        ({"Visibility in catalog": "hidden"}, "is hidden"),
        ({"Visibility in catalog": "search"}, ""),
        ({"Visibility in catalog": "catalog"}, ""),
    ],
)
def test_what_was_not_public_there_is_not_public_here(
    write_table: WriteTable, values: dict[str, str], off: str
) -> None:
    """In WooCommerce, drafts were published, and -1 and 0 mixed up."""
    assert only(write_table(record(1, **values))).off == off


def test_a_variation_that_is_switched_off_or_whose_parent_is_a_draft_is_off(
    write_table: WriteTable,
) -> None:
    kind, attribute = "variation, virtual", "Attribute 1 value(s)"
    findings = found(
        write_table(
            record(1, Type="variable"),
            record(2, Type=kind, Parent="id:1", Published="0", **{attribute: "A"}),
            record(3, Type=kind, Parent="SKU-1", **{attribute: "B"}),
            record(4, Type="variable", Published="-1"),
            record(5, Type=kind, Parent="id:4", **{attribute: "A"}),
        )
    )

    assert [product.off for product in findings.products] == [
        "is switched off",
        "",
        "is a draft, or planned for later",
    ]


@pytest.mark.parametrize(
    ("values", "stock"),
    [
        ({"Stock": ""}, None),
        ({"Stock": "25"}, 25),
        ({"Stock": "'-3"}, -3),
        ({"Stock": "", "In stock?": "0"}, 0),
        ({"Stock": "5", "In stock?": "0"}, 0),
        ({"Stock": "some"}, 0),
        ({"Stock": "", "In stock?": "backorder"}, None),
    ],
)
def test_stock_is_never_unlimited_by_accident(
    write_table: WriteTable, values: dict[str, str], stock: int | None
) -> None:
    assert only(write_table(record(1, **values))).stock == stock


@pytest.mark.parametrize("cell", ["", "-1", "'-1", "0"])
def test_no_limit_of_downloads_is_none(write_table: WriteTable, cell: str) -> None:
    """In WooCommerce, limits came as '-1."""
    product = only(write_table(record(1, Download_limit=cell, Download_expiry_days=cell)))

    assert (product.downloads, product.days) == (None, None)


def test_editions_that_share_a_stock_get_none_and_are_named() -> None:
    (question,) = found(SAMPLES / "woocommerce.csv").questions

    assert "Editions of Ink Brushes share one stock (7)" in question.text
    assert not question.needed


def test_goods_by_key_are_known_by_the_plugin_that_kept_them() -> None:
    tidewrack = found(SAMPLES / "woocommerce.csv").products[3]

    assert (tidewrack.title, tidewrack.by_keys) == ("Tidewrack: a game", True)


def test_a_summary_for_search_engines_serves_where_there_is_no_other(
    write_table: WriteTable,
) -> None:
    name = "Meta: _yoast_wpseo_metadesc"
    findings = found(
        write_table(
            record(1, **{"Short description": "", name: "Keep the light."}),
            record(2, **{"Short description": "", name: "%%title%% %%sep%%"}),
        )
    )

    assert [product.summary for product in findings.products] == ["Keep the light.", ""]


def test_line_breaks_of_the_exporter_and_backslashes_of_the_merchant_are_told_apart(
    write_table: WriteTable,
) -> None:
    product = only(write_table(record(1, Description=r"<p>One</p>\n<p>C:\\new</p>")))

    assert product.description == "One\n\nC:\\\\new"


def test_each_text_is_read_once_however_many_products_have_it(
    write_table: WriteTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "Description": "<p>Read &amp; <b>seen</b></p>",
        "Short description": "<p>Short &amp; seen</p>",
        "Purchase note": "<i>Thanks</i> &amp; enjoy",
        "Categories": "Packs &amp; kits",
    }
    file = write_table(*(record(n, **texts, Name=f"No. {n} &#8211; new") for n in range(20)))
    parsed: list[str] = []
    clean = nh3.clean
    monkeypatch.setattr(nh3, "clean", lambda html, **how: parsed.append(html) or clean(html, **how))

    assert len(found(file).products) == 20
    assert sum(html.endswith(" new") for html in parsed) == 20, "one name each"
    assert len(parsed) <= 20 + 2 * len(texts), "each text once, and once as buyers will see it"


def test_cells_are_read_only_for_the_system_whose_table_it_is(
    write_table: WriteTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells: list[str] = []
    monkeypatch.setattr(
        "shop.catalogue.moving.headings.unguarded", lambda cell: cells.append(cell) or cell
    )
    rows = [record(n) for n in range(3)]

    assert len(found(write_table(*rows)).products) == 3
    assert len(cells) <= sum(map(len, rows))


def test_dates_of_a_sale_are_in_the_zone_of_the_old_shop(write_table: WriteTable) -> None:
    file = write_table(
        record(
            1,
            Sale_price="9.00",
            Date_sale_price_starts="2026-12-24 8:00:00",
            Date_sale_price_ends="2027-01-06",
        )
    )

    assert only(file, zone=ZoneInfo("Europe/Berlin")).sale == Sale(
        Decimal(9),
        datetime(2026, 12, 24, 7, tzinfo=UTC),
        datetime(2027, 1, 5, 23, tzinfo=UTC),
    )


def test_prices_that_could_be_two_figures_are_asked_about(write_table: WriteTable) -> None:
    """In WooCommerce, 2,4 became 24."""
    file = write_table(record(1, Regular_price="1.299"), record(2, Regular_price="15"), sign=";")

    with pytest.raises(MovingError, match=r"1\.299 could be two figures\. Say --decimal \."):
        found(file)
    assert found(file, decimal=",").products[0].price == Decimal(1299)
    assert left(file, decimal=".") == [
        "has a price that cannot be read: '1.299' has more than 2 decimal places"
    ]


def test_dates_that_could_be_two_days_are_asked_about(write_table: WriteTable) -> None:
    file = write_table(record(1, Sale_price="9", Date_sale_price_ends="3/4/2027"))

    with pytest.raises(MovingError, match="--dates day"):
        found(file)
    sale = only(file, dates="month").sale
    assert sale
    assert sale.ends == datetime(2027, 3, 4, tzinfo=UTC)


def test_a_price_that_is_none_is_left_and_no_other(write_table: WriteTable) -> None:
    file = write_table(record(1, Regular_price="10-20"), record(2), record(3, Regular_price=""))

    assert left(file) == ["has a price that cannot be read: '10-20' is no price"]
    assert [product.price for product in found(file).products] == [Decimal("12.5"), None]


def test_records_of_broken_width_are_named(write_table: WriteTable) -> None:
    file = write_table(record(1), record(2))
    file.write_text(file.read_text("utf-8-sig") + "3,simple,X\n", "utf-8")

    findings = found(file)

    assert (findings.records, len(findings.products)) == (3, 2)
    assert findings.left[0].reason.endswith("is a quote or a comma missing?")


def test_the_password_that_the_file_does_not_tell_of_is_said_once() -> None:
    remarks = found(SAMPLES / "woocommerce.csv").remarks

    assert sum("password" in remark for remark in remarks) == 1


def test_what_is_not_carried_is_counted_by_column() -> None:
    counted = found(SAMPLES / "woocommerce.csv").not_carried

    assert (counted["Tags"], counted["Weight (kg)"], counted["External URL"]) == (1, 1, 1)
    assert "Is featured?" not in counted


def test_columns_of_plugins_are_counted_too(write_table: WriteTable) -> None:
    """In WooCommerce, a column was skipped in silence."""
    findings = found(write_table(record(1, **{"Meta: _own\nfield": "x"})))

    assert findings.not_carried["Meta: _own field"] == 1


def test_the_order_of_columns_means_nothing(write_table: WriteTable) -> None:
    turned = dict(reversed(record(1).items()))

    assert only(write_table(turned)).title == "Product 1"


def in_dutch(row: dict[str, str]) -> dict[str, str]:
    names = {"Type": "Soort", "Name": "Naam", "Published": "Gepubliceerd", "Regular price": "Prijs"}
    return {names.get(name, f"{name}!"): value for name, value in row.items()}


def test_a_language_that_is_not_known_is_told_by_the_types_and_the_way_out_is_said(
    write_table: WriteTable,
) -> None:
    file = write_table(in_dutch(record(1)))

    with pytest.raises(MovingError) as caught:
        found(file)

    assert "a file of WooCommerce whose headings are in a language that is not known" in str(
        caught.value
    )
    assert "your own user's language to English" in str(caught.value)
    assert '--columns "its heading=our name"' in str(caught.value)


def test_columns_may_be_named_by_the_merchant(write_table: WriteTable) -> None:
    file = write_table(in_dutch(record(1)))

    product = only(
        file,
        columns={
            "soort": "type",
            "Naam": "name",
            "Prijs": "regular price",
            "Gepubliceerd": "published",
        },
    )

    assert (product.title, product.price, product.off) == ("Product 1", Decimal("12.5"), "")


def test_of_another_table_the_nearest_system_and_what_is_missing_are_named(
    write_table: WriteTable,
) -> None:
    with pytest.raises(MovingError, match="The nearest is WooCommerce, but “Type” is missing"):
        found(write_table({"Name": "A", "Regular price": "1"}))


def test_line_breaks_of_a_description_stay_as_wordpress_showed_them(
    write_table: WriteTable,
) -> None:
    text = r"One\ntwo\n\nthree <b>four</b>\n<ul>\n<li>five</li>\n</ul>"

    product = only(write_table(record(Description=text)))

    assert product.description == "One\\\ntwo\n\nthree **four**\n\n- five"
