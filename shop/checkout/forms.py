"""The checkout form: an email address and a currency, and nothing else."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Email, InputRequired, Length, Regexp, ValidationError

from ..i18n import currency_name, language, money
from .cart import Cart

NOT_AN_ADDRESS = lazy_gettext("Enter an email address in the correct format, like name@example.com")


@dataclass(frozen=True)
class Buyer:
    """Who orders, in which currency, and which form they had before them."""

    email: str
    language: str
    currency: str
    checkout_key: str
    seen: str

    @property
    def order_hash(self) -> str:
        """A fingerprint of the whole order, to tell a repeated form from a changed one."""
        parts = "\n".join((self.seen, self.currency, self.email.lower()))
        return hashlib.sha256(parts.encode()).hexdigest()


def new_checkout_key() -> str:
    """What makes an order out of a form once, however often the form is sent."""
    return secrets.token_urlsafe(24)


class CheckoutForm(FlaskForm):
    """Where the goods go, and the currency of the invoice."""

    email = EmailField(
        filters=[lambda text: text.strip() if text else text],
        validators=[
            DataRequired(
                lazy_gettext("Enter your email address, so that your goods can reach you")
            ),
            Length(max=254, message=NOT_AN_ADDRESS),
            Email(NOT_AN_ADDRESS, allow_smtputf8=False),
        ],
    )
    currency = SelectField(validate_choice=False)
    checkout_key = HiddenField(
        default=new_checkout_key,
        validators=[InputRequired(), Regexp(r"[A-Za-z0-9_-]{20,64}\Z")],
    )
    seen = HiddenField(validators=[InputRequired(), Length(max=64)])

    def show(self, cart: Cart) -> None:
        """Offer the currencies that the cart can be priced in, and remember what is shown."""
        self.currency.choices = [
            SelectChoice(code, f"{money(total)} - {currency_name(code)}")
            for code, total in cart.totals.items()
        ]

    @property
    def damaged(self) -> bool:
        """Whether something is wrong that the buyer did not type and cannot see."""
        return bool(self.checkout_key.errors or self.seen.errors)

    def renew(self, cart: Cart) -> None:
        """Make the form ready to be sent again, for the cart as it is shown now."""
        self.seen.data = cart.seen
        if self.checkout_key.errors:
            self.checkout_key.data = new_checkout_key()

    def validate_currency(self, field: Any) -> None:
        """Only a currency that was offered."""
        if field.data not in {choice.value for choice in field.choices}:
            raise ValidationError(gettext("Choose one of the currencies below"))

    def buyer(self) -> Buyer:
        """What the form says, as an object."""
        return Buyer(
            email=str(self.email.data),
            language=language(),
            currency=str(self.currency.data),
            checkout_key=str(self.checkout_key.data),
            seen=str(self.seen.data),
        )
