//! The transcriber of the shipped voice notes: they carry their own words, so no service has to be asked.
//!
//! It speaks the protocol of the servers that `STT_BASE_URL` may name, so that the bot takes its usual way. A recording
//! from the page carries no words: then it is a server that knows nothing of recordings, and the bot sends the sentence
//! that it always sends where there is no transcriber.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::http::serve::{Limits, serve};

/// The largest recording that is taken, in bytes: what the page records at most, and a form around it.
const BYTES_MAX: usize = 3 * 1024 * 1024;
/// The comment of a note that holds its words.
const WORDS: &str = "DESCRIPTION=";

/// The listener; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Voice {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Voice {
    /// Starts listening on the loopback.
    ///
    /// # Errors
    /// No port is left.
    pub(super) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/v1/audio/transcriptions", post(transcribe))
            .layer(DefaultBodyLimit::max(BYTES_MAX));
        let task = tokio::spawn(serve(listener, router, Limits::default(), CancellationToken::new()));
        Ok(Self { address, task })
    }

    /// The value for `STT_BASE_URL`.
    pub(super) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers a form with a recording in it; the form itself need not be taken apart to find the comments of the recording.
async fn transcribe(form: Bytes) -> Response {
    match words(&form) {
        Some(text) => axum::Json(json!({ "text": text })).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The words among the comments of an OGG/Opus file (RFC 7845 §5.2), wherever it begins in `bytes`.
fn words(bytes: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"OpusTags";
    let at = bytes.windows(MARK.len()).position(|window| window == MARK)?;
    let mut rest = bytes.get(at + MARK.len()..)?;
    let _vendor = take(&mut rest)?;
    let (count, after) = rest.split_first_chunk::<4>()?;
    rest = after;
    (0..u32::from_le_bytes(*count))
        .map_while(|_| take(&mut rest))
        .find_map(|comment| Some(std::str::from_utf8(comment).ok()?.strip_prefix(WORDS)?.trim().to_owned()))
}

/// A text with its length before it, off the front of `rest`.
fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (text, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *rest = after;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::page;

    #[test]
    fn a_shipped_note_says_its_words_wherever_it_stands() {
        let texts: Vec<serde_json::Value> =
            serde_json::from_slice(page::file("/samples.json").unwrap().bytes).unwrap();
        assert!(!texts.is_empty());
        for text in texts {
            let note = page::sample(text["name"].as_str().unwrap()).unwrap();
            let form = [b"--x\r\n\r\n", note.bytes, b"\r\n--x--"].concat();
            assert_eq!(words(&form).as_deref(), text["text"].as_str());
            assert!((1..=30).contains(&note.seconds), "{} s", note.seconds);
        }
    }

    #[test]
    fn what_is_no_such_note_has_no_words() {
        let lying = [b"OpusTags".as_slice(), &[255, 255, 255, 255], b"DESCRIPTION=x"].concat();
        let endless = [b"OpusTags".as_slice(), &[0, 0, 0, 0, 255, 255, 255, 255]].concat();
        for bytes in [b"".as_slice(), b"RIFF", b"OpusTags", &lying, &endless] {
            assert_eq!(words(bytes), None);
        }
    }
}
