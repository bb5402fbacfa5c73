//! The chat model beside the embedded one.

use std::num::NonZeroU32;

use secrecy::SecretString;

use crate::config::server::{MODEL_FIX, ModelName, base_url};
use crate::config::value::Flag;
use crate::config::{Layers, MergedLayers, Mistakes, Noted};

/// The most calls a day that make sense to bound.
const CALLS_MAX: u32 = 1_000_000;

/// The chat model that reads notes, beside the embedded one.
#[derive(Clone, Debug)]
pub struct LlmSettings {
    /// The whole address that notes are posted to.
    pub url: String,
    /// The key that it knows the bot by.
    pub key: Option<SecretString>,
    /// The model that reads.
    pub model: String,
    /// Whether it reads photos that come without words.
    pub vision: bool,
    /// How many calls a day may have, all instances together; `None` is without limit.
    pub daily_calls: Option<NonZeroU32>,
}

impl LlmSettings {
    /// Reads this section alone, for subcommands that need no token.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(layers: &Layers) -> Result<Option<Self>, Mistakes> {
        let mut settings = MergedLayers::new(layers);
        let read = llm(&mut settings);
        settings.finish(read)
    }
}

pub(super) fn llm(settings: &mut MergedLayers) -> Result<Option<LlmSettings>, Noted> {
    let base = base_url(settings, "LLM_BASE_URL");
    let key = settings.secret("LLM_API_KEY");
    let model = settings.optional("LLM_MODEL", MODEL_FIX);
    let vision = settings.get("LLM_VISION", "write true or false");
    let calls = settings.number::<0, CALLS_MAX>("LLM_DAILY_CALLS");
    let (base, key, model, Flag(vision), calls) = (base?, key?, model?, vision?, calls?);
    let Some(base) = base else {
        for (name, is_set) in
            [("LLM_API_KEY", key.is_some()), ("LLM_MODEL", model.is_some()), ("LLM_VISION", vision)]
        {
            if is_set {
                settings.warn(format!("{name} has no effect without LLM_BASE_URL"));
            }
        }
        return Ok(None);
    };
    let Some(ModelName(model)) = model else {
        let fix = "name the model that this server is to answer with, as its own list of models does";
        return Err(settings.mistake("LLM_MODEL", "is not set, and LLM_BASE_URL is", fix));
    };
    let url = format!("{base}/chat/completions");
    Ok(Some(LlmSettings { url, key, model, vision, daily_calls: NonZeroU32::new(calls) }))
}
