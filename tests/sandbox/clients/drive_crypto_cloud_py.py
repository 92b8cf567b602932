"""Makes one call with `crypto-cloud-py`: what to call comes in as JSON, what it gave goes out as JSON.

The library takes the API's address as `base_url`, so nothing of it is touched.
"""

import json
import sys

from crypto_cloud_py import CryptoCloudApi
from pydantic import BaseModel


def plain(given: object) -> object:
    """What the library returned, as JSON can hold it."""
    if isinstance(given, list):
        return [plain(each) for each in given]
    return given.model_dump(mode="json") if isinstance(given, BaseModel) else given


def main() -> None:
    """Say what the call gave, or the name and text of what it raised."""
    order = json.load(sys.stdin)
    client = CryptoCloudApi(order["key"], base_url=f"{order['url']}/v2")
    try:
        answer = {"gave": plain(getattr(client, order["call"])(**order["arguments"]))}
    except Exception as error:
        answer = {"raised": type(error).__name__, "said": str(error)}
    json.dump(answer, sys.stdout)


main()
