"""The doctor's checks of what lies outside the database: files for sale, and pictures."""

from __future__ import annotations

import random
import time

from sqlalchemy import select

from ..catalogue.images import media, widths
from ..catalogue.models import Product, ProductImage
from ..catalogue.storage import Folder
from ..config import Settings
from ..db import db, end_read, utcnow
from ..fulfilment.files import Looks
from ..fulfilment.queries import files_in_use
from .findings import Finding, failure

SECONDS = 10
"""How long to look at files, because a bucket is over the network."""
NAMED = 5
BACK = "Put them back: import the catalogue again (`products import`), or take them from a backup."


def goods_files(settings: Settings) -> Finding:
    """What is for sale, and what buyers may still download, is there and whole."""
    looks, files, until = Looks(), files_in_use(utcnow()), time.monotonic() + SECONDS
    end_read()
    random.shuffle(files)  # if time is too short for all, each run looks at other ones
    seen, wrong = 0, list[str]()
    for file, size in files:
        if looks.failed or time.monotonic() > until:
            break
        seen += 1
        if problem := looks.at(file, size):
            wrong.append(f"{file} {problem}")
    if looks.failed:
        mend = "See SHOP_GOODS_URL and its key; orders for files wait until they can be looked at."
        return Finding(failure(settings), "goods files", f"the goods storage {looks.failed}", mend)
    all_of_them = f"{seen}" if seen == len(files) else f"{seen} of {len(files)}, in {SECONDS} s,"
    if wrong:
        text = f"{len(wrong)} of {all_of_them} looked at cannot be handed out: {_named(wrong)}"
        return Finding(failure(settings), "goods files", text, BACK)
    return Finding("ok", "goods files", f"{all_of_them} looked at, and all is there")


def pictures(settings: Settings) -> Finding:
    """The pictures of what is for sale are there; without them pages work, but look broken."""
    query = select(ProductImage.name, ProductImage.width, Product.slug)
    shown = db.session.execute(query.join(Product).where(Product.active)).all()
    end_read()
    folder = media(settings.shop_data_dir)
    pictures = Folder(folder)
    missing = sorted(
        {
            slug
            for name, width, slug in shown
            if any(pictures.problem(f"{name}-{each}.webp", None) for each in widths(width))
        }
    )
    if missing:
        text = (
            f"missing from {folder}, or unreadable, of {len(missing)} products: {_named(missing)}"
        )
        return Finding("warn", "pictures", text, BACK)
    return Finding("ok", "pictures", f"all {len(shown)} are there")


def _named(things: list[str]) -> str:
    rest = len(things) - NAMED
    return ", ".join(sorted(things)[:NAMED]) + (f", and {rest} more" if rest > 0 else "")
