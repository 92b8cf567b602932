"""What the sandbox is told from outside, read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Self
from urllib.parse import urlsplit

from shop.sandbox.switches import Brand, Format

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
    brand: str = "trybit"
    # Two names of this machine: two origins to a browser and to the shop, and one server.
    public_url: str = "http://127.0.0.1:5001"
    trybit_url: str = "http://localhost:5001"
    lifetime: timedelta = timedelta(hours=24)
    postback_delay: float = 5.0
    postback_patience: float = 15.0
    """Seconds that a postback waits for the shop's answer."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Take every `SANDBOX_…` text setting that is set, and the default of each other one."""
        names = [field.name for field in fields(cls) if field.type is str]
        found = {name: environment.get(f"SANDBOX_{name.upper()}", "") for name in names}
        return cls(**{name: value for name, value in found.items() if value})  # type: ignore[arg-type]  # only the text fields

    def __post_init__(self) -> None:
        for name, known in (("postback_format", Format), ("brand", Brand)):
            if getattr(self, name) not in list(known):
                raise ValueError(f"SANDBOX_{name.upper()} must be {' or '.join(known)}")

    def pay_origin(self, brand: Brand) -> str:
        """Say where a brand's pay pages are. The API is at `public_url` under either brand."""
        home = self.trybit_url if brand is Brand.TRYBIT else self.public_url
        return home.rstrip("/")

    def pay_origins(self) -> tuple[str, str]:
        """Name both brands' origins, for a shop that is to accept either."""
        return self.pay_origin(Brand.CRYPTOCLOUD), self.pay_origin(Brand.TRYBIT)

    def brand_at(self, host: str) -> Brand:
        """Say whose host this is, written with its port; a host of neither brand counts as the old brand's."""
        return Brand.TRYBIT if host == urlsplit(self.trybit_url).netloc else Brand.CRYPTOCLOUD

    def shop_origins(self) -> list[str]:
        """Name the origins a buyer is sent back to, for the content security policy."""
        parts = [urlsplit(url) for url in (self.success_url, self.fail_url)]
        return sorted({f"{part.scheme}://{part.netloc}" for part in parts})
