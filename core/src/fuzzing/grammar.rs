//! Documents and contexts from bytes: each byte decides one thing, and when they run out, everything is the simplest.

use serde_json::{Map, Value as Json, json};

/// How deep what is made nests.
const MOST_DEPTH: usize = 7;

/// Names of attributes; those with dots lead into values.
const NAMES: [&str; 16] = [
    "targetingKey",
    "email",
    "a",
    "b",
    "list",
    "a.b",
    "list.0",
    "list.1.a",
    "",
    "accumulator",
    "current",
    "accumulator.a",
    "$flagd.flagKey",
    "$flagd.timestamp",
    "$flagd",
    "none",
];

/// Texts at the edges of what operators read out of texts.
const TEXTS: [&str; 32] = [
    "on",
    "off",
    "true",
    "null",
    "",
    "a",
    "ab",
    "é",
    "😀",
    "\u{fffd}",
    "0",
    "-1.5",
    "1e3",
    "0x1F",
    " 7 ",
    "Infinity",
    "1.2.3",
    "v2",
    "2.0.0-rc.1+b",
    "1.2.3-01",
    ">=",
    "^",
    "~",
    "10.0.0.1",
    "::1",
    "::ffff:10.0.0.1",
    "10.0.0.0/8",
    "ada@example.com",
    "@example.com",
    "[object Object]",
    "1,2",
    "user",
];

const NUMBERS: [f64; 16] = [
    0.0,
    1.0,
    -1.0,
    2.0,
    0.5,
    -0.0,
    1e21,
    1e-7,
    2147483647.0,
    2147483648.0,
    4294967296.0,
    9007199254740993.0,
    -9223372036854775808.0,
    18446744073709551615.0,
    1.7976931348623157e308,
    5e-324,
];

/// Operators that take any number of rules.
const OPERATORS: [&str; 33] = [
    "if",
    "?:",
    "==",
    "===",
    "!=",
    "!==",
    "!",
    "!!",
    "or",
    "and",
    ">",
    ">=",
    "<",
    "<=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "max",
    "min",
    "merge",
    "in",
    "cat",
    "substr",
    "missing",
    "missing_some",
    "sem_ver",
    "starts_with",
    "ends_with",
    "var",
    "no_such",
    "fractional",
];

const ITERATIONS: [&str; 6] = ["map", "filter", "all", "some", "none", "reduce"];

const PATTERNS: [&str; 6] = ["^a", "(a|b)*c", "\\w+@example\\.com$", "(", "[^é]{2,5}", ""];

