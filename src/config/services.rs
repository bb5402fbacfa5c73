//! The servers that the operator may name for understanding: one that listens, one that reads.

use std::net::IpAddr;
use std::num::NonZeroU32;

use reqwest::Url;
use secrecy::SecretString;

use crate::config::reader::{Noted, Reader};
use crate::config::stores::flag;

/// What a model is called at most: it is sent with each call and kept with each proposal.
const MODEL_CHARS_MAX: usize = 200;
/// The most calls a day that make sense to bound.
const CALLS_MAX: u32 = 1_000_000;
const URL_FIX: &str = "write it like https://api.example.org/v1 or http://127.0.0.1:8000/v1, without user, password or \
                       question mark; the key goes into its own variable";

/// What listens to voice notes.
#[derive(Clone, Debug)]
pub struct Speech {
    /// The whole address that recordings are posted to.
    pub url: String,
    /// What it knows the bot by.
    pub key: Option<SecretString>,
    /// Which of its models listens.
    pub model: String,
}

/// What reads notes beside the embedded model.
#[derive(Clone, Debug)]
pub struct Llm {
    /// The whole address that notes are posted to.
    pub url: String,
    /// What it knows the bot by.
    pub key: Option<SecretString>,
    /// Which of its models reads.
    pub model: String,
    /// Whether it looks at photos that come without words.
    pub vision: bool,
    /// How many calls a day may have, all instances together; `None` is without limit.
    pub daily_calls: Option<NonZeroU32>,
}

pub(in crate::config) fn speech(
    reader: &mut Reader,
    warnings: &mut Vec<String>,
) -> Result<Option<Speech>, Noted> {
    let base = base_url(reader, "STT_BASE_URL", warnings);
    let key = reader.secret("STT_API_KEY");
    let model = model(reader, "STT_MODEL");
    let path = path(reader);
    let (base, key, model, path) = (base?, key?, model?, path?);
    let Some(base) = base else {
        if key.is_some() {
            warnings.push("STT_API_KEY has no effect without STT_BASE_URL".to_owned());
        }
        return Ok(None);
    };
    Ok(Some(Speech { url: format!("{base}{path}"), key, model: model.unwrap_or_default() }))
}

pub(in crate::config) fn llm(reader: &mut Reader, warnings: &mut Vec<String>) -> Result<Option<Llm>, Noted> {
    let base = base_url(reader, "LLM_BASE_URL", warnings);
    let key = reader.secret("LLM_API_KEY");
    let model = model(reader, "LLM_MODEL");
    let vision = flag(reader, "LLM_VISION");
    let calls = reader.number("LLM_DAILY_CALLS", 0, CALLS_MAX, 1_000);
    let (base, key, model, vision, calls) = (base?, key?, model?, vision?, calls?);
    let Some(base) = base else {
        for (name, is_set) in
            [("LLM_API_KEY", key.is_some()), ("LLM_MODEL", model.is_some()), ("LLM_VISION", vision)]
        {
            if is_set {
                warnings.push(format!("{name} has no effect without LLM_BASE_URL"));
            }
        }
        return Ok(None);
    };
    let Some(model) = model else {
        let fix = "name the model that this server is to answer with, as its own list of models does";
        return Err(reader.fault("LLM_MODEL", "is not set, and LLM_BASE_URL is", fix));
    };
    let url = format!("{base}/chat/completions");
    Ok(Some(Llm { url, key, model, vision, daily_calls: NonZeroU32::new(calls) }))
}

/// An address without a slash at its end.
fn base_url(reader: &mut Reader, name: &str, warnings: &mut Vec<String>) -> Result<Option<String>, Noted> {
    let Some(text) = reader.text(name) else { return Ok(None) };
    let url = Url::parse(&text).ok().filter(|url| {
        let is_web = matches!(url.scheme(), "https" | "http") && url.has_host();
        let is_bare = url.username().is_empty() && url.password().is_none();
        is_web && is_bare && url.query().is_none() && url.fragment().is_none()
    });
    // The value is not repeated: somebody may have put the key into it.
    let Some(url) = url else {
        return Err(reader.fault(name, "is not the address of a server", URL_FIX));
    };
    if url.scheme() == "http" && is_public(&url) {
        warnings.push(format!(
            "{name} is plain http to a public address: what people say, and the key, can be read on the way; use https"
        ));
    }
    Ok(Some(text.trim_end_matches('/').to_owned()))
}

/// Whether the way there may lead over the internet. A name without a dot is one of a container or of a local network.
fn is_public(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            !(address.is_private() || address.is_loopback() || address.is_link_local() || is_shared)
        }
        Ok(IpAddr::V6(address)) => {
            !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local())
        }
        Err(_) => {
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            let local =
                [".localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet", ".cluster.local"];
            host.contains('.') && !local.iter().any(|ending| host.ends_with(ending))
        }
    }
}

fn path(reader: &mut Reader) -> Result<String, Noted> {
    let path = reader.text_or_default("STT_PATH");
    let is_plain =
        path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\\".contains(&byte)) && !path.contains("..");
    if path.starts_with('/') && !path.starts_with("//") && is_plain {
        return Ok(path);
    }
    let fix = "write it like /audio/transcriptions, or /inference for the server of whisper.cpp";
    Err(reader.fault("STT_PATH", format!("is not a path below STT_BASE_URL: {path:?}"), fix))
}

fn model(reader: &mut Reader, name: &str) -> Result<Option<String>, Noted> {
    let model = Some(reader.text_or_default(name)).filter(|model| !model.is_empty());
    let is_name = |model: &String| {
        model.chars().count() <= MODEL_CHARS_MAX && !model.chars().any(|letter| letter.is_control())
    };
    if model.as_ref().is_none_or(is_name) {
        return Ok(model);
    }
    let wrong = format!("is longer than {MODEL_CHARS_MAX} characters, or not one line");
    Err(reader.fault(name, wrong, "write the model's name as the server's own list of models does"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_lead_over_the_internet_is_told_from_ones_own_network() {
        let public = |url: &str| is_public(&Url::parse(url).unwrap());
        for own in [
            "http://speaches:8000",
            "http://localhost",
            "http://127.0.0.1:8000",
            "http://10.1.2.3",
            "http://192.168.1.9",
            "http://172.20.0.2",
            "http://100.100.1.1",
            "http://[::1]:8000",
            "http://[fd00::1]",
            "http://nas.local",
            "http://stt.default.svc.cluster.local",
        ] {
            assert!(!public(own), "{own}");
        }
        for foreign in
            ["http://api.example.org", "http://8.8.8.8", "http://[2001:db8::1]", "http://172.32.0.1"]
        {
            assert!(public(foreign), "{foreign}");
        }
    }
}
