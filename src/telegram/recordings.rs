//! Recordings as Telegram keeps them, for the transcriber.

use async_trait::async_trait;

use crate::remote::recordings::{FetchError, Recordings};
use crate::telegram::client::{CallError, Client};
use deposit::Attachment;

#[async_trait]
impl Recordings for Client {
    async fn fetch(&self, file: &Attachment, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
        // Telegram states the size before anything is fetched.
        let stored = self.get_file(&file.file).await.map_err(|error| class_of(&error))?;
        let fetched = self.download(&stored, bytes_max).await.map_err(|error| class_of(&error))?;
        fetched.ok_or(FetchError::TooLarge)
    }
}

fn class_of(error: &CallError) -> FetchError {
    let is_too_large =
        matches!(error, CallError::Rejected { description, .. } if description.contains("too big"));
    match error {
        _ if is_too_large => FetchError::TooLarge,
        passing if passing.is_passing() => FetchError::Unavailable,
        _final => FetchError::Gone,
    }
}
