"""Nobody needs to send this shop much; more than it needs is refused before it is read."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient

KB = 1024


@pytest.mark.parametrize("address", ["/cart", "/cart/lines", "/checkout", "/orders/x/pay"])
def test_a_large_form_is_refused_with_a_page(client: FlaskClient, address: str) -> None:
    response = client.post(address, data={"product": "x" * 65 * KB})

    assert response.status_code == 413
    assert "That was too much at once" in response.text


def test_a_large_postback_is_refused(client: FlaskClient) -> None:
    """With the shop's own words: it may name an invoice all the same, which is asked about then."""
    for size in (33 * KB, 65 * KB, 5 * KB * KB):
        response = client.post(
            "/payments/cryptocloud/postback",
            data=b'{"token":"' + b"x" * size,
            content_type="application/json",
        )
        assert response.status_code == 403


def test_a_body_of_unannounced_length_is_not_read_to_its_end(client: FlaskClient) -> None:
    """As a chunked request arrives from gunicorn: no Content-Length, and an end of its own."""
    body = io.BytesIO(b"x" * 1000 * KB)

    response = client.post(
        "/payments/cryptocloud/postback",
        input_stream=body,
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": "", "wsgi.input_terminated": True},
    )

    assert response.status_code == 403
    assert 0 < body.tell() <= 256 * KB + 1


def test_a_form_of_many_parts_is_refused(client: FlaskClient) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="product"\r\n\r\nrain\r\n'

    response = client.post(
        "/cart", data=part * 201 + b"--x--\r\n", content_type="multipart/form-data; boundary=x"
    )

    assert response.status_code == 413


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=p"),
        ("application/x-www-form-urlencoded", b"%ff%fe=%00&product=%c3%28&&&==="),
        ("application/x-www-form-urlencoded; charset=utf-7", b"product=+ADw-"),
        ("application/json", b'{"product": "rain"}'),
        ("text/plain", b"product=rain"),
        ("\x80", b"product=rain"),
        ("", b""),
    ],
)
def test_a_garbled_form_is_a_page_and_never_a_crash(
    client: FlaskClient, content_type: str, body: bytes
) -> None:
    for address in ("/cart", "/cart/lines", "/checkout", "/payments/cryptocloud/postback"):
        response = client.post(address, data=body, content_type=content_type)
        assert response.status_code in (303, 400, 403, 404, 413, 422), address
