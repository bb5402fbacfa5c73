//! Notes turned into lines by an OpenAI-compatible chat model that the operator names, over the embedded one.
//!
//! The embedded model reads each note first, for nothing. The chat model adds a proposal like any: checked whole,
//! and set aside for the embedded one where it is invalid, late, over its budget or away. Its own word on how sure it is
//! is not asked for: a line is sure where the two agree.

mod answer;
mod budget;
mod photo;
mod schema;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::Instant;

pub use crate::model::llm::budget::Budget;

use crate::clock::Clock;
use crate::model::llm::answer::Proposed;
use crate::model::{Embedded, Understand, UnderstandError};
use crate::remote::cache::{Cache, CachedAnswers, Kind};
use crate::remote::recordings::Recordings;
use crate::remote::{Remote, RemoteError, RemoteSetupError, Server};
use deposit::taxonomy::Taxonomy;
use deposit::{Attachment, CategoryKey, Line, Proposal, SURE, Weight, WeightSource};
use note_reader::{site, typical};
use session::{Correction, Language, OnCard, Understanding};

/// How long the model may take: a volunteer waits.
const DEADLINE: Duration = Duration::from_secs(6);
/// How long it may take over a photo.
const PHOTO_DEADLINE: Duration = Duration::from_secs(20);
/// The largest photo that is sent, in bytes: Telegram's are a tenth of it.
const PHOTO_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How sure a line is that the embedded model reads the same way; the least, for it may be surer itself.
const AGREED: f32 = 0.85;
/// How sure a line is of which the embedded model has no opinion worth the name: not enough to be called sure.
const ALONE: f32 = 0.65;
/// How sure a line is that the embedded model reads another way.
const DISPUTED: f32 = 0.45;
/// How many other categories a proposal names.
const ALTERNATIVES: usize = 2;

/// A chat model with the embedded one behind it.
pub struct Assisted<R> {
    embedded: Arc<Embedded>,
    server: Remote,
    /// The same server with more patience, and the source of photos, if it is to read them.
    photos: Option<(Remote, R)>,
    model: String,
    taxonomy: Arc<Taxonomy>,
    kept: CachedAnswers,
    budget: Budget,
}

/// Why the embedded model has the last word on a note; the label of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SetAside {
    /// The answer does not fit the question, or breaks a bound.
    Invalid,
    /// The deadline passed.
    Slow,
    /// The server is away, in trouble, or does not take the call.
    Unavailable,
    /// As many calls were made today as may be.
    OverBudget,
    /// It sees no deposit where figures and things are read.
    Overruled,
}

impl SetAside {
    fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Slow => "slow",
            Self::Unavailable => "unavailable",
            Self::OverBudget => "over_budget",
            Self::Overruled => "overruled",
        }
    }
}

impl<R: Recordings> Assisted<R> {
    /// A model at `server` in front of `embedded`; opens no connection yet.
    ///
    /// # Errors
    /// An address that is none.
    pub fn new(
        embedded: Arc<Embedded>,
        server: &Server,
        taxonomy: Arc<Taxonomy>,
        cache: Option<Arc<dyn Cache>>,
        budget: Budget,
        clock: Clock,
    ) -> Result<Self, RemoteSetupError> {
        Ok(Self {
            embedded,
            server: Remote::new(server, DEADLINE, clock)?,
            photos: None,
            model: server.model.clone(),
            taxonomy,
            kept: CachedAnswers::new(Kind::Lines, cache),
            budget,
        })
    }

    /// The same, looking at photos too, which `photos` fetches.
    ///
    /// # Errors
    /// An address that is none.
    pub fn with_photos(self, server: &Server, photos: R, clock: Clock) -> Result<Self, RemoteSetupError> {
        let remote = Remote::new(server, PHOTO_DEADLINE, clock)?;
        Ok(Self { photos: Some((remote, photos)), ..self })
    }

