"""Rendering and sending one mail: by SMTP, or in a trial without a mail server into a folder."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from flask import render_template

from .config import LOOPBACK, Settings, current_settings, host_name
from .db import utcnow

log = structlog.get_logger()

SMTP_SECONDS = 15
ADDRESS_REFUSED = {550, 551, 553, 556}
"""Codes with which a server refuses a recipient for good: unknown, moved, malformed, takes no mail."""

NO_SERVER = "SMTP_URL is not set, so no mail leaves: what the shop has to tell buyers, and you, waits until it is"


class MailNotSent(Exception):
    """The mail server could not be reached or did not take the mail; the text names no address."""


class MailRefused(MailNotSent):
    """The mail server says that this address takes no mail, so asking again is no use."""


@dataclass(frozen=True)
class Mail:
    """One mail, ready to go."""

    to: str
    subject: str
    text: str
    html: str
    message_id: str


def warn_of_no_server(settings: Settings) -> None:
    """Log that no mail leaves without a mail server: at every start of the shop, commands included."""
    if settings.mails_wait:
        log.warning("no_mail_server", note=NO_SERVER)


def render_mail(template: str, *, to: str, message_id: str, **values: Any) -> Mail:
    """The mail that the folder `templates/email/<template>/` describes."""
    folder = f"email/{template}"
    return Mail(
        to=to,
        subject=" ".join(render_template(f"{folder}/subject.txt", **values).split()),
        text=render_template(f"{folder}/body.txt", **values),
        html=render_template(f"{folder}/body.html", **values),
        message_id=message_id,
    )


def send(mail: Mail) -> None:
    """Send the mail, or raise MailNotSent. No request may wait for this: a mail server may hang."""
    settings = current_settings()
    if settings.mails_wait:
        raise MailNotSent("SMTP_URL is not set")
    message = _message(mail, settings)
    url = settings.smtp_url.get_secret_value()
    if not url:
        try:
            _write(message, settings.shop_data_dir / "outbox", mail.message_id)
        except OSError as error:
            raise MailNotSent(f"outbox/ cannot be written: {error.strerror}") from None
        return
    try:
        with smtp_session(url) as client:
            client.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        raise _refusal(error) from None
    except (OSError, smtplib.SMTPException) as error:
        raise MailNotSent(type(error).__name__) from None


def _refusal(error: smtplib.SMTPRecipientsRefused) -> MailNotSent:
    """The error for a refused recipient: most 5xx are about us (no relaying, no password), not about the address."""
    ((code, said),) = error.recipients.values()
    about_us = re.match(rb"5\.7\.", said)
    kind = MailRefused if code in ADDRESS_REFUSED and not about_us else MailNotSent
    return kind(f"the server refused the recipient with {code}")


def forget_written(message_id: str) -> None:
    """Remove the copy of a mail that was written into the folder; one sent by SMTP left none."""
    _file(current_settings().shop_data_dir / "outbox", message_id).unlink(missing_ok=True)


def _message(mail: Mail, settings: Settings) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = _header_address(settings.mail_from, settings.shop_name)
    message["To"] = _header_address(mail.to)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(utcnow())
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"
    if settings.shop_support_email:
        message["Reply-To"] = _header_address(settings.shop_support_email)
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _header_address(address: str, shown: str = "") -> Address:
    """The address for a header, which is not parsed as one: a name could be decoded into another name.

    Its domain is in ASCII: if one header has other letters, most mail servers take no mail at all.
    """
    name, _, domain = address.rpartition("@")
    if not domain.isascii():  # an operator's address; buyers' addresses are stored in ASCII
        domain = host_name(domain)
    return Address(shown, name, domain)


@contextmanager
def smtp_session(url: str) -> Iterator[smtplib.SMTP]:
    """A connection to the mail server on which we are logged in; the caller deals with all errors."""
    parts = urlsplit(url)
    host, context = parts.hostname or "", ssl.create_default_context()
    client: smtplib.SMTP
    if parts.scheme == "smtps":
        client = smtplib.SMTP_SSL(host, parts.port or 465, timeout=SMTP_SECONDS, context=context)
    else:
        client = smtplib.SMTP(host, parts.port or 587, timeout=SMTP_SECONDS)
    with client:
        if parts.scheme == "smtp":
            client.ehlo()  # before it nothing is known of what the server can do
            if client.has_extn("starttls"):
                client.starttls(context=context)
            elif parts.username and host not in LOOPBACK:
                raise MailNotSent("no STARTTLS, so the password was kept back")
        if parts.username:
            client.login(unquote(parts.username), unquote(parts.password or ""))
        yield client


def _write(message: EmailMessage, folder: Path, message_id: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _file(folder, message_id).write_bytes(message.as_bytes())


def _file(folder: Path, message_id: str) -> Path:
    return folder / f"{message_id.strip('<>').partition('@')[0]}.eml"
