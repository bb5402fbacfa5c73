//! The methods of the Bot API that this bot calls.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use teloxide::payloads::{
    AnswerCallbackQuery, AnswerCallbackQuerySetters as _, DeleteWebhook, DeleteWebhookSetters as _,
    EditMessageReplyMarkup, EditMessageText, EditMessageTextSetters as _, GetFile, GetMe, GetWebhookInfo,
    LeaveChat, SendChatAction, SendMessage, SendMessageSetters as _, SetMyCommands,
    SetMyCommandsSetters as _,
};
use teloxide::types::{
    BotCommand, CallbackQueryId, ChatAction, ChatId as TelegramChat, FileId, InlineKeyboardMarkup,
    LinkPreviewOptions, MessageEntity, MessageId as TelegramMessage, ReplyMarkup,
};

use crate::telegram::client::responses::{Batch, Me, StoredFile, WebhookState};
use crate::telegram::client::{CallError, Client, DEADLINE};
use crate::telegram::incoming::ALLOWED_UPDATES;
use crate::telegram::lenient::Object;
use deposit::{ChatId, MessageId};
use session::Language;

/// A tap spins on the user's screen until it is answered.
const TAP_DEADLINE: Duration = Duration::from_secs(5);
/// Telegram keeps an answer of getUpdates near 4 MiB.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A method: its arguments, its name and its response.
pub(crate) trait Method: Serialize + Sync {
    /// The part of the response that callers use.
    type Response;
    /// Its name as the documentation writes it: foreign servers care about upper and lower case, Telegram does not.
    const NAME: &'static str;

    /// Reads a response whose `ok` is true, as leniently as its use allows; `None` if it lacks a needed part.
    fn read(answer: &Object<'_>) -> Option<Self::Response>;
}

/// Gives a payload of teloxide its name and its response.
macro_rules! methods {
    ($($payload:ident $name:literal => $response:ty, $read:expr;)*) => {
        $(impl Method for $payload {
            type Response = $response;
            const NAME: &'static str = $name;

            fn read(answer: &Object<'_>) -> Option<$response> {
                $read(answer)
            }
        })*

        /// Each name beside teloxide's own.
        #[cfg(test)]
        pub(super) const NAMES: &[(&str, &str)] =
            &[$(($name, <$payload as teloxide::requests::Payload>::NAME)),*];
    };
}

fn done(_: &Object<'_>) -> Option<()> {
    Some(())
}

methods! {
    AnswerCallbackQuery "answerCallbackQuery" => (), done;
    DeleteWebhook "deleteWebhook" => (), done;
    EditMessageReplyMarkup "editMessageReplyMarkup" => (), done;
    EditMessageText "editMessageText" => (), done;
    GetFile "getFile" => StoredFile, StoredFile::read;
    GetMe "getMe" => Me, Me::read;
    GetWebhookInfo "getWebhookInfo" => WebhookState, WebhookState::read;
    LeaveChat "leaveChat" => (), done;
    SendChatAction "sendChatAction" => (), done;
    SendMessage "sendMessage" => MessageId, sent;
    SetMyCommands "setMyCommands" => (), done;
}

fn sent(answer: &Object<'_>) -> Option<MessageId> {
    answer.object("result")?.integer("message_id").map(MessageId)
}

/// The arguments of setWebhook. Our own: teloxide's payload can only be sent as a form with files.
#[derive(Clone, Copy, Debug)]
pub struct WebhookSetting<'a> {
    /// The address to which updates are delivered.
    pub url: &'a str,
    /// The secret in the header of each delivery: 1 to 256 letters, digits, `_` and `-`.
    pub secret: &'a SecretString,
    /// The most simultaneous connections, 1 to 100.
    pub max_connections: u8,
}

#[derive(Serialize)]
struct SetWebhook<'a> {
    url: &'a str,
    secret_token: &'a str,
    max_connections: u8,
    allowed_updates: &'a [&'a str],
    drop_pending_updates: bool,
}

impl Method for SetWebhook<'_> {
    type Response = ();
    const NAME: &'static str = "setWebhook";

    fn read(answer: &Object<'_>) -> Option<()> {
        done(answer)
    }
}

/// Our own: teloxide's offset has 32 bits.
#[derive(Serialize)]
struct GetUpdates<'a> {
    offset: i64,
    limit: u8,
    timeout: u64,
    allowed_updates: &'a [&'a str],
}

impl Client {
    /// The bot itself.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Unauthorized`] also for a malformed token.
    pub async fn get_me(&self) -> Result<Me, CallError> {
        let reply = self.post(GetMe::NAME, &GetMe::new(), DEADLINE, 64 * 1024).await;
        let reply = reply.map_err(|error| match error {
            CallError::Rejected { code: 404, .. } => CallError::Unauthorized,
            error => error,
        })?;
        let me = Me::read(&reply.answer()?).ok_or(CallError::Unknown)?;
        Ok(Me { server_time: reply.date(), ..me })
    }

