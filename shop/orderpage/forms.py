"""What a buyer fills in about an order: an email address, and whose order it is."""

from __future__ import annotations

from typing import Any

from flask_babel import LazyString, gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, StringField
from wtforms.validators import DataRequired, Length, Regexp, StopValidation, ValidationError

from ..mailbox import NotAnAddress, OtherLetters, SeveralAddresses, cleaned, mailable
from ..orders.numbers import NUMBER_ALPHABET, as_number
from .typos import likely_meant

NOT_AN_ADDRESS = lazy_gettext("Enter an email address in the correct format, like name@example.com")


NOT_A_NUMBER = lazy_gettext(
    "Enter the order number as you find it in our mails or on your receipt, like 7K3M-Q9XD"
)
NUMBER = rf"[{NUMBER_ALPHABET}]{{4}}-[{NUMBER_ALPHABET}]{{4}}\Z"


def address_field(missing: LazyString) -> EmailField:
    """A field for an email address; `missing` is its message when it is empty."""
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
    """A form with the email address that goods go to; it asks once about an address that looks mistyped."""

    email: EmailField
    asked_about = HiddenField()
    """The address that the form has asked about already."""
    meant = StringField()
    """The suggested address: the button that accepts it sends it under this name."""

    def __init__(self, *args: Any, **values: Any) -> None:
        """Read what was sent; if the buyer accepted the suggestion, it replaces the address in the field."""
        super().__init__(*args, **values)
        if self.meant.data and self.meant.data == likely_meant(self.asked_about.data or ""):
            self.email.data = self.meant.data

    @property
    def suggestion(self) -> str:
        """The address to suggest while the form asks about the one in the field; empty if it does not ask."""
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


class FindForm(FlaskForm):
    """The email address and the number of an order; neither finds the order alone."""

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
        """Whether the form holds a good address that is not `not_this`, which the order has already."""
        valid = bool(super().validate())
        if valid and self.address.lower() == not_this.lower():
            self.email.errors = [gettext("The order has this address already")]
            return False
        return valid

    @property
    def address(self) -> str:
        """The email address."""
        return str(self.email.data)
