//! The faults that can be injected, all of them from one seeded generator.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use super::method::Method;

/// One way for a call to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `retry_after` seconds; the call has no effect.
    TooManyRequests {
        /// Seconds.
        retry_after: u32,
    },
    /// 500 with Telegram's JSON envelope; the call has no effect.
    ServerError,
    /// 502 with an HTML page, as a proxy in front of Telegram answers; the call has no effect.
    BadGateway,
    /// 400 with this description; the call has no effect.
    BadRequest(&'static str),
    /// 503 with an HTML page; the call has no effect.
    Unavailable,
    /// 504 with an HTML page, after the call has taken effect behind the proxy that answers so.
    GatewayTimeout,
    /// The call takes effect, and its answer is 200 without a body.
    EmptyBody,
    /// The call takes effect, but its answer ends in the middle.
    TruncatedBody,
    /// The connection closes without an answer; the call has no effect.
    DropBefore,
    /// The call takes effect, then the connection closes without an answer.
    DropAfter,
    /// The answer takes this much longer, on real time; other faults may come on top.
    Delay(Duration),
}

impl Fault {
    /// True if the call still takes effect.
    pub(super) fn lets_the_call_through(self) -> bool {
        matches!(
            self,
            Self::TruncatedBody | Self::EmptyBody | Self::GatewayTimeout | Self::DropAfter | Self::Delay(_)
        )
    }
}

/// Which calls a fault strikes.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    /// All calls if it is empty.
    on: Vec<Method>,
    chat: Option<i64>,
    /// How many calls it still strikes.
    left: u64,
    probability: f64,
}

impl Rule {
    /// `fault` on every call, until [`Faults::clear`].
    #[must_use]
    pub fn every_call(fault: Fault) -> Self {
        Self { fault, on: Vec::new(), chat: None, left: u64::MAX, probability: 1.0 }
    }

    /// `fault` on the next `calls` that match.
    #[must_use]
    pub fn next(calls: u64, fault: Fault) -> Self {
        Self { left: calls, ..Self::every_call(fault) }
    }

    /// `fault` on each call with this probability, 0.0–1.0.
    #[must_use]
    pub fn sometimes(probability: f64, fault: Fault) -> Self {
        Self { probability, ..Self::every_call(fault) }
    }

    /// Only calls of this method, in any case of letters, and of those named before; a method that the
    /// simulator does not know matches none.
    #[must_use]
    pub fn on(mut self, method: &str) -> Self {
        self.on.push(Method::parse(method).unwrap_or(Method::Unknown));
        self
    }

    /// Only calls that name this chat.
    #[must_use]
    pub fn in_chat(mut self, chat: i64) -> Self {
        self.chat = Some(chat);
        self
    }

    fn strikes(&mut self, method: Method, chat: Option<i64>, rng: &mut StdRng) -> bool {
        let matches = self.left > 0
            && (self.on.is_empty() || self.on.contains(&method))
            && self.chat.is_none_or(|wanted| chat == Some(wanted));
        let struck = matches && rng.random::<f64>() < self.probability;
        if struck && self.left != u64::MAX {
            self.left -= 1;
        }
        struck
    }
}

/// Everything that goes wrong now. The default is a Telegram on its best day.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Vec<Rule>,
    /// Every n-th update is delivered once more under the same id, after it was confirmed; 0: none.
    pub repeat_every: u64,
    /// The share of taps, 0.0–1.0, that arrive a second time under a new update id and a new callback id, as
    /// from a client that lost its connection.
    pub double_taps: f64,
    /// Telegram hands out nothing: getUpdates stays empty and webhooks are not called; updates go on ageing.
    pub hold_updates: bool,
    updates_seen: u64,
}

impl Faults {
    /// Adds a rule; of several that strike one call the earliest wins, delays add up.
    pub fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Whether a rule with this fault is to strike yet.
    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.rules.iter().any(|rule| rule.fault == fault)
    }

    /// Takes all rules with this fault away.
    pub fn remove(&mut self, fault: Fault) {
        self.rules.retain(|rule| rule.fault != fault);
    }

    /// Whether every rule has struck as often as it was to.
    #[must_use]
    pub fn have_struck(&self) -> bool {
        self.rules.is_empty()
    }

    /// Ends every fault.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The fault that strikes this call: how long it waits, and how it fails.
    pub(super) fn strike(
        &mut self,
        method: Method,
        chat: Option<i64>,
        rng: &mut StdRng,
    ) -> (Duration, Option<Fault>) {
        let mut delay = Duration::ZERO;
        let mut failure = None;
        for rule in &mut self.rules {
            let is_delay = matches!(rule.fault, Fault::Delay(_));
            if (failure.is_some() && !is_delay) || !rule.strikes(method, chat, rng) {
                continue;
            }
            match rule.fault {
                Fault::Delay(more) => delay += more,
                fault => failure = Some(fault),
            }
        }
        self.rules.retain(|rule| rule.left > 0);
        (delay, failure)
    }

    pub(super) fn repeats_this_update(&mut self) -> bool {
        self.updates_seen += 1;
        self.repeat_every > 0 && self.updates_seen.is_multiple_of(self.repeat_every)
    }

    pub(super) fn doubles_this_tap(&self, rng: &mut StdRng) -> bool {
        rng.random::<f64>() < self.double_taps
    }
}
