//! `depot-bot demo`: the whole bot on one page, with no token and no network.

use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;

use clap::Args;

use crate::cli::answer;
use crate::config::{self, Logs};
use crate::{demo, shutdown, telemetry};

/// How to try it.
#[derive(Clone, Debug, Args)]
pub struct Arguments {}

/// Starts the demo and serves its page until it is told to stop.
///
/// # Errors
/// A setting that the demo cannot work with, an address that is taken, or a bot that does not start.
pub async fn run(_arguments: Arguments) -> anyhow::Result<ExitCode> {
    // What is in `.env` is for the bot itself.
    let environment = config::environment(Path::new(""))?;
    let mut logs = Logs::read(&environment)?;
    if !environment.contains_key("RUST_LOG") {
        logs.filter = "warn".to_owned();
    }
    let _log = telemetry::start(&logs, &[])?;
    let mut stop = pin!(shutdown::signal()?);
    let running = tokio::select! {
        biased;
        _signal = &mut stop => return Ok(ExitCode::SUCCESS),
        running = demo::start(&environment) => running?,
    };
    answer(&format!("http://{}/", running.address));
    stop.await;
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}
