//! The servers that the operator may name for understanding: their addresses, and the names of their models.

use std::net::IpAddr;

use reqwest::Url;
use serde::Deserialize;

use crate::config::{MergedLayers, Noted};

/// The longest name of a model: it is sent with each call and kept with each proposal.
const MODEL_CHARS_MAX: usize = 200;

/// The address of a server, without a slash at its end.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct BaseUrl {
    text: String,
    is_plain_and_public: bool,
}

impl TryFrom<String> for BaseUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let url = Url::parse(&text).ok().filter(|url| {
            let is_web = matches!(url.scheme(), "https" | "http") && url.has_host();
            let is_bare = url.username().is_empty() && url.password().is_none();
            is_web && is_bare && url.query().is_none() && url.fragment().is_none()
        });
        // The value is not repeated: the key may have been put into it.
        let url = url.ok_or("is not the address of a server")?;
        let is_plain_and_public = url.scheme() == "http" && is_public(&url);
        Ok(Self { text: text.trim_end_matches('/').to_owned(), is_plain_and_public })
    }
}

/// The name of a model, as its server has it.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ModelName(pub(super) String);

impl TryFrom<String> for ModelName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if name.chars().count() <= MODEL_CHARS_MAX && !name.chars().any(char::is_control) {
            return Ok(Self(name));
        }
        Err(format!("is longer than {MODEL_CHARS_MAX} characters, or not one line"))
    }
}

pub(super) const MODEL_FIX: &str = "write the model's name as the server's own list of models does";

/// The address of a server; `None` where none is named.
pub(super) fn base_url(settings: &mut MergedLayers, name: &str) -> Result<Option<String>, Noted> {
    let fix = "write it like https://api.example.org/v1 or http://127.0.0.1:8000/v1, without user, password or \
               question mark; the key goes into its own variable";
    let Some(BaseUrl { text, is_plain_and_public }) = settings.optional(name, fix)? else { return Ok(None) };
    if is_plain_and_public {
        settings.warn(format!(
            "{name} is plain http to a public address: what people say, and the key, can be read on the way; use https"
        ));
    }
    Ok(Some(text))
}

/// Whether a request to it may cross the internet. A name without a dot is one of a container or of a local network.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_told_from_one_of_the_local_network() {
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
