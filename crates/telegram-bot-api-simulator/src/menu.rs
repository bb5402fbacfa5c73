//! The command menu, per scope and language.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// One entry of the command menu.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotCommand {
    /// Without the slash.
    pub command: String,
    /// The text that the menu shows beside it.
    pub description: String,
}

/// All menus, by scope (canonical JSON) and language (empty: all languages).
pub(crate) type Commands = HashMap<(String, String), Vec<BotCommand>>;

/// The menu that a user with this client language sees in a private chat.
pub(crate) fn shown_to(commands: &Commands, language: &str) -> Vec<BotCommand> {
    for scope in [r#"{"type":"all_private_chats"}"#, r#"{"type":"default"}"#] {
        for language in [language, ""] {
            if let Some(menu) = commands.get(&(scope.to_owned(), language.to_owned())) {
                return menu.clone();
            }
        }
    }
    Vec::new()
}
