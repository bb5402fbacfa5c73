//! The command line: one subcommand for each thing an operator does; `run` is the default.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use depot_bot::cli;

/// A Telegram bot that records the deposits of a reuse centre: one card, two taps, nothing lost.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the bot (the default).
    Run,
    /// Check each setting against the real thing, and say what to do.
    Check,
    /// Ask the running bot whether it is ready: for images without a shell.
    Healthcheck,
    /// Bring the database to this release's schema, and stop.
    Migrate,
    /// Print a link that lets one person in, once, within 15 minutes.
    Invite(cli::invite::Arguments),
    /// Look at Telegram's webhook, or remove it to go back to polling.
    #[command(subcommand)]
    Webhook(cli::webhook::Action),
    /// Look at sessions and dead letters, beside a running bot.
    #[command(subcommand)]
    Sessions(cli::sessions::Action),
    /// Write the recorded deposits to standard output.
    Deposits(cli::deposits::Arguments),
    /// Read notes (JSON Lines) and write what the bot would understand; or score it on labelled ones.
    Understand(cli::understand::Arguments),
    /// Look at what the site has taught the bot, or take it back.
    #[command(subcommand)]
    Lexicon(cli::lexicon::Action),
    /// Try the bot without a token and without a network.
    #[cfg(feature = "demo")]
    Demo(cli::demo::Arguments),
}

fn main() -> ExitCode {
    let command = Arguments::parse().command.unwrap_or(Command::Run);
    cli::in_runtime(async {
        match command {
            Command::Run => cli::run::run().await,
            Command::Check => Box::pin(cli::check::run()).await,
            Command::Healthcheck => cli::healthcheck::run().await,
            Command::Migrate => cli::migrate::run().await,
            Command::Invite(arguments) => cli::invite::run(arguments).await,
            Command::Webhook(action) => cli::webhook::run(action).await,
            Command::Sessions(action) => cli::sessions::run(action).await,
            Command::Deposits(arguments) => cli::deposits::run(arguments).await,
            Command::Understand(arguments) => cli::understand::run(arguments).await,
            Command::Lexicon(action) => cli::lexicon::run(action).await,
            #[cfg(feature = "demo")]
            Command::Demo(arguments) => Box::pin(cli::demo::run(arguments)).await,
        }
    })
}
