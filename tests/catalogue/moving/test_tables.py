"""A table is read as the program that wrote it meant it: its letters, its cells, its records."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shop.catalogue.moving.found import MovingError
from shop.catalogue.moving.table import Table, read_table, unguarded

KNOWN = {"name", "regular price", "опубликован", "veröffentlicht"}


def score(heading: Sequence[str]) -> int:
    return len(KNOWN & {name.strip("\ufeff ").casefold() for name in heading})


def read(text: str | bytes, encoding: str = "") -> Table:
    content = text.encode() if isinstance(text, str) else text
    return read_table(content, score, encoding)


def cells(text: str | bytes) -> list[list[str]]:
    return [record.cells for record in read(text).records]


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_the_separator_is_the_one_that_makes_names_known(sign: str) -> None:
    text = f'Name{sign}Regular price\n"A, b; c\td"{sign}12\n'

    assert cells(text) == [["A, b; c\td", "12"]]


def test_a_first_line_may_name_the_separator() -> None:
    assert cells("sep=|\r\nName|Regular price\r\nRain|12\r\n") == [["Rain", "12"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_hides_no_first_column(encoding: str) -> None:
    table = read("Name;Regular price\nMüll;12\n".encode(encoding))

    assert table.heading == ["Name", "Regular price"]
    assert table.records[0].cells == ["Müll", "12"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Name;Veröffentlicht\nGrüße;1\n", "cp1252"),
        ("Name;Опубликован\nДождь;1\n", "cp1251"),
        ("Name;Regular price\nДождь в гавани;1\n", "cp1251"),
        ("Name;Regular price\nDéjà vu à la carte;1\n", "cp1252"),
    ],
)
def test_what_excel_saved_in_an_old_encoding_is_read_and_the_guess_is_shown(
    text: str, encoding: str
) -> None:
    table = read(text.encode(encoding))

    name = text.splitlines()[1].split(";")[0]
    assert table.records[0].cells[0] == name
    for said in (f"most likely {encoding}: ", name.split()[0], "--encoding"):
        assert said in table.read_as[0]


def test_the_encoding_may_be_said() -> None:
    content = "Name;Regular price\nДождь;1\n".encode("koi8-r")

    assert read(content, "koi8-r").records[0].cells[0] == "Дождь"
    with pytest.raises(MovingError, match="no encoding klingon"):
        read(content, "klingon")
    with pytest.raises(MovingError, match="not utf-8: byte 20"):
        read(content, "utf-8")


def test_letters_in_two_pieces_become_one() -> None:
    assert cells("Name,Regular price\nи\u0306од,1\n") == [["йод", "1"]]


def test_line_breaks_in_a_text_make_no_record_and_rows_are_those_of_a_spreadsheet() -> None:
    """In WooCommerce, each line of a description became a product."""
    table = read('Name,Regular price\r\n"A\nb\n\nc",1\r\n\r\nD,2\r\n')

    assert [(record.row, record.cells[0]) for record in table.records] == [
        (2, "A\nb\n\nc"),
        (4, "D"),
    ]


def test_a_heading_with_a_line_break_or_a_no_break_space_is_known_all_the_same() -> None:
    """In WooCommerce, the column was skipped in silence."""
    assert read('Name,"Regular\n price\u00a0"\nA,1\n').heading == ["Name", "Regular price"]


def test_a_record_of_too_few_or_too_many_cells_is_named_with_the_likely_cause() -> None:
    """In WooCommerce, a missing quote shifted all, and products were called "Product"."""
    table = read("Name,Regular price\nA,1\nB\nC,1,2\nD,4,,\n")

    assert [record.cells for record in table.records] == [["A", "1"], ["D", "4"]]
    assert [str(left.where) for left in table.broken] == ["row 3 B", "row 4 C"]
    assert table.broken[1].reason == (
        "has 3 cells where the heading has 2: is a quote or a comma missing?"
    )


def test_an_unclosed_quotation_mark_does_not_swallow_the_rest_in_silence() -> None:
    with pytest.raises(MovingError, match=r"row 3, the one after “Rain” on: a quotation mark"):
        read('Name,Regular price\nRain,1\n"Snow,2\nHail,3\n')


def test_zero_bytes_and_files_without_end_are_refused() -> None:
    with pytest.raises(MovingError, match="zero bytes"):
        read("Name,Regular price\nA\0,1\n")
    with pytest.raises(MovingError, match="larger than 64 MB"):
        read(b"x" * (64 * 1024**2 + 1))
    with pytest.raises(MovingError, match="larger than 4 MB"):
        read(f"Name,Regular price\n{'x' * (4 * 1024**2 + 1)},1\n")


def test_a_cell_larger_than_a_readers_usual_bound_is_read() -> None:
    assert cells(f"Name,Regular price\n{'x' * 200_000},1\n") == [["x" * 200_000, "1"]]


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("'-1", "-1"),
        ("'=A1", "=A1"),
        ("'+7", "+7"),
        ("'@home", "@home"),
        ("'tis", "'tis"),
        ("''", "''"),
    ],
)
def test_the_guard_against_formulas_is_taken_off_and_no_other_apostrophe(
    cell: str, meant: str
) -> None:
    assert unguarded(cell) == meant
