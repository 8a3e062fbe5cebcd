// Requests that nobody thought of: Schemathesis makes them from docs/reference/ofrep-openapi.yaml, and every answer has to
// be one that stands there.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { startProxy, until } from "./proxy.js";
import { beside, run } from "./run.js";

const DESCRIPTION = fileURLToPath(new URL("../../../docs/reference/ofrep-openapi.yaml", import.meta.url));
const KEY = ["X-API-Key", "change-me"];

let proxy;
let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "turquoise-schemathesis-"));
  proxy = await startProxy();
  // It learns keys from answers, and a flag that does not compile is an error of the document's, not of the request's.
  const { broken, ...flags } = proxy.document.flags;
  await proxy.publish({ ...proxy.document, flags });
  const status = async () => {
    const url = `${proxy.servers}/ofrep/v1/evaluate/flags/broken`;
    return (await fetch(url, { method: "POST", headers: [KEY] })).status;
  };
  await until(async () => (await status()) === 404 && (await status()) === 404 && (await status()) === 404);
});

after(async () => {
  await proxy?.stop();
  await rm(folder, { recursive: true, force: true });
});

for (const [listener, more] of [
  ["servers", ["--header", KEY.join(": ")]],
  ["browsers", []],
]) {
  test(`every answer of ${listener} is one that is described`, { timeout: 300_000 }, async () => {
    const args = ["run", DESCRIPTION, "--url", proxy[listener], "--checks", "all", "--max-examples", "150", "--seed", "1"];
    const [code, output] = await run(beside("schemathesis"), [...args, ...more], { cwd: folder });
    assert.equal(code, 0, output);
  });
}
