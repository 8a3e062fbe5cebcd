// Turquoise against flagd's reference evaluator: PAIRS=200000 compares more than the usual 2,000, SEED= others.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { MENDS } from "./mends.js";
import * as reference from "./reference.js";
import { run } from "./run.js";
import * as turquoise from "./turquoise.js";

const PAIRS = number("PAIRS", 2000);
const SEED = number("SEED", 20261121);

function number(name, otherwise) {
  const value = Number(process.env[name] ?? otherwise);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`${name}=${process.env[name]} is not a whole number`);
  return value;
}

test(`${PAIRS} random pairs of flag and context, seed ${SEED}`, () => {
  const { pairs, outcomes, excused, differences } = run({ pairs: PAIRS, seed: SEED });
  console.log(
    `compared ${pairs} pairs (SEED=${SEED}); the reference came to ${inspect(outcomes, { breakLength: Infinity })}`,
  );
  console.log(
    `known bugs of the reference, by what mends them: ${Object.keys(excused).length ? "" : "none met"}`,
  );
  for (const [names, count] of Object.entries(excused).sort(([, a], [, b]) => b - a))
    console.log(`  ${count} x ${names}`);
  assert.equal(differences.length, 0, differences.map(described).join("\n\n"));
});

test("every known bug is there, and mending it gives Turquoise's answer", () => {
  for (const { name, reason, shows } of MENDS) {
    assert.ok(reason, name);
    const { targeting, context = {}, right, wrong } = shows;
    const variants = { true: "", false: "", a: "", b: "", null: "", "": "" };
    const document = JSON.stringify({
      flags: { f: { state: "ENABLED", variants, defaultVariant: "a", targeting } },
    });
    const ask = (compiled) => {
      const { variant, errorCode } = compiled.evaluate("f", { targetingKey: "u", ...context }, 0);
      return errorCode ?? variant;
    };
    const answers = [
      reference.compile(document),
      reference.compile(document, [name]),
      turquoise.compile(document),
    ];
    assert.deepEqual(answers.map(ask), [wrong, right, right], name);
  }
});

function described({ document, flag, context, now, turquoise: ours, reference: theirs }) {
  const show = (value) => inspect(value, { depth: Infinity, breakLength: 110 });
  return [
    `document:  ${JSON.stringify(document)}`,
    `question:  ${JSON.stringify({ flag, context, now: Math.floor(now / 1000) })}`,
    `turquoise: ${show(ours)}`,
    `reference: ${show(theirs)}`,
  ].join("\n");
}
