// What only a caller in JavaScript sees: errors, times, defaults.

import assert from "node:assert/strict";
import { test } from "node:test";

import init, { RefusedDocument, Snapshot, validate } from "../pkg/node.js";

const variants = { blue: "shop_blue", green: "shop_green" };
const flag = (parts) => ({ state: "ENABLED", variants, defaultVariant: "blue", ...parts });
const late = { if: [{ ">=": [{ var: "$flagd.timestamp" }, 1000] }, "green"] };
const DOCUMENT = JSON.stringify({
  flags: {
    late: flag({ targeting: late }),
    typo: flag({ targeting: { iff: [] } }),
    agent: flag({ targeting: { if: [{ var: "request.headers.x-turquoise-me" }, "green"] } }),
  },
  routes: [{ name: "all", match: { path: { prefix: "/" } }, flag: "agent" }],
});

test("init has nothing to wait for in Node", async () => assert.equal(await init(), undefined));

test("a refused document throws everything that is wrong with it", () => {
  assert.throws(
    () => new Snapshot('{\n  "flags": []\n, "routes": 7 }'),
    (error) => {
      assert.ok(error instanceof RefusedDocument && error instanceof Error);
      assert.match(error.message, /^\$\.routes \(line 3, column 13\): /);
      assert.deepEqual(error.problems, validate('{\n  "flags": []\n, "routes": 7 }').problems);
      return error.problems.some(
        ({ severity, line, column }) => severity === "document" && line === 3 && column === 13,
      );
    },
  );
});

test("a flag that fails alone is a problem, not an error", () => {
  const snapshot = new Snapshot(DOCUMENT);
  const [{ severity, path, message }] = snapshot.problems();
  assert.deepEqual([severity, path], ["flag", "$.flags.typo.targeting"]);
  assert.match(message, /`iff` is no operator/);
  assert.equal(snapshot.evaluate("typo").errorCode, "PARSE_ERROR");
});

test("the plugin configuration is checked, and so are the upstreams it allows", () => {
  assert.throws(() => new Snapshot(DOCUMENT, { upstraems: [] }), /`upstraems`.*`upstreams`/);
  assert.throws(() => new Snapshot(DOCUMENT, { upstreams: ["shop_blue"] }), RefusedDocument);
  assert.equal(validate(DOCUMENT, { upstreams: ["shop_blue"] }).refused, true);
});

test("a time is a Date or milliseconds, and now by default", () => {
  const snapshot = new Snapshot(DOCUMENT);
  const variant = (...now) => snapshot.evaluate("late", {}, ...now).variant;
  assert.deepEqual([variant(999_999), variant(new Date(1_000_000)), variant()], ["blue", "green", "green"]);
  for (const wrong of [NaN, -1, "tomorrow", new Date("x")]) assert.throws(() => variant(wrong), RangeError);
});

test("what is no object is refused by name", () => {
  const snapshot = new Snapshot(DOCUMENT);
  assert.throws(() => snapshot.evaluate("late", "ada"), /`context` is not an object/);
  assert.throws(() => snapshot.decide({ pth: "/" }), /has no `pth`.*`path`/);
  assert.throws(() => new Snapshot({ flags: {} }), /`document` is not a string/);
});

test("half a surrogate pair is what UTF-8 makes of it", () => {
  const equal = (text) => ({ if: [{ "===": [{ var: "text" }, text] }, "green"] });
  for (const [given, seen] of [
    ["\ud83d", "\ufffd"],
    ["a\udc00b", "a\ufffdb"],
    ["😀", "😀"],
    ["\\ud83d", "\\ud83d"],
  ]) {
    const snapshot = new Snapshot(JSON.stringify({ flags: { f: flag({ targeting: equal(seen) }) } }));
    assert.equal(snapshot.evaluate("f", { text: given }).variant, "green", seen);
  }
});

test("a decision says what the upstream gets, and forged headers decide nothing", () => {
  const config = { upstreamHeader: "x-up", flagHeader: { flags: ["late"] }, context: { targetingKey: [] } };
  const decision = new Snapshot(DOCUMENT, config).decide(
    { headers: { X_Turquoise_Me: "1", "x-turquoise-me": "1" } },
    0,
  );
  assert.deepEqual(decision, {
    route: "all",
    flag: "agent",
    variant: "blue",
    reason: "DEFAULT",
    upstream: "shop_blue",
    targetingKey: null,
    headers: { "x-up": "shop_blue", "x-turquoise-flags": '{"late":"shop_blue"}' },
  });
});

test("an explanation shows the steps, of a flag and of a request", () => {
  const snapshot = new Snapshot(DOCUMENT);
  const { variant, because, attributes, rule } = snapshot.explain("agent", {
    "request.headers.x-turquoise-me": 1,
  });
  assert.deepEqual([variant, attributes.length, rule.operator], ["blue", 1, "if"]);
  assert.match(because, /default variant/);
  const request = snapshot.explainRequest({ method: "POST", host: "shop.example.com", path: "/a" });
  assert.deepEqual([request.route, request.upstream, request.flag.flag], ["all", "shop_blue", "agent"]);
  assert.deepEqual(request.request, ["POST", "shop.example.com", "/a"]);
});

test("a freed snapshot answers no more", () => {
  const snapshot = new Snapshot(DOCUMENT);
  snapshot.free();
  assert.throws(() => snapshot.evaluate("late"));
});
