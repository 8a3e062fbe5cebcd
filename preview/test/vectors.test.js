// The same cases in Node and in a real browser.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import * as turquoise from "../pkg/node.js";
import { startBrowser } from "./browser.js";
import { check } from "./check.js";
import { read } from "./suites.js";

const suites = read();
if (suites.flagd.skipped) console.log(`skipped: ${suites.flagd.skipped}`);

function verify({ counts, differences }) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  assert.equal(differences.length, 0, `${differences.length} of ${total} cases:\n${differences.join("\n")}`);
  for (const kind of ["evaluations", "decisions", "documents"]) assert.ok(counts[kind] > 0, `no ${kind}`);
  console.log(`cases: ${JSON.stringify(counts)}`);
}

test("all cases in Node", () => verify(check(turquoise, suites)));

test("all cases in Chromium", async (t) => {
  const browser = await startBrowser();
  after(() => browser.close());
  t.diagnostic(browser.version);
  verify(await browser.check(suites));
});
