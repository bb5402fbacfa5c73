//! The bot itself, its chats and their members.

use serde_json::json;

use crate::answer::{Answer, Refusal, Reply};
use crate::chat::Standing;
use crate::parameters::Parameters;
use crate::world::World;

/// The values of `action` (Bot API, sendChatAction).
const ACTIONS: [&str; 11] = [
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
];

pub(super) fn get_me(world: &World) -> Reply {
    Reply::of(&json!({
        "id": world.bot.id,
        "is_bot": true,
        "first_name": world.bot.first_name,
        "username": world.bot.username,
        "can_join_groups": true,
        "can_read_all_group_messages": false,
        "supports_inline_queries": false,
        "can_connect_to_business": false,
        "has_main_web_app": false,
    }))
}

pub(super) fn send_action(world: &mut World, call: &Parameters) -> Answer {
    let chat = world.writable_chat(call)?;
    if !call.text("action").is_some_and(|action| ACTIONS.contains(&action.as_ref())) {
        return Err(Refusal::bad_request("Bad Request: wrong parameter action in request"));
    }
    chat.bot_types();
    Ok(Reply::yes())
}

pub(super) fn get(world: &mut World, call: &Parameters) -> Answer {
    // `ChatFullInfo`: a `Chat` and the members that the Bot API always adds.
    let gifts = json!({
        "unlimited_gifts": true,
        "limited_gifts": true,
        "unique_gifts": true,
        "premium_subscription": true,
    });
    let mut chat = json!(world.known_chat(call)?.head.as_ref());
    if let Some(members) = chat.as_object_mut() {
        members.insert("accent_color_id".to_owned(), json!(0));
        members.insert("max_reaction_count".to_owned(), json!(11));
        members.insert("accepted_gift_types".to_owned(), gifts);
    }
    Ok(Reply::of(&chat))
}

pub(super) fn get_member(world: &mut World, call: &Parameters) -> Answer {
    let bot = world.bot.clone();
    let chat = world.known_chat(call)?;
    let Some(id) = call.integer("user_id") else {
        return Err(Refusal::bad_request("Bad Request: invalid user_id specified"));
    };
    if id == bot.id {
        let status = if chat.standing == Standing::Member { "member" } else { "left" };
        return Ok(Reply::of(&json!({"status": status, "user": bot.as_ref()})));
    }
    let person = chat.messages().rev().map(|message| &message.from).find(|from| from.id == id);
    match person {
        Some(person) => Ok(Reply::of(&json!({"status": "member", "user": person.as_ref()}))),
        None => Err(Refusal::bad_request("Bad Request: PARTICIPANT_ID_INVALID")),
    }
}

pub(super) fn leave(world: &mut World, call: &Parameters) -> Answer {
    let chat = world.writable_chat(call)?;
    if chat.head.kind == "private" {
        return Err(Refusal::bad_request(
            "Bad Request: chat member status can't be changed in private chats",
        ));
    }
    chat.stand(Standing::Left);
    Ok(Reply::yes())
}
