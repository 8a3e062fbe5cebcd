// Turquoise, through the package: the same core as in the proxy.

import { RefusedDocument, Snapshot } from "../pkg/node.js";

/** Compiles a document, for evaluations in the same form as the reference's. */
export function compile(document) {
  let snapshot;
  try {
    snapshot = new Snapshot(document);
  } catch (error) {
    if (!(error instanceof RefusedDocument)) throw error;
    return { evaluate: () => ({ refused: true }), free() {} };
  }
  return {
    evaluate(flag, context, now) {
      const { value, variant, reason, errorCode, metadata = {} } = snapshot.evaluate(flag, context, now);
      if (errorCode !== undefined) return { errorCode, metadata };
      return { reason, ...(value !== undefined && { value, variant }), metadata };
    },
    free: () => snapshot.free(),
  };
}
