//! Recordings turned into text: [`Transcribe`], by an OpenAI-compatible server that the operator names ([`Speech`]) or not
//! at all ([`NoTranscriber`]).
//!
//! Nothing is downloaded that is too long or too large, and nothing is paid for whose first bytes are no recording.
//! Every answer passes a filter: whisper invents sentences where there is no speech.

mod answer;
mod recording;
mod silence;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::multipart::{Form, Part};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::remote::cache::{Cache, CachedAnswers, Kind};
use crate::remote::recordings::{FetchError, Recordings};
use crate::remote::{Remote, RemoteError, RemoteSetupError, Server};
use crate::speech::answer::Heard;
use crate::speech::recording::AudioFormat;
use deposit::Attachment;
use deposit::taxonomy::Taxonomy;
use session::Language;

/// Turns a recording into text.
#[async_trait]
pub trait Transcribe: Send + Sync + 'static {
    /// The words of the recording, whose speaker probably uses `language`; empty where there is no speech.
    ///
    /// # Errors
    /// [`TranscribeError`] distinguishes whether trying again may help.
    async fn transcribe(&self, recording: &Attachment, language: Language)
    -> Result<String, TranscribeError>;
}

/// Why there is no text of a recording.
#[derive(Debug, thiserror::Error)]
pub enum TranscribeError {
    /// No transcriber is configured: the recording is kept and its owner is asked for words.
    #[error("no transcription is configured")]
    NotConfigured,
    /// The recording or the service is out of reach; trying again may help.
    #[error("transcription is not available: {0}")]
    Unavailable(String),
    /// There will be no text of it: trying again would not help, or would take too long.
    #[error("the recording is not transcribed: {0}")]
    Failed(String),
}

/// The default where no transcription is configured.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTranscriber;

#[async_trait]
impl Transcribe for NoTranscriber {
    async fn transcribe(
        &self,
        _recording: &Attachment,
        _language: Language,
    ) -> Result<String, TranscribeError> {
        Err(TranscribeError::NotConfigured)
    }
}

/// How long the server may take: a volunteer waits, but a small machine of one's own takes its time.
const DEADLINE: Duration = Duration::from_secs(60);
/// The longest recording that is sent, in seconds: a note at a desk takes one minute at most.
const SECONDS_MAX: u32 = 600;
/// The largest recording that is fetched, in bytes: the limit of Telegram's downloads.
const BYTES_MAX: u64 = 20 * 1024 * 1024;
/// How many recordings are held in memory at a time.
const AT_ONCE: usize = 4;
/// The longest vocabulary that is sent along, in characters: whisper reads 224 tokens.
const PROMPT_CHARS_MAX: usize = 500;

/// Listens to recordings by a server.
pub struct Speech<R> {
    server: Remote,
    model: String,
    french: String,
    english: String,
    recordings: R,
    kept: CachedAnswers,
    slots: Semaphore,
    /// Whether the server returns its segments; one that refuses to is not asked again.
    tells_segments: AtomicBool,
}

impl<R: Recordings> Speech<R> {
    /// A listener by `server`, for recordings that `recordings` fetches; opens no connection yet.
    ///
    /// # Errors
    /// An address that is none.
    pub fn new(
        server: &Server,
        taxonomy: &Taxonomy,
        recordings: R,
        cache: Option<Arc<dyn Cache>>,
        clock: Clock,
    ) -> Result<Self, RemoteSetupError> {
        Ok(Self {
            server: Remote::new(server, DEADLINE, clock)?,
            model: server.model.clone(),
            french: vocabulary(taxonomy, Language::Fr),
            english: vocabulary(taxonomy, Language::En),
            recordings,
            kept: CachedAnswers::new(Kind::Transcription, cache),
            slots: Semaphore::new(AT_ONCE),
            tells_segments: AtomicBool::new(true),
        })
    }

    async fn hear(&self, recording: &Attachment, language: Language) -> Result<String, TranscribeError> {
        if recording.seconds.is_some_and(|seconds| seconds > SECONDS_MAX) {
            return Err(failed(format!("it is longer than {SECONDS_MAX} s")));
        }
        let _slot = self.slots.acquire().await.map_err(|error| unavailable(&error))?;
        let bytes = self.recordings.fetch(recording, BYTES_MAX).await.map_err(|error| match error {
            FetchError::Unavailable => unavailable(&error),
            FetchError::TooLarge | FetchError::Gone => failed(error.to_string()),
        })?;
        let format = AudioFormat::of(&bytes).ok_or_else(|| failed("it is no recording in a known format"))?;
        let prompt = self.prompt(language);
        let asked: [&[u8]; 4] =
            [&bytes, self.model.as_bytes(), language.code().as_bytes(), prompt.as_bytes()];
        let key = self.kept.key(&asked);
        if let Some(text) = self.kept.get(&key).await {
            return Ok(text);
        }
        let began = Instant::now();
        let heard = self.ask(bytes, format, language).await;
        metrics::histogram!("depot_speech_seconds").record(began.elapsed());
        let text = silence::spoken(&heard?, prompt);
        self.kept.put(&key, &text).await;
        Ok(text)
    }

