#!/usr/bin/env bash
# cryptocloud-api 1.0.4 (npm), with axios 1.21.1. Needs node 18 or newer with all languages (the usual build).
#
# Input:    listInvoices({ start, end }) for 5 January 2026.
# Expected: "05.01.2026" in the request, the form that the provider documents (API v2, "Invoice List":
#           dd.mm.yyyy), wherever the program runs.
# Seen:     the first ten letters of what the machine's language makes of the moment. In Russian that is
#           the documented form; in German the day is "5.1.2026, ", and in the English of the United States,
#           which is node's own where nothing is set, "1/5/2026, ".
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
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    console.log(body);
    reply.writeHead(200, { "Content-Type": "application/json" });
    reply.end('{"status":"success","result":[],"all_count":0}');
  });
}).listen(0, "127.0.0.1", async () => {
  const client = new CryptoCloudApi("a-key", "A-SHOP", "a-secret");
  client.api.defaults.baseURL = `http://127.0.0.1:${server.address().port}/v2`;
  const day = new Date("2026-01-05T00:00:00Z");
  await client.listInvoices({ start: day, end: day });
  server.close();
});
NODE

seen=$(for language in ru_RU de_DE en_US; do
  env TZ=UTC NO_PROXY=127.0.0.1 LC_ALL="$language.UTF-8" node "$place/try.js"
done)
printf '%s\n' "$seen"
[ "$seen" = '{"start":"05.01.2026","end":"05.01.2026"}
{"start":"5.1.2026, ","end":"5.1.2026, "}
{"start":"1/5/2026, ","end":"1/5/2026, "}' ]
