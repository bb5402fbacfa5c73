//! The lists for managers: how often proposals are right, and the names that the bot learned from the site's corrections.

use crate::i18n::Localizer;
use crate::ledger::quality::{Agreement, Quality};
use crate::telegram::views::messages::sentence;
use crate::telegram::views::view::{Style, View, one_line, shortened};
use deposit::CategoryKey;
use deposit::Confidence;
use deposit::taxonomy::Taxonomy;
use note_reader::site::Learned;
use session::Sentence;

/// How many categories are named, those with the most lines that had to be corrected first.
const CATEGORIES: usize = 8;
/// How many corrections are named, the most frequent first.
const CORRECTIONS: usize = 5;
/// How many models are named.
const MODELS: usize = 5;
/// How many learned names are listed.
const LISTED: usize = 30;
/// How long each of them may be, in UTF-16 units.
const NAME_UNITS: usize = 60;

/// How often proposals were right, by model, by category, and by how sure the bot was.
#[must_use]
pub fn quality(localizer: Localizer<'_>, taxonomy: &Taxonomy, found: &Quality) -> View {
    if found.all.lines == 0 {
        return sentence(localizer, Sentence::Quality);
    }
    let share = |key: &str, name: &str, agreement: Agreement| {
        let name = shortened(&one_line(name), NAME_UNITS);
        localizer.format(
            key,
            &[
                ("name", name.into()),
                ("right", agreement.right.into()),
                ("lines", agreement.lines.into()),
                ("percent", percent(agreement).into()),
            ],
        )
    };
    let mut view = View::default();
    view.styled(Style::Bold, &localizer.message("quality-title"));
    view.line(&share("quality-all", "", found.all));
    let part = |view: &mut View, title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            view.paragraph(&localizer.message(title));
            lines.iter().for_each(|line| view.line(line));
        }
    };
    let models = by_lines(found.models.iter()).take(MODELS);
    part(&mut view, "quality-models", models.map(|(name, it)| share("quality-line", name, *it)).collect());
    let short = |key: &CategoryKey| match taxonomy.category(key) {
        Some(known) => format!("{} {}", known.emoji, known.short.in_language(localizer.language)),
        None => key.0.clone(),
    };
    let mut corrected: Vec<_> = found.categories.iter().filter(|(_, it)| it.right < it.lines).collect();
    corrected.sort_by_key(|(_, it)| std::cmp::Reverse(it.lines - it.right));
    let corrected = corrected.into_iter().take(CATEGORIES);
    part(
        &mut view,
        "quality-categories",
        corrected.map(|(key, it)| share("quality-line", &short(key), *it)).collect(),
    );
    part(&mut view, "quality-corrections", corrections(localizer, found, short));
    let bands = found.bands.iter().rev();
    let bands = bands.map(|(band, it)| share("quality-line", &localizer.message(band_key(*band)), *it));
    part(&mut view, "quality-bands", bands.collect());
    view
}

fn corrections(
    localizer: Localizer<'_>,
    found: &Quality,
    short: impl Fn(&CategoryKey) -> String,
) -> Vec<String> {
    let mut corrections: Vec<_> = found.corrections.iter().collect();
    corrections.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
    let said = |((proposed, chosen), times): (&(CategoryKey, CategoryKey), &u64)| {
        let (proposed, chosen) = (one_line(&short(proposed)), one_line(&short(chosen)));
        let args = [("proposed", proposed.into()), ("chosen", chosen.into()), ("times", (*times).into())];
        localizer.format("quality-correction", &args)
    };
    corrections.into_iter().take(CORRECTIONS).map(said).collect()
}

fn by_lines<'a>(
    models: impl Iterator<Item = (&'a String, &'a Agreement)>,
) -> impl Iterator<Item = (&'a String, &'a Agreement)> {
    let mut models: Vec<_> = models.collect();
    models.sort_by_key(|(_, it)| std::cmp::Reverse(it.lines));
    models.into_iter()
}

/// Rounded down, so that one mistake is enough for less than 100 %.
fn percent(agreement: Agreement) -> u64 {
    agreement.right.saturating_mul(100).checked_div(agreement.lines).unwrap_or_default()
}

fn band_key(band: Confidence) -> &'static str {
    match band {
        Confidence::Unknown => "quality-band-unknown",
        Confidence::ToCheck => "quality-band-to-check",
        Confidence::Sure => "quality-band-sure",
        Confidence::VerySure => "quality-band-very-sure",
    }
}

/// The learned names with their last chosen categories, and the command that forgets one.
#[must_use]
pub fn lexicon(localizer: Localizer<'_>, taxonomy: &Taxonomy, learned: &[Learned]) -> View {
    if learned.is_empty() {
        return sentence(localizer, Sentence::Lexicon);
    }
    let mut view = View::default();
    view.styled(Style::Bold, &localizer.message("lexicon-title"));
    for entry in learned.iter().take(LISTED) {
        let category = taxonomy.category(&entry.category).map_or_else(
            || entry.category.0.clone(),
            |known| format!("{} {}", known.emoji, known.short.in_language(localizer.language)),
        );
        let name = shortened(&one_line(&entry.name), NAME_UNITS);
        let args = [("name", name.into()), ("category", category.into()), ("times", entry.times.into())];
        view.line(&localizer.format("lexicon-line", &args));
    }
    if let Some(more) = learned.len().checked_sub(LISTED).filter(|more| *more > 0) {
        view.line(&localizer.format("lexicon-more", &[("count", more.into())]));
    }
    view.paragraph(&localizer.message("lexicon-how-to-forget"));
    view
}
