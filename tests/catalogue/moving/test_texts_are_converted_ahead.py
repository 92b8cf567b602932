"""Many texts are converted by other processes, and nobody can tell by the result."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import process

import pytest

from shop.catalogue.moving import ahead, html
from shop.catalogue.moving.ahead import converted_ahead
from shop.catalogue.moving.html import Converted, convert, markdown_of

TEXTS = [f"<p>Rain no. <b>{number}</b>\nfalls.<img src=x></p>" for number in range(60)]


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sixty texts are many, on two processors."""
    monkeypatch.setattr(ahead, "MANY", 60)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    markdown_of.cache_clear()
    yield
    assert html.later == {}


def not_here(text: str, *, lines: bool) -> Converted:
    raise AssertionError("another process does this")


def die(texts: list[str], lines: bool) -> list[Converted]:
    os._exit(1)


@pytest.mark.parametrize("lines", [True, False])
def test_what_other_processes_convert_is_the_same(
    monkeypatch: pytest.MonkeyPatch, lines: bool
) -> None:
    expected = [convert(text, lines=lines) for text in TEXTS]

    with converted_ahead(TEXTS, lines=lines):
        monkeypatch.setattr(html, "convert", not_here)
        assert [markdown_of(text, lines=lines) for text in TEXTS] == expected


def test_a_process_that_is_killed_costs_nothing_but_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_convert_all", die)

    with converted_ahead(TEXTS):
        assert [markdown_of(text) for text in TEXTS] == [convert(t, lines=False) for t in TEXTS]


def test_few_texts_are_converted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "ProcessPoolExecutor", not_here)

    with converted_ahead(TEXTS[1:]):
        assert markdown_of(TEXTS[1]) == convert(TEXTS[1], lines=False)


def test_a_system_with_too_few_semaphores_converts_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_system_limits_checked", False)
    monkeypatch.setattr(process, "_system_limited", None)
    monkeypatch.setattr(os, "sysconf", lambda name: 1)

    with converted_ahead(TEXTS):
        assert markdown_of(TEXTS[0]) == convert(TEXTS[0], lines=False)


def test_a_system_that_gives_no_semaphore_converts_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: object) -> None:
        raise PermissionError("/dev/shm")

    monkeypatch.setattr(ahead, "ProcessPoolExecutor", refuse)

    with converted_ahead(TEXTS):
        assert markdown_of(TEXTS[0]) == convert(TEXTS[0], lines=False)
