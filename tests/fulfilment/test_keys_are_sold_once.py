"""A licence key is one key, whatever product it is put under and however it is typed: it is sold once."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import delete, select, text

from shop.attention.queries import open_attention
from shop.because import Because
from shop.books.checks import discrepancies
from shop.catalogue.models import DeliveryKind, Product
from shop.db import db, end_read, transaction
from shop.fulfilment import copies
from shop.fulfilment.copies import NAMED, KeysRefused
from shop.fulfilment.keys import normal_key
from shop.fulfilment.models import LicenceKey
from shop.fulfilment.reissue import reissue
from shop.payments.by_hand import refund_order
from shop.schema import migrations
from tests.factories import add_keys, make_open_order, make_product
from tests.support.crowd import at_once
from tests.support.sold import sell, unsold_keys

ASKED = Because("asked", "Ann")


def make_keyed(keys: int = 0) -> Product:
    return make_product(kind=DeliveryKind.KEY, keys=keys)


def stock(product: Product) -> tuple[int, int | None]:
    """Keys nobody has, and units on sale."""
    end_read()
    return unsold_keys(product.id), product.available


def refused(product: Product, *lines: str, case_sensitive: bool = False) -> list[str]:
    before = stock(product)
    with pytest.raises(KeysRefused) as error:
        add_keys(product, lines, case_sensitive=case_sensitive)
    assert stock(product) == before, "none of the file is put into stock"
    return error.value.problems


@pytest.mark.parametrize("typed", [
    "AAAA-BBBB", "  AAAA-BBBB\t", "aaaa-bbbb", "AAAA BBBB", "AAAABBBB", "AAAA - BBBB",
    "AAAA\N{EN DASH}BBBB", "AAAA\N{MINUS SIGN}BBBB", "AAAA\N{NON-BREAKING HYPHEN}BBBB",
    "AAAA\N{FULLWIDTH HYPHEN-MINUS}BBBB", "AAAA\N{SOFT HYPHEN}BBBB", "AAAA\N{NO-BREAK SPACE}BBBB",
    "\N{FULLWIDTH LATIN CAPITAL LETTER A}AAA-BBBB",
])  # fmt: skip
def test_a_key_of_one_product_is_refused_for_another_however_it_is_typed(
    app: Flask, typed: str
) -> None:
    with app.app_context():
        rain, storm = make_keyed(), make_keyed()
        add_keys(rain, ["AAAA-BBBB"])

        problems = refused(storm, "NEW-1", "", typed)

        assert problems == [f"Line 3 is a key of {rain.title} ({rain.slug})."]


def test_a_key_that_was_sold_replaced_or_refunded_is_never_put_into_stock_again(
    app: Flask,
) -> None:
    with app.app_context():
        rain, storm = make_keyed(), make_keyed()
        add_keys(rain, ["SOLD", "REPLACED", "REFUNDED", "SPARE"])
        sell(app, rain)
        reissue(sell(app, rain), ASKED, position=1, unit=None)
        refund_order(sell(app, rain), ASKED, transaction_id="0xfeed")

        for line in ("sold", "replaced", "refunded", "spare"):
            assert refused(storm, line) == [f"Line 1 is a key of {rain.title} ({rain.slug})."]


def test_the_same_file_again_is_calm_and_another_spelling_is_refused(app: Flask) -> None:
    with app.app_context():
        rain = make_keyed()
        assert add_keys(rain, ["A-1", "", "B-2", "A-1"]) == (2, 0)

        assert add_keys(rain, ["A-1", "", "B-2", "A-1"]) == (0, 2)
        assert add_keys(rain, [" B-2 ", "C-3"]) == (1, 1)

        assert refused(rain, "D-4", "a1") == ["Line 2 is a key of this product, typed otherwise."]
        assert refused(rain, "E-5", "", "e5") == ["Line 3 is the key of line 1, typed otherwise."]
        assert stock(rain) == (3, 3)


def test_many_refused_keys_are_named_up_to_a_number(app: Flask) -> None:
    with app.app_context():
        rain, storm = make_keyed(), make_keyed()
        lines = [f"K-{number:04}" for number in range(1500)]
        add_keys(rain, lines)

        problems = refused(storm, *lines)

        assert len(problems) == NAMED + 1
        assert problems[-1] == f"So it is with {1500 - NAMED} more."
        assert len(refused(storm, *lines[:NAMED])) == NAMED, "each is named"


def test_a_file_of_many_keys_is_compared_with_the_stock_to_its_end(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In turns, because databases take only some thousands of values at once."""
    monkeypatch.setattr(copies, "AT_ONCE", 2)
    with app.app_context():
        rain = make_keyed()
        lines = [f"K-{number}" for number in range(7)]

        assert add_keys(rain, lines) == (7, 0)

        with transaction() as session:
            asked = [*lines[1:], "NEW-1"]
            assert copies.keys_there(session, rain.id, asked) == set(lines[1:])
            assert copies.keys_known(session, asked, case_sensitive=False) == set(lines[1:])


