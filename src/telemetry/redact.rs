//! The second line of defence: masks secrets in every line before it is written.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};

/// The replacement of a secret.
const MASK: &str = "***";
/// A shorter secret is not searched for: it would match ordinary words.
const SECRET_MIN: usize = 4;
/// The least digits and letters of a `digits:letters` that counts as a bot token, this bot's or another's.
const TOKEN_DIGITS: usize = 6;
const TOKEN_LETTERS: usize = 30;

/// Replaces the values of known secrets, and whatever looks like a bot token, by `***`.
#[derive(Clone)]
pub struct Redactor {
    /// Longest first, so that a secret within a secret leaves no rest.
    secrets: Vec<SecretString>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// A redactor for these secrets and their JSON encodings.
    #[must_use]
    pub fn new(secrets: &[SecretString]) -> Self {
        let mut values: Vec<String> =
            secrets.iter().flat_map(|secret| spellings(secret.expose_secret())).collect();
        values.retain(|value| value.len() >= SECRET_MIN);
        values.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self { secrets: values.into_iter().map(SecretString::from).collect() }
    }

    /// The text with its secrets masked; borrowed if it has none.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = Cow::Borrowed(text);
        for secret in &self.secrets {
            if clean.contains(secret.expose_secret()) {
                clean = Cow::Owned(clean.replace(secret.expose_secret(), MASK));
            }
        }
        match without_tokens(&clean) {
            Some(masked) => Cow::Owned(masked),
            None => clean,
        }
    }
}

fn spellings(secret: &str) -> Vec<String> {
    let quoted = serde_json::Value::from(secret).to_string();
    let json = quoted.trim_start_matches('"').trim_end_matches('"').to_owned();
    vec![secret.to_owned(), json]
}

/// The text with each `digits:letters` that could be a token masked; `None` when there is none.
fn without_tokens(text: &str) -> Option<String> {
    let mut masked = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some((before, after)) = rest.split_once(':') {
        let name = before.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let secret = after.trim_start_matches(|letter: char| {
            letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
        });
        let is_token =
            before.len() - name.len() >= TOKEN_DIGITS && after.len() - secret.len() >= TOKEN_LETTERS;
        if is_token {
            masked.push_str(name);
            masked.push_str(MASK);
            rest = secret;
            found = true;
        } else {
            masked.push_str(before);
            masked.push(':');
            rest = after;
        }
    }
    masked.push_str(rest);
    found.then_some(masked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        Redactor::new(&secrets)
    }

    #[test]
    fn a_line_without_secrets_is_not_copied() {
        let line = "2025-12-03T12:00:00Z INFO ready: 1:1";
        assert!(matches!(redactor(&["hunter22"]).redact(line), Cow::Borrowed(same) if same == line));
    }

    #[test]
    fn known_secrets_are_masked_also_where_json_escapes_them() {
        let redactor = redactor(&["hunter22", "hunter22-and-more", r#"a"b\c"#, "abc"]);
        assert_eq!(redactor.redact("x=hunter22 y=hunter22-and-more"), "x=*** y=***");
        assert_eq!(redactor.redact(r#"{"password":"a\"b\\c"}"#), r#"{"password":"***"}"#);
        assert_eq!(redactor.redact("abc is too short to be looked for"), "abc is too short to be looked for");
    }

    #[test]
    fn any_bot_token_is_masked() {
        let line = "GET /bot123456789:AAF-abcdefghij_klmnopqrstuvwxyz01234/getMe";
        assert_eq!(redactor(&[]).redact(line), "GET /bot***/getMe");
        let line = "é123456:AAF-abcdefghij_klmnopqrstuvwxyz01234é 12:30";
        assert_eq!(redactor(&[]).redact(line), "é***é 12:30");
    }
}
