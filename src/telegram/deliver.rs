//! The worker that tells other people's chats what followed from a fact in the ledger: rows of `deliveries`.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Timestamp;
use crate::deposit::MessageId;
use crate::effects::retry::Failure;
use crate::ledger::{Delivery, DeliveryKind, LedgerError};
use crate::telegram::access_card;
use crate::telegram::chat::TelegramChat;
use crate::telegram::picture::Picture;
use crate::telegram::send_limiter::Priority;
use crate::telegram::sentences::{self, Announcement};

/// How often the table is looked at when nobody in this process wrote to it.
const TURN: Duration = Duration::from_secs(2);
/// How many rows one turn takes.
const BATCH: u32 = 16;
/// How long a row is ours: longer than all calls of a batch may take.
const LEASE: Duration = Duration::from_secs(180);
/// How often a row is tried.
const ATTEMPTS_MAX: u32 = 8;

/// Delivers until `stop`; calls `beat` after each turn.
///
/// The message that is on its way when `stop` comes is settled first, within the time of a call, and the rows that were
/// claimed with it are given back: whoever closes the database waits for the end of this.
pub async fn run(chat: TelegramChat, stop: CancellationToken, beat: impl Fn() + Send) {
    let mut failing = false;
    while !stop.is_cancelled() {
        match turn(&chat, &stop).await {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "deliveries wait: the ledger does not answer");
            }
            Err(_) => {}
        }
        beat();
        tokio::select! {
            () = stop.cancelled() => {}
            () = chat.ledger.delivery_added() => {}
            () = chat.clock.sleep(TURN) => {}
        }
    }
}

async fn turn(chat: &TelegramChat, stop: &CancellationToken) -> Result<(), LedgerError> {
    // A look costs a read; only what is due is claimed, which is a write.
    while !stop.is_cancelled()
        && chat.ledger.next_delivery_due().await?.is_some_and(|due| due <= chat.clock.now())
    {
        let claimed = chat.ledger.claim_deliveries(BATCH, LEASE).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        for delivery in claimed {
            if stop.is_cancelled() {
                chat.ledger.release_delivery(&delivery).await?;
            } else {
                deliver(chat, &delivery).await?;
            }
        }
        if stop.is_cancelled() {
            return Ok(());
        }
    }
    Ok(())
}

/// Brings one message to the state its row wants.
async fn deliver(chat: &TelegramChat, delivery: &Delivery) -> Result<(), LedgerError> {
    let picture = picture(chat, delivery);
    let outcome = match delivery.message {
        Some(message) => match chat.repaint(delivery.destination, message, &picture).await {
            // Its message is gone: the news is worth a new one.
            Err(Failure::CardLost) => chat.tell(delivery.destination, &picture, Priority::Notice).await,
            repainted => repainted.map(|()| message),
        },
        None => chat.tell(delivery.destination, &picture, Priority::Notice).await,
    };
    crate::failpoint!("delivered_unread");
    settle(chat, delivery, outcome).await
}

async fn settle(
    chat: &TelegramChat,
    delivery: &Delivery,
    outcome: Result<MessageId, Failure>,
) -> Result<(), LedgerError> {
    let ledger = &chat.ledger;
    match outcome {
        Ok(message) => {
            if !ledger.delivered(delivery, message).await? && delivery.message != Some(message) {
                // Somebody else took the row over: the message that nobody knows loses its keyboard.
                let _stays_as_it_is = chat.strip(delivery.destination, message).await;
            }
        }
        Err(Failure::ChatClosed) => {
            ledger.close_destination(delivery.destination).await?;
        }
        Err(Failure::Paused(until)) => {
            ledger.defer_delivery(delivery, until).await?;
        }
        Err(Failure::Transient) if delivery.attempts + 1 < ATTEMPTS_MAX => {
            ledger.defer_delivery(delivery, later(chat.clock.now(), delivery.attempts)).await?;
        }
        Err(failure @ (Failure::Transient | Failure::Permanent | Failure::CardLost)) => {
            tracing::error!(delivery.id, ?failure, "a delivery is given up");
            ledger.fail_delivery(delivery, &format!("{failure:?}")).await?;
        }
    }
    Ok(())
}

/// Doubles from a second to about two minutes.
fn later(now: Timestamp, attempts: u32) -> Timestamp {
    now.after(Duration::from_secs(1 << attempts.min(7)))
}

fn picture(chat: &TelegramChat, delivery: &Delivery) -> Picture {
    let localizer = chat.i18n.localizer(delivery.language);
    match &delivery.kind {
        DeliveryKind::AccessRequested { request, person, name } => {
            access_card::requested(localizer, *person, name, request.0)
        }
        DeliveryKind::AccessDecided { person, name, accepted, by, by_name } => {
            let by = by.map(|_| by_name.as_str());
            access_card::decided(localizer, *person, name, access_card::Decision { accepted: *accepted, by })
        }
        DeliveryKind::AccessGranted => sentences::announcement(localizer, Announcement::AccessGranted),
        DeliveryKind::AccessRefused => sentences::announcement(localizer, Announcement::AccessRefused),
    }
}
