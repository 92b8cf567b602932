"""What a request may hold, read strictly: a caller's slip should show at once."""

import json
from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation

from flask import request

from shop.sandbox.coins import FIAT_IN_USD

LEAST_USD = Decimal("0.1")  # one stub says so; 0.11 was accepted in 2024
TOO_LITTLE = f"Minimum amount is {LEAST_USD} USD"
UNKNOWN_SHOP = "shop_id is not known"


class Refused(Exception):
    """Refuses the request with this text; `field` names the field that is wrong, `code` is 400 or 200."""

    def __init__(self, text: str, field: str = "validate_error", code: int = 400) -> None:
        super().__init__(text)
        self.field = field
        self.code = code


def read_fields() -> Mapping[str, object]:
    """The body's fields, from JSON or a form."""
    if not request.is_json:
        return request.form.to_dict()
    try:
        fields = json.loads(request.get_data(), parse_float=str)
    except ValueError:
        raise Refused("The body is not JSON") from None
    if not isinstance(fields, dict):
        raise Refused("The body is not an object")
    return fields


def text(fields: Mapping[str, object], name: str) -> str | None:
    """A field as text; None where it is absent or empty."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refused(f"{name} is not text", name)
    return str(value)


def required(fields: Mapping[str, object], name: str) -> str:
    """A field that must be there."""
    value = text(fields, name)
    if value is None:
        raise Refused(f"{name} is required", name)
    return value


def number(fields: Mapping[str, object], name: str, least: int, most: int, usual: int) -> int:
    """A whole number between two bounds, written as a number or as text."""
    value = text(fields, name) or str(usual)
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise Refused(f"{name} is not a number between {least} and {most}", name)
    return int(value)


def check_shop(fields: Mapping[str, object], shop_id: str) -> None:
    """Refuse a call that is not about this project."""
    if required(fields, "shop_id") != shop_id:
        raise Refused(UNKNOWN_SHOP, "shop_id")


def wanted_money(
    fields: Mapping[str, object], currencies: Collection[str] = tuple(FIAT_IN_USD)
) -> tuple[Decimal, str]:
    """The amount of the invoice, with two decimals, and its currency: US dollars unless named."""
    amount, code = _amount(fields), text(fields, "currency") or "USD"
    if code not in currencies:
        listed = ", ".join(currencies)
        raise Refused(f"currency is not supported, use one of {listed}", "currency")
    if amount * FIAT_IN_USD[code] < LEAST_USD:
        raise Refused(TOO_LITTLE, "amount")
    return amount, code


def _amount(fields: Mapping[str, object]) -> Decimal:
    try:
        value = Decimal(required(fields, "amount"))
    except InvalidOperation:
        raise Refused("amount is not a number", "amount") from None
    if not value.is_finite() or not 0 < value < Decimal("1e9"):
        raise Refused("amount is out of range", "amount")
    if value != round(value, 2):  # undocumented; being strict shows a caller's slip at once
        raise Refused("amount has more than two decimals", "amount")
    return round(value, 2)
