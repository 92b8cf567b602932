"""What the sandbox is told from outside, read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Self
from urllib.parse import urlsplit

SHOP = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Settings:
    """One project's settings at the provider; the credentials are published and worth nothing."""

    api_key: str = "sandbox-api-key-0000000000000000000000"
    shop_id: str = "SANDBOXSHOP00001"
    secret_key: str = "sandbox-postback-secret-00000000000000"  # noqa: S105  # published on purpose
    notification_url: str = f"{SHOP}/payments/cryptocloud/postback"
    success_url: str = f"{SHOP}/payment/success"
    fail_url: str = f"{SHOP}/payment/fail"
    postback_format: str = "form"
    public_url: str = "http://127.0.0.1:5001"
    lifetime: timedelta = timedelta(hours=24)
    postback_delay: float = 5.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Take every `SANDBOX_…` text setting that is set, and the default of each other one."""
        names = [field.name for field in fields(cls) if field.type is str]
        found = {name: environment.get(f"SANDBOX_{name.upper()}", "") for name in names}
        return cls(**{name: value for name, value in found.items() if value})  # type: ignore[arg-type]  # only the text fields

    def __post_init__(self) -> None:
        if self.postback_format not in ("form", "json"):
            raise ValueError("SANDBOX_POSTBACK_FORMAT must be form or json")

    def pay_url(self, invoice_id: str) -> str:
        """Say where the buyer pays an invoice."""
        return f"{self.public_url.rstrip('/')}/{invoice_id}"

    def shop_origins(self) -> list[str]:
        """Name the origins a buyer is sent back to, for the content security policy."""
        parts = [urlsplit(url) for url in (self.success_url, self.fail_url)]
        return sorted({f"{part.scheme}://{part.netloc}" for part in parts})
