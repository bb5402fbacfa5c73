//! `depot-bot run`: the bot itself, until SIGTERM or SIGINT.

use std::process::ExitCode;

use crate::app;
use crate::cli::environment;
use crate::clock::Clock;
use crate::config::Config;
use crate::{shutdown, telemetry};

/// Runs until it is told to stop; exits 0 if everything was flushed.
///
/// # Errors
/// A wrong configuration, or a start that cannot succeed without an operator.
pub async fn run() -> anyhow::Result<ExitCode> {
    let config = Config::read(&environment()?)?;
    refuse_demo_token(&config)?;
    let _log = telemetry::start(&config.logs, &config.secrets())?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let stop = shutdown::signal()?;
    let running = app::start(config, Clock::system()).await?;
    stop.await;
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The demo's token is printed in the documentation: a bot that ran under it would belong to everybody.
fn refuse_demo_token(config: &Config) -> anyhow::Result<()> {
    #[cfg(feature = "demo")]
    {
        use secrecy::ExposeSecret as _;
        if config.telegram.token.expose_secret() == crate::simulator::DEMO_TOKEN {
            anyhow::bail!(
                "this is the token of the demo; put the token that @BotFather gave you into TELEGRAM_BOT_TOKEN"
            );
        }
    }
    let _ = config;
    Ok(())
}
