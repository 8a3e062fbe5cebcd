// The cases, read from disk: those of ../../testdata, described in its README, and flagd's own where they are.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const TESTDATA = new URL("../../testdata/", import.meta.url);
/** Not part of the project: whoever has them puts them here. */
const VECTORS = new URL("../../../shared/vectors/", import.meta.url);

const text = (url) => readFileSync(url, "utf8");
const json = (url) => JSON.parse(text(url));

/** All suites as one JSON value, which a browser can be given too. */
export function read() {
  return {
    evaluations: folder("evaluations/"),
    decisions: folder("decisions/"),
    documents: documents(),
    flagd: flagd(),
  };
}

function folder(name) {
  const files = readdirSync(new URL(name, TESTDATA)).filter((file) => file.endsWith(".json"));
  return files.sort().map((file) => ({ file: name + file, ...json(new URL(name + file, TESTDATA)) }));
}

function documents() {
  const all = readdirSync(new URL("documents/", TESTDATA)).filter((file) => file.endsWith(".expected.json"));
  return all.sort().map((expected) => {
    const file = `documents/${expected.replace(".expected.json", ".json")}`;
    return {
      file,
      document: text(new URL(file, TESTDATA)),
      expected: json(new URL(`documents/${expected}`, TESTDATA)),
    };
  });
}

function flagd() {
  const file = "flagd-evaluator-cases.json";
  if (!existsSync(new URL(file, VECTORS))) {
    return { skipped: `flagd's own cases: ${file} is not in ${fileURLToPath(VECTORS)}` };
  }
  return {
    cases: json(new URL(file, VECTORS)),
    document: text(new URL("flagd-testkit-flags.json", VECTORS)),
  };
}
