//! `turquoise validate`: everything that is wrong with a document.

use std::io::{self, Write as _};
use std::process::ExitCode;

use turquoise_core::{CompileOptions, Problem, Settings, Snapshot, ofrep};

use crate::document::Source;
use crate::failure::Failure;
use crate::report::{self, Line};

/// Prints everything that is wrong with a document, with its place
///
/// One line for each problem: `FILE:LINE:COLUMN: error: PATH: message`, or `warning:`. A flag that does not compile is
/// an error here, although it fails alone and the rest of the document would serve, unless a route or a gate uses it. Where nothing is wrong, one line
/// says how many flags and routes there are.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The document; `-` reads stdin
    #[arg(value_name = "FILE")]
    document: String,

    /// A plugin configuration (a file of JSON): it is checked too, the document in it as well, and its `upstreams` are
    /// all that the documents may choose
    #[arg(long, value_name = "PLUGIN_JSON_FILE")]
    config: Option<String>,

    /// Also names what flagd would not understand: our own operators are errors then, and routes are mentioned once
    #[arg(long)]
    portable: bool,
}

const EXAMPLES: &str = "\
Exit code: 0 when there is nothing worse than a warning, 1 when there is an error.

Examples:
  turquoise validate document.json
  turquoise validate document.json --config plugin.json
  turquoise validate document.json --portable
  jq '.flags.new.state = \"ENABLED\"' document.json | turquoise validate -";

/// Checks the documents that the arguments name.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let source = Source::read(&arguments.document)?;
    let config = arguments.config.as_deref().map(Source::read).transpose()?;
    let mut out = Output::default();
    let settings = config.as_ref().and_then(|config| out.settings(config));
    let upstreams = settings.as_ref().and_then(|settings| settings.upstreams.as_deref());
    let options = CompileOptions { upstreams, ..CompileOptions::default() };
    if let (Some(config), Some(inlined)) = (&config, settings.as_ref().and_then(|s| s.document.as_ref())) {
        let name = format!("{} (the document in it)", config.name);
        out.document(&name, inlined.get().as_bytes(), options, settings.as_ref());
    }
    let size = out.document(&source.name, &source.bytes, options, settings.as_ref());
    if arguments.portable && size.is_some() {
        out.portability(&source);
    }
    if let (Some(size), 0) = (size, out.errors) {
        out.say(&format!("{}: {size}", source.name));
    }
    out.finish()
}

/// What was printed so far.
#[derive(Default)]
struct Output {
    text: String,
    errors: usize,
}

impl Output {
    fn say(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Reads a plugin configuration; what is wrong with it is an error.
    fn settings(&mut self, config: &Source) -> Option<Settings> {
        match Settings::parse(&config.bytes) {
            Ok(settings) => Some(settings),
            Err(error) => {
                self.errors += 1;
                self.say(&report::settings_error(&config.name, &error));
                None
            }
        }
    }

    /// Compiles a document and lists its problems; how large it is, if it compiles.
    fn document(
        &mut self,
        name: &str,
        bytes: &[u8],
        options: CompileOptions<'_>,
        settings: Option<&Settings>,
    ) -> Option<String> {
        match Snapshot::compile_with(bytes, options) {
            Ok(snapshot) => {
                self.problems(name, snapshot.problems());
                self.problems(name, &ofrep::size_warnings(&snapshot, settings));
                Some(report::size(&snapshot))
            }
            Err(error) => {
                self.problems(name, &error.problems);
                None
            }
        }
    }

    /// Lists what flagd would not understand of a document that compiles.
    fn portability(&mut self, source: &Source) {
        for problem in turquoise_core::portability(&source.bytes).unwrap_or_default() {
            self.errors += usize::from(report::is_error(&problem));
            self.say(&report::portability(&source.name, &problem));
        }
    }

    fn problems(&mut self, file: &str, problems: &[Problem]) {
        let refused = report::is_refused(problems);
        for problem in problems {
            self.say(&Line { file, problem, refused }.to_string());
        }
        self.errors += problems.iter().filter(|problem| report::is_error(problem)).count();
    }

    /// The report is what was asked for, so it goes to stdout.
    fn finish(&self) -> Result<ExitCode, Failure> {
        io::stdout().lock().write_all(self.text.as_bytes()).map_err(|error| Failure::output(&error))?;
        Ok(ExitCode::from(u8::from(self.errors > 0)))
    }
}
