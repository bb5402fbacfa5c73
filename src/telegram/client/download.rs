//! Downloads of the files that users sent, bounded in size and in time.

use std::time::Duration;

use reqwest::Url;
use secrecy::ExposeSecret as _;

use crate::telegram::client::{CallError, Client, StoredFile, class_of};

/// How long one download may take: 20 MB over a slow line.
const DEADLINE: Duration = Duration::from_secs(30);

impl Client {
    /// The bytes of a file; `None` if there are more than `bytes_max`.
    ///
    /// # Errors
    /// [`CallError`]; a retry is harmless.
    pub async fn download(&self, file: &StoredFile, bytes_max: u64) -> Result<Option<Vec<u8>>, CallError> {
        if file.bytes.is_some_and(|bytes| bytes > bytes_max) {
            return Ok(None);
        }
        let fetched = tokio::time::timeout(DEADLINE, self.fetch(file, bytes_max)).await;
        let fetched = fetched.unwrap_or(Err(CallError::Unknown));
        let code = fetched.as_ref().map_or_else(CallError::code, |_| "200");
        metrics::counter!("depot_telegram_calls_total", "method" => "download", "code" => code).increment(1);
        fetched
    }

    async fn fetch(&self, file: &StoredFile, bytes_max: u64) -> Result<Option<Vec<u8>>, CallError> {
        let url = self.file_address(&file.path).ok_or(CallError::NotSent)?;
        let mut response = self.0.http.get(url).send().await.map_err(|error| class_of(&error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(CallError::of(status, None, ""));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| CallError::Unknown)? {
            if (bytes.len() + chunk.len()) as u64 > bytes_max {
                return Ok(None);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(bytes))
    }

    /// `https://api.telegram.org/file/bot<token>/<path>`. A server started with `--local` returns a path of its own disk,
    /// which cannot be downloaded.
    fn file_address(&self, path: &str) -> Option<Url> {
        let base = self.0.base.expose_secret();
        let at = base.rfind("/bot")?;
        let (server, bot) = base.split_at(at);
        let is_plain = !path.starts_with('/') && !path.split('/').any(|part| part == "..");
        if !is_plain {
            return None;
        }
        Url::parse(&format!("{server}/file{bot}{path}")).ok()
    }
}
