//! `depot-bot demo`: the whole bot on one page, with no token and no network; or a conversation played in the terminal.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::cli::answer;
use crate::config::{self, Logs};
use crate::demo::{self, SHIPPED, Script};
use crate::{shutdown, telemetry};

/// How to try it.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Play this conversation in the terminal and exit: a file, or the name of a shipped one.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// List the shipped conversations.
    #[arg(long, conflicts_with = "script")]
    scripts: bool,
}

/// Serves the demo's page until it is told to stop; or plays a conversation, which fails where an expectation does.
///
/// # Errors
/// A setting that the demo cannot work with, an address that is taken, a bot that does not start, or a conversation
/// that does not go as it is written.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.scripts {
        for (name, text) in SHIPPED {
            answer(&format!("{name:<24} {}", Script::parse(text)?.title));
        }
        return Ok(ExitCode::SUCCESS);
    }
    // What is in `.env` is for the bot itself, not for the demo.
    let environment = config::environment(Path::new(""))?;
    let is_script = arguments.script.is_some();
    let mut logs = Logs::read(&environment)?;
    if !environment.contains_key("RUST_LOG") {
        // What is broken on purpose is no news in a transcript.
        if is_script { "error" } else { "warn" }.clone_into(&mut logs.filter);
    }
    let _log = telemetry::start(&logs, &[])?;
    match arguments.script {
        Some(script) => play(&script, &environment).await,
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

async fn play(script: &Path, environment: &HashMap<String, String>) -> anyhow::Result<ExitCode> {
    let shipped = SHIPPED.iter().find(|(name, _)| Path::new(name) == script);
    let text = match shipped {
        Some((_, text)) => (*text).to_owned(),
        None => std::fs::read_to_string(script).with_context(|| {
            format!("{} cannot be read, and no shipped script is called so (see --scripts)", script.display())
        })?,
    };
    let script = Script::parse(&text)?;
    demo::play(&script, environment, answer).await?;
    Ok(ExitCode::SUCCESS)
}
