"""The provider's client: made once for each process, and looked up by whoever needs it."""

from __future__ import annotations

from flask import current_app

from ..config import Settings
from .cryptocloud import CryptoCloud, CryptoCloudV2

EXTENSION = "cryptocloud"


def open_gateway(settings: Settings) -> CryptoCloud:
    """A client of the provider, as the settings describe it."""
    client = CryptoCloudV2 if settings.cryptocloud_api_version == "2" else CryptoCloud
    return client(
        api_key=settings.cryptocloud_api_key.get_secret_value(),
        shop_id=settings.cryptocloud_shop_id,
        secret_key=settings.cryptocloud_secret_key.get_secret_value(),
        url=settings.cryptocloud_api_url,
        pay_origins=settings.cryptocloud_pay_hosts,
        previous_secret_key=settings.cryptocloud_previous_secret_key.get_secret_value(),
        previous_until=settings.cryptocloud_previous_secret_until,
        invoice_life=settings.invoice_life,
    )


def gateway() -> CryptoCloud:
    """The client of the app at hand."""
    client: CryptoCloud = current_app.extensions[EXTENSION]
    return client
