"""Settings that check themselves: types whose rules need nothing but the value.

A rule that depends on another setting is a validator of the class that has both.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import idna
from pydantic import AfterValidator, BeforeValidator, SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from ..colour import HEX, READABLE, WHITE, contrast
from ..money import CURRENCIES

LANGUAGES = {"en": "English", "ru": "Русский", "uk": "Українська"}
"""The languages the shop can speak, by their ISO 639-1 code, with the name each has in itself."""

LOOPBACK = {"localhost", "127.0.0.1", "::1"}

ACCENT, PAPER = "#0d5c63", "#f6f8f7"
"""The colours of buttons and of the page in the light scheme, as static/css/tokens.css has them."""

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


def origin(value: str) -> str:
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


def comma_list(value: object) -> object:
    """`a, b` as a tuple; what is no text stays as it is."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _links(value: object) -> object:
    """`Name=address,Name=address` as pairs."""
    parts = comma_list(value)
    if not isinstance(parts, tuple) or not isinstance(value, str):
        return value
    return tuple(tuple(end.strip() for end in part.partition("=")[::2]) for part in parts)


def _bare_email(value: str) -> str:
    """The address as people see it; in the headers of mails, mail.py writes its domain in ASCII."""
    name, _, domain = value.rpartition("@")
    if not value:
        return value
    if not value.isprintable():
        raise ValueError("holds a character that cannot be seen: type it anew")
    if re.search(r"[\s<>@,:;\"()]", name) or not name or domain.startswith("["):
        raise ValueError("must be a bare email address such as help@shop.example")
    if not LOCAL_PART.fullmatch(name):
        raise ValueError("has letters before the @ that not every mail server takes: Latin only")
    try:
        host_name(domain)
    except ValueError:
        raise ValueError("must be a bare email address such as help@shop.example") from None
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():  # it stands in the header of every mail
        raise ValueError("may hold no line ends or other control characters")
    return value


def _sendable(value: str) -> str:
    if not re.fullmatch(r"[!-~]*", value):
        raise ValueError("holds characters that cannot be sent: copy it again, as one line")
    return value


def _sendable_secret(value: SecretStr) -> SecretStr:
    _sendable(value.get_secret_value())
    return value


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError(f"must be one of {', '.join(CURRENCIES)}")
    return value


def _languages(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or any(code not in LANGUAGES for code in value):
        raise ValueError(f"must be a list out of {','.join(LANGUAGES)}")
    return tuple(dict.fromkeys(value))


def _further_hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    """Host names; one with a dot in front covers all hosts below. Ports are ignored, IPv6 may lack its brackets."""
    try:
        return tuple(_further_host(host) for host in value)
    except ValueError:
        raise ValueError("must be a list of host names such as inner.example") from None


def _addresses(value: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    for name, address in value:
        if not name or not re.fullmatch(r"(https?://[^\s/]|/(?!/)|mailto:[^\s@]+@)\S*", address):
            raise ValueError("must look like Blog=https://blog.example,News=/news")
    return value


def _picture(value: str) -> str:
    if value and not re.fullmatch(r"[\w-][\w.-]*\.(svg|png)", value):
        raise ValueError("must be the name of an .svg or .png file in SHOP_DATA_DIR")
    return value


def _legible(value: str) -> str:
    colour = value.lower()
    if value and not HEX.fullmatch(colour):
        raise ValueError("must be a colour such as #0d5c63")
    if value and (found := min(contrast(colour, WHITE), contrast(colour, PAPER))) < READABLE:
        raise ValueError(
            f"is too light: white text on it, and links in it, have a contrast of {found:.1f} "
            f"and need {READABLE}"
        )
    return colour


def _absolute(value: Path) -> Path:
    return value.expanduser().resolve()


def _bucket(value: str) -> str:
    if value and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/[\w./-]*)?", value, re.ASCII):
        raise ValueError("must look like s3://bucket or s3://bucket/folder, or be empty")
    if value and find_spec("boto3") is None:
        raise ValueError("needs the extra: pip install -c constraints.txt -e '.[s3]'")
    return value


def _region(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+", value):
        raise ValueError("must be a name such as eu-central-1")
    return value


def _database(value: str) -> str:
    # SQLAlchemy refuses the old spelling, and hosting platforms still hand it out.
    value = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value)
    if not value:
        return value
    try:
        backend = make_url(value).get_backend_name()
    except (ArgumentError, ValueError):
        raise ValueError("is not a database address such as postgresql://user@host/shop") from None
    if backend not in ("sqlite", "postgresql"):
        raise ValueError("must be SQLite or PostgreSQL")
    if backend == "sqlite" and make_url(value).database in (None, "", ":memory:"):
        raise ValueError("names no file: sqlite:////srv/shop/shop.db, or leave it empty")
    if backend == "postgresql" and find_spec("psycopg") is None:
        raise ValueError("needs the extra: pip install -c constraints.txt -e '.[postgres]'")
    return value


def _queue(value: str) -> str:
    if value and not re.match(r"(rediss?|postgres(ql)?)://", value):
        raise ValueError("must start with redis:// or postgresql://, or be empty")
    return value


def _smtp(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        good = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.port != 0
    except ValueError:  # its text would show a part of the address
        good = False
    if value.get_secret_value() and not good:
        raise ValueError("must look like smtp://user:password@host:587")
    return value


CommaList = Annotated[tuple[str, ...], BeforeValidator(comma_list)]
FooterLinks = Annotated[
    tuple[tuple[str, str], ...], BeforeValidator(_links), AfterValidator(_addresses)
]
BareEmail = Annotated[str, AfterValidator(_bare_email)]
OneLine = Annotated[str, AfterValidator(_one_line)]
Sendable = Annotated[str, AfterValidator(_sendable)]
SendableSecret = Annotated[SecretStr, AfterValidator(_sendable_secret)]
Currency = Annotated[str, AfterValidator(_currency)]
Languages = Annotated[CommaList, AfterValidator(_languages)]
FurtherHosts = Annotated[CommaList, AfterValidator(_further_hosts)]
Picture = Annotated[str, AfterValidator(_picture)]
Colour = Annotated[str, AfterValidator(_legible)]
Folder = Annotated[Path, AfterValidator(_absolute)]
Bucket = Annotated[str, AfterValidator(_bucket)]
Region = Annotated[str, AfterValidator(_region)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]
QueueUrl = Annotated[str, AfterValidator(_queue)]
SmtpUrl = Annotated[SecretStr, AfterValidator(_smtp)]
