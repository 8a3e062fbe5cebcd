// The SDK for Python with its OFREP provider, in client.py.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { startProxy } from "./proxy.js";
import { PYTHON, run } from "./run.js";

test("Python's client gets values, defaults and errors", async () => {
  const proxy = await startProxy();
  try {
    const script = fileURLToPath(new URL("client.py", import.meta.url));
    const [code, output] = await run(PYTHON, [script, proxy.servers]);
    assert.equal(code, 0, output);
  } finally {
    await proxy.stop();
  }
});
