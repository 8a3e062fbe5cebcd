// The SDK for Python with its OFREP provider, in clients.py.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { startProxy } from "./proxy.js";

const PYTHON = process.env.PYTHON_BIN ?? fileURLToPath(new URL("../../../.tools/venv/bin/python", import.meta.url));

test("Python", async () => {
  const proxy = await startProxy();
  try {
    const [code, output] = await run(PYTHON, [fileURLToPath(new URL("client.py", import.meta.url)), proxy.servers]);
    assert.equal(code, 0, output);
  } finally {
    await proxy.stop();
  }
});

function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args).once("error", reject);
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.once("close", (code) => resolve([code, output]));
  });
}
