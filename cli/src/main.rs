//! `turquoise`: documents on the command line.
//!
//! One module for each subcommand, each with its arguments and a `run`. The rules are `turquoise-core`'s: this crate
//! reads files and arguments, has a clock, prints, and serves; it parses and compiles nothing of a document itself.

mod decide;
mod document;
mod eval;
mod explain;
mod failure;
mod input;
mod key;
mod keygen;
mod report;
mod schema;
mod serve;
mod sign;
mod time;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Blue/Green routing and feature flags: check a document, ask it, sign it, serve it
#[derive(Debug, Parser)]
#[command(name = "turquoise", version, after_help = EXIT_CODES, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  it worked, and the answer is good
  1  the answer is an error, or a file cannot be used
  2  the command line itself is wrong";

#[derive(Debug, Subcommand)]
enum Command {
    Validate(validate::Arguments),
    Eval(eval::Arguments),
    Decide(decide::Arguments),
    Explain(explain::Arguments),
    Keygen(keygen::Arguments),
    Sign(sign::Arguments),
    Serve(serve::Arguments),
    Schema(schema::Arguments),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Decide(arguments) => decide::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Schema(schema::Arguments {}) => schema::run(),
        Command::Keygen(arguments) => keygen::run(&arguments),
        Command::Sign(arguments) => sign::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
    };
    result.unwrap_or_else(Failure::report)
}
