"""The switches on the control panel: how the API behaves and how postbacks are written."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Api(StrEnum):
    """How the API answers. Some faults do the work and spoil the answer; the others do nothing."""

    UP = "up"
    DOWN = "down"
    SLOW = "slow"
    GARBLED = "garbled"
    UNAUTHENTICATED = "401"
    NOT_ACCEPTABLE = "406"
    TOO_MANY = "429"
    BROKEN = "500"
    DRIP = "drip"
    RESET = "reset"
    REDIRECT = "redirect"
    FOREIGN_LINK = "foreign_link"
    REPEAT = "repeat"


class BadSwitch(ValueError):
    """A switch that does not exist, or a position it does not have."""


@dataclass(frozen=True)
class Switches:
    """All switches in one position each."""

    api: Api = Api.UP
    seconds: float = 2.0
    postback_format: str = "form"
    overpaid: bool = False
    extras: bool = False
    test_mode: bool = False

    def turned(self, wanted: Mapping[str, object]) -> "Switches":
        """Return the switches with some of them turned, or raise BadSwitch and turn none."""
        unknown = sorted(set(wanted) - set(_READ))
        if unknown:
            raise BadSwitch(f"No such switch: {', '.join(unknown)}.")
        return replace(self, **{name: _READ[name](value) for name, value in wanted.items()})  # type: ignore[arg-type]  # each reader gives its field's type


def _api(value: object) -> Api:
    try:
        return Api(str(value))
    except ValueError:
        raise BadSwitch(f"api must be one of {', '.join(Api)}.") from None


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        raise BadSwitch("seconds must be a number.") from None
    if not 0 <= seconds <= 120:
        raise BadSwitch("seconds must be between 0 and 120.")
    return seconds


def _postback_format(value: object) -> str:
    if value not in ("form", "json"):
        raise BadSwitch("postback_format must be form or json.")
    return str(value)


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadSwitch("overpaid, extras and test_mode must be true or false.")
    return value


_READ = {
    "api": _api,
    "seconds": _seconds,
    "postback_format": _postback_format,
    "overpaid": _yes_or_no,
    "extras": _yes_or_no,
    "test_mode": _yes_or_no,
}
