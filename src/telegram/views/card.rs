//! The card: the one message that shows a deposit. Its view is a pure function of the stored session, so a repeated edit
//! is harmless.

mod entry;
mod lines;
mod menus;
mod notices;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::clock::Timestamp;
use crate::i18n::{I18n, Localizer};
use crate::telegram::views::view::{Button, ButtonAction, Style, View, one_line, shortened};
use deposit::taxonomy::Taxonomy;
use deposit::{Draft, Media, Recorded};
use session::{Asked, CardView, Effect, Language, Notice, Session, State, Verb};

pub use crate::telegram::views::card::entry::UNDO_WINDOW;

/// How long the objects of a card may be, tried in this order until the text fits: 20 lines at the last always do.
const OBJECT_UNITS: [usize; 5] = [60, 40, 24, 12, 6];
/// How much of the transcript of a voice note is quoted, in UTF-16 units.
const HEARD_UNITS: usize = 200;
/// A warning rendered later than this before the end no longer says "in a minute".
const A_MINUTE: Duration = Duration::from_secs(45);

/// The card of a conversation in the language of its owner; `ttl` is how long a session lives without activity.
#[must_use]
pub fn render(session: &Session, i18n: &I18n, taxonomy: &Taxonomy, now: Timestamp, ttl: Duration) -> View {
    let renderer = Renderer { localizer: i18n.localizer(session.language), taxonomy };
    let ending = renderer.ending(session, now, ttl);
    let view = match &session.state {
        State::Idle => View::plain(renderer.localizer.message("say-nothing-open")),
        State::AwaitingDescription { draft, asked } => renderer.asked(draft, *asked),
        State::Understanding { draft } => renderer.understanding(draft),
        State::AwaitingValidation { draft, view, notice } => {
            // The warning before the end comes last and must still fit.
            let ending = ending.as_deref();
            return match view {
                CardView::Lines => renderer.lines(draft, notice.as_ref(), ending),
                CardView::PickLine => renderer.pick_line(draft, ending),
                CardView::Groups { line } => renderer.groups(draft, *line, ending),
                CardView::Categories { line, group, page } => {
                    renderer.categories(draft, *line, group, *page, ending)
                }
                CardView::Quantities { line } => renderer.quantities(draft, *line, ending),
                CardView::Weights { line } => renderer.weights(draft, *line, ending),
                CardView::WeightAsked { line } => renderer.weight_asked(draft, *line, ending),
                CardView::Destinations { line } => renderer.destinations(draft, *line, ending),
            };
        }
        State::Recording { leaving } => renderer.recording(leaving, is_slow(session)),
        State::Closed { recorded } => renderer.entry(recorded, now),
    };
    with_ending(view, ending.as_deref())
}

/// The card of a deposit as the ledger holds it, which a tap on an old card shows.
#[must_use]
pub fn render_entry(
    recorded: &Recorded,
    language: Language,
    i18n: &I18n,
    taxonomy: &Taxonomy,
    now: Timestamp,
) -> View {
    Renderer { localizer: i18n.localizer(language), taxonomy }.entry(recorded, now)
}

/// Renders the views of one card.
#[derive(Clone, Copy, Debug)]
struct Renderer<'a> {
    localizer: Localizer<'a>,
    taxonomy: &'a Taxonomy,
}

