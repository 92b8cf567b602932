"""What a buyer fills in to order: an email address and a currency."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from flask import request
from flask_babel import gettext, lazy_gettext
from wtforms import HiddenField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Regexp, ValidationError

from ..i18n import currency_name, language, money
from ..orderpage.forms import AddressedForm, address_field
from ..orderpage.owners import is_owner
from ..web.network import client_key
from .cart import Cart


@dataclass(frozen=True)
class Buyer:
    """Who orders, in which currency, by which form, and the cart that the form showed."""

    email: str
    language: str
    currency: str
    checkout_key: str
    seen: str
    client: str = ""
    """A keyed hash of the buyer's network; empty if their address tells nobody apart."""
    proven: bool = False
    """Whether their browser has shown that the address is theirs."""

    @property
    def order_hash(self) -> str:
        """A fingerprint of the whole order, to tell a repeated form from a changed one."""
        parts = "\n".join((self.seen, self.currency, self.email.lower()))
        return hashlib.sha256(parts.encode()).hexdigest()


def new_checkout_key() -> str:
    """A random key for one form: the form makes one order, however often it is sent."""
    return secrets.token_urlsafe(24)


class CheckoutForm(AddressedForm):
    """Where the goods go, and the currency of the invoice."""

    email = address_field(
        lazy_gettext("Enter your email address, so that your goods can reach you")
    )
    currency = SelectField(validate_choice=False)
    checkout_key = HiddenField(
        default=new_checkout_key,
        validators=[InputRequired(), Regexp(r"[A-Za-z0-9_-]{20,64}\Z")],
    )
    seen = HiddenField(validators=[InputRequired(), Length(max=64)])
    comment = StringField(validators=[Length(max=0)])
    """A trap: people do not see it and programs fill it in. Its name is one that browsers leave alone."""

    def show(self, cart: Cart) -> None:
        """Offer the currencies in which the cart can be priced, each with its total."""
        self.currency.choices = [
            SelectChoice(
                code,
                gettext("%(amount)s – %(name)s", amount=money(total), name=currency_name(code)),
            )
            for code, total in cart.totals.items()
        ]

    @property
    def damaged(self) -> bool:
        """Whether a hidden field is wrong, which the buyer neither typed nor sees."""
        return bool(self.checkout_key.errors or self.seen.errors)

    @property
    def trapped(self) -> bool:
        """Whether the field that people cannot see was filled in."""
        return bool(self.comment.errors)

    def renew(self, cart: Cart) -> None:
        """Make the form ready to be sent again, for the cart as it is shown now."""
        self.seen.data, self.comment.data = cart.seen, ""
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
            client=client_key(request.remote_addr),
            proven=is_owner(str(self.email.data)),
        )
