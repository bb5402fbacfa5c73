//! The shapes of the simulator's answers, by a client that parses every member.

use serde_json::json;
use teloxide::net::Download as _;
use teloxide::payloads::{
    AnswerCallbackQuerySetters as _, EditMessageTextSetters as _, SendMessageSetters as _,
    SetMyCommandsSetters as _, SetWebhookSetters as _,
};
use teloxide::requests::Requester as _;
use teloxide::types::{
    AllowedUpdate, BotCommand, BotCommandScope, CallbackQueryId, ChatAction, ChatId, InlineKeyboardButton,
    InlineKeyboardMarkup, InputFile, ParseMode, UpdateKind, UserId,
};
use teloxide::{ApiError, Bot, RequestError};

use super::Bench;

#[tokio::test]
async fn teloxide_understands_every_answer() {
    let bench = Bench::start().await;
    let marie = bench.marie().await;
    let bot = Bot::with_client(bench.simulator.token(), bench.http.clone());
    let bot = bot.set_api_url(bench.simulator.url().parse().unwrap());
    assert_eq!(bot.get_me().await.unwrap().username(), "simulated_bot");
    let keyboard = InlineKeyboardMarkup::new([[InlineKeyboardButton::callback("Oui", "y")]]);
    let card =
        bot.send_message(ChatId(7), "<b>Ok</b> ?").parse_mode(ParseMode::Html).reply_markup(keyboard.clone());
    let card = card.await.unwrap();
    assert_eq!((card.text(), card.entities().unwrap().len()), (Some("Ok ?"), 1));
    let edit = || bot.edit_message_text(ChatId(7), card.id, "Ok !").reply_markup(keyboard.clone());
    assert!(edit().await.unwrap().edit_date().is_some());
    assert!(matches!(edit().await, Err(RequestError::Api(ApiError::MessageNotModified))));
    bot.send_chat_action(ChatId(7), ChatAction::Typing).await.unwrap();
    let tap = marie.taps("Oui").unwrap();
    marie.sends_voice(6, &b"OggS"[..]);
    marie.sends_photo(Some("photo"), None);
    marie.sends_sticker();
    marie.sends_video_note(2, &b"mp4"[..]);
    marie.sends_audio(2, &b"mp3"[..]);
    marie.in_group(-100, "Équipe").adds_bot();
    let updates = bot.get_updates().await.unwrap();
    assert_eq!(updates.len(), 7);
    assert!(!updates.iter().any(|update| matches!(update.kind, UpdateKind::Error(_))), "{updates:?}");
    let UpdateKind::Message(voice) = &updates[1].kind else { panic!("{updates:?}") };
    let file = bot.get_file(voice.voice().unwrap().file.id.clone()).await.unwrap();
    let mut bytes = Vec::new();
    bot.download_file(&file.path, &mut bytes).await.unwrap();
    assert_eq!(bytes, b"OggS");
    let answer = bot.answer_callback_query(CallbackQueryId(tap.callback_ids[0].clone())).text("noté");
    answer.await.unwrap();
    let document = InputFile::memory(&b"a;b"[..]).file_name("export.csv");
    let sent = bot.send_document(ChatId(7), document).await.unwrap();
    assert_eq!(sent.document().unwrap().file_name.as_deref(), Some("export.csv"));
    bot.get_chat(ChatId(7)).await.unwrap();
    bot.get_chat_member(ChatId(7), UserId(7)).await.unwrap();
    bot.delete_message(ChatId(7), card.id).await.unwrap();
    bot.leave_chat(ChatId(-100)).await.unwrap();
}

#[tokio::test]
async fn teloxide_sets_commands_and_the_webhook() {
    let bench = Bench::start().await;
    let bot = Bot::with_client(bench.simulator.token(), bench.http.clone());
    let bot = bot.set_api_url(bench.simulator.url().parse().unwrap());
    let menu = bot.set_my_commands([BotCommand::new("depot", "Déposer")]).language_code("fr");
    menu.scope(BotCommandScope::AllPrivateChats).await.unwrap();
    assert_eq!(bench.simulator.commands("fr")[0].command, "depot");
    assert!(bench.simulator.commands("en").is_empty());
    let webhook = bot.set_webhook("https://example.invalid/hook".parse().unwrap());
    webhook.secret_token("s3cret").allowed_updates(vec![AllowedUpdate::Message]).await.unwrap();
    let info = bot.get_webhook_info().await.unwrap();
    assert_eq!(info.url.unwrap().as_str(), "https://example.invalid/hook");
    assert_eq!(info.allowed_updates, Some(vec![AllowedUpdate::Message]));
    bot.delete_webhook().await.unwrap();
    assert_eq!(bench.call("getWebhookInfo", json!({})).await.result()["url"], "");
}
