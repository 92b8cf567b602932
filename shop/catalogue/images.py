"""Product images: read with suspicion, stored as WebP in a few widths under names of their hash."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

WIDTHS = (400, 800, 1200)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 40_000_000
QUALITY = 82
NAME = re.compile(r"[0-9a-f]{32}-[0-9]{1,4}\.webp")
"""What a file below `media/` is called; nothing else is ever served from there."""


class BadImage(ValueError):
    """A file cannot be used as a product image; the text says why."""


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image file read and found good, not stored yet."""

    path: Path
    name: str
    width: int
    height: int

    def store(self, data_dir: Path) -> None:
        """Write the widths to `media/`, and the original where only an export finds it.

        A name is the content's hash, so what is there already is right and is left alone.
        """
        original = originals(data_dir) / self.name
        targets = {media(data_dir) / f"{self.name}-{w}.webp": w for w in widths(self.width)}
        if all(path.exists() for path in (original, *targets)):
            return
        source = self.path.read_bytes()
        if _name(source) != self.name:
            raise BadImage("changed while it was being read")
        picture = _open(source)
        for target, width in targets.items():
            write_atomically(target, _webp(picture, width))
        write_atomically(original, source)


def media(data_dir: Path) -> Path:
    """Where the public renditions are."""
    return data_dir / "media"


def originals(data_dir: Path) -> Path:
    """Where the operator's own image files are kept; never served: they may tell of a place."""
    return data_dir / "originals"


def widths(largest: int) -> list[int]:
    """The widths an image is stored in, smallest first: never more than it has."""
    return [*(w for w in WIDTHS if w < largest), largest]


def prepare(path: Path) -> PreparedImage:
    """Read the image at `path` in full; raise BadImage if it cannot be a product's picture."""
    if path.stat().st_size > MAX_BYTES:
        raise BadImage(f"is larger than {MAX_BYTES // 1024**2} MB")
    source = path.read_bytes()
    picture = _open(source)
    width = min(picture.width, WIDTHS[-1])
    return PreparedImage(path, _name(source), width, _height(picture, width))


def _name(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()[:32]


def _height(picture: Image.Image, width: int) -> int:
    return max(1, round(picture.height * width / picture.width))


def _open(source: bytes) -> Image.Image:
    """The picture, upright, in a mode WebP has."""
    from PIL import Image, ImageOps, UnidentifiedImageError  # only an import reads pictures

    # Pillow warns above this and refuses above twice of it; both are refusals here.
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = ImageOps.exif_transpose(Image.open(io.BytesIO(source), formats=FORMATS))
            has_alpha = "A" in picture.getbands() or "transparency" in picture.info
            return picture.convert("RGBA" if has_alpha else "RGB")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise BadImage(f"has more than {MAX_PIXELS // 10**6} million pixels") from None
    except UnidentifiedImageError:
        raise BadImage(f"is not an image ({', '.join(FORMATS)})") from None
    # Decoders meet broken files in many ways, and each only means that this file is of no use.
    except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, OverflowError):
        raise BadImage("is a damaged image") from None


def _webp(picture: Image.Image, width: int) -> bytes:
    from PIL import Image

    if width != picture.width:
        picture = picture.resize((width, _height(picture, width)), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    # Said outright, because Pillow would otherwise carry the camera's notes and place over.
    picture.save(out, "WEBP", quality=QUALITY, method=4, exif=b"", xmp=b"", icc_profile=None)
    return out.getvalue()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that others see whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp's 0600 would shut out a web server that hands these out by itself.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
