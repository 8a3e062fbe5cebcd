// Random rules over every operator. Each operator mostly gets arguments of the kind it wants and sometimes others, so
// that most evaluations get somewhere and every kind of mistake is made.

import { ATTRIBUTES, values } from "./values.js";

export class Rules {
  #random;
  #of;
  #refs;
  #variants;
  /** Names inside an iteration mean parts of an item. */
  #item = null;
  /** Inside `reduce`, where everything (`{"var": ""}`) is an object that Turquoise does not build: null there. */
  #reducing = false;

  constructor(random, { refs = [], variants }) {
    this.#random = random;
    this.#of = values(random);
    this.#refs = refs;
    this.#variants = variants;
  }

  /** A flag's rule: it mostly names variants. */
  targeting(depth = 3) {
    const random = this.#random;
    const fixed = () => this.variant(0);
    return random.weighted([
      [
        6,
        () => ({
          if: random
            .list(1, 2, () => [this.boolean(depth - 1), this.variant(depth - 1)])
            .flat()
            .concat(random.chance(0.7) ? [this.variant(depth - 1)] : []),
        }),
      ],
      [2, () => this.fractional(depth - 1)],
      [1, () => this.boolean(depth)],
      [1, () => ({ var: [this.name("text"), fixed()] })],
      [1, () => ({ [random.pick(["and", "or"])]: [this.boolean(depth - 1), this.variant(depth - 1)] })],
      [2, () => ({ if: [{ "===": [this.any(depth - 1), this.any(depth - 1)] }, fixed(), fixed()] })],
      [1, () => this.any(depth)],
    ])();
  }

