"""The worker's jobs, as far as they are more than the use cases they call."""

from __future__ import annotations

import pytest
from flask import Flask

from shop import jobs
from shop.db import db
from shop.ops.models import JobRun
from shop.outbox.models import MailState
from shop.payments.checking import refresh
from tests.factories import gateway, make_open_order, provider
from tests.support.sold import goods_mails


@pytest.mark.parametrize("part", ["payments.sweep", "undelivered_orders"])
def test_a_part_of_the_sweep_that_breaks_does_not_hold_up_the_mails(
    app: Flask, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """A row that nothing can be done with must not cost every other buyer their goods."""
    with app.app_context():
        _, payment = make_open_order(app)
        with provider(app) as calls:
            calls.invoice_is("paid")
            refresh(payment, gateway(app))

        def broken(*_: object) -> None:
            raise RuntimeError("a row that cannot be")

        monkeypatch.setattr(f"shop.jobs.{part}", broken)

        with pytest.raises(RuntimeError, match="a row that cannot be"):
            jobs.run("sweep")

        (mail,) = goods_mails()
        assert mail.state is MailState.SENT
        assert db.session.get(JobRun, "sweep") is None, "it must not count as done"
