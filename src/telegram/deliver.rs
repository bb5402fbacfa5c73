//! The delivery worker: sends the rows of `deliveries`, messages to other users' chats that follow from a fact in the
//! ledger.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Timestamp;
use crate::database::DatabaseError;
use crate::effects::retry::Failure;
use crate::operations::{Delivery, DeliveryKind};
use crate::telegram::chat::TelegramChat;
use crate::telegram::send_limiter::Priority;
use crate::telegram::views::access_card;
use crate::telegram::views::messages::{self, Notification};
use crate::telegram::views::view::View;
use deposit::MessageId;

/// How often the table is polled when no delivery was added in this process.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How many rows one iteration leases.
const BATCH: u32 = 16;
/// How long a row is leased: longer than all calls of a batch may take.
const LEASE: Duration = Duration::from_secs(180);
/// How often a row is attempted.
const ATTEMPTS_MAX: u32 = 8;

/// Delivers until `stop`; calls `feed` after each iteration.
///
/// At `stop` the call in flight is finished and recorded first, and the leases of the other rows are released; close the
/// database only after this has returned.
pub async fn run(chat: TelegramChat, stop: CancellationToken, feed: impl Fn() + Send) {
    let mut failing = false;
    while !stop.is_cancelled() {
        match deliver_due(&chat, &stop).await {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(
                    %error,
                    "the database does not answer: deliveries wait in their table and go out when it is back; check the \
                     database"
                );
            }
            Err(_) => {}
        }
        feed();
        tokio::select! {
            () = stop.cancelled() => {}
            () = chat.deliveries.added() => {}
            () = chat.clock.sleep(POLL_INTERVAL) => {}
        }
    }
}

async fn deliver_due(chat: &TelegramChat, stop: &CancellationToken) -> Result<(), DatabaseError> {
    // Polling costs a read; only due rows are leased, which is a write.
    while !stop.is_cancelled() && chat.deliveries.next_due().await?.is_some_and(|due| due <= chat.clock.now())
    {
        let leased = chat.deliveries.lease(BATCH, LEASE).await?;
        if leased.is_empty() {
            return Ok(());
        }
        for delivery in leased {
            if stop.is_cancelled() {
                chat.deliveries.release(&delivery).await?;
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
async fn deliver(chat: &TelegramChat, delivery: &Delivery) -> Result<(), DatabaseError> {
    let view = render(chat, delivery);
    let outcome = match delivery.message {
        Some(message) => match chat.edit(delivery.destination, message, &view).await {
            // The message is gone: a new one takes its place.
            Err(Failure::CardLost) => chat.send(delivery.destination, &view, Priority::Notice).await,
            edited => edited.map(|()| message),
        },
        None => chat.send(delivery.destination, &view, Priority::Notice).await,
    };
    crate::failpoint!("delivered_unread");
    record(chat, delivery, outcome).await
}

async fn record(
    chat: &TelegramChat,
    delivery: &Delivery,
    outcome: Result<MessageId, Failure>,
) -> Result<(), DatabaseError> {
    let deliveries = &chat.deliveries;
    match outcome {
        Ok(message) => {
            if !deliveries.mark_sent(delivery, message).await? && delivery.message != Some(message) {
                // Another instance took the row over, and no row refers to this message: it loses its keyboard.
                let _best_effort = chat.strip(delivery.destination, message).await;
            }
        }
        Err(Failure::ChatClosed) => {
            deliveries.close_destination(delivery.destination).await?;
        }
        Err(Failure::Paused(until)) => {
            deliveries.defer(delivery, until).await?;
        }
        Err(Failure::Transient) if delivery.attempts + 1 < ATTEMPTS_MAX => {
            deliveries.defer(delivery, retry_at(chat.clock.now(), delivery.attempts)).await?;
        }
        Err(failure @ (Failure::Transient | Failure::Permanent | Failure::CardLost)) => {
            tracing::error!(
                delivery.id,
                ?failure,
                "a delivery failed for good: its recipient does not get the message; its row in `deliveries` says which"
            );
            deliveries.mark_failed(delivery, &format!("{failure:?}")).await?;
        }
    }
    Ok(())
}

/// An exponential backoff from a second to about two minutes.
fn retry_at(now: Timestamp, attempts: u32) -> Timestamp {
    now.after(Duration::from_secs(1 << attempts.min(7)))
}

fn render(chat: &TelegramChat, delivery: &Delivery) -> View {
    let localizer = chat.i18n.localizer(delivery.language);
    match &delivery.kind {
        DeliveryKind::AccessRequested { request, user, name } => {
            access_card::requested(localizer, *user, name, request.0)
        }
        DeliveryKind::AccessDecided { user, name, accepted, by, by_name } => {
            let by = by.map(|_| by_name.as_str());
            access_card::decided(
                localizer,
                *user,
                name,
                access_card::RequestOutcome { accepted: *accepted, by },
            )
        }
        DeliveryKind::AccessGranted => messages::notification(localizer, Notification::AccessGranted),
        DeliveryKind::AccessRefused => messages::notification(localizer, Notification::AccessRefused),
    }
}
