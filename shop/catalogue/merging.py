"""What drafts change in the categories and products that are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from ..db import utcnow
from .fields import FieldProblem
from .models import Category, DeliveryKind, Price, Product, ProductFile, ProductImage
from .product_draft import CategoryDraft, ProductDraft
from .storage import StoredFile, storage


@dataclass(slots=True)
class ImportReport:
    """What an import did, by slug."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    """Those that were added or changed."""
    free: list[str] = field(default_factory=list)
    """Those that cost nothing, as the file says: a slip with a price would give them away."""
    started_at: datetime = field(default_factory=utcnow)
    """Products that come together are of one age, so that the newest ones keep the file's order."""


def store_files(draft: ProductDraft, data_dir: Path) -> list[StoredFile]:
    """Put a product's images into the data folder and its goods where they are kept. Raises BadImage."""
    for image in draft.images:
        image.image.store(data_dir)
    return [storage().store(file) for file in draft.delivery.files]


def lock_products(session: Session) -> dict[str, Product]:
    """Every product by slug; on PostgreSQL no sale moves their stock until the commit."""
    statement = (
        select(Product)
        .options(*map(selectinload, (Product.prices, Product.images, Product.more_files)))
        # In the order in which a checkout takes stock, so that the two cannot block each other.
        .order_by(Product.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {product.slug: product for product in session.scalars(statement)}


def lock_categories(session: Session) -> dict[str, Category]:
    """Every category by slug."""
    statement = select(Category).order_by(Category.id).with_for_update()
    found = session.scalars(statement.execution_options(populate_existing=True))
    return {category.slug: category for category in found}


def merge_categories(
    session: Session,
    categories: dict[str, Category],
    drafts: Sequence[CategoryDraft],
    report: ImportReport,
) -> None:
    """Add the drafts' categories or change what differs."""
    for draft in drafts:
        category = categories.get(draft.slug)
        if category is None:
            category = categories[draft.slug] = Category(slug=draft.slug)
            session.add(category)
        if _set(category, title=draft.title, summary=draft.summary):
            report.categories.append(draft.slug)


def merge(
    session: Session,
    products: dict[str, Product],
    categories: Mapping[str, Category],
    draft: ProductDraft,
    files: Sequence[StoredFile],
    report: ImportReport,
) -> Iterator[FieldProblem]:
    """Add the draft's product, with its goods in `files`, or change what differs; yields what cannot be done."""
    if draft.category and draft.category not in categories:
        text = f"category {draft.category!r} is neither in the file's categories nor in the shop"
        yield FieldProblem(("category",), text)
        return
    if not any(draft.prices.values()):
        report.free.append(draft.slug)
    product = products.get(draft.slug)
    values = _plain_values(draft, files) | {"category": categories.get(draft.category)}
    if product is None:
        values["created_at"] = values["updated_at"] = report.started_at
        products[draft.slug] = _added(session, draft, values)
        _merge_files(products[draft.slug], files)
        report.added.append(draft.slug)
        return
    if problem := _refusal(product, draft):
        yield problem
        return
    # A list, because every part must be merged, also after one has changed.
    changes = [
        _set(product, **values),
        _merge_stock(product, draft),
        _merge_prices(product, draft),
        _merge_files(product, files),
        _merge_images(session, product, draft),
    ]
    if any(changes):
        product.updated_at = utcnow()
        report.changed.append(draft.slug)
    else:
        report.unchanged.append(draft.slug)


def arrange(placed: Mapping[str, Product] | Mapping[str, Category], listed: Sequence[str]) -> None:
    """Give the products, or the categories, the order of the file."""
    ranked: list[Product | Category] = sorted(
        placed.values(), key=lambda p: (p.id is None, p.position, p.id or 0)
    )
    known = [each.slug for each in ranked if each.id is not None]
    for position, slug in enumerate(merged_order(known, listed)):
        _set(placed[slug], position=position)


def merged_order(known: Sequence[str], listed: Sequence[str]) -> list[str]:
    """The shop's order after an import: listed products trade places among themselves, a new one
    comes right after the one above it in the file, and those not listed stay where they are.
    """
    here, there = set(known), set(listed)
    turns = iter([slug for slug in listed if slug in here])
    order = [next(turns) if slug in there else slug for slug in known]
    above, behind = "", dict[str, list[str]]()
    for slug in listed:
        if slug in here:
            above = slug
        else:
            behind.setdefault(above, []).append(slug)
    first = behind.pop("", [])
    rest = [each for slug in order for each in (slug, *behind.get(slug, ()))]
    return [*first, *rest] if here & there else [*rest, *first]


def _added(session: Session, draft: ProductDraft, values: dict[str, object]) -> Product:
    product = Product(slug=draft.slug, **values)
    # Keys are counted in as they are added; until then there is nothing to sell.
    product.available = 0 if draft.delivery.kind is DeliveryKind.KEY else draft.stock
    product.stock_total = draft.stock
    product.prices = [Price(currency=code, minor=minor) for code, minor in draft.prices.items()]
    product.images = _images(draft)
    session.add(product)
    return product


def _refusal(product: Product, draft: ProductDraft) -> FieldProblem | None:
    was_key = product.delivery_kind is DeliveryKind.KEY
    if was_key != (draft.delivery.kind is DeliveryKind.KEY):
        return FieldProblem(
            ("delivery",),
            f"{draft.slug} cannot change to or from licence keys; make a new product for that",
        )
    if draft.stock is not None and draft.stock < product.taken:
        text = f"stock {draft.stock} is less than the {product.taken} units sold or held already"
        return FieldProblem(("stock",), text)
    return None


def _merge_stock(product: Product, draft: ProductDraft) -> bool:
    """Put on sale what the file says, less what is held or sold already."""
    if draft.stock == product.stock_total:
        return False
    product.available = None if draft.stock is None else draft.stock - product.taken
    product.stock_total = draft.stock
    return True


def _plain_values(draft: ProductDraft, files: Sequence[StoredFile]) -> dict[str, object]:
    file = files[0] if files else StoredFile("", None)
    return {
        "title": draft.title,
        "summary": draft.summary,
        "description": draft.description,
        "active": draft.active,
        "most_per_order": draft.most_per_order,
        "honour_late_hours": draft.honour_late_hours,
        "delivery_kind": draft.delivery.kind,
        "delivery_text": draft.delivery.text,
        "delivery_markdown": draft.delivery.markdown,
        "delivery_file": file.name,
        "delivery_size": file.size,
        "max_downloads": draft.delivery.max_downloads,
        "download_days": draft.delivery.download_days,
        "low_stock": draft.delivery.low_stock,
    }


def _set(thing: Product | Category, **values: object) -> bool:
    different = {name: value for name, value in values.items() if getattr(thing, name) != value}
    for name, value in different.items():
        setattr(thing, name, value)
    return bool(different)


def _merge_prices(product: Product, draft: ProductDraft) -> bool:
    present = {price.currency: price for price in product.prices}
    if {code: price.minor for code, price in present.items()} == draft.prices:
        return False
    for code, price in present.items():
        if code not in draft.prices:
            product.prices.remove(price)
    for code, minor in draft.prices.items():
        if code in present:
            present[code].minor = minor
        else:
            product.prices.append(Price(currency=code, minor=minor))
    return True


def _merge_files(product: Product, files: Sequence[StoredFile]) -> bool:
    """Give a product the files behind its first, each in the place that it has."""
    wanted = dict(enumerate(files[1:], start=2))
    present = {file.position: file for file in product.more_files}
    if {at: StoredFile(file.name, file.size) for at, file in present.items()} == wanted:
        return False
    for at, file in present.items():
        if at not in wanted:
            product.more_files.remove(file)
    for at, (name, size) in wanted.items():
        if at in present:
            present[at].name, present[at].size = name, size
        else:
            product.more_files.append(ProductFile(position=at, name=name, size=size))
    return True


def _merge_images(session: Session, product: Product, draft: ProductDraft) -> bool:
    present = [(i.name, i.alt, i.width, i.height) for i in product.images]
    images = _images(draft)
    if present == [(i.name, i.alt, i.width, i.height) for i in images]:
        return False
    product.images.clear()
    # The old ones go first, because two images may not have one position even for a moment.
    session.flush()
    product.images = images
    return True


def _images(draft: ProductDraft) -> list[ProductImage]:
    return [
        ProductImage(
            position=position,
            name=item.image.name,
            alt=item.alt,
            width=item.image.width,
            height=item.image.height,
        )
        for position, item in enumerate(draft.images)
    ]
