// Makes a difference small: removes and simplifies parts of the case as long as it differs.

/** Operators that mean something else with fewer arguments. */
const FIXED = new Set([
  "map",
  "filter",
  "all",
  "some",
  "none",
  "reduce",
  "in",
  "sem_ver",
  "starts_with",
  "ends_with",
  "var",
]);

/** Smaller variants of a JSON value, the boldest first. */
function* smaller(value) {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1)
      yield value.toSpliced?.(index, 1) ?? without(value, index);
    for (const [index, item] of value.entries())
      for (const less of smaller(item)) yield replaced(value, index, less);
    return;
  }
  if (value !== null && typeof value === "object") {
    for (const inner of Object.values(value)) {
      yield inner;
      if (Array.isArray(inner)) yield* inner;
    }
    for (const key of Object.keys(value)) {
      const { [key]: inner, ...rest } = value;
      yield rest;
      for (const less of smaller(inner)) {
        // Another number of arguments would be another difference.
        if (!FIXED.has(key) || less?.length === inner?.length) yield { ...value, [key]: less };
      }
    }
    return;
  }
  if (typeof value === "string" && value !== "") {
    yield "";
    // By characters: half a surrogate pair is no text.
    const characters = [...value];
    const half = Math.ceil(characters.length / 2);
    if (half < characters.length)
      yield* [characters.slice(0, half).join(""), characters.slice(half).join("")];
  }
  if (typeof value === "number" && value !== 0 && value !== 1) yield* [0, 1, Math.trunc(value / 2)];
  if (value !== null && value !== 0 && value !== "" && value !== false) yield null;
}

function without(list, index) {
  return [...list.slice(0, index), ...list.slice(index + 1)];
}

function replaced(list, index, item) {
  return [...list.slice(0, index), item, ...list.slice(index + 1)];
}

/** The smallest case found for which `differs` holds; it holds for `found`. At most so many tries. */
export function shrink(found, differs, tries = 3000) {
  let left = tries;
  for (let again = true; again;) {
    again = false;
    for (const less of candidates(found)) {
      if ((left -= 1) < 0) return found;
      if (differs(less)) {
        found = less;
        again = true;
        break;
      }
    }
  }
  return found;
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** Smaller cases. What makes no sense (a flag without variants) does not differ: both refuse it. */
function* candidates({ document, flag, context, now }) {
  const it = (document_, context_) => ({ document: document_, flag, context: context_, now });
  for (const key of Object.keys(document.flags)) {
    if (key === flag) continue;
    const { [key]: _, ...flags } = document.flags;
    yield it({ ...document, flags }, context);
  }
  for (const section of ["metadata", "$evaluators"]) {
    if (!(section in document)) continue;
    const { [section]: _, ...rest } = document;
    yield it(rest, context);
  }
  const own = document.flags[flag];
  const withFlag = (changed) => it({ ...document, flags: { ...document.flags, [flag]: changed } }, context);
  for (const rule of smaller(own.targeting ?? null))
    if (isObject(rule)) yield withFlag({ ...own, targeting: rule });
  for (const key of ["metadata", "defaultVariant"]) {
    const { [key]: gone, ...rest } = own;
    if (gone !== undefined) yield withFlag(rest);
  }
  for (const less of smaller(context)) if (isObject(less)) yield it(document, less);
  if (document.$evaluators)
    for (const less of smaller(document.$evaluators)) yield it({ ...document, $evaluators: less }, context);
}
