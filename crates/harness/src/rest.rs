//! Waiting until nothing is left to do: no update waits at Telegram, and the bot has no work under way.

use std::time::Duration;

use bot_api_simulator::Simulator;
use tokio::time::{sleep, timeout};

/// How often it is looked at: work under way rings no bell.
const LOOK: Duration = Duration::from_millis(20);

/// The work that was left when patience was over.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("waited {patience:?} in vain for rest: {unrest}")]
pub struct NoRest {
    /// How long rest was waited for.
    pub patience: Duration,
    /// The work that was left at last.
    pub unrest: String,
}

/// Waits until all is at rest: no update waits at Telegram, and `of_bot` names no work of the bot's.
///
/// # Errors
/// Some work is left when `patience` is over.
pub async fn at_rest(
    telegram: &Simulator,
    patience: Duration,
    mut of_bot: impl AsyncFnMut() -> Option<String>,
) -> Result<(), NoRest> {
    let unrest = async || match telegram.pending_updates() {
        0 => of_bot().await,
        waiting => Some(format!("{waiting} updates wait at Telegram")),
    };
    until_none(patience, unrest).await
}

/// Waits until `unrest` names no work any more.
///
/// # Errors
/// Some work is left when `patience` is over.
pub async fn until_none(
    patience: Duration,
    mut unrest: impl AsyncFnMut() -> Option<String>,
) -> Result<(), NoRest> {
    let mut last = String::new();
    let rests = async {
        while let Some(left) = unrest().await {
            last = left;
            sleep(LOOK).await;
        }
    };
    match timeout(patience, rests).await {
        Ok(()) => Ok(()),
        Err(_) => Err(NoRest { patience, unrest: last }),
    }
}

#[cfg(test)]
mod tests {
    use bot_api_simulator::Options;

    use super::*;
    use crate::personas::CAMILLE;

    #[tokio::test]
    async fn the_work_that_is_left_is_named() {
        let telegram = Simulator::start(Options::default()).await.unwrap();
        let patience = Duration::from_millis(50);
        at_rest(&telegram, patience, async || None).await.unwrap();
        let busy = at_rest(&telegram, patience, async || Some("a lane runs".to_owned())).await;
        assert_eq!(busy.unwrap_err().unrest, "a lane runs");
        CAMILLE.at(&telegram).says("bonjour");
        let waits = at_rest(&telegram, patience, async || None).await;
        assert_eq!(waits.unwrap_err().unrest, "1 updates wait at Telegram");
    }
}
