//! The calls that change the command menu.

use serde::Deserialize as _;
use serde_json::json;

use crate::answer::{Answer, Refusal, Reply};
use crate::menu::BotCommand;
use crate::parameters::Parameters;
use crate::world::World;

/// Most commands of one list (Bot API, setMyCommands).
const MOST_COMMANDS: usize = 100;
/// Longest command (Bot API, `BotCommand`: 1–32 of a–z, 0–9 and `_`).
const LONGEST_COMMAND: usize = 32;
/// Length of a description: Telegram takes 1–256 characters, clients and older servers 3–256; the stricter
/// holds.
const DESCRIPTION: std::ops::RangeInclusive<usize> = 3..=256;

pub(super) fn set(world: &mut World, call: &Parameters) -> Answer {
    let refused = |why: &'static str| Refusal::bad_request(why);
    let given = call.json("commands")?.ok_or_else(|| refused("Bad Request: commands list is empty"))?;
    let menu = Vec::<BotCommand>::deserialize(given.as_ref()).map_err(|why| {
        Refusal::bad_request(format!("Bad Request: can't parse list of bot commands: {why}"))
    })?;
    if menu.len() > MOST_COMMANDS {
        return Err(refused("Bad Request: BOT_COMMANDS_TOO_MUCH"));
    }
    for entry in &menu {
        let name = &entry.command;
        let letters =
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !letters || name.is_empty() || name.len() > LONGEST_COMMAND {
            return Err(refused("Bad Request: BOT_COMMAND_INVALID"));
        }
        if !DESCRIPTION.contains(&entry.description.chars().count()) {
            return Err(refused("Bad Request: BOT_COMMAND_DESCRIPTION_INVALID"));
        }
    }
    world.commands.insert(place(call)?, menu);
    Ok(Reply::yes())
}

pub(super) fn get(world: &mut World, call: &Parameters) -> Answer {
    let menu = world.commands.get(&place(call)?);
    Ok(Reply::of(&menu.map_or(&[][..], Vec::as_slice)))
}

pub(super) fn delete(world: &mut World, call: &Parameters) -> Answer {
    world.commands.remove(&place(call)?);
    Ok(Reply::yes())
}

fn place(call: &Parameters) -> Result<(String, String), Refusal> {
    let scope = call.json("scope")?.map_or_else(|| json!({"type": "default"}), std::borrow::Cow::into_owned);
    let language = call.text("language_code").unwrap_or_default();
    let is_language =
        language.is_empty() || (language.len() == 2 && language.bytes().all(|b| b.is_ascii_lowercase()));
    if !is_language {
        return Err(Refusal::bad_request("Bad Request: invalid language code specified"));
    }
    Ok((scope.to_string(), language.into_owned()))
}
