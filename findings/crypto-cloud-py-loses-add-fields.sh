#!/usr/bin/env bash
# crypto-cloud-py 0.2 (PyPI), with requests 2.34.2 and pydantic 2.14.4.
#
# Input:    invoice_create(…, add_fields={"time_to_pay": {"hours": 2, "minutes": 0}}), the shape that the
#           provider documents for a lifetime (API v2, "Invoice Creation", add_fields.time_to_pay).
# Expected: hours and minutes reach the API. The library takes add_fields as a Dict and documents no limit.
# Seen:     the library sends a form, and requests writes a dictionary inside a form as the list of its
#           keys. The body holds add_fields=time_to_pay; the figures are gone and nothing is raised.
#           The invoice gets the usual 24 hours.
#
# Exits with 0 while that is so, and with another code once it is not.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install --quiet crypto-cloud-py==0.2 requests==2.34.2 pydantic==2.14.4

seen=$("$place/bin/python" -W ignore - <<'PYTHON'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from crypto_cloud_py import CryptoCloudApi


class Api(BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.headers["Content-Type"])
        print(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(503)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.handle_request).start()
client = CryptoCloudApi("a-key", base_url=f"http://127.0.0.1:{server.server_port}/v2")
wish = {"time_to_pay": {"hours": 2, "minutes": 0}}
try:
    client.invoice_create("A-SHOP", 10, add_fields=wish)
except Exception as error:
    print(type(error).__name__)  # of the 503 above: only the request matters here
PYTHON
)
printf '%s\n' "$seen"
[ "$seen" = "application/x-www-form-urlencoded
shop_id=A-SHOP&amount=10&currency=USD&add_fields=time_to_pay
HTTPError" ]
