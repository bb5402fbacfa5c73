//! getUpdates: long polling with Telegram's offset semantics and its one-poller rule.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, Refusal, Reply};
use super::journal::Happened;
use super::parameters::Parameters;
use super::world::{Shared, World};

/// Longest wait of one call (telegram-bot-api `process_get_updates_query`: 50 s).
const LONGEST_WAIT: u64 = 50;

/// Answers one getUpdates call, at once or when an update comes in. A waiting call is ended with 409 when
/// another call has to wait or a webhook is set; two calls that find updates are both served, as Telegram
/// does.
pub(super) async fn get_updates(shared: &Shared, call: &Parameters) -> Answer {
    let limit =
        call.integer("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100).clamp(1, 100);
    let wait =
        call.integer("timeout").and_then(|wait| u64::try_from(wait).ok()).unwrap_or(0).min(LONGEST_WAIT);
    let mut deadline = Instant::now() + Duration::from_secs(wait);
    let (start, ended) = {
        let mut world = shared.world();
        if world.webhook.is_some() {
            return Err(conflict(
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete \
                 the webhook first",
            ));
        }
        world.set_allowed_updates(call)?;
        (begin(&mut world, call.integer("offset").unwrap_or(0)), world.polls_ended)
    };
    shared.signals.activity.notify_waiters();
    let mut my_poll = None;
    loop {
        let mut woken = pin!(shared.signals.updates.notified());
        woken.as_mut().enable();
        if shared.world().polls_ended != ended {
            deadline = Instant::now();
        }
        if let Some(batch) = look(&mut shared.world(), start, limit, deadline, &mut my_poll)? {
            return Ok(Reply { result: array(&batch), message_id: None, description: None });
        }
        if my_poll.is_none() {
            my_poll = Some(become_the_poller(shared));
            continue;
        }
        let _ = timeout_at(deadline, woken).await;
    }
}

/// Confirms by the offset; returns the first id to hand out.
fn begin(world: &mut World, offset: i64) -> i64 {
    let now = world.clock.now();
    world.queue.purge(now);
    if offset != 0 {
        world.journal.write(now, || Happened::ConfirmedBelow { offset });
    }
    world.queue.confirm(offset)
}

/// The updates to hand out; `None` if the call has to wait on.
fn look(
    world: &mut World,
    start: i64,
    limit: usize,
    deadline: Instant,
    my_poll: &mut Option<u64>,
) -> Result<Option<Vec<Arc<str>>>, Refusal> {
    if let Some(mine) = *my_poll {
        if world.webhook.is_some() {
            return Err(conflict("Conflict: terminated by setWebhook request"));
        }
        if world.waiting_poll != mine {
            return Err(conflict(
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is \
                 running",
            ));
        }
    }
    let now = world.clock.now();
    world.queue.purge(now);
    let batch = if world.faults.hold_updates { Vec::new() } else { world.queue.batch(start, limit) };
    if batch.is_empty() && Instant::now() < deadline {
        return Ok(None);
    }
    for (update_id, _) in &batch {
        world.journal.write(now, || Happened::Delivered { update_id: *update_id });
    }
    Ok(Some(batch.into_iter().map(|(_, json)| json).collect()))
}

/// Takes the place of the waiting poller; the one before is woken and gives up.
fn become_the_poller(shared: &Shared) -> u64 {
    let mut world = shared.world();
    world.waiting_poll += 1;
    shared.signals.updates.notify_waiters();
    shared.signals.activity.notify_waiters();
    world.waiting_poll
}

fn array(batch: &[Arc<str>]) -> String {
    let mut array = String::with_capacity(batch.iter().map(|json| json.len() + 1).sum::<usize>() + 2);
    array.push('[');
    for (index, json) in batch.iter().enumerate() {
        if index > 0 {
            array.push(',');
        }
        array.push_str(json);
    }
    array.push(']');
    array
}

fn conflict(description: &'static str) -> Refusal {
    Refusal::new(409, description)
}
