// Known bugs of the reference, each with the change that mends it. A difference is excused only where the reference,
// with these bugs mended, gives Turquoise's answer: a mend hides nothing but what it mends.
//
// They replace operators of json-logic-engine 5.0.7 and flagd-core 4.0.1 while these compile a rule to the text of a
// JavaScript expression, and hashing in imurmurhash 0.1.4. Each is inert unless switched on.

import { createRequire } from "node:module";

// The very copies that flagd-core loads.
const require = createRequire(createRequire(import.meta.url).resolve("@openfeature/flagd-core"));
const { LogicEngine, splitPath } = require("json-logic-engine");
const MurmurHash3 = require("imurmurhash");

const COMPILED = Symbol.for("json_logic_compiled");
const FLAGDS_OWN = ["starts_with", "ends_with", "sem_ver", "fractional"];

/** A piece of the JavaScript that a rule becomes. */
const code = (text) => ({ [COMPILED]: text });

/** An operator with parts of it replaced; the original stays as it is. */
function changed(operator, parts) {
  const copy = typeof operator === "function" ? (...args) => operator(...args) : {};
  return Object.assign(copy, operator, parts);
}

/** Replaces how operators are compiled. */
function recompile(methods, names, compile) {
  for (const name of names) {
    const original = methods[name].compile;
    if (typeof original === "function")
      methods[name] = changed(methods[name], { compile: compile(original, name) });
  }
}

