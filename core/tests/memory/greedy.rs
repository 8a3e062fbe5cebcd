//! Documents that take as much memory for each of their bytes as one construct of the format can be made to take.

use std::fmt::Write as _;
use std::ops::Range;

/// Documents of about so many bytes, each with the name of the construct that it is made of.
pub(crate) fn documents(bytes: usize) -> Vec<(&'static str, String)> {
    let half = bytes / 2;
    let refers = |number| {
        format!(r#""{number}":{{"state":"ENABLED","variants":{{"v":1}},"targeting":{{"$ref":"e"}}}}"#)
    };
    let disabled =
        |number| format!(r#""{number}":{{"state":"DISABLED","variants":{{}},"targeting":{{"$ref":"e"}}}}"#);
    let broken = |number| {
        format!(
            r#""{number}":{{"state":"ENABLED","variants":{{}},"targeting":{{"or":[{{"$ref":"e"}},{{"no":0}}]}}}}"#
        )
    };
    let members = |bytes: usize, member: &dyn Fn(usize) -> String| listed(bytes, member);
    let flags = |bytes: usize, rule: &dyn Fn(usize) -> String| {
        // A rule has at most 10,000 parts.
        let mut flags = Vec::new();
        let (mut next, mut left) = (0, bytes);
        while left > 0 {
            let (rule, end) = listed_from(next..next + 4_000, left, rule);
            left = left.saturating_sub(rule.len() + 60).min(if end == next { 0 } else { left });
            flags.push(format!(
                r#""{next}":{{"state":"ENABLED","variants":{{}},"targeting":{{"or":[{rule}]}}}}"#
            ));
            next = end;
        }
        of_flags(&flags.join(","))
    };
    let evaluator =
        |rule: String, flags: String| format!(r#"{{"$evaluators":{{"e":{rule}}},"flags":{{{flags}}}}}"#);
    let texts = |bytes: usize| {
        format!(r#"{{"in":[{{"var":"x"}},[{}]]}}"#, members(bytes, &|number| format!("\"{number:x}\"")))
    };
    let zeros =
        |bytes: usize| format!(r#"{{"in":[{{"var":"x"}},[{}]]}}"#, members(bytes, &|_| "0".to_owned()));
    let doubling = || {
        let rule = |level: usize| {
            format!(r#""e{level}":{{"and":[{{"$ref":"e{0}"}},{{"$ref":"e{0}"}}]}}"#, level + 1)
        };
        let levels: Vec<_> = (1..12).map(rule).collect();
        format!(r#"{{"and":[{{"$ref":"e1"}}]}},{},"e12":{{"fractional":[["v"]]}}"#, levels.join(","))
    };
    let route = |matched: String| {
        format!(
            r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{}}}}}},"routes":[{{"name":"a","gate":{{"flag":"f"}},"match":{{{matched}}}}}]}}"#
        )
    };
    vec![
        ("the flag set's metadata", {
            let flags = members(half, &|number| {
                format!(
                    r#""{number}":{{"state":"ENABLED","variants":{{"v":1}},"metadata":{{"a":{number}}}}}"#
                )
            });
            format!(r#"{{"metadata":{{"a":0,"text":"{}"}},"flags":{{{flags}}}}}"#, "x".repeat(half))
        }),
        (
            "flags",
            of_flags(&members(bytes, &|number| {
                format!(r#""{number}":{{"state":"ENABLED","variants":{{}}}}"#)
            })),
        ),
        ("variants", of_variants(&members(bytes, &|number| format!(r#""{number}":{number}"#)))),
        ("references to lists", evaluator(texts(half), members(half, &refers))),
        ("references to numbers", evaluator(zeros(half), members(half, &refers))),
        ("references of disabled flags", evaluator(texts(half), members(half, &disabled))),
        ("references of broken flags", evaluator(texts(half), members(half, &broken))),
        ("references that double", evaluator(doubling(), members(bytes, &refers))),
        ("numbers", of_rule(&zeros(bytes))),
        ("texts", of_rule(&texts(bytes))),
        ("arrays", of_variants(&format!(r#""v":[{}]"#, members(bytes, &|_| "[0]".to_owned())))),
        ("objects", of_variants(&format!(r#""v":[{}]"#, members(bytes, &|_| r#"{"":0}"#.to_owned())))),
        (
            "constant objects",
            of_rule(&format!(r#"{{"in":["x",[{}]]}}"#, members(bytes, &|_| r#"{}"#.to_owned()))),
        ),
        (
            "evaluators",
            format!(
                r#"{{"flags":{{}},"$evaluators":{{{}}}}}"#,
                members(bytes, &|number| format!(r#""{number}":{{"!":[[0]]}}"#))
            ),
        ),
        ("attributes", flags(bytes, &|number| format!(r#"{{"var":"{number:x}"}}"#))),
        ("patterns", flags(bytes, &|number| format!(r#"{{"matches":["",".{{0,300}}{number:x}"]}}"#))),
        (
            "patterns with groups",
            flags(bytes, &|number| {
                format!(r#"{{"matches":["","{}{}{number:x}"]}}"#, "(".repeat(40), ")".repeat(40))
            }),
        ),
        (
            "networks",
            of_rule(&format!(
                r#"{{"or":[{}]}}"#,
                members(bytes, &|_| format!(
                    r#"{{"cidr":["",[{}]]}}"#,
                    members(80, &|_| "\"::/0\"".to_owned())
                ))
            )),
        ),
        ("buckets", flags(bytes, &|_| r#"{"fractional":[["v"],["v"],["v"]]}"#.to_owned())),
        ("splits", flags(bytes, &|_| r#"{"split":[["v",1]]}"#.to_owned())),
        ("ramps", flags(bytes, &|_| r#"{"ramp":{"schedule":[[1,0],[2,0]]}}"#.to_owned())),
        ("versions", flags(bytes, &|_| r#"{"sem_ver":[0,"=","1"]}"#.to_owned())),
        ("prerequisites", flags(bytes, &|_| r#"{"flag":"none"}"#.to_owned())),
        ("hosts", route(format!(r#""hosts":[{}]"#, members(bytes, &|number| format!("\"{number:x}.\""))))),
        (
            "headers",
            route(format!(
                r#""headers":{{{}}}"#,
                members(bytes, &|number| format!(r#""{number:x}":{{"present":true}}"#))
            )),
        ),
        ("routes", {
            let routes =
                members(bytes, &|number| format!(r#"{{"name":"{number:x}","gate":{{"flag":"f"}}}}"#));
            format!(r#"{{"flags":{{"f":{{"state":"ENABLED","variants":{{}}}}}},"routes":[{routes}]}}"#)
        }),
        ("sections", format!(r#"{{"flags":{{}},{}}}"#, members(bytes, &|_| "\"\":0".to_owned()))),
    ]
}

fn of_flags(flags: &str) -> String {
    format!(r#"{{"flags":{{{flags}}}}}"#)
}

fn of_variants(variants: &str) -> String {
    of_flags(&format!(r#""f":{{"state":"ENABLED","variants":{{{variants}}}}}"#))
}

fn of_rule(rule: &str) -> String {
    of_flags(&format!(r#""f":{{"state":"ENABLED","variants":{{}},"targeting":{rule}}}"#))
}

/// Members until they have so many bytes, with commas between.
fn listed(bytes: usize, member: &dyn Fn(usize) -> String) -> String {
    listed_from(0..usize::MAX, bytes, member).0
}

/// As [`listed`], with numbers in this range; and the first that was not taken.
fn listed_from(numbers: Range<usize>, bytes: usize, member: &dyn Fn(usize) -> String) -> (String, usize) {
    let (mut out, mut end) = (String::new(), numbers.start);
    for number in numbers {
        let comma = if out.is_empty() { "" } else { "," };
        let member = member(number);
        if !out.is_empty() && out.len() + member.len() >= bytes {
            break;
        }
        // Writing to a string cannot fail.
        let _ = write!(out, "{comma}{member}");
        end = number + 1;
    }
    (out, end)
}
