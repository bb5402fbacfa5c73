//! The notices on the card: the result of a correction stands above the title, every other notice below it.

use crate::telegram::views::card::Renderer;
use crate::telegram::views::view::{Style, View, one_line, shortened};
use session::{Corrected, Done, Language, Notice, Unclear};

/// How long an object may be in the result of a correction, in UTF-16 units.
const OBJECT_UNITS: usize = 30;

impl Renderer<'_> {
    /// The top of the card: its title and a notice.
    pub(super) fn noticed(&self, title: &str, notice: Option<&Notice>) -> View {
        let (above, below) = match notice {
            None => (None, None),
            Some(Notice::Corrected(corrected)) => (Some(self.corrected(corrected)), None),
            Some(Notice::Unclear(unclear)) => (Some(self.localizer.message(unclear_key(unclear))), None),
            Some(Notice::Full) => (None, Some("notice-full")),
            Some(Notice::VoiceKept) => (None, Some("notice-voice-kept")),
            Some(Notice::NothingHeard) => (None, Some("notice-nothing-heard")),
            Some(Notice::PhotoKept) => (None, Some("notice-photo-kept")),
            Some(Notice::NotUnderstood) => (None, Some("notice-not-understood")),
            Some(Notice::NoDeposit) => (None, Some("notice-no-deposit")),
            Some(Notice::Resumed) => (None, Some("notice-resumed")),
        };
        let mut view = View::default();
        if let Some(above) = above {
            view.line(&above);
            view.paragraph("");
        }
        view.styled(Style::Bold, &self.localizer.message(title));
        if let Some(below) = below {
            view.line(&self.localizer.message(below));
        }
        view
    }

    /// The whole result in one line.
    fn corrected(&self, corrected: &Corrected) -> String {
        let mut parts: Vec<String> = corrected.done.iter().map(|done| self.done(done)).collect();
        if corrected.more > 0 {
            parts.push(self.localizer.format("done-more", &[("count", corrected.more.into())]));
        }
        if corrected.outdated {
            parts.push(self.localizer.message("done-outdated"));
        } else if parts.is_empty() {
            parts.push(self.localizer.message("done-nothing"));
        }
        let between = match self.localizer.language {
            Language::Fr => "\u{202f}; ",
            Language::En => "; ",
        };
        format!("✏️ {}", parts.join(between))
    }

    fn done(&self, done: &Done) -> String {
        let say = |key: &str, line: usize, object: &str, args: Vec<(&'static str, String)>| {
            let named = [("line", (line + 1).to_string()), ("object", short(object))];
            let args: Vec<_> =
                named.into_iter().chain(args).map(|(name, value)| (name, value.into())).collect();
            self.localizer.format(key, &args)
        };
        match done {
            Done::Renamed { line, was, object } => {
                say("done-renamed", *line, object, vec![("was", short(was))])
            }
            Done::Sorted { line, object, category } => {
                say("done-sorted", *line, object, vec![("category", self.category(category))])
            }
            Done::Counted { line, object, was, quantity } => {
                let values = vec![("now", self.quantity(*quantity)), ("was", self.quantity(*was))];
                say("done-changed", *line, object, values)
            }
            Done::Weighed { line, object, was: Some(was), grams } => {
                let values = vec![("now", self.grams(*grams)), ("was", self.grams(Some(*was)))];
                say("done-changed", *line, object, values)
            }
            Done::Weighed { line, object, was: None, grams } => {
                say("done-set", *line, object, vec![("now", self.grams(*grams))])
            }
            Done::Sent { line, object, destination } => {
                say("done-set", *line, object, vec![("now", self.destination(*destination))])
            }
            Done::Added { line, object } => say("done-added", *line, object, Vec::new()),
            Done::Removed { object } => {
                self.localizer.format("done-removed", &[("object", short(object).into())])
            }
            Done::TotalWeighed { grams } => {
                self.localizer.format("done-total", &[("weight", self.grams(Some(*grams)).into())])
            }
        }
    }

    fn quantity(&self, quantity: Option<u32>) -> String {
        quantity.map_or_else(|| self.localizer.message("line-lot"), |quantity| quantity.to_string())
    }

    fn grams(&self, grams: Option<u32>) -> String {
        match grams {
            Some(grams) => self.localizer.weight(grams.into()),
            None => self.localizer.message("line-no-weight"),
        }
    }
}

fn short(object: &str) -> String {
    shortened(&one_line(object), OBJECT_UNITS)
}

fn unclear_key(unclear: &Unclear) -> &'static str {
    match unclear {
        Unclear::Which(_) => "unclear-which",
        Unclear::NoSuchLine => "unclear-no-such-line",
        Unclear::What => "unclear-what",
        Unclear::Everything => "unclear-everything",
        Unclear::Total => "unclear-total",
    }
}