    /// Waits up to `wait` for updates from `offset` on, which confirms all before it; 0 confirms none.
    ///
    /// # Errors
    /// [`CallError`]. Dropping the future loses no update: an unconfirmed one is sent again.
    pub async fn get_updates(&self, offset: i64, limit: u8, wait: Duration) -> Result<Batch, CallError> {
        let payload =
            GetUpdates { offset, limit, timeout: wait.as_secs(), allowed_updates: &ALLOWED_UPDATES };
        let reply = self.post("getUpdates", &payload, wait + DEADLINE, BATCH_BYTES_MAX).await?;
        Batch::read(&reply.body).ok_or(CallError::Unknown)
    }

    /// Sends a message without link preview; the keyboard is under it.
    ///
    /// # Errors
    /// [`CallError`]. After [`CallError::Unknown`] the message may be there, and sending again may double it.
    pub async fn send_message(
        &self,
        chat: ChatId,
        text: impl Into<String> + Send,
        entities: Vec<MessageEntity>,
        keyboard: Option<InlineKeyboardMarkup>,
    ) -> Result<MessageId, CallError> {
        let mut message = SendMessage::new(TelegramChat(chat.0), text).link_preview_options(NO_PREVIEW);
        message.entities = Some(entities).filter(|entities| !entities.is_empty());
        message.reply_markup = keyboard.map(ReplyMarkup::InlineKeyboard);
        self.call(&message).await
    }

    /// Replaces the text and the keyboard of a message; without a keyboard the message loses its own.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::NotModified`] is as good as success.
    pub async fn edit_message_text(
        &self,
        chat: ChatId,
        message: MessageId,
        text: impl Into<String> + Send,
        entities: Vec<MessageEntity>,
        keyboard: Option<InlineKeyboardMarkup>,
    ) -> Result<(), CallError> {
        let mut edit = EditMessageText::new(TelegramChat(chat.0), telegram_message(message)?, text)
            .link_preview_options(NO_PREVIEW);
        edit.entities = Some(entities).filter(|entities| !entities.is_empty());
        edit.reply_markup = keyboard;
        self.call(&edit).await
    }

    /// Removes the keyboard of a message.
    ///
    /// # Errors
    /// As [`Client::edit_message_text`].
    pub async fn strip_keyboard(&self, chat: ChatId, message: MessageId) -> Result<(), CallError> {
        self.call(&EditMessageReplyMarkup::new(TelegramChat(chat.0), telegram_message(message)?)).await
    }

    /// Answers a tap, within 5 s: silently, with a line at the top of the screen, or with a window to close.
    ///
    /// # Errors
    /// [`CallError`]; not worth a retry.
    pub async fn answer_callback(&self, id: &str, text: Option<&str>, alert: bool) -> Result<(), CallError> {
        let mut answer = AnswerCallbackQuery::new(CallbackQueryId(id.to_owned()));
        if let Some(text) = text {
            answer = answer.text(text).show_alert(alert);
        }
        self.call_within(TAP_DEADLINE, &answer).await
    }

    /// Shows "typing…" for up to 5 s.
    ///
    /// # Errors
    /// [`CallError`]; not worth a retry.
    pub async fn send_typing(&self, chat: ChatId) -> Result<(), CallError> {
        self.call_within(TAP_DEADLINE, &SendChatAction::new(TelegramChat(chat.0), ChatAction::Typing)).await
    }

    /// Sets the command menu (names without `/`, and descriptions) for `language`, or for all other languages.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn set_my_commands(
        &self,
        menu: &[(&str, &str)],
        language: Option<Language>,
    ) -> Result<(), CallError> {
        let menu = menu.iter().map(|(name, does)| BotCommand::new(*name, *does));
        let mut commands = SetMyCommands::new(menu.collect::<Vec<_>>());
        if let Some(language) = language {
            commands = commands.language_code(language.code());
        }
        self.call(&commands).await
    }

    /// The state of the webhook at Telegram.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get_webhook_info(&self) -> Result<WebhookState, CallError> {
        self.call(&GetWebhookInfo::new()).await
    }

    /// Sets the webhook; updates that wait are kept.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn set_webhook(&self, setting: WebhookSetting<'_>) -> Result<(), CallError> {
        let payload = SetWebhook {
            url: setting.url,
            secret_token: setting.secret.expose_secret(),
            max_connections: setting.max_connections,
            allowed_updates: &ALLOWED_UPDATES,
            drop_pending_updates: false,
        };
        self.call(&payload).await
    }

    /// Removes the webhook; updates that wait are kept.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn delete_webhook(&self) -> Result<(), CallError> {
        self.call(&DeleteWebhook::new().drop_pending_updates(false)).await
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn leave_chat(&self, chat: ChatId) -> Result<(), CallError> {
        self.call(&LeaveChat::new(TelegramChat(chat.0))).await
    }

    /// The path of a file of at most 20 MB.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get_file(&self, file: &str) -> Result<StoredFile, CallError> {
        self.call(&GetFile::new(FileId(file.to_owned()))).await
    }
}

const NO_PREVIEW: LinkPreviewOptions = LinkPreviewOptions {
    is_disabled: true,
    url: None,
    prefer_small_media: false,
    prefer_large_media: false,
    show_above_text: false,
};

/// teloxide counts messages with 32 bits, as Telegram does so far; beyond that no message of ours can exist.
fn telegram_message(message: MessageId) -> Result<TelegramMessage, CallError> {
    i32::try_from(message.0).map(TelegramMessage).map_err(|_| CallError::MessageGone)
}
