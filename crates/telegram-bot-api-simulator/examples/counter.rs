//! An ordinary teloxide bot that counts taps, a conversation with it, and its test.
//!
//! `cargo run --package telegram-bot-api-simulator --example counter`

use bot_api_simulator::{Options, Simulator, UserProfile};
use teloxide::dispatching::{DefaultKey, Dispatcher, UpdateFilterExt as _};
use teloxide::payloads::{EditMessageTextSetters as _, SendMessageSetters as _};
use teloxide::requests::{Requester as _, ResponseResult};
use teloxide::types::{CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, Update};
use teloxide::{Bot, RequestError, dptree};

/// The bot; it knows nothing of a simulator.
fn counter(bot: Bot) -> Dispatcher<Bot, RequestError, DefaultKey> {
    let handler = dptree::entry()
        .branch(Update::filter_message().endpoint(begin))
        .branch(Update::filter_callback_query().endpoint(count));
    Dispatcher::builder(bot, handler).build()
}

async fn begin(bot: Bot, message: Message) -> ResponseResult<()> {
    bot.send_message(message.chat.id, text(0)).reply_markup(keyboard(0)).await?;
    Ok(())
}

async fn count(bot: Bot, tap: CallbackQuery) -> ResponseResult<()> {
    bot.answer_callback_query(tap.id.clone()).await?;
    let count: u32 = tap.data.as_deref().and_then(|data| data.parse().ok()).unwrap_or_default();
    if let Some(card) = tap.message {
        let edit = bot.edit_message_text(card.chat().id, card.id(), text(count));
        edit.reply_markup(keyboard(count)).await?;
    }
    Ok(())
}

fn text(count: u32) -> String {
    format!("Taps: {count}")
}

fn keyboard(count: u32) -> InlineKeyboardMarkup {
    InlineKeyboardMarkup::new([[InlineKeyboardButton::callback("+1", (count + 1).to_string())]])
}

/// A simulated Telegram, and the bot that runs on it.
async fn start() -> anyhow::Result<Simulator> {
    let telegram = Simulator::start(Options::default()).await?;
    let bot = Bot::new(telegram.token()).set_api_url(telegram.url().parse()?);
    tokio::spawn(async move { counter(bot).dispatch().await });
    Ok(telegram)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let telegram = start().await?;
    let marie = telegram.user(UserProfile::new(7, "Marie", "fr"));
    marie.says("bonjour");
    marie.sees("Taps: 0").await?;
    marie.taps("+1")?;
    marie.sees_new("Taps: 1").await?;
    #[expect(clippy::print_stdout, reason = "an example shows the chat")]
    {
        println!("{}", marie.transcript());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bot_api_simulator::{Fault, Rule};

    use super::*;

    #[tokio::test]
    async fn taps_are_counted_in_one_message() {
        let telegram = start().await.unwrap();
        let marie = telegram.user(UserProfile::new(7, "Marie", "fr"));
        marie.says("bonjour");
        let card = marie.sees("Taps: 0").await.unwrap();
        for count in 1..=3 {
            marie.taps("+1").unwrap();
            let edited = marie.sees(&text(count)).await.unwrap();
            assert_eq!(edited.id, card.id);
        }
    }

    #[tokio::test]
    async fn a_message_that_telegram_refuses_is_not_there() {
        let telegram = start().await.unwrap();
        telegram.faults(|faults| {
            faults.add(Rule::next(1, Fault::BadRequest("Bad Request: no")).on("sendMessage"))
        });
        let marie = telegram.user(UserProfile::new(7, "Marie", "fr"));
        marie.says("bonjour");
        marie.says("encore");
        marie.sees("Taps: 0").await.unwrap();
        assert_eq!(marie.messages().iter().filter(|message| message.shows("+1")).count(), 1);
    }
}
