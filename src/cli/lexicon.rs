//! `depot-bot lexicon`: the names that the model learned from this site's feedback, and how to retract them.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;

use crate::cli::{answer, layers, tables};
use crate::config::Config;
use deposit::taxonomy::Taxonomy;
use note_reader::names;
use note_reader::site::learned;

/// The action on the learned names.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// List the learned names, one a line: name, category, how often it was chosen, how often another one was.
    List,
    /// Retract the feedback for a name; a running bot applies it within a minute.
    Remove {
        /// The name, as `list` shows it.
        name: String,
    },
}

/// Answers on standard output; tables are brought to this release's schema.
///
/// # Errors
/// The configuration's, the database's, or a name without a meaning.
pub async fn run(action: Action) -> anyhow::Result<ExitCode> {
    let config = Config::read(&layers()?)?;
    let taxonomy = Taxonomy::load(config.taxonomy_file.as_deref())?;
    let feedback = tables(&config).await?.feedback;
    let site = feedback.read(&taxonomy.id).await?;
    let learned = learned(&site.choices, &site.retracted);
    match action {
        Action::List => {
            for entry in learned {
                answer(&format!("{}\t{}\t{}\t{}", entry.name, entry.category, entry.times, entry.against));
            }
        }
        Action::Remove { name } => {
            let key = names::key(&name).with_context(|| format!("«{name}» is no name of a thing"))?;
            if !learned.iter().any(|entry| names::key(&entry.name).as_ref() == Some(&key)) {
                bail!("nothing was learned for «{name}»: see `depot-bot lexicon list`");
            }
            feedback.retract(&key, None).await?;
            answer(&format!("{name}: forgotten"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