  variant(depth) {
    const random = this.#random;
    if (depth <= 0 || random.chance(0.7))
      return random.chance(0.95) ? random.pick(this.#variants) : random.pick(["none", null, ""]);
    return random.weighted([
      [3, () => this.fractional(depth - 1)],
      [2, () => ({ if: [this.boolean(depth - 1), this.variant(depth - 1), this.variant(depth - 1)] })],
      [1, () => ({ cat: [random.pick(this.#variants), random.chance(0.5) ? "" : this.text(depth - 1)] })],
      [1, () => ({ substr: [`${random.pick(this.#variants)}-x`, 0, -2] })],
    ])();
  }

  /** The name of an attribute, of this kind mostly. */
  name(kind) {
    const random = this.#random;
    if (this.#item && random.chance(0.9)) return random.pick(this.#item);
    const kinds = random.chance(0.93) ? [kind] : Object.keys(ATTRIBUTES);
    return random.pick(ATTRIBUTES[random.pick(kinds)]);
  }

  variable(kind, depth) {
    const random = this.#random;
    const name = this.name(kind);
    return random.weighted([
      [8, () => ({ var: name })],
      [2, () => ({ var: [name] })],
      [2, () => ({ var: [name, depth > 0 ? this.of(kind, depth - 1) : this.#of.scalar()] })],
      [this.#reducing ? 0 : 0.2, () => ({ var: "" })],
      [0.2, () => ({ var: { if: [{ var: "beta" }, name, "name"] } })],
    ])();
  }

  /** A rule that mostly gives this kind of value. */
  of(kind, depth) {
    if (this.#random.chance(0.04)) return this.any(depth);
    switch (kind) {
      case "text":
        return this.text(depth);
      case "number":
        return this.number(depth);
      case "boolean":
        return this.boolean(depth);
      case "list":
        return this.list(depth);
      case "version":
        return this.version(depth);
      default:
        return this.any(depth);
    }
  }

  any(depth) {
    const random = this.#random;
    const kind = random.pick(["text", "number", "boolean", "list", "version", "other"]);
    if (kind !== "other") return this[kind](depth);
    return random.weighted([
      [3, () => this.variable("other", depth - 1)],
      [2, () => this.#of.scalar()],
      [1, () => ({})],
      [1, () => this.fractional(depth - 1)],
      [0.3, () => ({ no_such_operator: [1] })],
      [0.1, () => ({ "==": [1, 1], "!=": [1, 2] })],
      [0.3, () => ({ $ref: random.pick(this.#refs.length ? this.#refs : ["none"]) })],
    ])();
  }

  #constantOr(make, kind, depth) {
    const random = this.#random;
    if (random.chance(0.25)) return make();
    return this.variable(kind, depth - 1);
  }

  text(depth) {
    const random = this.#random;
    if (depth <= 0 || random.chance(0.5)) return this.#constantOr(this.#of.text, "text", depth);
    const text = () => this.of("text", depth - 1);
    return random.weighted([
      [
        3,
        () => ({
          cat: random.list(0, 4, () =>
            random.pick([text, text, () => this.of("number", depth - 1), () => this.any(depth - 1)])(),
          ),
        }),
      ],
      [3, () => ({ substr: [text(), this.#offset(depth), ...random.list(0, 1, () => this.#offset(depth))] })],
      [1, () => ({ cat: text() })],
      [1, () => ({ if: [this.boolean(depth - 1), text(), text()] })],
      [
        0.5,
        () => ({
          reduce: [
            this.list(depth - 1),
            this.#reducer(() => ({ cat: [{ var: "accumulator" }, { var: "current" }] }), depth),
            this.#of.text(),
          ],
        }),
      ],
    ])();
  }

  #offset(depth) {
    const random = this.#random;
    return random.weighted([
      [8, () => random.below(12) - 5],
      [1, () => this.number(depth - 1)],
      [1, () => random.pick([1.5, -1.5, 0.5, null, "2", "x"])],
    ])();
  }

  number(depth) {
    const random = this.#random;
    if (depth <= 0 || random.chance(0.4)) return this.#constantOr(this.#of.number, "number", depth);
    const number = () => this.of("number", depth - 1);
    return random.weighted([
      [3, () => ({ [random.pick(["+", "*", "min", "max"])]: random.list(0, 3, number) })],
      [3, () => ({ [random.pick(["-", "/", "%"])]: random.list(random.chance(0.9) ? 2 : 0, 2, number) })],
      [
        1,
        () => ({ [random.pick(["+", "-"])]: random.chance(0.5) ? number() : [this.of("text", depth - 1)] }),
      ],
      [1, () => ({ [random.pick(["min", "max", "+", "*"])]: this.list(depth - 1) })],
      [1, () => ({ if: [this.boolean(depth - 1), number(), number()] })],
      [
        1,
        () => ({
          reduce: [
            this.list(depth - 1),
            this.#reducer(
              () => ({
                [random.pick(["+", "*", "-", "max"])]: [
                  { var: "accumulator" },
                  { var: random.pick(["current", "current", "current.total"]) },
                ],
              }),
              depth,
            ),
            ...random.list(0, 1, this.#of.number),
          ],
        }),
      ],
      [0.5, () => ({ var: "$flagd.timestamp" })],
    ])();
  }

  version(depth) {
    return this.#constantOr(this.#of.version, "version", depth);
  }

  boolean(depth) {
    const random = this.#random;
    if (depth <= 0)
      return this.variable(random.pick(["boolean", "boolean", "text", "number", "list"]), depth - 1);
    const next = depth - 1;
    const kind = random.pick(["number", "number", "text", "text", "other"]);
    const two = () => [this.of(kind, next), this.of(kind, next)];
    return random.weighted([
      [4, () => ({ [random.pick(["==", "!=", "===", "!=="])]: two() })],
      [4, () => ({ [random.pick(["<", "<=", ">", ">="])]: two() })],
      [1, () => ({ [random.pick(["<", "<=", ">", ">=", "=="])]: [...two(), this.of(kind, next)] })],
      [
        3,
        () => ({
          in: [
            this.of(random.pick(["text", "number"]), next),
            random.chance(0.7) ? this.list(next) : this.of("text", next),
          ],
        }),
      ],
      [
        3,
        () => ({ [random.pick(["starts_with", "ends_with"])]: [this.of("text", next), this.of("text", 0)] }),
      ],
      [
        3,
        () => ({
          sem_ver: [
            this.of("version", next),
            random.pick(["=", "!=", "<", "<=", ">", ">=", "^", "~", "=="]),
            this.of("version", 0),
          ],
        }),
      ],
      [2, () => ({ [random.pick(["and", "or"])]: random.list(1, 3, () => this.boolean(next)) })],
      [2, () => ({ [random.pick(["!", "!!"])]: random.chance(0.7) ? [this.any(next)] : this.any(next) })],
      [2, () => this.#iteration(["all", "some", "none"], next)],
      [1, () => ({ "!!": [this.#missing()] })],
      [0.5, () => ({ $ref: random.pick(this.#refs.length ? this.#refs : ["none"]) })],
      [
        0.2,
        () => ({
          [random.pick(["starts_with", "ends_with", "sem_ver", "in", "<", "=="])]: random.list(0, 4, () =>
            this.any(next),
          ),
        }),
      ],
    ])();
  }

  list(depth) {
    const random = this.#random;
    if (depth <= 0 || random.chance(0.5)) {
      return random.chance(0.4) ? this.#literals() : this.variable("list", depth - 1);
    }
    const list = () => this.of("list", depth - 1);
    return random.weighted([
      [2, () => ({ merge: random.list(0, 3, () => random.pick([list, () => this.any(depth - 1)])()) })],
      [3, () => this.#iteration(["map", "filter"], depth - 1)],
      [2, () => this.#missing()],
      [1, () => random.list(1, 3, () => this.any(depth - 1))],
      [1, () => ({ if: [this.boolean(depth - 1), list(), list()] })],
      [
        0.5,
        () => ({
          reduce: [
            list(),
            this.#reducer(() => ({ merge: [{ var: "accumulator" }, { var: "current" }] }), depth),
            [],
          ],
        }),
      ],
    ])();
  }

  /** An array as a document states it. Objects in it would be operators. */
  #literals() {
    const of = this.#of;
    return this.#random.list(0, 4, this.#random.pick([of.number, of.text, () => of.scalar()]));
  }

  #missing() {
    const random = this.#random;
    const names = () => random.list(0, 3, () => random.pick(Object.values(ATTRIBUTES).flat()));
    return random.weighted([
      [3, () => ({ missing: names() })],
      [1, () => ({ missing: { merge: [names(), { var: "tags" }] } })],
      [3, () => ({ missing_some: [random.below(4), names()] })],
    ])();
  }

  #iteration(operators, depth) {
    const operator = this.#random.pick(operators);
    const objects = this.#random.chance(0.3);
    const list = objects ? { var: "orders" } : this.list(depth);
    const body = this.#inside(objects ? ["total", "sku", "total", "none"] : ["", "", "", "0"], () =>
      operator === "map" ? this.any(depth) : this.boolean(Math.max(depth, 1)),
    );
    return { [operator]: [list, body] };
  }

  #reducer(usual, depth) {
    if (this.#random.chance(0.8)) return usual();
    this.#reducing = true;
    const rule = this.#inside(["accumulator", "current", "current", "current.total"], () =>
      this.any(depth - 1),
    );
    this.#reducing = false;
    return rule;
  }

  #inside(names, make) {
    const outer = this.#item;
    this.#item = names;
    const rule = make();
    this.#item = outer;
    return rule;
  }

  fractional(depth) {
    const random = this.#random;
    const next = depth - 1;
    const weight = () =>
      random.weighted([
        [6, () => random.below(100)],
        [1, () => random.pick([0, -5, 1, 2147483647, 2147483648, 0.5, 1e300, null, "5", true])],
        [1, () => (depth > 0 ? this.number(next) : { var: "age" })],
      ])();
    const bucket = () => {
      const variant = this.variant(random.chance(0.2) ? next : 0);
      return random.chance(0.75) ? [variant, weight()] : [variant];
    };
    const buckets = random.list(random.chance(0.95) ? 1 : 0, 4, bucket);
    return {
      fractional: random.weighted([
        [5, () => buckets],
        [4, () => [{ cat: [{ var: "$flagd.flagKey" }, { var: "email" }] }, ...buckets]],
        [3, () => [this.of("text", next), ...buckets]],
        [0.3, () => [this.any(next), ...buckets]],
        [0.3, () => [...buckets, this.any(next)]],
        [0.1, () => this.any(next)],
      ])(),
    };
  }
}