    /// The model's lines of a note, checked.
    async fn ask(&self, note: &str, language: Language) -> Result<Proposed, SetAside> {
        let content = json!({"language": language.code(), "note": note}).to_string();
        self.answer(&self.server, note.as_bytes(), &Value::String(content), language).await
    }

    /// The model's lines of a photo, checked.
    async fn see(&self, file: &Attachment, language: Language) -> Result<Proposed, SetAside> {
        let Some((server, photos)) = &self.photos else { return Err(SetAside::Unavailable) };
        let bytes = photos.fetch(file, PHOTO_BYTES_MAX).await.map_err(|error| {
            tracing::warn!(
                %error,
                "a photo could not be fetched: it is kept, but gives the deposit no lines; the next one is fetched"
            );
            SetAside::Unavailable
        })?;
        let url = photo::data_url(&bytes).ok_or(SetAside::Invalid)?;
        let note = json!({"language": language.code(), "note": "(a photo of what was dropped off)"});
        let content = json!([
            {"type": "text", "text": note.to_string()},
            {"type": "image_url", "image_url": {"url": url}},
        ]);
        let mut proposed = self.answer(server, &bytes, &content, language).await?;
        // A photo shows no weight.
        proposed.total_weight = None;
        for line in &mut proposed.lines {
            line.weight = None;
        }
        Ok(proposed)
    }

    /// The model's answer about `content`, which is `asked` in other words; checked, and asked for once.
    async fn answer(
        &self,
        server: &Remote,
        asked: &[u8],
        content: &Value,
        language: Language,
    ) -> Result<Proposed, SetAside> {
        let [model, taxonomy, code] = [&self.model, &self.taxonomy.id, language.code()].map(str::as_bytes);
        let key = self.kept.key(&[asked, model, taxonomy, code]);
        if let Some(kept) = self.kept.get(&key).await
            && let Some(proposed) = Proposed::read(&kept, &self.taxonomy)
        {
            return Ok(proposed);
        }
        if !self.budget.allows().await {
            return Err(SetAside::OverBudget);
        }
        let began = Instant::now();
        let answer = server.post(|request| request.json(&self.question(content))).await;
        metrics::histogram!("depot_model_seconds").record(began.elapsed());
        let answer = answer.map_err(|error| {
            tracing::warn!(
                %error,
                "the chat model gives no answer: the embedded model alone reads this note, a photo gives no lines; \
                 check LLM_BASE_URL and its server"
            );
            match error {
                RemoteError::Slow => SetAside::Slow,
                RemoteError::TooLong => SetAside::Invalid,
                RemoteError::Unavailable
                | RemoteError::Redirected
                | RemoteError::Misdirected(_)
                | RemoteError::Refused(_) => SetAside::Unavailable,
            }
        })?;
        let said = answer::content(&answer.body);
        let proposed = said.as_deref().and_then(|said| Proposed::read(said, &self.taxonomy));
        let (Some(said), Some(proposed)) = (said, proposed) else {
            tracing::warn!(
                "the chat model's answer is not valid: the embedded model alone reads this note, a photo gives no \
                 lines; if it happens often, name another LLM_MODEL"
            );
            return Err(SetAside::Invalid);
        };
        self.kept.put(&key, &said).await;
        Ok(proposed)
    }

    /// The whole request: the rules are ours, and a note is a string in a JSON object, which is all that it can be.
    fn question(&self, content: &Value) -> Value {
        json!({
            "model": self.model,
            "temperature": 0,
            "messages": [
                {"role": "system", "content": schema::rules(&self.taxonomy)},
                {"role": "user", "content": content},
            ],
            "response_format": {"type": "json_schema", "json_schema": schema::of(&self.taxonomy)},
        })
    }

