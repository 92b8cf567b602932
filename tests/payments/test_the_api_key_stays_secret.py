"""The API key goes into one header, and into no text that a person or a log might see."""

from __future__ import annotations

import json
import traceback

import pytest
import requests
import responses

from shop.payments.cryptocloud import CryptoCloudError
from tests.payments.wire import API_KEY, CREATE, SECRET_KEY, ask, make_client

ECHO = f"you sent Authorization: Token {API_KEY}"


def test_a_client_shows_neither_key_nor_secret() -> None:
    for text in (repr(make_client()), str(make_client()), f"{make_client()}"):
        assert API_KEY not in text
        assert SECRET_KEY not in text
        assert text.startswith("CryptoCloud(http")


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 400, "body": json.dumps({"error": ECHO})},
        {"status": 200, "body": json.dumps({"status": "error", "message": ECHO})},
        {"status": 422, "body": json.dumps({"result": {"headers": [ECHO]}})},
        {"status": 401, "body": ECHO},
        {"status": 500, "body": ECHO},
        {"body": requests.ConnectionError(ECHO)},
        {"body": requests.exceptions.InvalidHeader(ECHO)},
        {"body": requests.ReadTimeout(ECHO)},
        {"body": RuntimeError(ECHO)},
    ],
)
@responses.activate
def test_an_error_shows_the_key_neither_in_its_text_nor_in_its_traceback(
    answer: dict[str, object],
) -> None:
    responses.add(responses.POST, CREATE, **answer)  # type: ignore[arg-type]

    with pytest.raises(CryptoCloudError) as error:
        ask(make_client())

    assert API_KEY not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize("key", [f"{API_KEY}\nX: y", f"{API_KEY}ключ", f" {API_KEY}"])
def test_a_key_that_cannot_be_sent_is_not_shown_either(key: str) -> None:
    with pytest.raises(CryptoCloudError) as error:
        ask(make_client("http://127.0.0.1:9", api_key=key))

    assert API_KEY not in "".join(traceback.format_exception(error.value))
