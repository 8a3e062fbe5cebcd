//! `turquoise decide`: what the proxy would do with a request.

mod answer;
mod request;

use std::cell::Cell;
use std::io::{self, Write as _};
use std::process::ExitCode;

use turquoise_core::{
    Attribute, Attributes, Bindings, CompileOptions, RequestContext, Scratch, Settings, Snapshot,
    TargetingKey, Timestamp, Value, ofrep,
};

use crate::document::Source;
use crate::failure::Failure;
use crate::{input, time};
use answer::{Anonymous, Answer};
pub(crate) use request::GivenRequest;

/// The id of a new client. The filter draws one at random; here the same question gets the same answer.
pub(crate) const NEW_CLIENT: &str = "00000000000000000000000000000000";

/// Decides a request as the filter in the proxy would, and prints the decision as JSON
///
/// The request is {"method", "host", "path", "headers", "properties"}: the path with its query, the headers as an
/// object of strings (arrays of strings, where a header comes several times), the properties as an object of strings
/// such as {"source.address": "10.0.0.1:4711"}. All may be left out. As in the proxy, headers that only the filter may
/// set are removed first.
///
/// The decision always has `route`, `flag`, `variant`, `reason`, `upstream` (null: the proxy's own default route),
/// `targetingKey` and `headers` (those that the filter adds for the upstream), null where nothing was decided. `gate`
/// stands where the route has one, `status` where the gate is closed and answers. A client without a targeting key is
/// new: the filter would give it a random id and keep that in a cookie. Then `anonymous` names the cookie, the targeting
/// key is an id of zeros, and `anonymous.decides` says whether another id could mean another decision; send the cookie
/// to ask for a certain id.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The document; `-` reads stdin
    #[arg(long, value_name = "FILE")]
    document: String,

    /// The plugin configuration: a JSON object, or a file (`PATH` or `@PATH`). By default, an empty one
    #[arg(long, value_name = "PLUGIN_JSON")]
    config: Option<String>,

    /// The request: a JSON object, or `@FILE` (`@-`: stdin)
    #[arg(long, value_name = "JSON")]
    request: String,

    /// The time to decide at: RFC 3339, or a whole number of unix seconds (below 100000000000) or milliseconds (from
    /// there on). By default, the clock's
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    now: Option<Timestamp>,
}

const EXAMPLES: &str = "\
Exit code: 1 when a flag is in error (the decision has an errorCode) or the document is refused, else 0, also where no
route matches or a gate is closed.

Examples:
  turquoise decide --document document.json --request '{\"host\":\"shop.example.com\",\"path\":\"/checkout\"}'
  turquoise decide --document document.json --config plugin.json --request @request.json | jq -r .upstream
  turquoise decide --document document.json --request '{\"path\":\"/\",\"headers\":{\"cookie\":\"tq_id=...\"}}'";

/// Decides the request that the arguments describe.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    input::one_stdin(&arguments.document, &[arguments.config.as_deref(), Some(&arguments.request)])?;
    let mut request = GivenRequest::parse(&arguments.request)?;
    let settings = input::settings(arguments.config.as_deref())?;
    let options = CompileOptions { upstreams: settings.upstreams.as_deref(), ..CompileOptions::default() };
    let snapshot = Source::read(&arguments.document)?.compile(options)?;
    request.strip(&settings);
    let now = arguments.now.unwrap_or_else(time::now);
    let answer = decide(&snapshot, &settings, &request, now);
    let json = serde_json::to_string(&answer)
        .map_err(|error| Failure::Work(format!("cannot write the decision: {error}")))?;
    writeln!(io::stdout().lock(), "{json}").map_err(|error| Failure::output(&error))?;
    Ok(ExitCode::from(u8::from(answer.is_error())))
}

fn decide<'a>(
    snapshot: &'a Snapshot,
    settings: &'a Settings,
    request: &'a GivenRequest,
    now: Timestamp,
) -> Answer<'a> {
    let mut scratch = Scratch::default();
    let bindings = Bindings::new(snapshot, &settings.context);
    let (key, cookie) = match settings.context.targeting_key(request) {
        TargetingKey::Known(key) => (Some(key), None),
        TargetingKey::Anonymous(cookie) => (Some(NEW_CLIENT), Some(cookie)),
        TargetingKey::Absent => (None, None),
    };
    let context = RequestContext::new(request, &bindings, &settings.context, key);
    let attributes = Observed { attributes: &context, key_was_read: Cell::new(false) };
    let decision = snapshot.decide(request, &attributes, now, &mut scratch);
    let mut answer = Answer::of(snapshot, &decision);
    if decision.closed.is_none() {
        let mut set = |name: &str, value: &str| answer.headers.insert(name.to_owned(), value.into());
        if let Some(upstream) = decision.upstream(snapshot) {
            set(&settings.upstream_header, upstream);
        }
        if let Some(key) = key {
            set(Settings::TARGETING_KEY_HEADER, key);
        }
        if let Some(header) = &settings.flag_header {
            let flags = header.flags.iter().filter_map(|key| snapshot.flag(key));
            let mut json = String::new();
            ofrep::write_flag_header(&mut json, snapshot, flags, &attributes, now, &mut scratch);
            set(&header.name, &json);
        }
    }
    answer.targeting_key = key;
    answer.anonymous = cookie.map(|cookie| Anonymous { cookie, decides: attributes.key_was_read.get() });
    answer
}

/// Attributes that remember whether a rule asked for the targeting key.
struct Observed<'a, A> {
    attributes: &'a A,
    key_was_read: Cell<bool>,
}

impl<A: Attributes> Attributes for Observed<'_, A> {
    fn get<'a>(&'a self, attribute: Attribute<'_>) -> Value<'a> {
        if attribute.path == "targetingKey" {
            self.key_was_read.set(true);
        }
        self.attributes.get(attribute)
    }

    fn whole(&self) -> Value<'_> {
        self.key_was_read.set(true);
        self.attributes.whole()
    }
}
