"""What the shop has written down, read anew each time it is asked."""

from __future__ import annotations

import email
import email.policy
from datetime import timedelta
from email.message import EmailMessage

from flask import Flask
from sqlalchemy import select

from shop import jobs
from shop.attention.queries import open_attention
from shop.catalogue.models import Product
from shop.db import db, utcnow
from shop.fulfilment.models import Delivery, DeliveryState
from shop.orders.models import Order
from shop.payments.models import Payment, PaymentState, Postback
from shop.payments.sweep import sweep


class Books:
    """The database and the mails, as an operator would look at them."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def orders(self) -> list[Order]:
        """Every order, the oldest first."""
        with self.app.app_context():
            return list(db.session.scalars(select(Order).order_by(Order.id)))

    def order(self) -> Order:
        """The one order there is."""
        (order,) = self.orders()
        return order

    def state(self) -> tuple[str, str]:
        """Status and flag of the one order there is."""
        order = self.order()
        return order.status.value, order.flag.value

    def payments(self) -> list[PaymentState]:
        """The state of every payment, the oldest first."""
        with self.app.app_context():
            return list(db.session.scalars(select(Payment.state).order_by(Payment.id)))

    def postbacks(self) -> int:
        """How many invoices the inbox has a postback about."""
        with self.app.app_context():
            return len(db.session.scalars(select(Postback)).all())

    def delivered(self) -> int:
        """How many lines have been handed over."""
        query = select(Delivery).where(Delivery.state == DeliveryState.DELIVERED)
        with self.app.app_context():
            return len(db.session.scalars(query).all())

    def attention(self) -> list[str]:
        """What waits for a person."""
        with self.app.app_context():
            return [item.kind for item in open_attention()]

    def left(self, slug: str) -> int | None:
        """How many units of a product may still be sold."""
        with self.app.app_context():
            return db.session.scalar(select(Product.available).where(Product.slug == slug))

    def sweeps(self, **later: float) -> None:
        """Let the worker make its round as if it were later than it is."""
        with self.app.app_context():
            sweep(self.app.extensions["cryptocloud"], utcnow() + timedelta(**later))

    def mails(self) -> list[EmailMessage]:
        """Let the worker send what is due; every mail to buyers so far."""
        operator = self.app.config["SETTINGS"].alert_email
        return [mail for mail in self.all_mails() if mail["To"] != operator]

    def alerts(self) -> list[EmailMessage]:
        """The same for mails to the operator."""
        operator = self.app.config["SETTINGS"].alert_email
        return [mail for mail in self.all_mails() if mail["To"] == operator]

    def all_mails(self) -> list[EmailMessage]:
        """Let the worker send what is due; every mail sent so far."""
        with self.app.app_context():
            jobs.mails()
        folder = self.app.config["SETTINGS"].shop_data_dir / "outbox"
        return [
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            for path in sorted(folder.glob("*.eml"))
        ]
