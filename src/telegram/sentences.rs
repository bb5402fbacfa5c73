//! What is said beside the card: plain answers, notices, what a tap is answered with, the list of deposits, the menu.

use jiff::tz::TimeZone;

use crate::clock::Timestamp;
use crate::deposit::{Recorded, Status};
use crate::session::{Answer, Language, Sentence};
use crate::telegram::picture::{Picture, Style, one_line, shortened};
use crate::words::Phrases;

/// How many deposits `/mesdepots` lists.
pub const LISTED_MAX: usize = 10;
/// How many objects of a deposit the list names.
const OBJECTS_LISTED: usize = 3;
/// How long each of them may be, in UTF-16 units.
const OBJECT_UNITS: usize = 30;

/// A notice that does not belong to a conversation: to strangers, to people over their limit, to groups, about access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// The request for access waits for an admin.
    AccessPending,
    /// Too many requests wait already.
    AccessFull,
    /// An admin said yes.
    AccessGranted,
    /// An admin said no.
    AccessRefused,
    /// The invitation made this person an admin.
    AdminGranted,
    /// The invitation is over or was used.
    InvitationInvalid,
    /// Over the limit of messages per minute.
    TooFast,
    /// The bot was added to a group and leaves it.
    Group,
}

/// What a tap is answered with beside the card: a line that fades, at most 200 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toast {
    /// What the conversation answers.
    Answered(Answer),
    /// The deposit belongs to somebody else.
    NotYours,
    /// The button needs a role that this person does not have.
    NotAllowed,
    /// The deposit was undone.
    Undone,
    /// The ten minutes are over.
    TooLateToUndo,
    /// The draft was taken up again.
    Resumed,
    /// The ledger does not know the deposit.
    Gone,
    /// The request for access was taken.
    AccessAsked,
    /// The decision about a request was taken.
    Decided,
    /// Somebody else was quicker.
    AlreadyDecided,
    /// Something that the answer needs is away for the moment.
    Unavailable,
}

/// One deposit of the list, from its latest revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its short number, if it has one.
    pub number: Option<u64>,
    /// Where it stands.
    pub status: Status,
    /// When it was decided.
    pub at: Timestamp,
    /// Its objects, in order.
    pub objects: Vec<String>,
    /// What is known of its weight, in grams; 0 for nothing.
    pub grams: u64,
}

/// A command of the menu, for `setMyCommands`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuCommand {
    /// Its name without the slash.
    pub name: &'static str,
    /// What it does, 3 to 256 characters.
    pub description: String,
}

