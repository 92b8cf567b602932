"""A file that an operator put into the data folder cannot be used: no hang, no bare 500, and it is said."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from structlog.testing import capture_logs

from shop import create_app
from shop.attention.queries import open_attention
from shop.catalogue.models import ProductImage
from shop.config import ConfigurationError, Settings, load
from shop.db import end_read
from shop.doctor import examine
from shop.doctor.files import pictures
from shop.doctor.payments import legal_texts
from shop.mail import Mail, MailNotSent, send
from shop.surroundings import look_around
from shop.web.own_files import UnreadableFile, own_text
from tests.factories import make_product
from tests.faults.test_the_database_cannot_be_written import without_rights
from tests.test_config import NEEDED

pytestmark = [pytest.mark.promise(10), pytest.mark.usefixtures("own_static_files")]

Break = Callable[[Path], None]


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture
def data(settings: Settings) -> Path:
    settings.shop_data_dir.mkdir(exist_ok=True)
    return settings.shop_data_dir


def garbage(path: Path) -> None:
    path.write_bytes(b"\xff\xfe {% garbage")


def a_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def a_loop(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path)


def does_not_end(path: Path) -> None:
    path.write_text("{% if product %}")


def unknown_filter(path: Path) -> None:
    path.write_text("{{ product.name|shiny }}")


NO_TEMPLATES = [garbage, a_pipe, a_loop, does_not_end, unknown_filter]
KINDS = [garbage, a_pipe, a_folder, a_loop]


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("broken", KINDS)
def test_a_text_that_cannot_be_read_is_neither_shown_nor_replaced_by_the_shipped_one(
    app: Flask, settings: Settings, broken: Break
) -> None:
    page = write(settings.shop_data_dir / "pages/terms.en.md", "# Ours\n\nAll is said.\n")
    broken(page)

    with capture_logs() as lines:
        answer = app.test_client().get("/terms")

    assert answer.status_code == 503
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["page_unreadable"]
    assert app.test_client().get("/privacy").status_code == 200
    with app.app_context():
        (found,) = examine(settings, [legal_texts])
        assert (found.level, str(page) in found.text) == ("fail", True)
        look_around()
        assert [item.kind for item in open_attention()] == ["own_files_unreadable"]
        end_read()
        page.rmdir() if page.is_dir() else page.unlink()
        look_around()
        assert open_attention() == []
        end_read()
    assert app.test_client().get("/terms").status_code == 200


def test_a_file_without_rights_is_unreadable_and_one_that_is_not_there_is_none(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "text")
    path.chmod(0)
    with without_rights(path), pytest.raises(UnreadableFile, match="cannot be read"):
        own_text(path)
    assert own_text(tmp_path / "nothing") is None


@pytest.mark.parametrize("broken", KINDS)
def test_a_style_sheet_that_cannot_be_read_leaves_the_shop_its_own_colours(
    settings: Settings, data: Path, broken: Break, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(data / "theme.css")

    app = create_app(settings)

    assert "theme_unreadable" in capsys.readouterr().err
    assert app.test_client().get("/terms").status_code == 200
    with app.app_context():
        look_around()
        assert [item.kind for item in open_attention()] == ["own_files_unreadable"]
        end_read()


@pytest.mark.parametrize("broken", [a_pipe, a_folder, a_loop])
def test_a_logo_that_is_no_file_keeps_the_shop_from_starting_in_words(
    settings: Settings, data: Path, broken: Break
) -> None:
    broken(data / "logo.svg")

    with pytest.raises(ConfigurationError, match=re.escape(str(data / "logo.svg"))):
        create_app(settings.model_copy(update={"shop_logo": "logo.svg"}))


@pytest.mark.parametrize("broken", [*NO_TEMPLATES, a_folder])
def test_a_template_that_cannot_be_used_gives_way_to_the_shops(
    app: Flask, data: Path, broken: Break
) -> None:
    broken(write(data / "templates/legal/page.html"))

    assert app.test_client().get("/terms").status_code == 200


@pytest.mark.parametrize("broken", NO_TEMPLATES)
def test_a_template_that_cannot_be_used_is_put_before_a_person(
    app: Flask, data: Path, broken: Break
) -> None:
    template = write(data / "templates/legal/page.html")
    broken(template)

    with app.app_context():
        look_around()
        (item,) = open_attention()
        assert (item.kind, str(template) in item.note) == ("own_files_unreadable", True)
        end_read()
        template.unlink()
        look_around()
        assert open_attention() == []
        end_read()


def test_a_template_that_can_be_used_is_used(app: Flask, data: Path) -> None:
    """The control; what an editor leaves beside it troubles nobody."""
    template = write(data / "templates/legal/page.html", "mine")
    garbage(template.with_name("page.html~"))

    assert app.test_client().get("/terms").text == "mine"
    with app.app_context():
        look_around()
        assert open_attention() == []
        end_read()


def test_a_template_that_nothing_asks_for_is_put_before_a_person(app: Flask, data: Path) -> None:
    """Its name was written otherwise than the shop's, or the shop's was in another folder before."""
    template = write(data / "templates/checkout/order.html", "mine")

    with app.app_context():
        look_around()
        (item,) = open_attention()
        assert f"{template} has the name of no template" in item.note
        end_read()
        write(data / "templates/legal/page.html", '{% include "checkout/order.html" %}')
        look_around()
        assert open_attention() == [], "it is a part of another one"
        end_read()
        write(
            data / "templates/legal/page.html",
            "{% set name = 'checkout/order.html' %}{% include name %}",
        )
        look_around()
        assert open_attention() == [], "which names it only while the page is made"
        end_read()


@pytest.mark.parametrize("broken", [a_pipe, a_folder, a_loop, Path.unlink])
def test_a_sheet_that_is_gone_is_answered_and_said(app: Flask, data: Path, broken: Break) -> None:
    client = app.test_client()
    sheet = re.search(r'rel="stylesheet" href="([^"]+)"', client.get("/terms").text)
    assert sheet
    broken(next((data / "static").glob("main.*.css")))

    with capture_logs() as lines:
        answer = client.get(sheet[1])

    assert answer.status_code == 404
    assert "immutable" not in answer.headers["Cache-Control"]
    assert [line["event"] for line in lines] == ["static_file_unreadable"]


@pytest.mark.parametrize("broken", [garbage, a_pipe, a_loop, Path.unlink])
def test_a_start_writes_a_sheet_anew_that_is_not_what_it_should_be(
    app: Flask, settings: Settings, data: Path, broken: Break
) -> None:
    for sheet in (data / "static").glob("main.*"):
        content = sheet.read_bytes()
        broken(sheet)

        create_app(settings)

        assert sheet.read_bytes() == content


def test_a_sheet_that_cannot_be_written_keeps_the_shop_from_starting_in_words(
    app: Flask, settings: Settings, data: Path
) -> None:
    a_folder(next((data / "static").glob("main.*.css")))

    with pytest.raises(ConfigurationError, match=r"main\.[0-9a-f]+\.css"):
        create_app(settings)


def test_a_data_folder_that_is_a_file_keeps_the_shop_from_starting_in_words(
    settings: Settings,
) -> None:
    settings.shop_data_dir.write_text("x")

    with pytest.raises(ConfigurationError, match=r"SHOP_DATA_DIR, .* cannot be used"):
        create_app(settings)


def test_settings_that_are_no_text_are_named(tmp_path: Path) -> None:
    garbage(tmp_path / ".env")

    with pytest.raises(ConfigurationError, match=r"\.env cannot be read: UnicodeDecodeError"):
        load(NEEDED, tmp_path / ".env")


def test_a_picture_that_cannot_be_read_is_missing(
    app: Flask, settings: Settings, data: Path
) -> None:
    name = "0" * 32
    picture = write(data / f"media/{name}-400.webp")
    with app.app_context():
        image = ProductImage(position=0, name=name, alt="x", width=400, height=300)
        make_product(images=[image])
        end_read()
        client = app.test_client()
        client.get(f"/media/{name}-800.webp")  # the page's template is read once, now
        picture.chmod(0)
        with without_rights(picture):
            assert client.get(f"/media/{name}-400.webp").status_code == 404
            (found,) = examine(settings, [pictures])
        assert found.level == "warn"
        assert "or unreadable, of 1 products" in found.text


def test_a_mail_that_cannot_be_written_waits(app: Flask, data: Path) -> None:
    write(data / "outbox")
    mail = Mail("buyer@example.com", "x", "x", "x", "<1@shop.example>")

    with app.app_context(), pytest.raises(MailNotSent, match="outbox/ cannot be written"):
        send(mail)
