//! The classes of failed calls, by which callers decide.

use std::time::Duration;

use crate::telegram::lenient::Object;

/// The bounds of the pauses that are obeyed.
const PAUSE: std::ops::RangeInclusive<u64> = 1..=3600;
/// The pause if a 429 names none.
const PAUSE_DEFAULT: u64 = 5;

/// Why a call failed; never with its URL, which holds the token, nor with its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The connection (DNS, TCP, TLS) failed. Not applied.
    #[error("Telegram could not be reached; the call was not sent")]
    NotSent,
    /// Sent, without a readable response: it may have been applied.
    #[error("no readable answer from Telegram: the outcome is unknown")]
    Unknown,
    /// 429: no call to this destination before the pause is over. Not applied.
    #[error("Telegram asks for a pause of {} s", .0.as_secs())]
    RetryAfter(Duration),
    /// 403: the bot is blocked or removed, or the chat is deleted; final for this chat.
    #[error("the chat is closed to the bot")]
    Blocked,
    /// The message has this content already: as good as success.
    #[error("the message is not modified")]
    NotModified,
    /// The message can no longer be edited or deleted: send a new one.
    #[error("the message is gone")]
    MessageGone,
    /// The tap can no longer be answered; final.
    #[error("the tap is too old to be answered")]
    QueryTooOld,
    /// 409: another receiver gets the updates.
    #[error("{0}")]
    Conflict(Conflict),
    /// 401: the token is not, or no longer, valid.
    #[error("Telegram does not accept the bot token")]
    Unauthorized,
    /// Rejected, and a repetition would be as well. Not applied.
    #[error("Telegram refuses: {code} {description}")]
    Rejected {
        /// The HTTP status, or the error code of a response with status 200.
        code: u16,
        /// Telegram's description, without the part that could quote the call.
        description: String,
    },
    /// 5xx: Telegram failed; it may have been applied.
    #[error("Telegram answered with status {status}")]
    Server {
        /// The HTTP status.
        status: u16,
    },
}

/// The other receiver of the updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A webhook is set, so nothing can be polled.
    #[error(
        "a webhook is set for this bot, so updates cannot be polled: `depot-bot webhook delete` removes it"
    )]
    WebhookSet,
    /// Another program polls with the same token.
    #[error("another program polls with the same bot token")]
    OtherPoller,
}

impl CallError {
    /// Whether Telegram certainly did not apply the call.
    #[must_use]
    pub fn is_unapplied(&self) -> bool {
        match self {
            Self::Unknown | Self::Server { .. } | Self::NotModified => false,
            Self::NotSent
            | Self::RetryAfter(_)
            | Self::Blocked
            | Self::MessageGone
            | Self::QueryTooOld
            | Self::Conflict(_)
            | Self::Unauthorized
            | Self::Rejected { .. } => true,
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::NotSent | Self::Unknown | Self::RetryAfter(_) | Self::Server { .. } => true,
            Self::Blocked
            | Self::NotModified
            | Self::MessageGone
            | Self::QueryTooOld
            | Self::Conflict(_)
            | Self::Unauthorized
            | Self::Rejected { .. } => false,
        }
    }

    /// The label in metrics: the status where there was one.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
            Self::RetryAfter(_) => "429",
            Self::Blocked => "403",
            Self::NotModified => "not_modified",
            Self::MessageGone | Self::QueryTooOld => "gone",
            Self::Conflict(_) => "409",
            Self::Unauthorized => "401",
            Self::Rejected { code: 400, .. } => "400",
            Self::Rejected { .. } => "4xx",
            Self::Server { .. } => "5xx",
        }
    }

    /// The class of a failed response: by its status first, then by its description.
    ///
    /// The descriptions are those of `fail_query_with_error` in tdlib/telegram-bot-api; the page of a proxy has none.
    pub(super) fn of(status: u16, retry_after: Option<u64>, body: &str) -> Self {
        let answer = Object::read(body);
        let description = answer.as_ref().and_then(|answer| answer.text("description")).unwrap_or_default();
        let code = match answer.as_ref().and_then(|answer| answer.small("error_code")) {
            Some(code) if (200..300).contains(&status) => u16::try_from(code).unwrap_or(status),
            _ => status,
        };
        match code {
            429 => {
                let parameters = answer.as_ref().and_then(|answer| answer.object("parameters"));
                let said = parameters.and_then(|parameters| parameters.small("retry_after")).map(u64::from);
                let seconds = said.or(retry_after).unwrap_or(PAUSE_DEFAULT);
                Self::RetryAfter(Duration::from_secs(seconds.clamp(*PAUSE.start(), *PAUSE.end())))
            }
            401 => Self::Unauthorized,
            403 => Self::Blocked,
            409 if description.to_lowercase().contains("webhook") => Self::Conflict(Conflict::WebhookSet),
            409 => Self::Conflict(Conflict::OtherPoller),
            500.. => Self::Server { status: code },
            400 => Self::of_bad_request(&description),
            200..300 => Self::Unknown,
            _ => Self::Rejected { code, description: unquoted(&description) },
        }
    }

    fn of_bad_request(description: &str) -> Self {
        const GONE: [&str; 6] = [
            "message to edit not found",
            "message can't be edited",
            "message to delete not found",
            "message can't be deleted",
            "message_id_invalid",
            "there is no text in the message to edit",
        ];
        let said = description.to_lowercase();
        if said.contains("message is not modified") {
            Self::NotModified
        } else if GONE.iter().any(|phrase| said.contains(phrase)) {
            Self::MessageGone
        } else if said.contains("query is too old") || said.contains("query_id_invalid") {
            Self::QueryTooOld
        } else {
            Self::Rejected { code: 400, description: unquoted(description) }
        }
    }
}

