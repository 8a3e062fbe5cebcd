//! `turquoise explain`: an evaluation or a decision, with every step that led there.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;
use turquoise_core::{CompileOptions, Timestamp};

use crate::decide::{GivenRequest, NEW_CLIENT};
use crate::document::Source;
use crate::failure::Failure;
use crate::{input, time};

/// Shows why a flag has its value, or why a request goes where it goes
///
/// With --flag, the question is that of `turquoise eval`: the path taken through the rule, the attributes that were
/// read with their values, the branch of each `if`, and for what places keys the key, its hash, its place and the shares.
/// With --request, it is that of `turquoise decide`: the targeting key and where it came from, the routes that were
/// passed by and why, the one that matches and why, its gate and its flag.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The document; `-` reads stdin
    #[arg(long, value_name = "FILE")]
    document: String,

    /// The key of the flag
    #[arg(long, value_name = "KEY", required_unless_present = "request", conflicts_with = "request")]
    flag: Option<String>,

    /// The evaluation context: a JSON object, or `@FILE` (`@-`: stdin)
    #[arg(long, value_name = "JSON", conflicts_with = "request")]
    context: Option<String>,

    /// The request: a JSON object, or `@FILE` (`@-`: stdin)
    #[arg(long, value_name = "JSON")]
    request: Option<String>,

    /// The plugin configuration: a JSON object, or a file (`PATH` or `@PATH`). By default, an empty one
    #[arg(long, value_name = "PLUGIN_JSON", conflicts_with = "flag")]
    config: Option<String>,

    /// The time to evaluate at: RFC 3339, or a whole number of unix seconds (below 100000000000) or milliseconds (from
    /// there on). By default, the clock's
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    now: Option<Timestamp>,

    /// Prints JSON instead of text
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Exit code: 1 when a flag that was evaluated is in error or the document is refused, else 0.

Examples:
  turquoise explain --document document.json --flag checkout-release --context '{\"targetingKey\":\"ada\"}'
  turquoise explain --document document.json --request '{\"host\":\"shop.example.com\",\"path\":\"/checkout\"}'
  turquoise explain --document document.json --flag new-summary --json | jq .rule";

/// Explains what the arguments ask.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Arguments { document, flag, context, request, config, now, json } = arguments;
    let readers = [context.as_deref(), config.as_deref(), request.as_deref()];
    input::one_stdin(document, &readers)?;
    let now = now.unwrap_or_else(time::now);
    if let Some(request) = request {
        let mut request = GivenRequest::parse(request)?;
        let settings = input::settings(config.as_deref())?;
        let options =
            CompileOptions { upstreams: settings.upstreams.as_deref(), ..CompileOptions::default() };
        let snapshot = Source::read(document)?.compile(options)?;
        request.strip(&settings);
        let explanation = snapshot.explain_request(&request, &settings.context, NEW_CLIENT, now);
        let flags = [explanation.gate.as_ref().map(|gate| &gate.flag), explanation.flag.as_ref()];
        let failed = flags.into_iter().flatten().any(|flag| flag.error_code.is_some());
        return print(&explanation, *json, failed);
    }
    let snapshot = Source::read(document)?.compile(CompileOptions::default())?;
    let context = input::context(context.as_deref())?;
    let explanation = snapshot.explain(flag.as_deref().unwrap_or_default(), &context, now);
    print(&explanation, *json, explanation.error_code.is_some())
}

fn print(explanation: &(impl Display + Serialize), json: bool, failed: bool) -> Result<ExitCode, Failure> {
    let text = match json {
        true => serde_json::to_string(explanation)
            .map(|json| format!("{json}\n"))
            .map_err(|error| Failure::Work(format!("cannot write the explanation: {error}")))?,
        false => explanation.to_string(),
    };
    io::stdout().lock().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))?;
    Ok(ExitCode::from(u8::from(failed)))
}
