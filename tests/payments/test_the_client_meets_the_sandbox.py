"""Both versions of the client against the sandbox over real HTTP: what each call and each fault comes to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shop.payments.cryptocloud import (
    CryptoCloud,
    CryptoCloudError,
    CryptoCloudV2,
    InvoiceInfo,
    InvoiceStatus,
    KeyRefused,
    Moved,
    OtherHost,
    Rejected,
    Unavailable,
    Unclear,
    Unreadable,
)
from shop.sandbox.invoices import Action
from shop.sandbox.links import pay_page
from shop.sandbox.state import Sandbox
from tests.payments.wire import TEN_EUROS
from tests.support.live_sandbox import running_sandbox
from tests.support.processes import until

VERSIONS = {"1": CryptoCloud, "2": CryptoCloudV2}


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    server.reset()
    return server


def client_of(sandbox: Sandbox, version: str, **values: Any) -> CryptoCloud:
    project = sandbox.settings
    given = {
        "api_key": project.api_key,
        "shop_id": project.shop_id,
        "secret_key": project.secret_key,
        "url": project.public_url,
        "pay_origins": project.pay_origins(),
        "call_seconds": 10,
    }
    return VERSIONS[version](**given | values)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_invoice_is_made_and_asked_about(sandbox: Sandbox, version: str) -> None:
    client = client_of(sandbox, version)

    invoice = client.create_invoice(TEN_EUROS, reference="order-1", email="b@example.com")
    sandbox.act(invoice.id, Action.PAY)

    (info,) = client.invoice_infos([invoice.id]).values()
    assert info.status is InvoiceStatus.PAID
    assert invoice.pay_url == pay_page(sandbox, invoice.id)
    assert client.check_key() == pytest.approx(0, abs=5)
    with pytest.raises(Rejected):
        client.invoice_infos(["NOSUCH00"])


def test_v2_tells_what_a_part_of_the_money_comes_to(sandbox: Sandbox) -> None:
    sandbox.turn({"test_mode": True})
    client = client_of(sandbox, "2")
    invoice = client.create_invoice(TEN_EUROS, reference="order-1")

    sandbox.act(invoice.id, Action.SHORT)

    assert client.invoice_infos([invoice.id])[invoice.id] == InvoiceInfo(
        status=InvoiceStatus.PARTIAL,
        amount=Decimal(10),
        currency="",
        reference="order-1",
        test_mode=True,
        coin="USDT_TRC20",
        due=Decimal("10.8"),
        received=Decimal("9.72"),
    )


def test_v2_makes_an_invoice_live_as_long_as_it_should(sandbox: Sandbox) -> None:
    client = client_of(sandbox, "2", invoice_life=timedelta(minutes=90))

    invoice = client.create_invoice(TEN_EUROS, reference="order-1")

    assert invoice.expires_at == sandbox.get(invoice.id).deadline
    left = sandbox.get(invoice.id).deadline - datetime.now(UTC)
    assert timedelta(minutes=89) < left <= timedelta(minutes=90)


def test_v2_finds_an_invoice_and_cancels_it(sandbox: Sandbox) -> None:
    client = client_of(sandbox, "2")
    now = datetime.now(UTC)
    others = [sandbox.create(Decimal(1), "USD", f"other-{n}", None).id for n in range(120)]
    sandbox.create(Decimal(10), "EUR", "order-1", None)

    found = client.find_invoice("order-1", TEN_EUROS, now)

    assert found is not None
    assert client.find_invoice("order-2", TEN_EUROS, now) is None
    assert len(client.invoice_infos([found.id, *others[:99]])) == 100
    client.cancel_invoice(found.id)
    assert sandbox.get(found.id).status == "canceled"
    with pytest.raises(Rejected, match="not created"):
        client.cancel_invoice(found.id)


FAULTS: dict[str, tuple[type[CryptoCloudError], int]] = {
    "down": (Unclear, 0),
    "garbled": (Unreadable, 0),
    "401": (KeyRefused, 0),
    "406": (Unavailable, 0),
    "429": (Unavailable, 0),
    "500": (Unclear, 0),
    "reset": (Unclear, 1),
    "redirect": (Moved, 0),
    "foreign_link": (OtherHost, 1),
    "slow": (Unclear, 1),
}
"""What a fault means for a create call, and how many invoices there are afterwards."""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_comes_to_the_right_error(sandbox: Sandbox, version: str, fault: str) -> None:
    sandbox.turn({"api": fault, "seconds": 30})
    client = client_of(sandbox, version, call_seconds=0.5 if fault == "slow" else 10)
    error, invoices = FAULTS[fault]

    with pytest.raises(CryptoCloudError) as raised:
        client.create_invoice(TEN_EUROS, reference="order-1")

    assert raised.type is error
    if fault == "slow":  # given up after half a second, in which a busy machine may not get to it
        until(sandbox.invoices, "the invoice")
    assert len(sandbox.invoices()) == invoices
    if fault == "429":
        assert raised.value.retry_after == 20


@pytest.mark.parametrize("version", VERSIONS)
def test_a_repeated_id_is_handed_on_for_the_shop_to_refuse(sandbox: Sandbox, version: str) -> None:
    earlier = sandbox.create(Decimal(10), "EUR", "order-0", None)
    sandbox.turn({"api": "repeat"})

    invoice = client_of(sandbox, version).create_invoice(TEN_EUROS, reference="order-1")

    assert invoice.id == earlier.id
