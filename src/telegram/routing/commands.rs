//! The commands, by their French and English names, and the menus that Telegram shows.

use teloxide::utils::command::{BotCommands, ParseError};

use session::Language;

/// A command that this bot knows.
#[derive(Clone, Debug, PartialEq, Eq, BotCommands)]
#[command(rename_rule = "lowercase", parse_with = "default")]
pub enum Command {
    /// Starts; the argument is the payload of a link, as `t.me/bot?start=payload` sends it.
    Start(String),
    /// The help.
    #[command(rename = "aide", alias = "help")]
    Help,
    /// Opens a deposit; the argument describes it.
    Depot(String),
    /// Cancels the open deposit.
    #[command(rename = "annuler", alias = "cancel")]
    Cancel,
    /// The last ten deposits.
    #[command(rename = "mesdepots", alias = "mydeposits")]
    MyDeposits,
    /// The open session.
    #[command(rename = "statut", alias = "status")]
    Status,
    /// For managers: how often proposals are right.
    #[command(rename = "qualite", alias = "quality")]
    Quality,
    /// For managers: the names that the bot learned from corrections.
    #[command(rename = "lexique", alias = "lexicon")]
    Lexicon,
    /// For managers: forgets a learned name.
    #[command(rename = "oublier", alias = "forget")]
    Forget(String),
}

/// A text that begins with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A command of this bot.
    Known(Command),
    /// A command that this bot does not have.
    Unknown,
    /// A command that names another bot of the group.
    ForAnother,
}

/// Reads a command; `None` if the text is none. Upper and lower case of the name make no difference.
#[must_use]
pub fn parse(text: &str, username: &str) -> Option<Parsed> {
    let text = text.trim();
    let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    if !word.starts_with('/') {
        return None;
    }
    // A command without arguments ignores the rest of the text: `/annuler s'il te plaît`.
    let word = word.to_lowercase();
    let username = username.to_lowercase();
    let whole = format!("{word} {}", rest.trim());
    let parsed = match Command::parse(whole.trim_end(), &username) {
        Err(ParseError::TooManyArguments { .. }) => Command::parse(&word, &username),
        parsed => parsed,
    };
    Some(match parsed {
        Ok(command) => Parsed::Known(command),
        Err(ParseError::WrongBotName(_)) => Parsed::ForAnother,
        Err(_) => Parsed::Unknown,
    })
}

/// The menu of a language: the name of each command without `/`, and the key of its description in `locales/`.
#[must_use]
pub fn menu(language: Language) -> [(&'static str, &'static str); 5] {
    match language {
        Language::Fr => [
            ("depot", "command-depot"),
            ("mesdepots", "command-mesdepots"),
            ("statut", "command-statut"),
            ("annuler", "command-annuler"),
            ("aide", "command-aide"),
        ],
        Language::En => [
            ("depot", "command-depot"),
            ("mydeposits", "command-mesdepots"),
            ("status", "command-statut"),
            ("cancel", "command-annuler"),
            ("help", "command-aide"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Command {
        match parse(text, "RessourcerieBot") {
            Some(Parsed::Known(command)) => command,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn each_command_is_known_by_its_names() {
        for (names, command) in [
            (["/aide", "/help"], Command::Help),
            (["/annuler", "/cancel"], Command::Cancel),
            (["/mesdepots", "/mydeposits"], Command::MyDeposits),
            (["/statut", "/status"], Command::Status),
            (["/depot", "/depot@ressourceriebot"], Command::Depot(String::new())),
            (["/start", "/start@RessourcerieBot"], Command::Start(String::new())),
            (["/qualite", "/quality"], Command::Quality),
            (["/lexique", "/lexicon"], Command::Lexicon),
            (["/oublier", "/forget"], Command::Forget(String::new())),
        ] {
            for name in names {
                assert_eq!(known(name), command);
                assert_eq!(known(&name.to_uppercase()), command);
                assert_eq!(known(&format!("  {name}\n")), command);
            }
        }
    }

    #[test]
    fn what_follows_a_command_keeps_its_letters() {
        assert_eq!(known("/start AbC-9_x"), Command::Start("AbC-9_x".into()));
        assert_eq!(
            known("/Depot@RessourcerieBot Deux  Bouilloires\nÉcran"),
            Command::Depot("Deux  Bouilloires\nÉcran".into())
        );
        assert_eq!(known("/annuler s'il te plaît"), Command::Cancel);
    }

    #[test]
    fn texts_unknown_commands_and_those_for_others_are_told_apart() {
        let parse = |text| parse(text, "RessourcerieBot");
        assert_eq!(parse("deux chaises /depot"), None);
        assert_eq!(parse(""), None);
        for text in ["/", "//", "/dépôt", "/depots", "/1", "/🚚"] {
            assert_eq!(parse(text), Some(Parsed::Unknown), "{text}");
        }
        assert_eq!(parse("/depot@OtherBot"), Some(Parsed::ForAnother));
    }

    #[test]
    fn each_name_in_a_menu_is_a_command() {
        for language in [Language::Fr, Language::En] {
            for (name, _) in menu(language) {
                known(&format!("/{name}"));
            }
        }
    }
}
