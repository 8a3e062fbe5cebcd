//! Documents that take as long to compile as their size allows: of each construct, as much as fits into so many bytes.
//!
//! Tests count what compiling them costs at two sizes, and in the longest slice; `benches/examples/hostile.rs` measures it.

use std::fmt::Write as _;

/// A kind of hostile document, and what writes one of about so many bytes.
pub type Hostile = (&'static str, fn(usize) -> String);

/// All kinds.
pub const HOSTILE: &[Hostile] = &[
    ("attributes", |size| rules(size, &|out, n| _ = write!(out, r#"{{"var":"a{n}"}}"#))),
    ("operators", |size| rules(size, &|out, _| out.push_str(r#"{"!":[{"var":"a"}]}"#))),
    ("unknown operators", |size| rules(size, &|out, n| _ = write!(out, r#"{{"endswith{}":1}}"#, n % 10))),
    ("patterns", |size| rules(size, &|out, n| _ = write!(out, r#"{{"matches":[1,"x{n}[a-f]{{1,9}}"]}}"#))),
    ("no patterns", |size| rules(size, &|out, n| _ = write!(out, r#"{{"matches":[1,"({n}"]}}"#))),
    ("lists in many rules", |size| {
        rules(size, &|out, n| _ = write!(out, r#"{{"in":[1,["a{n}","b{n}","c{n}"]]}}"#))
    }),
    ("numbers in many rules", |size| {
        rules(size, &|out, n| _ = write!(out, r#"{{"in":[1,[{n},{n}.5,[]]]}}"#))
    }),
    ("fractionals", |size| {
        rules(size, &|out, _| out.push_str(r#"{"fractional":[["on",1],["off",1],["on",1]]}"#))
    }),
    ("ramps", |size| {
        rules(size, &|out, _| {
            out.push_str(r#"{"ramp":{"schedule":[["2026-01-01T00:00:00Z",1],["2027-01-01T00:00:00Z",9]]}}"#);
        })
    }),
    ("versions", |size| rules(size, &|out, n| _ = write!(out, r#"{{"sem_ver":[1,"^","1.{n}.0-x"]}}"#))),
    ("a list of texts", |size| {
        one_rule(&["{\"in\":[{\"var\":\"a\"},[", "]]}"], size, &|out, n| {
            _ = write!(out, "\"user-{n}@example.com\"");
        })
    }),
    ("a list of numbers", |size| {
        one_rule(&["{\"in\":[{\"var\":\"a\"},[", "]]}"], size, &|out, n| _ = write!(out, "{n}"))
    }),
    ("a list of lists", |size| one_rule(&["{\"merge\":[[", "]]}"], size, &|out, _| out.push_str("[[]]"))),
    ("networks", |size| {
        rules(size, &|out, n| {
            _ = write!(out, r#"{{"cidr":[1,["10.{}.{}.0/24","::/0"]]}}"#, n / 256 % 256, n % 256);
        })
    }),
    ("a schedule", |size| {
        one_rule(&["{\"ramp\":{\"schedule\":[", "]}}"], size, &|out, n| _ = write!(out, "[{n},1]"))
    }),
    ("a nested rule", |size| {
        let depth = size / 8;
        format!(
            "{{{}}}",
            flags(&rule(&format!("{}1{}", "{\"!\":[".repeat(depth.min(120)), "]}".repeat(depth.min(120)))))
        )
    }),
    ("references", |size| {
        let evaluators = fill(size / 2, |out, n| _ = write!(out, r#""e{n}":{{"var":"a"}}"#));
        let flags =
            fill(size / 2, |out, n| _ = write!(out, r#""f{n}":{}"#, rule(&format!(r#"{{"$ref":"e{n}"}}"#))));
        format!(r#"{{"$evaluators":{{{evaluators}}},"flags":{{{flags}}}}}"#)
    }),
    ("unknown references", |size| {
        let evaluators = fill(size / 2, |out, n| _ = write!(out, r#""name-{n:07}":1"#));
        let flags = fill(size / 2, |out, n| {
            _ = write!(out, r#""f{n}":{}"#, rule(&format!(r#"{{"$ref":"nome-{n:07}"}}"#)));
        });
        format!(r#"{{"$evaluators":{{{evaluators}}},"flags":{{{flags}}}}}"#)
    }),
    ("long names that are alike", |size| {
        let long = "n".repeat(size / 3);
        let flags = flags(&rule(&format!(r#"{{"$ref":"{long}x"}}"#)));
        format!(r#"{{"$evaluators":{{"{long}y":1}},{flags}}}"#)
    }),
    ("a list that flags share", |size| shared(size, r#""state":"ENABLED""#)),
    ("a list that disabled flags share", |size| shared(size, r#""state":"DISABLED""#)),
    ("duplicate flags that ask for others", |size| {
        let asks = |out: &mut String, n| _ = write!(out, r#""f{n}":{}"#, rule(r#"{"flag":"f0"}"#));
        let (first, second) = (fill(size / 2, asks), fill(size / 2, asks));
        format!(r#"{{"flags":{{{first},{second}}}}}"#)
    }),
    ("prerequisites of everybody", |size| {
        let count = size / 80;
        let asked = fill(size / 2, |out, n| _ = write!(out, r#"{{"flag":"f{}"}}"#, n % count));
        let flags = fill(size / 2, |out, n| {
            let next = n + 1;
            _ = write!(out, r#""f{n}":{}"#, rule(&format!(r#"{{"flag":"f{next}"}}"#)));
        });
        format!(r#"{{"flags":{{"x":{},{flags}}}}}"#, rule(&format!(r#"{{"and":[{asked}]}}"#)))
    }),
    ("one flag again and again", |size| {
        format!(
            r#"{{"flags":{{{}}}}}"#,
            fill(size, |out, _| out.push_str(r#""f":{"state":"ENABLED","variants":{"on":1}}"#))
        )
    }),
    ("small flags", |size| {
        format!(
            r#"{{"flags":{{{}}}}}"#,
            fill(size, |out, n| _ = write!(out, r#""{n}":{{"state":"ENABLED","variants":{{}}}}"#))
        )
    }),
    ("flags that are none", |size| {
        format!(r#"{{"flags":{{{}}}}}"#, fill(size, |out, n| _ = write!(out, r#""{n}":1"#)))
    }),
    ("an array of flags without keys", |size| {
        format!(r#"{{"flags":[{}]}}"#, fill(size, |out, _| out.push_str("{}")))
    }),
    ("variants", |size| variants(size, |out, n| _ = write!(out, r#""v{n}":"u{n}""#))),
    ("one value of many members", |size| {
        format!(
            r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{"v":{{{}}}}}}}}}}}"#,
            fill(size, |out, n| _ = write!(out, r#""{n}":{n}"#))
        )
    }),
    ("one value of many lists", |size| value(&format!("[{}]", fill(size, |out, _| out.push_str("[[]]"))))),
    ("results that are no variants", |size| {
        let variants = fill(size / 3, |out, n| _ = write!(out, r#""variant-{n:06}":1"#));
        let results = fill(size * 2 / 3, |out, n| _ = write!(out, r#"1,"voriant-{n:06}""#));
        format!(
            r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{{variants}}},"targeting":{{"if":[{results}]}}}}}}}}"#
        )
    }),
    ("unknown keys", |size| {
        let keys = fill(size, |out, n| _ = write!(out, r#""variant{n}":1"#));
        format!(r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{"v":1}},{keys}}}}}}}"#)
    }),
    ("unknown sections", |size| {
        format!(r#"{{"flags":{{}},{}}}"#, fill(size, |out, n| _ = write!(out, r#""flogs{n}":1"#)))
    }),
    ("a long key above much that is wrong", |size| {
        let key = "k".repeat(size / 2);
        let parts = fill(size / 2, |out, _| out.push_str(r#"{"fractional":[["on",-1],["on",1]]},{"vra":1}"#));
        format!(r#"{{"flags":{{"{key}":{}}}}}"#, rule(&format!(r#"{{"and":[{parts}]}}"#)))
    }),
    ("metadata", |size| {
        let set = fill(size / 2, |out, n| _ = write!(out, r#""m{n}":[1]"#));
        let flags = fill(size / 2, |out, n| {
            _ = write!(out, r#""f{n}":{{"state":"ENABLED","variants":{{"v":1}},"metadata":{{"m{n}":{n}}}}}"#);
        });
        format!(r#"{{"metadata":{{{set}}},"flags":{{{flags}}}}}"#)
    }),
    ("a text", |size| value(&format!("\"{}\"", "t".repeat(size)))),
    ("a text that is no ASCII", |size| value(&format!("\"{}\"", "\u{e9}\u{1f600}".repeat(size / 6)))),
    ("a text of escapes", |size| value(&format!("\"{}\"", r"\ud83d\ude00\n".repeat(size / 14)))),
    ("a number", |size| value(&"9".repeat(size.min(300)))),
    ("spaces", |size| value(&format!("[{}]", " ".repeat(size)))),
    ("brackets that nest", |size| {
        value(&format!(
            "[{}]",
            fill(size, |out, _| {
                out.push_str(&"[".repeat(100));
                out.push_str(&"]".repeat(100));
            })
        ))
    }),
    ("an error at the end", |size| {
        format!("{},", value(&format!("[{}]", fill(size, |out, n| _ = write!(out, "{n}")))))
    }),
    ("routes", |size| {
        routes(size, |out, n| {
            _ = write!(
                out,
                r#"{{"name":"{n}","flag":"f","match":{{"hosts":["h{n}.test"],"path":{{"prefix":"/{n}"}}}}}}"#
            );
        })
    }),
    ("routes of one name", |size| routes(size, |out, _| out.push_str(r#"{"name":"r","flag":"f"}"#))),
    ("routes in one place", |size| {
        routes(size, |out, n| {
            _ = write!(out, r#"{{"name":"{n}","flag":"f","match":{{"headers":{{"x":{{"exact":"{n}"}}}}}}}}"#);
        })
    }),
    ("routes with hosts in common", |size| {
        let hosts = fill(2_000, |out, n| _ = write!(out, r#""h{n}.test""#));
        routes(size, move |out, n| {
            _ = write!(
                out,
                r#"{{"name":"{n}","flag":"f","match":{{"hosts":[{hosts}],"methods":["M{n}"]}}}}"#
            );
        })
    }),
    ("a route of many hosts and a long path", |size| {
        let hosts = fill(size / 2, |out, n| _ = write!(out, r#""h{n}.test""#));
        let path = "/p".repeat(size / 4);
        routes(1, |out, _| {
            _ = write!(
                out,
                r#"{{"name":"r","flag":"f","match":{{"hosts":[{hosts}],"path":{{"prefix":"{path}"}}}}}}"#
            );
        })
    }),
    ("a route with a long host and a long path", |size| {
        let (host, path) = ("a.".repeat(size / 4), "/p".repeat(size / 4));
        routes(1, |out, _| {
            _ = write!(
                out,
                r#"{{"name":"r","flag":"f","match":{{"hosts":["{host}b"],"path":{{"prefix":"{path}"}}}}}}"#
            );
        })
    }),
    ("routes that choose among many variants", |size| {
        let routes = fill(size / 2, |out, n| {
            _ = write!(
                out,
                r#"{{"name":"{n}","flag":"f","guardrail":{{"fallback":"v{n}","watch":["v{n}"]}}}}"#
            );
        });
        let variants = fill(size / 2, |out, n| _ = write!(out, r#""v{n}":"u{n}""#));
        format!(r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{{variants}}}}}}},"routes":[{routes}]}}"#)
    }),
    ("routes that choose what is no upstream", |size| {
        let variants = fill(size / 2, |out, n| _ = write!(out, r#""v{n}":{n}"#));
        let routes = fill(size / 2, |out, n| _ = write!(out, r#"{{"name":"{n}","flag":"f","odd":1}}"#));
        format!(r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{{variants}}}}}}},"routes":[{routes}]}}"#)
    }),
];

/// Items with commas between them, of so many bytes together.
fn fill(size: usize, item: impl Fn(&mut String, usize)) -> String {
    let mut out = String::with_capacity(size + 100);
    let mut count = 0;
    while out.len() < size || count == 0 {
        if count > 0 {
            out.push(',');
        }
        item(&mut out, count);
        count += 1;
    }
    out
}

/// A flag with this rule.
fn rule(targeting: &str) -> String {
    format!(r#"{{"state":"ENABLED","variants":{{"on":"a","off":"b"}},"targeting":{targeting}}}"#)
}

/// The flags of a document that has one, without braces.
fn flags(flag: &str) -> String {
    format!(r#""flags":{{"f":{flag}}}"#)
}

/// Rules of as many parts as a rule may have, in as many flags as it takes.
fn rules(size: usize, part: &dyn Fn(&mut String, usize)) -> String {
    const PARTS: usize = 1_000;
    let mut number = 0;
    let mut out = "{\"flags\":{".to_owned();
    while out.len() < size || number == 0 {
        if number > 0 {
            out.push(',');
        }
        let mut parts = String::new();
        for _ in 0..PARTS {
            if !parts.is_empty() {
                parts.push(',');
            }
            part(&mut parts, number);
            number += 1;
            if out.len() + parts.len() > size {
                break;
            }
        }
        _ = write!(out, r#""flag-{number}":{}"#, rule(&format!(r#"{{"and":[{parts}]}}"#)));
    }
    out.push_str("}}");
    out
}

/// One flag, whose rule has a long list.
fn one_rule([before, after]: &[&str; 2], size: usize, item: &dyn Fn(&mut String, usize)) -> String {
    format!("{{{}}}", flags(&rule(&format!("{before}{}{after}", fill(size, item)))))
}

/// A flag with one variant, of this value.
fn value(value: &str) -> String {
    format!(r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{"v":{value}}}}}}}}}"#)
}

fn variants(size: usize, item: impl Fn(&mut String, usize)) -> String {
    let variants = fill(size, item);
    format!(r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{{variants}}},"defaultVariant":"none"}}}}}}"#)
}

/// Flags that all refer to a rule with a long list.
fn shared(size: usize, state: &str) -> String {
    let list = fill(size / 2, |out, n| _ = write!(out, "\"user-{n}\""));
    let flags = fill(size / 2, |out, n| {
        _ = write!(
            out,
            r#""f{n}":{{{state},"variants":{{"v":1}},"targeting":{{"if":[{{"$ref":"e"}},"v"]}}}}"#
        );
    });
    format!(r#"{{"$evaluators":{{"e":{{"in":[{{"var":"a"}},[{list}]]}}}},"flags":{{{flags}}}}}"#)
}

fn routes(size: usize, route: impl Fn(&mut String, usize)) -> String {
    let flag = r#"{"state":"ENABLED","variants":{"a":"blue","b":"green"}}"#;
    format!(r#"{{"flags":{{"f":{flag}}},"routes":[{}]}}"#, fill(size, route))
}
