"""Terms, privacy, refunds and contact: the shop's texts until the operator has written their own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner

from demo.pages import write_pages
from shop import create_app
from shop.config import LANGUAGES, Settings, load
from shop.site.texts import NAMES, PLACEHOLDER, SHIPPED, own_folder, read_page, unfinished
from tests.buyer import Buyer
from tests.conftest import make_settings
from tests.factories import make_product
from tests.test_config import NEEDED

EVERY = [(name, code) for name in NAMES for code in LANGUAGES]


@pytest.fixture
def engine() -> str:
    """No page of these asks the database anything."""
    return "sqlite"


def write(settings: Settings, name: str, text: str) -> None:
    folder = settings.shop_data_dir / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, "utf-8")


def production(folder: Path, **more: str) -> Settings:
    """A shop that sells."""
    return load(NEEDED | {"SHOP_DATA_DIR": str(folder)} | more, folder / "no.env")


@pytest.mark.parametrize(("name", "code"), EVERY)
def test_every_page_is_there_in_every_language(client: FlaskClient, name: str, code: str) -> None:
    prefix = "" if code == "en" else f"/{code}"

    page = client.get(f"{prefix}/{name}")

    title = (SHIPPED / f"{name}.{code}.md").read_text("utf-8").partition("\n")[0].removeprefix("# ")
    assert page.status_code == 200
    assert f"<h1>{title}</h1>" in page.text
    assert "<h2>" in page.text
    assert not re.search(r"\{shop_\w+\}", page.text)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_the_same_for_everybody_and_may_be_kept(client: FlaskClient, name: str) -> None:
    page = client.get(f"/{name}")

    assert page.headers["Cache-Control"] == "public, max-age=0, must-revalidate"
    assert "Set-Cookie" not in page.headers
    again = client.get(f"/{name}", headers={"If-None-Match": page.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/", "/cart", "/none", "/ru/terms", "/payment/success"])
def test_every_page_leads_to_them(client: FlaskClient, path: str) -> None:
    page = client.get(path).text

    prefix = "/ru" if path.startswith("/ru") else ""
    for name in NAMES:
        assert f'href="{prefix}/{name}"' in page


def test_the_checkout_says_what_is_accepted_by_paying(app: Flask) -> None:
    with app.app_context():
        slug = make_product().slug
    buyer = Buyer(app)
    buyer.puts_into_cart(slug)

    page = buyer.opens("/checkout").text

    assert "By paying you accept the <a href='/terms'>terms of sale</a>" in page


def test_the_operators_own_text_goes_before_the_shops(
    app: Flask, client: FlaskClient, settings: Settings
) -> None:
    write(settings, "terms.en.md", "# House rules\n\n## One\n\nBe *kind* at {shop_name}.\n")

    page = client.get("/terms").text

    assert "<h1>House rules</h1>" in page
    assert "<h2>One</h2>" in page
    assert "Be <em>kind</em> at Storefront." in page
    assert "House rules" not in client.get("/ru/terms").text


def test_a_text_cannot_do_more_than_be_read(client: FlaskClient, settings: Settings) -> None:
    write(settings, "terms.en.md", "# T\n\n<script>alert(1)</script> [x](javascript:alert(1))\n")

    page = client.get("/terms").text

    assert "<script>alert" not in page
    assert 'href="javascript' not in page


def test_a_line_about_a_setting_that_is_not_set_is_left_out(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, shop_support_email="", shop_retention_days=0)
    client = create_app(settings).test_client()

    page = client.get("/privacy").text

    assert "Questions and requests" not in page
    assert "is erased" not in page


@pytest.mark.parametrize(("days", "said"), [
    (1, ("1 day", "1 день", "1 день")), (2, ("2 days", "2 дня", "2 дні")), (365, ("365 days", "365 дней", "365 днів")),
    (731, ("731 days", "731 день", "731 день")),
])  # fmt: skip
def test_how_long_an_address_is_kept_is_spelt_out(
    tmp_path: Path, days: int, said: tuple[str, ...]
) -> None:
    settings = make_settings(tmp_path, shop_retention_days=days, shop_late_payment_hours=0)

    pages = [read_page(settings, "privacy", code).body for code in ("en", "ru", "uk")]

    for words, page in zip(said, pages, strict=True):
        assert words in str(page).replace("&nbsp;", " ")


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_texts_say_the_same_in_every_language(name: str) -> None:
    """As far as a program can tell: equally many headings, points, placeholders and links."""
    shapes = set()
    for code in LANGUAGES:
        text = (SHIPPED / f"{name}.{code}.md").read_text("utf-8")
        marks = (r"^#", r"^- ", r"\[\[", r"\]\(", r"\{shop_\w+\}", r"\*\*")
        shapes.add(tuple(len(re.findall(mark, text, re.MULTILINE)) for mark in marks))

    assert len(shapes) == 1


@pytest.mark.parametrize(("name", "code"), EVERY)
def test_every_shipped_text_has_something_for_the_operator_to_say(name: str, code: str) -> None:
    assert PLACEHOLDER.search((SHIPPED / f"{name}.{code}.md").read_text("utf-8"))


def test_a_shop_that_sells_is_warned_while_placeholders_remain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = production(tmp_path, SHOP_LANGUAGES="en")
    write(settings, "terms.en.md", "# Terms\n\nAll is said.\n")

    create_app(settings)

    warning = next(
        json.loads(line) for line in capsys.readouterr().err.splitlines() if "pages_unfin" in line
    )
    assert warning["level"] == "warning"
    assert warning["pages"] == ["privacy.en.md", "refunds.en.md", "contact.en.md"]


def test_a_shop_whose_texts_are_finished_is_not_warned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = production(tmp_path)
    for name, code in EVERY:
        write(settings, f"{name}.{code}.md", "# Terms\n\nAll is said.\n")

    create_app(settings)

    assert unfinished(settings) == []
    assert "pages_unfinished" not in capsys.readouterr().err


def test_a_trial_is_not_warned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_app(make_settings(tmp_path))

    assert "pages_unfinished" not in capsys.readouterr().err


def doctor(app: Flask) -> dict[str, str]:
    answer = app.test_cli_runner().invoke(args=["doctor", "--json"])
    return next(found for found in json.loads(answer.stdout) if found["name"] == "pages")


def test_the_doctor_names_the_texts_that_are_not_finished(tmp_path: Path) -> None:
    settings = production(tmp_path, SHOP_LANGUAGES="uk")
    write(settings, "terms.uk.md", "# Умови\n\nУсе сказано.\n")

    found = doctor(create_app(settings))

    assert found["level"] == "warn"
    assert found["text"] == "not finished: privacy.uk.md, refunds.uk.md, contact.uk.md"
    assert "pages export" in found["mend"]


def test_export_copies_the_texts_and_leaves_edited_ones_alone(
    runner: FlaskCliRunner, settings: Settings
) -> None:
    write(settings, "terms.en.md", "mine")

    lines = runner.invoke(args=["pages", "export"]).stdout.splitlines()

    folder = settings.shop_data_dir / "pages"
    assert len(lines) == len(EVERY)
    assert f"{folder / 'terms.en.md'} is there already." in lines
    assert (folder / "terms.en.md").read_text() == "mine"
    assert (folder / "terms.ru.md").read_text() == (SHIPPED / "terms.ru.md").read_text()


def test_the_demo_leaves_no_placeholder_on_its_pages(
    client: FlaskClient, settings: Settings
) -> None:
    write_pages(own_folder(settings))

    assert unfinished(settings) == []
    for name, language in EVERY:
        text = client.get(f"/{name}" if language == "en" else f"/{language}/{name}").text
        assert "[[" not in text
        assert "Lantern" in text or name == "refunds"


def test_the_demo_leaves_a_page_alone_that_was_edited(tmp_path: Path) -> None:
    (tmp_path / "terms.en.md").write_text("# Ours")

    write_pages(tmp_path)

    assert (tmp_path / "terms.en.md").read_text() == "# Ours"


def test_the_texts_for_operators_keep_their_placeholders_beside_the_demos() -> None:
    assert all(PLACEHOLDER.search(path.read_text("utf-8")) for path in SHIPPED.glob("*.md"))
