// Checked by tsc, never run: what the README shows, and what must not compile.

import init, { RefusedDocument, Snapshot, validate } from "turquoise-preview";
import type { Decision, Evaluation, Problem } from "turquoise-preview";

export async function use(document: string): Promise<unknown> {
  await init();
  try {
    const snapshot = new Snapshot(document, { upstreams: ["checkout_blue", "checkout_green"] });
    const evaluation: Evaluation = snapshot.evaluate(
      "new-summary",
      { targetingKey: "ada", tags: ["a"] },
      new Date(0),
    );
    if (evaluation.errorCode !== undefined) return evaluation.errorDetails;
    const decision: Decision = snapshot.decide(
      { path: "/checkout", headers: { cookie: ["a=1", "b=2"] } },
      Date.now(),
    );
    const why: string[] | undefined = snapshot.explain("new-summary").rule?.steps?.map((step) => step.path);
    snapshot.explainRequest({ path: "/" }).routes.forEach((route) => why?.push(route.because));
    return [evaluation.reason, evaluation.value, decision.upstream, decision.gate?.open];
  } catch (error) {
    if (error instanceof RefusedDocument) return error.problems.map((problem: Problem) => problem.line);
    throw error;
  }
}

// @ts-expect-error a document is its text
validate({ flags: {} });
// @ts-expect-error there is no such member
new Snapshot("{}").decide({ pth: "/" });
// @ts-expect-error an evaluation may have failed
export const reason: string = new Snapshot("{}").evaluate("a").reason;
