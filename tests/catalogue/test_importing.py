"""A catalogue file makes the products that it says: all or nothing, and twice is once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shop.catalogue.files.reading import CatalogueFileError
from shop.catalogue.merging import merged_order
from shop.catalogue.models import DeliveryKind, Price, Product, ProductImage
from shop.catalogue.service import import_catalogue, return_stock, take_stock
from shop.catalogue.storage import Folder, StoredFile
from shop.config import Settings
from shop.db import db, end_read, transaction

from .conftest import ImportText, ProductText, Write, counted

IMAGES = "[{file: images/rain.jpg, alt: Rain on a roof}, {file: images/small.png, alt: A drop}]"


def find(slug: str) -> Product:
    end_read()
    return db.session.scalars(
        select(Product).where(Product.slug == slug).execution_options(populate_existing=True)
    ).one()


def everything() -> list[tuple[object, ...]]:
    """Every row that an import could touch."""
    end_read()
    rows: list[tuple[object, ...]] = []
    for table in (Product, Price, ProductImage):
        columns = table.__table__
        order = list(columns.primary_key)
        rows += [tuple(row) for row in db.session.execute(select(columns).order_by(*order))]
    return rows


def slugs() -> list[str]:
    end_read()
    return list(db.session.scalars(select(Product.slug).order_by(Product.position)))


def test_a_product_is_made_as_the_file_says(
    app: Flask, settings: Settings, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        report = import_text(
            product(
                prices="{USD: 12, GBP: 9.50}",
                stock="25",
                images=IMAGES,
                delivery="{file: files/rain.zip, text: Unpack it.}",
            )
        )

        rain = find("rain")
        assert report.added == ["rain"]
        assert {price.currency: price.minor for price in rain.prices} == {"USD": 1200, "GBP": 950}
        assert (rain.available, rain.active) == (25, True)
        assert [(i.alt, i.width, i.height) for i in rain.images] == [
            ("Rain on a roof", 1200, 900),
            ("A drop", 500, 300),
        ]
        assert (rain.delivery_kind, rain.delivery_text) == (DeliveryKind.FILE, "Unpack it.")
        goods = settings.shop_data_dir / "goods" / rain.delivery_file
        assert (goods.name, goods.read_bytes()) == ("rain.zip", b"PK rain")


@pytest.mark.parametrize("hours", [0, 12, 8760])
def test_how_late_money_may_come_is_a_products_own_figure_until_the_file_leaves_it_out(
    app: Flask, import_text: ImportText, product: ProductText, hours: int
) -> None:
    with app.app_context():
        import_text(product("rain", honour_late_hours=str(hours)))
        assert find("rain").honour_late_hours == hours

        report = import_text(product("rain"))

        assert report.changed == ["rain"]
        assert find("rain").honour_late_hours is None


def test_how_many_go_into_an_order_is_a_products_own_until_the_file_leaves_it_out(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product("rain", most_per_order="1"))
        assert find("rain").most_per_order == 1

        report = import_text(product("rain"))

        assert report.changed == ["rain"]
        assert find("rain").most_per_order is None


def test_the_terms_of_a_delivery_are_a_products_own_until_the_file_leaves_them_out(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    file, keys = "file: files/rain.zip", "keys: yes"
    with app.app_context():
        import_text(
            product("rain", delivery=f"{{{file}, downloads: 5, days: 30}}")
            + product("key", delivery=f"{{{keys}, low_stock: 10}}")
        )
        assert (find("rain").max_downloads, find("rain").download_days) == (5, 30)
        assert find("key").low_stock == 10

        report = import_text(
            product("rain", delivery=f"{{{file}}}") + product("key", delivery=f"{{{keys}}}")
        )

        assert report.changed == ["rain", "key"]
        assert (find("rain").max_downloads, find("rain").download_days) == (None, None)
        assert find("key").low_stock is None


def test_the_same_file_twice_changes_nothing(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    text = product("rain", stock="5", images=IMAGES) + product("key", delivery="{keys: yes}")
    with app.app_context():
        import_text(text)
        before = everything()

        report = import_text(text)

        assert (report.added, report.changed, report.unchanged) == ([], [], ["rain", "key"])
        assert everything() == before


def test_many_products_take_no_more_statements_than_a_few(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    def statements(title: str, number: int, prices: str = "{USD: 12, EUR: 11}") -> int:
        text = "".join(
            product(f"{title}-{n}", title=title, prices=prices, images=IMAGES)
            for n in range(number)
        )
        with app.app_context(), counted(app) as found:
            import_text(text)
        return len(found)

    few, many = statements("few", 2), statements("many", 200)
    few_changed = statements("few", 2, "{USD: 13}")
    many_changed = statements("many", 200, "{USD: 13}")

    assert (few, few_changed) == (many, many_changed)


def test_products_that_are_compared_in_turns_become_what_the_file_says(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    import_text: ImportText,
    product: ProductText,
) -> None:
    monkeypatch.setattr("shop.catalogue.service.AT_ONCE", 2)
    names = ["rain", "wind", "fog", "hail", "snow"]
    with app.app_context():
        import_text("".join(map(product, names)))
        before = everything()

        with pytest.raises(CatalogueFileError, match="line 28: category 'gone' is neither"):
            import_text(
                "".join(
                    product(name, title="New", category="gone" * (name == "snow")) for name in names
                )
            )
        assert everything() == before

        report = import_text("".join(product(name, title=f"{name} 2") for name in names[::-1]))
        assert report.changed == slugs() == names[::-1]
        assert {find(name).title for name in names} == {f"{name} 2" for name in names}


def test_a_bad_line_keeps_the_whole_file_out(
    app: Flask, settings: Settings, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product("rain"))
        before = everything()

        with pytest.raises(CatalogueFileError):
            import_text(
                product("rain", title="New") + product("fog", images=IMAGES, active="perhaps")
            )

        assert everything() == before
        assert not (settings.shop_data_dir / "media").exists()


def test_products_that_are_not_in_the_file_stay_as_they_are(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product("rain"))
        before = everything()

        import_text(product("wind"))

        assert [row for row in everything() if row in before] == before
        assert slugs() == ["rain", "wind"]


def test_what_the_file_leaves_out_is_taken_away(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product(prices="{USD: 12, EUR: 11}", images=IMAGES, description="Long."))

        report = import_text(product(prices="{USD: 13}"))

        rain = find("rain")
        assert report.changed == ["rain"]
        assert [(p.currency, p.minor) for p in rain.prices] == [("USD", 1300)]
        assert (rain.images, rain.description) == ([], "")


def test_images_may_change_places(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    first, second = "{file: images/rain.jpg, alt: One}", "{file: images/small.png, alt: Two}"
    with app.app_context():
        import_text(product(images=f"[{first}, {second}]"))

        import_text(product(images=f"[{second}, {first}]"))

        assert [image.alt for image in find("rain").images] == ["Two", "One"]
        assert db.session.scalar(select(func.count()).select_from(ProductImage)) == 2


def test_a_product_is_withdrawn_and_comes_back(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product(active="no"))
        assert not find("rain").active

        import_text(product())
        assert find("rain").active


class TestStock:
    """The file's figure is how many units were put on sale in all; what is left follows from it."""

    @pytest.fixture(autouse=True)
    def _inside(self, app: Flask, import_text: ImportText, product: ProductText) -> Iterator[None]:
        self.stock = lambda figure: import_text(product(stock=figure))
        with app.app_context():
            yield

    def sell(self, quantity: int) -> None:
        with transaction() as session:
            assert take_stock(session, find_id(session, "rain"), quantity)

    def test_an_unchanged_figure_does_not_bring_sold_units_back(self) -> None:
        self.stock("25")
        self.sell(10)

        report = self.stock("25")

        assert find("rain").available == 15
        assert report.unchanged == ["rain"]

    def test_a_raised_figure_adds_what_it_was_raised_by(self) -> None:
        self.stock("25")
        self.sell(10)

        self.stock("40")

        assert find("rain").available == 30

    def test_a_lowered_figure_takes_away_what_it_was_lowered_by(self) -> None:
        self.stock("25")
        self.sell(10)

        self.stock("10")

        assert find("rain").available == 0

    def test_a_figure_below_what_is_sold_is_refused(self) -> None:
        self.stock("25")
        self.sell(10)

        with pytest.raises(CatalogueFileError, match="line 8: stock 9 is less than the 10 units"):
            self.stock("9")

        assert find("rain").available == 15

    def test_units_that_come_back_may_be_sold_again(self) -> None:
        self.stock("25")
        self.sell(10)
        with transaction() as session:
            return_stock(session, find_id(session, "rain"), 4)

        self.stock("26")

        assert find("rain").available == 20

    def test_a_limit_counts_what_was_sold_before_it_was_set(self) -> None:
        self.stock("unlimited")
        self.sell(10)

        self.stock("25")
        assert find("rain").available == 15

        self.stock("unlimited")
        assert find("rain").available is None


