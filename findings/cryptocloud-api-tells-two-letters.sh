#!/usr/bin/env bash
# cryptocloud-api 1.0.4 (npm), with axios 1.21.1. Needs node 18 or newer.
#
# Input:    the error that the provider documents for a wrong key: HTTP 401 and
#           {"status": "error", "result": {"authorization": "Unauthorized request."}}.
# Expected: an exception that says "authorization: Unauthorized request."; the library puts together
#           "name: text" of each entry of result.
# Seen:     "401 Unauthorized" and then "U: n". It takes the values of the object and not its entries, and
#           then each text apart as if it were a pair: its first letter is the name, its second the text.
#
# Exits with 0 while that is so, and with another code once it is not.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$place" \
  cryptocloud-api@1.0.4 axios@1.21.1
cat >"$place/try.js" <<'NODE'
const { createServer } = require("node:http");
const { CryptoCloudApi } = require("cryptocloud-api");

const server = createServer((request, reply) => {
  reply.writeHead(401, "Unauthorized", { "Content-Type": "application/json" });
  reply.end('{"status":"error","result":{"authorization":"Unauthorized request."}}');
}).listen(0, "127.0.0.1", async () => {
  const client = new CryptoCloudApi("a-key", "A-SHOP", "a-secret");
  client.api.defaults.baseURL = `http://127.0.0.1:${server.address().port}/v2`;
  await client.getInvoices(["INV-AAAAAAAA"]).catch((error) => console.log(error.message));
  server.close();
});
NODE

seen=$(NO_PROXY=127.0.0.1 node "$place/try.js")
printf '%s\n' "$seen"
[ "$seen" = "401 Unauthorized
U: n" ]
