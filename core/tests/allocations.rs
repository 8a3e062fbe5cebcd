//! Evaluating and deciding allocate nothing: counted by this binary's own allocator, after one call that warms the
//! scratch up. The first test proves that the counter counts.
#![expect(unsafe_code, reason = "an allocator can only be replaced by an unsafe impl")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use serde_json::{Value, json};
use turquoise_core::{
    Bindings, Context, EvaluationError, Reason, Request, RequestContext, Scratch, Settings, Severity,
    Snapshot, Timestamp,
};

thread_local! {
    /// Allocations of this thread: tests run side by side, and count apart.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // A thread that ends has no counter any more, and nothing to count for.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is passed on to the system's allocator as it came; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `run` allocates.
fn allocations<T>(run: impl FnOnce() -> T) -> u64 {
    let before = COUNT.get();
    let result = std::hint::black_box(run());
    let after = COUNT.get();
    drop(result);
    after - before
}

const NOW: Timestamp = Timestamp(1_790_000_000_000);

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(1)), 1);
    assert_eq!(allocations(|| vec![0u8; 100]), 1);
    let mut grows: Vec<u64> = Vec::with_capacity(1);
    assert_eq!(allocations(|| (0..64).for_each(|n| grows.push(n))), 5, "from 1 to 4, 8, 16, 32, 64");
    assert_eq!(allocations(|| 1 + 1), 0);
}

/// Rules of every operator, by name.
fn rules() -> Vec<(&'static str, Value)> {
    let doubled = json!({ "map": [{ "var": "list" }, { "*": [{ "var": "" }, 2] }] });
    vec![
        ("var, with a path and a default", json!({ "var": ["user.name", "none"] })),
        ("var, computed", json!({ "var": [{ "cat": ["user", ".", "name"] }] })),
        (
            "if, ==, in",
            json!({ "if": [{ "==": [{ "var": "n" }, 3] }, "on", { "in": ["a", { "var": "list" }] }] }),
        ),
        ("in a list of texts", json!({ "in": [{ "var": "user.name" }, ["Grace", "Ada", "Alan"]] })),
        ("in a text", json!({ "in": ["example", { "var": "email" }] })),
        ("in a list that is built", json!({ "in": [4, doubled] })),
        ("and, or, !, !!", json!({ "and": [{ "!!": [{ "var": "n" }] }, { "or": [{ "!": [true] }, true] }] })),
        ("between", json!({ "<": [1, { "var": "n" }, 9] })),
        ("texts in order", json!({ "<=": ["ä", { "var": "email" }] })),
        (
            "===, !==, !=",
            json!({ "and": [{ "===": [{ "var": "n" }, 3] }, { "!==": [1, "1"] }, { "!=": [1, 2] }] }),
        ),
        (
            "+ - * / %",
            json!({ "+": [{ "-": [{ "var": "n" }] }, { "*": [2, "3"] }, { "/": [8, 2] }, { "%": [7, 4] }] }),
        ),
        ("max, min", json!({ "max": [{ "min": [{ "var": "n" }, 9] }, 2] })),
        ("cat", json!({ "cat": ["user ", { "var": "user.name" }, " ", { "var": "n" }, { "var": "list" }] })),
        ("substr of ASCII", json!({ "substr": [{ "var": "email" }, 0, -12] })),
        ("substr of what was built", json!({ "substr": [{ "cat": [{ "var": "email" }, "!"] }, -4] })),
        (
            "map, reduce",
            json!({ "reduce": [doubled, { "+": [{ "var": "current" }, { "var": "accumulator" }] }, 0] }),
        ),
        (
            "filter, all, some, none",
            json!({ "and": [
            { "all": [{ "var": "list" }, { ">": [{ "var": "" }, 0] }] },
            { "some": [{ "var": "list" }, { ">": [{ "var": "" }, 2] }] },
            { "none": [{ "filter": [{ "var": "list" }, { ">": [{ "var": "" }, 1] }] }, { "<": [{ "var": "" }, 1] }] },
        ] }),
        ),
        ("merge", json!({ "in": [7, { "merge": [{ "var": "list" }, 7, [8, 9]] }] })),
        (
            "missing, missing_some",
            json!({ "!": [{ "merge": [{ "missing": ["a", "n"] }, { "missing_some": [1, ["n", "b"]] }] }] }),
        ),
        (
            "starts_with, ends_with",
            json!({ "and": [
            { "starts_with": [{ "var": "email" }, "ada"] }, { "ends_with": [{ "var": "email" }, "example.com"] }] }),
        ),
        ("sem_ver", json!({ "sem_ver": [{ "var": "version" }, "^", "2.1.0-rc.1"] })),
        (
            "sem_ver of computed arguments",
            json!({ "sem_ver": [{ "var": "n" }, { "var": "op" }, { "var": "version" }] }),
        ),
        ("fractional", json!({ "fractional": [["on", 1], ["off", 1]] })),
        (
            "fractional by a value",
            json!({ "fractional": [{ "cat": [{ "var": "email" }, "salt"] }, ["on"], ["off"]] }),
        ),
        (
            "fractional with computed weights",
            json!({ "fractional": [["on", { "var": "n" }], ["off", { "+": [1, 1] }]] }),
        ),
        ("split", json!({ "split": [["on", 33.333], ["off", 66.667]] })),
        (
            "split by a value",
            json!({ "split": { "by": { "var": "n" }, "salt": "s", "buckets": [["on", 50], ["off", 50]] } }),
        ),
        (
            "ramp",
            json!({ "ramp": { "schedule": [["2026-01-01T00:00:00Z", 0], ["2026-12-31T00:00:00Z", 100]] } }),
        ),
        ("flag", json!({ "==": [{ "flag": "prerequisite" }, "on"] })),
        ("cidr", json!({ "cidr": [{ "var": "ip" }, ["10.0.0.0/8", "2001:db8::/32"]] })),
        ("matches", json!({ "matches": [{ "var": "email" }, "^[a-z.]+@example\\.(com|org)$"] })),
        (
            "$flagd",
            json!({ "and": [{ "==": [{ "var": "$flagd.flagKey" }, "x"] }, { ">": [{ "var": "$flagd.timestamp" }, 1] }] }),
        ),
        ("an error", json!({ "+": ["not a number"] })),
        ("no such variant", json!({ "cat": ["none"] })),
    ]
}

