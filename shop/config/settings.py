"""All settings: the shop's own beside those of the provider, each with what it is for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from ..money import CURRENCIES
from .provider import ProviderSettings
from .rules import (
    ACCENT,
    LANGUAGES,
    BareEmail,
    Bucket,
    Colour,
    CommaList,
    Currency,
    DatabaseUrl,
    Folder,
    FooterLinks,
    FurtherHosts,
    Languages,
    OneLine,
    Picture,
    QueueUrl,
    Region,
    Sendable,
    SendableSecret,
    SmtpUrl,
    host_name,
    origin,
)

ROOT = Path(__file__).resolve().parents[2]

LONGEST_LATE_HOURS = 8760
"""A year: neither the shop's setting nor a product's own may let late money count for longer."""

WATCH_MARGIN = timedelta(days=1)
"""How much longer an invoice is watched than its money counts: the last look may be the one that finds it."""


class Settings(ProviderSettings):
    """Everything an operator can set. The table in docs/settings.md is made from these descriptions."""

    database_url: DatabaseUrl = Field(
        "",
        repr=False,  # may hold a password
        description="SQLite or PostgreSQL; empty means `shop.db` in the data folder",
    )
    shop_name: OneLine = Field(
        "Storefront",
        min_length=1,
        max_length=60,
        description="The shop's name, on every page and mail",
    )
    shop_public_url: str = Field(
        "",
        description="The address buyers use, such as https://shop.example; mailed links start with it",
    )
    shop_support_email: BareEmail = Field(
        "", description="Where buyers write for help; shown on every page and in every mail"
    )
    shop_alert_email: BareEmail = Field(
        "",
        description="Where you are told what needs a person; empty means the support address. "
        "One of the two has to be set",
    )
    shop_base_currency: Currency = Field(
        "USD",
        description="The currency every product has a price in, and that exchange rates are for",
    )
    shop_currencies: CommaList = Field(
        tuple(CURRENCIES), description="Currencies a buyer may choose from, separated by commas"
    )
    shop_languages: Languages = Field(
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
    shop_data_dir: Folder = Field(
        ROOT / "instance",
        description="Folder for the database, product images, goods and development mail",
    )
    shop_goods_url: Bucket = Field(
        "",
        description="Where the files for sale are kept: empty for the data folder, "
        "or s3://bucket/folder, which needs the extra `s3`",
    )
    shop_goods_endpoint: str = Field(
        "", description="The address of the service with the bucket; empty for Amazon's own"
    )
    shop_goods_region: Region = Field("us-east-1", description="The region of the bucket")
    shop_goods_key_id: Sendable = Field("", description="The access key for the bucket: its id")
    shop_goods_secret_key: SendableSecret = Field(
        SecretStr(""), description="The access key for the bucket: its secret"
    )
    shop_logo: Picture = Field(
        "",
        description="A square picture beside the shop's name: the name of an SVG or PNG file in the data folder",
    )
    shop_accent: Colour = Field(
        "",
        description="The colour of buttons and links, such as #0d5c63; dark enough for white text on it",
    )
    shop_footer_links: FooterLinks = Field(
        (),
        description="Further links at the foot of every page: `Blog=https://blog.example,News=/news`",
    )
    shop_trusted_hosts: FurtherHosts = Field(
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
    smtp_url: SmtpUrl = Field(
        SecretStr(""),
        description="smtp://user:password@host:587 (STARTTLS) or smtps://…:465; "
        "empty keeps mails waiting, and with SHOP_DEVELOPMENT=1 writes them into the data folder's `outbox/`",
    )
    shop_mail_from: BareEmail = Field(
        "", description="Sender of mails; empty means the support address"
    )
    shop_backup_dir: Path | None = Field(
        None, description="Where your backups are kept; `doctor` looks whether the newest is fresh"
    )
    shop_failpoints: str = Field(
        "",
        description="For tests only, refused without SHOP_DEVELOPMENT=1: where the process kills itself",
    )
    queue_url: QueueUrl = Field(
        "",
        repr=False,  # may hold a password
        description="Where the worker's queue is: empty for SQLite in the data folder, or redis://…, or postgresql://…",
    )

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
        """Refuse to erase addresses while late money is still looked for: its buyer has to be written to."""
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

    @field_validator("shop_currencies")
    @classmethod
    def _currencies(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        unknown = [code for code in value if code not in CURRENCIES]
        if unknown or not value:
            raise ValueError(f"must be a list out of {','.join(CURRENCIES)}")
        base = info.data.get("shop_base_currency")
        return value if base is None or base in value else (base, *value)

    @field_validator("shop_goods_endpoint")
    @classmethod
    def _endpoint(cls, value: str, info: ValidationInfo) -> str:
        return value and cls.only_https(origin(value), info)

    @field_validator("shop_goods_key_id", "shop_goods_secret_key")
    @classmethod
    def _goods_key(cls, value: SecretStr | str, info: ValidationInfo) -> SecretStr | str:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if info.data.get("shop_goods_url") and not text:
            raise ValueError("is missing, and SHOP_GOODS_URL needs it")
        return value

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

    @field_validator("shop_failpoints")
    @classmethod
    def _tests_only(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("shop_development"):
            raise ValueError("is for tests: remove it")
        return value

    @field_validator("shop_alert_email")
    @classmethod
    def _somebody(cls, value: str, info: ValidationInfo) -> str:
        """Refuse a shop that tells nobody: what waits for a person would wait in a list that nobody opens."""
        nobody = not value and info.data.get("shop_support_email") == ""
        if nobody and not info.data.get("shop_development"):
            raise ValueError(
                "is missing, and so is SHOP_SUPPORT_EMAIL: set one, "
                "or nobody is told when money or goods need a person"
            )
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
        """The part behind the @ in addresses and ids that the shop makes up; an IPv6 address cannot stand there."""
        host = urlsplit(self.shop_public_url).hostname or ""
        return "localhost" if ":" in host else host

    @property
    def accent(self) -> str:
        """The colour of buttons and links where no style sheet is, as in mails."""
        return self.shop_accent or ACCENT

    @property
    def alert_email(self) -> str:
        """Who is told by mail what waits for a person; empty only in a trial that names nobody."""
        return self.shop_alert_email or self.shop_support_email

    @property
    def mails_wait(self) -> bool:
        """Whether all mails wait, because this is a shop that sells and SMTP_URL is not set."""
        return not self.smtp_url.get_secret_value() and not self.development
