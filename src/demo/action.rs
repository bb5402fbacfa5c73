//! The actions of the page: one JSON object each, checked before anything is done.

use std::time::Duration;

use serde::Deserialize;

use crate::demo::controls::{self, Control, ControlError};
use crate::demo::harness::Harness;
use crate::demo::page;
use bot_api_simulator::User;
use harness::personas::Persona;

/// The longest time that goes by at once, in seconds.
const PASS_MAX: u64 = 86_400;
/// The longest text that a client sends in one message, in UTF-16 code units.
const TEXT_MAX: usize = 4096;

/// An action that the page sends.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Request {
    Say { who: i64, say: String, reply_to: Option<i64> },
    Tap { who: i64, tap: Tap },
    Sample { who: i64, sample: String },
    Photo { who: i64, photo: String },
    Pass { pass: u64 },
    Set { control: Control, on: bool },
}

/// A button that is pressed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tap {
    message: i64,
    data: String,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActionError {
    /// The request makes no sense; the sentence gives the reason.
    #[error("{0}")]
    Refused(String),
    /// It makes sense, and could not be done.
    #[error("{0}")]
    Failed(String),
}

impl From<ControlError> for ActionError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NoRedis => Self::Refused(error.to_string()),
            ControlError::NoStart(_) => Self::Failed(error.to_string()),
        }
    }
}

fn refused(why: impl Into<String>) -> ActionError {
    ActionError::Refused(why.into())
}

/// Performs the action of a request.
///
/// # Errors
/// A sentence in French with the reason why nothing was done.
pub(super) async fn perform(harness: &Harness, body: &[u8]) -> Result<(), ActionError> {
    let request: Request = serde_json::from_slice(body)
        .map_err(|_| refused("la demande ne dit pas clairement une chose à faire"))?;
    match request {
        Request::Say { who, say: text, reply_to } => say(&harness.user(persona(who)?), &text, reply_to),
        Request::Tap { who, tap } => {
            harness.user(persona(who)?).taps_data(tap.message, &tap.data);
            Ok(())
        }
        Request::Sample { who, sample } => {
            let note =
                page::sample(&sample).ok_or_else(|| refused(format!("il n'y a pas de note « {sample} »")))?;
            harness.user(persona(who)?).sends_voice(note.seconds, note.bytes);
            Ok(())
        }
        Request::Photo { who, photo } => {
            let picture = page::picture(&photo);
            let picture = picture.ok_or_else(|| refused(format!("il n'y a pas de photo « {photo} »")))?;
            harness.user(persona(who)?).sends_picture("image/jpeg", picture);
            Ok(())
        }
        Request::Pass { pass } if (1..=PASS_MAX).contains(&pass) => {
            harness.pass(Duration::from_secs(pass));
            Ok(())
        }
        Request::Pass { .. } => Err(refused(format!("on peut passer de 1 à {PASS_MAX} secondes"))),
        Request::Set { control, on } => Ok(controls::set(harness, control, on).await?),
    }
}

/// The persona who sends a file, which must not be empty.
pub(super) fn sends(who: i64, file: &[u8]) -> Result<&'static Persona, ActionError> {
    if file.is_empty() {
        return Err(refused("le fichier est vide"));
    }
    persona(who)
}

/// The persona of this id.
fn persona(id: i64) -> Result<&'static Persona, ActionError> {
    Persona::of(id).ok_or_else(|| refused(format!("personne n'a le numéro {id}")))
}

fn say(user: &User, text: &str, reply_to: Option<i64>) -> Result<(), ActionError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(refused("le message est vide"));
    }
    if text.encode_utf16().count() > TEXT_MAX {
        return Err(refused(format!("le message dépasse {TEXT_MAX} caractères")));
    }
    match reply_to {
        Some(message) => user.replies(message, text),
        None => user.says(text),
    };
    Ok(())
}
