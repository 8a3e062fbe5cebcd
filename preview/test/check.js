// Runs the suites through the package. It knows neither Node nor a browser, and so runs in both.

/** Everything that differs from what is expected, as text, and how many cases there were of each kind. */
export function check(turquoise, suites) {
  const differences = [];
  const expect = (name, expected, found, same) => {
    if (!same(expected, found)) {
      differences.push(
        `${name}\n  expected ${JSON.stringify(expected)}\n  got      ${JSON.stringify(found)}`,
      );
    }
  };
  const counts = { evaluations: 0, decisions: 0, documents: 0, flagd: 0 };
  for (const suite of suites.evaluations) {
    for (const { snapshot, name, flag, context, now = 0, expected } of cases(turquoise, suite, [
      "flag",
      "context",
    ])) {
      expect(name, expected, snapshot.evaluate(flag, context, now * 1000), isEvaluation);
      counts.evaluations += 1;
    }
  }
  for (const suite of suites.decisions) {
    for (const { snapshot, name, request, now = 0, expected } of cases(turquoise, suite, ["request"])) {
      expect(name, expected, snapshot.decide(request, now * 1000), isDecision);
      counts.decisions += 1;
    }
  }
  for (const { file, document, expected } of suites.documents) {
    expect(file, expected, turquoise.validate(document), isReport);
    counts.documents += 1;
  }
  if (suites.flagd.cases) {
    const snapshot = new turquoise.Snapshot(suites.flagd.document);
    for (const it of suites.flagd.cases) {
      const answer = snapshot.evaluate(it.key, it.context);
      expect(`${it.file}: ${it.scenario}: ${it.key}`, it, answer, isFlagdResult);
      counts.flagd += 1;
    }
  }
  return { counts, differences };
}

/** The cases of a file. Members that nobody describes are refused: a misspelt one would test nothing. */
function* cases(turquoise, { file, about, document, config, cases: list, ...unknown }, members) {
  known(file, unknown);
  if (!about) throw new Error(`${file}: no \`about\``);
  const snapshot = new turquoise.Snapshot(JSON.stringify(document), config);
  for (const { name, now, expect, ...rest } of list) {
    const given = Object.fromEntries(members.map((member) => [member, rest[member]]));
    known(
      `${file}: ${name}`,
      Object.fromEntries(Object.entries(rest).filter(([key]) => !members.includes(key))),
    );
    yield { snapshot, name: `${file}: ${name}`, now, expected: expect, ...given };
  }
}

function known(where, unknown) {
  for (const key in unknown) throw new Error(`${where}: unknown member \`${key}\``);
}

/** OFREP's object, without `key`: the same members, but for details and metadata that nobody expects. */
function isEvaluation({ errorDetails: part = "", ...expected }, { key, errorDetails = "", ...found }) {
  if (!("metadata" in expected)) delete found.metadata;
  return same(expected, found) && errorDetails.includes(part);
}

/** A decision: what is expected, and nothing else, counts; what is absent is null. */
function isDecision(expected, { gate, anonymous, ...found }) {
  const flat = {
    gate: gate && (gate.open ? "open" : "closed"),
    anonymousCookie: anonymous?.cookie,
    ...found,
  };
  if (anonymous) flat.targetingKey = null;
  return Object.entries(expected).every(([key, value]) => same(value, flat[key] ?? null));
}

function isReport(expected, { refused, problems }) {
  const matches = ({ severity, path, line, message }, found) =>
    found &&
    same([severity, path, line], [found.severity, found.path, found.line]) &&
    found.message.includes(message);
  return (
    refused === expected.refused &&
    problems.length === expected.problems.length &&
    expected.problems.every((problem, index) => matches(problem, problems[index]))
  );
}

/** What a client makes of an answer, compared with what the case expects. */
function isFlagdResult({ type, default: fallback, expect }, answer) {
  const { value = fallback, reason, errorCode, metadata = {} } = answer;
  const types = {
    Boolean: "boolean",
    String: "string",
    Integer: "number",
    Float: "number",
    Object: "object",
  };
  // Whoever asks for another type than the value has gets this error from the client, not from the evaluation.
  const code = errorCode ?? (typeof value === types[type] ? undefined : "TYPE_MISMATCH");
  const found = { value, reason, errorCode: code, metadata };
  return Object.entries(expect).every(([key, expected]) => same(expected, found[key]));
}

/** Whether two JSON values are equal; the order of keys means nothing. */
function same(a, b) {
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return a === b;
  const keys = Object.keys(a);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]))
  );
}
