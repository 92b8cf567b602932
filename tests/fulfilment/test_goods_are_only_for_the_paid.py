"""Through which doors goods leave, in each state of an order: whoever gets the money back has none open.

The table is that of docs/states.md, and each of its cells is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import delete, select

from shop import jobs
from shop.because import Because
from shop.catalogue.models import DeliveryKind, Product
from shop.catalogue.storage import Bucket
from shop.db import db, end_read, transaction, utcnow
from shop.fulfilment.models import LicenceKey
from shop.orders.links import order_path
from shop.orders.models import Order, OrderStatus
from shop.outbox.models import MailState, OutboxMail
from shop.outbox.on_request import (
    FIRST_MAIL_WAITS,
    NotCorrectable,
    correct_address,
    mail_link,
    send_again,
)
from shop.payments.by_hand import NotPossible, refund_order
from shop.privacy.export import known_about
from shop.privacy.queries import why_kept
from tests.factories import add_keys, confirm, make_open_order, make_product, send_due_mails
from tests.fulfilment.test_mails import part, written
from tests.support.deciding import BY, does, found
from tests.support.sold import make_file, sell, unsold_keys

DOCUMENT = Path("docs/states.md").resolve()
TABLE = """
| the order page | nothing | goods | goods | nothing | nothing | nothing | words | words |
| its part that changes | nothing | goods | goods | nothing | nothing | nothing | words | words |
| a download link mailed before | nothing | goods | goods | nothing | nothing | nothing | words | words |
| the same, for a file in a bucket | nothing | goods | goods | nothing | nothing | nothing | words | words |
| a mail that waits in the outbox | nothing | nothing | goods | nothing | nothing | nothing | words | nothing |
| "send the mail again" | link | link | goods | link | link | link | link | link |
| `mails resend` | link | link | goods | link | link | link | link | link |
| "find my order" | link | link | link | link | link | link | link | link |
| another address | link | link | refused | link | refused | link | refused | refused |
| `orders reissue` | refused | goods | goods | refused | refused | refused | refused | refused |
| the page at the link of `orders relink` | nothing | goods | goods | nothing | nothing | nothing | words | words |
| `orders confirm` | goods | refused | refused | goods | goods | goods | refused | refused |
| the sweep, when keys are there | nothing | goods | nothing | nothing | nothing | nothing | nothing | nothing |
| `privacy export` | nothing | goods | goods | nothing | nothing | nothing | nothing | nothing |
""".strip()
ROWS = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in TABLE.splitlines()]
COLUMNS = {
    status: {row[0]: row[number] for row in ROWS} for number, status in enumerate(OrderStatus, 1)
}

GOODS = ("Use the code 4711", "KEY-", "/downloads/", "the goods")
WORDS = "cannot be opened or downloaded any more"


class FakeClient:
    """A bucket that has every file."""

    def head_object(self, **_: object) -> dict[str, int]:
        return {"ContentLength": len(b"the goods")}

    def generate_presigned_url(self, *_: object, **__: object) -> str:
        return "https://bucket.example/downloads/rain.zip"


@dataclass
class Scene:
    """An order of a text, a file and two keys, in a state; of a paid one the second key has not come."""

    app: Flask
    monkeypatch: pytest.MonkeyPatch
    number: str = ""

    @property
    def order(self) -> Order:
        end_read()
        return found(self.number)

    def reach(self, status: OrderStatus) -> None:
        products = [
            make_product(delivery_text="Use the code 4711"),
            make_file(self.app.config["SETTINGS"], "rain.zip", max_downloads=9),
            make_product(kind=DeliveryKind.KEY, keys=2),
            late := make_product(kind=DeliveryKind.KEY, keys=1, slug="late"),
        ]
        if status is OrderStatus.PAID:  # somebody took the key out of the database
            with transaction() as session:
                session.execute(delete(LicenceKey).where(LicenceKey.product_id == late.id))
        if status in (
            OrderStatus.PENDING,
            OrderStatus.EXPIRED,
            OrderStatus.CANCELLED,
            OrderStatus.REVIEW,
        ):
            self.number = make_open_order(self.app, *products)[0].number
            if status is not OrderStatus.PENDING:
                with transaction() as session:
                    session.merge(self.order).move(status, Because("a test"))
        else:
            self.number = sell(self.app, *products).number
        if status in (OrderStatus.REFUND_DUE, OrderStatus.REFUNDED):
            proof = "0xfeed" if status is OrderStatus.REFUNDED else ""
            refund_order(self.order, Because("a test", "Ann"), transaction_id=proof)
        assert self.order.status is status

    def page(self, more: str = "") -> str:
        return seen(self.app.test_client().get(order_path(self.order) + more).text)

    def download(self) -> str:
        order, serializer = (
            self.order,
            URLSafeTimedSerializer(str(self.app.secret_key), salt="download-link"),
        )
        link = f"/downloads/{serializer.dumps([order.number, 2, order.link_version])}"
        with self.app.test_client().post(link, follow_redirects=True) as response:
            pressed = seen(response.text)
        with self.app.test_client().get(f"{link}/file", follow_redirects=True) as response:
            assert seen(response.text) == pressed
        return pressed

    def download_from_bucket(self) -> str:
        bucket = Bucket(FakeClient(), "for-sale", "")
        with self.monkeypatch.context() as patch:
            patch.setattr("shop.fulfilment.views.storage", lambda: bucket)
            return self.download()

    def mails(self) -> str:
        """What the mails say that leave now."""
        for mail in (self.app.config["SETTINGS"].shop_data_dir / "outbox").glob("*"):
            mail.unlink()
        end_read()
        send_due_mails(utcnow() + FIRST_MAIL_WAITS)
        to_buyers = [message for message in written(self.app) if self.number in message["Subject"]]
        return seen("\n".join(part(each, kind) for each in to_buyers for kind in ("plain", "html")))

    def mails_after(self, ask: Callable[[], object]) -> str:
        """The same, of what is queued by this alone."""
        with transaction() as session:
            session.execute(delete(OutboxMail))
        end_read()
        ask()
        return "link" if (saw := self.mails()) == "nothing" else saw

    def command(self, *words: str) -> bool:
        end_read()
        return does(self.app.test_cli_runner(), *words).exit_code == 0

    def resend(self) -> str:
        return self.mails_after(lambda: self.command("mails", "resend", self.number))

    def find(self) -> str:
        return self.mails_after(lambda: mail_link("buyer@example.com", self.number))

    def correct(self) -> str:
        try:
            return self.mails_after(lambda: correct_address(self.order.id, "new@example.com"))
        except NotCorrectable:
            return "refused"

    def reissue(self) -> str:
        with transaction() as session:
            session.execute(delete(OutboxMail))
        if not self.command("orders", "reissue", self.number, "--line", "2", *BY):
            return "refused"
        return self.download()

    def relink(self) -> str:
        assert self.command("orders", "relink", self.number, *BY)
        return self.page()

    def confirm(self) -> str:
        try:
            confirm(self.app, self.order)
        except NotPossible:
            return "refused"
        return self.page()

    def sweep(self) -> str:
        product = db.session.scalars(select(Product).where(Product.slug == "late")).one()
        add_keys(product, ["KEY-LATE"])
        jobs.deliveries()
        end_read()
        late = select(LicenceKey.delivery_id).where(LicenceKey.value == "KEY-LATE")
        return "goods" if db.session.scalar(late) else "nothing"

    def export(self) -> str:
        return seen(
            str([each["deliveries"] for each in known_about("buyer@example.com")["orders"]])
        )


def seen(text: str) -> str:
    if any(sign in text for sign in GOODS):
        return "goods"
    return "words" if WORDS in text else "nothing"


DOORS: dict[str, Callable[[Scene], str]] = {
    "the order page": Scene.page,
    "its part that changes": lambda scene: scene.page("/status"),
    "a download link mailed before": Scene.download,
    "the same, for a file in a bucket": Scene.download_from_bucket,
    "`privacy export`": Scene.export,
    "a mail that waits in the outbox": Scene.mails,
    '"send the mail again"': lambda scene: scene.mails_after(lambda: send_again(scene.order.id)),
    "`mails resend`": Scene.resend,
    '"find my order"': Scene.find,
    "another address": Scene.correct,
    "`orders reissue`": Scene.reissue,
    "the page at the link of `orders relink`": Scene.relink,
    "the sweep, when keys are there": Scene.sweep,
    "`orders confirm`": Scene.confirm,
}
"""Those that change something come after those that only look, and what sells the goods comes last."""


@pytest.mark.parametrize("status", OrderStatus)
def test_goods_leave_in_each_state_by_the_doors_that_the_table_says_and_no_other(
    app: Flask, monkeypatch: pytest.MonkeyPatch, status: OrderStatus
) -> None:
    with app.app_context():
        scene = Scene(app, monkeypatch)
        scene.reach(status)

        assert {name: door(scene) for name, door in DOORS.items()} == COLUMNS[status]


def test_the_table_is_that_of_the_documentation() -> None:
    head = "| | " + " | ".join(f"`{status}`" for status in OrderStatus) + " |"

    assert f"{head}\n|{'---|' * 9}\n{TABLE}\n" in DOCUMENT.read_text("utf-8")


def test_a_mail_with_goods_that_a_refund_overtakes_is_left_out_and_holds_nothing_up(
    app: Flask,
) -> None:
    """Also one that waited for keys, and would have kept the buyer's address for ever."""
    with app.app_context():
        complete = sell(app, make_product())
        product = make_product(kind=DeliveryKind.KEY, keys=1)
        with transaction() as session:
            session.execute(delete(LicenceKey))
        waiting = sell(app, product)
        assert waiting.status is OrderStatus.PAID
        for order in (complete, waiting):
            refund_order(order, Because("a test", "Ann"), transaction_id="0xfeed")

        send_due_mails(utcnow() + FIRST_MAIL_WAITS)

        end_read()
        assert set(db.session.scalars(select(OutboxMail.state))) == {MailState.SKIPPED}
        assert [why_kept(order.id) for order in (complete, waiting)] == [[], []]
        add_keys(product, ["KEY-LATE"])
        jobs.deliveries()
        assert unsold_keys(product.id) == 1, "nor does it get a key that comes now"


@pytest.mark.parametrize("sold", [True, False])
def test_who_had_goods_reads_by_mail_and_page_that_they_are_closed(app: Flask, sold: bool) -> None:
    with app.app_context():
        order = sell(app, make_product()) if sold else make_open_order(app, make_product())[0]
        if not sold:
            with transaction() as session:
                session.merge(order).move(OrderStatus.REVIEW, Because("a test"))
        refund_order(order, Because("a test", "Ann"))
        with transaction() as session:
            session.execute(delete(OutboxMail).where(OutboxMail.kind != "refund-due"))
        assert send_due_mails() == 1 + 1, "to the operator, and to the buyer"

        (mail,) = [each for each in written(app) if order.number in each["Subject"]]
        said = [WORDS in part(mail, kind) for kind in ("plain", "html")]
        said.append(WORDS in app.test_client().get(order_path(order)).text)
        assert said == [sold] * 3
