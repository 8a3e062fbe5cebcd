// The server-side SDK for Node with its OFREP provider.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OpenFeature } from "@openfeature/server-sdk";

import { startProxy } from "./proxy.js";

let proxy;
let client;

before(async () => {
  proxy = await startProxy();
  const headers = [["Authorization", "Bearer change-me"]];
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: proxy.servers, headers }));
  client = OpenFeature.getClient();
});

after(async () => {
  await OpenFeature.close();
  await proxy?.stop();
});

test("every type has its value", async () => {
  const context = { targetingKey: "bob" };
  const details = await client.getStringDetails("greeting", "default", context);
  assert.equal(details.value, "Hello.");
  assert.equal(details.variant, "plain");
  assert.equal(details.reason, "STATIC");
  assert.deepEqual(details.flagMetadata, { flagSetId: "ofrep", client: true });
  assert.equal(await client.getBooleanValue("special", true, context), false);
  assert.equal(await client.getNumberValue("limit", 0, context), 3);
  assert.equal(await client.getNumberValue("ratio", 0, context), 0.5);
  assert.deepEqual(await client.getObjectValue("theme", {}, context), { colour: "black", sizes: [1, 2] });
});

test("the context that the server states is believed", async () => {
  const details = await client.getBooleanDetails("special", false, { targetingKey: "bob", email: "bob@example.com" });
  assert.equal(details.value, true);
  assert.equal(details.reason, "TARGETING_MATCH");
  assert.equal(await client.getNumberValue("limit", 0, { targetingKey: "ada" }), 1000);
});

test("the application's default holds where there is no value", async () => {
  // This provider is older than answers without a value, and takes them for errors.
  for (const flag of ["retired", "undecided"]) {
    for (const fallback of [true, false]) {
      assert.equal(await client.getBooleanValue(flag, fallback, { targetingKey: "bob" }), fallback, flag);
    }
  }
});

test("errors are told apart, and the default holds", async () => {
  for (const [flag, code] of [
    ["no-such-flag", "FLAG_NOT_FOUND"],
    ["ключ / %2F ?", "FLAG_NOT_FOUND"],
    ["broken", "PARSE_ERROR"],
    ["theme", "TYPE_MISMATCH"],
  ]) {
    const details = await client.getBooleanDetails(flag, true, { targetingKey: "bob" });
    assert.deepEqual([details.value, details.reason, details.errorCode], [true, "ERROR", code], flag);
  }
});

test("without the token there is nothing but the default", async () => {
  await OpenFeature.setProviderAndWait("stranger", new OFREPProvider({ baseUrl: proxy.servers }));
  const details = await OpenFeature.getClient("stranger").getStringDetails("greeting", "default");
  assert.equal(details.value, "default");
  assert.equal(details.reason, "ERROR");
});
