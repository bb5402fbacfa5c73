//! The stored document: JSON, refused when it is too large, left alone when it is unreadable.

use serde::Deserialize;

use crate::store::StoreError;
use session::{DOCUMENT_BYTES_MAX, SCHEMA, Session, SessionKey};

/// Writes a document.
///
/// # Errors
/// [`StoreError::TooLarge`].
pub fn encode(session: &Session) -> Result<String, StoreError> {
    let key = session.key;
    let document =
        serde_json::to_string(session).map_err(|error| StoreError::Corrupt { key, reason: place(&error) })?;
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err(StoreError::TooLarge { key, bytes: document.len() });
    }
    Ok(document)
}

/// Reads a document of the session `key`.
///
/// # Errors
/// [`StoreError::Corrupt`] and [`StoreError::Newer`].
pub fn decode(key: SessionKey, document: &[u8]) -> Result<Session, StoreError> {
    /// All that is certain about a document of a newer release.
    #[derive(Deserialize)]
    struct Layout {
        schema: u16,
    }

    let corrupt = |reason: String| StoreError::Corrupt { key, reason };
    let layout: Layout = serde_json::from_slice(document).map_err(|error| corrupt(place(&error)))?;
    if layout.schema > SCHEMA {
        return Err(StoreError::Newer { key, schema: layout.schema });
    }
    let session: Session = serde_json::from_slice(document).map_err(|error| corrupt(place(&error)))?;
    if session.key != key {
        return Err(corrupt("it belongs to another session".to_owned()));
    }
    Ok(session)
}

/// The stored bytes, if they were found corrupt; not those of a newer release, which can read them.
#[must_use]
pub fn if_corrupt<T>(read: &Result<T, StoreError>, stored: Vec<u8>) -> Option<Vec<u8>> {
    matches!(read, Err(StoreError::Corrupt { .. })).then_some(stored)
}

/// Where reading stopped; the message itself would quote the document.
fn place(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Io => "unreadable",
        serde_json::error::Category::Syntax => "not JSON",
        serde_json::error::Category::Data => "not a session",
        serde_json::error::Category::Eof => "cut off",
    };
    format!("{what} at column {}", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use deposit::{BotId, ChatId, UserId};

    const KEY: SessionKey = SessionKey { bot: BotId(1), chat: ChatId(2), user: UserId(3) };

    #[test]
    fn what_is_written_can_be_read() {
        let session = Session::new(KEY, Timestamp(1_000));
        assert_eq!(decode(KEY, encode(&session).unwrap().as_bytes()).unwrap(), session);
    }

    #[test]
    fn what_cannot_be_read_is_told_apart_and_never_quoted() {
        let error = decode(KEY, br#"{"schema":1,"key":"Jeanne Dupont"}"#).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert!(!error.to_string().contains("Jeanne"), "{error}");
        let error = decode(KEY, br#"{"schema":1000,"key":"a text now"}"#).unwrap_err();
        assert!(matches!(error, StoreError::Newer { schema: 1000, .. }), "{error}");
        let other = SessionKey { user: UserId(4), ..KEY };
        let document = encode(&Session::new(other, Timestamp(1_000))).unwrap();
        assert!(matches!(decode(KEY, document.as_bytes()), Err(StoreError::Corrupt { .. })));
    }

    /// F66: whatever is changed in a stored document, it is told apart or it is a session that can go on.
    #[test]
    fn every_bit_flipped_is_corrupt_newer_or_a_session_and_never_a_panic() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden");
        let (mut corrupt, mut newer, mut valid) = (0, 0, 0);
        for entry in std::fs::read_dir(folder).unwrap() {
            let mut document = std::fs::read(entry.unwrap().path()).unwrap();
            let key = serde_json::from_slice::<Session>(&document).unwrap().key;
            for index in 0..document.len() {
                let byte = document[index];
                for flipped in (0..8).map(|bit| byte ^ (1 << bit)) {
                    document[index] = flipped;
                    match decode(key, &document) {
                        Ok(session) => {
                            valid += 1;
                            goes_on(&session);
                        }
                        Err(StoreError::Corrupt { key: of, .. }) => {
                            corrupt += usize::from(of == key);
                        }
                        Err(StoreError::Newer { schema, .. }) => newer += usize::from(schema > SCHEMA),
                        Err(other) => panic!("{other}"),
                    }
                }
                document[index] = byte;
            }
            for length in 0..document.len() - 2 {
                let cut = decode(key, &document[..length]);
                assert!(matches!(cut, Err(StoreError::Corrupt { .. })), "{length}: {cut:?}");
            }
        }
        assert!(corrupt > 10_000 && newer > 0 && valid > 1_000, "{corrupt} {newer} {valid}");
    }

    /// Neither asking it when it is due nor its next event makes it panic.
    fn goes_on(session: &Session) {
        use deposit::{DepositId, DepositRef};
        use session::{Cause, Context, Event, Fresh};
        let ttl = std::time::Duration::from_secs(300);
        let (_due, _kept) = (session.due_at(ttl), session.kept_for());
        let fresh = Fresh { id: DepositId(uuid::Uuid::nil()), reference: DepositRef(1) };
        let now = Timestamp(1_700_000_400_000);
        let context = Context { now, ttl, may_expire: Some(now), may_run: true, fresh, token: 9 };
        for event in [Event::DeadlinePassed, Event::IntakeResumed] {
            let next = session.apply(&Cause::Deadline, &event, &context);
            assert!(encode(&next.session).is_ok());
        }
    }
}
