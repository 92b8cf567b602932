"""An operator's own look: name, logo, colour, links, styles, templates; and every component to look at."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from shop import create_app
from shop.colour import READABLE, contrast
from shop.config import PAPER, ROOT, ConfigurationError, Settings, load
from shop.mail import render_mail
from shop.web.theme import DARK_SURFACE, palette
from tests.test_config import NEEDED

TOKENS = (ROOT / "static" / "css" / "tokens.css").read_text("utf-8")
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'


@pytest.fixture
def engine() -> str:
    return "sqlite"


def shop(settings: Settings, **values: object) -> FlaskClient:
    return create_app(settings.model_copy(update=values)).test_client()


def styles(client: FlaskClient) -> str:
    address = re.search(r'rel="stylesheet" href="([^"]+)"', client.get("/terms").text)
    assert address
    answer = client.get(address[1], buffered=True)
    assert answer.status_code == 200
    return answer.text


def test_a_logo_stands_beside_the_name_and_in_the_browsers_tab(settings: Settings) -> None:
    settings.shop_data_dir.mkdir(parents=True)
    (settings.shop_data_dir / "logo.svg").write_text(SVG)

    client = shop(settings, shop_logo="logo.svg")

    page = client.get("/terms").text
    found = re.findall(r"/static/logo\.[0-9a-f]{12}\.svg", page)
    assert len(found) == 2
    answer = client.get(found[0], buffered=True)
    assert answer.text == SVG
    assert "immutable" in answer.headers["Cache-Control"]


def test_a_logo_that_is_not_there_keeps_the_shop_from_starting(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="SHOP_LOGO names no file in"):
        shop(settings, shop_logo="logo.svg")


def test_an_accent_goes_into_the_style_sheet_and_no_page(settings: Settings) -> None:
    plain, coloured = shop(settings), shop(settings, shop_accent="#7c2d92")

    assert "--accent: #7c2d92;" in styles(coloured)
    assert "--accent: #7c2d92;" not in styles(plain)
    assert "#7c2d92" not in coloured.get("/terms").text


def test_an_accent_is_the_colour_of_a_mails_button_and_links(settings: Settings) -> None:
    def mail(**values: object) -> str:
        app = create_app(settings.model_copy(update=values))
        with app.app_context(), app.test_request_context():
            return render_mail(
                "mailbox-link",
                to="ann@example.com",
                message_id="<1@shop.example>",
                order=None,
                proof_url="https://shop.example/mailbox/x",
            ).html

    coloured = mail(shop_accent="#7c2d92")
    assert "background:#7c2d92" in coloured
    assert "#0d5c63" not in coloured
    assert "background:#0d5c63" in mail()
    assert "--accent: #0d5c63;" in TOKENS, "which the mails have it from"


@pytest.mark.parametrize(
    "accent", ["#000000", "#0000ff", "#b30000", "#0d5c63", "#7c2d92", "#595959"]
)
def test_text_on_every_shade_of_an_accent_can_be_read(accent: str) -> None:
    light, dark = palette(accent)

    for tokens, page in ((light, PAPER), (dark, DARK_SURFACE)):
        assert contrast(tokens["on-accent"], tokens["accent"]) >= READABLE
        assert contrast(tokens["on-accent"], tokens["accent-hover"]) >= READABLE
        assert contrast(tokens["accent"], page) >= READABLE
        assert contrast(tokens["accent"], tokens["accent-soft"]) >= READABLE


def test_an_accent_that_nobody_could_read_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(NEEDED | {"SHOP_ACCENT": "#7fb3b6"}, tmp_path / "no.env")

    assert refused.value.problems == [
        "SHOP_ACCENT is too light: white text on it, and links in it, have a contrast of 2.2 and need 4.5"
    ]


def test_contrast_is_measured_as_the_guidelines_say() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("colour", [f"--paper: {PAPER};", f"--surface: {DARK_SURFACE};"])
def test_colours_are_compared_with_those_of_the_page(colour: str) -> None:
    assert colour in TOKENS


def test_links_of_the_operators_own_are_on_every_page(settings: Settings) -> None:
    client = shop(settings, shop_footer_links=(("Blog & news", "https://blog.example/"),))

    for path in ("/terms", "/cart", "/none"):
        assert 'href="https://blog.example/">Blog &amp; news</a>' in client.get(path).text


def test_the_operators_own_styles_come_last(settings: Settings) -> None:
    settings.shop_data_dir.mkdir(parents=True)
    (settings.shop_data_dir / "theme.css").write_text(".panel { border-radius: 0 }")

    assert styles(shop(settings)).rstrip().endswith(".panel { border-radius: 0 }")


def test_the_operators_own_template_goes_before_the_shops(settings: Settings) -> None:
    folder = settings.shop_data_dir / "templates" / "legal"
    folder.mkdir(parents=True)
    (folder / "page.html").write_text("Mine: {{ page.title }}")

    client = shop(settings)

    assert client.get("/terms").text == "Mine: Terms of sale"
    assert "site-footer" in client.get("/cart").text


def test_every_component_is_on_one_page(client: FlaskClient) -> None:
    parts = ("base.html", "development/components.html")
    source = "".join((ROOT / "templates" / part).read_text("utf-8") for part in parts)

    assert client.get("/components").status_code == 200
    assert client.get("/ru/components").status_code == 200
    seen = (ROOT / "templates" / "macros").glob("*.html")
    for file in sorted(file for file in seen if file.name != "head.html"):  # nobody sees a head
        for name in re.findall(r"{%-? macro (\w+)", file.read_text("utf-8")):
            assert re.search(rf"[{{%]-? (call )?{name}\(|}}{{{{ {name}\(", source), (
                f"{name} of {file.name} is not on the page of components"
            )


def test_only_a_development_shop_shows_its_components(tmp_path: Path) -> None:
    settings = load(NEEDED | {"SHOP_DATA_DIR": str(tmp_path / "data")}, tmp_path / "no.env")
    client: FlaskClient = create_app(settings).test_client()

    assert client.get("/components", base_url="https://shop.example").status_code == 404
