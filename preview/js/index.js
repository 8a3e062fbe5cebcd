// The API of the package: JavaScript's values, times and errors around the core's JSON text (../src/lib.rs).

import load, { Compiled } from "./wasm/turquoise_preview.js";

const UPSTREAM_HEADER = "x-turquoise-upstream";
const TARGETING_KEY_HEADER = "x-turquoise-targeting-key";
const FLAG_HEADER = "x-turquoise-flags";

/** Fetches and instantiates the core; `module` says from where, if not from beside this file. */
export default async function init(module) {
  await load(module === undefined ? undefined : { module_or_path: module });
}

/** A document that was refused, with everything that is wrong with it. */
export class RefusedDocument extends Error {
  constructor(message, problems) {
    super(message);
    this.name = "RefusedDocument";
    this.problems = problems;
  }
}

/** A compiled document. */
export class Snapshot {
  #compiled;
  #problems;
  #upstreamHeader;
  #flagHeader;

  constructor(document, config = {}) {
    this.#compiled = compile(document, config);
    const { refusal, problems } = JSON.parse(this.#compiled.report());
    if (refusal !== null) {
      this.free();
      throw new RefusedDocument(refusal, problems);
    }
    this.#problems = problems;
    this.#upstreamHeader = config.upstreamHeader ?? UPSTREAM_HEADER;
    this.#flagHeader = config.flagHeader && (config.flagHeader.name ?? FLAG_HEADER);
  }

  problems() {
    return structuredClone(this.#problems);
  }

  evaluate(flag, context = {}, now = Date.now()) {
    return JSON.parse(this.#compiled.evaluate(flag, json("context", context), milliseconds(now)));
  }

  explain(flag, context = {}, now = Date.now()) {
    return JSON.parse(this.#compiled.explain(flag, json("context", context), milliseconds(now)));
  }

  decide(request = {}, now = Date.now()) {
    const { route, gate, status, choice, upstream, targetingKey, cookie, exposed } = this.#decide(
      request,
      now,
    );
    const headers = {};
    if (status === null) {
      if (upstream !== null) headers[this.#upstreamHeader] = upstream;
      if (targetingKey !== null) headers[TARGETING_KEY_HEADER] = targetingKey;
      if (this.#flagHeader) headers[this.#flagHeader] = exposed;
    }
    return {
      route,
      ...(gate && { gate: { open: status === null, ...chosen(gate) } }),
      ...(status !== null && { status }),
      ...chosen(choice),
      upstream,
      targetingKey,
      ...(cookie !== null && { anonymous: { cookie } }),
      headers,
    };
  }

  explainRequest(request = {}, now = Date.now()) {
    return this.#decide(request, now, true).explanation;
  }

  #decide(request, now, explain = false) {
    return JSON.parse(this.#compiled.decide(json("request", describe(request)), milliseconds(now), explain));
  }

  /** Gives the memory back; without it that happens when the garbage collector comes by. */
  free() {
    this.#compiled.free();
  }
}

/** What is wrong with a document, and whether that refuses it. */
export function validate(document, config = {}) {
  const compiled = compile(document, config);
  const { refusal, problems } = JSON.parse(compiled.report());
  compiled.free();
  return { refused: refusal !== null, problems };
}

function compile(document, config) {
  if (typeof document !== "string")
    throw new TypeError("`document` is not a string: give the document's text");
  return new Compiled(document, json("config", config));
}

function chosen(choice) {
  const { flag = null, variant = null, reason = null, errorCode = null } = choice ?? {};
  return { flag, variant, reason, ...(errorCode !== null && { errorCode }) };
}

/** Half of a surrogate pair, as JSON.stringify writes it. */
const LONE_SURROGATE = /(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g;

function json(name, value) {
  const text = JSON.stringify(value);
  if (text?.[0] !== "{") throw new TypeError(`\`${name}\` is not an object that can be written as JSON`);
  // No UTF-8 can hold one; whatever sends text over a network sends this in its place.
  return text.replace(LONE_SURROGATE, "$1\ufffd");
}

function milliseconds(now) {
  const time = Number(now);
  if (!(time >= 0))
    throw new RangeError("`now` is not a time since 1970: give a Date, or milliseconds as Date.now() does");
  return time;
}

/** A request as the core reads it. Unknown keys are refused: a misspelt one would decide something else. */
function describe({ method = "GET", host, path = "/", headers = {}, properties = {}, ...unknown }) {
  const [key] = Object.keys(unknown);
  if (key !== undefined) {
    const known = "`method`, `host`, `path`, `headers`, `properties`";
    throw new TypeError(`\`request\` has no \`${key}\`; it has ${known}`);
  }
  const values = ([name, value]) => [value].flat().map((one) => [name.toLowerCase(), one]);
  const fields = Object.entries(headers).flatMap(values);
  // As in HTTP/1, where the host is a header.
  host ??= fields.find(([name]) => name === "host")?.[1] ?? "";
  return { method, host, path, headers: fields, properties };
}
