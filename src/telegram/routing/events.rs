//! The meaning of a message as an event of its conversation.

use deposit::Media;
use note_reader::names;
use session::{Event, Note, Sentence};

use crate::ledger::Role;
use crate::telegram::incoming::{Content, Message, Unsupported};
use crate::telegram::routing::commands::{self, Command, Parsed};

/// The command that a text begins with. There is no other bot in a private chat, so a name after `@` is ours.
pub(super) fn command_of(content: &Content) -> Option<Parsed> {
    let Content::Text(text) = content else { return None };
    let word = text.split_whitespace().next().unwrap_or_default();
    commands::parse(text, word.split_once('@').map_or("", |(_, name)| name))
}

/// The event that a command of a member with this role means.
pub(super) fn event_of_command(command: Parsed, role: Role) -> Event {
    let Parsed::Known(command) = command else { return Event::Asked(Sentence::UnknownCommand) };
    match command {
        Command::Start(_) => Event::Asked(Sentence::Welcome),
        Command::Help if role >= Role::Manager => Event::Asked(Sentence::HelpForManagers),
        Command::Help => Event::Asked(Sentence::Help),
        Command::Quality | Command::Lexicon | Command::Forget(_) if role < Role::Manager => {
            Event::Asked(Sentence::ForManagers)
        }
        Command::Quality => Event::Asked(Sentence::Quality),
        Command::Lexicon => Event::Asked(Sentence::Lexicon),
        Command::Forget(name) if names::key(&name).is_some() => Event::Asked(Sentence::Forgotten),
        Command::Forget(_) => Event::Asked(Sentence::ForgetWhat),
        Command::Depot(text) if text.is_empty() => Event::OpeningRequested,
        Command::Depot(text) => Event::NoteReceived(Note { text, ..Note::default() }),
        Command::Cancel => Event::CancelRequested,
        Command::MyDeposits => Event::Asked(Sentence::MyDeposits),
        Command::Status => Event::StatusRequested,
    }
}

/// The event that the content of a message means.
pub(super) fn event_of_content(message: &Message, looks_at_photos: bool) -> Event {
    let reply_to = message.reply_to;
    match &message.content {
        Content::Text(text) => Event::NoteReceived(Note { text: text.clone(), reply_to, ..Note::default() }),
        Content::File { attachment, caption, album } => Event::NoteReceived(Note {
            text: caption.clone().unwrap_or_default(),
            attachment: Some(attachment.clone()),
            album: album.clone(),
            reply_to,
            look: looks_at_photos && attachment.media == Media::Photo,
        }),
        Content::Unsupported { what: Unsupported::File, .. } => Event::Asked(Sentence::UnsupportedFile),
        Content::Unsupported { what: Unsupported::Other, .. } | Content::Service(_) => {
            Event::Asked(Sentence::Unsupported)
        }
    }
}
