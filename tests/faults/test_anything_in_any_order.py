"""Row 22 of docs/promises.md: whatever buyers, provider, network, clock, crashes and operator do, in whatever order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import run_state_machine_as_test
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from shop.config import Settings
from shop.orders.models import OrderStatus
from tests.conftest import make_settings
from tests.support.machine import AnythingInAnyOrder, Lost
from tests.support.promises import Promise
from tests.support.world import PAY_ORIGINS, PROVIDER, SHOP, World, running_world


@pytest.fixture(params=["1", "2"])
def api(request: pytest.FixtureRequest) -> str:
    """The version of the provider's API."""
    return str(request.param)


@pytest.fixture
def settings_of_the_shop(tmp_path: Path, database_url: str, api: str) -> Settings:
    return make_settings(
        tmp_path / "data",
        database_url,
        shop_public_url=SHOP,
        cryptocloud_api_url=PROVIDER,
        cryptocloud_pay_hosts=PAY_ORIGINS,
        cryptocloud_api_version=api,
    )


@pytest.fixture(name="settings")
def settings_(settings_of_the_shop: Settings) -> Settings:
    return settings_of_the_shop


@pytest.fixture
def world(app: Flask) -> Iterator[World]:
    with running_world(app) as world:
        yield world


def run(world: World, runs: int, steps: int, **wishes: Any) -> None:
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        **wishes,
    )
    run_state_machine_as_test(lambda: AnythingInAnyOrder(world), settings=chosen)


FULL = (500, 50) if os.environ.get("NIGHTLY") else (200, 30)
"""The nightly figure, 2,000 runs in all, takes hours: `NIGHTLY=1 python3 dev.py promises --rows 22`."""


TIERS = [
    # In the quick tier each version and each engine once; the long one has them crossed.
    ("sqlite", "2", 4, 20),
    ("postgresql", "1", 4, 20),
    *(
        pytest.param(engine, api, *FULL, marks=pytest.mark.long)
        for engine in ("sqlite", "postgresql")
        for api in ("1", "2")
    ),
]


@pytest.mark.promise(22)
@pytest.mark.parametrize(("engine", "api", "runs", "steps"), TIERS, indirect=["engine", "api"])
def test_nothing_is_lost_whatever_happens(
    world: World, promise: Promise, runs: int, steps: int
) -> None:
    promise.cases += runs
    try:
        run(world, runs, steps, derandomize=runs < 100, print_blob=True)
    except Lost as found:
        promise.lost += str(found).count("lost:")
        promise.doubled += str(found).count("doubled:")
        raise


def always(result: object) -> Callable[..., object]:
    return lambda *_, **__: result


def only_what_is_offered(wsgi: Any, mounts: dict[str, Any]) -> DispatcherMiddleware:
    offered = wsgi.__self__.config["SETTINGS"].shop_languages
    return DispatcherMiddleware(wsgi, {at: mounts[at] for at in mounts if at[1:] in offered})


def mutant(target: str, replacement: object, found: str = "lost:", *, quick: bool = False) -> Any:
    return pytest.param(target, replacement, found, marks=[] if quick else pytest.mark.long)


@pytest.mark.parametrize(
    ("target", "replacement", "found"),
    [
        # goods are not planned
        mutant("shop.fulfilment.service.insert_if_new", always(True), quick=True),
        # units are put back twice
        mutant("shop.orders.service._change_hold", always(True)),
        # nobody asks when a postback got lost
        mutant("shop.payments.sweep.due_checks", always([])),
        # what an older copy has forgotten is forgotten
        mutant("shop.books.with_journal._see_to", always(None)),
        # a key that only the journal knows is for sale
        mutant("shop.fulfilment.spent._spent", always([]), "the key .* went to"),
        # what is sold out is sold all the same
        mutant("shop.payments.settling._hold_again", always(True)),
        # money that buys nothing is shown to nobody
        mutant("shop.payments.review.ask_a_person", always(None)),
        # the inbox says yes and keeps nothing
        mutant("shop.payments.inbox.insert_if_new", always(True)),
        # whoever got the money back still has the goods
        mutant("shop.orders.models.HAS_GOODS", frozenset(OrderStatus), "has the goods of order"),
        # keys are the same only if they are typed alike
        mutant("shop.fulfilment.keys.normal_key", lambda value, **_: value, "the key .* went to"),
        # what a wrong clock wrote is believed
        mutant("shop.jobs.set_right", always(None), "in the end|nobody sends"),
        # the secret key before is forgotten
        mutant(
            "shop.signing.AcceptedKeys.__iter__", lambda self: iter([self.app.secret_key]), "mailed"
        ),
        # an address in a language that was dropped is nowhere
        mutant("shop.i18n.DispatcherMiddleware", only_what_is_offered, "mailed, and answers 404"),
    ],
)
@pytest.mark.parametrize("api", ["1"], indirect=True)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_machine_finds_what_is_broken_on_purpose(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    replacement: object,
    found: str,
) -> None:
    """The control: without the protection, Rule B is soon broken."""
    monkeypatch.setattr(target, replacement)
    wishes = {"phases": [Phase.generate], "verbosity": Verbosity.quiet}

    with pytest.raises(Lost, match=found):
        run(world, 100, 25, derandomize=True, **wishes)
