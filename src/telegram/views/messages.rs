//! The messages beside the card: plain answers, notifications, the toasts that answer taps, the list of deposits, the menu.

mod quality;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

use crate::clock::Timestamp;
use crate::i18n::Localizer;
use crate::telegram::routing::commands;
use crate::telegram::views::view::{Style, View, one_line, shortened};
use deposit::{Recorded, Status, WeightSource};
use session::{Sentence, TapAnswer};

pub use crate::telegram::views::messages::quality::{lexicon, quality};

/// How many deposits `/mesdepots` lists.
pub const LISTED_MAX: usize = 10;
/// How many objects of a deposit the list names.
const OBJECTS_LISTED: usize = 3;
/// How long each of them may be, in UTF-16 units.
const OBJECT_UNITS: usize = 30;

/// A message outside of any session: to strangers, to members over their rate limit, to groups, about access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification {
    /// The access request waits for an admin.
    AccessPending,
    /// Too many requests wait already.
    AccessFull,
    /// An admin granted access.
    AccessGranted,
    /// An admin refused access.
    AccessRefused,
    /// The invitation made this user an admin.
    AdminGranted,
    /// The invitation is over or was used.
    InvitationInvalid,
    /// Over the limit of messages per minute.
    TooFast,
    /// The bot was added to a group and leaves it.
    Group,
    /// The stored session could not be read; a new one begins.
    ConversationLost,
    /// A newer release holds the session; the message is stored and handled later.
    PutOff,
}

/// The answer to a tap beside the card: a line that fades, at most 200 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toast {
    /// The answer of the session.
    Answered(TapAnswer),
    /// The deposit belongs to another user.
    NotYours,
    /// The button needs a role that this user does not have.
    NotAllowed,
    /// The deposit was undone.
    Undone,
    /// The ten minutes are over.
    TooLateToUndo,
    /// The draft was taken up again.
    Resumed,
    /// The ledger does not know the deposit.
    Gone,
    /// The access request was stored.
    AccessAsked,
    /// The decision about a request was stored.
    Decided,
    /// Another admin decided first.
    AlreadyDecided,
    /// A store that the answer needs is unavailable.
    Unavailable,
}

/// One deposit of the list, from its latest revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its short number, if it has one.
    pub number: Option<u64>,
    /// Its status.
    pub status: Status,
    /// When it was decided.
    pub at: Timestamp,
    /// Its objects, in order.
    pub objects: Vec<String>,
    /// Its known weight in grams; 0 if none is known.
    pub grams: u64,
}

/// A command of the menu, for `setMyCommands`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuCommand {
    /// Its name without the slash.
    pub name: &'static str,
    /// Its description, 3 to 256 characters.
    pub description: String,
}

/// The message for a sentence. For a list it is the message for an empty one; for the others see [`my_deposits`],
/// [`quality()`] and [`lexicon`].
#[must_use]
pub fn sentence(localizer: Localizer<'_>, sentence: Sentence) -> View {
    View::plain(localizer.message(match sentence {
        Sentence::Welcome => "say-welcome",
        Sentence::Help => "say-help",
        Sentence::MyDeposits => "my-deposits-none",
        Sentence::Quality => "quality-none",
        Sentence::Lexicon => "lexicon-none",
        Sentence::Forgotten => "lexicon-forgotten",
        Sentence::ForgetWhat => "lexicon-forget-what",
        Sentence::ForManagers => "say-for-managers",
        Sentence::HelpForManagers => "say-help-for-managers",
        Sentence::NothingOpen => "say-nothing-open",
        Sentence::StillListening => "say-still-listening",
        Sentence::NothingToCancel => "say-nothing-to-cancel",
        Sentence::UnknownCommand => "say-unknown-command",
        Sentence::Unsupported => "say-unsupported",
        Sentence::UnsupportedFile => "say-unsupported-file",
        Sentence::EditIgnored => "say-edit-ignored",
        Sentence::Busy => "say-busy",
        Sentence::Trouble => "say-trouble",
        Sentence::TooLong => "say-too-long",
    }))
}

/// The message for a notification.
#[must_use]
pub fn notification(localizer: Localizer<'_>, notification: Notification) -> View {
    View::plain(localizer.message(match notification {
        Notification::AccessPending => "announce-access-pending",
        Notification::AccessFull => "announce-access-full",
        Notification::AccessGranted => "announce-access-granted",
        Notification::AccessRefused => "announce-access-refused",
        Notification::AdminGranted => "announce-admin-granted",
        Notification::InvitationInvalid => "announce-invitation-invalid",
        Notification::TooFast => "announce-too-fast",
        Notification::Group => "announce-group",
        Notification::ConversationLost => "announce-conversation-lost",
        Notification::PutOff => "announce-put-off",
    }))
}

