"""Is this shop fit to sell? Each check says ok, warn or fail, and how to mend what is not ok.

Here are the checks of the machine and of what surrounds the shop; those that ask the provider or
read payments stand with the command, `shop/cli/`, because payments are above this package.
"""

from __future__ import annotations

from . import address, database, machine, mail, settings
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
]

__all__ = ["CHECKS", "Check", "Finding", "examine"]