def find_id(session: Session, slug: str) -> int:
    return session.scalars(select(Product.id).where(Product.slug == slug)).one()


def test_keys_start_at_none_and_an_import_leaves_their_number_alone(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product(delivery="{keys: yes}"))
        assert find("rain").available == 0
        with transaction() as session:
            session.execute(update(Product).values(available=50))

        import_text(product(title="Better rain", delivery="{keys: yes}"))

        assert find("rain").available == 50


@pytest.mark.parametrize(
    ("before", "after"), [("{keys: yes}", "{text: Hi}"), ("{text: Hi}", "{keys: yes}")]
)
def test_a_product_cannot_change_to_or_from_keys(
    app: Flask, import_text: ImportText, product: ProductText, before: str, after: str
) -> None:
    with app.app_context():
        import_text(product(delivery=before))

        with pytest.raises(CatalogueFileError, match="cannot change to or from licence keys"):
            import_text(product("new") + product(delivery=after))

        assert slugs() == ["rain"]


@pytest.mark.parametrize(
    ("known", "listed", "order"),
    [
        ("", "ab", "ab"),
        ("abc", "abc", "abc"),
        ("abc", "cba", "cba"),
        ("abc", "ca", "cba"),
        ("abc", "x", "abcx"),
        ("abc", "axbc", "axbc"),
        ("abc", "xabc", "xabc"),
        ("abc", "bxy", "abxyc"),
    ],
)
def test_the_shop_takes_the_order_of_the_file(known: str, listed: str, order: str) -> None:
    assert "".join(merged_order(known, listed)) == order
    assert "".join(merged_order(order, listed)) == order, "and keeps it the second time"


