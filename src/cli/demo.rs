//! `depot-bot demo`: the whole bot on one page, with no token and no network; or a scenario run in the terminal.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::cli::answer;
use crate::config::{self, Layers, LogSettings};
use crate::demo::{self, SHIPPED, Scenario};
use crate::{shutdown, telemetry};

/// How to try it.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Run this scenario in the terminal and exit: a file, or the name of a shipped one.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// List the shipped scenarios.
    #[arg(long, conflicts_with = "script")]
    scripts: bool,
}

/// Serves the demo's page until a signal stops it; or runs a scenario, which fails where an expectation does.
///
/// # Errors
/// A setting that the demo cannot work with, an address that is taken, a bot that does not start, or a scenario
/// that does not go as it is written.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.scripts {
        for (name, text) in SHIPPED {
            answer(&format!("{name:<24} {}", Scenario::parse(text)?.title));
        }
        return Ok(ExitCode::SUCCESS);
    }
    // The settings in `.env` are for the bot itself, not for the demo.
    let environment = config::environment();
    let is_scenario = arguments.script.is_some();
    let mut logs = LogSettings::read(&Layers::from(environment.clone()))?;
    if !environment.contains_key("RUST_LOG") {
        // A fault made on purpose is no news in a transcript.
        if is_scenario { "error" } else { "warn" }.clone_into(&mut logs.filter);
    }
    let _log = telemetry::start(&logs, &[])?;
    match arguments.script {
        Some(scenario) => run_scenario(&scenario, &environment).await,
        None => serve(&environment).await,
    }
}

async fn serve(environment: &HashMap<String, String>) -> anyhow::Result<ExitCode> {
    let mut stop = pin!(shutdown::signal()?);
    let running = tokio::select! {
        biased;
        _signal = &mut stop => return Ok(ExitCode::SUCCESS),
        running = demo::start(environment) => running?,
    };
    answer(&format!("http://{}/", running.address));
    stop.await;
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}

async fn run_scenario(name: &Path, environment: &HashMap<String, String>) -> anyhow::Result<ExitCode> {
    let shipped = SHIPPED.iter().find(|(shipped, _)| Path::new(shipped) == name);
    let text = match shipped {
        Some((_, text)) => (*text).to_owned(),
        None => std::fs::read_to_string(name).with_context(|| {
            format!("{} cannot be read, and no shipped scenario is called so (see --scripts)", name.display())
        })?,
    };
    let scenario = Scenario::parse(&text)?;
    demo::run(&scenario, environment, answer).await?;
    Ok(ExitCode::SUCCESS)
}
