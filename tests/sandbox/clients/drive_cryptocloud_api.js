// Makes one call with `cryptocloud-api`: what to call comes in as JSON, what it gave goes out as JSON.
//
// The library has the provider's host written in. Each client holds an axios instance of its own as
// `api`, and axios lets the base address of an instance be changed: no line of the library is touched.

const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");

const order = JSON.parse(readFileSync(0, "utf8"));
const { CryptoCloudApi } = createRequire(`${process.cwd()}/`)("cryptocloud-api");

const client = new CryptoCloudApi(order.key, order.shop_id, order.secret);
client.api.defaults.baseURL = `${order.url}/v2`;

const made = Object.values(order.arguments).map((each) => {
  if (each === null || typeof each !== "object" || !("start" in each)) return each;
  return { ...each, start: new Date(each.start), end: new Date(each.end) };
});

client[order.call](...made)
  .then((gave) => ({ gave: gave ?? null }))
  .catch((error) => ({ raised: error.constructor.name, said: error.message }))
  .then((answer) => process.stdout.write(JSON.stringify(answer)));
