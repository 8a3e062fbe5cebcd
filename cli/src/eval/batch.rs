//! `turquoise eval --batch`: one question on each line, one answer on each line, in order, as they come.

use std::io::{self, BufRead, BufReader, BufWriter, Write as _};

use serde_json::{Value, json};
use turquoise_core::{Context, Scratch, Snapshot, Timestamp, ofrep};

use crate::failure::Failure;
use crate::time;

/// Bytes of a pipe that are read and written at once.
const BUFFER: usize = 64 << 10;

/// Answers every line of stdin. `now` holds for lines without a time of their own; the clock, where it is none.
pub(super) fn run(snapshot: &Snapshot, now: Option<Timestamp>) -> Result<(), Failure> {
    let mut input = BufReader::with_capacity(BUFFER, io::stdin().lock());
    let mut output = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let mut scratch = Scratch::default();
    let (mut line, mut answer) = (Vec::new(), String::new());
    for number in 1u64.. {
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        if read.map_err(|error| Failure::Work(format!("cannot read line {number} of stdin: {error}")))? == 0 {
            break;
        }
        answer.clear();
        match Question::parse(line.trim_ascii_end()) {
            Ok(question) => {
                let now = question.now.or(now).unwrap_or_else(time::now);
                let evaluation = snapshot.evaluate(&question.flag, &question.context, now, &mut scratch);
                ofrep::write_evaluation(&mut answer, snapshot, &question.flag, &evaluation);
            }
            Err(mistake) => mistake.write(&mut answer, number),
        }
        answer.push('\n');
        output.write_all(answer.as_bytes()).map_err(|error| Failure::output(&error))?;
        // Whoever asks one question at a time waits for its answer; where the next one is here already, writing can wait.
        if !input.buffer().contains(&b'\n') {
            output.flush().map_err(|error| Failure::output(&error))?;
        }
    }
    output.flush().map_err(|error| Failure::output(&error))
}

/// What one line asks.
struct Question {
    flag: String,
    context: Context,
    now: Option<Timestamp>,
}

/// Why a line is no question.
struct Mistake {
    code: &'static str,
    /// The flag that was asked for, if that much is clear.
    flag: String,
    reason: String,
}

impl Question {
    fn parse(line: &[u8]) -> Result<Self, Mistake> {
        let mistake = |code, flag: &str, reason| Err(Mistake { code, flag: flag.to_owned(), reason });
        let mut members = match serde_json::from_slice(line) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return mistake("INVALID_CONTEXT", "", format!("not an object; {SHAPE}")),
            Err(_) if line.is_empty() => {
                return mistake("PARSE_ERROR", "", format!("empty; {SHAPE}"));
            }
            Err(error) => {
                let text = error.to_string();
                let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
                return mistake("PARSE_ERROR", "", format!("not JSON: {text} at column {}", error.column()));
            }
        };
        let flag = match members.remove("flag") {
            Some(Value::String(flag)) => flag,
            Some(other) => {
                return mistake("INVALID_CONTEXT", "", format!("`flag` is `{other}`, not a string; {SHAPE}"));
            }
            None => return mistake("INVALID_CONTEXT", "", format!("`flag` is missing; {SHAPE}")),
        };
        let context = match members.remove("context") {
            None | Some(Value::Null) => Context::default(),
            Some(context @ Value::Object(_)) => Context::new(context),
            Some(_) => {
                return mistake("INVALID_CONTEXT", &flag, format!("`context` is not an object; {SHAPE}"));
            }
        };
        let now = match members.remove("now") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => time::parse(&text).map(Some),
            Some(other) => match other.as_u64().and_then(time::from_number) {
                None => Err(format!("`{other}` is not a time: {}", time::FORMS)),
                time => Ok(time),
            },
        };
        match now {
            Ok(now) => Ok(Self { flag, context, now }),
            Err(reason) => mistake("INVALID_CONTEXT", &flag, format!("`now`: {reason}")),
        }
    }
}

/// What a line should be.
const SHAPE: &str = r#"write {"flag":"KEY","context":{}}"#;

impl Mistake {
    fn write(&self, out: &mut String, line: u64) {
        let details = format!("line {line}: {}", self.reason);
        out.push_str(
            &json!({ "key": self.flag, "errorCode": self.code, "errorDetails": details }).to_string(),
        );
    }
}
