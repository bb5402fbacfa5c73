//! The source of the files that a server is to transcribe or understand.

use async_trait::async_trait;

use deposit::Attachment;

/// Fetches a user's file from where it is kept.
#[async_trait]
pub trait Recordings: Send + Sync + 'static {
    /// The bytes of a file, at most `bytes_max`; one that is known to be larger is not fetched at all.
    ///
    /// # Errors
    /// [`FetchError`] distinguishes whether trying again may help.
    async fn fetch(&self, file: &Attachment, bytes_max: u64) -> Result<Vec<u8>, FetchError>;
}

/// Why a file could not be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The server that keeps it does not answer; trying again may help.
    #[error("the file cannot be fetched for now")]
    Unavailable,
    /// It is larger than the limit of a fetch.
    #[error("the file is too large")]
    TooLarge,
    /// It is not there any more, or is not handed out.
    #[error("the file is not handed out")]
    Gone,
}
