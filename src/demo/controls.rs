//! The controls of the page: each breaks a part of the world and mends it again. A control is on or off where the part
//! is broken, so nothing is remembered twice.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::demo::harness::Harness;
use bot_api_simulator::{Fault, Faults, Rule};

/// Telegram takes its time.
const SLOW: Fault = Fault::Delay(Duration::from_secs(2));
/// Telegram asks for a pause.
const REFUSE: Fault = Fault::TooManyRequests { retry_after: 3 };
/// Telegram carries out the call, and its answer is lost.
const DROP: Fault = Fault::DropAfter;
/// The calls that a user would notice.
const SHOWN: [&str; 2] = ["sendMessage", "editMessageText"];

/// One part that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Control {
    /// The way to Redis.
    Redis,
    /// Telegram takes 2 s for each call.
    Slow,
    /// Telegram answers calls that users would see with 429.
    Refuse,
    /// The next answer of Telegram to a call that users would see is lost.
    Drop,
    /// The bot itself.
    Bot,
}

/// How all of them stand.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Controls {
    /// `None` without a Redis whose way can be closed.
    redis: Option<bool>,
    slow: bool,
    refuse: bool,
    drop: bool,
    bot: bool,
}

impl Controls {
    pub(super) fn of(harness: &Harness) -> Self {
        let (slow, refuse, drop) =
            harness.telegram.faults(|faults| (faults.has(SLOW), faults.has(REFUSE), faults.has(DROP)));
        Self { redis: harness.way_to_redis_is_open(), slow, refuse, drop, bot: harness.is_running() }
    }
}

/// Why a control did not move.
#[derive(Debug, thiserror::Error)]
pub(super) enum ControlError {
    /// There is no Redis here.
    #[error("il n'y a pas de Redis ici : la démonstration le prend de REDIS_URL (redis://…)")]
    NoRedis,
    /// The bot does not start again.
    #[error("le robot ne redémarre pas : {0:#}")]
    NoStart(anyhow::Error),
}

/// Moves a control; does nothing where it stands so already.
///
/// # Errors
/// Why it did not move.
pub(super) async fn set(harness: &Harness, control: Control, on: bool) -> Result<(), ControlError> {
    let every_shown = |fault| on_shown(Rule::every_call(fault));
    match control {
        Control::Bot if on => harness.start_bot().await.map_err(ControlError::NoStart)?,
        Control::Bot => harness.kill_bot().await,
        Control::Redis => harness.open_way_to_redis(on).ok_or(ControlError::NoRedis)?,
        Control::Slow => replace(harness, SLOW, on.then(|| Rule::every_call(SLOW))),
        Control::Refuse => replace(harness, REFUSE, on.then(|| every_shown(REFUSE))),
        Control::Drop => replace(harness, DROP, on.then(|| on_shown(Rule::next(1, DROP)))),
    }
    harness.changed();
    Ok(())
}

fn on_shown(rule: Rule) -> Rule {
    SHOWN.iter().fold(rule, |rule, method| rule.on(method))
}

fn replace(harness: &Harness, fault: Fault, rule: Option<Rule>) {
    harness.telegram.faults(|faults: &mut Faults| {
        faults.remove(fault);
        rule.into_iter().for_each(|rule| faults.add(rule));
    });
}
