// Compares Turquoise with the reference over random pairs of flag and context.

import { isDeepStrictEqual } from "node:util";

import { document } from "./documents.js";
import { MENDS } from "./mends.js";
import { Random } from "./random.js";
import * as reference from "./reference.js";
import { shrink } from "./shrink.js";
import * as turquoise from "./turquoise.js";
import { context } from "./values.js";

/** Contexts for each document, so that most of the time is not spent compiling. */
const CONTEXTS = 6;
const ALL = MENDS.map(({ name }) => name);

/** What so many pairs gave: how many there were, which mends were needed how often, and what differs all the same. */
export function run({ pairs, seed, most = 20 }) {
  const random = new Random(seed);
  const report = { pairs: 0, outcomes: {}, excused: {}, differences: [] };
  while (report.pairs < pairs && report.differences.length < most) {
    const made = document(random);
    const text = JSON.stringify(made);
    const [ours, theirs] = [turquoise.compile(text), reference.compile(text)];
    for (let index = 0; index < CONTEXTS && report.pairs < pairs; index += 1) {
      // As JSON has it: without -0, and with nothing that only JavaScript knows.
      const given = JSON.parse(JSON.stringify(context(random)));
      const now = random.below(2 ** 31) * 1000 + random.below(1000);
      const flag = random.chance(0.98) ? random.pick(Object.keys(made.flags)) : "no-such-flag";
      const [found, expected] = [ours.evaluate(flag, given, now), theirs.evaluate(flag, given, now)];
      report.outcomes[kind(expected)] = (report.outcomes[kind(expected)] ?? 0) + 1;
      report.pairs += 1;
      if (!isDeepStrictEqual(found, expected)) settle({ document: made, flag, context: given, now }, report);
    }
    ours.free();
  }
  return report;
}

const kind = ({ errorCode, reason }) => errorCode ?? reason ?? "REFUSED";

/** Counts a difference as one that is known, or shrinks it. */
function settle(it, report) {
  const mends = excuse(it);
  if (mends) {
    const names = mends.join(" + ");
    report.excused[names] = (report.excused[names] ?? 0) + 1;
    return;
  }
  const both = (less) => [ask(turquoise.compile, less), ask(reference.compile, less)];
  // It must remain the same kind of difference, or shrinking would wander off to another one.
  const kinds = both(it).map(kind).join();
  const small = shrink(it, (less) => differs(less) && both(less).map(kind).join() === kinds && !excuse(less));
  report.differences.push({ ...small, turquoise: both(small)[0], reference: both(small)[1] });
}

/** The fewest mends that give the reference our answer; null where not even all of them do. */
function excuse(it) {
  const found = ask(turquoise.compile, it);
  const suffice = (mends) => isDeepStrictEqual(ask(reference.compile, it, mends), found);
  if (!suffice(ALL)) return null;
  let needed = ALL;
  for (const name of ALL) {
    const fewer = needed.filter((other) => other !== name);
    if (suffice(fewer)) needed = fewer;
  }
  return needed;
}

function differs(it) {
  return !isDeepStrictEqual(ask(turquoise.compile, it), ask(reference.compile, it));
}

function ask(compile, { document: asked, flag, context: given, now }, mends) {
  const compiled = compile(JSON.stringify(asked), mends);
  const answer = compiled.evaluate(flag, given, now);
  compiled.free();
  return answer;
}
