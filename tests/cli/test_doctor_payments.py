"""The doctor on money: is the key taken, are postbacks proven, does the sweep keep up?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
import responses
from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner

from shop.config import Settings
from shop.db import transaction, utcnow
from shop.doctor import Finding
from shop.doctor import payments as checks
from shop.payments.cryptocloud import ASKED_AT_ONCE, SIGNED, CryptoCloud, Refusal
from shop.payments.models import Payment, PaymentState, Postback
from shop.payments.refusals import MEANINGS
from tests.factories import make_order, provider
from tests.ops.test_doctor import findings

INVOICE = "ABCD1234"


def ago(**length: float) -> datetime:
    return utcnow() - timedelta(**length)


@pytest.fixture(autouse=True)
def _at_work(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def make_payment(app: Flask, invoice_id: str = INVOICE, **values: object) -> None:
    """A payment with an open invoice, and whatever else is given."""
    _, payment = make_order(app)
    given = {
        "state": PaymentState.OPEN,
        "invoice_id": invoice_id,
        "pay_url": f"http://127.0.0.1:5001/{invoice_id}",
        "opened_at": utcnow(),
    }
    with transaction() as session:
        found = session.get_one(Payment, payment.id)
        for step in (given, values):  # the database allows no payment to be paid at one go
            for name, value in step.items():
                setattr(found, name, value)
            session.flush()


def refused(app: Flask, invoice_id: str = INVOICE, **values: object) -> None:
    given: dict[str, object] = {
        "refused_postbacks": 1,
        "refused_at": ago(minutes=5),
        "refused_because": Refusal.SIGNATURE,
    }
    make_payment(app, invoice_id, **given | values)


PAID = {"state": PaymentState.PAID, "provider_status": "paid"}


def paid(app: Flask, invoice_id: str = INVOICE, **values: object) -> None:
    make_payment(app, invoice_id, **PAID | {"paid_at": ago(hours=1)} | values)


def proven(at: datetime, invoice_id: str = INVOICE) -> None:
    with transaction() as session:
        session.add(
            Postback(
                invoice_id=invoice_id,
                first_at=at,
                last_at=at,
                claimed_status="success",
                claimed_amount="1",
                claimed_currency="BTC",
                claimed_order="",
            )
        )


def test_a_refused_one_for_an_invoice_that_was_paid_is_a_wrong_secret(
    app: Flask, settings: Settings
) -> None:
    refused(app, paid_at=ago(minutes=4), **PAID)

    found = checks.postbacks(settings)

    assert found.level == "fail"
    assert "the secret key does not match" in found.text
    assert "Copy CRYPTOCLOUD_SECRET_KEY" in found.mend


OWN_WORDS = {
    Refusal.EXPIRED: "clock",
    Refusal.OTHER_INVOICE: "orders show",
    Refusal.OTHER_ORDER: "orders show",
    Refusal.UNDATED: "report it",
    Refusal.MALFORMED: "report it",
    Refusal.UNSIGNED: "report it",
    Refusal.UNREADABLE: "report it",
    "": "It may be the secret key",
}


@pytest.mark.parametrize("because", OWN_WORDS)
def test_one_that_was_refused_for_another_reason_has_a_mend_of_its_own(
    app: Flask, settings: Settings, because: str
) -> None:
    """Who has copied the right key must not be sent to copy it again."""
    at = ago(hours=7)
    refused(app, paid_at=ago(minutes=4), refused_because=because, refused_at=at, **PAID)

    found = checks.postbacks(settings)

    assert found.level == "fail"
    assert "secret key does not match" not in found.text
    assert "Copy CRYPTOCLOUD_SECRET_KEY" not in found.mend
    assert ("the key is right" in found.text) is (because in SIGNED)
    assert OWN_WORDS[because] in found.mend
    assert f"{at:%Y-%m-%d %H:%M}, and none proven since" in found.text
    assert "Mended since? Prove it by a test invoice (`invoices create`)." in found.mend


@pytest.mark.parametrize("values", [PAID, {}], ids=["paid", "unpaid"])
@pytest.mark.parametrize("because", ASKED_AT_ONCE)
def test_one_signed_with_our_key_for_no_invoice_is_no_failure(
    app: Flask, settings: Settings, because: Refusal, values: dict[str, object]
) -> None:
    at = ago(hours=2)
    when = {"paid_at" if values else "checked_at": ago(hours=1)}
    refused(app, refused_because=because, refused_at=at, **values | when)

    found = checks.postbacks(settings)

    assert (found.level, found.mend) == ("ok", "")
    assert "the key is right" in found.text
    assert "names no invoice" in found.text
    assert f"{at:%Y-%m-%d %H:%M}" in found.text
    assert "CryptoCloud was asked at once instead" in found.text


@pytest.mark.parametrize(
    "values",
    [{}, {"checked_at": 3}, {"checked_at": 1, "unclear_since": 1}],
    ids=["never told", "told before", "told unclearly"],
)
def test_one_that_the_api_says_nothing_clear_about_is_a_warning_that_names_it(
    app: Flask, settings: Settings, values: dict[str, int]
) -> None:
    moments = {name: ago(hours=hours) for name, hours in values.items()}
    because = Refusal.NOT_FOR_INVOICE
    refused(app, refused_because=because, refused_at=ago(hours=2), **moments)

    found = checks.postbacks(settings)

    assert found.level == "warn"
    assert f"has told nothing clear about invoice {INVOICE}" in found.text


@pytest.mark.parametrize(("minutes", "level"), [(5, "warn"), (40, "fail")])
def test_a_check_that_is_long_overdue_is_told(
    app: Flask, settings: Settings, minutes: int, level: str
) -> None:
    make_payment(app, next_check_at=ago(minutes=minutes))

    found = checks.sweep_lag(settings)

    assert found.level == level
    assert f"{minutes} minutes" in found.text


@pytest.mark.parametrize("engine", ["sqlite"])
class TestPostbacks:
    def test_one_that_was_proven_lately_shows_the_secret(
        self, app: Flask, settings: Settings
    ) -> None:
        at = ago(days=3)
        paid(app)
        proven(at)

        found = checks.postbacks(settings)

        assert (found.level, found.mend) == ("ok", "")
        assert f"{at:%Y-%m-%d}" in found.text

    def test_none_ever_is_a_warning_that_says_how_to_try(
        self, app: Flask, settings: Settings
    ) -> None:
        found = checks.postbacks(settings)

        assert found.level == "warn"
        assert "invoices create" in found.mend
        assert "sandbox" in found.mend

    def test_a_secret_that_was_changed_since_the_last_proof_is_found_out(
        self, app: Flask, settings: Settings
    ) -> None:
        proven(ago(days=1), "OLD12345")
        refused(app, paid_at=ago(minutes=4), **PAID)

        assert checks.postbacks(settings).level == "fail"

    def test_every_reason_has_its_words(self, app: Flask) -> None:
        assert set(MEANINGS) == {*Refusal, ""}

    def test_a_wrong_signature_is_refuted_by_a_later_one_of_ours(
        self, app: Flask, settings: Settings
    ) -> None:
        """Only who has our key can make one, so it has been put right since."""
        refused(app, paid_at=ago(minutes=50), refused_at=ago(minutes=50), **PAID)
        assert checks.postbacks(settings).level == "fail"

        signed = {"refused_because": Refusal.NOT_FOR_INVOICE, "refused_at": ago(minutes=9)}
        refused(app, "SIGNED12", checked_at=ago(minutes=8), **signed)
        assert checks.postbacks(settings).level == "ok"

        refused(app, "WRONG123", paid_at=ago(minutes=5), refused_at=ago(minutes=5), **PAID)
        assert "the secret key does not match" in checks.postbacks(settings).text

    def test_the_gravest_reason_is_told_and_since_when(
        self, app: Flask, settings: Settings
    ) -> None:
        first, last = ago(days=3), ago(days=1)
        for number, at in enumerate((first, ago(days=2), last)):
            refused(app, f"WRONG{number}23", paid_at=at, refused_at=at, **PAID)
        refused(app, "TORN1234", paid_at=ago(hours=1), refused_because="unreadable", **PAID)

        found = checks.postbacks(settings)

        assert "postbacks of 3 paid invoices were refused" in found.text
        assert f"since {first:%Y-%m-%d %H:%M}, the last on {last:%Y-%m-%d %H:%M}" in found.text
        assert "the secret key does not match" in found.text

    def test_a_paid_invoice_of_which_nothing_came_is_told_beside_signed_postbacks_of_others(
        self, app: Flask, settings: Settings
    ) -> None:
        refused(app, refused_because=Refusal.NOT_FOR_INVOICE)
        paid(app, "NONE1234")

        assert "no proven postback came" in checks.postbacks(settings).text

    def test_a_refused_one_before_the_last_proof_is_forgotten(
        self, app: Flask, settings: Settings
    ) -> None:
        refused(app, paid_at=ago(minutes=4), **PAID)
        paid(app, "NEW12345")
        proven(ago(minutes=1), "NEW12345")

        assert checks.postbacks(settings).level == "ok"

    def test_a_buyer_who_forges_one_cannot_make_the_doctor_fail(
        self, app: Flask, settings: Settings
    ) -> None:
        """Whoever opened a pay page knows its invoice's id; only payment makes the provider speak."""
        proven(ago(days=1), "OLD12345")
        refused(app)

        found = checks.postbacks(settings)

        assert found.level == "warn"
        assert "a postback of an unpaid invoice was refused" in found.text

    def test_a_forger_who_then_pays_is_outweighed_by_the_genuine_postback(
        self, app: Flask, settings: Settings
    ) -> None:
        refused(app, paid_at=ago(minutes=4), **PAID)
        proven(ago(minutes=6))

        assert checks.postbacks(settings).level == "ok"

    def test_what_was_refused_long_ago_says_nothing_about_today(
        self, app: Flask, settings: Settings
    ) -> None:
        refused(app, refused_at=ago(days=60))

        assert "not shown yet" in checks.postbacks(settings).text

    def test_a_paid_invoice_without_any_postback_points_at_the_projects_settings(
        self, app: Flask, settings: Settings
    ) -> None:
        paid(app)

        found = checks.postbacks(settings)

        assert found.level == "warn"
        assert f"{settings.shop_public_url}/payments/cryptocloud/postback" in found.mend

    @pytest.mark.parametrize(
        "values", [{"paid_at": None}, {"confirmed_by": "Ann"}], ids=["just now", "by a person"]
    )
    def test_a_postback_that_is_on_its_way_or_not_due_is_not_missed(
        self, app: Flask, settings: Settings, values: dict[str, object]
    ) -> None:
        paid(app, **values | {"paid_at": values.get("paid_at", utcnow()) or utcnow()})

        assert "not shown yet" in checks.postbacks(settings).text

    def test_a_proof_of_long_ago_is_a_warning(self, app: Flask, settings: Settings) -> None:
        proven(ago(days=90))

        assert checks.postbacks(settings).level == "warn"