    /// Sends a recording; once more and asking for less, where the server refuses to return its segments.
    async fn ask(
        &self,
        bytes: Vec<u8>,
        format: AudioFormat,
        language: Language,
    ) -> Result<Heard, TranscribeError> {
        if self.tells_segments.load(Ordering::Relaxed) {
            match self.post(bytes.clone(), format, language, "verbose_json").await {
                Err(RemoteError::Refused(_)) => {}
                outcome => return read(outcome),
            }
            let plain = self.post(bytes, format, language, "json").await;
            if plain.is_ok() {
                self.tells_segments.store(false, Ordering::Relaxed);
            }
            return read(plain);
        }
        read(self.post(bytes, format, language, "json").await)
    }

    async fn post(
        &self,
        bytes: Vec<u8>,
        format: AudioFormat,
        language: Language,
        wanted: &'static str,
    ) -> Result<crate::remote::Answer, RemoteError> {
        let file = Part::bytes(bytes).file_name(format.file_name());
        // The names are constants, so they are readable; if not, the server guesses by the file's name.
        let file = file.mime_str(format.mime_type()).map_err(|_| RemoteError::Refused(0))?;
        let form = Form::new()
            .text("model", self.model.clone())
            .text("language", language.code())
            .text("prompt", self.prompt(language).to_owned())
            .text("temperature", "0")
            .text("response_format", wanted)
            .part("file", file);
        self.server.post(|request| request.multipart(form)).await
    }

    fn prompt(&self, language: Language) -> &str {
        match language {
            Language::Fr => &self.french,
            Language::En => &self.english,
        }
    }
}

#[async_trait]
impl<R: Recordings> Transcribe for Speech<R> {
    async fn transcribe(
        &self,
        recording: &Attachment,
        language: Language,
    ) -> Result<String, TranscribeError> {
        let heard = self.hear(recording, language).await;
        let outcome = match &heard {
            Ok(text) if text.is_empty() => "nothing",
            Ok(_) => "heard",
            Err(TranscribeError::Unavailable(_)) => "unavailable",
            Err(TranscribeError::Failed(_) | TranscribeError::NotConfigured) => "failed",
        };
        metrics::counter!("depot_speech_total", "outcome" => outcome).increment(1);
        heard
    }
}

impl<R> fmt::Debug for Speech<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speech").field("model", &self.model).finish_non_exhaustive()
    }
}

fn read(outcome: Result<crate::remote::Answer, RemoteError>) -> Result<Heard, TranscribeError> {
    let answer = outcome.map_err(|error| match error {
        RemoteError::Unavailable => unavailable(&error),
        // A user who waited for a minute is asked for words rather than made to wait again.
        RemoteError::Slow
        | RemoteError::Redirected
        | RemoteError::Misdirected(_)
        | RemoteError::Refused(_)
        | RemoteError::TooLong => failed(error.to_string()),
    })?;
    Heard::read(&answer).ok_or_else(|| failed("the answer of the server cannot be read"))
}

fn unavailable(error: &impl fmt::Display) -> TranscribeError {
    TranscribeError::Unavailable(error.to_string())
}

fn failed(why: impl Into<String>) -> TranscribeError {
    TranscribeError::Failed(why.into())
}

/// The vocabulary of this desk: a sentence as volunteers say them, and the names of things category by category.
fn vocabulary(taxonomy: &Taxonomy, language: Language) -> String {
    let mut prompt = match language {
        Language::Fr => {
            "Deux bouilloires 3 kg, un lot de vaisselle 6 kg au recyclage, une chaise à la déchetterie"
        }
        Language::En => "Two kettles 3 kg, a lot of crockery 6 kg for recycling, one chair to the tip",
    }
    .to_owned();
    for category in &taxonomy.categories {
        let label = category.short.in_language(language);
        if prompt.chars().count() + label.chars().count() + 2 > PROMPT_CHARS_MAX {
            break;
        }
        prompt.push_str(", ");
        prompt.push_str(&label.to_lowercase());
    }
    prompt + "."
}

#[cfg(test)]
mod tests {
    use super::*;
    use deposit::Media;

    #[test]
    fn the_vocabulary_names_the_categories_and_is_short() {
        let taxonomy = Taxonomy::built_in().unwrap();
        for (language, word) in [(Language::Fr, "déchetterie"), (Language::En, "crockery")] {
            let words = vocabulary(&taxonomy, language);
            assert!(words.contains(word) && words.chars().count() <= PROMPT_CHARS_MAX + 1, "{words}");
        }
        let furniture = taxonomy.category(&"furniture".into()).unwrap().short.fr.to_lowercase();
        assert!(vocabulary(&taxonomy, Language::Fr).contains(&furniture));
    }

    #[tokio::test]
    async fn without_a_transcriber_nobody_listens() {
        let recording = Attachment { media: Media::Voice, file: "f".to_owned(), seconds: Some(3) };
        let heard = NoTranscriber.transcribe(&recording, Language::Fr).await;
        assert!(matches!(heard, Err(TranscribeError::NotConfigured)));
    }
}
