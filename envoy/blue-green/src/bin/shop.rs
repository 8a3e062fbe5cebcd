//! `shop --version v1 --colour blue --listen 127.0.0.1:8081`: one version of the application.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use blue_green::shop::{self, Shop};
use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// One version of a small web application.
#[derive(Debug, Parser)]
#[command(disable_version_flag = true)]
struct Arguments {
    /// The version that it says it is
    #[arg(long, value_parser = word)]
    version: String,
    /// The colour of its page, as CSS names it
    #[arg(long, value_parser = word)]
    colour: String,
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Arguments { version, colour, listen } = Arguments::parse();
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    println!("shop {version} ({colour}) listens on http://{}", listener.local_addr()?);
    let shutdown = async move {
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
    };
    shop::serve(listener, Shop { version, colour }, shutdown).await
}

/// Both arguments end up in HTML and CSS.
fn word(argument: &str) -> Result<String, String> {
    let fits = !argument.is_empty()
        && argument.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-".contains(letter));
    if fits { Ok(argument.to_owned()) } else { Err("letters, digits, `.` and `-` only".to_owned()) }
}
