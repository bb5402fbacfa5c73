//! How quick, how small and how good the embedded understanding is.
//!
//! `cargo bench --bench understanding [-- FILE]` reads labelled notes (JSON Lines as in `docs/UNDERSTANDING.md`) from FILE,
//! or from `tests/it/understand/notes.jsonl`, and prints the time for a note and for the
//! training, the memory of what was learned, and the scores: with all names, and by five folds cut by object, in which the
//! names of a fold's objects are left out before training (strict), or every name that holds all words of one (very strict).

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use deposit::taxonomy::Taxonomy;
use note_reader::Classifier;
use note_reader::score::{Labelled, Read, Scores, kilograms};
use note_reader::site::Site;
use session::Language;

const NOTES: &str = "tests/it/understand/notes.jsonl";
const FOLDS: u64 = 5;
const TRAININGS: usize = 7;
const ROUNDS: usize = 21;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let given = arguments.next();
    if given.as_deref() == Some("--test") {
        return Ok(());
    }
    let taxonomy = Taxonomy::built_in()?;
    let resident = resident_kb();
    let classifier = Classifier::train(&taxonomy);
    let grown = resident_kb().saturating_sub(resident);
    let trainings = (0..TRAININGS).map(|_| timed(|| Classifier::train(&taxonomy)));
    println!("names learned               {}", classifier.names());
    println!(
        "training, median of {TRAININGS}       {:.0} ms",
        median(trainings.collect()).as_secs_f64() * 1e3
    );
    println!("memory by its tables        {:.1} MB", classifier.bytes() as f64 / 1e6);
    println!("resident set grew by        {:.1} MB, with what the training used", grown as f64 / 1e3);
    let file = given.map_or(NOTES.into(), PathBuf::from);
    if !file.exists() {
        println!("no labelled notes at {}: name a file to measure notes as well", file.display());
        return Ok(());
    }
    let notes = labelled(&file)?;
    print_times(&classifier, &notes);
    println!("\nall names\n{}", scored(&taxonomy, &notes, |_| &classifier));
    for (name, widely) in [("strict", false), ("very strict", true)] {
        let folds: Vec<_> = (0..FOLDS).map(|fold| trained_without(&taxonomy, &notes, fold, widely)).collect();
        let left_out: usize = folds.iter().map(|fold| classifier.names() - fold.names()).sum();
        let fold = |note: &Labelled| usize::try_from(fold_of(note)).ok().and_then(|fold| folds.get(fold));
        let scores = scored(&taxonomy, &notes, |note| fold(note).unwrap_or(&classifier));
        println!("\n{name}: {FOLDS} folds by object, {left_out} names left out in all\n{scores}");
    }
    Ok(())
}

fn labelled(file: &Path) -> anyhow::Result<Vec<Labelled>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let notes = lines.map(|line| serde_json::from_str(line).with_context(|| line.to_owned()));
    notes.collect()
}

/// The fold of a note: by the first object, so that all notes about it fall into one.
fn fold_of(note: &Labelled) -> u64 {
    let named = note.items.first().map_or(&note.text, |item| &item.object).to_lowercase();
    let hash = named.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32) % FOLDS
}

fn trained_without(taxonomy: &Taxonomy, notes: &[Labelled], fold: u64, widely: bool) -> Classifier {
    let of_fold = notes.iter().filter(|note| fold_of(note) == fold);
    let objects: Vec<&str> = of_fold.flat_map(|note| &note.items).map(|item| item.object.as_str()).collect();
    Classifier::train_without(taxonomy, &objects, widely)
}

fn scored<'a>(taxonomy: &Taxonomy, notes: &[Labelled], by: impl Fn(&Labelled) -> &'a Classifier) -> Scores {
    let is_electrical = |key: &str| taxonomy.category(&key.into()).is_some_and(|category| category.eee);
    let mut scores = Scores::default();
    for note in notes {
        let found = by(note).understand(&note.text, Language::Fr, &Site::default());
        let lines: Vec<Read> = found.lines.iter().map(Read::of).collect();
        scores.add(note, &lines, found.total_weight.map(kilograms), is_electrical);
    }
    scores
}

/// The time for each note on one core: the median of its rounds, then over the notes.
fn print_times(classifier: &Classifier, notes: &[Labelled]) {
    let one = |note: &Labelled| {
        median(
            (0..ROUNDS)
                .map(|_| timed(|| classifier.understand(&note.text, Language::Fr, &Site::default())))
                .collect(),
        )
    };
    let mut times: Vec<Duration> = notes.iter().map(one).collect();
    times.sort();
    let at =
        |share: usize| times.get(times.len() * share / 100).or(times.last()).copied().unwrap_or_default();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let most = times.last().copied().unwrap_or_default();
    println!(
        "a note, of {}              median {:.0} µs, p99 {:.0} µs, slowest {:.0} µs",
        times.len(),
        micros(at(50)),
        micros(at(99)),
        micros(most)
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The resident memory of this process, in kB; 0 where the system does not tell.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
