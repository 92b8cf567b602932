"""Makes one call with `cryptocloud-sdk`: what to call comes in as JSON, what it gave goes out as JSON.

The library takes the API's address as `host`, so nothing of it is touched. Its models are built from
JSON by themselves: an invoice that is wished for, and a postback that came in.
"""

import asyncio
import datetime
import json
import sys
from collections.abc import Mapping

from cryptocloud_sdk import CryptoCloud
from cryptocloud_sdk.dto.invoice import InvoiceInput
from cryptocloud_sdk.dto.postback import InvoicePostback
from pydantic import BaseModel


def plain(given: object) -> object:
    """What the library returned, as JSON can hold it."""
    if isinstance(given, list):
        return [plain(each) for each in given]
    return given.model_dump(mode="json") if isinstance(given, BaseModel) else given


def made(arguments: Mapping[str, object]) -> dict[str, object]:
    """The arguments as the library wants them: its own model of a wish, and dates for days."""
    makers = {
        "invoice": InvoiceInput.model_validate,
        "start": datetime.date.fromisoformat,
        "end": datetime.date.fromisoformat,
    }
    return {name: makers.get(name, lambda it: it)(value) for name, value in arguments.items()}


def do(order: Mapping[str, object]) -> object:
    """Read a postback, or call the API."""
    if order["call"] == "postback":
        return InvoicePostback(**order["arguments"])
    client = CryptoCloud(order["key"], order["shop_id"], host=order["url"])
    return asyncio.run(getattr(client, order["call"])(**made(order["arguments"])))


def main() -> None:
    """Say what the call gave, or the name and text of what it raised."""
    order = json.load(sys.stdin)
    try:
        answer = {"gave": plain(do(order))}
    except Exception as error:
        answer = {"raised": type(error).__name__, "said": str(error)}
    json.dump(answer, sys.stdout)


main()