/// The text of a toast; `None` where the card is answer enough.
#[must_use]
pub fn toast(localizer: Localizer<'_>, toast: Toast) -> Option<String> {
    let key = match toast {
        Toast::Answered(TapAnswer::Done) => return None,
        Toast::Answered(TapAnswer::Stale) => "toast-stale",
        Toast::Answered(TapAnswer::Recording) => "toast-recording",
        Toast::Answered(TapAnswer::AnotherOpen) => "toast-another-open",
        Toast::Answered(TapAnswer::Elsewhere) => "toast-elsewhere",
        Toast::NotYours => "toast-not-yours",
        Toast::NotAllowed => "toast-not-allowed",
        Toast::Undone => "toast-undone",
        Toast::TooLateToUndo => "toast-too-late-to-undo",
        Toast::Resumed => "toast-resumed",
        Toast::Gone => "toast-gone",
        Toast::AccessAsked => "toast-access-asked",
        Toast::Decided => "toast-decided",
        Toast::AlreadyDecided => "toast-already-decided",
        Toast::Unavailable => "toast-unavailable",
    };
    Some(localizer.message(key))
}

/// The menu of commands in one language.
#[must_use]
pub fn menu(localizer: Localizer<'_>) -> Vec<MenuCommand> {
    let commands = commands::menu(localizer.language);
    commands.map(|(name, does)| MenuCommand { name, description: localizer.message(does) }).to_vec()
}

/// The last deposits of a user, newest first, in the local time of `zone`; the first [`LISTED_MAX`] are listed.
#[must_use]
pub fn my_deposits(localizer: Localizer<'_>, deposits: &[Listed], now: Timestamp, zone: &TimeZone) -> View {
    if deposits.is_empty() {
        return sentence(localizer, Sentence::MyDeposits);
    }
    let listed = deposits.get(..LISTED_MAX).unwrap_or(deposits);
    let mut view = View::default();
    let title = localizer.format("my-deposits-title", &[("count", listed.len().into())]);
    view.styled(Style::Bold, &title);
    for deposit in listed {
        view.paragraph(&heading(localizer, deposit, now, zone));
        let objects = objects(localizer, deposit);
        if !objects.is_empty() {
            view.line(&objects);
        }
    }
    view
}

impl Listed {
    /// The row of a recorded deposit.
    #[must_use]
    pub fn of(recorded: &Recorded) -> Self {
        let weights = recorded.lines.iter().map(|line| line.weight).chain([recorded.total_weight]);
        Self {
            number: recorded.number,
            status: recorded.status,
            at: recorded.decided_at,
            objects: recorded.lines.iter().map(|line| line.object.clone()).collect(),
            grams: weights
                .flatten()
                .filter(|weight| weight.source != WeightSource::Estimated)
                .map(|weight| u64::from(weight.grams))
                .sum(),
        }
    }
}

fn heading(localizer: Localizer<'_>, deposit: &Listed, now: Timestamp, zone: &TimeZone) -> String {
    let status = localizer.message(status_key(deposit.status));
    let number =
        deposit.number.map(|number| localizer.format("my-deposits-number", &[("number", number.into())]));
    let date = date(localizer, deposit.at, now, zone);
    [Some(status), number, Some(date)].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn objects(localizer: Localizer<'_>, deposit: &Listed) -> String {
    let named = deposit.objects.iter().take(OBJECTS_LISTED);
    let mut objects =
        named.map(|object| shortened(&one_line(object), OBJECT_UNITS)).collect::<Vec<_>>().join(", ");
    let more = deposit.objects.len().saturating_sub(OBJECTS_LISTED);
    if more > 0 {
        objects.push(' ');
        objects.push_str(&localizer.format("my-deposits-more", &[("count", more.into())]));
    }
    if deposit.grams > 0 {
        let separator = if objects.is_empty() { "" } else { " · " };
        objects.push_str(separator);
        objects.push_str(&localizer.weight(deposit.grams));
    }
    objects
}

fn status_key(status: Status) -> &'static str {
    match status {
        Status::PendingAudio => "status-pending-audio",
        Status::PendingClassification => "status-pending-classification",
        Status::PendingValidation => "status-pending-validation",
        Status::Completed => "status-completed",
        Status::Cancelled => "status-cancelled",
        Status::Expired => "status-expired",
        Status::ClassificationFailed => "status-classification-failed",
        Status::Reversed => "status-reversed",
    }
}

/// An instant in local time, as short as `now` allows.
fn date(localizer: Localizer<'_>, at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let local = |instant: Timestamp| {
        let instant = jiff::Timestamp::from_millisecond(instant.0).ok()?;
        Some(instant.to_zoned(zone.clone()))
    };
    let (Some(at), Some(now)) = (local(at), local(now)) else { return at.to_string() };
    let time = at.strftime("%H:%M").to_string();
    let day = at.day().into();
    let month = localizer.format("month", &[("month", at.month().into())]).into();
    if at.date() == now.date() {
        localizer.format("date-today", &[("time", time.into())])
    } else if now.date().yesterday().is_ok_and(|yesterday| at.date() == yesterday) {
        localizer.format("date-yesterday", &[("time", time.into())])
    } else if at.year() == now.year() {
        localizer.format("date-this-year", &[("day", day), ("month", month), ("time", time.into())])
    } else {
        localizer.format("date-other-year", &[("day", day), ("month", month), ("year", at.year().into())])
    }
}
