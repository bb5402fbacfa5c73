//! `depot-bot migrate`: the schema alone, for deployments where the bot's own role may not change it.

use std::process::ExitCode;

use crate::cli::{answer, layers};
use crate::config;
use crate::database::Database;

/// Brings the database to this release's schema; does nothing if it is there already.
///
/// # Errors
/// The configuration's or the database's.
pub async fn run() -> anyhow::Result<ExitCode> {
    let wanted = config::DatabaseSettings::read(&layers()?)?;
    let database = Database::connect(&wanted.url).await?;
    database.migrate().await?;
    database.close().await;
    answer(&format!("The {} database has this release's schema.", database.engine().name()));
    Ok(ExitCode::SUCCESS)
}
