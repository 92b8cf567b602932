"""A file of another shop is imported as its plan says: nothing else, nothing twice, nothing over what was edited."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from PIL import Image
from sqlalchemy import func, select

from shop.catalogue.models import Category, DeliveryKind, MovedProduct, Price, Product
from shop.catalogue.moving.checking import Unfit, draft_of
from shop.catalogue.moving.found import FoundProduct, MovingError, Where
from shop.catalogue.product_draft import MISSING_GOODS
from shop.catalogue.service import import_catalogue
from shop.db import db, end_read, transaction
from tests.catalogue.conftest import counted
from tests.catalogue.moving.conftest import Bring, Sample, WriteTable, record
from tests.factories import make_product


def find(slug: str) -> Product:
    end_read()
    return db.session.scalars(
        select(Product).where(Product.slug == slug).execution_options(populate_existing=True)
    ).one()


def slugs() -> list[str]:
    end_read()
    return list(db.session.scalars(select(Product.slug).order_by(Product.position)))


def report_of(file: Path) -> list[list[str]]:
    with file.with_name(f"{file.stem}.moved.csv").open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.reader(opened))


def test_the_plan_is_what_comes_of_it(app: Flask, sample: Sample, bring: Bring) -> None:
    """In Medusa and Open Food Network, an importer promised other numbers than it kept."""
    file = sample("woocommerce.csv")

    plan = bring(file, "--dry-run").output
    done = bring(file)

    with app.app_context():
        assert "18 records = 10 carried + 1 part of these + 7 left" in plan
        assert "10 products: 1 for sale, 9 off sale; 10 new, 0 with changes" in plan
        assert "10 added, 0 changed, 0 unchanged." in done.output
        assert len(slugs()) == 10
        counts = [line[3] for line in report_of(file)]
        assert [counts.count(each) for each in ("carried", "part of", "left")] == [10, 1, 7]
        active = select(func.count(Product.id)).where(Product.active)
        assert db.session.scalar(active) == 1


def test_every_record_stands_in_the_report_with_what_became_of_it(
    app: Flask, sample: Sample, bring: Bring
) -> None:
    """In Vendure, nothing was imported, and nothing said."""
    file = sample("woocommerce.csv")

    bring(file)

    rows = [int(line[0]) for line in report_of(file)[1:]]
    assert sorted(set(rows)) == list(range(2, 20))


def test_without_a_terminal_and_without_yes_nothing_is_written(
    app: Flask, sample: Sample, bring: Bring
) -> None:
    file = sample("woocommerce.csv")

    result = bring(file, yes=False)

    with app.app_context():
        assert result.exit_code == 1
        assert "18 records = " in result.output
        assert "Nothing was changed. Look at the plan; if it is right, add --yes." in result.output
        assert (slugs(), list(file.parent.iterdir())) == ([], [file])


def test_a_dry_run_writes_nothing_but_the_plan_that_is_asked_for(
    app: Flask, sample: Sample, bring: Bring, tmp_path: Path
) -> None:
    file = sample("woocommerce.csv")

    result = bring(file, "--dry-run", "--plan", str(tmp_path / "plan.txt"))

    with app.app_context():
        assert result.exit_code == 0
        assert (tmp_path / "plan.txt").read_text("utf-8").strip() in result.output
        assert (slugs(), list(file.parent.iterdir())) == ([], [file])


@pytest.mark.parametrize(("answer", "count"), [("y", 10), ("n", 0)])
def test_on_a_terminal_the_merchant_is_asked(
    app: Flask,
    runner: FlaskCliRunner,
    sample: Sample,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    count: int,
) -> None:
    monkeypatch.setattr("shop.cli.moving._at_a_terminal", lambda: True)
    args = ["products", "import", str(sample("woocommerce.csv")), "--currency=USD"]

    result = runner.invoke(args=args, input=f"{answer}\n")

    with app.app_context():
        assert "Import this?" in result.output
        assert len(slugs()) == count


def test_the_same_file_again_changes_nothing_and_says_so(
    app: Flask, sample: Sample, bring: Bring
) -> None:
    file = sample("woocommerce.csv")
    bring(file)
    with app.app_context():
        before = [(p.slug, p.updated_at, p.position) for p in db.session.scalars(select(Product))]

    again = bring(file)

    with app.app_context():
        assert (again.exit_code, again.output.splitlines()[-1]) == (
            0,
            "Nothing is new, and nothing was changed.",
        )
        end_read()
        after = [(p.slug, p.updated_at, p.position) for p in db.session.scalars(select(Product))]
        assert after == before
        assert not file.with_name("woocommerce.moved-2.yaml").exists()


def test_the_catalogue_that_is_written_beside_it_imports_to_the_same(
    app: Flask, sample: Sample, bring: Bring
) -> None:
    file = sample("woocommerce.csv")
    bring(file)

    with app.app_context():
        report = import_catalogue(file.with_name("woocommerce.moved.yaml"))

        assert (report.added, report.changed, len(report.unchanged)) == ([], [], 10)


def test_what_was_written_beside_it_before_is_not_written_over(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    file = write_table(record(1))
    bring(file)
    first = file.with_name("export.moved.yaml").read_text()

    bring(write_table(record(1), record(2)))

    assert file.with_name("export.moved.yaml").read_text() == first
    assert "product-2" in file.with_name("export.moved-2.yaml").read_text()
    assert "product-1" not in file.with_name("export.moved-2.yaml").read_text()


def test_what_changed_there_is_changed_here_and_shown_by_field(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    bring(write_table(record(1), record(2)))

    result = bring(write_table(record(1, Regular_price="15.00"), record(2)))

    with app.app_context():
        assert "price: '1250' becomes '1500'" in result.output
        assert "0 added, 1 changed, 0 unchanged." in result.output
        assert find("product-1").prices[0].minor == 1500


def test_a_file_takes_as_many_statements_however_many_products_it_has(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    def brought(name: str, numbers: range, price: str) -> int:
        rows = [
            record(n, Regular_price=price, Categories=f"Shelf {name}", Purchase_note="Enjoy.")
            for n in numbers
        ]
        file = write_table(*rows, name=f"{name}.csv")
        with counted(app) as statements:
            assert bring(file).exit_code == 0
        return len(statements)

    few, many = range(100, 102), range(200, 240)
    brought("before", range(1, 3), "5.00")
    for price in ("5.00", "5.00", "6.00"):  # new, the same again, and changed
        assert brought("few", few, price) == brought("many", many, price)


def test_what_was_edited_here_stays_unless_the_merchant_says_otherwise(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    bring(write_table(record(1)))
    with app.app_context(), transaction():
        find("product-1").title = "Edited here"
    file = write_table(record(1, Name="Edited there", Regular_price="15.00"))

    kept = bring(file)
    with app.app_context():
        after = find("product-1")
        assert (after.title, after.prices[0].minor) == ("Edited here", 1500)
    taken = bring(write_table(record(1, Name="Edited again", Regular_price="15.00")), "--overwrite")

    with app.app_context():
        assert "title stays 'Edited here'; the file says 'Edited there'" in kept.output
        assert "title: 'Edited here' becomes 'Edited again'" in taken.output
        assert find("product-1").title == "Edited again"


def test_what_was_edited_here_and_not_there_is_not_even_mentioned(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    bring(write_table(record(1)))
    with app.app_context(), transaction():
        find("product-1").summary = "Edited here."

    again = bring(write_table(record(1)))

    with app.app_context():
        assert "Nothing is new" in again.output
        assert find("product-1").summary == "Edited here."


def test_a_stock_that_went_down_there_takes_nothing_away_here(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    bring(write_table(record(1, Stock="25")))

    result = bring(write_table(record(1, Stock="3")))

    with app.app_context():
        assert "stock stays '25'; the file says '3'" in result.output
        assert find("product-1").stock_total == 25


def test_an_address_stays_when_titles_and_order_change(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    """In Sylius and Magmi, the same names clashed, and addresses changed at each run."""
    bring(write_table(record(7, Name="Rain"), record(3, Name="Rain")))
    with app.app_context():
        first = {each.key: each.product.slug for each in db.session.scalars(select(MovedProduct))}

    bring(write_table(record(3, Name="Snow"), record(7, Name="Rain"), record(1, Name="Rain")))

    with app.app_context():
        end_read()
        then = {each.key: each.product.slug for each in db.session.scalars(select(MovedProduct))}
        assert first == {"3": "rain", "7": "rain-2"}
        assert then == {"3": "rain", "7": "rain-2", "1": "rain-3"}
        assert find("rain").title == "Snow"


def test_a_product_of_other_origin_is_a_conflict_and_not_overwritten(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    with app.app_context():
        make_product(slug="rain", title="Ours")

    result = bring(write_table(record(1, Name="Rain"), record(2)))

    with app.app_context():
        assert "has the address rain, which another product has here" in result.output
        assert find("rain").title == "Ours"
        assert "1 added" in result.output


def test_a_record_that_stands_in_the_file_twice_is_carried_once(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    result = bring(write_table(record(1), record(1, Name="The same again")))

    with app.app_context():
        assert "is the same product as row 2 1 (Product 1), by its id" in result.output
        assert (slugs(), find("product-1").title) == (["product-1"], "Product 1")


def test_a_key_that_is_too_long_for_the_database_is_still_one_of_its_own() -> None:
    keys = [
        FoundProduct(where=Where(2, "", ""), key="x" * 400 + end, title="X").key for end in "ab"
    ]

    assert len(set(keys)) == 2
    assert {len(key) for key in keys} == {255}


def test_a_half_finished_product_is_not_put_on_sale_by_what_changes_there(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    file = write_table(record(1, Download_1_URL="https://old.example/rain.zip"))
    bring(file)
    with app.app_context(), transaction():
        find("product-1").delivery_text = f"Soon.\n\n{MISSING_GOODS}"
    (file.parent / "uploads").mkdir()
    (file.parent / "uploads/rain.zip").write_bytes(b"PK")

    result = bring(file, "--files", str(file.parent / "uploads"))

    with app.app_context():
        assert result.exit_code == 1
        assert "the goods are missing" in result.output
        assert not find("product-1").active


def test_a_product_without_its_goods_is_off_sale_and_cannot_be_put_on_sale(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    """In Easy Digital Downloads, buyers paid for files that the importer had lost."""
    file = write_table(record(1, Download_1_URL="https://old.example/rain.zip"))

    result = bring(file)

    with app.app_context():
        assert "product-1: rain.zip" in result.output
        assert (find("product-1").active, find("product-1").delivery_text) == (False, MISSING_GOODS)
        catalogue = file.with_name("export.moved.yaml")
        catalogue.write_text(catalogue.read_text().replace("active: no", "active: yes"))
        with pytest.raises(Exception, match="the goods are missing"):
            import_catalogue(catalogue)


def test_goods_and_pictures_are_found_by_name_in_a_folder_and_stay_in_later_imports(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    address = "https://old.example/wp-content/uploads/%D0%94%D0%BE%D0%B6%D0%B4%D1%8C.zip?token=1"
    values = {
        "Download_1_URL": address,
        "Images": "https://old.example/A.JPG, https://old.example/b.jpg",
    }
    file = write_table(record(1, **values))
    folder = file.parent / "uploads" / "2024"
    folder.mkdir(parents=True)
    (folder / "Дождь.zip").write_bytes(b"PK")
    Image.new("RGB", (40, 30), "teal").save(folder / "a.jpg")
    (folder / "b.jpg").write_bytes(b"no picture")

    first = bring(file, "--files", str(file.parent / "uploads"))
    again = bring(file)

    with app.app_context():
        product = find("product-1")
        assert first.exit_code == 0, first.output
        assert (product.active, product.delivery_kind) == (True, DeliveryKind.FILE)
        assert product.delivery_file.endswith("/Дождь.zip")
        assert [image.alt for image in product.images] == ["Product 1"]
        assert "a picture is not a" in first.output
        assert "Nothing is new" in again.output


@pytest.mark.parametrize("target", ["nowhere.zip", "../../../secret.env"])
def test_a_link_in_the_folder_that_leads_to_no_file_of_it_is_no_goods(
    app: Flask, write_table: WriteTable, bring: Bring, tmp_path: Path, target: str
) -> None:
    file = write_table(record(1, Download_1_URL="https://old.example/rain.zip"), record(2))
    (file.parent / "uploads").mkdir()
    (file.parent / "uploads" / target).resolve().parent.mkdir(parents=True, exist_ok=True)
    if target.startswith(".."):
        (file.parent / "uploads" / target).resolve().write_text("SECRET_KEY=")
    (file.parent / "uploads/rain.zip").symlink_to(target)

    result = bring(file, "--files", str(file.parent / "uploads"))

    with app.app_context():
        assert result.exit_code == 0, result.output
        assert "product-1: rain.zip" in result.output
        assert (find("product-1").active, find("product-1").delivery_file) == (False, "")
        assert find("product-2").active is False


def test_goods_that_come_later_put_the_product_on_sale(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    file = write_table(record(1, Download_1_URL="https://old.example/rain.zip"))
    bring(file)
    (file.parent / "uploads").mkdir()
    (file.parent / "uploads/rain.zip").write_bytes(b"PK")

    result = bring(file, "--files", str(file.parent / "uploads"))

    with app.app_context():
        assert "1 changed" in result.output
        assert find("product-1").active
        assert find("product-1").delivery_kind is DeliveryKind.FILE


def test_goods_that_were_put_in_here_are_not_taken_away_again(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    file = write_table(record(1))
    bring(file)
    with app.app_context(), transaction():
        product = find("product-1")
        product.delivery_text, product.active = "The goods.", True

    bring(write_table(record(1, Regular_price="15.00")))

    with app.app_context():
        product = find("product-1")
        assert (product.delivery_text, product.active) == ("The goods.", True)
        assert product.prices[0].minor == 1500


def test_the_folder_of_goods_has_to_be_beside_the_file(
    app: Flask, write_table: WriteTable, bring: Bring, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()

    result = bring(write_table(record(1)), "--files", str(tmp_path / "elsewhere"))

    assert result.exit_code == 1
    assert "has to be in the folder of the file" in result.output


def test_the_currency_is_asked_for_and_never_guessed(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    file = write_table(record(1))

    silent, foreign = bring(file, currency=""), bring(file, currency="PLN")
    other, signed = bring(file, currency="EUR"), bring(write_table(record(1, Regular_price="€12")))

    with app.app_context():
        assert "does not say which currency its prices are in. Say --currency USD" in silent.output
        assert "--currency PLN: this shop takes USD, " in foreign.output
        assert "--currency EUR: the base currency here is USD" in other.output
        assert "SHOP_BASE_CURRENCY=EUR" in other.output
        assert "records" not in other.output
        assert "'€12' is not in USD" in signed.output
        assert [each.exit_code for each in (silent, foreign, other, signed)] == [1, 2, 2, 1]
        assert slugs() == []


def test_a_product_that_cannot_be_taken_stops_no_other(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    file = write_table(record(1, Regular_price="9" * 12), record(2))

    result = bring(file)

    with app.app_context():
        assert "has a price of 999999999999.00 USD, which is too large" in result.output
        assert slugs() == ["product-2"]


def test_what_costs_nothing_there_is_free_here_and_the_plan_says_so(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    result = bring(write_table(record(1, Regular_price="0")))

    with app.app_context():
        assert "costs nothing there, and is free here" in result.output
        assert [price.minor for price in find("product-1").prices] == [0]


def test_a_product_of_several_files_is_carried_with_all_of_them_or_off_sale(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    addresses = {f"Download_{n}_URL": f"https://old.example/{n}.zip" for n in (1, 2)}
    file = write_table(record(1, **addresses))
    folder = file.parent / "uploads"
    folder.mkdir()
    (folder / "1.zip").write_bytes(b"PK")

    first = bring(file, "--files", str(folder))
    with app.app_context():
        assert "2.zip" in first.output
        assert not find("product-1").active
    (folder / "2.zip").write_bytes(b"PK2")
    bring(file, "--files", str(folder))
    again = bring(file, "--files", str(folder))

    with app.app_context():
        product = find("product-1")
        assert product.active
        assert [name.rpartition("/")[2] for name, _ in product.files] == ["1.zip", "2.zip"]
        assert "Nothing is new" in again.output


def test_what_our_own_import_would_refuse_is_known_before_it_is_promised(tmp_path: Path) -> None:
    values = {"slug": "rain", "title": "<b>Rain", "summary": "Rain.", "prices": {"USD": "1.00"}}

    with pytest.raises(Unfit, match="is refused by the catalogue: title is a plain text"):
        draft_of({**values, "delivery": {"text": "A"}}, tmp_path, "USD")


def test_long_texts_are_cut_at_a_word_and_stand_in_full_in_the_report(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    long = "word " * 60
    file = write_table(record(1, Name=long, Short_description=long))

    bring(file)

    with app.app_context():
        (slug,) = slugs()
        product = find(slug)
        assert product.title.endswith("word…")
        assert len(product.title) <= 120
        assert 200 < len(product.summary) <= 240
        assert [line[5] for line in report_of(file) if "is cut" in line[4]] == [long.strip()] * 2


def test_a_missing_summary_is_the_first_sentence_else_the_title(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    text = "<p>Forty minutes of rain. And a pier.</p>"
    bring(
        write_table(
            record(1, Short_description="", Description=text),
            record(2, Short_description="", Description=""),
        )
    )

    with app.app_context():
        assert find("product-1").summary == "Forty minutes of rain."
        assert find("product-2").summary == "Product 2"


def test_categories_are_made_for_what_is_carried_and_equal_leaves_get_their_parents(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    bring(
        write_table(
            record(1, Categories="Music, Music > Rock"),
            record(2, Categories="Books > Rock"),
            record(3, Categories="Uncategorized"),
            record(4, Categories="Left", Regular_price=""),
            record(5, Categories=r"Rain\, wind"),
        )
    )

    with app.app_context():
        titles = list(db.session.scalars(select(Category.title).order_by(Category.position)))
        assert titles == ["Music: Rock", "Books: Rock", "Rain, wind"]
        assert find("product-3").category is None


def test_old_addresses_lead_to_the_products_and_categories_that_came(
    app: Flask, client: FlaskClient, write_table: WriteTable, bring: Bring
) -> None:
    """In nopCommerce, every link from search engines was lost with the move."""
    keyed = {"Meta: lmfwc_licensed_product": "1", "Categories": "Games > At sea"}

    result = bring(write_table(record(41, Name="Harbour Rain", **keyed)))

    assert "4 addresses of the old shop will lead to these products" in result.output
    assert "of 1 product they are guessed from the title" in result.output
    for old in ("/?p=41", "/product/harbour-rain/", "/?post_type=product&p=41"):
        answer = client.get(old)
        assert (answer.status_code, answer.location) == (301, "/products/harbour-rain")
    assert client.get("/product-category/games/at-sea/").location == "/categories/at-sea"
    assert "Nothing is new" in bring(write_table(record(41, Name="Harbour Rain", **keyed))).output


def test_an_old_address_that_leads_elsewhere_already_stays(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    bring(write_table(record(41, Name="Rain")))

    result = bring(write_table(record(41, Name="Rain"), record(42, Name="Rain")))

    assert "/product/rain/ is to lead to /products/rain and to /products/rain-2" in result.output
    assert "1 added" in result.output


def test_a_plan_names_as_many_as_a_person_reads(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    records = [record(number, Categories=f"Shelf {number}") for number in range(1, 21)]

    plan = bring(write_table(*records), "--dry-run").output

    assert "new categories: Shelf 1, Shelf 2," in plan
    assert "Shelf 8, and 12 more" in plan
    assert "  product-8: not in the file\n  and 12 more" in plan


def test_cells_of_the_report_are_no_formulas(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    file = write_table(record(1, Name="'=HYPERLINK(1)"))

    bring(file)

    assert report_of(file)[1][2] == "'=HYPERLINK(1)"


def test_options_for_other_shops_files_are_not_passed_over_with_our_own(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text(
        "products:\n- {slug: a, title: A, summary: B, prices: {USD: 1.00}, delivery: {text: c}}\n"
    )

    result = runner.invoke(args=["products", "import", str(file), "--dry-run"])

    with app.app_context():
        assert result.exit_code == 2
        assert "--dry-run: only for files of other shops" in result.output
        assert slugs() == []


def test_what_fails_inside_the_transaction_leaves_nothing(
    app: Flask, write_table: WriteTable, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MovingError("The database does not hold what was imported.")

    monkeypatch.setattr("shop.catalogue.moving.service.remember", fail)

    result = bring(write_table(record(1)))

    with app.app_context():
        assert result.exit_code == 1
        assert slugs() == []
        assert db.session.scalar(select(func.count()).select_from(Price)) == 0


def test_the_names_of_files_steer_no_terminal(
    runner: FlaskCliRunner, write_table: WriteTable
) -> None:
    download = {"Download 1 name": "Book", "Download 1 URL": "b\x1b[31mook\n9 left:.pdf"}
    file = write_table(record(1, **download))

    plan = runner.invoke(
        args=["products", "import", str(file), "--currency=USD", "--dry-run"], color=True
    ).output

    assert "b[31mook 9 left:.pdf" in plan
    assert "\x1b" not in plan


@pytest.mark.parametrize("heading", ["Short description", "Excerpt"])
def test_a_short_description_that_is_long_begins_the_description_with_all_its_marks(
    app: Flask, bring: Bring, write_table: WriteTable, heading: str
) -> None:
    text = (
        "<p>Rain <b>&amp;</b> wind.</p><ul>"
        + "<li>On a roof of tin</li>" * 15
        + "</ul><p>The end</p>"
    )
    row = record(1) | {"Description": "<p>Recorded here.</p>"}
    if heading == "Excerpt":
        row = {"ID": "1", "Slug": "product-1", "Name": "A", "Status": "publish", "Price": "5"} | {
            "Description": "<p>Recorded here.</p>",
            "Files": "",
            "File Download Limit": "",
        }
    result = bring(write_table(row | {heading: text}))

    assert "its short description begins the description, as it is long: 1" in result.output
    assert "is cut" not in result.output
    with app.app_context():
        product = find("product-1")
        assert product.summary == "Rain & wind."
        assert product.description.startswith("Rain **&** wind.\n\n- On a roof of tin\n- On")
        assert product.description.endswith("- On a roof of tin\n\nThe end\n\nRecorded here.")


def test_what_happens_to_many_is_said_once_with_the_figures_of_each(
    bring: Bring, write_table: WriteTable
) -> None:
    rows = [record(n, Regular_price=f"{n + 9}.00", Sale_price=f"{n}.50") for n in range(1, 12)]

    plan = bring(write_table(*rows), "--dry-run", yes=False).output

    said = "costs what it does today, in a sale; its regular price is not carried: 11\n"
    assert plan.count(said) == 1
    assert "    row 2 1 (Product 1): 1.50, not 10.00\n" in plan
    assert "    and 3 more\n" in plan


def test_the_plan_counts_one_thing_as_one(bring: Bring, write_table: WriteTable) -> None:
    row = record(1, Type="simple", Downloads="") | {"Download 1 URL": "https://old.example/a.zip"}

    plan = bring(write_table(row), "--dry-run", yes=False).output

    assert "1 product: 0 for sale" in plan
    assert "1 product without goods" in plan
    assert "of 1 product they are guessed" in plan
    assert not re.search(r"\b1 (products|addresses)\b", plan)


def test_a_long_title_keeps_its_end_in_the_plan_where_options_differ(
    bring: Bring, write_table: WriteTable
) -> None:
    row = record(1, Name="The Complete Field Recordist and All of Her Tools: Studio, five seats")

    plan = bring(write_table(row | {"Type": "subscription"}), "--dry-run", yes=False).output

    assert (
        "is a subscription: 1\n    row 2 1 (The Complete Field Recordist and All…ols: Studio, five seats)"
        in plan
    )


def test_the_change_of_a_long_text_is_quoted_where_it_is(
    bring: Bring, write_table: WriteTable
) -> None:
    text = "<p>Recorded over three winters on the northern coast with two microphones, {}.</p>"
    bring(write_table(record(1, Description=text.format("before dawn"))))

    plan = bring(write_table(record(1, Description=text.format("at noon"))), "--dry-run", yes=False)

    assert (
        "  description: '…icrophones, before dawn.' becomes '…icrophones, at noon.'\n"
        in plan.output
    )
