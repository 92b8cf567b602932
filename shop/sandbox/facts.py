"""An invoice as API v2 writes it, in its answers and in the postbacks about its own invoices."""

from datetime import datetime
from decimal import Decimal

from shop.sandbox.coins import in_usd
from shop.sandbox.invoices import Invoice, Status
from shop.sandbox.settings import Settings


def created_facts(settings: Settings, invoice: Invoice, link: str) -> dict[str, object]:
    """What the answer to create tells; amounts are numbers, times are in UTC without saying so."""
    return {
        "uuid": f"INV-{invoice.id}",
        "created": _moment(invoice.created),
        "address": "",
        "expiry_date": _moment(invoice.deadline),
        "side_commission": "client",
        "side_commission_cc": "merchant",
        "amount": _number(invoice.price),
        "amount_usd": _number(in_usd(invoice.amount, invoice.currency)),
        "amount_in_fiat": _number(invoice.amount),
        "fee": 0,
        "fee_usd": 0,
        "service_fee": 0,
        "service_fee_usd": 0,
        "type_payments": "crypto",
        "fiat_currency": invoice.currency,
        "status": invoice.status,
        "is_email_required": False,
        "link": link,
        "invoice_id": None,
        "currency": _currency(invoice),
        "project": {
            "id": 1,
            "name": "Sandbox",
            "fail": settings.fail_url,
            "success": settings.success_url,
            "logo": "",
        },
        "test_mode": invoice.test_mode,
    }


def known_facts(settings: Settings, invoice: Invoice, link: str) -> dict[str, object]:
    """What info, list and postbacks tell besides; `status` and `invoice_status` are two things."""
    return created_facts(settings, invoice, link) | {
        "order_id": invoice.order_id,
        "invoice_status": _progress(invoice),
        "date_finished": _moment(invoice.finished) if invoice.finished else None,
        **_in_coin_and_usd(invoice, "amount_to_pay", invoice.price),
        **_in_coin_and_usd(invoice, "amount_paid", invoice.received),
        **_in_coin_and_usd(invoice, "received", invoice.received),
        **_in_coin_and_usd(invoice, "to_surcharge", invoice.missing if invoice.received else 0),
        "tx_list": [f"sandbox-{invoice.id}"] if invoice.received else [],
    }


def _progress(invoice: Invoice) -> str:
    if invoice.settled:
        return "success"
    return "canceled" if invoice.status is Status.CANCELED else "created"


def _in_coin_and_usd(invoice: Invoice, name: str, figure: Decimal | int) -> dict[str, float]:
    usd = (figure * invoice.coin.usd).quantize(Decimal("0.01"))
    return {name: _number(figure), f"{name}_usd": _number(usd)}


def _currency(invoice: Invoice) -> dict[str, object]:
    code, _, network = invoice.coin.code.partition("_")
    return {
        "id": 1,
        "code": code,
        "fullcode": invoice.coin.code,
        "name": invoice.coin.name,
        "network": {"id": 1, "code": network or code, "fullname": invoice.coin.name, "icon": ""},
        "is_email_required": False,
    }


def _number(figure: Decimal | int) -> float:
    return float(figure)


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S.%f}"
