//! What can be broken, and mended again. Each is on or off where it is broken, so nothing is remembered twice.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::demo::stage::Stage;
use crate::simulator::{Fault, Faults, Rule};

/// Telegram takes its time.
const SLOW: Fault = Fault::Delay(Duration::from_secs(2));
/// Telegram asks for a pause.
const REFUSE: Fault = Fault::TooManyRequests { retry_after: 3 };
/// Telegram does what it is asked to, and its answer is lost.
const DROP: Fault = Fault::DropAfter;
/// The calls that a person would notice.
const SHOWN: [&str; 2] = ["sendMessage", "editMessageText"];

/// One thing that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Switch {
    /// The way to Redis.
    Redis,
    /// Telegram takes 2 s for each call.
    Slow,
    /// Telegram answers what people would see with 429.
    Refuse,
    /// The next answer of Telegram to what people would see is lost.
    Drop,
    /// The bot itself.
    Bot,
}

/// How all of them stand.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Switches {
    /// `None` without a Redis whose way can be closed.
    redis: Option<bool>,
    slow: bool,
    refuse: bool,
    drop: bool,
    bot: bool,
}

impl Switches {
    pub(super) fn of(stage: &Stage) -> Self {
        let (slow, refuse, drop) =
            stage.telegram.faults(|faults| (faults.has(SLOW), faults.has(REFUSE), faults.has(DROP)));
        Self { redis: stage.relay_is_open(), slow, refuse, drop, bot: stage.is_running() }
    }
}

/// Why a switch did not move.
#[derive(Debug, thiserror::Error)]
pub(super) enum SwitchError {
    /// There is no Redis here.
    #[error("il n'y a pas de Redis ici : la démonstration le prend de REDIS_URL (redis://…)")]
    NoRedis,
    /// The bot does not start again.
    #[error("le robot ne redémarre pas : {0:#}")]
    NoStart(anyhow::Error),
}

/// Moves a switch; does nothing where it stands so already.
///
/// # Errors
/// Why it did not move.
pub(super) async fn turn(stage: &Stage, switch: Switch, on: bool) -> Result<(), SwitchError> {
    let every_shown = |fault| on_shown(Rule::every_call(fault));
    match switch {
        Switch::Bot if on => stage.start_bot().await.map_err(SwitchError::NoStart)?,
        Switch::Bot => stage.kill_bot().await,
        Switch::Redis => stage.turn_redis(on).ok_or(SwitchError::NoRedis)?,
        Switch::Slow => set(stage, SLOW, on.then(|| Rule::every_call(SLOW))),
        Switch::Refuse => set(stage, REFUSE, on.then(|| every_shown(REFUSE))),
        Switch::Drop => set(stage, DROP, on.then(|| on_shown(Rule::next(1, DROP)))),
    }
    stage.changed();
    Ok(())
}

fn on_shown(rule: Rule) -> Rule {
    SHOWN.iter().fold(rule, |rule, method| rule.on(method))
}

fn set(stage: &Stage, fault: Fault, rule: Option<Rule>) {
    stage.telegram.faults(|faults: &mut Faults| {
        faults.remove(fault);
        rule.into_iter().for_each(|rule| faults.add(rule));
    });
}
