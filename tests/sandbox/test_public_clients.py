"""Public client libraries of the provider, as they are, against the sandbox.

`crypto-cloud-py` 0.2 and `cryptocloud-sdk` 0.1.1 from PyPI, and `cryptocloud-api` 1.0.4 from npm. That one
stands for cryptocloud.js: npm has no package of this name, nor of `cryptocloud`, under which that client's
own read-me installs it. They are tried here and used nowhere: each is installed while the tests run, with
its own dependencies pinned, and the tests of one that cannot be installed are skipped by name.

Nothing of a library is changed. The two from Python take the API's address as an argument; the one from
npm has the provider's host written in, and a client's own axios instance is told another. Each call runs
in a process of its own: see `clients/`.

A name with "cannot read" says what a library makes of a reply as the provider documents it; the test
then holds the very error. What a library does otherwise than one would think is said as plainly.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from .conftest import Driver, Listener

pytestmark = pytest.mark.long

DRIVERS = Path(__file__).parent / "clients"
PATIENCE = 300
"""Seconds for an installation; a call has a tenth of it."""


@dataclass(frozen=True)
class Answer:
    """What a call gave, or what it raised."""

    gave: Any = None
    raised: str = ""
    said: str = ""


@dataclass(frozen=True)
class Library:
    """An installed client library, and how to have it make a call."""

    folder: Path
    command: list[str]

    def run(self, order: dict[str, Any], **environment: str) -> Answer:
        """Make one call in a process that inherits nothing of this machine's settings."""
        done = subprocess.run(
            self.command,
            input=json.dumps(order),
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "TZ": "UTC"} | environment,
            timeout=PATIENCE / 10,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Answer(**json.loads(done.stdout))


@dataclass(frozen=True)
class Caller:
    """A library that is pointed at one sandbox."""

    package: Library
    sandbox: Driver

    def __call__(
        self, call: str, *given: Any, key: str = "", locale: str = "C", **named: Any
    ) -> Answer:
        """Call a method, with its arguments in order for JavaScript, and by name for Python."""
        settings = self.sandbox.sandbox.settings
        order = {
            "url": self.sandbox.url,
            "key": key or settings.api_key,
            "shop_id": settings.shop_id,
            "secret": settings.secret_key,
            "call": call,
            "arguments": list(given) or named,
        }
        return self.package.run(order, LC_ALL=locale)


def install(name: str, *commands: list[str]) -> None:
    """Run the installer's commands, or skip. What they print is not shown: it names the registry."""
    try:
        for command in commands:
            subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip(
            f"{name} could not be installed: no package registry, or not this version any more"
        )