@pytest.mark.parametrize("engine", ["sqlite"])
class TestTheSweep:
    def test_a_check_that_is_due_is_no_lag(self, app: Flask, settings: Settings) -> None:
        make_payment(app, next_check_at=ago(seconds=50))

        assert checks.sweep_lag(settings).level == "ok"

    def test_a_payment_without_an_invoice_waits_for_nothing(
        self, app: Flask, settings: Settings
    ) -> None:
        make_order(app)

        assert checks.sweep_lag(settings).level == "ok"


@pytest.mark.parametrize("engine", ["sqlite"])
class TestTheProvider:
    @dataclass(frozen=True)
    class Told:
        """A client whose provider's clock is this far ahead of ours."""

        ahead: float | None

        def check_key(self) -> float | None:
            return self.ahead

    @pytest.mark.parametrize(
        ("ahead", "level", "words"),
        [
            (0.4, "ok", "0 seconds"),
            (-10.2, "ok", "10 seconds"),
            (11.0, "warn", "11 seconds behind"),
            (-59.0, "warn", "59 seconds ahead of"),
            (61.0, "fail", "61 seconds behind"),
            (-7200.0, "fail", "2 hours ahead of"),
            (None, "warn", "not compared"),
        ],
    )
    def test_a_clock_that_is_wrong_is_told(
        self, app: Flask, settings: Settings, ahead: float | None, level: str, words: str
    ) -> None:
        """A postback's token lives for five minutes: with a wrong clock none would be believed."""
        app.extensions["cryptocloud"] = self.Told(ahead)

        key, clock = self.look(settings)

        assert key.level == "ok"
        assert clock.level == level
        assert words in clock.text

    def look(self, settings: Settings) -> tuple[Finding, Finding]:
        key, clock = checks.provider(settings)
        return key, clock

    def test_the_clock_is_read_from_the_providers_own_answer(self, app: Flask) -> None:
        with provider(app) as calls:
            headers = {"Date": "Sat, 01 Jan 2000 00:00:00 GMT"}
            no = {"status": "error", "error": "Invoice is not found"}
            calls.add(responses.GET, calls.info_url, status=400, json=no, headers=headers)
            client: CryptoCloud = app.extensions["cryptocloud"]

            ahead = client.check_key()

        assert ahead is not None
        assert ahead < -800_000_000

    def test_a_refused_key_is_a_failure(self, app: Flask) -> None:
        found = findings(app, status=401)

        assert found["provider"]["level"] == "fail"
        assert found["provider"]["text"] == "refuses the API key"
        assert "CRYPTOCLOUD_API_KEY" in found["provider"]["mend"]
        assert found["exit"] == 1

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (400, ""),
            (400, '{"error":"bad request"}'),
            (402, '{"detail":"pay"}'),
            (404, ""),
            (404, '{"detail":"Not found."}'),
            (410, '{"message":"v1 was switched off"}'),
            (200, '{"status":"success"}'),
        ],
    )
    def test_what_any_web_server_might_say_does_not_show_that_the_key_is_taken(
        self, app: Flask, status: int, body: str
    ) -> None:
        found = findings(app, status=status, body=body)

        assert found["provider"]["level"] == "warn"
        assert str(status) in found["provider"]["text"]
        assert "CRYPTOCLOUD_API_URL" in found["provider"]["mend"]

    def test_something_in_between_is_a_failure(self, app: Flask) -> None:
        assert findings(app, status=403, body="error code: 1020")["provider"]["level"] == "fail"

    def test_a_silent_provider_is_a_failure(self, app: Flask) -> None:
        assert findings(app, status=500)["provider"]["level"] == "fail"


