"""One row that breaks does not hold up the others; a database that nobody can use does."""

from __future__ import annotations

import psycopg.errors
import pytest
from sqlalchemy.exc import InternalError, OperationalError

from shop.db import DatabaseBusy
from shop.ops.for_each import for_each

AWAY = [
    DatabaseBusy(),
    OperationalError("", None, psycopg.OperationalError()),
    InternalError("", None, psycopg.errors.ReadOnlySqlTransaction()),
]
OF_ONE_ROW = [ValueError(), InternalError("", None, psycopg.errors.IndexCorrupted())]


def done_before(broken: Exception) -> list[int]:
    done: list[int] = []

    def act(number: int) -> None:
        if number == 2:
            raise broken
        done.append(number)

    with pytest.raises(type(broken)):
        for_each([1, 2, 3], act, "numbers")
    return done


@pytest.mark.parametrize("broken", OF_ONE_ROW, ids=repr)
def test_one_that_breaks_does_not_hold_up_the_others(broken: Exception) -> None:
    assert done_before(broken) == [1, 3]


@pytest.mark.parametrize("broken", AWAY, ids=repr)
def test_where_the_database_cannot_be_used_the_others_are_not_tried(broken: Exception) -> None:
    assert done_before(broken) == [1]
