// The SDK for Rust with its OFREP provider, in ../rust.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { startProxy } from "./proxy.js";
import { run } from "./run.js";

const MANIFEST = fileURLToPath(new URL("../rust/Cargo.toml", import.meta.url));

test("Rust's client gets values and errors", async () => {
  const proxy = await startProxy();
  try {
    const args = ["run", "--quiet", "--locked", "--manifest-path", MANIFEST, "--", proxy.servers];
    const [code, output] = await run("cargo", args);
    assert.equal(code, 0, output);
  } finally {
    await proxy.stop();
  }
});
