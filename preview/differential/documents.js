// Random documents: flags in every state, with metadata at both levels and shared rules.

import { Rules } from "./rules.js";
import { values } from "./values.js";

export function document(random) {
  const refs = random.chance(0.3) ? ["shared", "isStaff"].slice(0, 1 + random.below(2)) : [];
  const metadata = () => {
    const of = values(random);
    const value = () => random.pick([of.number, of.text, of.boolean])();
    return Object.fromEntries(
      random.list(0, 3, () => [random.pick(["owner", "version", "a", "größe"]), value()]),
    );
  };
  const flags = {};
  for (const key of ["first", "second", "drei-ä"].slice(0, 1 + random.below(3))) {
    flags[key] = flag(random, refs);
    if (random.chance(0.3)) flags[key].metadata = metadata();
  }
  const result = { flags };
  if (random.chance(0.3)) result.metadata = metadata();
  if (refs.length) {
    const rules = new Rules(random, { variants: ["on", "off"] });
    result.$evaluators = Object.fromEntries(refs.map((name) => [name, rules.boolean(1 + random.below(2))]));
  }
  return result;
}

function flag(random, refs) {
  const of = values(random);
  const variants = random.weighted([
    [4, () => ({ on: true, off: false })],
    [3, () => ({ blue: "b", green: "g", 3: "three" })],
    [2, () => ({ true: of.number(), false: of.number(), 1: of.number() })],
    [2, () => ({ on: { a: of.any(2) }, off: {}, é: { n: 12345678901234567890 } })],
    [1, () => ({ a: of.text(), "a,b": of.text(), "": of.text(), "[object Object]": of.text() })],
  ])();
  const names = Object.keys(variants);
  const rules = new Rules(random, {
    refs,
    variants: names.concat(random.chance(0.3) ? [true, 1, false] : []),
  });
  const result = { state: random.chance(0.95) ? "ENABLED" : "DISABLED", variants };
  if (random.chance(0.85)) result.defaultVariant = random.chance(0.93) ? random.pick(names) : null;
  if (random.chance(0.95)) {
    const rule = random.chance(0.98) ? rules.targeting(1 + random.below(4)) : {};
    // Targeting is an object; what is none is a rule that says it.
    result.targeting =
      rule === null || typeof rule !== "object" || Array.isArray(rule) ? { if: [rule] } : rule;
  }
  return result;
}
