"""What drafts change in the categories and products that are there.

Products are compared and written some hundreds at a time, by SQLAlchemy Core: only their rows are held, and
what belongs together is written by one statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..db import utcnow
from .alphabet import name_key
from .fields import FieldProblem
from .models import Category, DeliveryKind
from .product_draft import CategoryDraft, ProductDraft
from .product_rows import Part, Rows, Stored, stored_products
from .queries import products
from .storage import StoredFile, storage

AT_ONCE = 500
"""Products that are compared and written at a time."""


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


@dataclass(frozen=True, slots=True)
class Known:
    """A product that is there."""

    id: int
    position: int


def store_files(draft: ProductDraft, data_dir: Path) -> list[StoredFile]:
    """Put a product's images into the data folder and its goods where they are kept. Raises BadImage."""
    for image in draft.images:
        image.image.store(data_dir)
    return [storage().store(file) for file in draft.delivery.files]


def lock_products(session: Session) -> dict[str, Known]:
    """Every product by slug, in the shop's order; on PostgreSQL no sale moves their stock until the commit."""
    columns = (products.c.slug, products.c.id, products.c.position)
    # In the order in which a checkout takes stock, so that the two cannot block each other.
    statement = select(*columns).order_by(products.c.id).with_for_update()
    rows = session.connection().execute(statement)
    found = {slug: Known(id, position) for slug, id, position in rows}
    return dict(sorted(found.items(), key=lambda item: (item[1].position, item[1].id)))


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


class Merge:
    """Brings drafts into the shop, all in one transaction; `here` is every product of the shop, and grows."""

    def __init__(
        self,
        session: Session,
        here: dict[str, Known],
        categories: Mapping[str, int],
        listed: Sequence[str],
        report: ImportReport,
    ) -> None:
        self.session, self.here, self.categories, self.report = session, here, categories, report
        self.places = {slug: at for at, slug in enumerate(merged_order(list(here), listed))}
        self.others = here.keys() - set(listed)

    def arrange(self) -> None:
        """Give the products that are not in the file the places that are left to them."""
        rows = Rows()
        for slug in self.others:
            known, position = self.here[slug], self.places[slug]
            if known.position != position:
                rows.change(known.id, {"position": position})
        rows.write(self.session)

    def take(
        self, drafts: Sequence[ProductDraft], files: Sequence[Sequence[StoredFile]]
    ) -> Iterator[tuple[int, FieldProblem]]:
        """Add the drafts' products, with their goods in `files`, or change what differs.

        Yields what cannot be done, each with the place of its draft.
        """
        known = [self.here[draft.slug].id for draft in drafts if draft.slug in self.here]
        stored, rows = stored_products(self.session, known), Rows()
        for place, (draft, goods) in enumerate(zip(drafts, files, strict=True)):
            present = stored.get(draft.slug)
            if not any(draft.prices.values()):
                self.report.free.append(draft.slug)
            if problem := self._unknown_category(draft) or (present and _refusal(present, draft)):
                yield place, problem
            elif present is None:
                self._add(rows, draft, goods)
            else:
                self._change(rows, present, draft, goods)
        for slug, id in rows.write(self.session).items():
            self.here[slug] = Known(id, self.places[slug])

    def _unknown_category(self, draft: ProductDraft) -> FieldProblem | None:
        if not draft.category or draft.category in self.categories:
            return None
        text = f"category {draft.category!r} is neither in the file's categories nor in the shop"
        return FieldProblem(("category",), text)

    def _add(self, rows: Rows, draft: ProductDraft, files: Sequence[StoredFile]) -> None:
        values = self._values(draft, files) | {
            "slug": draft.slug,
            "position": self.places[draft.slug],
            "created_at": self.report.started_at,
            "updated_at": self.report.started_at,
            # Keys are counted in as they are added; until then there is nothing to sell.
            "available": 0 if draft.delivery.kind is DeliveryKind.KEY else draft.stock,
            "stock_total": draft.stock,
        }
        rows.add(values, _parts(draft, files))
        self.report.added.append(draft.slug)

    def _change(
        self, rows: Rows, present: Stored, draft: ProductDraft, files: Sequence[StoredFile]
    ) -> None:
        wanted = self._values(draft, files)
        different = {name: value for name, value in wanted.items() if present.row[name] != value}
        if draft.stock != present.row["stock_total"]:
            # Put on sale what the file says, less what is held or sold already.
            left = None if draft.stock is None else draft.stock - present.row["taken"]
            different |= {"available": left, "stock_total": draft.stock}
        parts = {
            part: wanted
            for part, wanted in _parts(draft, files).items()
            if present.parts[part] != wanted
        }
        (self.report.changed if different or parts else self.report.unchanged).append(draft.slug)
        if present.row["position"] != self.places[draft.slug]:
            different["position"] = self.places[draft.slug]
        if different or parts:
            rows.change(present.row["id"], different, parts)

    def _values(self, draft: ProductDraft, files: Sequence[StoredFile]) -> dict[str, object]:
        file = files[0] if files else StoredFile("", None)
        return {
            "category_id": self.categories.get(draft.category),
            "title": draft.title,
            "name_key": name_key(draft.title),
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


def _parts(
    draft: ProductDraft, files: Sequence[StoredFile]
) -> dict[Part, list[tuple[object, ...]]]:
    """The rows of a product's other tables, as `Part` names their columns."""
    return {
        Part.PRICES: sorted(draft.prices.items()),
        Part.IMAGES: [
            (position, item.image.name, item.alt, item.image.width, item.image.height)
            for position, item in enumerate(draft.images)
        ],
        # Those behind the first, each in the place that it has.
        Part.FILES: [(at, name, size) for at, (name, size) in enumerate(files[1:], start=2)],
    }


def _refusal(present: Stored, draft: ProductDraft) -> FieldProblem | None:
    was_key = present.row["delivery_kind"] is DeliveryKind.KEY
    if was_key != (draft.delivery.kind is DeliveryKind.KEY):
        return FieldProblem(
            ("delivery",),
            f"{draft.slug} cannot change to or from licence keys; make a new product for that",
        )
    taken = present.row["taken"]
    if draft.stock is not None and draft.stock < taken:
        text = f"stock {draft.stock} is less than the {taken} units sold or held already"
        return FieldProblem(("stock",), text)
    return None


def arrange_categories(placed: Mapping[str, Category], listed: Sequence[str]) -> None:
    """Give the categories the order of the file."""
    ranked = sorted(placed.values(), key=lambda c: (c.id is None, c.position, c.id or 0))
    known = [each.slug for each in ranked if each.id is not None]
    for position, slug in enumerate(merged_order(known, listed)):
        _set(placed[slug], position=position)


def _set(category: Category, **values: object) -> bool:
    different = {name: value for name, value in values.items() if getattr(category, name) != value}
    for name, value in different.items():
        setattr(category, name, value)
    return bool(different)


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
