"""The command line: `flask --app wsgi …`, one group for each noun."""

from __future__ import annotations

from flask import Flask

from ..worker import worker
from . import (
    attention,
    doctor,
    invoices,
    jobs,
    keys,
    limits,
    mails,
    orders,
    pages,
    postbacks,
    privacy,
    reissue,
)
from .addresses import addresses
from .products import products, rates


def init_app(app: Flask) -> None:
    """Add every command."""
    for command in (reissue.reissue_goods, reissue.relink):
        orders.orders.add_command(command)
    products.add_command(addresses)
    for command in (
        invoices.invoices,
        orders.orders,
        products,
        rates,
        keys.keys,
        limits.limits,
        mails.mails,
        jobs.jobs,
        attention.attention,
        pages.pages,
        postbacks.postbacks,
        privacy.privacy,
        worker,
        doctor.doctor,
    ):
        app.cli.add_command(command)
