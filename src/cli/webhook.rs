//! `depot-bot webhook`: shows the webhook at Telegram, or removes it.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use crate::cli::{answer, layers};
use crate::config::Config;
use crate::telegram::client::{Client, WebhookState};

/// The action on the webhook.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Action {
    /// Show where Telegram delivers updates, and its last error.
    Show,
    /// Remove the webhook, so that the bot can poll; updates that wait are kept.
    Delete,
}

/// Shows the webhook or removes it; never drops pending updates.
///
/// # Errors
/// The configuration's or Telegram's.
pub async fn run(action: Action) -> anyhow::Result<ExitCode> {
    let config = Config::read(&layers()?)?;
    let client = Client::new(&config.telegram.api_url, &config.telegram.token)?;
    let state = client.get_webhook_info().await.context("Telegram does not return its webhook")?;
    match action {
        Action::Show => answer(&described(&state)),
        Action::Delete if state.url.is_empty() => answer("There is no webhook; the bot can poll."),
        Action::Delete => {
            client.delete_webhook().await.context("the webhook was not removed")?;
            answer(&format!("The webhook is removed; {} updates wait and are kept.", state.pending));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn described(state: &WebhookState) -> String {
    if state.url.is_empty() {
        return format!("There is no webhook; {} updates wait for a poller.", state.pending);
    }
    let trouble = state.last_error.as_deref().map_or_else(String::new, |error| {
        let when = state.last_error_at.map_or_else(|| "unknown".to_owned(), |at| at.to_string());
        format!("; the last failed delivery: {error} ({when})")
    });
    format!("Telegram delivers to {}; {} updates wait{trouble}", state.url, state.pending)
}
