//! The lines of a deposit in words, and the question about the first doubtful one.

use crate::telegram::views::card::{Renderer, button};
use crate::telegram::views::view::{View, one_line, shortened};
use deposit::{CategoryKey, Confidence, Destination, Draft, Line, Weight, WeightSource};
use session::Verb;

/// How many other categories are offered beside the proposal.
const ALTERNATIVES_SHOWN: usize = 2;
/// The longest name of a category on the card, in UTF-16 units: a key that this taxonomy does not know may be any text.
const CATEGORY_UNITS: usize = 50;

impl Renderer<'_> {
    /// The lines of an open deposit, with how sure the bot is of each.
    pub(super) fn open_lines(&self, draft: &Draft, limit: usize) -> String {
        self.all_lines(&draft.lines, draft.total_weight, limit, true)
    }

    /// The lines as recorded.
    pub(super) fn final_lines(&self, lines: &[Line], total: Option<Weight>, limit: usize) -> String {
        self.all_lines(lines, total, limit, false)
    }

    fn all_lines(&self, lines: &[Line], total: Option<Weight>, limit: usize, open: bool) -> String {
        let rendered = lines.iter().enumerate().map(|(index, line)| {
            let heading = self.heading(index, line, total.is_some(), limit);
            let category = self.category(line.category());
            let sorted = if open { format!("{category} ({})", self.confidence(line)) } else { category };
            format!("{heading}\n     {sorted} · {}", self.destination(line.destination))
        });
        rendered.chain(self.total(lines, total)).collect::<Vec<_>>().join("\n")
    }

    /// The first row of a line: number, object, quantity and weight.
    fn heading(&self, index: usize, line: &Line, in_total: bool, limit: usize) -> String {
        format!("{}. {} {}", index + 1, self.object(line, limit), self.measures(line, in_total))
    }

    /// Quantity and weight of a line.
    pub(super) fn measures(&self, line: &Line, in_total: bool) -> String {
        let quantity = match line.quantity {
            Some(quantity) => format!("×{quantity}"),
            None => format!("({})", self.localizer.message("line-lot")),
        };
        let weight = match line.weight {
            Some(weight) => self.weight(weight),
            None if in_total => self.localizer.message("line-weight-in-total"),
            None => self.localizer.message("line-no-weight"),
        };
        format!("{quantity} · {weight}")
    }

    /// The object of a line as one line of at most `limit` units.
    pub(super) fn object(&self, line: &Line, limit: usize) -> String {
        let object = one_line(&line.object);
        if object.is_empty() { self.localizer.message("line-unnamed") } else { shortened(&object, limit) }
    }

    /// Sign and short name of a category; its key behind a question mark if this taxonomy does not know it.
    pub(super) fn category(&self, key: &CategoryKey) -> String {
        let name = match self.taxonomy.category(key) {
            Some(known) => {
                format!("{} {}", known.emoji, known.short.in_language(self.localizer.language))
            }
            None => format!("❔ {}", one_line(&key.0)),
        };
        shortened(name.trim(), CATEGORY_UNITS)
    }

    pub(super) fn question(&self, lines: usize, index: usize, line: &Line, limit: usize) -> String {
        let object = self.object(line, limit);
        if lines == 1 {
            self.localizer.format("card-question", &[("object", object.into())])
        } else {
            let args = [("line", (index + 1).into()), ("object", object.into())];
            self.localizer.format("card-question-line", &args)
        }
    }

    /// The best categories of the doubtful line as buttons, the proposal first, and the button for all others.
    pub(super) fn with_alternatives(&self, view: View, draft: &Draft, line: &Line) -> View {
        let proposal = &line.proposal;
        let alternatives = proposal.alternatives.iter().take(ALTERNATIVES_SHOWN);
        let offered = std::iter::once(&proposal.category).chain(alternatives);
        let view = offered.fold(view, |view, key| {
            view.with_row(vec![button(&self.category(key), draft, Verb::Choose(key.clone()))])
        });
        view.with_row(vec![self.deposit_button("button-other", draft, Verb::Other)])
    }

    fn confidence(&self, line: &Line) -> String {
        let key = match (&line.chosen, Confidence::of(line.proposal.confidence)) {
            (Some(_), _) if line.is_corrected() => "confidence-corrected",
            (Some(_), _) => "confidence-confirmed",
            (None, Confidence::VerySure | Confidence::Sure) => "confidence-sure",
            (None, Confidence::ToCheck) => "confidence-to-check",
            (None, Confidence::Unknown) => "confidence-unknown",
        };
        self.localizer.message(key)
    }

    pub(super) fn destination(&self, destination: Destination) -> String {
        self.localizer.message(match destination {
            Destination::Magasin => "destination-magasin",
            Destination::Recyclage => "destination-recyclage",
            Destination::Dechetterie => "destination-dechetterie",
        })
    }

    fn weight(&self, weight: Weight) -> String {
        let kilograms = self.localizer.weight(weight.grams.into());
        match weight.source {
            WeightSource::Weighed | WeightSource::Stated => kilograms,
            WeightSource::Estimated => {
                self.localizer.format("line-estimated", &[("weight", kilograms.into())])
            }
        }
    }

    /// The known weight of the deposit; `None` where its only line shows it already.
    fn total(&self, lines: &[Line], total: Option<Weight>) -> Option<String> {
        let weights: Vec<Weight> = lines.iter().filter_map(|line| line.weight).collect();
        let grams = weights.iter().chain(&total).map(|weight| u64::from(weight.grams)).sum::<u64>();
        if grams == 0 || (lines.len() == 1 && total.is_none()) {
            return None;
        }
        let is_whole = total.is_some() || weights.len() == lines.len();
        let key = if is_whole { "card-total" } else { "card-total-at-least" };
        let mut weight = self.localizer.weight(grams);
        if weights.iter().any(|weight| weight.source == WeightSource::Estimated) {
            weight = self.localizer.format("line-estimated", &[("weight", weight.into())]);
        }
        Some(self.localizer.format(key, &[("weight", weight.into())]))
    }
}
