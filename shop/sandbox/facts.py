"""An invoice as API v2 writes it, and as postbacks of both versions tell it under `invoice_info`.

The facts are gathered as exact amounts and aware times; `_written` makes JSON of them last.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from shop.sandbox.coins import Coin, in_usd
from shop.sandbox.invoices import Invoice, Status
from shop.sandbox.links import pay_link
from shop.sandbox.state import Sandbox
from shop.sandbox.switches import Fiat, Words

ICONS = "https://cdn.trybit.com/currency"
SERVICE_SHARE = Decimal("0.019")
TRON_FEE_USD = Decimal("1.4")

Facts = dict[str, object]


def created_facts(sandbox: Sandbox, invoice: Invoice) -> Facts:
    """What the answer to create tells."""
    facts = _common(sandbox, invoice) | {
        "side_commission_service": "merchant",
        "amount_in_fiat": invoice.amount,
        "fiat_currency": invoice.currency,
        "status": Status.CREATED,
        "link": pay_link(sandbox, invoice.id),
        "invoice_id": None,
    }
    return _written(sandbox, facts)


def known_facts(sandbox: Sandbox, invoice: Invoice, *, listed: bool = False) -> Facts:
    """What info tells; if `listed`, what list tells: the same, but its times have no fraction."""
    link = pay_link(sandbox, invoice.id)
    facts = _common(sandbox, invoice) | _progress(sandbox, invoice)
    facts |= {
        "side_commission_cc": "merchant",
        "link": link,
        "pay_url": link,
        "invoice_id": None,
        "order_id": order_id_told(sandbox, invoice),
        "user_email": _masked(invoice.email),
        "phone": None,
    }
    if sandbox.switches.fiat is Fiat.BOTH:
        facts["fiat_currency"] = invoice.currency
    return _written(sandbox, facts, fraction=not listed)


def postback_facts(sandbox: Sandbox, invoice: Invoice) -> Facts:
    """What a postback holds under `invoice_info`; what `total_rub` to `links_invoice` say is a guess."""
    facts = _common(sandbox, invoice) | _progress(sandbox, invoice)
    facts |= {
        "total_rub": Decimal(0),
        "step": 3,
        "aml_enabled": False,
        "aml_side": "merchant",
        "aml_checks": [],
        "links_invoice": None,
    }
    return _written(sandbox, facts)


def status_word(sandbox: Sandbox, invoice: Invoice) -> str:
    """The status as info spells it at present."""
    match sandbox.switches.status_words, invoice.status:
        case Words.BRITISH, Status.CANCELED:
            return "cancelled"
        case Words.UNKNOWN, Status.CREATED:
            return "processing"
    return invoice.status


def order_id_told(sandbox: Sandbox, invoice: Invoice) -> str | None:
    """The order id that was sent; for none, the provider has also been seen to write the word None."""
    if invoice.order_id is None and sandbox.switches.nulls:
        return "None"
    return invoice.order_id


def currency_facts(coin: Coin) -> Facts:
    """A coin as the provider describes it; the pictures lead nowhere."""
    icon = f"{ICONS}/crypto/{coin.asset}.svg"
    return {
        "id": coin.number,
        "code": coin.asset,
        "fullcode": coin.code,
        "network": {
            "code": coin.network,
            "id": coin.number,
            "icon": f"{ICONS}/network/{coin.network}.svg",
            "fullname": coin.name.rpartition(" on ")[2],
        },
        "name": coin.name.partition(" on ")[0],
        "is_email_required": False,
        "stablecoin": coin.usd == 1,
        "icon_base": icon,
        "icon_network": f"{ICONS}/icons_network/{coin.code}.svg",
        "icon_qr": f"{ICONS}/icons_qr/{coin.code}.svg",
        "order": coin.number,
    }


def wallet_currency_facts(coin: Coin) -> Facts:
    """A coin as the balance and static wallets describe it: `code` is the long one there."""
    facts = currency_facts(coin)
    facts |= {"code": facts.pop("fullcode"), "short_code": coin.asset}
    return facts | {"obj_network": facts.pop("network"), "enable": True}


def address_of(coin: Coin, whose: str) -> str:
    """Where coins would be sent; always the same for the same owner, and no address of any chain."""
    return f"SANDBOX-{coin.code}-{sha256(f'{coin.code} {whose}'.encode()).hexdigest()[:24]}"


def credited(invoice: Invoice) -> Decimal:
    """What the merchant gets of what has arrived, in the coin: the fees are the merchant's here."""
    fees = _transfer_fee(invoice) + _service_fee(invoice)
    return max(invoice.received - fees, Decimal(0)) if invoice.received else Decimal(0)