/** All of them: a name, the reason why we do not do the same, and the mend. */
export const MENDS = [
  {
    name: "utf16-hash",
    reason: "`fractional` hashes UTF-16 code units; flagd in Go hashes UTF-8, and so do we",
    shows: { targeting: { fractional: ["日本", ["a", 1], ["b", 1]] }, wrong: "a", right: "b" },
    mend() {},
  },
  {
    name: "cat-null",
    reason:
      '`cat` writes "null" for null in compiled rules and fails for null alone; folded it writes nothing, as ECMAScript\'s join and Go do',
    shows: { targeting: { cat: [{ var: "nothing" }] }, wrong: "null", right: "" },
    mend(methods) {
      recompile(methods, ["cat"], (original) => (data, state) => {
        const item = (value) => state.compile`((${value}) ?? "")`;
        return Array.isArray(data)
          ? original(data.map(item), state)
          : state.compile`engine.methods.cat.method(${item(data)})`;
      });
    },
  },
  {
    name: "no-parentheses",
    reason:
      "`and`, `or`, `all`, `missing` and `missing_some` compile to `a ? b : c` without parentheses, which falls apart inside `cat`, `in` and defaults of `var`",
    shows: {
      targeting: { cat: ["", { and: [{ var: "x" }, "b"] }] },
      context: { x: "a" },
      wrong: "a",
      right: "b",
    },
    mend(methods) {
      recompile(methods, ["and", "or", "all", "missing", "missing_some"], (original) => (data, state) => {
        const text = original(data, state);
        return text && code(`(${text[COMPILED] ?? text})`);
      });
    },
  },
  {
    name: "failing-comparisons",
    reason:
      "comparisons fail where one side is no number and the other is spelt out, or both are interpreted; flagd in Go, JsonLogic's own implementation and ECMAScript answer false. There too, null equals null alone, and not 0",
    shows: {
      targeting: { "<": [{ var: "x" }, 5] },
      context: { x: "text" },
      wrong: "GENERAL",
      right: "false",
    },
    mend(methods) {
      for (const name of Object.keys(COMPARISONS)) {
        methods[name] = changed(methods[name], {
          compile: (data, state) => {
            if (!Array.isArray(data)) return state.compile`engine.compareItems(${name}, ${data})`;
            const items = data.reduce((list, item) => state.compile`${list} () => (${item}),`, code(""));
            return state.compile`engine.compareAll(${name}, [${items}])`;
          },
          method: (data, context, above, engine) => {
            const run = (rule) => engine.run(rule, context, { above });
            if (!Array.isArray(data)) return engine.compareItems(name, run(data));
            return engine.compareAll(
              name,
              data.map((rule) => () => run(rule)),
            );
          },
        });
      }
    },
  },
  {
    name: "failing-arithmetic",
    reason:
      "arithmetic fails where a text is no number, where it divides by 0, and of nothing; compiled it gives NaN for the items of one value. flagd in Go counts such a text as 0, divides as ECMAScript does, and gives 0, or null for `max` and `min`",
    shows: {
      targeting: { "===": [{ "+": [{ var: "x" }, 1] }, 1] },
      context: { x: "text" },
      wrong: "GENERAL",
      right: "true",
    },
    mend(methods) {
      for (const name of [...Object.keys(ARITHMETIC), "max", "min"])
        methods[name] = Object.assign((data) => calculate(name, data), methods[name], {
          compile: undefined,
          optimizeUnary: false,
        });
    },
  },
  {
    name: "in-what-holds-nothing",
    reason: "`in` fails where its second value is neither text nor list; flagd in Go answers false",
    shows: { targeting: { in: ["a", { var: "x" }] }, context: { x: 5 }, wrong: "GENERAL", right: "false" },
    mend(methods) {
      methods.in = changed(methods.in, {
        compile: (data, state) =>
          Array.isArray(data) ? state.compile`engine.isIn(${data[0] ?? null}, ${data[1] ?? null})` : false,
      });
    },
  },
  {
    name: "part-of-a-number",
    reason: "`substr` fails of a number and of null; flagd in Go takes the number's text, and an empty one",
    shows: {
      targeting: { "===": [{ substr: [{ var: "x" }, 0, 2] }, "12"] },
      context: { x: 123 },
      wrong: "GENERAL",
      right: "true",
    },
    mend(methods) {
      const { substr } = methods;
      const text = (value) => (typeof value === "number" ? String(value) : (value ?? ""));
      methods.substr = Object.assign(([value, ...rest]) => substr([text(value), ...rest]), substr);
    },
  },
  {
    name: "reducing-nothing",
    reason: "`reduce` of an empty list without a first value fails; in flagd's Go it is 0",
    shows: {
      targeting: { "===": [{ reduce: [{ var: "x" }, { var: "current" }] }, 0] },
      context: { x: [] },
      wrong: "GENERAL",
      right: "true",
    },
    mend(methods) {
      const { compile, method } = methods.reduce;
      methods.reduce = changed(methods.reduce, {
        compile: (data, state) => {
          const text = compile(data, state);
          return text && code(`engine.reduced(() => ${text[COMPILED] ?? text})`);
        },
        method: (data, context, above, engine) => engine.reduced(() => method(data, context, above, engine)),
      });
    },
  },
  {
    name: "interpreted-if",
    reason:
      "an `if` without else is interpreted even in compiled rules: `+` of one list takes its items there, and unknown operators are found only when they are reached",
    shows: {
      targeting: { if: [{ "+": [{ var: "x" }] }, "b"] },
      context: { x: [1] },
      wrong: "b",
      right: "GENERAL",
    },
    mend(methods) {
      recompile(methods, ["if", "?:"], (original) => (data, state) => {
        if (!Array.isArray(data) || data.length > 2) return original(data, state);
        return data.length === 1 ? state.compile`(${data[0]})` : original([...data, null], state);
      });
    },
  },
  {
    name: "identity",
    reason: "an array or object equals itself where a rule names it twice; JSON has no identity",
    shows: {
      targeting: { "===": [{ var: "x" }, { var: "x" }] },
      context: { x: [1] },
      wrong: "true",
      right: "false",
    },
    mend(methods) {
      recompile(
        methods,
        ["===", "!=="],
        (original) => (data, state) =>
          Array.isArray(data) && data.length >= 2
            ? original(
                data.map((item) => state.compile`engine.copy(${item})`),
                state,
              )
            : original(data, state),
      );
      recompile(
        methods,
        ["in"],
        (original) => (data, state) =>
          Array.isArray(data)
            ? original([state.compile`engine.copy(${data[0]})`, ...data.slice(1)], state)
            : false,
      );
    },
  },
  {
    name: "all-of-nothing",
    reason: "compiled `all` of null is true; interpreted it is false, as of an empty list",
    shows: { targeting: { all: [{ var: "nothing" }, false] }, wrong: "true", right: "false" },
    mend(methods) {
      recompile(
        methods,
        ["all"],
        (original) => (data, state) =>
          original(
            Array.isArray(data) ? [state.compile`((${data[0]}) || [])`, ...data.slice(1)] : data,
            state,
          ),
      );
    },
  },
  {
    name: "reduce-depth",
    reason: "`reduce` fails where its accumulator holds arrays or objects, a limit of this engine alone",
    shows: {
      targeting: { if: [{ reduce: [{ var: "x" }, { var: "current" }] }, "b", "a"] },
      context: { x: [1, [[1]]] },
      wrong: "GENERAL",
      right: "b",
    },
    mend(_, engine) {
      engine.options.maxDepth = Infinity;
    },
  },
  {
    name: "operators-in-iterations",
    reason:
      "flagd's own operators fail inside `map`, `filter` and the like, where they look for a logger in the item",
    shows: {
      targeting: { some: [{ var: "x" }, { starts_with: [{ var: "" }, "a"] }] },
      context: { x: ["ab"] },
      wrong: "GENERAL",
      right: "true",
    },
    mend(methods) {
      for (const name of FLAGDS_OWN) {
        const { method } = methods[name];
        methods[name] = changed(methods[name], { method: (data) => method(data, root) });
      }
    },
  },
  {
    name: "null-bucketing-key",
    reason:
      "`fractional` gives null where its key is null; flagd in Go drops the key and takes the targeting key",
    shows: { targeting: { fractional: [{ var: "nothing" }, ["b"]] }, wrong: "a", right: "b" },
    mend(methods) {
      const { method } = methods.fractional;
      const drop = (data) => (Array.isArray(data) && data[0] === null ? data.slice(1) : data);
      methods.fractional = changed(methods.fractional, {
        method: (data, context) => method(drop(data), context),
      });
    },
  },
  {
    name: "key-as-bucket",
    reason:
      "`fractional` takes its key for a bucket where that turns out to be an array; a key that is no text has no buckets",
    shows: {
      targeting: { fractional: [{ var: "x" }, ["b"]] },
      context: { x: ["b"] },
      wrong: "b",
      right: "a",
    },
    mend(methods) {
      const compile = (data, state) => {
        const [key, ...buckets] = Array.isArray(data) ? data : [];
        const computed = key !== null && typeof key === "object" && !Array.isArray(key);
        if (!computed) return false;
        return state.compile`engine.methods.fractional.method([engine.keyOnly(${key}), ...${buckets}], context)`;
      };
      methods.fractional = changed(methods.fractional, { compile });
    },
  },
  {
    name: "lenient-versions",
    reason:
      "`sem_ver` takes spaces around a version and a second `v`, and drops numbers of more than 16 digits; flagd strips one `v`, completes `1` and `1.2`, and takes nothing else",
    shows: {
      targeting: { sem_ver: [{ var: "x" }, "=", "1.2.3"] },
      context: { x: " 1.2.3" },
      wrong: "true",
      right: "a",
    },
    mend(methods) {
      const { method } = methods.sem_ver;
      const taken = (version) => {
        const text = String(version).replace(/^[vV]/, "");
        return /^v|^\s|\s$|^\d{17,}|^\d+\.\d{17,}$/.test(text) ? "none" : version;
      };
      const strict = ([left, operator, right]) => [taken(left), operator, taken(right)];
      methods.sem_ver = changed(methods.sem_ver, {
        method: (data, context) =>
          method(Array.isArray(data) && data.length === 3 ? strict(data) : data, context),
      });
    },
  },
  {
    name: "inherited-properties",
    reason: "`var` sees characters of strings and what JavaScript's values inherit (`length`, `constructor`)",
    shows: {
      targeting: { "==": [{ var: "x.length" }, 2] },
      context: { x: "ab" },
      wrong: "true",
      right: "false",
    },
    mend(methods) {
      recompile(methods, ["var"], (original) => (data, state) => {
        const [key, fallback = null] = Array.isArray(data) ? data : [data];
        if (typeof key !== "string" || key === "" || key.includes("../")) return original(data, state);
        return state.compile`(engine.ownProperty(context, ${key}) ?? (${fallback}))`;
      });
    },
  },
  {
    name: "missing-names",
    reason:
      "`missing` and `missing_some` see the same, and compiled they miss an empty name; interpreted it is there",
    shows: { targeting: { "!": [{ missing: [""] }] }, wrong: "false", right: "true" },
    mend(methods) {
      const missing = (names, context) => names.filter((name) => !has(context, splitPath(String(name))));
      const some = ([needed, names], context) => {
        const absent = missing(names, context);
        return names.length - absent.length >= needed ? [] : absent;
      };
      methods.missing = changed(methods.missing, { compile: undefined, method: missing });
      methods.missing_some = changed(methods.missing_some, { compile: undefined, method: some });
    },
  },
  {
    name: "missing-of-nothing",
    reason: "`missing_some` fails without names, and takes a text for its characters; in flagd's Go nothing is missing where the names are no list",
    shows: {
      targeting: { "!": [{ missing_some: [1, { var: "x" }] }] },
      wrong: "GENERAL",
      right: "true",
    },
    mend(methods) {
      const { method } = methods.missing_some;
      methods.missing_some = changed(methods.missing_some, {
        compile: undefined,
        method: (data, ...rest) => {
          const [needed, names] = Array.isArray(data) ? data : [];
          return Array.isArray(data) && !Array.isArray(names) && names !== undefined
            ? []
            : method(data, ...rest);
        },
      });
    },
  },
  {
    name: "unread-default",
    reason:
      "the default of a `var` of everything is never read, so that unknown operators in it go unnoticed",
    shows: {
      targeting: { if: [{ var: ["", { no_such: [] }] }, "b", "a"] },
      wrong: "b",
      right: "PARSE_ERROR",
    },
    mend(methods) {
      recompile(methods, ["var"], (original) => (data, state) => {
        if (Array.isArray(data) && data.length === 2 && (data[0] ?? "") === "") state.compile`${data[1]}`;
        return original(data, state);
      });
    },
  },
  {
    name: "folded-errors",
    reason:
      "a part of a rule that fails in every context makes the whole flag PARSE_ERROR when it is compiled, reached or not; interpreted it is GENERAL, and only where it is reached",
    shows: {
      targeting: { if: [{ var: "nothing" }, { "+": [[1], 2] }, "b"] },
      wrong: "PARSE_ERROR",
      right: "b",
    },
    mend(methods, engine) {
      engine.disableInline = true;
      recompile(methods, Object.keys(methods), (original) => (data, state) => {
        try {
          return original(data, state);
        } catch (error) {
          if (error?.type === "Unknown Operator") throw error;
          return code("engine.fail()");
        }
      });
    },
  },
];

