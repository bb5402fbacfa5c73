//! The subcommands. Answers go to standard output, the log to standard error.

pub mod check;
#[cfg(feature = "demo")]
pub mod demo;
pub mod deposits;
pub mod healthcheck;
pub mod invite;
pub mod lexicon;
pub mod migrate;
pub mod run;
pub mod sessions;
pub mod understand;
pub mod webhook;

use std::future::Future;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::app::Tables;
use crate::clock::Clock;
use crate::config::{Config, Layers, Mistakes};
use crate::database::Database;

/// The exit code of a wrong configuration.
const MISCONFIGURED: u8 = 2;

/// Runs a subcommand to its end and turns an error into a message and an exit code.
///
/// 0: done. 1: failed. 2: the configuration has mistakes; all of them were printed.
pub fn in_runtime(work: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    // One TLS implementation for Telegram, Redis and PostgreSQL; a second installation is harmless.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("depot-bot").build();
    let outcome = runtime.context("the runtime cannot be started").and_then(|runtime| {
        let outcome = runtime.block_on(work);
        // A blocking thread that hangs (a name lookup) must not hold up the end.
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        outcome
    });
    outcome.unwrap_or_else(|error| report(&error))
}

#[expect(clippy::print_stderr, reason = "the last word of a subcommand goes to the terminal")]
fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(mistakes) = error.downcast_ref::<Mistakes>() {
        eprintln!("{mistakes}");
        return ExitCode::from(MISCONFIGURED);
    }
    eprintln!("depot-bot: {error:#}");
    ExitCode::FAILURE
}

/// The variables of the process, and of `.env` in the working directory where the process does not set them.
fn layers() -> anyhow::Result<Layers> {
    Ok(Layers::load(Path::new(".env"))?)
}

/// The tables of the configured bot, with their schema up to date.
async fn tables(config: &Config) -> anyhow::Result<Tables> {
    let database = Database::connect(&config.database.url).await?;
    database.migrate().await?;
    Ok(Tables::new(&database, config.telegram.bot, &Clock::system()))
}

/// Writes an answer to standard output.
#[expect(clippy::print_stdout, reason = "standard output is where a subcommand answers")]
fn answer(line: &str) {
    println!("{line}");
}
