//! The codec of callback data, the at most 64 bytes of a button, none of which a forged tap could abuse.
//!
//! `1` (the version), the letter of the verb, 16 hexadecimal digits of the deposit's reference, `.`, the step in
//! hexadecimal, and for some verbs `.` and an argument: at most 44 bytes. Telegram refuses a whole keyboard for one
//! button over 64 (core.telegram.org/bots/api#inlinekeyboardbutton), so keys of categories, which may have any length,
//! are encoded as the first 32 bits of their SHA-256 and looked up among the keys that exist. Whether a tap is *legal* is
//! decided by the session: a client may send any bytes from any message.

use std::fmt::Write as _;

use crate::telegram::views::view::ButtonAction;
use deposit::taxonomy::{Taxonomy, key_hash};
use deposit::{CategoryKey, DepositRef, Destination};
use session::{Part, Verb};

const VERSION: &str = "1";
/// The values of an argument, encoded by their index: append only.
const PARTS: [Part; 3] = [Part::Quantity, Part::Weight, Part::Destination];
const DESTINATIONS: [Destination; 3] =
    [Destination::Magasin, Destination::Recyclage, Destination::Dechetterie];

/// The known keys: those of the taxonomy.
pub trait KeyLookup {
    /// The category whose key has this [`key_hash`].
    fn category(&self, hash: u32) -> Option<CategoryKey>;
    /// The group whose key has this [`key_hash`].
    fn group(&self, hash: u32) -> Option<String>;
}

impl KeyLookup for Taxonomy {
    fn category(&self, hash: u32) -> Option<CategoryKey> {
        self.category_by_hash(hash).map(|category| category.key.clone())
    }

    fn group(&self, hash: u32) -> Option<String> {
        self.group_by_hash(hash).map(|group| group.key.clone())
    }
}

/// Why callback data cannot be decoded by this release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Garbled {
    /// No release encodes a button like this.
    #[error("no button looks like this")]
    Malformed,
    /// The button of another release.
    #[error("the button is of another release")]
    OtherVersion,
    /// A category or group that the taxonomy does not have, or no longer.
    #[error("the button names a category that does not exist")]
    UnknownKey,
}

/// Encodes the action of a button.
#[must_use]
pub fn encode(action: &ButtonAction) -> String {
    let (reference, step, verb) = match action {
        ButtonAction::Deposit { reference, step, verb } => (reference, step, verb),
        ButtonAction::AskAccess => return format!("{VERSION}k"),
        ButtonAction::Accept(request) => return format!("{VERSION}y{request:016x}"),
        ButtonAction::Refuse(request) => return format!("{VERSION}n{request:016x}"),
    };
    let (letter, argument) = match verb {
        Verb::Validate => ('v', None),
        Verb::Correct => ('c', None),
        Verb::Cancel => ('x', None),
        Verb::Other => ('o', None),
        Verb::Back => ('b', None),
        Verb::Undo => ('u', None),
        Verb::Resume => ('r', None),
        Verb::Choose(category) => ('a', Some(u64::from(key_hash(&category.0)))),
        Verb::OpenGroup(group) => ('g', Some(u64::from(key_hash(group)))),
        Verb::PickLine(line) => ('l', Some(*line as u64)),
        Verb::TurnTo(page) => ('t', Some(u64::from(*page))),
        Verb::OpenPart(part) => ('p', Some(place(&PARTS, part))),
        // A quantity or weight of 0 does not exist: it stands for an unknown one.
        Verb::Count(quantity) => ('q', Some(quantity.unwrap_or_default().into())),
        Verb::Weigh(grams) => ('w', Some(grams.unwrap_or_default().into())),
        Verb::WriteWeight => ('f', None),
        Verb::Send(destination) => ('d', Some(place(&DESTINATIONS, destination))),
        Verb::Remove => ('e', None),
    };
    let mut data = format!("{VERSION}{letter}{reference}.{step:x}");
    if let Some(argument) = argument {
        let _infallible = write!(data, ".{argument:x}");
    }
    data
}

/// Decodes the action of a tap.
///
/// # Errors
/// [`Garbled`] for everything that [`encode`] did not write with these keys.
pub fn decode(data: &str, keys: &impl KeyLookup) -> Result<ButtonAction, Garbled> {
    let mut letters = data.chars();
    match letters.next() {
        Some('1') => {}
        Some(version) if version.is_ascii_digit() => return Err(Garbled::OtherVersion),
        _ => return Err(Garbled::Malformed),
    }
    let verb = letters.next().ok_or(Garbled::Malformed)?;
    let rest = letters.as_str();
    match verb {
        'k' if rest.is_empty() => return Ok(ButtonAction::AskAccess),
        'y' => return reference(rest).map(ButtonAction::Accept),
        'n' => return reference(rest).map(ButtonAction::Refuse),
        _ => {}
    }
    let mut parts = rest.split('.');
    let named = DepositRef(reference(parts.next().unwrap_or_default())?);
    let step = u32::try_from(hexadecimal(parts.next())?).map_err(|_| Garbled::Malformed)?;
    let argument = parts.next();
    if parts.next().is_some() {
        return Err(Garbled::Malformed);
    }
    let verb = match (verb, argument) {
        ('v', None) => Verb::Validate,
        ('c', None) => Verb::Correct,
        ('x', None) => Verb::Cancel,
        ('o', None) => Verb::Other,
        ('b', None) => Verb::Back,
        ('u', None) => Verb::Undo,
        ('r', None) => Verb::Resume,
        ('a', key) => Verb::Choose(keys.category(narrow(key)?).ok_or(Garbled::UnknownKey)?),
        ('g', key) => Verb::OpenGroup(keys.group(narrow(key)?).ok_or(Garbled::UnknownKey)?),
        ('l', line) => Verb::PickLine(narrow(line)?),
        ('t', page) => Verb::TurnTo(narrow(page)?),
        ('p', part) => Verb::OpenPart(at(&PARTS, narrow(part)?)?),
        ('q', quantity) => Verb::Count(Some(narrow(quantity)?).filter(|quantity| *quantity > 0)),
        ('w', grams) => Verb::Weigh(Some(narrow(grams)?).filter(|grams| *grams > 0)),
        ('f', None) => Verb::WriteWeight,
        ('d', destination) => Verb::Send(at(&DESTINATIONS, narrow(destination)?)?),
        ('e', None) => Verb::Remove,
        _ => return Err(Garbled::Malformed),
    };
    Ok(ButtonAction::Deposit { reference: named, step, verb })
}

