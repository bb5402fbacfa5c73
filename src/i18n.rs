//! Internationalisation: every text that a user reads is a Fluent message in French and English, compiled in and checked
//! when the program starts.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

use session::Language;

const FRENCH: &str = include_str!("../locales/fr/main.ftl");
const ENGLISH: &str = include_str!("../locales/en/main.ftl");

/// The no-break space between a number and its unit and inside « ».
const NO_BREAK: char = '\u{a0}';
/// The narrow no-break space that French puts before ? ! ; and between thousands.
const NARROW: char = '\u{202f}';

/// The messages of both languages.
pub struct I18n {
    fr: FluentBundle<FluentResource>,
    en: FluentBundle<FluentResource>,
}

/// The messages of one language.
#[derive(Clone, Copy, Debug)]
pub struct Localizer<'a> {
    i18n: &'a I18n,
    /// The language of the messages.
    pub language: Language,
}

/// The faults of the locales; a release has none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the locales are not sound: {}", .0.join("; "))]
pub struct I18nError(pub Vec<String>);

impl I18n {
    /// Reads both locales.
    ///
    /// # Errors
    /// [`I18nError`] if one cannot be parsed, or if they differ in their messages or the variables of one.
    pub fn new() -> Result<Self, I18nError> {
        Self::from_sources(FRENCH, ENGLISH)
    }

    fn from_sources(french: &str, english: &str) -> Result<Self, I18nError> {
        let mut faults = differences(french, english);
        let fr = bundle(Language::Fr, french, &mut faults);
        let en = bundle(Language::En, english, &mut faults);
        if faults.is_empty() { Ok(Self { fr, en }) } else { Err(I18nError(faults)) }
    }

    /// The message `key` in `language`, with its variables filled in; the key itself if there is no such message.
    #[must_use]
    pub fn format(&self, language: Language, key: &str, args: &[(&'static str, FluentValue<'_>)]) -> String {
        let bundle = match language {
            Language::Fr => &self.fr,
            Language::En => &self.en,
        };
        let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
            tracing::error!(
                key,
                "locales/ has no message of this key: the user reads the key instead of the text; add the message to both \
                 locales"
            );
            return key.to_owned();
        };
        let args: FluentArgs<'_> = args.iter().cloned().collect();
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, Some(&args), &mut errors).into_owned();
        if !errors.is_empty() {
            tracing::error!(
                key,
                "the call of this message lacks a variable: the user reads its name instead of its value; pass it where \
                 the message is rendered"
            );
        }
        text
    }

    /// The messages of one language.
    #[must_use]
    pub fn localizer(&self, language: Language) -> Localizer<'_> {
        Localizer { i18n: self, language }
    }
}

impl std::fmt::Debug for I18n {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("I18n")
    }
}

impl Localizer<'_> {
    /// The message `key`, which has no variables.
    #[must_use]
    pub fn message(&self, key: &str) -> String {
        self.i18n.format(self.language, key, &[])
    }

    /// The message `key` with its variables.
    #[must_use]
    pub fn format(&self, key: &str, args: &[(&'static str, FluentValue<'_>)]) -> String {
        self.i18n.format(self.language, key, args)
    }

    /// A weight in kilograms with up to three decimals, as `2,5 kg`.
    #[must_use]
    pub fn weight(&self, grams: u64) -> String {
        let (point, thousands) = match self.language {
            Language::Fr => (',', NARROW),
            Language::En => ('.', ','),
        };
        let whole = (grams / 1000).to_string();
        let mut text = String::new();
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index).is_multiple_of(3) {
                text.push(thousands);
            }
            text.push(digit);
        }
        let decimals = format!("{:03}", grams % 1000);
        let decimals = decimals.trim_end_matches('0');
        if !decimals.is_empty() {
            text.push(point);
            text.push_str(decimals);
        }
        text.push(NO_BREAK);
        text.push_str("kg");
        text
    }
}

fn bundle(language: Language, source: &str, faults: &mut Vec<String>) -> FluentBundle<FluentResource> {
    let code = language.code();
    let mut bundle = FluentBundle::new_concurrent(code.parse().into_iter().collect());
    // Isolation marks show as boxes in some Telegram clients and would stand between a number and its sign.
    bundle.set_use_isolating(false);
    if language == Language::Fr {
        bundle.set_transform(Some(french_spaces));
    }
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, errors)| {
        faults.extend(errors.iter().map(|error| format!("{code}: {error}")));
        resource
    });
    if let Err(errors) = bundle.add_resource(resource) {
        faults.extend(errors.iter().map(|error| format!("{code}: {error}")));
    }
    bundle
}

/// Sets the unbreakable spaces of French typography, so that the locale can be written with ordinary ones.
fn french_spaces(text: &str) -> Cow<'_, str> {
    if !text.contains(' ') {
        return Cow::Borrowed(text);
    }
    let mut spaced = String::with_capacity(text.len());
    let mut before = None;
    for (index, char) in text.char_indices() {
        let after = text.get(index + 1..).filter(|_| char == ' ').unwrap_or_default();
        let set = match after.chars().next() {
            Some('?' | '!' | ';') => NARROW,
            Some(':' | '»') => NO_BREAK,
            _ if char == ' ' && (matches!(before, Some('«' | '°')) || after.starts_with("kg")) => NO_BREAK,
            _ => char,
        };
        spaced.push(set);
        before = Some(char);
    }
    Cow::Owned(spaced)
}

