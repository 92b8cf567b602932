"""Settings of keys and of the provider; the rules of the other settings build on these."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from .rules import CommaList, Sendable, SendableSecret, comma_list, origin

SANDBOX = {
    "secret_key": "development-only-secret-key-0000000000000",
    "cryptocloud_api_key": "sandbox-api-key-0000000000000000000000",
    "cryptocloud_shop_id": "SANDBOXSHOP00001",
    "cryptocloud_secret_key": "sandbox-postback-secret-00000000000000",
    "cryptocloud_api_url": "http://127.0.0.1:5001",
    "cryptocloud_pay_hosts": "http://127.0.0.1:5001,http://localhost:5001",
    "shop_public_url": "http://127.0.0.1:8000",
}
"""What a development shop uses where nothing is set: the sandbox's published, worthless keys."""

LONGEST_INVOICE_HOURS = 720

PREVIOUS = {
    "secret_key_previous_until": "secret_key_previous",
    "cryptocloud_previous_secret_until": "cryptocloud_previous_secret_key",
}
"""Each previous key that is accepted for a while after a change, by the setting that says when that ends."""

CURRENT = {
    "secret_key_previous": "secret_key",
    "cryptocloud_previous_secret_key": "cryptocloud_secret_key",
}
"""The key that has replaced each previous key, by the previous one's setting."""


