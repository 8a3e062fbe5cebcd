// Values where evaluators go wrong: the edges of numbers, texts that look like numbers, characters outside ASCII.

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  2,
  3,
  5,
  10,
  18,
  42,
  100,
  0.1,
  0.2,
  0.30000000000000004,
  1.5,
  -2.5,
  1e-7,
  5e-324,
  1e21,
  123456789.123,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 53 + 2,
  1.7976931348623157e308,
  -1e300,
];

const TEXTS = [
  "",
  " ",
  "a",
  "A",
  "ab",
  "abc",
  "ada",
  "ada@example.com",
  "example",
  "@example.com",
  "on",
  "off",
  "1",
  "0",
  "10",
  "-0",
  "1.0",
  " 12 ",
  "0x1f",
  "0b11",
  "1e3",
  ".5",
  "5.",
  "1_000",
  "Infinity",
  "-Infinity",
  "NaN",
  "null",
  "true",
  "false",
  "undefined",
  "é",
  "e\u0301",
  "ß",
  "İ",
  "日本語",
  "😀",
  "👩‍👩‍👧",
  "\u{ff5e}",
  "\u{1f600}a",
  "\u0000",
  "\u00a0" + "7",
  "\ufeff1",
  "\u2028",
  "a.b",
  "[object Object]",
  "a,b",
  '"',
  "\\",
];

const VERSIONS = [
  "1",
  "1.2",
  "1.2.3",
  "v1.2.3",
  "V1.2",
  "1.2.4",
  "1.3.0",
  "2.0.0",
  "10.0.0",
  "1.2.3-alpha",
  "1.2.3-alpha.1",
  "1.2.3-alpha.beta",
  "1.2.3-rc.11",
  "1.2.3-rc.2",
  "1.2.3+build",
  "1.2.3-rc.2+build",
  "1.2.3.4",
  "01.2.3",
  "1.2.",
  "",
  "v",
  "latest",
  "9007199254740991.0.0",
  "9007199254740993.0.0",
  "1.2-rc",
  "-1.2.3",
  "1.2.3-",
  "1.2.3-01",
  " 1.2.3",
  "1.2.3\n",
  "vv1.2.3",
  "=1.2.3",
  "12345678901234567.1",
];

const TARGETING_KEYS = [
  "ada",
  "bob",
  "user-1",
  "user-2",
  "f2b1c0de",
  "a",
  "",
  "0",
  "9c9a3a6e-6f3f-4a43-9d24-2d8e5d9a1b7c",
];

export const values = (random) => ({
  number: () =>
    random.chance(0.6) ? random.pick(NUMBERS) : random.below(2000) / random.pick([1, 1, 4, 10]) - 500,
  text: () =>
    random.chance(0.85) ? random.pick(TEXTS) : random.list(0, 3, () => random.pick(TEXTS)).join(""),
  version: () =>
    random.chance(0.5)
      ? random.pick(VERSIONS)
      : [random.below(3), random.below(3), random.below(3)].join("."),
  boolean: () => random.chance(0.5),
  targetingKey: () => (random.chance(0.4) ? random.pick(TARGETING_KEYS) : `user-${random.below(100000)}`),
  unicodeKey: () => random.pick(["é", "日本", "😀", "ada-ß"]) + random.below(100),
  scalar() {
    return random.weighted([
      [4, this.number],
      [4, this.text],
      [2, this.boolean],
      [1, () => null],
      [1, this.version],
    ])();
  },
  list(depth = 1) {
    const item = random.pick([this.number, this.text, () => this.any(depth - 1)]);
    return random.list(0, 4, item);
  },
  object(depth = 1) {
    return Object.fromEntries(random.list(0, 3, () => [random.pick(KEYS), this.any(depth - 1)]));
  },
  any(depth = 1) {
    if (depth <= 0 || random.chance(0.6)) return this.scalar();
    return random.chance(0.6) ? this.list(depth) : this.object(depth);
  },
});

const KEYS = ["a", "b", "0", "1", "name", "total", "größe", "x y", ""];

/** What contexts hold, by what it usually is there. Rules name these. */
export const ATTRIBUTES = {
  text: ["email", "country", "name", "user.name", "größe"],
  number: ["age", "score", "user.age", "orders.0.total"],
  version: ["version"],
  boolean: ["beta", "user.admin"],
  list: ["tags", "numbers", "mixed"],
  objects: ["orders"],
  other: [
    "nothing",
    "nil",
    "user",
    "user.nothing.deep",
    "mixed.1",
    "targetingKey",
    "$flagd.flagKey",
    "$flagd.timestamp",
    "big.0",
  ],
};

/** A context. Most attributes are there and of their kind; some are missing or of another. */
export function context(random) {
  const of = values(random);
  const orders = () => random.list(0, 3, () => ({ total: of.number(), sku: of.text() }));
  const usual = {
    email: of.text,
    country: () => random.pick(["de", "fr", "DE", ""]),
    name: of.text,
    größe: of.text,
    age: of.number,
    score: of.number,
    version: of.version,
    beta: of.boolean,
    tags: () => random.list(0, 4, of.text),
    numbers: () => random.list(0, 4, of.number),
    mixed: () => of.list(2),
    orders,
    nil: () => null,
    user: () => ({ name: of.text(), age: of.number(), admin: of.boolean() }),
  };
  const result = {};
  for (const [name, make] of Object.entries(usual)) {
    if (random.chance(0.85)) result[name] = random.chance(0.92) ? make() : of.any(2);
  }
  if (random.chance(0.9)) result.targetingKey = random.chance(0.97) ? of.targetingKey() : of.unicodeKey();
  if (random.chance(0.02)) result.$flagd = { flagKey: "forged", timestamp: 1 };
  return result;
}
