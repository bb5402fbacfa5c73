//! `depot-bot run`: the bot itself, until SIGTERM or SIGINT.

use std::pin::pin;
use std::process::ExitCode;

use crate::app;
use crate::cli::layers;
use crate::config::Config;
use crate::{failpoint, shutdown, telemetry};

/// Runs until a signal stops it, also while it starts; exits 0 if everything was flushed.
///
/// # Errors
/// A wrong configuration, or a start that cannot succeed without an operator.
pub async fn run() -> anyhow::Result<ExitCode> {
    let config = Config::read(&layers()?)?.without_demo()?;
    let _log = telemetry::start(&config.logs, &config.secrets())?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let mut stop = pin!(shutdown::signal()?);
    let running = tokio::select! {
        biased;
        _signal = &mut stop => {
            tracing::info!("the bot is stopped before it was started: nothing had begun");
            return Ok(ExitCode::SUCCESS);
        }
        running = app::start(config, failpoint::clock(), None) => running?,
    };
    stop.await;
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}
