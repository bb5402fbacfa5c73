//! `depot-bot invite`: prints a link that gives access, to the first admin or to any other user.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use secrecy::ExposeSecret as _;

use crate::cli::{answer, layers, tables};
use crate::config::Config;
use crate::ledger::Role;
use crate::telegram::client::Client;

/// The role that the link gives.
#[derive(Clone, Copy, Debug, Args)]
pub struct Arguments {
    /// The link makes an admin, who decides about access; otherwise a volunteer.
    #[arg(long)]
    admin: bool,
}

/// Prints a link that gives one user access, once, within 15 minutes; only its hash is stored.
///
/// # Errors
/// The configuration's, the database's, or Telegram's, if it does not know the bot.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = Config::read(&layers()?)?;
    let client = Client::new(&config.telegram.api_url, &config.telegram.token)?;
    let me = client.get_me().await.context("Telegram does not return the name of the bot")?;
    let role = if arguments.admin { Role::Admin } else { Role::Volunteer };
    let token = tables(&config).await?.members.create_invite(role).await?;
    answer(&format!("https://t.me/{}?start={}", me.username, token.expose_secret()));
    answer(&format!(
        "The first user who opens this link becomes {}. It works once, for 15 minutes.",
        role.as_str()
    ));
    Ok(ExitCode::SUCCESS)
}
