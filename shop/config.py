"""Settings: read from the environment once, frozen, and refused as a whole when any is bad.

Each setting is an environment variable in capitals (`shop_name` is SHOP_NAME), may stand in a
`.env` file, and may be given as a file by NAME_FILE, as container platforms hand out secrets.
Nothing else in the shop reads the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib.util import find_spec
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import idna
from dotenv import dotenv_values
from flask import current_app
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from .colour import HEX, READABLE, WHITE, contrast
from .money import CURRENCIES

ROOT = Path(__file__).resolve().parent.parent

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

PAPER = "#f6f8f7"
"""The colour of the page in the light scheme, as static/css/tokens.css has it."""

LONGEST_LATE_HOURS = 8760
"""A year: for no longer may money that comes late count, by the shop's setting or a product's own."""

LONGEST_INVOICE_HOURS = 720

WATCH_MARGIN = timedelta(days=1)
"""Invoices are watched so much longer than their money counts: it may be found at the last look."""

LOOPBACK = {"localhost", "127.0.0.1", "::1"}

PREVIOUS = {
    "secret_key_previous_until": "secret_key_previous",
    "cryptocloud_previous_secret_until": "cryptocloud_previous_secret_key",
}
"""By the setting that says when it ends: each key that is accepted for a while after a change."""

CURRENT = {
    "secret_key_previous": "secret_key",
    "cryptocloud_previous_secret_key": "cryptocloud_secret_key",
}
"""By the same key: the one that has replaced it."""

LANGUAGES = {"en": "English", "ru": "Русский", "uk": "Українська"}
"""The languages the shop can speak, by their ISO 639-1 code, with the name each has in itself."""


class ConfigurationError(Exception):
    """The settings do not allow a start. `problems` has one line for each, saying what to do."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"The shop cannot start until these settings are right:\n{lines}")


def _comma_list(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _links(value: object) -> object:
    """`Name=address,Name=address` as pairs."""
    parts = _comma_list(value)
    if not isinstance(parts, tuple) or not isinstance(value, str):
        return value
    return tuple(tuple(end.strip() for end in part.partition("=")[::2]) for part in parts)


CommaList = Annotated[tuple[str, ...], BeforeValidator(_comma_list)]
Links = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_links)]


LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
HOST = re.compile(rf"{LABEL}(?:\.{LABEL})*|\[[0-9a-f:.]+\]")
ORIGIN = re.compile(
    r"(?:(https?)://)?(\[[^\]]*\]|[^/:@?#\[\]]+)(?::([0-9]{1,5}))?/?", re.IGNORECASE
)
LOCAL_PART = re.compile(r"[!-~]+")


def host_name(text: str) -> str:
    """A host as browsers send it: in lower case, `магазин.рф` in ASCII (IDNA 2008), IPv6 in brackets and short."""
    try:
        name = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode()
        if name.startswith("["):
            name = f"[{IPv6Address(name[1:-1])}]"
    except (UnicodeError, ValueError):
        name = ""
    if not HOST.fullmatch(name) or len(name) > 253:
        # The value stays out of the message: it may hold a password, which is what is wrong with it.
        raise ValueError("may hold only a host, such as shop.example, with https:// and a port")
    return name


def _origin(value: str) -> str:
    """`host` or `scheme://host[:port]` as browsers write an origin; https where no scheme is named."""
    match = ORIGIN.fullmatch(value)
    scheme, host, port = match.groups() if match else (None, "", None)
    scheme, host = (scheme or "https").lower(), host_name(host)
    if port and not 0 < int(port) < 65536:
        raise ValueError("has a port that no host can have: 1 to 65535")
    usual = port in (None, {"http": "80", "https": "443"}[scheme])
    return f"{scheme}://{host}" if usual else f"{scheme}://{host}:{port}"


def _further_host(text: str) -> str:
    if text.count(":") > 1 and not text.startswith("["):
        return host_name(f"[{text}]")
    dot, name = ("." if text.startswith(".") else ""), text.removeprefix(".")
    return dot + host_name(re.sub(r":[0-9]+$", "", name))


