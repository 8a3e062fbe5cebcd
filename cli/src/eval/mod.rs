//! `turquoise eval`: what a flag is for a context.

mod batch;

use std::io::{self, Write as _};
use std::process::ExitCode;

use turquoise_core::{CompileOptions, Scratch, Timestamp, ofrep};

use crate::document::Source;
use crate::failure::Failure;
use crate::{input, time};

/// Evaluates a flag, and prints OFREP's response object
///
/// With --batch, every line of stdin is a question, {"flag": KEY, "context": {...}, "now": TIME}, of which `context`
/// and `now` may be left out and other members are ignored. Each is answered by one line, in order and as it comes.
/// A line that is no question is answered by an error object that says which line it was and why.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The document; `-` reads stdin
    #[arg(long, value_name = "FILE")]
    document: String,

    /// The key of the flag
    #[arg(long, value_name = "KEY", required_unless_present = "batch", conflicts_with = "batch")]
    flag: Option<String>,

    /// The evaluation context: a JSON object, or `@FILE` (`@-`: stdin)
    #[arg(long, value_name = "JSON", conflicts_with = "batch")]
    context: Option<String>,

    /// The time to evaluate at: RFC 3339, or a whole number of unix seconds (below 100000000000) or milliseconds (from
    /// there on). By default, the clock's; in a batch it holds for lines without `now`
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    now: Option<Timestamp>,

    /// Reads questions from stdin, one JSON object a line
    #[arg(long)]
    batch: bool,
}

const EXAMPLES: &str = "\
Exit code: 1 when the answer has an errorCode (an unknown flag is FLAG_NOT_FOUND) or the document is refused, else 0.
With --batch, 0 whatever the answers are.

Examples:
  turquoise eval --document document.json --flag new-summary
  turquoise eval --document document.json --flag checkout-release --context '{\"targetingKey\":\"ada\"}'
  turquoise eval --document document.json --flag checkout-release --context @ada.json --now 2026-11-20T08:00:00Z
  echo '{\"flag\":\"new-summary\",\"context\":{\"email\":\"ada@example.com\"}}' |
    turquoise eval --document document.json --batch";

/// Answers the question that the arguments ask, or those on stdin.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let batch = arguments.batch.then_some("@-");
    input::one_stdin(&arguments.document, &[arguments.context.as_deref(), batch])?;
    let snapshot = Source::read(&arguments.document)?.compile(CompileOptions::default())?;
    let Some(flag) = &arguments.flag else {
        batch::run(&snapshot, arguments.now)?;
        return Ok(ExitCode::SUCCESS);
    };
    let context = input::context(arguments.context.as_deref())?;
    let now = arguments.now.unwrap_or_else(time::now);
    let evaluation = snapshot.evaluate(flag, &context, now, &mut Scratch::default());
    let mut answer = String::new();
    ofrep::write_evaluation(&mut answer, &snapshot, flag, &evaluation);
    answer.push('\n');
    io::stdout().lock().write_all(answer.as_bytes()).map_err(|error| Failure::output(&error))?;
    Ok(ExitCode::from(u8::from(evaluation.error.is_some())))
}