fn document(rule: &Value, version: &str) -> String {
    let flag = |rule: &Value| {
        json!({ "state": "ENABLED", "variants": { "on": true, "off": false, "true": 1, "false": 0 },
                "defaultVariant": "off", "targeting": rule })
    };
    json!({ "metadata": { "fractional": version }, "flags": {
        "rule": flag(rule),
        "prerequisite": flag(&json!({ "if": [{ "var": "n" }, "on"] })),
        "static": { "state": "ENABLED", "variants": { "on": true }, "defaultVariant": "on" },
        "disabled": { "state": "DISABLED", "variants": { "on": true }, "defaultVariant": "on" },
    } })
    .to_string()
}

fn context() -> Context {
    Context::new(json!({
        "targetingKey": "user-4711", "email": "ada.lovelace@example.com", "n": 3, "list": [1, 2, 3], "ip": "10.1.2.3",
        "user": { "name": "Ada" }, "version": "2.3.4", "op": ">=",
    }))
}

#[test]
fn evaluating_allocates_nothing() {
    evaluate_without_allocating(rules());
}

#[test]

fn evaluating_parts_of_texts_outside_ascii_allocates_nothing() {
    evaluate_without_allocating(vec![("substr", json!({ "substr": ["déjà vu", 1, 3] }))]);
}

fn evaluate_without_allocating(rules: Vec<(&'static str, Value)>) {
    let context = context();
    for (name, rule) in rules {
        for version in ["v2", "v3"] {
            let snapshot = Snapshot::compile(document(&rule, version).as_bytes()).unwrap();
            let failing = snapshot.problems().iter().find(|problem| problem.severity != Severity::Warning);
            assert_eq!(failing, None, "{name}");
            let mut scratch = Scratch::default();
            for key in ["rule", "static", "disabled", "no-such-flag"] {
                let mut evaluate = || snapshot.evaluate(key, &context, NOW, &mut scratch);
                let first = evaluate();
                let reached = !matches!(first.error, Some(error) if error != EvaluationError::UnknownVariant);
                assert!(reached || key == "no-such-flag" || name == "an error", "{name}: {first:?}");
                assert_eq!(allocations(&mut evaluate), 0, "{name}: `{key}`, fractional {version}");
                assert_eq!(evaluate(), first);
            }
        }
    }
}

/// A request that lies in memory already.
struct Fixed;

impl Request for Fixed {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let headers: [(&[u8], &[u8]); 3] = [
            (b"x-user-email", b"ada@example.com"),
            (b"cookie", b"theme=dark; uid=user-4711"),
            (b"x-beta", b"yes"),
        ];
        headers.into_iter()
    }

    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn host(&self) -> &[u8] {
        b"Shop.Example.com:8443"
    }

    fn path(&self) -> &[u8] {
        b"/checkout/pay?step=2&coupon=a%20b"
    }

    fn property(&self, _: &str) -> Option<&str> {
        Some("10.1.2.3")
    }
}

