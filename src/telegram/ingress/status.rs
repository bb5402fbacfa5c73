//! The state of the intake, as readiness, expiry and the intake gap need it.

use crate::clock::Timestamp;

/// The state of the intake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntakeStatus {
    /// When an iteration was last completed: Telegram answered and everything it brought was handled.
    pub completed_at: Option<Timestamp>,
    /// Whether the last iteration left no update at Telegram: until then no session may expire.
    pub caught_up: bool,
    /// The reason why no updates come in now.
    pub failure: Option<IntakeFailure>,
}

/// The reasons why no updates come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntakeFailure {
    /// Telegram cannot be reached, or does not answer.
    Network,
    /// Telegram answers with errors of its own, or asks for a pause.
    Server,
    /// The token is not valid.
    Unauthorized,
    /// A webhook is set, so nothing can be polled.
    WebhookSet,
    /// Another program polls with the same token.
    OtherPoller,
    /// Telegram refuses the call.
    Rejected,
    /// Updates cannot be committed: the stores are away, or slow.
    Stalled,
}

impl IntakeFailure {
    /// The word for metrics and tests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Server => "server",
            Self::Unauthorized => "unauthorized",
            Self::WebhookSet => "webhook_set",
            Self::OtherPoller => "other_poller",
            Self::Rejected => "rejected",
            Self::Stalled => "stalled",
        }
    }

    /// The failure and its remedy, for readiness.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Network => "Telegram cannot be reached: check the network and TELEGRAM_API_URL",
            Self::Server => "Telegram answers with errors of its own: the call is repeated",
            Self::Unauthorized => "Telegram does not accept the token: check TELEGRAM_BOT_TOKEN",
            Self::WebhookSet => {
                "a webhook is set: `depot-bot webhook delete` removes it and keeps the pending updates"
            }
            Self::OtherPoller => "another program polls with the same token: stop it",
            Self::Rejected => "Telegram refuses the call: see the log",
            Self::Stalled => "the stores take no updates: they wait in Telegram",
        }
    }
}