class Settings(BaseModel):
    """Everything an operator can set. The README's table is made from these descriptions."""

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
    cryptocloud_api_key: SecretStr = Field(
        SecretStr(""), description="The project's API key, from CryptoCloud's settings"
    )
    cryptocloud_shop_id: str = Field("", description="The project's shop id")
    cryptocloud_secret_key: SecretStr = Field(
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
    database_url: str = Field(
        "",
        repr=False,  # may hold a password
        description="SQLite or PostgreSQL; empty means `shop.db` in the data folder",
    )
    shop_name: str = Field(
        "Storefront",
        min_length=1,
        max_length=60,
        description="The shop's name, on every page and mail",
    )
    shop_public_url: str = Field(
        "",
        description="The address buyers use, such as https://shop.example; mailed links start with it",
    )
    shop_support_email: str = Field(
        "", description="Where buyers write for help; shown on every page and in every mail"
    )
    shop_alert_email: str = Field(
        "",
        description="Where you are told what needs a person; empty means the support address. "
        "One of the two has to be set",
    )
    shop_base_currency: str = Field(
        "USD",
        description="The currency every product has a price in, and that exchange rates are for",
    )
    shop_currencies: CommaList = Field(
        tuple(CURRENCIES), description="Currencies a buyer may choose from, separated by commas"
    )
    shop_languages: CommaList = Field(
        tuple(LANGUAGES),
        description="Languages of the shop, separated by commas. Pages in the first have the bare address, "
        "pages in the others begin with their code: `/ru/`",
    )
    shop_rate_max_age_days: int = Field(
        30, ge=1, le=3650, description="An exchange rate older than this many days is not used"
    )
    shop_late_payment_hours: int = Field(
        72,
        ge=0,
        le=LONGEST_LATE_HOURS,
        description="Money that comes up to this many hours after an order's end still buys what is "
        "in stock; later, a person decides. A product may have its own figure",
    )
    shop_retention_days: int = Field(
        730,
        ge=0,
        le=36500,
        description="A buyer's email address is erased this many days after the last thing that happened "
        "to a closed order, a day after late money counts at the earliest; the books are kept. 0 keeps it for ever",
    )
    shop_unpaid_orders: int = Field(
        10,
        ge=1,
        le=1_000_000,
        description="How many unpaid orders one email address may have at once. A network address may have "
        "five times as many, and place ten times as many in an hour",
    )
    shop_unpaid_share: int = Field(
        50,
        ge=1,
        le=100,
        description="How many percent of a product's stock one buyer may hold without having paid "
        "(one unit always); 100 sets no limit",
    )
    shop_data_dir: Path = Field(
        ROOT / "instance",
        description="Folder for the database, product images, goods and development mail",
    )
    shop_goods_url: str = Field(
        "",
        description="Where the files for sale are kept: empty for the data folder, "
        "or s3://bucket/folder, which needs the extra `s3`",
    )
    shop_goods_endpoint: str = Field(
        "", description="The address of the service with the bucket; empty for Amazon's own"
    )
    shop_goods_region: str = Field("us-east-1", description="The region of the bucket")
    shop_goods_key_id: str = Field("", description="The access key for the bucket: its id")
    shop_goods_secret_key: SecretStr = Field(
        SecretStr(""), description="The access key for the bucket: its secret"
    )
    shop_logo: str = Field(
        "",
        description="A square picture beside the shop's name: the name of an SVG or PNG file in the data folder",
    )
    shop_accent: str = Field(
        "",
        description="The colour of buttons and links, such as #0d5c63; dark enough for white text on it",
    )
    shop_footer_links: Links = Field(
        (),
        description="Further links at the foot of every page: `Blog=https://blog.example,News=/news`",
    )
    shop_trusted_hosts: CommaList = Field(
        (),
        description="Further host names the shop answers to; a health checker at `/healthz` and `/readyz` needs none",
    )
    shop_former_hosts: CommaList = Field(
        (),
        description="Host names that SHOP_PUBLIC_URL had before: pages there lead to the present one, "
        "and postbacks sent there are taken",
    )
    shop_trusted_proxies: int = Field(
        0,
        ge=0,
        le=5,
        description="How many reverse proxies of yours stand in front (their X-Forwarded headers are believed)",
    )
    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="smtp://user:password@host:587 (STARTTLS) or smtps://…:465; "
        "empty keeps mails waiting, and with SHOP_DEVELOPMENT=1 writes them into the data folder's `outbox/`",
    )
    shop_mail_from: str = Field("", description="Sender of mails; empty means the support address")
    shop_backup_dir: Path | None = Field(
        None, description="Where your backups are kept; `doctor` looks whether the newest is fresh"
    )
    shop_failpoints: str = Field(
        "",
        description="For tests only, refused without SHOP_DEVELOPMENT=1: where the process kills itself",
    )
    queue_url: str = Field(
        "",
        repr=False,  # may hold a password
        description="Where the worker's queue is: empty for SQLite in the data folder, or redis://…, or postgresql://…",
    )

    @field_validator(
        "secret_key",
        "cryptocloud_api_key",
        "cryptocloud_shop_id",
        "cryptocloud_secret_key",
        "shop_public_url",
        mode="before",
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
                _comma_list(SANDBOX[str(info.field_name)])
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

    @field_validator(
        "cryptocloud_api_key",
        "cryptocloud_shop_id",
        "cryptocloud_secret_key",
        "shop_goods_key_id",
        "shop_goods_secret_key",
    )
    @classmethod
    def _sendable(cls, value: SecretStr | str) -> SecretStr | str:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not re.fullmatch(r"[!-~]*", text):
            raise ValueError("holds characters that cannot be sent: copy it again, as one line")
        return value

    @field_validator("shop_public_url", "cryptocloud_api_url")
    @classmethod
    def _address(cls, value: str, info: ValidationInfo) -> str:
        return cls._secure(_origin(value), info)

    @field_validator("cryptocloud_pay_hosts")
    @classmethod
    def _pay_origins(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not value:
            raise ValueError("names no host, so nobody could pay")
        return tuple(cls._secure(_origin(host), info) for host in value)

    @staticmethod
    def _secure(origin: str, info: ValidationInfo) -> str:
        if origin.startswith("http://") and not info.data.get("shop_development"):
            raise ValueError("must begin with https:// (plain http needs SHOP_DEVELOPMENT=1)")
        return origin

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

    @field_validator("shop_rate_max_age_days")
    @classmethod
    def _as_long_as_an_invoice(cls, value: int, info: ValidationInfo) -> int:
        hours = info.data.get("cryptocloud_invoice_hours")
        if hours is not None and value * 24 < hours:
            raise ValueError(
                f"must be {-(hours // -24)} or more while CRYPTOCLOUD_INVOICE_HOURS is {hours}: an "
                "invoice could still be paid at a rate that is too old. Raise the one or lower the other"
            )
        return value

    @field_validator("shop_retention_days")
    @classmethod
    def _while_money_counts(cls, value: int, info: ValidationInfo) -> int:
        """Whoever pays late is written to: that needs an address for as long as such money is looked for."""
        late = info.data.get("shop_late_payment_hours")
        if not value or late is None:
            return value
        least = -((timedelta(hours=late) + WATCH_MARGIN) // timedelta(days=-1))
        if value < least:
            raise ValueError(
                f"must be {least} or more (or 0) while SHOP_LATE_PAYMENT_HOURS is {late}: money that "
                "comes so late needs its buyer's address. Raise the one or lower the other"
            )
        return value

    @field_validator("shop_base_currency")
    @classmethod
    def _base_currency(cls, value: str) -> str:
        if value not in CURRENCIES:
            raise ValueError(f"must be one of {', '.join(CURRENCIES)}")
        return value

    @field_validator("shop_currencies")
    @classmethod
    def _currencies(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        unknown = [code for code in value if code not in CURRENCIES]
        if unknown or not value:
            raise ValueError(f"must be a list out of {','.join(CURRENCIES)}")
        base = info.data.get("shop_base_currency")
        return value if base is None or base in value else (base, *value)

    @field_validator("shop_goods_url")
    @classmethod
    def _bucket(cls, value: str) -> str:
        if value and not re.fullmatch(
            r"s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/[\w./-]*)?", value, re.ASCII
        ):
            raise ValueError("must look like s3://bucket or s3://bucket/folder, or be empty")
        if value and find_spec("boto3") is None:
            raise ValueError("needs the extra: pip install -c constraints.txt '.[s3]'")
        return value

    @field_validator("shop_goods_endpoint")
    @classmethod
    def _endpoint(cls, value: str, info: ValidationInfo) -> str:
        return value and cls._secure(_origin(value), info)

    @field_validator("shop_goods_region")
    @classmethod
    def _region(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9-]+", value):
            raise ValueError("must be a name such as eu-central-1")
        return value

    @field_validator("shop_goods_key_id", "shop_goods_secret_key")
    @classmethod
    def _goods_key(cls, value: SecretStr | str, info: ValidationInfo) -> SecretStr | str:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if info.data.get("shop_goods_url") and not text:
            raise ValueError("is missing, and SHOP_GOODS_URL needs it")
        return value

    @field_validator("shop_languages")
    @classmethod
    def _languages(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or any(code not in LANGUAGES for code in value):
            raise ValueError(f"must be a list out of {','.join(LANGUAGES)}")
        return tuple(dict.fromkeys(value))

    @field_validator("shop_trusted_hosts")
    @classmethod
    def _further_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """A dot in front takes all hosts below; a port is ignored, and an IPv6 address may lack its brackets."""
        try:
            return tuple(_further_host(host) for host in value)
        except ValueError:
            raise ValueError("must be a list of host names such as inner.example") from None

    @field_validator("shop_former_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        try:
            hosts = tuple(host_name(host) for host in value)
        except ValueError:
            raise ValueError("must be a list of host names such as old.example") from None
        if urlsplit(str(info.data.get("shop_public_url"))).hostname in hosts:
            raise ValueError("names the host of SHOP_PUBLIC_URL, which is the present one")
        return hosts

    @field_validator("shop_data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("shop_logo")
    @classmethod
    def _picture(cls, value: str) -> str:
        if value and not re.fullmatch(r"[\w-][\w.-]*\.(svg|png)", value):
            raise ValueError("must be the name of an .svg or .png file in SHOP_DATA_DIR")
        return value

    @field_validator("shop_accent")
    @classmethod
    def _legible(cls, value: str) -> str:
        colour = value.lower()
        if value and not HEX.fullmatch(colour):
            raise ValueError("must be a colour such as #0d5c63")
        if value and (found := min(contrast(colour, WHITE), contrast(colour, PAPER))) < READABLE:
            raise ValueError(
                f"is too light: white text on it, and links in it, have a contrast of {found:.1f} "
                f"and need {READABLE}"
            )
        return colour

    @field_validator("shop_footer_links")
    @classmethod
    def _addresses(cls, value: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        for name, address in value:
            if not name or not re.fullmatch(
                r"(https?://[^\s/]|/(?!/)|mailto:[^\s@]+@)\S*", address
            ):
                raise ValueError("must look like Blog=https://blog.example,News=/news")
        return value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        # SQLAlchemy refuses the old spelling, and hosting platforms still hand it out.
        value = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value)
        if not value:
            return value
        try:
            backend = make_url(value).get_backend_name()
        except (ArgumentError, ValueError):
            raise ValueError(
                "is not a database address such as postgresql://user@host/shop"
            ) from None
        if backend not in ("sqlite", "postgresql"):
            raise ValueError("must be SQLite or PostgreSQL")
        if backend == "sqlite" and make_url(value).database in (None, "", ":memory:"):
            raise ValueError("names no file: sqlite:////srv/shop/shop.db, or leave it empty")
        if backend == "postgresql" and find_spec("psycopg") is None:
            raise ValueError("needs the extra: pip install -c constraints.txt '.[postgres]'")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(value.get_secret_value())
            good = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.port != 0
        except ValueError:  # its text would show a part of the address
            good = False
        if value.get_secret_value() and not good:
            raise ValueError("must look like smtp://user:password@host:587")
        return value

    @field_validator("shop_name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():  # it stands in the header of every mail
            raise ValueError("may hold no line ends or other control characters")
        return value

    @field_validator("shop_failpoints")
    @classmethod
    def _tests_only(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("shop_development"):
            raise ValueError("is for tests: remove it")
        return value

    @field_validator("shop_support_email", "shop_mail_from", "shop_alert_email")
    @classmethod
    def _bare_email(cls, value: str) -> str:
        """As it is shown; in a header it stands with its domain in ASCII (mail.py)."""
        name, _, domain = value.rpartition("@")
        if not value:
            return value
        if not value.isprintable():
            raise ValueError("holds a character that cannot be seen: type it anew")
        if re.search(r"[\s<>@,:;\"()]", name) or not name or domain.startswith("["):
            raise ValueError("must be a bare email address such as help@shop.example")
        if not LOCAL_PART.fullmatch(name):
            raise ValueError(
                "has letters before the @ that not every mail server takes: Latin only"
            )
        try:
            host_name(domain)
        except ValueError:
            raise ValueError("must be a bare email address such as help@shop.example") from None
        return value

    @field_validator("shop_alert_email")
    @classmethod
    def _somebody(cls, value: str, info: ValidationInfo) -> str:
        """What waits for a person would else wait in a list that nobody opens."""
        nobody = not value and info.data.get("shop_support_email") == ""
        if nobody and not info.data.get("shop_development"):
            raise ValueError(
                "is missing, and so is SHOP_SUPPORT_EMAIL: set one, "
                "or nobody is told when money or goods need a person"
            )
        return value

    @field_validator("queue_url")
    @classmethod
    def _queue(cls, value: str) -> str:
        if value and not re.match(r"(rediss?|postgres(ql)?)://", value):
            raise ValueError("must start with redis:// or postgresql://, or be empty")
        return value

    @property
    def database(self) -> str:
        """The database address in use."""
        return self.database_url or f"sqlite:///{self.shop_data_dir / 'shop.db'}"

    @property
    def secure(self) -> bool:
        """Whether buyers reach the shop by https, so that cookies may insist on it."""
        return self.shop_public_url.startswith("https://")

    @property
    def mail_from(self) -> str:
        """The sender of mails."""
        return self.shop_mail_from or self.shop_support_email or f"shop@{self.mail_domain}"

    @property
    def mail_domain(self) -> str:
        """The part behind the @ of what the shop makes up itself; an IPv6 address cannot stand there."""
        host = urlsplit(self.shop_public_url).hostname or ""
        return "localhost" if ":" in host else host

    @property
    def alert_email(self) -> str:
        """Who is told by mail what waits for a person; empty only in a trial that names nobody."""
        return self.shop_alert_email or self.shop_support_email

    @property
    def mails_wait(self) -> bool:
        """Whether mails can only wait, because a shop that sells was told of no mail server."""
        return not self.smtp_url.get_secret_value() and not self.development

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


def load(environ: Mapping[str, str] | None = None, dotenv: Path | None = None) -> Settings:
    """The settings from `environ` (the process's own by default) over the `.env` file.

    Raises ConfigurationError, which names every missing and malformed setting at once.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, str] = {}
    problems: list[str] = []
    path_to_dotenv = dotenv or ROOT / ".env"
    try:
        given = {**dotenv_values(path_to_dotenv), **environ}
    except (OSError, UnicodeDecodeError) as error:
        given = dict(environ)
        problems.append(f"{path_to_dotenv} cannot be read: {type(error).__name__}")
    for field in Settings.model_fields:
        name = field.upper()
        if text := (given.get(name) or "").strip():
            values[field] = text
        elif path := given.get(f"{name}_FILE"):
            try:
                values[field] = Path(path).read_text("utf-8").strip()
            except OSError as error:
                problems.append(f"{name}_FILE names a file that cannot be read: {error.strerror}")
            except ValueError:
                problems.append(f"{name}_FILE names a file that is not text")
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [_problem(e["loc"], e["msg"]) for e in error.errors()]
    if problems:
        raise ConfigurationError(problems)
    return settings


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like ours and are not: most likely a typing error worth a warning."""
    known = {name.upper() for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    return sorted(n for n in environ if n.startswith(("SHOP_", "CRYPTOCLOUD_")) and n not in known)


def current_settings() -> Settings:
    """The settings of the app at work."""
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def _problem(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{str(location[0]).upper()} {text[:1].lower()}{text[1:]}"
