"""The switches on the control panel: which provider is played, and what goes otherwise than usual."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum


class Brand(StrEnum):
    """Whose pay page a link leads to: the provider's name since May 2026, or the one before."""

    TRYBIT = "trybit"
    CRYPTOCLOUD = "cryptocloud"


class Link(StrEnum):
    """How a pay link is written, and whether it leads to the pay page at once."""

    WHOLE = "whole"
    BARE = "bare"
    LANG = "lang"
    REDIRECT = "redirect"
    REDIRECT_AWAY = "redirect_away"


class Api(StrEnum):
    """How the API answers. Some faults do the work and spoil the answer; the others do nothing."""

    UP = "up"
    DOWN = "down"
    SLOW = "slow"
    GARBLED = "garbled"
    OLD_UNAUTHENTICATED = "400"
    UNAUTHENTICATED = "401"
    NOT_ACCEPTABLE = "406"
    TOO_MANY = "429"
    BROKEN = "500"
    DRIP = "drip"
    RESET = "reset"
    REDIRECT = "redirect"
    FOREIGN_LINK = "foreign_link"
    REPEAT = "repeat"


class Refusal(StrEnum):
    """How create refuses for good. The last one refuses nothing: it answers with a code that the documents lack."""

    NONE = "none"
    MINIMUM = "minimum"
    SHOP_ID = "shop_id"
    INSIDE_200 = "inside_200"
    INACTIVE = "inactive"
    WALL = "wall"
    RATE_LIMIT = "rate_limit"
    CREATED_201 = "created_201"


class Fiat(StrEnum):
    """What info tells of the ordinary money that an invoice was made for."""

    AMOUNT = "amount"
    BOTH = "both"
    NONE = "none"
    ZERO = "zero"


class Words(StrEnum):
    """How info spells the statuses. `unknown` calls an invoice that waits `processing`."""

    USUAL = "usual"
    BRITISH = "british"
    UNKNOWN = "unknown"


class Limit(StrEnum):
    """What `limit` of the list means: how many records, or the number of the last one."""

    COUNT = "count"
    LAST = "last"


class TokenId(StrEnum):
    """What a postback's token claims about the invoice."""

    INVOICE = "invoice"
    PREFIXED = "prefixed"
    NUMBER = "number"
    UUID = "uuid"


class Format(StrEnum):
    """How postbacks are written."""

    FORM = "form"
    JSON = "json"


class BadSwitch(ValueError):
    """A switch that does not exist, or a position it does not have."""


@dataclass(frozen=True)
class Switches:
    """All switches in one position each."""

    brand: Brand = Brand.TRYBIT
    link: Link = Link.WHOLE
    api: Api = Api.UP
    seconds: float = 2.0
    refusal: Refusal = Refusal.NONE
    fiat: Fiat = Fiat.AMOUNT
    noise: bool = False
    nulls: bool = False
    status_words: Words = Words.USUAL
    limit: Limit = Limit.COUNT
    postback_format: Format = Format.FORM
    token_id: TokenId = TokenId.INVOICE
    hold: bool = False
    overpaid: bool = False
    extras: bool = False
    test_mode: bool = False

    def turned(self, wanted: Mapping[str, object]) -> "Switches":
        """Return the switches with some of them turned, or raise BadSwitch and turn none."""
        present = asdict(self)
        unknown = sorted(set(wanted) - set(present))
        if unknown:
            raise BadSwitch(f"No such switch: {', '.join(unknown)}.")
        read = {name: _position(name, type(present[name]), wanted[name]) for name in wanted}
        return replace(self, **read)  # type: ignore[arg-type]  # each is read as its field's type


def _position(name: str, kind: type, value: object) -> object:
    """The position of a switch that `value` names; each kind of switch reads its own."""
    if kind is bool:
        if not isinstance(value, bool):
            raise BadSwitch(f"{name} must be true or false.")
        return value
    if issubclass(kind, StrEnum):
        if value not in list(kind):
            raise BadSwitch(f"{name} must be one of {', '.join(kind)}.")
        return kind(str(value))
    return _seconds(name, value)


def _seconds(name: str, value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        raise BadSwitch(f"{name} must be a number.") from None
    if not 0 <= seconds <= 120:
        raise BadSwitch(f"{name} must be between 0 and 120.")
    return seconds
