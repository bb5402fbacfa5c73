//! `depot-bot invite`: lets the first admin in, or anybody else, without an id to be typed.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use secrecy::ExposeSecret as _;

use crate::cli::{answer, layers, tables};
use crate::config::Config;
use crate::ledger::Role;
use crate::telegram::client::Client;

/// Whom the link lets in.
#[derive(Clone, Copy, Debug, Args)]
pub struct Arguments {
    /// The link makes an admin, who decides about other people; otherwise a volunteer.
    #[arg(long)]
    admin: bool,
}

/// Prints a link that lets one person in, once, within 15 minutes; only its hash is stored.
///
/// # Errors
/// The configuration's, the database's, or a Telegram that does not know the bot.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = Config::read(&layers()?)?;
    let client = Client::new(&config.telegram.api_url, &config.telegram.token)?;
    let me = client.get_me().await.context("Telegram does not say how the bot is called")?;
    let role = if arguments.admin { Role::Admin } else { Role::Volunteer };
    let token = tables(&config).await?.members.create_invite(role).await?;
    answer(&format!("https://t.me/{}?start={}", me.username, token.expose_secret()));
    answer(&format!(
        "Whoever opens this link first becomes {}. It works once, for 15 minutes.",
        role.as_str()
    ));
    Ok(ExitCode::SUCCESS)
}
