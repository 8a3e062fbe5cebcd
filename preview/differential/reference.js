// The reference: @openfeature/flagd-core, in its default mode, which compiles rules to JavaScript. On demand with some
// of its known bugs mended (mends.js), to tell whether a difference is due to them.

import { FlagdCore } from "@openfeature/flagd-core";

import { mending } from "./mends.js";

const SILENT = { error() {}, warn() {}, info() {}, debug() {} };

/** Compiles a document, for evaluations that come to OFREP's members without texts for people. */
export function compile(document, mends = []) {
  const core = new FlagdCore(undefined, SILENT);
  try {
    mending(mends, () => core.setConfigurations(document));
  } catch {
    return { evaluate: () => ({ refused: true }), free() {} };
  }
  return {
    evaluate: (flag, context, now) => mending(mends, () => at(now, () => outcome(core, flag, context))),
    free() {},
  };
}

/** flagd-core reads the clock itself. */
function at(now, work) {
  const clock = Date.now;
  Date.now = () => now;
  try {
    return work();
  } finally {
    Date.now = clock;
  }
}

function outcome(core, key, context) {
  // The caller's type is none of the evaluation's business, so the type that the variants have is asked for.
  const type = typeof [...(core.getFlag(key)?.variants.values() ?? [])][0];
  const result = core.resolve(type, key, undefined, context, SILENT);
  const { value, variant, reason, errorCode, flagMetadata: metadata = {} } = result;
  if (errorCode !== undefined) return { errorCode, metadata };
  return { reason, ...(value !== undefined && { value, variant }), metadata };
}
