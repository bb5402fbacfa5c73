//! Setting, removing and describing the webhook.

use serde_json::json;

use crate::answer::{Answer, Refusal, Reply};
use crate::parameters::Parameters;
use crate::webhook::Webhook;
use crate::world::World;

/// Longest `secret_token` (Bot API, setWebhook: 1–256 of A–Z, a–z, 0–9, `_` and `-`).
const LONGEST_SECRET: usize = 256;
/// Connections unless the bot says otherwise (Bot API, setWebhook: 1–100, default 40).
const DEFAULT_CONNECTIONS: i64 = 40;

pub(super) fn set(world: &mut World, call: &Parameters) -> Answer {
    let url = call.text("url").unwrap_or_default().into_owned();
    if url.is_empty() {
        return Ok(delete(world, call));
    }
    let secret = call.text("secret_token").unwrap_or_default().into_owned();
    check_url(&url)?;
    if secret.len() > LONGEST_SECRET {
        return Err(Refusal::bad_request("Bad Request: secret token is too long"));
    }
    if !secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
        return Err(Refusal::bad_request("Bad Request: secret token contains illegal characters"));
    }
    world.set_allowed_updates(call)?;
    if call.flag("drop_pending_updates") {
        world.queue.drop_all();
    }
    let connections = call.integer("max_connections").unwrap_or(DEFAULT_CONNECTIONS).clamp(1, 100);
    let mut webhook = Webhook::new(url, secret, usize::try_from(connections).unwrap_or(1));
    for (id, lane) in world.queue.lanes() {
        webhook.add(lane, id);
    }
    world.webhook = Some(webhook);
    world.signals.webhook.notify_one();
    world.signals.updates.notify_waiters();
    Ok(Reply { description: Some("Webhook was set"), ..Reply::yes() })
}

/// HTTPS, or HTTP on this machine as a Bot API server in local mode takes it.
fn check_url(url: &str) -> Result<(), Refusal> {
    let parsed = reqwest::Url::parse(url).ok().filter(reqwest::Url::has_host);
    let Some(parsed) = parsed else {
        return Err(Refusal::bad_request("Bad Request: invalid webhook URL specified"));
    };
    let local = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if local => Ok(()),
        _ => Err(Refusal::bad_request("Bad Request: bad webhook: An HTTPS URL must be provided for webhook")),
    }
}

pub(super) fn delete(world: &mut World, call: &Parameters) -> Reply {
    if call.flag("drop_pending_updates") {
        world.queue.drop_all();
    }
    let had = world.webhook.take().is_some();
    let description = if had { "Webhook was deleted" } else { "Webhook is already deleted" };
    Reply { description: Some(description), ..Reply::yes() }
}

pub(super) fn info(world: &mut World) -> Reply {
    let mut info = json!({
        "url": "",
        "has_custom_certificate": false,
        "pending_update_count": world.pending_updates(),
    });
    let Some(members) = info.as_object_mut() else { return Reply::yes() };
    if let Some(webhook) = &world.webhook {
        members.insert("url".to_owned(), json!(webhook.target.url));
        members.insert("max_connections".to_owned(), json!(webhook.max_connections));
        if let Some((date, message)) = &webhook.last_error {
            members.insert("last_error_date".to_owned(), json!(date));
            members.insert("last_error_message".to_owned(), json!(message));
        }
    }
    if !world.queue.allowed().is_empty() {
        members.insert("allowed_updates".to_owned(), json!(world.queue.allowed()));
    }
    Reply::of(&info)
}