    /// The model's lines, each as sure as the two opinions on it make it.
    async fn weighed(&self, proposed: Proposed, language: Language) -> Understanding {
        let mut lines = Vec::with_capacity(proposed.lines.len());
        for line in proposed.lines {
            let second = self.embedded.understand(&line.object, language).await.ok();
            let second = second.and_then(|found| match found.lines.as_slice() {
                [line] => Some(line.proposal.clone()),
                _several_or_none => None,
            });
            let proposal = self.proposal(line.category, line.alternatives, second.as_ref());
            lines.push(Line {
                object: line.object,
                quantity: line.quantity,
                weight: line.weight,
                destination: line.destination,
                proposal,
                chosen: None,
            });
        }
        let mut found = Understanding { lines, total_weight: proposed.total_weight };
        typical::suggest(&mut found);
        found
    }

    fn proposal(
        &self,
        category: CategoryKey,
        mut alternatives: Vec<CategoryKey>,
        second: Option<&Proposal>,
    ) -> Proposal {
        let second = second.filter(|second| second.confidence > 0.0);
        if let Some(taught) = second.filter(|second| second.model == site::MODEL) {
            // The site's volunteers have chosen so twice: no model knows better.
            return taught.clone();
        }
        let confidence = match second {
            Some(second) if second.category == category => second.confidence.max(AGREED),
            Some(second) if second.confidence >= SURE => DISPUTED,
            Some(_) | None => ALONE,
        };
        if let Some(second) = second {
            // The other opinion is one tap away.
            alternatives.insert(0, second.category.clone());
            alternatives.extend(second.alternatives.iter().cloned());
        }
        let mut offered: Vec<CategoryKey> = Vec::with_capacity(ALTERNATIVES);
        for other in alternatives {
            if other != category && !offered.contains(&other) && offered.len() < ALTERNATIVES {
                offered.push(other);
            }
        }
        Proposal { category, confidence, alternatives: offered, model: self.model.clone() }
    }
}

#[async_trait]
impl<R: Recordings> Understand for Assisted<R> {
    async fn understand(&self, note: &str, language: Language) -> Result<Understanding, UnderstandError> {
        let own = self.embedded.understand(note, language).await?;
        // A greeting or a question costs nothing.
        if own.lines.is_empty() {
            return Ok(own);
        }
        let asked = self.ask(note, language).await;
        let outcome = match asked {
            Ok(proposed) if proposed.lines.is_empty() && names_something(&own) => Err(SetAside::Overruled),
            outcome => outcome,
        };
        count(&outcome);
        match outcome {
            Ok(proposed) => Ok(self.weighed(proposed, language).await),
            Err(_) => Ok(own),
        }
    }

    /// By rules: a note about lines that stand there needs no model.
    async fn correct(
        &self,
        note: &str,
        card: &OnCard<'_>,
        language: Language,
    ) -> Result<Option<Correction>, UnderstandError> {
        self.embedded.correct(note, card, language).await
    }

    /// Lines that are never sure: the volunteer has not said a word yet. None where the model cannot be asked.
    async fn look(&self, photo: &Attachment, language: Language) -> Result<Understanding, UnderstandError> {
        let outcome = self.see(photo, language).await;
        count(&outcome);
        let Ok(proposed) = outcome else { return Ok(Understanding::default()) };
        let mut found = self.weighed(proposed, language).await;
        for line in &mut found.lines {
            line.proposal.confidence = line.proposal.confidence.min(ALONE);
        }
        Ok(found)
    }
}

fn count(outcome: &Result<Proposed, SetAside>) {
    let label = outcome.as_ref().map_or_else(|aside| aside.as_str(), |_| "used");
    metrics::counter!("depot_model_total", "outcome" => label).increment(1);
}

/// Whether what was read by rules is certainly a deposit: it has figures, or names things that are known.
fn names_something(own: &Understanding) -> bool {
    let is_said = |weight: Weight| weight.source != WeightSource::Estimated;
    let has_figures =
        |line: &Line| line.weight.is_some_and(is_said) || line.quantity.is_some_and(|quantity| quantity > 1);
    own.total_weight.is_some()
        || own.lines.iter().any(|line| has_figures(line) || line.proposal.confidence >= SURE)
}

impl<R> fmt::Debug for Assisted<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assisted").field("model", &self.model).finish_non_exhaustive()
    }
}