class ProviderSettings(BaseModel):
    """Keys, and how the provider is reached."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True
    )

    # First, because the rules for the others depend on it.
    shop_development: bool = Field(
        False,
        description="1 on your own machine only: allows plain http, and uses the sandbox's keys where none are set",
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Signs cookies and links; 32 random characters or more. "
        "Make one: `python3 -c 'import secrets; print(secrets.token_urlsafe(48))'`",
    )
    secret_key_previous: SecretStr = Field(
        SecretStr(""),
        description="After changing SECRET_KEY: the one before. Links, carts and forms signed with it "
        "still work for a while",
    )
    secret_key_previous_until: datetime | None = Field(
        None,
        description="When the previous SECRET_KEY ends, with its time zone: 2027-01-31T12:00:00Z",
    )
    cryptocloud_api_key: SendableSecret = Field(
        SecretStr(""), description="The project's API key, from CryptoCloud's settings"
    )
    cryptocloud_shop_id: Sendable = Field("", description="The project's shop id")
    cryptocloud_secret_key: SendableSecret = Field(
        SecretStr(""), description="The project's secret key, which signs postbacks"
    )
    cryptocloud_previous_secret_key: SecretStr = Field(
        SecretStr(""),
        description="After changing the secret key: the one before, still accepted for a while",
    )
    cryptocloud_previous_secret_until: datetime | None = Field(
        None,
        description="When the previous secret key ends, with its time zone: 2027-01-31T12:00:00Z",
    )
    cryptocloud_api_url: str = Field(
        "https://api.cryptocloud.plus",
        description="Where the provider's API is. CryptoCloud calls itself Trybit since May 2026; "
        "API version 2 also answers at https://api.trybit.com",
    )
    cryptocloud_api_version: Literal["1", "2"] = Field(
        "1",
        description="The provider's API version. 2 tells amounts and test mode, "
        "and lets the shop find and cancel invoices",
    )
    cryptocloud_invoice_hours: int = Field(
        24,
        ge=1,
        le=LONGEST_INVOICE_HOURS,
        description="How long a buyer has to pay; other than 24 needs API version 2",
    )
    cryptocloud_pay_hosts: CommaList = Field(
        ("pay.trybit.com", "pay.cryptocloud.plus"),
        description="Hosts a buyer may be sent to for paying, separated by commas; "
        "the provider's pay page is at the first today, and was at the second",
    )
    cryptocloud_send_email: bool = Field(
        True, description="0 keeps the buyer's email address from the provider"
    )

    @field_validator(
        "secret_key",
        "cryptocloud_api_key",
        "cryptocloud_shop_id",
        "cryptocloud_secret_key",
        "shop_public_url",
        mode="before",
        check_fields=False,  # the last is a field of Settings
    )
    @classmethod
    def _required(cls, value: Any, info: ValidationInfo) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text:
            return value
        if info.data.get("shop_development"):
            return SANDBOX[str(info.field_name)]
        raise ValueError("is missing")

    @field_validator("cryptocloud_api_url", "cryptocloud_pay_hosts", mode="before")
    @classmethod
    def _sandbox_address(cls, value: Any, info: ValidationInfo) -> Any:
        """A development shop without a key of its own talks to the sandbox, not to the provider."""
        untouched = value == cls.model_fields[str(info.field_name)].default
        key = info.data.get("cryptocloud_api_key")
        if untouched and key and key.get_secret_value() == SANDBOX["cryptocloud_api_key"]:
            return (
                comma_list(SANDBOX[str(info.field_name)])
                if isinstance(value, tuple)
                else SANDBOX[str(info.field_name)]
            )
        return value

    @field_validator(
        "secret_key",
        "cryptocloud_api_key",
        "cryptocloud_shop_id",
        "cryptocloud_secret_key",
        "cryptocloud_previous_secret_key",
        "secret_key_previous",
    )
    @classmethod
    def _own(cls, value: SecretStr | str, info: ValidationInfo) -> SecretStr | str:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not info.data.get("shop_development") and text in SANDBOX.values():
            raise ValueError("is a published development value: use one of your own")
        return value

    @field_validator("secret_key", "secret_key_previous")
    @classmethod
    def _long(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.field_name == "secret_key_previous" and not value.get_secret_value():
            return value
        if len(value.get_secret_value().encode()) < 32:
            raise ValueError("is too short: use at least 32 random characters")
        return value

    @field_validator("shop_public_url", "cryptocloud_api_url", check_fields=False)
    @classmethod
    def _address(cls, value: str, info: ValidationInfo) -> str:
        return cls.only_https(origin(value), info)

    @field_validator("cryptocloud_pay_hosts")
    @classmethod
    def _pay_origins(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not value:
            raise ValueError("names no host, so nobody could pay")
        return tuple(cls.only_https(origin(host), info) for host in value)

    @staticmethod
    def only_https(address: str, info: ValidationInfo) -> str:
        """The address, if it is https or the shop is a trial; ValueError otherwise."""
        if address.startswith("http://") and not info.data.get("shop_development"):
            raise ValueError("must begin with https:// (plain http needs SHOP_DEVELOPMENT=1)")
        return address

    @field_validator("cryptocloud_invoice_hours")
    @classmethod
    def _hours(cls, value: int, info: ValidationInfo) -> int:
        if value != 24 and info.data.get("cryptocloud_api_version") == "1":
            raise ValueError("must be 24, or CRYPTOCLOUD_API_VERSION 2: API v1 offers no other")
        return value

    @field_validator("cryptocloud_previous_secret_until", "secret_key_previous_until")
    @classmethod
    def _zoned(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        previous = info.data.get(PREVIOUS[str(info.field_name)])
        if previous and previous.get_secret_value() and value is None:
            raise ValueError("is missing: say when the previous secret key ends")
        if value and value.tzinfo is None:
            raise ValueError("needs a time zone, such as the Z in 2027-01-31T12:00:00Z")
        if value and previous is not None and not previous.get_secret_value():
            key = PREVIOUS[str(info.field_name)].upper()
            raise ValueError(f"is set and {key} is not: set both, or remove this one")
        return value

    @field_validator("secret_key_previous", "cryptocloud_previous_secret_key")
    @classmethod
    def _another(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        name = CURRENT[str(info.field_name)]
        current = info.data.get(name)
        if current and value.get_secret_value() == current.get_secret_value():
            raise ValueError(
                f"is the same as {name.upper()}: give the one before it, or remove this one"
            )
        return value

    @property
    def invoice_life(self) -> timedelta:
        """How long a buyer has to pay."""
        return timedelta(hours=self.cryptocloud_invoice_hours)

    @property
    def pay_hosts(self) -> list[str]:
        """The pay page's host names, for people."""
        return [urlsplit(origin).netloc for origin in self.cryptocloud_pay_hosts]

    @property
    def development(self) -> bool:
        """Whether this is a trial on somebody's own machine."""
        return self.shop_development