let active = new Set();
/** The context of the evaluation under way. */
let root;

/** Does something with some bugs mended. */
export function mending(names, work) {
  const before = active;
  active = new Set(names);
  try {
    return work();
  } finally {
    active = before;
  }
}

const { build } = LogicEngine.prototype;
LogicEngine.prototype.build = function (rule, options) {
  for (const { name, mend } of MENDS) if (active.has(name)) mend(this.methods, this);
  const compiled = build.call(this, rule, options);
  return (context) => compiled((root = context));
};

const { hash } = MurmurHash3.prototype;
MurmurHash3.prototype.hash = function (text) {
  // One character for each byte of the text's UTF-8.
  return hash.call(this, active.has("utf16-hash") ? Buffer.from(text).toString("latin1") : text);
};

/** Whether a value holds something of its own at a path, be it null. */
function has(value, [key, ...rest]) {
  if (key === undefined) return true;
  const own = value !== null && typeof value === "object" && Object.hasOwn(value, key);
  return own && !(Array.isArray(value) && key === "length") && has(value[key], rest);
}

const COMPARISONS = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "==": (a, b) => a == b,
  "!=": (a, b) => a != b,
  "===": (a, b) => a === b,
  "!==": (a, b) => a !== b,
};

const ARITHMETIC = {
  "+": { nothing: 0, one: (a) => a, more: (a, b) => a + b },
  "-": { nothing: 0, one: (a) => -a, more: (a, b) => a - b },
  "*": { nothing: 1, one: (a) => a, more: (a, b) => a * b },
  "/": { nothing: 0, one: (a) => 1 / a, more: (a, b) => a / b },
  "%": { more: (a, b) => a % b },
};

