//! The methods of the Bot API that the simulator knows.

/// Declares [`Method`] with the names that the Bot API gives its variants.
macro_rules! methods {
    ($($variant:ident $name:literal,)*) => {
        /// A method of the Bot API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(super) enum Method {
            $($variant,)*
            /// Anything else: 404.
            Unknown,
        }

        const ALL: &[Method] = &[$(Method::$variant,)*];

        impl Method {
            /// As the Bot API writes it.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Unknown => "unknown",
                }
            }
        }
    };
}

methods! {
    GetMe "getMe",
    GetUpdates "getUpdates",
    SetWebhook "setWebhook",
    DeleteWebhook "deleteWebhook",
    GetWebhookInfo "getWebhookInfo",
    SendMessage "sendMessage",
    EditMessageText "editMessageText",
    EditMessageReplyMarkup "editMessageReplyMarkup",
    DeleteMessage "deleteMessage",
    AnswerCallbackQuery "answerCallbackQuery",
    SendChatAction "sendChatAction",
    SendPhoto "sendPhoto",
    SendDocument "sendDocument",
    SendVoice "sendVoice",
    GetFile "getFile",
    SetMyCommands "setMyCommands",
    GetMyCommands "getMyCommands",
    DeleteMyCommands "deleteMyCommands",
    GetChat "getChat",
    GetChatMember "getChatMember",
    LeaveChat "leaveChat",
}

impl Method {
    /// Method names are case-insensitive (Bot API, "Making requests").
    pub(super) fn parse(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|method| method.name().eq_ignore_ascii_case(name))
    }
}