/// How often deciding a request allocates when the upstream's rule asks whether `attribute` is there.
fn deciding(attribute: &str) -> u64 {
    let document = json!({
        "flags": {
            "open": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "on" },
            "upstream": {
                "state": "ENABLED", "variants": { "blue": "b", "green": "g" }, "defaultVariant": "blue",
                "targeting": { "if": [{ "var": attribute }, { "fractional": [["green", 50], ["blue", 50]] }, null] } },
        },
        "routes": [
            { "name": "other", "match": { "hosts": ["*.example.com"], "path": { "exact": "/checkout" } }, "flag": "upstream" },
            { "name": "checkout",
              "match": { "hosts": ["shop.example.com"], "path": { "prefix": "/checkout" }, "methods": ["GET", "POST"],
                         "headers": { "x-beta": { "exact": "yes" }, "x-none": { "present": false } } },
              "gate": { "flag": "open" }, "flag": "upstream" },
        ] });
    let settings: Settings = serde_json::from_value(json!({ "context": {
        "targetingKey": [{ "header": "x-user-id" }, { "cookie": "uid" }],
        "attributes": { "email": { "header": "x-user-email" }, "ip": { "property": "source.address" } } } }))
    .unwrap();
    let snapshot = Snapshot::compile(document.to_string().as_bytes()).unwrap();
    let bindings = Bindings::new(&snapshot, &settings.context);
    let mut scratch = Scratch::default();
    let mut decide = || {
        let key = match settings.context.targeting_key(&Fixed) {
            turquoise_core::TargetingKey::Known(key) => Some(key),
            _ => None,
        };
        let context = RequestContext::new(&Fixed, &bindings, &settings.context, key);
        snapshot.decide(&Fixed, &context, NOW, &mut scratch)
    };
    let decision = decide();
    assert_eq!(decision.route.map(|route| snapshot.route_name(route)), Some("checkout"));
    assert_eq!(decision.flag.map(|flag| flag.reason), Some(Reason::TargetingMatch), "{attribute} is there");
    allocations(decide)
}

#[test]
fn deciding_a_request_allocates_nothing() {
    for attribute in [
        "targetingKey",
        "email",
        "ip",
        "request.method",
        "request.path",
        "request.host",
        "request.headers.x-beta",
        "request.cookies.theme",
    ] {
        assert_eq!(deciding(attribute), 0, "{attribute}");
    }
}

/// Where a document has gates, a path is looked at for other spellings. One that has none costs nothing.
#[test]
fn looking_for_gates_allocates_only_where_there_is_something_to_fold() {
    let document = json!({
        "flags": {
            "off": { "state": "ENABLED", "variants": { "off": false }, "defaultVariant": "off" },
            "up": { "state": "ENABLED", "variants": { "v": "up" }, "defaultVariant": "v" },
        },
        "routes": [
            { "name": "gate", "match": { "hosts": ["*.example.com"], "path": { "prefix": "/Admin" } }, "gate": { "flag": "off" } },
            { "name": "rest", "flag": "up" },
        ] });
    let snapshot = Snapshot::compile(document.to_string().as_bytes()).unwrap();
    let context = Context::new(json!({}));
    let mut scratch = Scratch::default();
    let mut decide = |path: &'static str| {
        let mut closed = None;
        let count = allocations(|| closed = snapshot.decide(&To(path), &context, NOW, &mut scratch).closed);
        (count, closed)
    };
    for path in ["/", "/checkout/pay.html?next=%2FAdmin;x", "/api/v1/items:cancel", "/a-b_c~d/@me"] {
        assert_eq!(decide(path), (0, None), "{path}");
    }
    assert_eq!(decide("/admin/users"), (0, Some(404)));
    assert_eq!(decide("/ADMIN;x").1, Some(404));
    assert!(decide("/Checkout").0 > 0, "something was to fold");
}

/// A request for a path.
struct To(&'static str);

impl Request for To {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        std::iter::empty()
    }

    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn host(&self) -> &[u8] {
        b"Shop.Example.com:8443"
    }

    fn path(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn property(&self, _: &str) -> Option<&str> {
        None
    }
}

/// The exception: parameters are decoded into a list when a rule asks for the first one.
#[test]
fn only_the_query_is_decoded_into_memory() {
    let count = deciding("request.query.coupon");
    assert!((1..=4).contains(&count), "a list of parameters, and texts that had escapes: {count}");
}
