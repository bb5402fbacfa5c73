//! The one answer that a tap gets.

use crate::answer::{Answer, Refusal, Reply};
use crate::chat::Toast;
use crate::journal::Happened;
use crate::parameters::Parameters;
use crate::text::units;
use crate::world::World;

/// Longest text of an answer (Bot API, answerCallbackQuery: 0–200 characters).
const LONGEST_ANSWER: usize = 200;

pub(super) fn answer(world: &mut World, call: &Parameters) -> Answer {
    let text = call.text("text").unwrap_or_default().into_owned();
    if units(&text) > LONGEST_ANSWER {
        return Err(Refusal::bad_request("Bad Request: MESSAGE_TOO_LONG"));
    }
    let callback_id = call.text("callback_query_id").unwrap_or_default().into_owned();
    let Some(chat) = world.take_tap(&callback_id) else {
        return Err(Refusal::bad_request(
            "Bad Request: query is too old and response timeout expired or query ID is invalid",
        ));
    };
    let at = world.clock.now();
    world.journal.write(at, || Happened::Answered { callback_id: callback_id.clone(), chat });
    if let Some(chat) = world.chats.get_mut(&chat) {
        chat.answer(Toast { callback_id, text, show_alert: call.flag("show_alert"), at });
    }
    Ok(Reply::yes())
}