def test_a_key_that_copies_two_others_is_refused_as_any_copy(app: Flask) -> None:
    """One by its letters alone, and one by its capitals, too."""
    with app.app_context():
        rain = make_keyed()
        add_keys(rain, ["ABC-1"], case_sensitive=True)
        assert add_keys(rain, ["abc-1"]) == (1, 0)

        assert refused(make_keyed(), "A B C 1") == [
            f"Line 1 is a key of {rain.title} ({rain.slug})."
        ]


def test_case_counts_only_where_the_merchant_says_so(app: Flask) -> None:
    with app.app_context():
        rain, storm = make_keyed(), make_keyed()
        assert add_keys(rain, ["aBc-1", "AbC-1"], case_sensitive=True) == (2, 0)

        assert add_keys(rain, ["aBc-1", "AbC-1"]) == (0, 2), "remembered with each key"
        for sensitive in (True, False):
            (problem,) = refused(storm, "aBc 1", case_sensitive=sensitive)
            assert problem == f"Line 1 is a key of {rain.title} ({rain.slug})."
        assert add_keys(storm, ["ABC-1"], case_sensitive=True) == (1, 0)


def test_a_normal_key_is_normal_already() -> None:
    for letter in map(chr, range(1, 0x3000)):
        if unicodedata.category(letter) not in ("Cn", "Cs"):
            normal = normal_key(f"a{letter}b")
            assert normal_key(normal) == normal, hex(ord(letter))
    assert normal_key("---") == "---", "a key of dashes is a key"


def two_imports(app: Flask) -> list[str]:
    """The same keys for two products at the same moment, in another order: what became of each."""
    with app.app_context():
        slugs = [make_keyed().slug for _ in range(2)]
        end_read()
    keys = [f"K-{number:03}" for number in range(200)]

    def put(turn: int) -> str:
        with app.app_context():
            product = db.session.scalars(select(Product).where(Product.slug == slugs[turn])).one()
            try:
                add_keys(product, keys[:: 1 - 2 * turn])
            except KeysRefused:
                return "refused"
            return "added"

    return sorted(at_once(2, put))


def test_of_two_imports_of_the_same_keys_at_once_one_is_refused(app: Flask) -> None:
    assert two_imports(app) == ["added", "refused"]


def test_without_the_databases_rule_both_imports_would_win(app: Flask) -> None:
    """The control."""
    with app.app_context(), transaction() as session:
        for name in ("exact", "folded"):
            session.execute(text(f"DROP INDEX uq_licence_keys_{name}"))

    assert two_imports(app) == ["added", "added"]


class OldShop:
    """A shop from before copies were refused."""

    def __init__(self) -> None:
        self.step = next(
            step
            for step in migrations().script_directory.walk_revisions()
            if step.path.endswith("keys_are_unique.py")
        )
        end_read()
        migrations().downgrade(self.step.down_revision)

    def adds(self, product_id: int, *values: str) -> None:
        with transaction() as session:
            for value in values:
                given = {"p": product_id, "v": value, "t": datetime.now(UTC).replace(tzinfo=None)}
                session.execute(
                    text(
                        "INSERT INTO licence_keys (product_id, value, added_at) VALUES (:p, :v, :t)"
                    ),
                    given,
                )
            session.execute(
                text("UPDATE products SET available = available + :n WHERE id = :p"),
                {"n": len(values), "p": product_id},
            )

    def is_upgraded(self) -> None:
        end_read()
        migrations().upgrade()


