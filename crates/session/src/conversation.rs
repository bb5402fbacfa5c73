//! The commands and notes of the user.

use serde::Serialize;

use crate::apply::Context;
use crate::effect::{Effect, Sentence};
use crate::event::Note;
use crate::state::{Asked, Notice, State};
use crate::{DOCUMENT_BYTES_MAX, PENDING_MAX, Session, Waiting};
use deposit::{ATTACHMENTS_MAX, Draft, LINES_MAX, Media, SAID_CHARS_MAX, Status};

/// The room that a document reserves for all but notes: pending sentences, leases, seen ids.
const RESERVE: usize = 4 * 1024;
/// How often a note is in a document at most: in its pending effect, in the draft, and in the deposit to be recorded.
pub(super) const COPIES: usize = 3;

impl Session {
    pub(super) fn opening_requested(&mut self, context: &Context) {
        if self.is_open() {
            self.repost_card();
        } else if self.is_closing() {
            self.wait(Waiting::Opening, context);
        } else {
            let draft = self.open(context);
            self.state = State::AwaitingDescription { draft, asked: Asked::Opening };
            self.repost_card();
        }
    }

    pub(super) fn cancel_requested(&mut self, context: &Context) {
        if self.is_open() {
            self.leave(Status::Cancelled, context.now);
            self.repost_card();
        } else {
            self.say(Sentence::NothingToCancel, context.now);
        }
    }

    pub(super) fn status_requested(&mut self, context: &Context) {
        match &self.state {
            State::AwaitingDescription { .. }
            | State::AwaitingValidation { .. }
            | State::Recording { .. } => {
                self.repost_card();
            }
            // The card will follow by itself.
            State::Understanding { .. } => self.say(Sentence::StillListening, context.now),
            State::Idle | State::Closed { .. } => self.say(Sentence::NothingOpen, context.now),
        }
    }

    pub(super) fn note_received(&mut self, note: &Note, context: &Context) {
        if self.is_closing() {
            self.wait(Waiting::Note(note.clone()), context);
            return;
        }
        if !self.is_open() {
            let draft = self.open(context);
            self.state = State::Understanding { draft };
        }
        self.take_note(note, context);
    }

    /// Opens the next deposit from the waiting notes, once the last one is closed.
    pub(super) fn open_waiting(&mut self, context: &Context) {
        if self.waiting.is_empty() || self.is_closing() || self.is_open() {
            return;
        }
        for waiting in std::mem::take(&mut self.waiting) {
            match waiting {
                Waiting::Opening => self.opening_requested(context),
                Waiting::Note(note) => self.note_received(&note, context),
            }
        }
        self.active_at = context.now;
    }

    /// Whether the last deposit is not yet in the ledger, or its final view not yet in the chat.
    fn is_closing(&self) -> bool {
        match &self.state {
            State::Recording { .. } => true,
            State::Closed { .. } => self.card_is_due(),
            State::Idle
            | State::AwaitingDescription { .. }
            | State::Understanding { .. }
            | State::AwaitingValidation { .. } => false,
        }
    }

    fn wait(&mut self, waiting: Waiting, context: &Context) {
        let said = self.waiting.iter().chain([&waiting]).map(Waiting::chars).sum::<usize>();
        if self.waiting.len() < PENDING_MAX && said <= SAID_CHARS_MAX && self.has_room_for(bytes(&waiting)) {
            self.waiting.push(waiting);
        } else {
            self.say(Sentence::Busy, context.now);
        }
    }

