//! `depot-bot deposits`: the ledger, for spreadsheets and other programs.

use std::io::{BufWriter, ErrorKind, Write as _, stdout};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::layers;
use crate::config;
use crate::database::Database;
use crate::ledger::export::{self, ExportError, Revisions, write_deposits};

/// The format of the export.
#[derive(Clone, Copy, Debug, Args)]
pub struct Arguments {
    /// One JSON object per deposit, or one row per line of a deposit.
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// Every revision, not only where each deposit stands now.
    #[arg(long)]
    all_revisions: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

/// Writes the deposits of every bot in this database to standard output, page by page.
///
/// # Errors
/// The configuration's or the database's. A reader that closes the output is no error.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let wanted = config::DatabaseSettings::read(&layers()?)?;
    let database = Database::connect(&wanted.url).await?;
    database.migrate().await?;
    let format = match arguments.format {
        Format::Jsonl => export::Format::Jsonl,
        Format::Csv => export::Format::Csv,
    };
    let revisions = if arguments.all_revisions { Revisions::All } else { Revisions::Latest };
    let mut out = BufWriter::new(stdout());
    let written = write_deposits(&database, None, format, revisions, &mut out).await;
    match written.and_then(|_| Ok(out.flush()?)) {
        Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => {}
        outcome => outcome?,
    }
    Ok(ExitCode::SUCCESS)
}
