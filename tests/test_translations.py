"""Every word a buyer reads is marked for translation, translated, and still in use."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask
from jinja2 import Environment

from shop.config import LANGUAGES, ROOT
from tests.buyer import Buyer
from tests.factories import make_product

FOLDER = ROOT / "shop" / "translations"
LEGAL = ROOT / "shop" / "site" / "pages"
OTHERS = [code for code in LANGUAGES if code != "en"]
AGAIN = "run `python3 dev.py translate`, then translate what is new"
TAG = re.compile(r"</?[a-z]+")


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """What the sources say today."""
    path = tmp_path_factory.mktemp("words") / "messages.pot"
    mapping = ["-F", str(ROOT / "pyproject.toml"), "-k", "lazy_gettext"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        CommandLineInterface().run(["pybabel", "-q", "extract", *mapping, "-o", str(path), "."])
    with path.open("rb") as file:
        return read_po(file)


def words_of(code: str) -> Catalog:
    with (FOLDER / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=code)


def ids(catalog: Catalog) -> set[object]:
    return {message.id for message in catalog if message.id}


@pytest.mark.parametrize("code", OTHERS)
class TestALanguage:
    def test_has_every_message_of_the_sources_and_no_other(
        self, code: str, wanted: Catalog
    ) -> None:
        words = words_of(code)

        assert ids(wanted) - ids(words) == set(), AGAIN
        assert ids(words) - ids(wanted) == set(), AGAIN
        assert words.obsolete == {}, AGAIN

    def test_has_each_message_translated_in_all_its_forms(self, code: str) -> None:
        words = words_of(code)

        for message in words:
            forms = message.string if message.pluralizable else (message.string,)
            assert all(forms), f"not translated: {message.id!r}"
            assert not message.fuzzy or not message.id, f"unsure: {message.id!r}"
            if message.pluralizable:
                assert len(forms) == words.num_plurals == 3, message.id

    def test_keeps_placeholders_and_tags_and_breaks_no_attribute(self, code: str) -> None:
        for message in words_of(code):
            if not message.id:
                continue
            source = message.id[1] if message.pluralizable else message.id
            for form in message.string if message.pluralizable else (message.string,):
                assert placeholders(form) == placeholders(source), message.id
                assert sorted(TAG.findall(form)) == sorted(TAG.findall(source)), message.id
                assert '"' not in form, f"ends the attribute it may stand in: {form!r}"

    def test_is_compiled(self, code: str) -> None:
        compiled = BytesIO()
        write_mo(compiled, words_of(code))

        there = FOLDER / code / "LC_MESSAGES" / "messages.mo"
        assert there.read_bytes() == compiled.getvalue(), AGAIN


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"%\((\w+)\)s|%(?!\()", text))


SPOKEN = {"alt", "aria-label", "content", "data-busy", "data-copy", "placeholder", "title"}
"""Attributes that people hear or see."""
FOR_MACHINES = {
    "width=device-width, initial-scale=1",
    "light dark",
    "light",
    "noindex",
    "product",
    "#ffffff",
}
FOR_MACHINES |= {"noindex, nofollow", "page--narrow"}


class Literals(HTMLParser):
    """The words that stand in a template as they are."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(without_jinja(source))

    def handle_data(self, data: str) -> None:
        self.note(data)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in SPOKEN:
                self.note(value or "")

    def note(self, text: str) -> None:
        pieces = (piece.strip() for piece in text.split("\n"))
        self.found += [p for p in pieces if re.search(r"[^\W\d_]{2}", p) and p not in FOR_MACHINES]


def without_jinja(source: str) -> str:
    """The template with a line end for everything that Jinja fills in."""
    inside = {"block_begin": "block_end", "variable_begin": "variable_end"}
    inside |= {"comment_begin": "comment_end"}
    kept, end = [], ""
    for _, token, text in Environment(autoescape=True).lex(source):
        if end:
            end = "" if token == end else end
        elif token in inside:
            end = inside[token]
            kept.append("\n")
        elif token == "data":
            kept.append(text)
    return "".join(kept)


