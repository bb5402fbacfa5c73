//! The transcriber and the reader of notes: embedded, or a server that the configuration names, behind a cache.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::model::llm::{Assisted, Budget};
use crate::model::{Embedded, Understand};
use crate::operations::AnswerCache;
use crate::remote::Server;
use crate::remote::cache::Cache;
use crate::speech::Speech;
use crate::speech::{NoTranscriber, Transcribe};
use crate::store::redis::RedisStore;
use crate::telegram::chat::TelegramChat;
use crate::telegram::client::Client;
use deposit::taxonomy::Taxonomy;

/// The transcriber of voice notes.
pub(super) fn transcriber(
    config: &Config,
    chat: &TelegramChat,
    cache: Option<Arc<dyn Cache>>,
) -> anyhow::Result<Arc<dyn Transcribe>> {
    let Some(speech) = &config.speech else { return Ok(Arc::new(NoTranscriber)) };
    let config::SpeechSettings { url, key, model } = speech.clone();
    let server = Server { url, key, model };
    let recordings = chat.client.clone();
    let speech = Speech::new(&server, &chat.taxonomy, recordings, cache, chat.clock.clone());
    Ok(Arc::new(speech.context("STT_BASE_URL")?))
}

/// The reader of notes: the embedded model, alone or behind the one that the configuration names.
pub(super) fn reader(
    config: &Config,
    chat: &TelegramChat,
    embedded: Embedded,
    cache: Option<Arc<dyn Cache>>,
) -> anyhow::Result<Arc<dyn Understand>> {
    let embedded = Arc::new(embedded);
    let Some(llm) = &config.llm else { return Ok(embedded) };
    let mut assisted = assisted(llm, embedded, Arc::clone(&chat.taxonomy), cache, &chat.clock)?;
    if llm.vision {
        let photos = chat.client.clone();
        assisted = assisted.with_photos(&server(llm), photos, chat.clock.clone()).context("LLM_BASE_URL")?;
    }
    Ok(Arc::new(assisted))
}

/// The chat model that the configuration names, before the embedded one.
///
/// # Errors
/// An address that is none.
pub fn assisted(
    llm: &config::LlmSettings,
    embedded: Arc<Embedded>,
    taxonomy: Arc<Taxonomy>,
    cache: Option<Arc<dyn Cache>>,
    clock: &Clock,
) -> anyhow::Result<Assisted<Client>> {
    let budget = Budget::new(llm.daily_calls, cache.clone(), clock.clone());
    let assisted = Assisted::new(embedded, &server(llm), taxonomy, cache, budget, clock.clone());
    assisted.context("LLM_BASE_URL")
}

fn server(llm: &config::LlmSettings) -> Server {
    let config::LlmSettings { url, key, model, .. } = llm.clone();
    Server { url, key, model }
}

/// Where paid answers are kept, if any are paid for: in Redis where there is one, else in the database.
pub(super) fn cache(
    config: &Config,
    answers: &AnswerCache,
    redis: Option<Arc<RedisStore>>,
) -> Option<Arc<dyn Cache>> {
    if config.speech.is_none() && config.llm.is_none() {
        return None;
    }
    Some(match redis {
        Some(redis) => Arc::new(InRedis(redis)),
        None => Arc::new(InSql(answers.clone())),
    })
}

/// Through the pool of the store that holds conversations, so that no answer is ever in front of a commit.
struct InRedis(Arc<RedisStore>);

#[async_trait]
impl Cache for InRedis {
    async fn get(&self, key: &str) -> Option<String> {
        missed(self.0.cached(key).await).flatten()
    }

    async fn put(&self, key: &str, answer: &str, kept_for: Duration) {
        missed(self.0.keep(key, answer, kept_for).await);
    }

    async fn count(&self, kind: &str, day: i64) -> Option<u64> {
        missed(self.0.count(kind, day).await)
    }
}

struct InSql(AnswerCache);

#[async_trait]
impl Cache for InSql {
    async fn get(&self, key: &str) -> Option<String> {
        missed(self.0.find(key).await).flatten()
    }

    async fn put(&self, key: &str, answer: &str, kept_for: Duration) {
        missed(self.0.store(key, answer, kept_for).await);
    }

    async fn count(&self, kind: &str, day: i64) -> Option<u64> {
        missed(self.0.count_call(kind, day).await)
    }
}

/// The answer of a store; a store that is away has none, and reports that elsewhere.
fn missed<T>(answer: Result<T, impl std::fmt::Display>) -> Option<T> {
    answer.inspect_err(|error| tracing::debug!(%error, "the cache of answers is not available")).ok()
}
