"""The catalogue as a file again: what an import of it would change is nothing."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from ...config import current_settings
from ...db import db, end_read
from ...money import CURRENCIES
from ..following import Follow, unseen
from ..images import originals, write_atomically
from ..models import Category, DeliveryKind, Product, ProductImage
from ..storage import storage

ENDINGS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif"}
STRING = "tag:yaml.org,2002:str"
NOT_TEXTS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
"""Words that some reader of YAML takes for something else. All else it does begins with no letter."""


class Bare(str):
    """A price, a number or a yes: written without quotes, because it may be read as what it is."""

    __slots__ = ()


DUMPER = getattr(yaml, "CBaseDumper", yaml.BaseDumper)
"""The same letters from both; that of libyaml takes a tenth of the time."""

Written = str | list["Written"] | Mapping[str, "Written"]
"""What a file is written from."""


def export_text() -> str:
    """The catalogue in the import format; its files are named, but not copied."""
    return as_yaml(_catalogue(all_products()))


def export_to(path: Path, follow: Follow = unseen) -> int:
    """Write the catalogue to `path`, and images and goods files beside it; says how many products.

    The catalogue file comes last: where it stands, everything that it names stands too.
    """
    products = all_products()
    text = as_yaml(_catalogue(products))
    db.session.expunge_all()
    end_read()  # files may come over the network
    for product in follow(products, "Writing pictures and goods"):
        write_files(product, path.parent)
    write_atomically(path, text.encode())
    return len(products)


def write_files(product: Product, folder: Path) -> None:
    """Put the product's images and goods files where its entry in a catalogue file there names them."""
    for image in product.images:
        original = originals(current_settings().shop_data_dir) / image.name
        _copy(original, folder / _image_path(product, image))
    for file, _ in product.files:
        target = folder / _goods_path(product, file)
        target.parent.mkdir(parents=True, exist_ok=True)
        storage().fetch(file, target)


def _catalogue(products: list[Product]) -> dict[str, Written]:
    statement = select(Category).order_by(Category.position, Category.id)
    categories = [_category(category) for category in db.session.scalars(statement)]
    values: dict[str, Written] = {"categories": [*categories]} if categories else {}
    return values | {"products": [entry_of(product) for product in products]}


def _category(category: Category) -> dict[str, Written]:
    values: dict[str, Written] = {"slug": category.slug, "title": category.title}
    return values | ({"summary": category.summary} if category.summary else {})


def all_products() -> list[Product]:
    """Every product with all that an entry says of it, in the shop's order."""
    parts = (Product.category, Product.prices, Product.images, Product.more_files)
    statement = (
        select(Product).options(*map(selectinload, parts)).order_by(Product.position, Product.id)
    )
    return list(db.session.scalars(statement))


def entry_of(product: Product) -> dict[str, Written]:
    """What a catalogue file says of the product."""
    values: dict[str, Written] = {
        "slug": product.slug,
        "title": product.title,
        "summary": product.summary,
    }
    if product.category:
        values["category"] = product.category.slug
    if product.description:
        values["description"] = product.description
    prices = {price.currency: Bare(f"{price.money.decimal:f}") for price in product.prices}
    values["prices"] = {code: prices[code] for code in CURRENCIES if code in prices}
    if product.delivery_kind is not DeliveryKind.KEY:
        total = product.stock_total
        values["stock"] = "unlimited" if total is None else Bare(total)
    if product.most_per_order is not None:
        values["most_per_order"] = Bare(product.most_per_order)
    if product.images:
        values["images"] = [
            {"file": _image_path(product, image), "alt": image.alt} for image in product.images
        ]
    values["delivery"] = _delivery(product)
    values["active"] = Bare("yes" if product.active else "no")
    if product.honour_late_hours is not None:
        values["honour_late_hours"] = Bare(product.honour_late_hours)
    return values


def _delivery(product: Product) -> dict[str, Written]:
    values: dict[str, Written] = {}
    if product.delivery_kind is DeliveryKind.FILE:
        paths = [_goods_path(product, file) for file, _ in product.files]
        values |= {"files": [*paths]} if len(paths) > 1 else {"file": paths[0]}
    if product.delivery_kind is DeliveryKind.KEY:
        values["keys"] = Bare("yes")
    if product.delivery_text:
        values["text"] = product.delivery_text
    if product.delivery_kind is DeliveryKind.TEXT and product.delivery_markdown:
        values["markdown"] = Bare("yes")
    terms = {
        "downloads": product.max_downloads,
        "days": product.download_days,
        "low_stock": product.low_stock,
    }
    return values | {name: Bare(value) for name, value in terms.items() if value is not None}


def _image_path(product: Product, image: ProductImage) -> str:
    original = originals(current_settings().shop_data_dir) / image.name
    with Image.open(original) as picture:
        ending = ENDINGS[str(picture.format)]
    return f"images/{product.slug}-{image.position + 1}-{image.name[:8]}.{ending}"


def _goods_path(product: Product, file: str) -> str:
    folder, _, name = file.partition("/")
    return f"files/{product.slug}-{folder[:8]}/{name}"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def as_yaml(value: Written) -> str:
    """The value as a file, with texts unquoted where every YAML reads them as texts, and prices as 12.00."""
    text: str = yaml.serialize(
        as_node(value), Dumper=DUMPER, allow_unicode=True, width=100, encoding=None
    )
    return text


def as_node(value: Written) -> yaml.Node:
    """The value as YAML's own tree."""
    if isinstance(value, str):
        return yaml.ScalarNode(STRING, "".join(value), style=_style(value))
    if isinstance(value, list):
        items = [as_node(item) for item in value]
        return yaml.SequenceNode("tag:yaml.org,2002:seq", items, flow_style=not value)
    pairs = [(yaml.ScalarNode(STRING, key), as_node(item)) for key, item in value.items()]
    return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)


def _style(text: str) -> str | None:
    """How YAML is to write a text, so that no other program makes 83 of 0123, or True of on."""
    if "\n" in text:
        return "|"
    plain = isinstance(text, Bare) or (text[:1].isalpha() and text.casefold() not in NOT_TEXTS)
    return None if plain else "'"