/// The messages that only one language has, or whose variables differ.
fn differences(french: &str, english: &str) -> Vec<String> {
    let (fr, en) = (messages(french), messages(english));
    let keys: BTreeSet<_> = fr.keys().chain(en.keys()).collect();
    let compare = |key: &&str| match (fr.get(key), en.get(key)) {
        (Some(one), Some(other)) if one == other => None,
        (Some(_), Some(_)) => Some(format!("{key} has other variables in French than in English")),
        (Some(_), None) => Some(format!("{key} is missing in English")),
        (None, _) => Some(format!("{key} is missing in French")),
    };
    keys.into_iter().filter_map(compare).collect()
}

/// The messages of a locale and the variables each uses.
fn messages(source: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut messages = BTreeMap::<_, BTreeSet<_>>::new();
    let mut current = "";
    for line in source.lines().filter(|line| !line.starts_with('#')) {
        if let Some((key, _)) =
            line.split_once(" =").filter(|_| line.starts_with(|c: char| c.is_ascii_lowercase()))
        {
            current = key;
            messages.entry(current).or_default();
        }
        let variables = line.split('$').skip(1).filter_map(|rest| rest.split([' ', '}']).next());
        if let Some(known) = messages.get_mut(current) {
            known.extend(variables);
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn i18n() -> I18n {
        I18n::new().unwrap()
    }

    #[test]
    fn a_message_or_a_variable_that_one_language_lacks_is_refused() {
        let refused = |fr: &str, en: &str| I18n::from_sources(fr, en).unwrap_err().0.join("; ");
        assert_eq!(refused("a = Un\nb = Deux\n", "a = One\n"), "b is missing in English");
        assert_eq!(refused("a = Un\n", "a = One\nb = Two\n"), "b is missing in French");
        assert_eq!(
            refused("a = { $n } kg\n", "a = { $m } kg\n"),
            "a has other variables in French than in English"
        );
        assert!(refused("a = Un\n", "a = One }\n").starts_with("en: "));
        assert!(refused("a = Un\na = Un\n", "a = One\n").starts_with("fr: "));
    }

    #[test]
    fn every_message_is_used_and_every_message_used_exists() {
        let known = messages(FRENCH);
        let mut files = Vec::new();
        read_all(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
        let is_used = |key: &&str| files.iter().any(|code| code.contains(&format!("\"{key}\"")));
        let unused: Vec<_> = known.keys().filter(|key| !is_used(key)).collect();
        assert!(unused.is_empty(), "in locales/ but not in src/: {unused:?}");

        let kinds: BTreeSet<_> =
            known.keys().filter_map(|key| key.split_once('-')).map(|(kind, _)| kind).collect();
        let looks_like_key = |text: &&str| {
            let is_word = text.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            is_word && text.split_once('-').is_some_and(|(kind, _)| kinds.contains(kind))
        };
        let speaking =
            files.iter().filter(|code| code.contains("i18n::Localizer") || code.contains("self.localizer"));
        let unknown: Vec<_> = speaking
            .flat_map(|code| code.split('"'))
            .filter(looks_like_key)
            .filter(|key| !known.contains_key(key))
            .collect();
        assert!(unknown.is_empty(), "in src/ but not in locales/: {unknown:?}");
    }

    fn read_all(folder: &Path, files: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read_all(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn plurals_follow_each_language() {
        let i18n = i18n();
        let photos = |language, count: u32| i18n.format(language, "card-photos", &[("count", count.into())]);
        assert_eq!(photos(Language::Fr, 0), "📷 0 photo");
        assert_eq!(photos(Language::Fr, 1), "📷 1 photo");
        assert_eq!(photos(Language::Fr, 2), "📷 2 photos");
        assert_eq!(photos(Language::En, 0), "📷 0 photos");
        assert_eq!(photos(Language::En, 1), "📷 1 photo");
    }

    #[test]
    fn french_spaces_do_not_break_and_nothing_is_isolated() {
        let i18n = i18n();
        let question = i18n.format(Language::Fr, "card-question", &[("object", "a ? b".into())]);
        assert_eq!(question, "❓ «\u{a0}a ? b\u{a0}»\u{a0}: dans quelle catégorie\u{202f}?");
        let number = i18n.format(Language::Fr, "my-deposits-number", &[("number", 12_345_u64.into())]);
        assert_eq!(number, "n°\u{a0}12345");
        assert!(i18n.localizer(Language::Fr).message("asked-opening").contains("3\u{a0}kg"));
    }

    #[test]
    fn weights_are_kilograms_with_up_to_three_decimals() {
        let i18n = i18n();
        let (fr, en) = (i18n.localizer(Language::Fr), i18n.localizer(Language::En));
        assert_eq!(fr.weight(2_500), "2,5\u{a0}kg");
        assert_eq!(fr.weight(800), "0,8\u{a0}kg");
        assert_eq!(fr.weight(5), "0,005\u{a0}kg");
        assert_eq!(fr.weight(12_000), "12\u{a0}kg");
        assert_eq!(fr.weight(1_234_560), "1\u{202f}234,56\u{a0}kg");
        assert_eq!(en.weight(2_500), "2.5\u{a0}kg");
        assert_eq!(en.weight(10_000_000), "10,000\u{a0}kg");
    }

    #[test]
    fn an_unknown_message_is_its_key() {
        assert_eq!(i18n().format(Language::Fr, "no-such-message", &[]), "no-such-message");
    }
}
