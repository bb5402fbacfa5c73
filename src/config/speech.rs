//! The server that transcribes voice notes.

use secrecy::SecretString;
use serde::Deserialize;

use crate::config::server::{MODEL_FIX, ModelName, base_url};
use crate::config::{MergedLayers, Noted};

/// The server that transcribes voice notes.
#[derive(Clone, Debug)]
pub struct SpeechSettings {
    /// The whole address that recordings are posted to.
    pub url: String,
    /// The key that it knows the bot by.
    pub key: Option<SecretString>,
    /// The model that transcribes.
    pub model: String,
}

/// A path below the address of a server.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct ServerPath(String);

impl TryFrom<String> for ServerPath {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\\".contains(&byte));
        if path.starts_with('/') && !path.starts_with("//") && !path.contains("..") && is_plain {
            return Ok(Self(path));
        }
        Err(format!("is not a path below STT_BASE_URL: {path:?}"))
    }
}

pub(super) fn speech(settings: &mut MergedLayers) -> Result<Option<SpeechSettings>, Noted> {
    let base = base_url(settings, "STT_BASE_URL");
    let key = settings.secret("STT_API_KEY");
    let model = settings.get("STT_MODEL", MODEL_FIX);
    let path = settings
        .get("STT_PATH", "write it like /audio/transcriptions, or /inference for the server of whisper.cpp");
    let (base, key, ModelName(model), ServerPath(path)) = (base?, key?, model?, path?);
    let Some(base) = base else {
        if key.is_some() {
            settings.warn("STT_API_KEY has no effect without STT_BASE_URL");
        }
        return Ok(None);
    };
    Ok(Some(SpeechSettings { url: format!("{base}{path}"), key, model }))
}
