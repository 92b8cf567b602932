"""Product images are read with suspicion and stored ready for the page."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from shop.catalogue.images import NAME, BadImage, prepare, widths

CAMERA, ORIENTATION, GPS = 0x010F, 0x0112, 0x8825


def stored(data: Path) -> dict[str, Image.Image]:
    files = sorted((data / "media").iterdir())
    return {path.name: Image.open(io.BytesIO(path.read_bytes())) for path in files}


def test_an_image_is_stored_in_three_widths_of_webp(folder: Path, tmp_path: Path) -> None:
    image = prepare(folder / "images/rain.jpg")
    image.store(tmp_path)

    files = stored(tmp_path)
    assert all(NAME.fullmatch(name) for name in files)
    assert sorted(picture.size for picture in files.values()) == [
        (400, 300),
        (800, 600),
        (1200, 900),
    ]
    assert {picture.format for picture in files.values()} == {"WEBP"}
    assert (image.width, image.height) == (1200, 900)


def test_a_small_image_is_never_blown_up(folder: Path, tmp_path: Path) -> None:
    prepare(folder / "images/small.png").store(tmp_path)

    assert sorted(p.size for p in stored(tmp_path).values()) == [(400, 240), (500, 300)]
    assert widths(300) == [300]
    assert widths(400) == [400]


def test_the_camera_the_place_and_the_notes_are_left_out(folder: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[CAMERA] = "Spycam"
    exif[ORIENTATION] = 6
    exif[GPS] = {1: "N", 2: (51.0, 30.0, 0.0)}
    path = folder / "images/phone.jpg"
    Image.new("RGB", (900, 600)).save(path, exif=exif, comment=b"Spycam")

    prepare(path).store(tmp_path)

    for file in (tmp_path / "media").iterdir():
        assert b"Spycam" not in file.read_bytes()
    for picture in stored(tmp_path).values():
        assert not picture.getexif()
        assert picture.height > picture.width, "the picture was turned upright first"


def test_a_see_through_image_stays_see_through(folder: Path, tmp_path: Path) -> None:
    path = folder / "images/logo.png"
    Image.new("RGBA", (100, 100), (255, 0, 0, 60)).save(path)

    prepare(path).store(tmp_path)

    (picture,) = stored(tmp_path).values()
    assert picture.mode == "RGBA"


def test_storing_again_writes_nothing(folder: Path, tmp_path: Path) -> None:
    prepare(folder / "images/rain.jpg").store(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.webp")}

    prepare(folder / "images/rain.jpg").store(tmp_path)

    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.webp")} == before
    assert not list(tmp_path.rglob(".new-*"))


def png_claiming(width: int, height: int) -> bytes:
    """A few bytes that unpack to a picture of any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")
    )


def broken_jpeg() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((200, 200), 50).convert("RGB").save(out, "JPEG")
    return out.getvalue()[:3000]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "is not an image"),
        (b"%PDF-1.7", "is not an image"),
        (png_claiming(50_000, 50_000), "has more than 40 million pixels"),
        (png_claiming(7_000, 7_000), "has more than 40 million pixels"),
        (png_claiming(70, 70), "is a damaged image"),
        (broken_jpeg(), "is a damaged image"),
        (b"GIF89a", "is not an image"),
        (b"\xff" * (20 * 1024 * 1024 + 1), "is larger than 20 MB"),
    ],
    ids=["svg", "pdf", "bomb", "large", "damaged", "cut short", "header only", "huge file"],
)
def test_what_is_no_picture_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)

    with pytest.raises(BadImage, match=reason):
        prepare(path)
