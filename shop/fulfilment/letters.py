"""The words of a mail, written at the moment when it is sent."""

from __future__ import annotations

from ..attention.queries import attention_mailed_by
from ..config import current_settings
from ..i18n import speaking
from ..mail import Mail, render_mail
from ..orders.links import order_url
from ..outbox.kinds import MailKind
from ..outbox.models import OutboxMail
from ..outbox.proofs import proof_url
from .goods import goods_of


def compose(mail: OutboxMail) -> Mail:
    """Write a mail as things stand now: in its order's language, with the goods where it brings them."""
    order = mail.order
    if mail.kind == MailKind.MAILBOX_LINK:
        with speaking(mail.note):
            return render_mail(
                mail.kind,
                to=mail.address,
                message_id=mail.message_id,
                order=None,
                proof_url=proof_url(mail.address, mail.note),
            )
    if order is None:
        return render_mail(
            mail.kind,
            to=current_settings().alert_email,
            message_id=mail.message_id,
            items=attention_mailed_by(mail.dedupe_key),
        )
    with speaking(order.language):
        return render_mail(
            mail.kind,
            to=mail.address or order.email,
            message_id=mail.message_id,
            order=order,
            order_url=order_url(order),
            deliveries=goods_of(order) if mail.kind == MailKind.ORDER_DELIVERED else [],
            note=mail.note,
        )
