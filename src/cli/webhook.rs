//! `depot-bot webhook`: look at what Telegram was told, or take it back.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::cli::{answer, environment};
use crate::config::Config;
use crate::telegram::client::{Client, WebhookState};

/// What to do with the webhook.
#[derive(Clone, Copy, Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum What {
    /// Say where Telegram delivers updates, and how that goes.
    Show,
    /// Remove the webhook, so that the bot can poll; updates that wait are kept.
    Delete,
}

/// Looks at the webhook or removes it; never drops updates that wait.
///
/// # Errors
/// The configuration's or Telegram's.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = Config::read(&environment()?)?;
    let client = Client::new(&config.telegram.api_url, &config.telegram.token)?;
    let state = client.get_webhook_info().await.context("Telegram does not tell its webhook")?;
    match arguments.what {
        What::Show => answer(&described(&state)),
        What::Delete if state.url.is_empty() => answer("There is no webhook; the bot can poll."),
        What::Delete => {
            client.delete_webhook().await.context("the webhook was not removed")?;
            answer(&format!("The webhook is removed; {} updates wait and are kept.", state.pending));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn described(state: &WebhookState) -> String {
    if state.url.is_empty() {
        return format!("There is no webhook; {} updates wait for somebody who polls.", state.pending);
    }
    let trouble = state.last_error.as_deref().map_or_else(String::new, |error| {
        let when = state.last_error_at.map_or_else(|| "unknown".to_owned(), |at| at.to_string());
        format!("; the last delivery that failed: {error} ({when})")
    });
    format!("Telegram delivers to {}; {} updates wait{trouble}", state.url, state.pending)
}
