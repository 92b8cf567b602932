"""A catalogue file with mistakes in it is refused, and every mistake is named with its line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from shop.catalogue.files import importing, reading
from shop.catalogue.files.importing import read_catalogue
from shop.catalogue.files.reading import MAX_BYTES, CatalogueFileError

GOOD = """\
products:
- slug: rain
  title: Rain
  summary: Forty minutes of rain.
  prices:
    USD: 12.00
  stock: 25
  delivery:
    text: Thank you
"""


def problems(path: Path, content: str | bytes) -> list[str]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(CatalogueFileError) as caught:
        read_catalogue(path, "USD")
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "catalogue.yaml"


def test_the_good_file_is_good(path: Path) -> None:
    path.write_text(GOOD)

    (entry,) = read_catalogue(path, "USD").products

    assert (entry.slug, entry.prices, entry.stock, entry.active) == (
        "rain",
        {"USD": 1200},
        25,
        True,
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("12.00", "abc", "line 6: price 'abc' of USD is not an amount; write it like 10.50"),
        ("12.00", "1,50", "line 6: price '1,50' of USD is not an amount; write it like 10.50"),
        ("12.00", "1e3", "line 6: price '1e3' of USD is not an amount; write it like 10.50"),
        ("12.00", "-1", "line 6: price '-1' of USD is not an amount; write it like 10.50"),
        ("12.00", "1.005", "line 6: price '1.005' of USD has more than 2 decimal places for USD"),
        (
            "USD: 12.00",
            "USD: 0.00\n    EUR: 5",
            "line 6: a price of 0 makes a product free, and then in every currency; USD is 0, others are not",
        ),
        (
            "USD: 12.00",
            "USD: 12.00\n    EUR: 0",
            "line 7: a price of 0 makes a product free, and then in every currency; EUR is 0, others are not",
        ),
        ("12.00", "-0.00", "line 6: price '-0.00' of USD is not an amount; write it like 10.50"),
        ("12.00", "99999999999999999", "line 6: price '99999999999999999' of USD is too large"),
        (
            "12.00",
            "1000000000.01",
            "line 6: price '1000000000.01' of USD is too large; 1000000000.00 is the most",
        ),
        ("12.00", "[1]", "line 6: a price must be a single value"),
        ("USD: 12.00", "EUR: 12.00", "line 6: prices have no USD, the base currency"),
        (
            "USD: 12.00",
            "USD: 12.00\n    BTC: 1",
            "line 7: unknown key 'BTC' in prices; known: USD, RUB, EUR, GBP, UAH",
        ),
        (
            "USD: 12.00",
            "USD: 12.00\n    USD: 13.00",
            "line 7: 'USD' is given twice; leave only one of them",
        ),
        (
            "slug: rain",
            "slug: Rain!",
            "line 2: slug 'Rain!' may hold only a-z, 0-9 and single hyphens between them",
        ),
        ("slug: rain", "slug: " + "r" * 81, "line 2: slug has 81 characters; 80 is the most"),
        ("title: Rain", "title:", "line 3: title is empty"),
        ("title: Rain", "title: ~", "line 3: title is empty"),
        (
            "title: Rain",
            "title: A &#8211; B",
            "line 3: title is a plain text, and buyers would read '&#8211;'",
        ),
        ("title: Rain", "title: Tea &amp; cake", "line 3: title is a plain text"),
        (
            "title: Rain",
            "title: Tea<br/>cake",
            "line 3: title is a plain text, and buyers would read '<br/>'",
        ),
        ("summary: Forty", 'summary: "<p class=x>Hi</p>" #', "line 4: summary is a plain text"),
        ("summary: Forty", "summary: <!-- wp:x --> Forty", "line 4: summary is a plain text"),
        (
            "stock: 25",
            "images: [{file: images/rain.jpg, alt: 'A &quot;B&quot;'}]",
            "line 7: alt is a plain text",
        ),
        ("slug: rain", "slug: null", "line 2: slug is empty"),
        ("summary: Forty minutes of rain.", "summary: NULL", "line 4: summary is empty"),
        ("USD: 12.00", "USD: ~", "line 6: price '' of USD is not an amount"),
        ("stock: 25", "stock: null", "line 7: stock '' is not a whole number or `unlimited`"),
        ("stock: 25", "active: ~", "line 7: active is ''; write yes or no"),
        ("text: Thank you", "text: Null", "line 9: delivery needs a text, a file or keys"),
        ("text: Thank you", "file: ~", "line 9: goods file is empty"),
        ("title: Rain", "title: " + "x" * 121, "line 3: title has 121 characters; 120 is the most"),
        ("title: Rain", 'title: "a\\nb"', "line 3: title must be on one line"),
        ("title: Rain", 'title: "a\\0b"', "line 3: title holds a control character"),
        ("  title: Rain\n", "", "line 2: the product has no title"),
        ("stock: 25", "stock: many", "line 7: stock 'many' is not a whole number or `unlimited`"),
        ("stock: 25", "stock: 2.5", "line 7: stock '2.5' is not a whole number or `unlimited`"),
        ("stock: 25", "stock: -1", "line 7: stock '-1' is not a whole number or `unlimited`"),
        (
            "stock: 25",
            "stock: 99999999999",
            "line 7: stock '99999999999' is not a whole number or `unlimited`",
        ),
        (
            "stock: 25",
            "stock: 25\n  stock: 26",
            "line 8: 'stock' is given twice; leave only one of them",
        ),
        ("stock: 25", "active: maybe", "line 7: active is 'maybe'; write yes or no"),
        *(
            (
                "stock: 25",
                f"honour_late_hours: {text}",
                f"line 7: honour_late_hours '{text}' is not a whole number from 0 to 8760",
            )
            for text in ("8761", "-1", "1.5", "", "never", "1e3", "\u0663", "9" * 30)
        ),
        *(
            (
                "stock: 25",
                f"most_per_order: {text}",
                f"line 7: most_per_order '{text}' is not a whole number from 1 to 99",
            )
            for text in ("0", "100", "-1", "1.5", "one")
        ),
        *(
            (
                "text: Thank you",
                f"file: files/rain.zip\n    {name}: {text}",
                f"line 10: {name} '{text}' is not a whole number from 1 to {largest}",
            )
            for name, largest in (("downloads", 1000), ("days", 3650))
            for text in ("0", "-1", "1.5", "unlimited", str(largest + 1))
        ),
        (
            "text: Thank you",
            "text: Thank you\n    downloads: 5",
            "line 10: downloads is for a delivery by file; leave it out",
        ),
        (
            "text: Thank you",
            "file: files/rain.zip\n    low_stock: 5",
            "line 10: low_stock is for a delivery by key; leave it out",
        ),
        ("stock: 25", "honour_late_hours: [1]", "line 7: honour_late_hours must be a single value"),
        (
            "text: Thank you",
            "keys: yes",
            "line 7: stock of licence keys is the number of unsold keys; leave it out",
        ),
        ("    text: Thank you", "    {}", "line 9: delivery needs a text, a file or keys"),
        ("text: Thank you", "text: ''", "line 9: the delivery's text is empty"),
        ("text: Thank you", "keys: no", "line 9: keys can only be yes; else leave it out"),
        ("text: Thank you", "file: no.zip", "line 9: goods file 'no.zip' does not exist"),
        ("text: Thank you", "file: files", "line 9: goods file 'files' is not a file"),
        (
            "text: Thank you",
            "file: ../../etc/passwd",
            "line 9: goods file '../../etc/passwd' is outside the catalogue file's folder",
        ),
        (
            "text: Thank you",
            "file: /etc/passwd",
            "line 9: goods file '/etc/passwd' is outside the catalogue file's folder",
        ),
        (
            "text: Thank you",
            "file: files/link",
            "line 9: goods file 'files/link' is outside the catalogue file's folder",
        ),
        (
            "text: Thank you",
            "file: files/empty",
            "line 9: goods file 'files/empty' is empty",
        ),
        (
            "stock: 25",
            "images: [{file: images/gone.jpg, alt: Rain}]",
            "line 7: image 'images/gone.jpg' does not exist",
        ),
        (
            "stock: 25",
            "images: [{file: files/rain.zip, alt: Rain}]",
            "line 7: image 'rain.zip' is not an image (JPEG, PNG, WEBP, GIF)",
        ),
        (
            "stock: 25",
            "images: [{file: images/rain.jpg}]",
            "line 7: the image has no alt",
        ),
        (
            "stock: 25",
            "images: images/rain.jpg",
            "line 7: images must be a list, each item after a `- `",
        ),
        (
            "title: Rain",
            "title: &a Rain",
            "line 3: anchors and aliases (&name, *name) are not used",
        ),
        ("title: Rain", "title: !!python/name:os.system Rain", "line 3: tags such as"),
        ("title: Rain", "title: Rain: hard", "line 3: is not YAML: mapping values are not allowed"),
        ("title: Rain", "title: [Rain", "line 4: is not YAML"),
        (
            "text: Thank you",
            "{file: files/rain.zip, markdown: yes}",
            "line 9: markdown is for a delivery by text; leave it out",
        ),
        ("text: Thank you", "{text: A, markdown: maybe}", "line 9: markdown is 'maybe'; write yes"),
        ("text: Thank you", "text: ' '", "line 9: the delivery's text is empty"),
        ("title: Rain", "title: \x07", "line 3: holds a control character"),
        ("title: Rain", "title: " + "[" * 5000, "line 3: is nested too deeply"),
        (
            "stock: 25",
            "tilte: Rain",
            "line 7: unknown key 'tilte' in the product; known: slug, title",
        ),
        (
            "products:",
            "items:",
            "line 1: unknown key 'items' in the file; known: categories, products",
        ),
        (
            "products:\n",
            "products:\n- Rain\n",
            "line 2: the product must be written as `key: value`",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(
    path: Path, folder: Path, old: str, new: str, problem: str
) -> None:
    (folder / "files/link").symlink_to("/etc/passwd")
    (folder / "files/empty").touch()

    found = problems(path, GOOD.replace(old, new, 1))

    assert any(line.startswith(problem) for line in found), found


@pytest.mark.parametrize("nothing", ["", "~", "null", "Null", "NULL"])
def test_nothing_is_as_left_out_where_no_money_and_no_goods_hang_on_it(
    path: Path, nothing: str
) -> None:
    file = f"categories:\n- {{slug: a, title: A, summary: {nothing}}}\n{GOOD}"
    for key in ("category", "description", "images"):
        file += f"  {key}: {nothing}\n"
    path.write_text(file)
    found = read_catalogue(path, "USD")
    path.write_text(GOOD)

    (entry,), (plain,) = found.products, read_catalogue(path, "USD").products
    assert entry == plain
    assert found.categories[0].summary == ""


@pytest.mark.parametrize(
    "title",
    ["R&D", "AT&T; and more", "a < b > c", "List<String>", "<3", "5 > 4 & 3;", "<Untitled>"],
)
def test_signs_that_are_no_html_are_a_text(path: Path, title: str) -> None:
    path.write_text(GOOD.replace("title: Rain", f"title: '{title}'"))

    (entry,) = read_catalogue(path, "USD").products

    assert entry.title == title


@pytest.mark.parametrize(
    "text",
    ["<p>Hi</p>", "A<br>B", "A\n\n<!-- B -->\n", "- **<b>A</b>**", "## <i>A</i>", "[<u>A</u>](b)"],
)
@pytest.mark.parametrize("beside", ["markdown: yes", "keys: yes", "file: files/rain.zip"])
def test_html_in_markdown_is_refused_by_line(path: Path, text: str, beside: str) -> None:
    said = json.dumps(text)
    file = GOOD.replace("text: Thank you", f"{beside}\n    text: {said}").replace(
        "  stock: 25\n", ""
    )

    found = problems(path, f"{file}  description: {said}\n")

    assert len(found) == 2
    assert found[0].startswith("line 9: the delivery's text is Markdown, and buyers would read '<")
    assert found[1].startswith("line 10: description is Markdown, and buyers would read '<")


@pytest.mark.parametrize(
    "text",
    [
        *("Write `<br>` for a break.", "```\n<p>A</p>\n```", r"\<p>", "&lt;p&gt; &amp; &#8211;"),
        *("a < b > c", "A List<String>.", "<https://a.example>", "<Untitled>", "    <p>A</p>"),
    ],
)
def test_signs_that_are_no_html_in_markdown_are_a_text(path: Path, text: str) -> None:
    said = json.dumps(f"A.\n\n{text}")
    path.write_text(f"{GOOD}  description: {said}\n")

    (entry,) = read_catalogue(path, "USD").products

    assert entry.description == f"A.\n\n{text}"


def test_html_that_is_the_goods_is_no_markup(path: Path) -> None:
    path.write_text(GOOD.replace("Thank you", "<p>Hi</p>"))

    assert read_catalogue(path, "USD").products[0].delivery.text == "<p>Hi</p>"


def test_a_text_in_quotes_that_says_null_is_a_text(path: Path) -> None:
    path.write_text(GOOD.replace("Rain", "'null'").replace("Thank you", '"~"'))

    (entry,) = read_catalogue(path, "USD").products

    assert (entry.title, entry.delivery.text) == ("null", "~")


def test_every_mistake_is_named_at_once_in_the_order_of_lines(path: Path) -> None:
    bad = GOOD.replace("slug: rain", "slug: RAIN").replace("12.00", "abc").replace("25", "few")

    assert [line.partition(":")[0] for line in problems(path, bad)] == [
        "line 2",
        "line 6",
        "line 7",
    ]


def test_a_slug_may_stand_in_a_file_once(path: Path) -> None:
    twice = GOOD + GOOD.removeprefix("products:\n")

    assert problems(path, twice) == ["line 10: slug 'rain' is used in line 2 already"]


@pytest.mark.parametrize("content", ["", "\n", "# nothing\n", "---\n"])
def test_an_empty_file_is_refused(path: Path, content: str) -> None:
    assert problems(path, content)[0].startswith("line 1: ")


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(path: Path) -> None:
    latin = GOOD.replace("Rain\n", "Régen\n").encode("latin-1")

    assert problems(path, latin) == ["line 3: is not UTF-8; save the file as UTF-8"]


def test_a_second_document_is_refused(path: Path) -> None:
    assert problems(path, GOOD + "---\nproducts: []\n") == [
        "line 10: a second document starts here; a file holds one"
    ]


def test_a_file_of_aliases_of_aliases_is_refused_in_no_time(path: Path) -> None:
    laughs = "a0: &a0 lol\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30)
    )

    assert "anchors and aliases" in problems(path, laughs)[0]


def test_an_endless_file_is_refused_unread_and_may_come_in_parts(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**33)

    with pytest.raises(CatalogueFileError) as caught:
        read_catalogue(path, "USD")

    assert str(caught.value) == (
        "line 1: the file is larger than 32 MB; import it in parts, each of which begins with `products:`; "
        "what a part leaves out stays as it is"
    )


def test_a_file_may_be_as_large_as_the_limit(path: Path) -> None:
    path.write_text(GOOD + "#" * (MAX_BYTES - len(GOOD)))

    assert len(read_catalogue(path, "USD").products) == 1


def test_a_file_of_nothing_but_values_is_read_no_further_than_they_are_allowed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_VALUES", 100)

    (found,) = problems(path, "products:\n" + "- a\n" * 1000)

    assert found.startswith("line 99: more than 100 values stand above; import it in parts")


def test_a_file_that_is_something_else_is_looked_through_no_further_than_helps(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MOST_PROBLEMS", 3)

    found = problems(path, "products:\n" + "- a\n" * 5)

    assert [line.partition(":")[0] for line in found] == ["line 2", "line 3", "line 4", "line 5"]
    assert found[-1].endswith(
        "the products from here on were not looked at, after 3 mistakes above"
    )


def test_as_many_mistakes_as_are_named_at_most_leave_nothing_unsaid(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MOST_PROBLEMS", 3)

    found = problems(path, "products:\n" + "- a\n" * 3)

    assert len(found) == 3
    assert not any("not looked at" in line for line in found)


def test_a_file_with_the_mark_of_a_byte_order_within_it_is_read(path: Path) -> None:
    path.write_text(GOOD.replace("Rain", "\ufeffRain"), "utf-8")

    assert read_catalogue(path, "USD").products[0].title == "\ufeffRain"


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        ("- [\n", "line 11: is not YAML"),
        ("- &a\n", "line 10: anchors and aliases"),
        ("[", "line 10: is not YAML: expected <block end>, but found '['"),
        ("? {a: b, a: c}\n", "line 10: 'a' is given twice"),
    ],
)
def test_a_mistake_at_the_end_is_named_by_its_own_line_and_not_by_the_next_one(
    path: Path, end: str, problem: str
) -> None:
    assert problems(path, GOOD + end)[0].startswith(problem)


@pytest.mark.parametrize(
    "text", [GOOD, "a:\n- ~\n-\n- [1, {b: 'c'}, ]\n? [d]\n: e\n", "a: |\n  b\n\nc: >\n d\n"]
)
def test_both_parsers_read_the_same_values_in_the_same_lines(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    found = []
    for loader in (reading.LOADER, yaml.BaseLoader):
        monkeypatch.setattr(reading, "LOADER", loader)
        document = reading.read_document(text.encode())
        found.append((document.value, document.lines.find()))

    assert found[0] == found[1]


def test_a_windows_file_with_a_byte_order_mark_is_fine(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())

    assert read_catalogue(path, "USD").products[0].title == "Rain"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(path: Path, folder: Path) -> None:
    (folder / "files/rain.zip").chmod(0)

    found = problems(path, GOOD.replace("text: Thank you", "file: files/rain.zip"))

    assert found == ["line 9: goods file 'files/rain.zip' cannot be read"]
