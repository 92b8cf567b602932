"""Do mails leave?"""

from __future__ import annotations

import secrets
import smtplib
import ssl
from html import escape
from urllib.parse import urlsplit

from ..config import LOOPBACK, Settings
from ..mail import NO_SERVER, Mail, MailNotSent, send, smtp_session
from .findings import Finding, failure


def mail(settings: Settings) -> Finding:
    """The mail server takes us, and buyers have somebody to answer. Nothing is sent."""
    url = settings.smtp_url.get_secret_value()
    if settings.mails_wait:
        return Finding(
            "fail", "mail", NO_SERVER, "Set SMTP_URL, and restart web server and worker."
        )
    if not url:
        text = f"written into {settings.shop_data_dir / 'outbox'}, not sent"
        return Finding("warn", "mail", text, "Set SMTP_URL.")
    host = urlsplit(url).hostname or ""
    try:
        with smtp_session(url) as client:
            code, _ = client.noop()
            encrypted = isinstance(client.sock, ssl.SSLSocket)
    except (OSError, smtplib.SMTPException, MailNotSent) as error:
        return Finding(failure(settings), "mail", *_reason(error, host))
    if code != 250:
        text = f"{host} answers {code}"
        return Finding(failure(settings), "mail", text, "Ask whoever runs the mail server.")
    if not encrypted and host not in LOOPBACK:
        text = f"{host} takes mails without encryption"
        return Finding("warn", "mail", text, "Use a server with STARTTLS, or smtps://.")
    if not settings.shop_support_email:
        text = "buyers are given no address to write to"
        return Finding("warn", "mail", text, "Set SHOP_SUPPORT_EMAIL.")
    return Finding("ok", "mail", f"{host} lets the shop in (`--mail-to ADDRESS` sends a test mail)")


def _reason(error: Exception, host: str) -> tuple[str, str]:
    """What is wrong and how to mend it, without the server's words: they may repeat the password."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"{host} refuses the user or the password", "Correct them in SMTP_URL."
    if isinstance(error, ssl.SSLError):
        return (
            f"no encrypted connection to {host}: its certificate or port is wrong",
            "Use the server's own name in SMTP_URL; smtps:// is for port 465, smtp:// for 587.",
        )
    if isinstance(error, MailNotSent):
        return str(error), "Use a server with STARTTLS, or smtps://."
    if isinstance(error, smtplib.SMTPException):
        return f"{host} does not let the shop in", "Correct SMTP_URL."
    return f"{host} cannot be reached", "Correct SMTP_URL, or open the port in the firewall."


def send_test_mail(settings: Settings, address: str) -> Finding:
    """Really send one mail, so that a person can see where it arrives."""
    text = (
        f"This is a test mail from {settings.shop_name}. If you can read it, mails leave the shop."
    )
    message = Mail(
        to=address,
        subject=f"A test mail from {settings.shop_name}",
        text=f"{text}\n",
        html=f"<p>{escape(text)}</p>\n",
        message_id=f"<test-{secrets.token_hex(8)}@{settings.mail_domain}>",
    )
    try:
        send(message)
    except MailNotSent as error:
        reason = f"was not taken: {error}"
        return Finding("fail", "test mail", reason, "See the line about mail, and the address.")
    if not settings.smtp_url.get_secret_value():
        where = f"written into {settings.shop_data_dir / 'outbox'}"
        return Finding("warn", "test mail", where, "Set SMTP_URL to send it.")
    return Finding("ok", "test mail", "taken by the mail server; look whether it arrives")
