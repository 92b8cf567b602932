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
