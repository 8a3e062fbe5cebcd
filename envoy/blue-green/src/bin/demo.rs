//! `demo` plays the whole story; `demo up` starts the same and leaves it running.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use blue_green::paint::Paint;
use blue_green::report::Report;
use blue_green::{story, up};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// Plays Blue/Green and feature flags in a real Envoy, under load; exits with 1 if anything is not as it should be.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Command {
    /// Starts the same and leaves it running until Ctrl-C
    Up,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let work = async {
        let report = Report { paint: Paint::for_stdout() };
        let program = shop()?;
        match command {
            None => Ok(story::play(report, &program).await?.is_empty()),
            Some(Command::Up) => up::run(report, &program).await.map(|()| true),
        }
    };
    // Dropped on a signal as well: with it goes everything that it has started.
    let outcome: Result<bool> = tokio::select! {
        outcome = work => outcome,
        code = interrupted() => {
            println!();
            return ExitCode::from(if command.is_some() { 0 } else { code });
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The application is built beside this program.
fn shop() -> Result<PathBuf> {
    let here = std::env::current_exe().context("cannot tell where this program is")?;
    Ok(here.with_file_name("shop"))
}

/// Returns the shell's exit code for the signal that came.
async fn interrupted() -> u8 {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! { _ = interrupt.recv() => 130, _ = terminate.recv() => 143 }
}