def mail_kinds() -> list[Path]:
    """Those that buyers see: not the provider's stand-in, the operator's mail, the page of components."""
    found = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "templates").rglob("*.txt")]
    return [
        path
        for path in sorted(found)
        if not {"sandbox", "attention", "development"} & set(path.parts)
    ]


@pytest.mark.parametrize("path", mail_kinds(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_holds_no_words_of_its_own(path: Path) -> None:
    assert Literals(path.read_text("utf-8")).found == []


def test_the_check_above_finds_words() -> None:
    """The control."""
    source = (
        '<p class="x">{{ _("Yes") }} No</p><img alt="A hill">{% if a == "b" %}{# c #}{% endif %}'
    )

    assert Literals(source).found == ["No", "A hill"]


FOREIGN = {
    "ru": r"Вы заплатите его|на ваш выбор|Имейте в кошельке|Есть проблема|ничего не откр|Время этой оплаты"
    r"|Можно и написать|Спросите нас|Порядок|\bчек(а|у|ом|е|и|ов)?\b|Доставлен\b|Не закрывайте эту|\bдн\.",
    "uk": r"Ви сплатите його|на ваш вибір|Майте в гаманці|Є проблема|нічого не відкри|понад неї|\bчек\b"
    r"|Як довго|Можна й написати|Порядок|Не закривайте цю|\bдн\.",
}
"""Calques and slips that native readers stumbled over: none may come back."""


def shown_texts(code: str) -> list[str]:
    """The interface, and the pages of terms, privacy, refunds and contact."""
    strings = [message.string for message in words_of(code) if message.id]
    words = [form for each in strings for form in ([each] if isinstance(each, str) else each)]
    return words + [page.read_text("utf-8") for page in LEGAL.glob(f"*.{code}.md")]


@pytest.mark.parametrize("code", OTHERS)
def test_no_phrase_comes_back_that_a_native_reader_stumbles_over(code: str) -> None:
    assert [text for text in shown_texts(code) if re.search(FOREIGN[code], text)] == []


@pytest.mark.parametrize("code", OTHERS)
def test_there_is_one_apostrophe(code: str) -> None:
    """U+2019: it stood so in the interface, and as a typewriter's in the terms."""
    other = re.compile("[а-яёіїєґ]['`\u02bc\u02b9][а-яёіїєґ]", re.IGNORECASE)

    assert [text for text in shown_texts(code) if other.search(text)] == []


@pytest.mark.parametrize("code", OTHERS)
def test_one_thing_has_one_name_and_two_things_have_two(code: str) -> None:
    words = words_of(code)

    def said(text: str) -> str:
        message = words.get(text)
        assert message
        assert isinstance(message.string, str)
        return message.string

    assert said("Privacy") != said("Your details")
    assert (LEGAL / f"privacy.{code}.md").read_text("utf-8").startswith(f"# {said('Privacy')}\n")
    assert said("Delivered").lower()[:5] in said("Goods delivered").lower()


HYPHEN_FOR_A_DASH = re.compile(r"[^\s-] - [^\s-]")


def test_between_words_stands_a_dash_and_no_hyphen() -> None:
    # What a template works out is one word of the page.
    computed = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
    found: dict[object, str] = {
        path: computed.sub("x", path.read_text("utf-8"))
        for path in (ROOT / "templates").rglob("*.*")
    }
    for code in OTHERS:
        for message in words_of(code):
            said = [message.id, message.string]
            found[Path(code), str(message.id)] = " ".join(map(str, said)) if message.id else ""
    found |= {path: path.read_text("utf-8") for path in LEGAL.glob("*.md")}

    assert {where: text for where, text in found.items() if HYPHEN_FOR_A_DASH.search(text)} == {}


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("", "USD 10.00 – US Dollar"),
        ("/ru", "10,00 USD — доллар США"),
        ("/uk", "10,00 USD — долар США"),
    ],
)
def test_each_amount_of_the_checkout_is_parted_from_its_currency_by_a_dash(
    app: Flask, prefix: str, said: str
) -> None:
    with app.app_context():
        product = make_product()
    buyer = Buyer(app)
    buyer.puts_into_cart(product.slug)

    page = buyer.browser.get(f"{prefix}/checkout").text.replace("\N{NO-BREAK SPACE}", " ")

    assert said in page
