//! The users of the bot: they write a note, look at the newest card, and tap again when it does not change.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bot_api_simulator::{Chat, User};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::oracle::harness::Harness;
use crate::oracle::promises::number_in;

/// After this long without any change a user taps again.
const TAPS_AGAIN: Duration = Duration::from_secs(8);
/// Not the button that undoes a deposit.
const CANCEL: &str = "❌ Annuler";
/// After this long a user complains to the operator. A user who meets one kill of the bot after the other waits for a lease
/// each time; how quickly all are served once the trouble is over is the oracle's to say.
pub(super) const GIVES_UP: Duration = Duration::from_secs(300);

/// The numbers of the deposits whose confirmation can be read in a chat.
pub(crate) fn confirmed(chat: &Chat) -> BTreeSet<u64> {
    chat.from_bot().filter_map(|message| number_in(message.text())).collect()
}

fn has_button(chat: &Chat, label: &str) -> bool {
    chat.from_bot().any(|message| message.button(label).is_some())
}

/// Whether the bot shows `text` below a message.
fn is_below(chat: &Chat, message: i64, text: &str) -> bool {
    chat.from_bot().any(|shown| shown.id > message && shown.shows(text))
}

/// Taps this button until the chat is as it should be.
async fn taps_until(user: &User, label: &str, is_done: impl Fn(&Chat) -> bool) -> anyhow::Result<()> {
    let done = async {
        loop {
            // It may have gone this moment.
            let _no_button = user.taps(label);
            let looked = user.wait("what the tap does", |chat| {
                let is_told_to_look = chat.toast_of_last_tap().is_some_and(|toast| !toast.text.is_empty());
                match is_done(chat) {
                    true => Some(true),
                    false => (is_told_to_look && has_button(chat, label)).then_some(false),
                }
            });
            if let Ok(looked) = timeout(TAPS_AGAIN, looked).await
                && looked?
            {
                return anyhow::Ok(());
            }
        }
    };
    let late = || anyhow::anyhow!("«{label}» does nothing for {}:\n{}", user.id(), user.transcript());
    timeout(GIVES_UP, done).await.unwrap_or_else(|_| Err(late()))
}

/// One deposit, from the first word to its confirmation.
pub(crate) async fn deposits(user: &User) -> anyhow::Result<()> {
    goes_through(user, |user| user.says("une bouilloire, un kilo deux").message_id).await
}

/// The same, spoken.
pub(crate) async fn speaks(user: &User) -> anyhow::Result<()> {
    goes_through(user, |user| user.sends_voice(2, b"OggS a kettle, one kilo two".as_slice()).message_id).await
}

async fn goes_through(user: &User, says: impl Fn(&User) -> i64) -> anyhow::Result<()> {
    let before = user.wait("the chat", |chat| Some(confirmed(chat))).await.unwrap_or_default();
    let said = says(user);
    user.wait_for("a card below", |chat| {
        chat.from_bot().any(|message| message.id > said && message.button("Valider").is_some())
    })
    .await?;
    // Not by counting: a chat forgets its oldest messages.
    taps_until(user, "Valider", |chat| !confirmed(chat).is_subset(&before)).await
}

/// One that is given up.
pub(crate) async fn cancels(user: &User) -> anyhow::Result<()> {
    let said = user.says("une table, dix kilos").message_id;
    user.wait_for("a card", |chat| has_button(chat, CANCEL)).await?;
    taps_until(user, CANCEL, |chat| is_below(chat, said, "abandonné")).await
}

/// Opens a deposit and does nothing more until it has expired.
pub(crate) async fn forgets(user: &User) -> anyhow::Result<()> {
    let said = user.says("une lampe, deux kilos").message_id;
    user.wait_for("the end of the session", |chat| is_below(chat, said, "a expiré")).await
}

/// Lets so many users act again and again until `crowd` is told to stop; then each finishes the current deposit.
pub(crate) struct Crowd {
    tasks: JoinSet<anyhow::Result<usize>>,
    goes_on: std::sync::Arc<AtomicBool>,
}

impl Crowd {
    pub(crate) fn gather<F>(
        harness: &Harness,
        does: impl Fn(User, usize) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let goes_on = std::sync::Arc::new(AtomicBool::new(true));
        let mut tasks = JoinSet::new();
        for id in 1..=harness.people {
            let (user, does, goes_on) =
                (harness.user(i64::try_from(id).unwrap()), does.clone(), std::sync::Arc::clone(&goes_on));
            tasks.spawn(async move {
                let mut round = 0;
                while goes_on.load(Ordering::Relaxed) {
                    does(user.clone(), round).await?;
                    round += 1;
                }
                Ok(round)
            });
        }
        Self { tasks, goes_on }
    }

    /// Ends with the complaint of a user; without one, never.
    pub(crate) async fn complains(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Ok(Ok(_)) | Err(_)) | None => anyhow::anyhow!("somebody went home"),
        }
    }

    /// No user begins a deposit any more; returns how many were made.
    pub(crate) async fn goes_home(mut self) -> anyhow::Result<usize> {
        self.goes_on.store(false, Ordering::Relaxed);
        let mut rounds = 0;
        while let Some(done) = self.tasks.join_next().await {
            rounds += done.unwrap()?;
        }
        Ok(rounds)
    }
}

/// The usual behaviour: nine of ten deposits are validated.
pub(crate) async fn as_usual(user: User, round: usize) -> anyhow::Result<()> {
    if round % 10 == 9 { cancels(&user).await } else { deposits(&user).await }
}

/// An admin accepts each request for access.
pub(crate) async fn lets_in(admin: &User) -> anyhow::Result<()> {
    let asks = admin.wait_for("a question", |chat| has_button(chat, "Accepter"));
    if timeout(TAPS_AGAIN / 8, asks).await.is_ok() {
        // It may have gone this moment.
        let _no_button = admin.taps("Accepter");
        let _late = timeout(TAPS_AGAIN / 8, admin.toast()).await;
    }
    Ok(())
}

/// A user without access.
#[derive(Clone)]
pub(crate) struct Strangers(pub(super) std::sync::Arc<dyn Fn(i64) -> User + Send + Sync>);

/// A stranger requests access; each round another one.
pub(crate) async fn asks_to_be_let_in(strangers: &Strangers, first: i64, round: usize) -> anyhow::Result<()> {
    let user = (strangers.0)(first + i64::try_from(round)?);
    user.says("bonjour");
    user.wait_for("the way in", |chat| has_button(chat, "Demander")).await?;
    taps_until(&user, "Demander", |chat| !has_button(chat, "Demander")).await
}
