"""Every record of a file is carried, part of a carried one, or left with a reason."""

from __future__ import annotations

import pytest

from shop.catalogue.moving.found import (
    Findings,
    FoundProduct,
    Left,
    MovingError,
    Part,
    Where,
    fates,
)


def where(row: int) -> Where:
    return Where(row, f"{row}0", f"Title {row}")


def carried(row: int) -> FoundProduct:
    return FoundProduct(where=where(row), key=f"{row}0", title=f"Title {row}")


def test_the_three_fates_add_up_to_the_records() -> None:
    findings = Findings(
        "A shop",
        records=4,
        products=[carried(2), carried(3)],
        parts=[Part(where(4), of=[2, 3])],
        left=[Left(where(5), "is a gift card")],
    )

    found = fates(findings)

    assert (found.carried, found.parts, list(found.left)) == ({2, 3}, {4}, [5])


def test_of_a_record_with_two_options_one_that_is_carried_is_enough() -> None:
    findings = Findings(
        "A shop", records=1, products=[carried(2)], left=[Left(where(2), "has no price")]
    )

    found = fates(findings)

    assert (found.carried, found.left) == ({2}, {})


def test_what_belongs_only_to_records_that_are_left_is_left_too() -> None:
    findings = Findings(
        "A shop",
        records=2,
        parts=[Part(where(2), of=[3])],
        left=[Left(where(3), "has no price")],
    )

    found = fates(findings)

    assert [left.reason for left in found.left.values()] == [
        "belongs to records that are left",
        "has no price",
    ]


def test_a_record_that_was_forgotten_stops_everything() -> None:
    findings = Findings("A shop", records=3, products=[carried(2)])

    with pytest.raises(MovingError, match="lost"):
        fates(findings)
