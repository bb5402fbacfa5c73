//! `depot-bot understand`: notes in, lines out, by the code that the bot runs; or how good it is on labelled notes.
//!
//! Where `LLM_*` names a chat model it is asked, as the bot would ask it, but without cached answers and without this site's
//! feedback: both are in the bot's stores, which are not opened here.

use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::app::understanding;
use crate::cli::layers;
use crate::clock::Clock;
use crate::config;
use crate::model::{Embedded, Understand};
use deposit::taxonomy::Taxonomy;
use deposit::{CategoryKey, WeightSource};
use note_reader::score::{Labelled, Read, Scores, kilograms, said};
use session::{Language, Understanding};

/// What to do with the notes.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Print how well the notes of this file (JSON Lines with labels) are understood, instead of reading standard input.
    #[arg(long, value_name = "FILE")]
    evaluate: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Input {
    text: String,
}

/// The result for one note; no lines when it is no deposit.
#[derive(Serialize)]
struct Output<'a> {
    text: &'a str,
    lines: Vec<OutputLine<'a>>,
    total_weight_kg: Option<f64>,
}

#[derive(Serialize)]
struct OutputLine<'a> {
    object: &'a str,
    quantity: Option<u32>,
    weight_kg: Option<f64>,
    /// The usual weight of such a thing, where the note gives none.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggested_weight_kg: Option<f64>,
    category: &'a CategoryKey,
    confidence: f64,
    alternatives: &'a [CategoryKey],
    destination: &'static str,
}

/// Reads notes from standard input, or a labelled file, and prints the lines understood.
///
/// # Errors
/// A taxonomy or a model's address that is not sound, a line that is no JSON of the expected form, a closed pipe.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let layers = layers()?;
    let taxonomy = Arc::new(Taxonomy::load(config::taxonomy_file(&layers)?.as_deref())?);
    let embedded = Arc::new(Embedded::start(Arc::clone(&taxonomy)));
    let reader: Arc<dyn Understand> = match config::LlmSettings::read(&layers)? {
        Some(llm) => {
            let taxonomy = Arc::clone(&taxonomy);
            Arc::new(understanding::assisted(&llm, embedded, taxonomy, None, &Clock::system())?)
        }
        None => embedded,
    };
    match arguments.evaluate {
        Some(file) => evaluate(&file, &taxonomy, reader.as_ref()).await?,
        None => answer(reader.as_ref()).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn answer(reader: &dyn Understand) -> anyhow::Result<()> {
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if stdin().lock().read_line(&mut line).with_context(|| format!("line {number}"))? == 0 {
            break;
        }
        if line.trim().is_empty() {
            continue;
        }
        let asked: Input = serde_json::from_str(&line).with_context(|| format!("line {number}"))?;
        let found = reader.understand(&asked.text, Language::Fr).await?;
        let answer = serde_json::to_string(&answered(&asked.text, &found))?;
        writeln!(stdout(), "{answer}")?;
    }
    Ok(())
}

fn answered<'a>(text: &'a str, found: &'a Understanding) -> Output<'a> {
    let line = |line: &'a deposit::Line| OutputLine {
        object: &line.object,
        quantity: line.quantity,
        weight_kg: said(line),
        suggested_weight_kg: line
            .weight
            .filter(|weight| weight.source == WeightSource::Estimated)
            .map(kilograms),
        category: &line.proposal.category,
        // Three digits: more would be noise.
        confidence: f64::from((line.proposal.confidence * 1000.0).round()) / 1000.0,
        alternatives: &line.proposal.alternatives,
        destination: line.destination.as_str(),
    };
    Output {
        text,
        lines: found.lines.iter().map(line).collect(),
        total_weight_kg: found.total_weight.map(kilograms),
    }
}

async fn evaluate(file: &Path, taxonomy: &Taxonomy, reader: &dyn Understand) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let is_electrical = |key: &str| taxonomy.category(&key.into()).is_some_and(|category| category.eee);
    let mut scores = Scores::default();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let note: Labelled =
            serde_json::from_str(line).with_context(|| format!("{}, line {}", file.display(), number + 1))?;
        let found = reader.understand(&note.text, Language::Fr).await?;
        let lines: Vec<Read> = found.lines.iter().map(Read::of).collect();
        scores.add(&note, &lines, found.total_weight.map(kilograms), is_electrical);
    }
    writeln!(stdout(), "{scores}")?;
    Ok(())
}
