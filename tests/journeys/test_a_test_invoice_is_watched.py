"""`flask invoices create --watch`: one test invoice is followed, and the open questions get answers."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner

from shop.cli import watching
from shop.config import Settings
from shop.payments import views
from shop.payments.cryptocloud import LARGEST_POSTBACK, Refusal
from shop.payments.gateway import open_gateway
from shop.payments.recording import LARGEST_LINE, ROOM_FOR_FORGERIES, Watched
from shop.sandbox.state import Sandbox
from tests.journeys.books import Books
from tests.journeys.till import Till

Happening = Callable[[], object]

EMAIL = "canary.buyer@example.com"
COMMAND = ["invoices", "create", "--watch", "--amount", "10", "--email", EMAIL]


class Pauses:
    """Time passes only while the command sleeps, and in each sleep the next thing happens."""

    def __init__(self) -> None:
        self.now = 0.0
        self.happenings: list[Happening] = []
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        if self.happenings:
            self.happenings.pop(0)()


@pytest.fixture(autouse=True)
def _signals_are_as_in_a_terminal() -> Iterator[None]:
    """Whoever runs the tests with `nohup`, or by a script in the background, has them ignored."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    pauses = Pauses()
    monkeypatch.setattr(watching, "sleep", pauses.sleep)
    monkeypatch.setattr(watching, "monotonic", lambda: pauses.now)
    return pauses


class Operator:
    """Runs the command while things happen at the provider."""

    def __init__(self, runner: FlaskCliRunner, till: Till, pauses: Pauses, folder: Path) -> None:
        self.runner, self.till, self.pauses, self.folder = runner, till, pauses, folder
        self.result: Result | None = None

    def watches(self, *happenings: Happening, currency: str = "EUR", more: str = "") -> Any:
        """The report."""
        self.pauses.happenings = list(happenings)
        file = self.folder / "report.json"
        words = [*COMMAND, "--currency", currency, "--report", str(file), *more.split()]
        self.result = self.runner.invoke(args=words)
        assert not self.result.exception or isinstance(self.result.exception, SystemExit), (
            self.result.exc_info
        )
        return json.loads(file.read_text("utf-8"))

    def pays(self, postback: str = "normal") -> Happening:
        return lambda: self.till.does("pay", self.pay_url, postback)

    @property
    def pay_url(self) -> str:
        found: str = self.till.invoices()[0]["pay_url"]
        return found if "://" in found else f"http://{found}"

    @property
    def exit_code(self) -> int:
        assert self.result
        return self.result.exit_code

    @property
    def output(self) -> str:
        assert self.result
        return self.result.output


@pytest.fixture
def operator(
    shop: str,
    runner: FlaskCliRunner,
    till: Till,
    pauses: Pauses,
    tmp_path: Path,
) -> Operator:
    till.is_switched("up", test_mode=True)
    return Operator(runner, till, pauses, tmp_path)


@pytest.fixture
def speaks_v2(app: Flask, settings: Settings) -> None:
    """For one test: the app's client is another."""
    app.extensions["cryptocloud"] = open_gateway(
        settings.model_copy(update={"cryptocloud_api_version": "2"})
    )
    app.config["SETTINGS"] = settings.model_copy(update={"cryptocloud_api_version": "2"})


def said(report: Any) -> dict[str, tuple[str, str]]:
    """Verdict and words by question."""
    return {each["question"]: (each["verdict"], each["found"]) for each in report["verdicts"]}


