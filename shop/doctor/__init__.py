"""Is this shop fit to sell? Each check says ok, warn or fail, and how to mend what is not ok."""

from __future__ import annotations

from . import address, catalogue, database, files, links, machine, mail, payments, settings
from .findings import Check, Finding, examine

CHECKS: list[Check] = [
    settings.unknown_settings,
    database.database,
    database.migrations,
    machine.disk,
    machine.backups,
    machine.journal_file,
    machine.worker,
    machine.queue,
    mail.mail,
    address.public_address,
    address.postback_address,
    settings.proxy,
    settings.postback_secret,
    settings.previous_secret,
    catalogue.prices,
    catalogue.rates,
    payments.provider,
    payments.redirects,
    payments.invoices,
    payments.postbacks,
    payments.sweep_lag,
    payments.attention_items,
    payments.legal_texts,
    files.goods_files,
    files.pictures,
    links.former_hosts,
    links.mailed_links,
]

__all__ = ["CHECKS", "Check", "Finding", "examine"]