/// Bytes as choices.
#[derive(Debug)]
pub struct Choices<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl<'a> Choices<'a> {
    /// All choices that are left to make.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter() }
    }

    fn next(&mut self) -> usize {
        self.bytes.next().map_or(0, |byte| usize::from(*byte))
    }

    fn one_of<T: Clone + Default>(&mut self, all: &[T]) -> T {
        let choice = self.next();
        all.get(choice % all.len().max(1)).cloned().unwrap_or_default()
    }

    /// Two flags with any rules, two with plain ones, a rule to refer to, routes. Mostly no route uses the former, since a
    /// document whose route uses what does not compile is refused, and most rules here do not.
    pub fn document(&mut self) -> Json {
        let metadata = self.one_of(&[json!({}), json!({ "fractional": "v3" })]);
        let default = self.one_of(&[json!("off"), json!("on"), Json::Null, json!("")]);
        let (first, second, shared) = (self.rule(0), self.rule(0), self.rule(3));
        let variants = json!({ "on": true, "off": false, "true": 1, "1": [1], "é": "é" });
        let flag = |targeting| json!({ "state": "ENABLED", "variants": variants, "defaultVariant": default, "targeting": targeting });
        let upstreams = json!({ "state": "ENABLED", "variants": { "blue": "b", "green": "g" }, "defaultVariant": "blue",
            "targeting": { "fractional": [["blue", 1], ["green", 1]] } });
        let gate = json!({ "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
            "targeting": { "if": [{ "in": ["a", { "var": "email" }] }, "on"] } });
        let default_colour = self.one_of(&[json!("blue"), json!("on"), Json::Null]);
        let gated = self.one_of(&["gate", "gate", "gate", "first"]);
        let released = self.one_of(&["upstream", "upstream", "upstream", "colour"]);
        let colour = json!({ "state": "ENABLED", "variants": { "on": "o", "blue": "b" }, "defaultVariant": default_colour,
            "targeting": self.rule(2) });
        json!({
            "metadata": metadata,
            "$evaluators": { "shared": shared },
            "flags": { "first": flag(first), "second": flag(second), "upstream": upstreams, "gate": gate, "colour": colour },
            "routes": [
                { "name": "gated", "match": { "path": { "prefix": "/checkout" } }, "flag": "upstream",
                  "gate": { "flag": gated } },
                { "name": "special", "match": { "path": { "exact": "/special" }, "methods": ["GET"],
                    "headers": { "x-beta": { "present": true } } }, "flag": "upstream" },
                { "name": "all", "flag": released },
            ],
        })
    }

    /// An evaluation context.
    pub fn context(&mut self) -> Json {
        let mut members = Map::new();
        for _ in 0..self.next() % 8 {
            let name = self.one_of(&NAMES);
            members.insert(name.to_owned(), self.value(0));
        }
        Json::Object(members)
    }

    fn number(&mut self) -> Json {
        match self.next() {
            choice @ 0..128 => json!(choice),
            choice => NUMBERS.get(choice % NUMBERS.len()).map_or(Json::Null, |number| json!(number)),
        }
    }

    /// Mostly short, so that most runs are.
    fn length(&mut self) -> usize {
        match self.next() {
            255 => 20_000,
            length => length,
        }
    }

    fn scalar(&mut self) -> Json {
        match self.next() % 8 {
            0 => Json::Null,
            1 => json!(true),
            2 => json!(false),
            3 | 4 => self.number(),
            _ => json!(self.one_of(&TEXTS)),
        }
    }

    /// What a context may hold.
    fn value(&mut self, depth: usize) -> Json {
        match self.next() % 16 {
            0..3 if depth < MOST_DEPTH => (0..self.next() % 5).map(|_| self.value(depth + 1)).collect(),
            3..6 if depth < MOST_DEPTH => {
                let name = |choices: &mut Self| choices.one_of(&["a", "b", "0", ""]).to_owned();
                (0..self.next() % 4).map(|_| (name(self), self.value(depth + 1))).collect()
            }
            // Long ones, for what must be bounded.
            6 if depth < 2 => {
                let item = self.scalar();
                let len = self.length();
                vec![item; len].into()
            }
            7 => {
                let text = self.one_of(&TEXTS);
                json!(text.repeat(self.length()))
            }
            _ => self.scalar(),
        }
    }

    fn rules(&mut self, depth: usize) -> Json {
        match self.next() % 8 {
            // One argument need not stand in an array, and may be a rule that gives one.
            7 => self.rule(depth + 1),
            count => (0..count).map(|_| self.rule(depth + 1)).collect(),
        }
    }

    /// A rule, at a depth.
    fn rule(&mut self, depth: usize) -> Json {
        if depth >= MOST_DEPTH {
            return self.scalar();
        }
        let (operator, arguments) = match self.next() % 16 {
            0..2 => return self.scalar(),
            2..4 => ("var", self.variable(depth)),
            4..9 => (self.one_of(&OPERATORS), self.rules(depth)),
            9 => (self.one_of(&ITERATIONS), self.rules(depth)),
            10 => ("fractional", self.buckets(depth)),
            11 => ("split", self.split(depth)),
            12 => ("ramp", self.ramp(depth)),
            13 => {
                let list = (0..self.next() % 4).map(|_| self.rule(depth + 1)).collect();
                return list;
            }
            14 => match self.next() % 3 {
                0 => ("flag", json!(self.one_of(&["second", "upstream", "first", "none"]))),
                1 => ("$ref", json!(self.one_of(&["shared", "none"]))),
                _ => (
                    "sem_ver",
                    json!([self.rule(depth + 1), self.one_of(&[">=", "^", "~", "?"]), self.one_of(&TEXTS)]),
                ),
            },
            _ => match self.next() % 2 {
                0 => (
                    "cidr",
                    json!([self.rule(depth + 1), ["10.0.0.0/8", "::/0", self.one_of(&["::1/128", "1/2"])]]),
                ),
                _ => ("matches", json!([self.rule(depth + 1), self.one_of(&PATTERNS)])),
            },
        };
        json!({ operator: arguments })
    }

    fn variable(&mut self, depth: usize) -> Json {
        match self.next() % 4 {
            0 => json!([self.one_of(&NAMES), self.rule(depth + 1)]),
            1 => self.rules(depth),
            _ => json!(self.one_of(&NAMES)),
        }
    }

    fn buckets(&mut self, depth: usize) -> Json {
        let mut arguments: Vec<Json> = match self.next() % 4 {
            0 => vec![self.rule(depth + 1)],
            _ => Vec::new(),
        };
        for _ in 0..self.next() % 5 {
            let variant =
                if self.next().is_multiple_of(4) { self.rule(depth + 1) } else { json!(self.one_of(&TEXTS)) };
            arguments.push(match self.next() % 4 {
                0 => json!([variant]),
                1 => json!([variant, self.rule(depth + 1)]),
                _ => json!([variant, self.number()]),
            });
        }
        arguments.into()
    }

    fn split(&mut self, depth: usize) -> Json {
        let percentages =
            [json!(10), json!(33.333), json!(50), json!(0), json!(100), json!(0.001), json!(1e-4)];
        let buckets: Json =
            (0..self.next() % 4).map(|_| json!([self.rule(depth + 1), self.one_of(&percentages)])).collect();
        match self.next() % 3 {
            0 => buckets,
            1 => json!({ "buckets": buckets, "salt": self.one_of(&TEXTS) }),
            _ => json!({ "buckets": buckets, "by": self.rule(depth + 1) }),
        }
    }

    fn ramp(&mut self, depth: usize) -> Json {
        let times = [
            json!(0),
            json!("2026-09-21T00:00:00Z"),
            json!(1_789_999_999),
            json!(1_790_000_001),
            json!(281_474_976_710_u64),
            json!("2026-02-30T00:00:00Z"),
            json!(u64::MAX),
        ];
        let percentages = [json!(0), json!(10), json!(100), json!(33.333), json!(101)];
        let mut schedule: Vec<Json> = Vec::new();
        for _ in 0..self.next() % 4 {
            schedule.push(json!([self.one_of(&times), self.one_of(&percentages)]));
        }
        match self.next() % 3 {
            0 => json!({ "schedule": schedule, "mode": "steps" }),
            1 => json!({ "schedule": schedule, "mode": "linear", "salt": "s" }),
            _ => json!({ "schedule": schedule, "by": self.rule(depth + 1) }),
        }
    }
}
