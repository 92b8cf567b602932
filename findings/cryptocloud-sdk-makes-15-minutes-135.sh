#!/usr/bin/env bash
# cryptocloud-sdk 0.1.1 (PyPI), with pydantic 2.14.4 and aiohttp 3.14.5.
#
# Input:    TimeToPay(minutes=15), a quarter of an hour; the provider documents hours and minutes of
#           add_fields.time_to_pay as parts of one span of time.
# Expected: {"minutes": 15}, or that with zero hours.
# Seen:     {"minutes": 15, "hours": 2}. The model fills in two hours where none are given, and leaves
#           nothing out when it writes the request: the buyer has 135 minutes. TimeToPay(hours=1) is right.
#
# Exits with 0 while that is so, and with another code once it is not.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install --quiet cryptocloud-sdk==0.1.1 pydantic==2.14.4 aiohttp==3.14.5

seen=$("$place/bin/python" - <<'PYTHON'
from cryptocloud_sdk.dto.invoice import AddedInvoiceParamsInput, InvoiceInput, TimeToPay

for time in (TimeToPay(minutes=15), TimeToPay(hours=1)):
    wish = InvoiceInput(amount=10, add_fields=AddedInvoiceParamsInput(time_to_pay=time))
    print(wish.model_dump(exclude_none=True)["add_fields"])
PYTHON
)
printf '%s\n' "$seen"
[ "$seen" = "{'time_to_pay': {'minutes': 15, 'hours': 2}}
{'time_to_pay': {'minutes': 0, 'hours': 1}}" ]
