"""A product's rows in all of its tables: read for comparison, and written many at a time."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping, Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from ..db import utcnow
from .queries import files, images, prices, products


class Part(enum.Enum):
    """A table with rows of its own for each product; the value names their columns in order."""

    PRICES = ("currency", "minor")
    IMAGES = ("position", "name", "alt", "width", "height")
    FILES = ("position", "name", "size")


TABLES: dict[Part, Table] = {Part.PRICES: prices, Part.IMAGES: images, Part.FILES: files}
PartRows = Mapping[Part, Sequence[tuple[object, ...]]]


@dataclass(frozen=True, slots=True)
class Stored:
    """A product as the database has it."""

    row: RowMapping
    parts: dict[Part, list[tuple[object, ...]]]


def stored_products(session: Session, ids: Sequence[int]) -> dict[str, Stored]:
    """These products by slug, with all of their parts."""
    connection = session.connection()
    rows = connection.execute(select(products).where(products.c.id.in_(ids))).mappings()
    found = {row["id"]: Stored(row, {part: [] for part in Part}) for row in rows}
    for part, table in TABLES.items():
        columns = [table.c[name] for name in part.value]
        statement = select(table.c.product_id, *columns).where(table.c.product_id.in_(ids))
        for id, *values in connection.execute(statement.order_by(columns[0])):
            found[id].parts[part].append(tuple(values))
    return {stored.row["slug"]: stored for stored in found.values()}


@dataclass(slots=True)
class Rows:
    """What is to be written, gathered so that few statements do it."""

    new: list[dict[str, object]] = field(default_factory=list)
    new_parts: list[PartRows] = field(default_factory=list)
    changes: dict[tuple[str, ...], list[dict[str, object]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By the names of the columns that are set."""
    parts: dict[Part, dict[int, Sequence[tuple[object, ...]]]] = field(
        default_factory=lambda: {part: {} for part in Part}
    )
    """By product, what takes the place of the rows that are there."""

    def add(self, values: dict[str, object], parts: PartRows) -> None:
        """A new product."""
        self.new.append(values)
        self.new_parts.append(parts)

    def change(self, id: int, values: Mapping[str, object], parts: PartRows | None = None) -> None:
        """Set these columns of a product that is there, and put these rows in the place of its own."""
        row = {"of": id, "updated_at": utcnow(), **values}
        self.changes[tuple(sorted(values))].append(row)
        for part, rows in (parts or {}).items():
            self.parts[part][id] = rows

    def write(self, session: Session) -> dict[str, int]:
        """Write all of it; the ids of the new products by slug."""
        connection = session.connection()
        # The columns that are set are those of each row, beside the id that finds it.
        of = update(products).where(products.c.id == bindparam("of"))
        for rows in self.changes.values():
            connection.execute(of, rows)
        ids: dict[str, int] = {}
        if self.new:
            connection.execute(insert(products), self.new)
            slugs = [values["slug"] for values in self.new]
            found = select(products.c.slug, products.c.id).where(products.c.slug.in_(slugs))
            ids = dict(connection.execute(found).all())
        for part, table in TABLES.items():
            if replaced := list(self.parts[part]):
                connection.execute(delete(table).where(table.c.product_id.in_(replaced)))
            wanted = [*self._new_rows(part, ids), *_rows(part, self.parts[part].items())]
            if wanted:
                connection.execute(insert(table), wanted)
        return ids

    def _new_rows(self, part: Part, ids: Mapping[str, int]) -> list[dict[str, Any]]:
        slugs = (str(values["slug"]) for values in self.new)
        return _rows(
            part,
            ((ids[slug], parts[part]) for slug, parts in zip(slugs, self.new_parts, strict=True)),
        )


def _rows(
    part: Part, found: Iterable[tuple[int, Sequence[tuple[object, ...]]]]
) -> list[dict[str, Any]]:
    return [
        {"product_id": id, **dict(zip(part.value, values, strict=True))}
        for id, rows in found
        for values in rows
    ]