def test_the_order_is_found_without_comparing_each_product_with_each() -> None:
    compared = 0

    class Slug(str):
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    known, listed = ([Slug(f"p{n}") for n in numbers] for numbers in (range(200), range(100, 300)))

    assert merged_order(known, listed) == [f"p{n}" for n in range(300)]
    assert compared < 300 * 10


def test_a_catalogue_of_our_own_needs_no_library_that_reads_other_shops_files(
    runner: FlaskCliRunner, write: Write, product: ProductText, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take a tenth of a second to load."""
    monkeypatch.setitem(sys.modules, "shop.catalogue.moving.systems", None)

    result = runner.invoke(args=["products", "import", str(write(product()))])

    assert "1 added" in result.output


def test_the_command_says_what_it_did_and_what_is_wrong(
    app: Flask, runner: FlaskCliRunner, write: Write, product: ProductText
) -> None:
    good = runner.invoke(args=["products", "import", str(write(product()))])
    bad = runner.invoke(args=["products", "import", str(write(product(prices="{USD: abc}")))])

    assert (good.exit_code, good.output) == (0, "1 added, 0 changed, 0 unchanged.\n")
    assert bad.exit_code == 1
    assert "catalogue.yaml, line 6: price 'abc' of USD is not an amount" in bad.output
    assert "nothing was changed" in bad.output


def test_goods_are_found_by_their_content_and_keep_their_name(
    app: Flask, settings: Settings, folder: Path, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product(delivery="{file: files/rain.zip}"))
        first = find("rain").delivery_file
        (folder / "files/rain.zip").write_bytes(b"PK better rain")

        import_text(product(delivery="{file: files/rain.zip}"))

        second = find("rain").delivery_file
        assert first != second
        assert Path(first).name == Path(second).name == "rain.zip"
        assert (settings.shop_data_dir / "goods" / first).exists(), "earlier buyers may need it"


def test_files_are_written_before_the_transaction_opens(
    app: Flask, import_text: ImportText, product: ProductText, monkeypatch: pytest.MonkeyPatch
) -> None:
    def store(folder: Folder, source: Path) -> StoredFile:
        assert not db.session.info.get("writing")
        return StoredFile("hash/rain.zip", 7)

    monkeypatch.setattr(Folder, "store", store)
    with app.app_context():
        import_text(product(delivery="{file: files/rain.zip}"))

        assert find("rain").delivery_file == "hash/rain.zip"


def test_a_missing_file_is_the_commands_to_explain(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["products", "import", "nowhere.yaml"])

    assert result.exit_code == 2
    assert "does not exist" in result.output


def test_import_returns_what_it_did(app: Flask, write: Write, product: ProductText) -> None:
    with app.app_context():
        report = import_catalogue(write(product("a") + product("b")))

    assert report.added == ["a", "b"]