def test_an_upgrade_takes_unsold_copies_off_sale_and_tells_of_them(app: Flask) -> None:
    with app.app_context():
        rain, storm = make_keyed(), make_keyed()
        add_keys(rain, ["SOLD-1", "FREE-1"])
        sell(app, rain)
        storm_id = storm.id  # before the upgrade, its row lacks columns that the model has
        shop = OldShop()
        shop.adds(storm_id, "sold 1", "FREE-1", "OWN-1")
        shop.is_upgraded()

        assert (stock(rain), stock(storm)) == ((1, 1), (1, 1))
        (item,) = open_attention()
        assert (item.kind, item.reference) == ("keys_copied", f"product-{storm.id}")
        assert item.note == (
            f"Of the licence keys of {storm.slug}, 2 are copies of keys of {rain.slug}: "
            "2 that nobody has got are off sale now, 0 were sold."
        )
        assert list(discrepancies()) == [], "the stock adds up"
        bought = sell(app, storm)
        end_read()
        sold = select(LicenceKey.value).where(LicenceKey.delivery_id.is_not(None))
        assert sorted(db.session.scalars(sold)) == ["OWN-1", "SOLD-1"]
        assert bought.fulfilled_at


def test_new_keys_are_no_change_of_the_product(app: Flask) -> None:
    """Search engines and caches would ask for a page anew whose words are the same."""
    with app.app_context():
        rain = make_keyed(1)
        changed = rain.updated_at

        add_keys(rain, ["NEW-1", "NEW-2"])

        db.session.refresh(rain)
        assert (stock(rain), rain.updated_at) == ((3, 3), changed)


def test_a_copy_that_an_order_holds_is_replaced_by_the_next_key_and_the_stock_adds_up(
    app: Flask,
) -> None:
    with app.app_context():
        rain, storm = make_keyed(1), make_keyed(1)
        make_open_order(app, storm)
        shop = OldShop()
        with transaction() as session:
            session.execute(text("UPDATE licence_keys SET value = 'THE-SAME'"))
        shop.is_upgraded()
        assert (stock(rain), stock(storm)) == ((1, 1), (0, 0))
        assert [finding.kind for finding in discrepancies()] == ["wrong_stock"], (
            "one more than there is"
        )

        add_keys(storm, ["NEW-1"])

        assert stock(storm) == (1, 0), "it is for the order that waits"
        assert list(discrepancies()) == []


def test_an_upgrade_names_the_orders_that_have_got_the_same_key(app: Flask) -> None:
    with app.app_context():
        rain, storm = make_keyed(1), make_keyed(1)
        numbers = sorted([sell(app, rain).number, sell(app, storm).number])
        shop = OldShop()
        with transaction() as session:
            session.execute(text("UPDATE licence_keys SET value = 'THE-SAME'"))
        shop.is_upgraded()

        (item,) = open_attention()
        assert item.note.endswith(
            f"0 that nobody has got are off sale now, 1 were sold twice, in the orders {', '.join(numbers)}."
        )
        assert list(discrepancies()) == []


def test_an_upgrade_of_a_shop_without_keys_or_copies_tells_nothing(app: Flask) -> None:
    with app.app_context():
        rain = make_keyed(3)
        OldShop().is_upgraded()
        assert (open_attention(), stock(rain)) == ([], (3, 3))
        with pytest.raises(KeysRefused):
            add_keys(make_keyed(), [db.session.scalars(select(LicenceKey.value)).first() or ""])
        with transaction() as session:
            session.execute(delete(LicenceKey))
        OldShop().is_upgraded()
        assert open_attention() == []
