"""The way back from the pay page by a form, which other providers' pages send instead of following a link."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from shop.db import db
from shop.payments.models import Payment
from tests.buyer import Buyer
from tests.factories import make_product, provider


@pytest.mark.parametrize("prefix", ["", "/ru"])
@pytest.mark.parametrize("ending", ["success", "fail"])
@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_return_by_post_is_answered_as_one_by_get(app: Flask, prefix: str, ending: str) -> None:
    """From another site, as a browser says it, and without a token."""
    with app.app_context():
        slug = make_product().slug
    buyer = Buyer(app)
    with provider(app) as calls:
        calls.invoice_is_made()
        calls.invoice_is("created")
        buyer.buys(slug)
        reference = reference_of(app)
        by_get = buyer.browser.get(f"{prefix}/payment/{ending}?order_id={reference}")

        answer = buyer.browser.post(
            f"{prefix}/payment/{ending}",
            data={"order_id": reference, "invoice_uuid": "INV-X"},
            headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://pay.trybit.com"},
        )
        assert answer.status_code == 303
        assert answer.headers["Location"] == f"{prefix}/payment/{ending}?order_id={reference}"
        by_post = buyer.browser.get(answer.headers["Location"])

    assert by_post.status_code == by_get.status_code == 303
    assert by_post.headers["Location"] == by_get.headers["Location"]
    assert by_post.headers["Location"].startswith("/orders/")


@pytest.mark.parametrize("address", ["/payment/success", "/payment/fail"])
@pytest.mark.parametrize("engine", ["sqlite"])
def test_whatever_is_posted_to_it_leads_to_a_page_of_the_shop(
    client: FlaskClient, address: str
) -> None:
    bodies: list[dict[str, object]] = [
        {},
        {"data": {"order_id": "x" * 3000}},
        {"data": {"order_id": "\0\r\nSet-Cookie: x=y"}},
        {"data": "{", "content_type": "application/json"},
        {"data": b"\xff", "content_type": "multipart/form-data; boundary=x"},
        {"query_string": "order_id=//evil.example"},
    ]
    for body in bodies:
        answer = client.post(address, **body)

        assert answer.status_code == 303, body
        assert answer.headers["Location"].startswith(address)
        assert len(answer.headers["Location"]) < 250
        assert "Set-Cookie" not in answer.headers
        assert client.get(answer.headers["Location"]).status_code == 200
    assert client.post("/payment/other").status_code == 404


def reference_of(app: Flask) -> str:
    with app.app_context():
        return db.session.query(Payment).one().reference
