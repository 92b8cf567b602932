#!/usr/bin/env bash
# nowpayments-py 1.0.5 and nowpayment 1.9.0 (both PyPI), two clients of NOWPayments. Needs node.
#
# Input:    a notification about 0.00005 BTC, a few dollars, signed as NOWPayments documents it ("Instant
#           Payments Notifications", steps 4 to 6: keys in order, JSON.stringify, HMAC with SHA-512).
# Expected: the signature is right, as it is for the same notification about 0.0005 BTC.
# Seen:     both refuse it. They read the body and write it anew with json.dumps, which writes the number
#           as 5e-05; JavaScript writes 0.00005, and changes to an exponent only below a millionth. The body
#           given as text, which nowpayments-py recommends, is refused as well: it is read and written, too.
#
# Exits with 0 while that is so, and with another code once it is not.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install --quiet nowpayments-py==1.0.5 nowpayment==1.9.0

seen=$(for amount in 0.0005 0.00005; do
  node -e '
    const body = JSON.stringify({
      order_id: "A-1",
      pay_amount: Number(process.argv[1]),
      pay_currency: "btc",
      payment_id: 5524759814,
      payment_status: "finished",
    });
    const mac = require("node:crypto").createHmac("sha512", "a-secret").update(body).digest("hex");
    console.log(body);
    console.log(mac);
  ' "$amount" >"$place/signed"
  { read -r body && read -r mac; } <"$place/signed"
  printf '%s\n' "$body"
  "$place/bin/python" - "$body" "$mac" <<'PYTHON'
import json
import sys

from nowpayment.signatures import verify_payment_signature
from nowpayments.ipn import verify_ipn_signature

body, mac = sys.argv[1:]
print(verify_ipn_signature(body, mac, "a-secret"), end=" ")
print(verify_payment_signature(json.loads(body), "a-secret", mac))
PYTHON
done)
printf '%s\n' "$seen"
[ "$seen" = '{"order_id":"A-1","pay_amount":0.0005,"pay_currency":"btc","payment_id":5524759814,"payment_status":"finished"}
True True
{"order_id":"A-1","pay_amount":0.00005,"pay_currency":"btc","payment_id":5524759814,"payment_status":"finished"}
False False' ]
