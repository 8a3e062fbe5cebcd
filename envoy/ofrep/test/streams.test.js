// The event stream through Envoy, beside the requests by which the proxy itself learns of changes.

import assert from "node:assert/strict";
import { get } from "node:http";
import { after, before, test } from "node:test";

import { startProxy, until } from "./proxy.js";

/** As many requests as the cluster of the documents may have under way: those of two listeners, and a few. */
const MOST = 4;
const SOURCE = "    - name: turquoise_config\n";

let proxy;

before(async () => {
  const change = (yaml) => {
    assert.ok(yaml.includes(SOURCE));
    const few = `      circuit_breakers: { thresholds: [{ max_connections: ${MOST}, max_requests: ${MOST} }] }\n`;
    return yaml.replace(SOURCE, SOURCE + few);
  };
  proxy = await startProxy({ change });
});

after(() => proxy?.stop());

/** Opens a stream, which stays open. */
function open() {
  return new Promise((resolve, reject) => {
    const request = get(`${proxy.browsers}/ofrep/v1/stream`, { agent: false }, (response) => {
      response.on("error", () => {}).resume();
      resolve(response.statusCode);
    });
    request.on("error", reject);
  });
}

async function greeting() {
  const answer = await fetch(`${proxy.browsers}/ofrep/v1/evaluate/flags/greeting`, { method: "POST" });
  return (await answer.json()).value;
}

// Where streams and documents share a cluster, most of the streams wait for ever.
test("open pages do not keep documents from the proxy", { timeout: 60_000 }, async () => {
  const statuses = await Promise.all(Array.from({ length: 5 * MOST }, open));
  assert.deepEqual(new Set(statuses), new Set([200]));
  // The question that waits already gets the first of them; the others need new ones.
  for (const [variant, text] of [["warm", "Good to see you!"], ["plain", "Hello."], ["warm", "Good to see you!"]]) {
    const document = structuredClone(proxy.document);
    document.flags.greeting.defaultVariant = variant;
    await proxy.publish(document);
    await until(async () => (await greeting()) === text, () => `the proxy has no ${variant} greeting`);
  }
});