@pytest.mark.parametrize("engine", ["sqlite"])
class TestTheCommand:
    def run(self, app: Flask, runner: FlaskCliRunner, *more: str) -> Result:
        with provider(app) as calls:
            calls.add(responses.GET, calls.info_url, status=400)
            return runner.invoke(args=["doctor", *more])

    def test_a_test_mail_is_sent_when_asked_for(
        self, app: Flask, settings: Settings, runner: FlaskCliRunner
    ) -> None:
        result = self.run(app, runner, "--mail-to", "me@example.com")

        assert "test mail: written into" in result.stdout
        assert len(list((settings.shop_data_dir / "outbox").iterdir())) == 1

    def test_none_is_sent_otherwise(
        self, app: Flask, settings: Settings, runner: FlaskCliRunner
    ) -> None:
        assert "test mail" not in self.run(app, runner).stdout
        assert not (settings.shop_data_dir / "outbox").exists()

    @pytest.mark.parametrize("address", ["", "me", "a@b@c", "a@example.com,b@example.com"])
    def test_a_bad_address_is_refused_before_anything_is_checked(
        self, app: Flask, runner: FlaskCliRunner, address: str
    ) -> None:
        result = self.run(app, runner, "--mail-to", address)

        assert result.exit_code == 1
        assert "Error:" in result.output
        assert "migrations" not in result.output