fn place<T: PartialEq>(all: &[T], one: &T) -> u64 {
    all.iter().position(|known| known == one).map_or(0, |place| place as u64)
}

fn at<T: Copy>(all: &[T], place: usize) -> Result<T, Garbled> {
    all.get(place).copied().ok_or(Garbled::Malformed)
}

/// Exactly 16 digits.
fn reference(digits: &str) -> Result<u64, Garbled> {
    if digits.len() == 16 { hexadecimal(Some(digits)) } else { Err(Garbled::Malformed) }
}

fn narrow<T: TryFrom<u64>>(digits: Option<&str>) -> Result<T, Garbled> {
    T::try_from(hexadecimal(digits)?).map_err(|_| Garbled::Malformed)
}

/// Lower case only and no sign, so that each button has one encoding.
fn hexadecimal(digits: Option<&str>) -> Result<u64, Garbled> {
    let digits = digits.unwrap_or_default();
    let is_ours = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    if digits.is_empty()
        || !digits.bytes().all(is_ours)
        || (digits.len() > 1 && digits.len() != 16 && digits.starts_with('0'))
    {
        return Err(Garbled::Malformed);
    }
    u64::from_str_radix(digits, 16).map_err(|_| Garbled::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A taxonomy with one category and one group.
    struct Known(String);

    impl KeyLookup for Known {
        fn category(&self, wanted: u32) -> Option<CategoryKey> {
            (key_hash(&self.0) == wanted).then(|| CategoryKey(self.0.clone()))
        }

        fn group(&self, wanted: u32) -> Option<String> {
            (key_hash(&self.0) == wanted).then(|| self.0.clone())
        }
    }

    fn verbs(key: String) -> impl Strategy<Value = Verb> {
        prop_oneof![
            Just(Verb::Validate),
            Just(Verb::Correct),
            Just(Verb::Cancel),
            Just(Verb::Choose(CategoryKey(key.clone()))),
            Just(Verb::Other),
            any::<usize>().prop_map(Verb::PickLine),
            Just(Verb::OpenGroup(key)),
            any::<u8>().prop_map(Verb::TurnTo),
            prop::sample::select(PARTS.to_vec()).prop_map(Verb::OpenPart),
            prop::option::of(1..=u32::MAX).prop_map(Verb::Count),
            prop::option::of(1..=u32::MAX).prop_map(Verb::Weigh),
            Just(Verb::WriteWeight),
            prop::sample::select(DESTINATIONS.to_vec()).prop_map(Verb::Send),
            Just(Verb::Remove),
            Just(Verb::Back),
            Just(Verb::Undo),
            Just(Verb::Resume),
        ]
    }

    fn buttons() -> impl Strategy<Value = (String, ButtonAction)> {
        ".{0,300}".prop_flat_map(|key| {
            let deposit =
                (any::<u64>(), any::<u32>(), verbs(key.clone())).prop_map(|(reference, step, verb)| {
                    ButtonAction::Deposit { reference: DepositRef(reference), step, verb }
                });
            let request = any::<u64>();
            let button = prop_oneof![
                8 => deposit,
                1 => Just(ButtonAction::AskAccess),
                1 => request.prop_map(ButtonAction::Accept),
                1 => request.prop_map(ButtonAction::Refuse),
            ];
            (Just(key), button)
        })
    }

    proptest! {
        #[test]
        fn a_button_fits_and_comes_back_as_it_was((key, button) in buttons()) {
            let data = encode(&button);
            prop_assert!(data.len() <= 44, "{data}");
            prop_assert_eq!(decode(&data, &Known(key)), Ok(button));
        }

        #[test]
        fn garbage_is_refused_and_only_one_spelling_is_read(data in "(1[a-z][0-9a-f]{0,20}\\.?[0-9a-fA-F+]{0,9}\\.?[0-9a-f]{0,9}|.{0,64})") {
            let known = Known("furniture".into());
            if let Ok(button) = decode(&data, &known) {
                prop_assert_eq!(encode(&button), data);
            }
        }
    }

    #[test]
    fn a_button_says_why_it_cannot_be_read() {
        let known = Known("furniture".into());
        let chosen = Verb::Choose(CategoryKey("furniture".into()));
        let data = encode(&ButtonAction::Deposit { reference: DepositRef(0xabc), step: 26, verb: chosen });
        assert_eq!(data, format!("1a0000000000000abc.1a.{:x}", key_hash("furniture")));
        assert_eq!(decode(&data, &Known("toys".into())), Err(Garbled::UnknownKey));
        assert_eq!(decode(&data.replacen('1', "2", 1), &known), Err(Garbled::OtherVersion));
        for garbage in
            ["", "1", "é", "1v", "1v0000000000000abc", "1v0000000000000abc.1.2", "1v0000000000000ABC.1"]
        {
            assert_eq!(decode(garbage, &known), Err(Garbled::Malformed), "{garbage}");
        }
    }
}
