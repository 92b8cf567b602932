"""`flask doctor`: whether this shop is fit to sell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from ..config import current_settings
from ..mailbox import NotAnAddress, mailable
from .printing import as_json, refuse
from .progress import Progress

if TYPE_CHECKING:
    from ..doctor import Finding


@click.command()
@click.option("--mail-to", metavar="ADDRESS", help="Also send one test mail to this address.")
@as_json
@with_appcontext
def doctor(mail_to: str | None, as_json: bool) -> None:
    """Check whether this shop is fit to sell; exits with 1 when anything fails."""
    from ..doctor import CHECKS, examine  # every check of this shop, and what each needs
    from ..doctor.mail import send_test_mail

    settings = current_settings()
    address = _checked(mail_to) if mail_to is not None else ""
    with Progress(quiet=as_json) as progress:
        findings = list(examine(settings, progress.follow(CHECKS, "Making checks")))
    if address:
        findings.append(send_test_mail(settings, address))
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            click.echo(_line(finding))
    if any(finding.level == "fail" for finding in findings):
        raise SystemExit(1)


def _checked(address: str) -> str:
    try:
        return mailable(address)
    except NotAnAddress:
        refuse(f"{address!r} is not an email address; write it like name@example.com")


def _line(finding: Finding) -> str:
    mend = f". {finding.mend}" if finding.mend else ""
    return f"{finding.level:<4}  {finding.name}: {finding.text}{mend}"