/// `Bad Request: can't parse entities: …` without the last part, which quotes the text that was sent.
fn unquoted(description: &str) -> String {
    let mut parts = description.split(": ");
    let head: Vec<&str> = parts.by_ref().take(2).collect();
    head.join(": ").chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, description: &str) -> CallError {
        let body = serde_json::json!({"ok": false, "error_code": status, "description": description});
        CallError::of(status, None, &body.to_string())
    }

    #[test]
    fn each_class_is_told_by_status_and_then_by_words() {
        let is_gone = |text: &str| of(400, text) == CallError::MessageGone;
        assert_eq!(of(401, "Unauthorized"), CallError::Unauthorized);
        assert_eq!(of(403, "Forbidden: bot was blocked by the user"), CallError::Blocked);
        let unmodified = "Bad Request: message is not modified: specified new message content and reply markup are \
            exactly the same as a current content and reply markup of the message";
        assert_eq!(of(400, unmodified), CallError::NotModified);
        assert!(is_gone("Bad Request: message to edit not found"));
        assert!(is_gone("Bad Request: message can't be edited"));
        assert!(is_gone("Bad Request: message to delete not found"));
        let late = "Bad Request: query is too old and response timeout expired or query ID is invalid";
        assert_eq!(of(400, late), CallError::QueryTooOld);
        let webhook =
            "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first";
        assert_eq!(of(409, webhook), CallError::Conflict(Conflict::WebhookSet));
        let other = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
        assert_eq!(of(409, other), CallError::Conflict(Conflict::OtherPoller));
        assert_eq!(of(502, ""), CallError::Server { status: 502 });
        let rejected = CallError::Rejected { code: 400, description: "Bad Request: chat not found".into() };
        assert_eq!(of(400, "Bad Request: chat not found"), rejected);
    }

    #[test]
    fn a_pause_is_read_from_the_body_the_header_or_guessed_and_bounded() {
        let pause = |header, body: &str| CallError::of(429, header, body);
        let of = |seconds| CallError::RetryAfter(Duration::from_secs(seconds));
        assert_eq!(pause(Some(9), r#"{"parameters":{"retry_after":7}}"#), of(7));
        assert_eq!(pause(Some(9), "<html>"), of(9));
        assert_eq!(pause(None, r#"{"parameters":"soon"}"#), of(5));
        assert_eq!(pause(None, r#"{"parameters":{"retry_after":99999}}"#), of(3600));
        assert_eq!(pause(Some(0), ""), of(1));
    }

    #[test]
    fn the_page_of_a_proxy_and_an_error_with_status_200_are_classified_too() {
        assert_eq!(CallError::of(502, None, "<html>Bad Gateway</html>"), CallError::Server { status: 502 });
        assert_eq!(CallError::of(403, None, ""), CallError::Blocked);
        assert_eq!(CallError::of(200, None, r#"{"ok":false,"error_code":403}"#), CallError::Blocked);
        assert_eq!(CallError::of(200, None, "<html>"), CallError::Unknown);
        assert!(matches!(CallError::of(302, None, ""), CallError::Rejected { code: 302, .. }));
    }

    #[test]
    fn what_could_quote_the_text_is_cut_from_the_description() {
        let error = of(400, "Bad Request: can't parse entities: unsupported start tag \"Madame Untel\" at 5");
        assert_eq!(error.to_string(), "Telegram refuses: 400 Bad Request: can't parse entities");
    }
}
