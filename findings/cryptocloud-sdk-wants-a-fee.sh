#!/usr/bin/env bash
# cryptocloud-sdk 0.1.1 (PyPI), with pydantic 2.14.4 and aiohttp 3.14.5.
#
# Input:    a reply to "create" of the documented shape, for a coin without transfer fee: fee and fee_usd
#           are 0. The provider's help pages name such a fee for Tron and for Ethereum only, so for Bitcoin
#           and the others there is none.
# Expected: an invoice whose fee is 0.
# Seen:     ValidationError: both must be greater than 0, while the service fee may be 0. The invoice
#           exists at the provider by then; the caller has neither its link nor its number.
#
# Exits with 0 while that is so, and with another code once it is not.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install --quiet cryptocloud-sdk==0.1.1 pydantic==2.14.4 aiohttp==3.14.5

seen=$("$place/bin/python" - <<'PYTHON'
from cryptocloud_sdk.dto import CreatedInvoice
from pydantic import ValidationError

network = {"code": "BTC", "id": 1, "icon": "", "fullname": "Bitcoin"}
coin = {"id": 1, "code": "BTC", "fullcode": "BTC", "name": "Bitcoin", "network": network}
coin |= {"is_email_required": False, "stablecoin": False, "order": 1}
coin |= {"icon_base": "", "icon_network": "", "icon_qr": ""}
project = {"id": 1, "name": "A shop", "fail": "", "success": "", "logo": None}
reply = {
    "uuid": "INV-AAAAAAAA",
    "created": "2026-11-29 10:00:00.000001",
    "expiry_date": "2026-11-30 10:00:00.000001",
    "address": "",
    "side_commission": "merchant",
    "side_commission_service": "merchant",
    "type_payments": "crypto",
    "amount": 0.0001,
    "amount_usd": 10.0,
    "amount_in_fiat": 10.0,
    "fiat_currency": "USD",
    "fee": 1.4,
    "fee_usd": 1.4,
    "service_fee": 0,
    "service_fee_usd": 0,
    "status": "created",
    "is_email_required": False,
    "link": "https://pay.example/AAAAAAAA",
    "invoice_id": None,
    "currency": coin,
    "project": project,
    "test_mode": False,
}
print(CreatedInvoice(**reply).fee)
try:
    CreatedInvoice(**reply | {"fee": 0, "fee_usd": 0})
except ValidationError as error:
    for each in error.errors():
        print(*each["loc"], each["type"])
PYTHON
)
printf '%s\n' "$seen"
[ "$seen" = "1.4
fee greater_than
fee_usd greater_than" ]
