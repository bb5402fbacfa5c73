//! The card: the one message that shows a deposit, painted from the state alone. Pure: what is shown is a function of
//! what is stored, so a repeated edit is harmless.

mod entry;
mod lines;
mod menus;
mod notices;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::clock::Timestamp;
use crate::deposit::{Draft, Media, Recorded};
use crate::i18n::{I18n, Localizer};
use crate::session::{Asked, Effect, Language, Notice, Session, State, Verb, View};
use crate::taxonomy::Taxonomy;
use crate::telegram::picture::{Button, Picture, Press, Style, one_line, shortened};

pub use crate::telegram::card::entry::UNDO_WINDOW;

/// How long the objects of a card may be, tried in this order until the text fits: 20 lines at the last always do.
const OBJECT_UNITS: [usize; 5] = [60, 40, 24, 12, 6];
/// How much of what was heard in a voice note is quoted, in UTF-16 units.
const HEARD_UNITS: usize = 200;
/// A warning painted later than this before the end no longer says "in a minute".
const A_MINUTE: Duration = Duration::from_secs(45);

/// The card of a conversation in the language of its owner; `ttl` is how long a session lives without activity.
#[must_use]
pub fn render(session: &Session, i18n: &I18n, taxonomy: &Taxonomy, now: Timestamp, ttl: Duration) -> Picture {
    let painter = Painter { localizer: i18n.localizer(session.language), taxonomy };
    let ending = painter.ending(session, now, ttl);
    let picture = match &session.state {
        State::Idle => Picture::plain(painter.localizer.message("say-nothing-open")),
        State::AwaitingDescription { draft, asked } => painter.asked(draft, *asked),
        State::Understanding { draft } => painter.understanding(draft),
        State::AwaitingValidation { draft, view, notice } => {
            // The words about the end come last and must still fit.
            let ending = ending.as_deref();
            return match view {
                View::Lines => painter.lines(draft, notice.as_ref(), ending),
                View::PickLine => painter.pick_line(draft, ending),
                View::Groups { line } => painter.groups(draft, *line, ending),
                View::Categories { line, group, page } => {
                    painter.categories(draft, *line, group, *page, ending)
                }
                View::Quantities { line } => painter.quantities(draft, *line, ending),
                View::Weights { line } => painter.weights(draft, *line, ending),
                View::WeightAsked { line } => painter.weight_asked(draft, *line, ending),
                View::Destinations { line } => painter.destinations(draft, *line, ending),
            };
        }
        State::Recording { leaving } => painter.recording(leaving, is_slow(session)),
        State::Closed { recorded } => painter.entry(recorded, now),
    };
    with_ending(picture, ending.as_deref())
}

/// The card of a deposit as the ledger holds it: what a button of an old card shows.
#[must_use]
pub fn render_entry(
    recorded: &Recorded,
    language: Language,
    i18n: &I18n,
    taxonomy: &Taxonomy,
    now: Timestamp,
) -> Picture {
    Painter { localizer: i18n.localizer(language), taxonomy }.entry(recorded, now)
}

/// What all pictures of one card share.
#[derive(Clone, Copy, Debug)]
struct Painter<'a> {
    localizer: Localizer<'a>,
    taxonomy: &'a Taxonomy,
}

impl Painter<'_> {
    fn asked(&self, draft: &Draft, asked: Asked) -> Picture {
        let mut picture = self.titled("asked-title");
        picture.paragraph(&self.localizer.message(asked_key(asked)));
        if let Some(heard) = self.heard(draft) {
            picture.line(&heard);
        }
        picture.with_row(vec![self.deposit_button("button-cancel", draft, Verb::Cancel)])
    }

    fn understanding(&self, draft: &Draft) -> Picture {
        let text = self.localizer.message("card-understanding");
        Picture::plain(text).with_row(vec![self.deposit_button("button-cancel", draft, Verb::Cancel)])
    }

    fn lines(&self, draft: &Draft, notice: Option<&Notice>, ending: Option<&str>) -> Picture {
        let doubtful = draft.first_doubtful();
        let picture = fitting(|limit| {
            let mut picture = self.noticed("card-title", notice);
            if let Some(heard) = self.heard(draft) {
                picture.line(&heard);
            }
            picture.paragraph(&self.open_lines(draft, limit));
            if let Some(kept) = self.attachments(draft) {
                picture.line(&kept);
            }
            if let Some((index, line)) = doubtful {
                picture.paragraph(&self.question(draft.lines.len(), index, line, limit));
            }
            with_ending(picture, ending)
        });
        let picture = match doubtful {
            Some((_, line)) => self.with_alternatives(picture, draft, line),
            None => picture,
        };
        picture.with_row(vec![self.deposit_button("button-validate", draft, Verb::Validate)]).with_row(vec![
            self.deposit_button("button-correct", draft, Verb::Correct),
            self.deposit_button("button-cancel", draft, Verb::Cancel),
        ])
    }

    /// Which files came with the deposit; they cannot be seen on the card itself.
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

    /// What was heard in the last voice note, so that a mistake of the transcription is seen.
    fn heard(&self, draft: &Draft) -> Option<String> {
        let heard = shortened(&one_line(draft.heard()?), HEARD_UNITS);
        Some(self.localizer.format("card-heard", &[("text", heard.into())]))
    }

    fn ending(&self, session: &Session, now: Timestamp, ttl: Duration) -> Option<String> {
        let end = session.expires_at(ttl).filter(|_| session.warned)?;
        let key = if end.since(now) >= A_MINUTE { "card-ends-in-a-minute" } else { "card-ends-soon" };
        Some(self.localizer.message(key))
    }

    fn titled(&self, key: &str) -> Picture {
        let mut picture = Picture::default();
        picture.styled(Style::Bold, &self.localizer.message(key));
        picture
    }

    fn deposit_button(&self, key: &str, draft: &Draft, verb: Verb) -> Button {
        button(&self.localizer.message(key), draft, verb)
    }
}

fn button(label: &str, draft: &Draft, verb: Verb) -> Button {
    Button::new(label, Press::Deposit { reference: draft.reference, step: draft.step, verb })
}

fn with_ending(mut picture: Picture, ending: Option<&str>) -> Picture {
    if let Some(ending) = ending {
        picture.paragraph(ending);
    }
    picture
}

/// The picture with the longest objects that fit one message.
fn fitting(paint: impl Fn(usize) -> Picture) -> Picture {
    let mut picture = Picture::default();
    for limit in OBJECT_UNITS {
        picture = paint(limit);
        if picture.fits() {
            break;
        }
    }
    picture
}

/// Whether the ledger has kept its owner waiting.
fn is_slow(session: &Session) -> bool {
    let failed = |pending: &crate::session::Pending| {
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