impl Renderer<'_> {
    fn asked(&self, draft: &Draft, asked: Asked) -> View {
        let mut view = self.titled("asked-title");
        view.paragraph(&self.localizer.message(asked_key(asked)));
        if let Some(heard) = self.heard(draft) {
            view.line(&heard);
        }
        view.with_row(vec![self.deposit_button("button-cancel", draft, Verb::Cancel)])
    }

    fn understanding(&self, draft: &Draft) -> View {
        let text = self.localizer.message("card-understanding");
        View::plain(text).with_row(vec![self.deposit_button("button-cancel", draft, Verb::Cancel)])
    }

    fn lines(&self, draft: &Draft, notice: Option<&Notice>, ending: Option<&str>) -> View {
        let doubtful = draft.first_doubtful();
        let view = fitting(|limit| {
            let mut view = self.noticed("card-title", notice);
            if let Some(heard) = self.heard(draft) {
                view.line(&heard);
            }
            view.paragraph(&self.open_lines(draft, limit));
            if let Some(kept) = self.attachments(draft) {
                view.line(&kept);
            }
            if let Some((index, line)) = doubtful {
                view.paragraph(&self.question(draft.lines.len(), index, line, limit));
            }
            with_ending(view, ending)
        });
        let view = match doubtful {
            Some((_, line)) => self.with_alternatives(view, draft, line),
            None => view,
        };
        view.with_row(vec![self.deposit_button("button-validate", draft, Verb::Validate)]).with_row(vec![
            self.deposit_button("button-correct", draft, Verb::Correct),
            self.deposit_button("button-cancel", draft, Verb::Cancel),
        ])
    }

    /// The number of files that came with the deposit; the card itself cannot show them.
    fn attachments(&self, draft: &Draft) -> Option<String> {
        let photos = draft.attachments.iter().filter(|file| file.media == Media::Photo).count();
        let recordings = draft.attachments.len() - photos;
        let counted = [("card-photos", photos), ("card-recordings", recordings)];
        let kept: Vec<_> = counted
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(key, count)| self.localizer.format(key, &[("count", count.into())]))
            .collect();
        (!kept.is_empty()).then(|| kept.join(" · "))
    }

    /// The transcript of the last voice note, so that its mistakes are seen.
    fn heard(&self, draft: &Draft) -> Option<String> {
        let heard = shortened(&one_line(draft.heard()?), HEARD_UNITS);
        Some(self.localizer.format("card-heard", &[("text", heard.into())]))
    }

    fn ending(&self, session: &Session, now: Timestamp, ttl: Duration) -> Option<String> {
        let end = session.expires_at(ttl).filter(|_| session.warned)?;
        let key = if end.since(now) >= A_MINUTE { "card-ends-in-a-minute" } else { "card-ends-soon" };
        Some(self.localizer.message(key))
    }

    fn titled(&self, key: &str) -> View {
        let mut view = View::default();
        view.styled(Style::Bold, &self.localizer.message(key));
        view
    }

    fn deposit_button(&self, key: &str, draft: &Draft, verb: Verb) -> Button {
        button(&self.localizer.message(key), draft, verb)
    }
}

fn button(label: &str, draft: &Draft, verb: Verb) -> Button {
    Button::new(label, ButtonAction::Deposit { reference: draft.reference, step: draft.step, verb })
}

fn with_ending(mut view: View, ending: Option<&str>) -> View {
    if let Some(ending) = ending {
        view.paragraph(ending);
    }
    view
}

/// The view with the longest objects that fit one message.
fn fitting(render: impl Fn(usize) -> View) -> View {
    let mut view = View::default();
    for limit in OBJECT_UNITS {
        view = render(limit);
        if view.fits() {
            break;
        }
    }
    view
}

/// Whether the ledger failed at least once to record the deposit.
fn is_slow(session: &Session) -> bool {
    let failed = |pending: &session::Pending| {
        matches!(pending.effect, Effect::RecordDeposit(_)) && pending.attempts > 0
    };
    session.pending.iter().any(failed)
}

fn asked_key(asked: Asked) -> &'static str {
    match asked {
        Asked::Opening => "asked-opening",
        Asked::VoiceKept => "asked-voice-kept",
        Asked::NothingHeard => "asked-nothing-heard",
        Asked::PhotoKept => "asked-photo-kept",
        Asked::NotUnderstood => "asked-not-understood",
        Asked::NoDeposit => "asked-no-deposit",
        Asked::Emptied => "asked-emptied",
    }
}