    /// Takes a note into the open deposit.
    fn take_note(&mut self, note: &Note, context: &Context) {
        if self.pending.len() >= PENDING_MAX {
            self.wait(Waiting::Note(note.clone()), context);
            return;
        }
        if !self.has_room_for(COPIES * bytes(note)) || self.draft().is_some_and(|draft| is_full(draft, note))
        {
            self.refuse_as_full(note, context);
            return;
        }
        let reply_to = note.reply_to.filter(|message| self.is_card(*message));
        let note = &Note { reply_to, ..note.clone() };
        let Some(draft) = self.draft_mut() else { return };
        let joins_album = note.album.is_some() && note.album == draft.album;
        draft.album.clone_from(&note.album);
        draft.attachments.extend(note.attachment.clone());
        if !note.text.is_empty() {
            draft.said.push(note.text.clone());
            self.work_on(Effect::Understand(note.clone()), context);
        } else if note.attachment.as_ref().is_some_and(|file| file.media != Media::Photo) {
            self.work_on(Effect::Transcribe(note.clone()), context);
        } else if note.look && !joins_album {
            self.work_on(Effect::Understand(note.clone()), context);
        } else {
            self.keep_photo(joins_album);
        }
    }

    /// Adds the effect that processes a note; a deposit without lines shows nothing else meanwhile.
    fn work_on(&mut self, effect: Effect, context: &Context) {
        self.push(effect, context.now);
        if let State::AwaitingDescription { .. } = self.state
            && let Some(draft) = self.take_draft()
        {
            self.state = State::Understanding { draft };
        }
    }

    /// A photo alone describes nothing: it joins the deposit, and an empty deposit asks once for a description.
    fn keep_photo(&mut self, joins_album: bool) {
        if self.is_computing() {
            return;
        }
        let Some(draft) = self.take_draft() else { return };
        if draft.lines.is_empty() {
            self.state = State::AwaitingDescription { draft, asked: Asked::PhotoKept };
            self.card.wanted += 1;
        } else {
            self.show_lines(draft, Some(Notice::PhotoKept));
        }
        if !joins_album {
            self.card.repost_from = self.card.wanted;
        }
    }

    /// At a bound nothing is cut: the user is notified, and the last note waits for the next deposit.
    pub(super) fn refuse_as_full(&mut self, note: &Note, context: &Context) {
        match self.take_draft() {
            Some(mut draft) if !draft.lines.is_empty() => {
                // The waiting note belongs to the next deposit.
                if let Some(last) = draft.said.iter().rposition(|said| *said == note.text) {
                    draft.said.remove(last);
                }
                self.show_lines(draft, Some(Notice::Full));
                self.card.repost_from = self.card.wanted;
                self.wait(Waiting::Note(note.clone()), context);
            }
            Some(draft) => {
                self.state = State::Understanding { draft };
                self.ask_if_empty(Asked::NotUnderstood);
                self.say(Sentence::TooLong, context.now);
            }
            None => {}
        }
    }

    /// Whether the document can take `bytes` more and still be stored when its deposit leaves it.
    pub(super) fn has_room_for(&self, bytes_more: usize) -> bool {
        // A decided deposit is there twice: in the state, and in the pending effect that records it.
        let leaving = self.draft().map_or(0, bytes);
        bytes(self).saturating_add(leaving).saturating_add(bytes_more) <= DOCUMENT_BYTES_MAX - RESERVE
    }

    /// Asks for a description if no note is being processed and none was understood.
    pub(super) fn ask_if_empty(&mut self, asked: Asked) {
        if self.is_computing() {
            return;
        }
        if let State::Understanding { .. } = self.state
            && let Some(draft) = self.take_draft()
        {
            self.state = State::AwaitingDescription { draft, asked };
            self.repost_card();
        }
    }
}

impl Waiting {
    /// The length of its text.
    fn chars(&self) -> usize {
        match self {
            Self::Opening => 0,
            Self::Note(note) => note.text.chars().count(),
        }
    }
}

/// The size of a part of the document when it is stored.
pub(super) fn bytes(part: &impl Serialize) -> usize {
    serde_json::to_vec(part).map_or(DOCUMENT_BYTES_MAX, |json| json.len())
}

/// Whether the deposit has no room for the note.
fn is_full(draft: &Draft, note: &Note) -> bool {
    // A text may correct lines: whether it adds one is known later.
    (draft.lines.len() >= LINES_MAX && note.attachment.is_some())
        || draft.said_chars() + note.text.chars().count() > SAID_CHARS_MAX
        || draft.attachments.len() >= ATTACHMENTS_MAX
}
