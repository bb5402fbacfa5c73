//! The document as it is stored: JSON, refused when it is too large, left alone when it cannot be read.

use serde::Deserialize;

use crate::session::{DOCUMENT_BYTES_MAX, SCHEMA, Session, SessionKey};
use crate::store::StoreError;

pub(super) fn encode(session: &Session) -> Result<String, StoreError> {
    let key = session.key;
    let document =
        serde_json::to_string(session).map_err(|error| StoreError::Corrupt { key, reason: place(&error) })?;
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err(StoreError::TooLarge { key, bytes: document.len() });
    }
    Ok(document)
}

pub(super) fn decode(key: SessionKey, document: &[u8]) -> Result<Session, StoreError> {
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
        return Err(corrupt("it belongs to another conversation".to_owned()));
    }
    Ok(session)
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
    use crate::deposit::{BotId, ChatId, UserId};

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
        let error = decode(KEY, br#"{"schema":2,"key":"a text now"}"#).unwrap_err();
        assert!(matches!(error, StoreError::Newer { schema: 2, .. }), "{error}");
        let other = SessionKey { user: UserId(4), ..KEY };
        let document = encode(&Session::new(other, Timestamp(1_000))).unwrap();
        assert!(matches!(decode(KEY, document.as_bytes()), Err(StoreError::Corrupt { .. })));
    }
}
