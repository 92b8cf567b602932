"""What a buyer fills in: an email address and a currency; and after the order, whose order it is."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from flask import request
from flask_babel import LazyString, gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import (
    DataRequired,
    InputRequired,
    Length,
    Regexp,
    StopValidation,
    ValidationError,
)

from ..i18n import currency_name, language, money
from ..mailbox import NotAnAddress, OtherLetters, SeveralAddresses, cleaned, mailable
from ..orders.models import NUMBER_ALPHABET
from ..orders.queries import as_number
from ..web.clients import client_key
from .cart import Cart
from .owners import is_owner
from .typos import likely_meant

NOT_AN_ADDRESS = lazy_gettext("Enter an email address in the correct format, like name@example.com")


NOT_A_NUMBER = lazy_gettext(
    "Enter the order number as it stands in your mail or on your receipt, like 7K3M-Q9XD"
)
NUMBER = rf"[{NUMBER_ALPHABET}]{{4}}-[{NUMBER_ALPHABET}]{{4}}\Z"


@dataclass(frozen=True)
class Buyer:
    """Who orders, in which currency, and which form they had before them."""

    email: str
    language: str
    currency: str
    checkout_key: str
    seen: str
    client: str = ""
    """A keyed hash of the network they are in, as far as it says anything."""
    proven: bool = False
    """Whether their browser has shown that the address is theirs."""

    @property
    def order_hash(self) -> str:
        """A fingerprint of the whole order, to tell a repeated form from a changed one."""
        parts = "\n".join((self.seen, self.currency, self.email.lower()))
        return hashlib.sha256(parts.encode()).hexdigest()


def new_checkout_key() -> str:
    """What makes an order out of a form once, however often the form is sent."""
    return secrets.token_urlsafe(24)


def address_field(missing: LazyString) -> EmailField:
    """An email address; `missing` is said when there is none."""
    return EmailField(
        filters=[lambda text: cleaned(text) if text else text],
        validators=[
            DataRequired(missing),
            Length(max=254, message=NOT_AN_ADDRESS),
            _mailable,
        ],
    )


def _mailable(form: FlaskForm, field: Any) -> None:
    try:
        field.data = mailable(field.data)
    except NotAnAddress as error:
        raise StopValidation(_why_not(error)) from None


def _why_not(error: NotAnAddress) -> str:
    if isinstance(error, SeveralAddresses):
        return str(gettext("Enter one email address only"))
    if isinstance(error, OtherLetters):
        return str(
            gettext(
                "Our mail cannot reach this address, because of these characters before the @: "
                "%(letters)s. Type them anew in Latin letters, or enter another address.",
                letters=error.letters,
            )
        )
    return str(NOT_AN_ADDRESS)


class AddressedForm(FlaskForm):
    """A form by which goods are sent to an email address: a likely slip in it is asked about, once."""

    email: EmailField
    asked_about = HiddenField()
    """The address as it stood when it was asked about."""
    meant = StringField()
    """The name of the button that takes the suggestion, whose value is the address it names."""

    def __init__(self, *args: Any, **values: Any) -> None:
        """Read what was sent; the suggestion goes before what stands in the field, if it was taken."""
        super().__init__(*args, **values)
        if self.meant.data and self.meant.data == likely_meant(self.asked_about.data or ""):
            self.email.data = self.meant.data

    @property
    def suggestion(self) -> str:
        """What may be taken instead of the address in the field, which is asked about; else empty."""
        asked = self.email.errors and self.email.data == self.asked_about.data
        return likely_meant(self.email.data or "") if asked else ""

    def validate_email(self, field: Any) -> None:
        """Ask about `gmial.com`; whoever sends the same address again is believed."""
        meant = likely_meant(field.data)
        if meant and self.asked_about.data != field.data:
            self.asked_about.data = field.data
            raise ValidationError(
                gettext(
                    "Did you mean %(address)s? If your address is right as it stands, "
                    "send it once more.",
                    address=meant,
                )
            )


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
        """Offer the currencies that the cart can be priced in, and remember what is shown."""
        self.currency.choices = [
            SelectChoice(
                code,
                gettext("%(amount)s – %(name)s", amount=money(total), name=currency_name(code)),
            )
            for code, total in cart.totals.items()
        ]

    @property
    def damaged(self) -> bool:
        """Whether something is wrong that the buyer did not type and cannot see."""
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


class FindForm(FlaskForm):
    """Whose order it is, and which: neither alone finds anything."""

    email = address_field(lazy_gettext("Enter the email address that you ordered with"))
    number = StringField(
        filters=[lambda text: as_number(text) if text else text],
        validators=[DataRequired(NOT_A_NUMBER), Regexp(NUMBER, message=NOT_A_NUMBER)],
    )

    @property
    def address(self) -> str:
        """The email address."""
        return str(self.email.data)

    @property
    def order_number(self) -> str:
        """The number, with its dash."""
        return str(self.number.data)


class AddressForm(AddressedForm):
    """The address that an order's mails shall go to."""

    email = address_field(lazy_gettext("Enter the email address that your goods shall go to"))

    def validate(self, *, not_this: str) -> bool:
        """Whether it is an address, and another one than the order has."""
        valid = bool(super().validate())
        if valid and self.address.lower() == not_this.lower():
            self.email.errors = [gettext("The order has this address already")]
            return False
        return valid

    @property
    def address(self) -> str:
        """The email address."""
        return str(self.email.data)
