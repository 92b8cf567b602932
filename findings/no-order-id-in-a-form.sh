#!/usr/bin/env bash
# aiohttp 3.14.5, httpx 0.28.1 and requests 2.34.2 (PyPI), axios 1.21.1 (npm). Needs node.
#
# Input:    one record as a form: {"invoice_id": "AAAAAAAA", "order_id": null}, a payment without an order.
# Expected: that all leave order_id out, or all write it empty; a form has no null.
# Seen:     requests and axios leave it out, httpx writes it empty, and aiohttp writes the word None, which
#           a reader cannot tell from an order of that name. (aiohttp refuses None where it is a parameter
#           of the address, with a TypeError.) The word has been met in the field: integrations of this
#           provider filter an order_id of "None".
#
# Exits with 0 while that is so, and with another code once it is not.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install --quiet aiohttp==3.14.5 httpx==0.28.1 requests==2.34.2
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$place" axios@1.21.1
cat >"$place/try.js" <<'NODE'
const { createServer } = require("node:http");
const axios = require("axios");

const server = createServer((request, reply) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    console.log("axios   ", body);
    reply.end();
  });
}).listen(0, "127.0.0.1", async () => {
  const record = { invoice_id: "AAAAAAAA", order_id: null };
  await axios.post(`http://127.0.0.1:${server.address().port}/`, record, {
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
  });
  server.close();
});
NODE

seen=$(
  "$place/bin/python" - <<'PYTHON'
import asyncio

import aiohttp
import httpx
import requests
from aiohttp import web

RECORD = {"invoice_id": "AAAAAAAA", "order_id": None}


async def by_aiohttp():
    heard = []

    async def hear(request):
        heard.append(await request.text())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = "http://127.0.0.1:%d/" % runner.addresses[0][1]
    async with aiohttp.ClientSession() as session:
        await session.post(url, data=RECORD)
        try:
            await session.post(url, params=RECORD)
        except TypeError:
            heard.append("TypeError")
    await runner.cleanup()
    return heard


print("aiohttp ", *asyncio.run(by_aiohttp()))
print("httpx   ", httpx.Request("POST", "http://127.0.0.1/", data=RECORD).content.decode())
print("requests", requests.Request("POST", "http://127.0.0.1/", data=RECORD).prepare().body)
PYTHON
  NO_PROXY=127.0.0.1 node "$place/try.js"
)
printf '%s\n' "$seen"
[ "$seen" = "aiohttp  invoice_id=AAAAAAAA&order_id=None TypeError
httpx    invoice_id=AAAAAAAA&order_id=
requests invoice_id=AAAAAAAA
axios    invoice_id=AAAAAAAA" ]
