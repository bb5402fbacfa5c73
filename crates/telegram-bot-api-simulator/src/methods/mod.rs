//! The methods of the Bot API: each takes the world and a call's parameters, and answers as Telegram does.

mod callbacks;
mod chats;
pub(super) mod commands;
mod messages;
mod uploads;
mod webhooks;

use super::answer::{Answer, Refusal, Reply};
use super::method::Method;
use super::parameters::Parameters;
use super::world::World;

/// Carries out one call. `getUpdates` may wait and therefore lives in [`super::polling`].
pub(super) fn call(world: &mut World, method: Method, parameters: &Parameters) -> Answer {
    match method {
        Method::GetMe => Ok(chats::get_me(world)),
        Method::SetWebhook => webhooks::set(world, parameters),
        Method::DeleteWebhook => Ok(webhooks::delete(world, parameters)),
        Method::GetWebhookInfo => Ok(webhooks::info(world)),
        Method::SendMessage => messages::send(world, parameters),
        Method::EditMessageText => messages::edit_text(world, parameters),
        Method::EditMessageReplyMarkup => messages::edit_markup(world, parameters),
        Method::DeleteMessage => messages::delete(world, parameters),
        Method::AnswerCallbackQuery => callbacks::answer(world, parameters),
        Method::SendChatAction => chats::send_action(world, parameters),
        Method::SendPhoto => uploads::send(world, parameters, &uploads::PHOTO),
        Method::SendDocument => uploads::send(world, parameters, &uploads::DOCUMENT),
        Method::SendVoice => uploads::send(world, parameters, &uploads::VOICE),
        Method::GetFile => uploads::get_file(world, parameters),
        Method::SetMyCommands => commands::set(world, parameters),
        Method::GetMyCommands => commands::get(world, parameters),
        Method::DeleteMyCommands => commands::delete(world, parameters),
        Method::GetChat => chats::get(world, parameters),
        Method::GetChatMember => chats::get_member(world, parameters),
        Method::LeaveChat => chats::leave(world, parameters),
        Method::GetUpdates | Method::Unknown => Err(Refusal::new(404, "Not Found")),
    }
}

/// The answer that carries a message.
fn shown(world: &mut World, message: &super::message::Message) -> Reply {
    world.note_shown(message);
    Reply { message_id: Some(message.id), ..Reply::of(message) }
}