def _common(sandbox: Sandbox, invoice: Invoice) -> Facts:
    settings = sandbox.settings
    return {
        "uuid": f"INV-{invoice.id}",
        "created": invoice.created,
        "address": address_of(invoice.coin, invoice.id) if invoice.chosen else "",
        "expiry_date": invoice.deadline,
        "side_commission": "merchant",
        "type_payments": "crypto",
        "amount": invoice.price,
        "amount_usd": in_usd(invoice.amount, invoice.currency),
        **_in_coin_and_usd(invoice, "fee", _transfer_fee(invoice)),
        **_in_coin_and_usd(invoice, "service_fee", _service_fee(invoice)),
        "is_email_required": False,
        "currency": None if sandbox.switches.nulls else currency_facts(invoice.coin),
        "project": {
            "id": 1,
            "name": "Sandbox",
            "fail": settings.fail_url,
            "success": settings.success_url,
            "logo": None if sandbox.switches.nulls else "",
        },
        "test_mode": None if sandbox.switches.nulls else invoice.test_mode,
    }


def _progress(sandbox: Sandbox, invoice: Invoice) -> Facts:
    """How far the payment has come; `status` and `invoice_status` are two things."""
    facts: Facts = {
        "status": status_word(sandbox, invoice),
        "invoice_status": _invoice_status(invoice),
        "date_finished": invoice.finished,
        "amount_in_crypto": None,
        **_in_coin_and_usd(invoice, "amount_to_pay", invoice.price),
        **_in_coin_and_usd(invoice, "amount_paid", invoice.received),
        **_in_coin_and_usd(invoice, "received", credited(invoice)),
        **_in_coin_and_usd(invoice, "to_surcharge", _to_surcharge(invoice)),
        "tx_list": [f"sandbox-{invoice.id}"] if invoice.received else [],
        "type": "up",
    }
    match sandbox.switches.fiat:
        case Fiat.AMOUNT | Fiat.BOTH:
            facts["amount_in_fiat"] = invoice.amount
        case Fiat.ZERO:
            facts["amount_in_fiat"] = Decimal(0)
    return facts


def _invoice_status(invoice: Invoice) -> str:
    if invoice.settled:
        return "success"
    return "canceled" if invoice.status is Status.CANCELED else "created"


def _to_surcharge(invoice: Invoice) -> Decimal:
    return invoice.missing if invoice.received else Decimal(0)


def _transfer_fee(invoice: Invoice) -> Decimal:
    """The fee for a transfer: only Tron's is charged. Ethereum's moves, and the other networks have none."""
    if invoice.coin.network != "TRC20":
        return Decimal(0)
    return _rounded(TRON_FEE_USD / invoice.coin.usd, invoice.coin)


def _service_fee(invoice: Invoice) -> Decimal:
    return _rounded((invoice.received or invoice.price) * SERVICE_SHARE, invoice.coin)


def _rounded(figure: Decimal, coin: Coin) -> Decimal:
    return figure.quantize(Decimal(1).scaleb(-coin.places))


def _in_coin_and_usd(invoice: Invoice, name: str, figure: Decimal) -> Facts:
    usd = (figure * invoice.coin.usd).quantize(Decimal("0.01"))
    return {name: figure, f"{name}_usd": usd}


def _masked(email: str | None) -> str | None:
    return f"{email[:1]}***@{email.partition('@')[2]}" if email else None


def _written(sandbox: Sandbox, facts: Mapping[str, object], *, fraction: bool = True) -> Facts:
    """The facts as JSON has them: amounts as numbers, with noise if so switched; times in UTC without a zone."""

    def write(value: object) -> object:
        if isinstance(value, Decimal):
            number = float(value)
            return math.nextafter(number, 0) if sandbox.switches.noise else number
        if isinstance(value, datetime):
            return f"{value:%Y-%m-%d %H:%M:%S.%f}" if fraction else f"{value:%Y-%m-%d %H:%M:%S}"
        return value

    return {name: write(value) for name, value in facts.items()}