def python_library(name: str, driver: str, *packages: str) -> Iterator[Library]:
    """Install packages into a venv that goes away with the tests."""
    with tempfile.TemporaryDirectory(prefix="client-") as place:
        folder = Path(place)
        python = str(folder / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--retries", "1", "--no-cache-dir"]
        install(name, [sys.executable, "-m", "venv", place], [*pip, *packages])
        yield Library(folder, [python, "-W", "ignore", str(DRIVERS / driver)])


@pytest.fixture(scope="session")
def crypto_cloud_py_library() -> Iterator[Library]:
    packages = ("crypto-cloud-py==0.2", "requests==2.34.2", "pydantic==2.14.4")
    yield from python_library("crypto-cloud-py 0.2", "drive_crypto_cloud_py.py", *packages)


@pytest.fixture(scope="session")
def cryptocloud_sdk_library() -> Iterator[Library]:
    packages = ("cryptocloud-sdk==0.1.1", "aiohttp==3.14.5", "pydantic==2.14.4")
    yield from python_library("cryptocloud-sdk 0.1.1", "drive_cryptocloud_sdk.py", *packages)


@pytest.fixture(scope="session")
def cryptocloud_api_library() -> Iterator[Library]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("cryptocloud-api 1.0.4 needs node and npm, and they are not installed")
    packages = [
        "cryptocloud-api@1.0.4",
        "axios@1.21.1",
        "class-transformer@0.5.1",
        "class-validator@0.14.4",
        "jsonwebtoken@9.0.3",
    ]
    with tempfile.TemporaryDirectory(prefix="client-") as place:
        quiet = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save"]
        command = [npm, "install", "--prefix", place, *quiet, "--fetch-retries=1", *packages]
        install("cryptocloud-api 1.0.4", command)
        yield Library(Path(place), [node, str(DRIVERS / "drive_cryptocloud_api.js")])


@pytest.fixture
def crypto_cloud_py(crypto_cloud_py_library: Library, sandbox: Driver) -> Caller:
    return Caller(crypto_cloud_py_library, sandbox)


@pytest.fixture
def cryptocloud_sdk(cryptocloud_sdk_library: Library, sandbox: Driver) -> Caller:
    return Caller(cryptocloud_sdk_library, sandbox)


@pytest.fixture
def cryptocloud_api(cryptocloud_api_library: Library, sandbox: Driver) -> Caller:
    return Caller(cryptocloud_api_library, sandbox)


def minutes_to_pay(facts: dict[str, Any]) -> int:
    """How long the buyer has; the sandbox may end a few milliseconds early, as the provider does."""
    begin, end = (datetime.fromisoformat(facts[name]) for name in ("created", "expiry_date"))
    return round((end - begin) / timedelta(minutes=1))


def today(form: str = "%d.%m.%Y") -> str:
    return f"{datetime.now(UTC):{form}}"


class TestCryptoCloudPy:
    """`crypto-cloud-py` 0.2: create, info, cancel and statistics."""

    def made(self, library: Caller, **wishes: Any) -> dict[str, Any]:
        shop_id = library.sandbox.sandbox.settings.shop_id
        answer = library("invoice_create", shop_id=shop_id, **{"amount": 12.5} | wishes)
        assert not answer.raised, answer.said
        return dict(answer.gave)

    def test_it_creates_an_invoice_and_reads_the_whole_reply(self, crypto_cloud_py: Caller) -> None:
        facts = self.made(crypto_cloud_py, currency="EUR", order_id="A-1")

        assert facts["uuid"].startswith("INV-")
        assert facts["link"].endswith(facts["uuid"].removeprefix("INV-"))
        assert (facts["amount_in_fiat"], facts["fiat_currency"]) == (12.5, "EUR")
        assert (facts["status"], facts["test_mode"]) == ("created", False)
        assert facts["currency"]["stablecoin"] is True
        assert facts["invoice_id"] is None

    def test_it_reads_info(self, crypto_cloud_py: Caller, sandbox: Driver, shop: Listener) -> None:
        number = self.made(crypto_cloud_py, order_id="A-1")["uuid"]
        sandbox.act(number, "pay")

        (facts,) = crypto_cloud_py("invoices_info", invoices_ids=[number]).gave

        assert (facts["uuid"], facts["order_id"], facts["status"]) == (number, "A-1", "paid")
        assert facts["received_usd"] > 0

    def test_its_info_leaves_out_how_much_is_missing_and_the_currency_of_the_price(
        self, crypto_cloud_py: Caller, sandbox: Driver
    ) -> None:
        number = self.made(crypto_cloud_py, order_id="A-1")["uuid"]

        (facts,) = crypto_cloud_py("invoices_info", invoices_ids=[number]).gave

        lost = {"invoice_status", "to_surcharge", "amount_paid", "amount_to_pay", "amount_in_fiat"}
        assert lost <= set(sandbox.told(number))
        assert not lost & set(facts)

    def test_it_cannot_read_info_of_an_invoice_without_order_id(
        self, crypto_cloud_py: Caller
    ) -> None:
        number = self.made(crypto_cloud_py)["uuid"]

        answer = crypto_cloud_py("invoices_info", invoices_ids=[number])

        assert answer.raised == "ValidationError"
        assert "0.order_id\n  Input should be a valid string" in answer.said

    def test_one_invoice_that_it_cannot_read_hides_the_others_of_the_call(
        self, crypto_cloud_py: Caller
    ) -> None:
        numbers = [self.made(crypto_cloud_py, order_id=each)["uuid"] for each in ("A-1", "")]

        answer = crypto_cloud_py("invoices_info", invoices_ids=numbers)

        assert (answer.gave, answer.raised) == (None, "ValidationError")
        assert "1.order_id" in answer.said

    def test_the_time_to_pay_that_it_is_told_never_arrives(self, crypto_cloud_py: Caller) -> None:
        wish = {"time_to_pay": {"hours": 2, "minutes": 0}}

        facts = self.made(crypto_cloud_py, add_fields=wish)

        assert minutes_to_pay(facts) == 24 * 60

    def test_it_cancels_an_invoice_and_cannot_read_why_another_is_refused(
        self, crypto_cloud_py: Caller
    ) -> None:
        number = self.made(crypto_cloud_py)["uuid"]

        first = crypto_cloud_py("invoice_cancel", uuid=number)
        second = crypto_cloud_py("invoice_cancel", uuid=number)

        assert first.gave == ["ok"]
        assert second.raised == "HTTPError"
        assert "400" in second.said
        assert "Invoice is not created" not in second.said

    def test_it_reads_the_statistics(self, crypto_cloud_py: Caller) -> None:
        self.made(crypto_cloud_py)

        facts = crypto_cloud_py("invoice_statistics", start=today(), end=today()).gave

        assert (facts["count"]["all"], facts["count"]["created"], facts["count"]["paid"]) == (
            1,
            1,
            0,
        )
        assert facts["amount"]["all"] == 12.5


class TestCryptocloudSdk:
    """`cryptocloud-sdk` 0.1.1: create, info, cancel, balance, statistics and static wallets."""

    def made(self, library: Caller, **wishes: Any) -> dict[str, Any]:
        answer = library("create_invoice", invoice={"amount": 12.5} | wishes)
        assert not answer.raised, answer.said
        return dict(answer.gave)

    def test_it_creates_an_invoice_and_reads_the_whole_reply(self, cryptocloud_sdk: Caller) -> None:
        facts = self.made(cryptocloud_sdk, currency="EUR", order_id="A-1")

        assert (facts["amount_in_fiat"], facts["fiat_currency"]) == (12.5, "EUR")
        assert facts["link"].endswith(facts["uuid"].removeprefix("INV-"))
        assert minutes_to_pay(facts) == 24 * 60

    def test_it_reads_info_with_and_without_order_id(
        self, cryptocloud_sdk: Caller, sandbox: Driver, shop: Listener
    ) -> None:
        numbers = [self.made(cryptocloud_sdk, **each)["uuid"] for each in ({"order_id": "A-1"}, {})]
        sandbox.act(numbers[0], "pay")

        facts = cryptocloud_sdk("get_invoices", uuids=numbers).gave

        assert [each["order_id"] for each in facts] == ["A-1", None]
        assert [each["status"] for each in facts] == ["paid", "created"]

    def test_it_cannot_read_the_reply_about_a_coin_without_transfer_fee(
        self, cryptocloud_sdk: Caller
    ) -> None:
        wish = {"amount": 12.5, "add_fields": {"cryptocurrency": "BTC"}}

        answer = cryptocloud_sdk("create_invoice", invoice=wish)

        assert answer.raised == "ValidationError"
        assert "2 validation errors for CreatedInvoice\nfee\n" in answer.said
        assert "fee_usd\n  Input should be greater than 0" in answer.said

    def test_the_invoice_whose_reply_it_cannot_read_is_open_all_the_same(
        self, cryptocloud_sdk: Caller, sandbox: Driver
    ) -> None:
        wish = {"amount": 12.5, "order_id": "A-1", "add_fields": {"cryptocurrency": "BTC"}}
        cryptocloud_sdk("create_invoice", invoice=wish)

        days = {"start": today(), "end": today()}
        (facts,) = sandbox.v2("merchant/list", json=days).json()["result"]

        assert (facts["order_id"], facts["status"]) == ("A-1", "created")

    def test_a_quarter_of_an_hour_becomes_two_and_a_quarter(self, cryptocloud_sdk: Caller) -> None:
        facts = self.made(cryptocloud_sdk, add_fields={"time_to_pay": {"minutes": 15}})

        assert minutes_to_pay(facts) == 135

    def test_it_cancels_an_invoice_and_says_why_another_is_refused(
        self, cryptocloud_sdk: Caller
    ) -> None:
        number = self.made(cryptocloud_sdk)["uuid"]

        first = cryptocloud_sdk("cancel_invoice", uuid=number)
        second = cryptocloud_sdk("cancel_invoice", uuid=number)

        assert (first.gave, first.raised) == (None, "")
        assert second.raised == "BadRequestError"
        assert "Invoice is not created" in second.said

    def test_it_cannot_read_why_a_key_is_refused(self, cryptocloud_sdk: Caller) -> None:
        answer = cryptocloud_sdk("cancel_invoice", key="wrong", uuid="INV-NOSUCH00")

        assert answer.raised == "UnauthorizedError"
        assert "because - 'None'" in answer.said

    def test_it_reads_the_balance_in_every_coin(self, cryptocloud_sdk: Caller) -> None:
        balances = cryptocloud_sdk("get_balance").gave

        coins = [each["currency"] for each in balances]
        assert {"BTC", "USDT_TRC20"} <= {coin["code"] for coin in coins}
        assert {"TRC20", "ERC20"} <= {coin["obj_network"]["code"] for coin in coins}

    def test_it_picks_the_balance_of_one_coin(self, cryptocloud_sdk: Caller) -> None:
        facts = cryptocloud_sdk("get_balance", in_currency="USDT_TRC20").gave

        assert (facts["currency"]["code"], facts["balance_crypto"]) == ("USDT_TRC20", 0)

    def test_it_reads_the_statistics(self, cryptocloud_sdk: Caller) -> None:
        self.made(cryptocloud_sdk)
        day = today("%Y-%m-%d")

        facts = cryptocloud_sdk("get_stats", start=day, end=day).gave

        assert (facts["count"]["all"], facts["amount"]["created"]) == (1, 12.5)

    def test_it_opens_a_static_wallet(self, cryptocloud_sdk: Caller) -> None:
        facts = cryptocloud_sdk("create_static_wallet", currency="BTC", identify="buyer-7").gave

        assert facts["address"]
        assert facts["currency"]["code"] == "BTC"

    @pytest.mark.parametrize("encoding", ["json", "form"])
    def test_it_cannot_read_a_postback(
        self, cryptocloud_sdk: Caller, sandbox: Driver, shop: Listener, encoding: str
    ) -> None:
        sandbox.switch(postback_format=encoding)
        sandbox.act(self.made(cryptocloud_sdk, order_id="A-1")["uuid"], "pay")

        answer = cryptocloud_sdk("postback", **shop.next().fields)

        assert answer.raised == "ValidationError"
        assert "2 validation errors for InvoicePostback" in answer.said
        assert "amount_usdt\n  Field required" in answer.said
        assert "order_id\n  Input should be a valid integer" in answer.said


class TestCryptocloudApi:
    """`cryptocloud-api` 1.0.4: create, info, list, cancel, balance, and the token of postbacks."""

    def made(self, library: Caller, **wishes: Any) -> dict[str, Any]:
        answer = library("createInvoice", {"amount": 12.5, "currency": "EUR"} | wishes)
        assert not answer.raised, answer.said
        return dict(answer.gave)

    def test_it_creates_an_invoice_and_hands_on_the_reply_as_it_is(
        self, cryptocloud_api: Caller
    ) -> None:
        facts = self.made(cryptocloud_api, order_id="A-1")

        assert (facts["amount_in_fiat"], facts["fiat_currency"]) == (12.5, "EUR")
        assert facts["link"].endswith(facts["uuid"].removeprefix("INV-"))

    def test_it_sends_neither_email_nor_time_to_pay(
        self, cryptocloud_api: Caller, sandbox: Driver
    ) -> None:
        wish = {"time_to_pay": {"hours": 2, "minutes": 0}}

        facts = self.made(cryptocloud_api, email="buyer@shop.example", add_fields=wish)

        assert minutes_to_pay(facts) == 24 * 60
        assert sandbox.show(facts["uuid"].removeprefix("INV-")).get("email") is None

    def test_it_reads_info(self, cryptocloud_api: Caller, sandbox: Driver, shop: Listener) -> None:
        number = self.made(cryptocloud_api, order_id="A-1")["uuid"]
        sandbox.act(number, "pay")

        (facts,) = cryptocloud_api("getInvoices", [number]).gave

        assert (facts["order_id"], facts["status"]) == ("A-1", "paid")
        assert facts["invoice_status"] == "success"

    def test_it_lists_invoices_where_the_machine_writes_days_as_the_api_does(
        self, cryptocloud_api: Caller
    ) -> None:
        number = self.made(cryptocloud_api)["uuid"]
        day = today("%Y-%m-%d")

        answer = cryptocloud_api("listInvoices", {"start": day, "end": day}, locale="ru_RU.UTF-8")

        assert [each["uuid"] for each in answer.gave] == [number]

    def test_it_cannot_list_where_days_are_written_otherwise_and_tells_two_letters_of_the_reason(
        self, cryptocloud_api: Caller, sandbox: Driver
    ) -> None:
        days = {"start": "2026-01-31", "end": "2026-01-31"}

        answer = cryptocloud_api("listInvoices", days, locale="en_US.UTF-8")

        assert answer.raised == "CryptoCloudApiException"
        assert answer.said == "400 BAD REQUEST\ns: t"  # of "start is not a day …"

    def test_it_cancels_an_invoice_and_tells_two_letters_of_why_another_is_refused(
        self, cryptocloud_api: Caller
    ) -> None:
        number = self.made(cryptocloud_api)["uuid"]

        first = cryptocloud_api("canceledInvoice", number)
        second = cryptocloud_api("canceledInvoice", number)

        assert (first.gave, first.raised) == (None, "")
        assert second.said == "400 BAD REQUEST\nI: n"  # of "Invoice is not created"

    def test_it_tells_two_letters_of_why_a_key_is_refused(self, cryptocloud_api: Caller) -> None:
        answer = cryptocloud_api("canceledInvoice", "INV-NOSUCH00", key="wrong")

        assert answer.said == "401 UNAUTHORIZED\nU: n"  # of "Unauthorized request."

    def test_it_cannot_read_an_error_that_is_told_as_detail(self, cryptocloud_api: Caller) -> None:
        answer = cryptocloud_api("getBalance", key="wrong")

        assert answer.raised == "TypeError"
        assert answer.said == "Cannot convert undefined or null to object"

    def test_it_hands_on_the_balance(self, cryptocloud_api: Caller) -> None:
        balances = cryptocloud_api("getBalance").gave

        assert "TRC20" in {each["currency"]["obj_network"]["code"] for each in balances}

    def test_it_asks_for_the_statistics_where_there_are_none(self, cryptocloud_api: Caller) -> None:
        days = {"start": today("%Y-%m-%d"), "end": today("%Y-%m-%d")}

        answer = cryptocloud_api("getStatistic", days, locale="ru_RU.UTF-8")

        assert answer.raised == "TypeError"

    @pytest.mark.parametrize("encoding", ["json", "form"])
    def test_it_verifies_the_token_of_a_postback(
        self, cryptocloud_api: Caller, sandbox: Driver, shop: Listener, encoding: str
    ) -> None:
        sandbox.switch(postback_format=encoding)
        sandbox.act(self.made(cryptocloud_api)["uuid"], "pay")
        fields = shop.next().fields

        good = cryptocloud_api("validatePostback", fields)
        bad = cryptocloud_api("validatePostback", fields | {"token": fields["token"][:-3]})

        assert good.gave["invoice_id"] == fields["invoice_id"]
        assert bad.raised == "CryptoCloudPostbackValidationException"
        assert bad.said == "Invalid token"