/** Arithmetic as flagd's Go does it where the reference fails. */
function calculate(name, data) {
  const items = Array.isArray(data) ? data : [data];
  const numbers = items.map((value) => {
    const extreme = name === "max" || name === "min";
    if (typeof value === "object" ? value !== null || extreme : extreme && typeof value === "boolean") throw NaN;
    return typeof value === "string" && Number.isNaN(+value) ? 0 : +value;
  });
  if (name === "max") return numbers.length ? numbers.reduce((a, b) => (b > a ? b : a)) : null;
  if (name === "min") return numbers.length ? numbers.reduce((a, b) => (b < a ? b : a)) : null;
  const { nothing, one, more } = ARITHMETIC[name];
  if (numbers.length > 1) return numbers.reduce(more);
  if (!one) throw NaN;
  return numbers.length ? one(numbers[0]) : nothing;
}

// What mended rules call.
Object.assign(LogicEngine.prototype, {
  compareAll(name, items) {
    if (items.length < 2) return name.startsWith("!");
    // A list or an object equals nothing and has no order; `===` has its own idea of them.
    const comparable = (value) =>
      name.length < 3 && value !== null && typeof value === "object" ? NaN : value;
    let left = comparable(items[0]());
    for (const item of items.slice(1)) {
      const right = comparable(item());
      if (!COMPARISONS[name](left, right)) return false;
      left = right;
    }
    return true;
  },
  compareItems(name, value) {
    return this.compareAll(
      name,
      this.list(value).map((item) => () => item),
    );
  },
  isIn: (item, list) => (typeof list === "string" || Array.isArray(list)) && list.includes(item),
  reduced(work) {
    try {
      return work();
    } catch (error) {
      if (error instanceof TypeError && error.message.startsWith("Reduce of empty array")) return 0;
      throw error;
    }
  },
  ownProperty(value, path) {
    const keys = splitPath(path);
    return has(value, keys) ? keys.reduce((inner, key) => inner[key], value) : null;
  },
  keyOnly: (value) => (Array.isArray(value) ? false : value),
  list: (value) => (Array.isArray(value) ? value : [value]),
  copy: (value) => (value !== null && typeof value === "object" ? structuredClone(value) : value),
  fail() {
    throw NaN;
  },
});