@pytest.mark.parametrize("encoding", ["json", "form"])
def test_a_confirmed_invoice_is_followed_to_its_end_and_all_is_as_expected(
    operator: Operator,
    books: Books,
    encoding: str,
    request: pytest.FixtureRequest,
) -> None:
    operator.till.is_switched("up", test_mode=True, postback_format=encoding)

    report = operator.watches(operator.pays())

    assert operator.exit_code == 0, operator.output
    assert report["ended_because"] == "all has come"
    others = {q: v for q, v in said(report).items() if v[0] != "as expected"}
    assert set(others) == {"repeats after a failure"}
    assert said(report)["postback's encoding"][1].startswith(encoding)
    assert books.state()[0] == "fulfilled"
    assert "pay_url: http" in operator.output
    assert 'press\n"Confirm invoice without payment"' in operator.output
    for line in (
        "status: created",
        "status: paid",
        f"postback 1: {encoding}, proven, answered 200",
    ):
        assert line in operator.output
    assert f"as expected:  token's id: {'<'}the invoice's id>, bare" in operator.output


@pytest.mark.usefixtures("speaks_v2")
def test_with_api_version_2_all_is_as_expected_too(operator: Operator) -> None:
    report = operator.watches(operator.pays())

    others = {q: v for q, v in said(report).items() if v[0] != "as expected"}
    assert set(others) == {"repeats after a failure"}
    assert {each["call"] for each in report["answers"]} == {
        "POST /v2/invoice/create",
        "POST /v2/invoice/merchant/info",
        "GET /v1/invoice/info",
    }


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("switches", "question", "verdict", "words"),
    [
        ({"token_id": "prefixed"}, "token's id", "otherwise", "INV-<the invoice's id>; the postback was proven"),
        ({"token_id": "number"}, "token's id", "otherwise", "<number of 2>; the postback was not_for_invoice"),
        ({"token_id": "uuid"}, "token's id", "otherwise", "absent; the invoice stands in uuid"),
        ({"token_id": "uuid"}, "token's claims", "otherwise", "uuid <the invoice's id>"),
        ({"fiat": "amount"}, "v2 info's fiat_currency", "as expected", "absent"),
        ({"fiat": "none"}, "v2 info's amount_in_fiat", "otherwise", "absent"),
        ({"fiat": "zero"}, "v2 info's amount_in_fiat", "otherwise", "0.0"),
        ({"fiat": "zero"}, "amount's unit", "not seen", "nobody told amount_in_fiat"),
        ({"noise": True}, "amount's unit", "as expected", "asked for 10.00 EUR; v2 info tells 9.999999999999998"),
        ({"nulls": True}, "test_mode", "otherwise", "v2 info: null, the postback: null"),
        ({"test_mode": False}, "test_mode", "otherwise", "is the project in test mode?"),
        ({"link": "lang"}, "pay link's shape", "as expected", "/<the invoice's id>?lang=en"),
        ({"link": "redirect"}, "pay link's shape", "otherwise", "/r/<the invoice's id>"),
        ({"extras": True}, "create", "as expected", "all fields, and no others"),
        ({"brand": "cryptocloud"}, "pay link's host", "as expected", "127.0.0.1"),
        ({"brand": "trybit"}, "pay link's host", "as expected", "localhost"),
        ({"postback_format": "json"}, "postback's invoice_info", "as expected", "an object with"),
        ({"postback_format": "form"}, "postback's invoice_info", "as expected", "JSON in a text with"),
    ],
)  # fmt: skip
def test_each_open_question_gets_its_answer(
    operator: Operator, switches: dict[str, Any], question: str, verdict: str, words: str
) -> None:
    operator.till.is_switched("up", **switches)

    report = operator.watches(operator.pays())

    found = said(report)[question]
    assert found[0] == verdict, found
    assert words in found[1]
    assert f"{question}: {found[1]}" in operator.output


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_word_that_the_shop_does_not_know_is_shown(operator: Operator) -> None:
    operator.till.is_switched("up", status_words="unknown")

    report = operator.watches(operator.pays())

    assert said(report)["status words"][0] == "otherwise"
    assert "processing, then paid; not known: processing" in said(report)["status words"][1]
    assert "status: processing (the shop: unknown" in operator.output


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_cancelled_invoice_ends_the_watch_without_a_postback(operator: Operator) -> None:
    report = operator.watches(lambda: operator.till.does("cancel", operator.pay_url))

    assert report["ended_because"] == "all has come"
    assert said(report)["postback"][0] == "not seen"
    assert "created, then canceled" in said(report)["status words"][1]
    assert "token's id" not in said(report)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_postback_that_comes_twice_is_counted(operator: Operator) -> None:
    report = operator.watches(operator.pays("twice"))

    verdict, found = said(report)["postback"]
    assert verdict == "otherwise"
    assert found.startswith("2 came, ")
    assert len(report["postbacks"]) == 2


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_postback_that_got_lost_is_waited_for_and_missed(
    operator: Operator, pauses: Pauses
) -> None:
    report = operator.watches(operator.pays("lose"))

    assert said(report)["postback"][0] == "not seen"
    assert "notification URL" in said(report)["postback"][1]
    assert pauses.now > watching.FOR_A_POSTBACK.total_seconds()


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_postback_that_another_host_took_is_told_apart_from_none(
    operator: Operator,
    settings: Settings,
) -> None:
    def elsewhere() -> None:
        (marker,) = (settings.shop_data_dir / "watch").iterdir()
        hidden = marker.rename(marker.with_name("other"))
        operator.pays()()
        hidden.rename(marker)

    report = operator.watches(elsewhere)

    assert said(report)["postback"][0] == "otherwise"
    assert "1 came and none was recorded" in said(report)["postback"][1]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_time_ends_and_pauses_grow(operator: Operator, pauses: Pauses) -> None:
    report = operator.watches(more="--minutes 2")

    assert report["ended_because"] == "the time is over"
    assert pauses.now == pytest.approx(120, abs=1)
    assert pauses.slept[0] < pauses.slept[5] <= watching.LONGEST_PAUSE
    (infos,) = [each for each in report["answers"] if each["call"].startswith("GET")]
    assert infos["times"] == len(pauses.slept) + 1


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("number", "next_one"),
    [(signal.SIGHUP, signal.SIGTERM), (signal.SIGTERM, signal.SIGTERM)],
)
def test_a_lost_connection_writes_the_report_too_and_what_follows_it_does_not_end_that(
    operator: Operator,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    next_one: signal.Signals,
) -> None:
    before = signal.getsignal(number)
    monkeypatch.setattr(watching, "verdicts", lambda _: [os.kill(os.getpid(), next_one)][1:])

    report = operator.watches(lambda: os.kill(os.getpid(), number))

    assert report["ended_because"] == "stopped by hand"
    assert report["verdicts"] == []
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_lost_connection_that_is_ignored_ends_nothing(operator: Operator) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` has it
    try:
        report = operator.watches(lambda: os.kill(os.getpid(), signal.SIGHUP), operator.pays())
    finally:
        signal.signal(signal.SIGHUP, before)

    assert report["ended_because"] == "all has come"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_while_the_provider_makes_the_invoice_writes_the_report_too(
    operator: Operator, books: Books, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def is_ended(*_: object) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr(watching.Watch, "hear", is_ended)

    report = operator.watches()

    assert operator.exit_code == 1
    assert report["ended_because"] == "stopped by hand"
    assert "An invoice may have been made" in report["shop_says"]
    assert f"The test order is {books.order().number}" in operator.output
    assert report["shop_says"].endswith("The test order is [hidden].")
    assert books.state() == ("pending", "none")


@pytest.mark.parametrize("engine", ["sqlite"])
def test_an_answer_that_cannot_be_masked_costs_neither_the_invoice_nor_the_report(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise OverflowError

    monkeypatch.setattr(watching.Mask, "answer", breaks)

    report = operator.watches(operator.pays())

    assert operator.exit_code == 0
    assert report["shop_says"] == "an invoice to pay"
    assert "not masked: OverflowError" in report["answers"][0]["body"]
    assert len(report["postbacks"]) == 1
    assert said(report)["create"][0] == "otherwise"


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_postback_that_was_refused_is_waited_for_longer(
    operator: Operator, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "_is_received", lambda sight: bool(sight.is_refused(*refusal())))

    def refusal() -> tuple[Refusal, str, str]:
        return Refusal.SIGNATURE, "", operator.till.invoices()[0]["id"]

    report = operator.watches(operator.pays())

    assert pauses.now > watching.FOR_A_RETRY.total_seconds()
    assert "0 came in the" in said(report)["repeats after a failure"][1]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_ctrl_c_writes_the_report_too_and_takes_the_marker_away(
    operator: Operator,
    settings: Settings,
) -> None:
    def interrupt() -> None:
        assert len(list((settings.shop_data_dir / "watch").iterdir())) == 1
        raise KeyboardInterrupt

    report = operator.watches(operator.pays(), interrupt)

    assert report["ended_because"] == "stopped by hand"
    assert len(report["postbacks"]) == 1
    assert not list((settings.shop_data_dir / "watch").iterdir())


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("api", ["slow", "500", "garbled", "401"])
def test_an_api_that_fails_meanwhile_does_not_end_the_watch(
    app: Flask, operator: Operator, api: str
) -> None:
    def breaks() -> None:
        operator.till.is_switched(api, seconds=0)

    def mends() -> None:
        operator.till.is_switched("up")
        app.extensions["cryptocloud"]._calls._refused_at = None

    report = operator.watches(breaks, mends, operator.pays())

    assert report["ended_because"] == "all has come"
    assert said(report)["status words"] == ("as expected", "created, then paid")


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("switch", "words"),
    [("401", "status 401"), ("500", "status 500"), ("down", "status 503"), ("reset", "no answer came")],
)  # fmt: skip
def test_a_create_that_fails_is_worth_a_report(operator: Operator, switch: str, words: str) -> None:
    operator.till.is_switched(switch)

    report = operator.watches()

    assert operator.exit_code == 1
    assert words in said(report)["create"][1]
    assert said(report)["pay link"][0] == "not seen"
    assert report["invoice"] is None


@pytest.mark.parametrize("engine", ["sqlite"])
def test_what_the_provider_says_against_it_is_kept(operator: Operator) -> None:
    operator.till.is_switched("up", refusal="minimum")

    report = operator.watches()

    assert report["answers"][0]["body"] == {
        "status": "error",
        "error": "Minimum amount is 0.1 USD",
    }


@pytest.mark.parametrize("engine", ["sqlite"])
def test_an_invoice_that_no_buyer_may_be_sent_to_is_followed_all_the_same(
    operator: Operator,
) -> None:
    operator.till.is_switched("foreign_link", test_mode=True)

    def pays() -> None:
        operator.till.is_switched("up")
        operator.pays()()

    report = operator.watches(pays)

    assert operator.exit_code == 1
    assert said(report)["pay link's host"][0] == "otherwise"
    assert "elsewhere.invalid is not listed" in said(report)["pay link's host"][1]
    assert f"Invoice {report['invoice']} was made, but its reply was refused" in operator.output
    assert "Invoice <the invoice's id> was made" in report["shop_says"]
    assert len(report["postbacks"]) == 1


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_dollar_invoice_cannot_tell_the_unit(operator: Operator) -> None:
    report = operator.watches(operator.pays(), currency="USD")

    assert said(report)["amount in US dollars"][0] == "not seen"


@pytest.mark.parametrize("encoding", ["json", "form"])
@pytest.mark.parametrize("version", ["1", "2"])
def test_no_secret_stands_in_report_or_output(
    operator: Operator,
    sandbox: Sandbox,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
    version: str,
) -> None:
    if version == "2":
        request.getfixturevalue("speaks_v2")
    operator.till.is_switched("up", postback_format=encoding, extras=True)
    posted = keep_posted(monkeypatch)

    report = operator.watches(operator.pays("twice"))

    (invoice,) = operator.till.invoices()
    shown = json.dumps(report) + operator.output
    tokens = [token_of(body) for body in posted]
    assert len(tokens) == 2
    secrets = [
        sandbox.settings.api_key,
        sandbox.settings.secret_key,
        sandbox.settings.shop_id,
        EMAIL,
        "canary.buyer",
        f"sandbox-{invoice['id']}",  # the transaction's id
        "SANDBOX-USDT",  # the wallet's address
        sandbox.settings.success_url,
        *tokens,
        *(part for token in tokens for part in token.split(".")),
    ]
    for secret in secrets:
        assert secret
        assert secret not in shown
    assert invoice["order_id"] not in json.dumps(report)


def keep_posted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies of all postbacks that will come."""
    read, posted = views._body, list[bytes]()

    def body() -> bytes:
        posted.append(read())
        return posted[-1]

    monkeypatch.setattr(views, "_body", body)
    return posted


def token_of(body: bytes) -> str:
    found = body.decode().partition("eyJ")[2]
    return "eyJ" + found.split('"')[0].split("&")[0]


def test_a_forged_postback_is_recorded_as_refused_and_changes_nothing(
    operator: Operator,
    books: Books,
    shop: str,
    sandbox: Sandbox,
) -> None:
    def forge() -> None:
        number = operator.till.invoices()[0]["id"]
        claims = {"id": number, "exp": int(time.time()) + 300}
        token = jwt.encode(claims, "a-key-that-somebody-made-up-0000000000", "HS256")
        fields = {
            "status": "success",
            "invoice_id": number,
            "token": token,
            "x@y.zz": "0x" + "a" * 40,
        }
        answer = requests.post(f"{shop}/payments/cryptocloud/postback", json=fields, timeout=30)
        assert answer.status_code == 403

    report = operator.watches(forge, more="--minutes 1")

    (postback,) = report["postbacks"]
    assert (postback["judged"], postback["answered"]) == ("signature", 403)
    assert postback["fields"]["<name of 6>"] == "<text of 42>"
    assert said(report)["the shop's answer"][0] == "otherwise"
    assert said(report)["repeats after a failure"][0] == "otherwise"
    assert books.state() == ("pending", "none")
    assert books.postbacks() == 0


@pytest.mark.parametrize("engine", ["sqlite"])
def test_without_a_marker_nothing_is_recorded(
    operator: Operator,
    runner: FlaskCliRunner,
    settings: Settings,
) -> None:
    words = [word for word in COMMAND if word != "--watch"]
    runner.invoke(args=[*words, "--currency", "EUR"])
    other = Watched(settings.shop_data_dir, "ZZZZ9999", "another")

    operator.pays()()

    assert other.postbacks() == []
    assert [path.name for path in (settings.shop_data_dir / "watch").iterdir()] == ["ZZZZ9999"]


@pytest.fixture
def watched(operator: Operator, runner: FlaskCliRunner, settings: Settings) -> Watched:
    """The marker of an open invoice."""
    words = [word for word in COMMAND if word != "--watch"]
    runner.invoke(args=[*words, "--currency", "EUR"])
    number = operator.till.invoices()[0]["id"]
    return Watched(settings.shop_data_dir, number, "a-reference")


def posts(shop: str, **more: Any) -> int:
    return requests.post(f"{shop}/payments/cryptocloud/postback", timeout=30, **more).status_code


@pytest.mark.parametrize("engine", ["sqlite"])
def test_forgeries_cannot_fill_the_disk_nor_keep_out_what_is_genuine(
    operator: Operator,
    watched: Watched,
    shop: str,
) -> None:
    big = {f"name{i}": "x" * 900 for i in range(LARGEST_POSTBACK // 1000)}
    fields = {"invoice_id": watched.path.name, "token": "x", "invoice_info": {"a": [big] * 1}}
    for _ in range(40):
        assert posts(shop, json=fields) == 403
    with watched.path.open("a") as file:
        file.write("x" * ROOM_FOR_FORGERIES + "\n")
    full = watched.path.stat().st_size
    assert posts(shop, json=fields) == 403
    assert watched.path.stat().st_size == full
    operator.pays()()

    assert watched.postbacks()[-1]["judged"] == "proven"
    for line in watched.path.read_bytes().splitlines():
        assert len(line) <= max(LARGEST_LINE, ROOM_FOR_FORGERIES)


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("harm", ["unreadable", "garbage", "ended", "link", "folder"])
def test_a_recording_that_fails_costs_no_postback(
    operator: Operator,
    books: Books,
    watched: Watched,
    tmp_path: Path,
    harm: str,
) -> None:
    if harm == "garbage":
        watched.path.write_text("nothing\n")
    elif harm == "ended":
        watched.path.write_text('{"reference": "x", "until": "2020-01-01T00:00:00+00:00"}\n')
    else:
        watched.path.unlink()
        if harm == "folder":
            watched.path.mkdir()
        elif harm == "link":
            (tmp_path / "target").write_text("{}\n")
            watched.path.symlink_to(tmp_path / "target")
        else:
            os.mkfifo(watched.path)
    before = watched.path.stat().st_size

    operator.pays()()

    assert operator.till.invoices()[0]["postbacks"][0]["answer"] == 200
    assert books.state()[0] == "fulfilled"
    assert watched.path.stat().st_size == before or harm == "folder"


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_postback_that_the_shop_breaks_over_is_recorded_with_its_500(
    operator: Operator, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("shop.payments.views.receive_postback", breaks)
    operator.pays()()

    (postback,) = watched.postbacks()
    assert (postback["answered"], postback["judged"]) == (500, "proven")


@pytest.mark.parametrize("engine", ["sqlite"])
def test_old_markers_go_and_new_ones_are_for_the_owner_only(settings: Settings, app: Flask) -> None:
    old = Watched(settings.shop_data_dir, "OLDONE00", "x")
    then = time.time() - timedelta(days=2).total_seconds()
    os.utime(old.path, (then, then))

    new = Watched(settings.shop_data_dir, "NEWONE00", "x")

    assert not old.path.exists()
    assert stat.S_IMODE(new.path.stat().st_mode) == 0o600
    new.end()
    new.end()
    assert not new.path.exists()


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_report_is_the_owners_and_overwrites_nothing(operator: Operator) -> None:
    report = operator.watches(more="--minutes 1")
    file = operator.folder / "report.json"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert next(iter(report)) == "about"
    assert "masked" in report["about"]
    kept = file.read_text("utf-8")
    again = operator.runner.invoke(args=[*COMMAND, "--currency", "EUR", "--report", str(file)])
    assert again.exit_code == 1
    assert "exists already" in again.output
    assert file.read_text("utf-8") == kept
    assert len(operator.till.invoices()) == 1, "it is said before anything is made"


@pytest.mark.parametrize("engine", ["sqlite"])
def test_no_empty_report_is_left_when_nothing_was_asked(
    operator: Operator, runner: FlaskCliRunner
) -> None:
    file = operator.folder / "new.json"
    words = [*COMMAND, "--currency", "EUR", "--order-id", "once", "--minutes", "1"]
    runner.invoke(args=[*words, "--report", str(operator.folder / "first.json")])

    result = runner.invoke(args=[*words, "--report", str(file)])

    assert "has been used before" in result.output
    assert not file.exists()


@pytest.mark.parametrize("engine", ["sqlite"])
def test_without_a_name_the_report_is_named_after_the_invoice(
    operator: Operator, runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(operator.folder)

    result = runner.invoke(args=[*COMMAND, "--currency", "EUR", "--minutes", "1", "--json"])

    report = json.loads(result.stdout)
    file = operator.folder / f"test-invoice-{report['invoice']}.json"
    assert json.loads(file.read_text("utf-8")) == report
    assert str(file) in result.stderr


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("more", [["--report", "x"], ["--minutes", "5"]])
def test_what_is_about_watching_wants_watch(
    operator: Operator, runner: FlaskCliRunner, more: list[str]
) -> None:
    words = [word for word in COMMAND if word != "--watch"]

    result = runner.invoke(args=[*words, "--currency", "EUR", *more])

    assert result.exit_code == 2
    assert not operator.till.invoices()
