"""The sweep tells a person when nobody gets through to the shop, and when the disk is about to be full."""

from __future__ import annotations

import shutil
from collections import namedtuple
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

import shop.surroundings
from shop.attention.queries import open_attention
from shop.attention.service import resolve_attention_item
from shop.because import Because
from shop.config import Settings
from shop.db import utcnow
from shop.doctor import Finding
from shop.surroundings import look_around
from tests.conftest import make_settings

MINUTE = timedelta(minutes=1)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    settings = make_settings(tmp_path / "data", database_url)
    return settings.model_copy(
        update={"shop_development": False, "shop_public_url": "https://shop.example"}
    )


class Address:
    """What the doctor's look at the public address finds."""

    leads_here = False
    asked = 0

    def find(self, settings: Settings) -> Finding:
        self.asked += 1
        return Finding("ok" if self.leads_here else "fail", "public address", "")


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Address:
    address = Address()
    monkeypatch.setattr(shop.surroundings, "public_address", address.find)
    return address


def kinds() -> list[str]:
    return [item.kind for item in open_attention()]


def look_for(minutes: int, start: datetime) -> datetime:
    """Look around each minute; when that was over."""
    for minute in range(minutes + 1):
        look_around(start + minute * MINUTE)
    return start + minutes * MINUTE


def test_an_address_that_leads_nowhere_for_five_minutes_is_put_before_a_person_until_it_does(
    app: Flask, address: Address
) -> None:
    with app.app_context():
        now = look_for(4, utcnow())
        assert kinds() == []
        look_around(now + MINUTE)
        assert kinds() == ["address_silent"]

        address.leads_here = True
        look_around(now + 2 * MINUTE)
        assert kinds() == []

        address.leads_here = False
        now = look_for(4, now + 3 * MINUTE)
        assert kinds() == [], "it counts from the last proof"
        look_around(now + MINUTE)
        assert kinds() == ["address_silent"]


def test_a_server_that_cannot_reach_itself_is_left_alone_once_a_person_has_said_so(
    app: Flask, address: Address
) -> None:
    with app.app_context():
        start = utcnow()
        now = look_for(6, start)
        (item,) = open_attention()
        assert "(NAT), resolve this item" in item.note
        resolve_attention_item(item.id, Because("NAT", "Ann"))

        look_around(now + MINUTE)
        look_around(now + timedelta(days=30))
        assert kinds() == []

        address.leads_here = True
        look_around(now + timedelta(days=31))
        address.leads_here = False
        look_for(6, now + timedelta(days=32))
        assert kinds() == ["address_silent"], "now it is news again"


def test_a_clock_that_is_set_back_delays_the_news_by_five_minutes_at_most(
    app: Flask, address: Address
) -> None:
    with app.app_context():
        look_around(utcnow() + timedelta(days=365))

        look_for(5, utcnow())

        assert kinds() == ["address_silent"]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_trial_on_somebodys_own_machine_has_no_address_to_be_reached_at(
    app: Flask, settings: Settings, address: Address
) -> None:
    app.config["SETTINGS"] = settings.model_copy(update={"shop_development": True})
    with app.app_context():
        look_for(6, utcnow())

        assert kinds() == []
    assert address.asked == 0


def test_a_disk_is_put_before_a_person_while_there_is_room_to_say_so(
    app: Flask, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    address.leads_here = True
    free, usage = [400_000_000], namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, free[0]))
    with app.app_context():
        look_around()
        look_around()
        (item,) = open_attention()
        assert item.kind == "disk_low"
        assert "400 MB free" in item.note

        free[0] = 900_000_000
        look_around()

        assert kinds() == []
