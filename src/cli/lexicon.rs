//! `depot-bot lexicon`: what the site has taught the model, and how to take it back.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use crate::cli::{answer, environment, ledger};
use crate::config::Config;
use crate::taxonomy::Taxonomy;
use note_reader::names;
use note_reader::site::learned;

/// What to do with what was learned.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List what was learned, one name a line: name, category, how often it was chosen, how often another one was.
    List,
    /// Take back what was learned for a name; a bot that runs knows it within a minute.
    Remove {
        /// The name, as `list` shows it.
        name: String,
    },
}

/// Answers on standard output; tables are brought to this release's schema.
///
/// # Errors
/// The configuration's, the database's, or a name that says nothing.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = Config::read(&environment()?)?;
    let taxonomy = Taxonomy::load(config.taxonomy_file.as_deref())?;
    let ledger = ledger(&config).await?;
    let choices = ledger.choices(&taxonomy.id).await?;
    let learned = learned(&choices.made, &choices.forgotten);
    match arguments.what {
        What::List => {
            for entry in learned {
                answer(&format!("{}\t{}\t{}\t{}", entry.name, entry.category, entry.times, entry.against));
            }
        }
        What::Remove { name } => {
            let key = names::key(&name).with_context(|| format!("«{name}» is no name of a thing"))?;
            if !learned.iter().any(|entry| names::key(&entry.name).as_ref() == Some(&key)) {
                bail!("nothing was learned for «{name}»: see `depot-bot lexicon list`");
            }
            ledger.forget(&key, None).await?;
            answer(&format!("{name}: forgotten"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