/// The message for a sentence. [`Sentence::MyDeposits`] is what somebody without any reads; for others see [`my_deposits`].
#[must_use]
pub fn sentence(phrases: Phrases<'_>, sentence: Sentence) -> Picture {
    Picture::plain(phrases.plain(match sentence {
        Sentence::Welcome => "say-welcome",
        Sentence::Help => "say-help",
        Sentence::MyDeposits => "my-deposits-none",
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

/// The message for an announcement.
#[must_use]
pub fn announcement(phrases: Phrases<'_>, announcement: Announcement) -> Picture {
    Picture::plain(phrases.plain(match announcement {
        Announcement::AccessPending => "announce-access-pending",
        Announcement::AccessFull => "announce-access-full",
        Announcement::AccessGranted => "announce-access-granted",
        Announcement::AccessRefused => "announce-access-refused",
        Announcement::AdminGranted => "announce-admin-granted",
        Announcement::InvitationInvalid => "announce-invitation-invalid",
        Announcement::TooFast => "announce-too-fast",
        Announcement::Group => "announce-group",
    }))
}

/// The words of a toast; `None` where the card says it all.
#[must_use]
pub fn toast(phrases: Phrases<'_>, toast: Toast) -> Option<String> {
    let key = match toast {
        Toast::Answered(Answer::Done) => return None,
        Toast::Answered(Answer::Stale) => "toast-stale",
        Toast::Answered(Answer::Recording) => "toast-recording",
        Toast::Answered(Answer::AnotherOpen) => "toast-another-open",
        Toast::Answered(Answer::Elsewhere) => "toast-elsewhere",
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
    Some(phrases.plain(key))
}

/// The menu of commands in one language.
#[must_use]
pub fn menu(phrases: Phrases<'_>) -> Vec<MenuCommand> {
    let (cancel, help) = match phrases.language {
        Language::Fr => ("annuler", "aide"),
        Language::En => ("cancel", "help"),
    };
    let entries = [
        ("depot", "command-depot"),
        (cancel, "command-annuler"),
        ("mesdepots", "command-mesdepots"),
        ("statut", "command-statut"),
        (help, "command-aide"),
    ];
    entries.map(|(name, key)| MenuCommand { name, description: phrases.plain(key) }).into()
}

/// The last deposits of a person, newest first, in the local time of `zone`; the first [`LISTED_MAX`] are listed.
#[must_use]
pub fn my_deposits(phrases: Phrases<'_>, deposits: &[Listed], now: Timestamp, zone: &TimeZone) -> Picture {
    if deposits.is_empty() {
        return sentence(phrases, Sentence::MyDeposits);
    }
    let listed = deposits.get(..LISTED_MAX).unwrap_or(deposits);
    let mut picture = Picture::default();
    let title = phrases.say("my-deposits-title", &[("count", listed.len().into())]);
    picture.styled(Style::Bold, &title);
    for deposit in listed {
        picture.paragraph(&heading(phrases, deposit, now, zone));
        let objects = objects(phrases, deposit);
        if !objects.is_empty() {
            picture.line(&objects);
        }
    }
    picture
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
            grams: weights.flatten().map(|weight| u64::from(weight.grams)).sum(),
        }
    }
}

fn heading(phrases: Phrases<'_>, deposit: &Listed, now: Timestamp, zone: &TimeZone) -> String {
    let status = phrases.plain(status_key(deposit.status));
    let number = deposit.number.map(|number| phrases.say("my-deposits-number", &[("number", number.into())]));
    let date = date(phrases, deposit.at, now, zone);
    [Some(status), number, Some(date)].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn objects(phrases: Phrases<'_>, deposit: &Listed) -> String {
    let named = deposit.objects.iter().take(OBJECTS_LISTED);
    let mut objects =
        named.map(|object| shortened(&one_line(object), OBJECT_UNITS)).collect::<Vec<_>>().join(", ");
    let more = deposit.objects.len().saturating_sub(OBJECTS_LISTED);
    if more > 0 {
        objects.push(' ');
        objects.push_str(&phrases.say("my-deposits-more", &[("count", more.into())]));
    }
    if deposit.grams > 0 {
        let separator = if objects.is_empty() { "" } else { " · " };
        objects.push_str(separator);
        objects.push_str(&phrases.weight(deposit.grams));
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

/// An instant in local time, as short as it can be told from `now`.
fn date(phrases: Phrases<'_>, at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let local = |instant: Timestamp| {
        let instant = jiff::Timestamp::from_millisecond(instant.0).ok()?;
        Some(instant.to_zoned(zone.clone()))
    };
    let (Some(at), Some(now)) = (local(at), local(now)) else { return at.to_string() };
    let time = at.strftime("%H:%M").to_string();
    let day = at.day().into();
    let month = phrases.say("month", &[("month", at.month().into())]).into();
    if at.date() == now.date() {
        phrases.say("date-today", &[("time", time.into())])
    } else if now.date().yesterday().is_ok_and(|yesterday| at.date() == yesterday) {
        phrases.say("date-yesterday", &[("time", time.into())])
    } else if at.year() == now.year() {
        phrases.say("date-this-year", &[("day", day), ("month", month), ("time", time.into())])
    } else {
        phrases.say("date-other-year", &[("day", day), ("month", month), ("year", at.year().into())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telegram::picture::{TEXT_UNITS_MAX, units};
    use crate::words::Words;

    /// 2025-12-03, 12:00 UTC.
    const NOW: Timestamp = Timestamp(1_764_763_200_000);
    const HOUR: i64 = 3_600_000;
    const BOTH: [Language; 2] = [Language::Fr, Language::En];

    fn paris() -> TimeZone {
        TimeZone::get("Europe/Paris").unwrap()
    }

    #[test]
    fn every_sentence_has_its_words_and_fits() {
        use Sentence::*;
        let all = [
            Welcome,
            Help,
            MyDeposits,
            NothingOpen,
            StillListening,
            NothingToCancel,
            UnknownCommand,
            Unsupported,
            UnsupportedFile,
            EditIgnored,
            Busy,
            Trouble,
            TooLong,
        ];
        let words = Words::new().unwrap();
        for language in BOTH {
            let mut said: Vec<_> = all.map(|one| sentence(words.phrases(language), one).text).into();
            assert!(said.iter().all(|text| text.contains(' ') && units(text) < TEXT_UNITS_MAX), "{said:?}");
            said.sort();
            said.dedup();
            assert_eq!(said.len(), all.len());
        }
    }

    #[test]
    fn toasts_are_at_most_200_characters_and_a_tap_that_worked_needs_none() {
        use Toast::*;
        let answers =
            [Answer::Stale, Answer::Recording, Answer::AnotherOpen, Answer::Elsewhere].map(Answered);
        let others = [
            NotYours,
            NotAllowed,
            Undone,
            TooLateToUndo,
            Resumed,
            Gone,
            AccessAsked,
            Decided,
            AlreadyDecided,
            Unavailable,
        ];
        let words = Words::new().unwrap();
        for language in BOTH {
            let phrases = words.phrases(language);
            assert_eq!(toast(phrases, Answered(Answer::Done)), None);
            for one in answers.into_iter().chain(others) {
                let text = toast(phrases, one).unwrap();
                assert!(text.contains([' ', '\u{202f}']) && text.chars().count() <= 200, "{text}");
            }
        }
        assert_eq!(toast(words.phrases(Language::Fr), NotYours).unwrap(), "Ce dépôt n'est pas le vôtre.");
    }

    #[test]
    fn announcements_have_their_words() {
        use Announcement::*;
        let all = [
            AccessPending,
            AccessFull,
            AccessGranted,
            AccessRefused,
            AdminGranted,
            InvitationInvalid,
            TooFast,
            Group,
        ];
        let words = Words::new().unwrap();
        for (language, one) in BOTH.into_iter().flat_map(|language| all.map(|one| (language, one))) {
            assert!(announcement(words.phrases(language), one).text.contains(' '));
        }
    }

    #[test]
    fn the_menu_names_what_telegram_accepts() {
        let words = Words::new().unwrap();
        for language in BOTH {
            for command in menu(words.phrases(language)) {
                assert!(command.name.chars().all(|c| c.is_ascii_lowercase()), "{command:?}");
                assert!((3..=256).contains(&command.description.chars().count()), "{command:?}");
                let help = sentence(words.phrases(language), Sentence::Help).text;
                assert!(
                    command.name.starts_with("aide") || command.name == "help" || help.contains(command.name)
                );
            }
        }
    }

    #[test]
    fn the_list_says_what_when_and_how_much() {
        let listed = |number, status, hours: i64, objects: &[&str], grams| Listed {
            number,
            status,
            at: Timestamp(NOW.0 - hours * HOUR),
            objects: objects.iter().map(|object| (*object).to_owned()).collect(),
            grams,
        };
        let deposits = [
            listed(None, Status::PendingValidation, 0, &["chaise"], 0),
            listed(
                Some(12),
                Status::Completed,
                2,
                &["bouilloire", "grille-pain", "lampe", "vélo", "ski"],
                6_200,
            ),
            listed(Some(11), Status::Reversed, 14, &["<b>fauteuil</b>\nvert"], 12_000),
            listed(None, Status::Expired, 24 * 20, &[], 0),
            listed(Some(1), Status::Completed, 24 * 400, &["livres"], 0),
        ];
        let words = Words::new().unwrap();
        insta::assert_snapshot!(my_deposits(words.phrases(Language::Fr), &deposits, NOW, &paris()).sketch(), @"
        *📋 Vos 5 derniers dépôts*

        ❔ à valider · aujourd'hui 13:00
        chaise

        ✅ enregistré · n° 12 · aujourd'hui 11:00
        bouilloire, grille-pain, lampe et 2 de plus · 6,2 kg

        ↩ annulé · n° 11 · hier 23:00
        <b>fauteuil</b> vert · 12 kg

        ⌛ expiré · 13 nov., 13:00

        ✅ enregistré · n° 1 · 29 oct. 2024
        livres
        ");
        insta::assert_snapshot!(my_deposits(words.phrases(Language::En), &deposits[..2], NOW, &paris()).sketch(), @"
        *📋 Your last 2 deposits*

        ❔ to confirm · today 13:00
        chaise

        ✅ saved · no. 12 · today 11:00
        bouilloire, grille-pain, lampe and 2 more · 6.2 kg
        ");
        assert_eq!(my_deposits(words.phrases(Language::En), &[], NOW, &paris()).entities, []);
    }

    #[test]
    fn ten_long_deposits_fit() {
        let long = Listed {
            number: Some(u64::MAX),
            status: Status::ClassificationFailed,
            at: Timestamp(i64::MIN),
            objects: vec!["👨‍👩‍👧".repeat(500); 20],
            grams: u64::from(u32::MAX) * 21,
        };
        let words = Words::new().unwrap();
        let picture = my_deposits(words.phrases(Language::Fr), &vec![long; 30], NOW, &paris());
        assert!(picture.fits());
        assert_eq!(picture.text.matches("n°").count(), LISTED_MAX);
    }
}
