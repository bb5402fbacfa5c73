//! A lenient reader of JSON: a field of the wrong type counts as absent and does not affect the others.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// One JSON object, split into its fields; `null` counts as absent.
///
/// The values stay raw until they are read, so that an error affects one field only. Nesting costs no stack: nested
/// values are skipped by iteration (`serde_json::de::Deserializer::ignore_value`).
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Splits `json` into fields; `None` if it is no object, or no JSON at all.
    pub(crate) fn read(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// The raw value of a field; the last one if the name is repeated, as in most JSON readers.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// A field that is an object.
    pub(crate) fn object(&self, name: &str) -> Option<Object<'a>> {
        Object::read(self.raw(name)?.get())
    }

    /// The items of a field that is a list; none if it is not.
    pub(crate) fn items(&self, name: &str) -> Vec<&'a RawValue> {
        self.raw(name).map(|raw| items(raw.get()).0).unwrap_or_default()
    }

    /// A field that is a whole number of 64 bits.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.scalar(name)
    }

    /// A field that is a whole number of at most 32 bits and not negative.
    pub(crate) fn small(&self, name: &str) -> Option<u32> {
        self.scalar(name)
    }

    /// Whether a field is `true`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.scalar(name).unwrap_or(false)
    }

    /// A field that is a text; an escape that is no character (half a surrogate pair) becomes U+FFFD.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let Text(text) = serde_json::from_str::<Text<'a>>(self.raw(name)?.get()).ok()?;
        Some(text.into_owned())
    }

    /// Whether a field is there, whatever it holds.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The names of the fields, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    fn scalar<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.raw(name)?.get()).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some(Text(name)) = map.next_key()? {
                    let value: &'de RawValue = map.next_value()?;
                    if value.get() != "null" {
                        fields.push((name, value));
                    }
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// The items of a JSON list as far as it can be read, and whether it could be read to its end.
pub(crate) fn items(json: &str) -> (Vec<&RawValue>, bool) {
    struct Items<'v, 'a>(&'v mut Vec<&'a RawValue>);

    impl<'de> Visitor<'de> for Items<'_, 'de> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
            while let Some(item) = list.next_element()? {
                self.0.push(item);
            }
            Ok(())
        }
    }

    impl<'de> DeserializeSeed<'de> for Items<'_, 'de> {
        type Value = ();

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
            deserializer.deserialize_seq(self)
        }
    }

    let mut found = Vec::new();
    let whole = Items(&mut found).deserialize(&mut serde_json::Deserializer::from_str(json)).is_ok();
    (found, whole)
}

/// A JSON string, read as bytes because `serde_json` refuses escapes that are no characters when it reads text.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Text(String::from_utf8_lossy(bytes)))
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(String::from_utf8_lossy(bytes).into_owned())))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_the_wrong_type_takes_no_neighbour_along() {
        let json =
            r#"{"text":"bonjour","date":"yesterday","from":[1,2],"chat":null,"id":9223372036854775808}"#;
        let object = Object::read(json).unwrap();
        assert_eq!(object.text("text").as_deref(), Some("bonjour"));
        assert_eq!(object.integer("date"), None);
        assert_eq!(object.integer("id"), None);
        assert!(object.object("from").is_none());
        assert!(!object.has("chat"));
    }

    #[test]
    fn escapes_are_read_in_names_and_in_texts_even_where_they_are_no_characters() {
        let object = Object::read(r#"{"te\u0078t":"a\ud800b\n\u00e9"}"#).unwrap();
        assert_eq!(object.text("text").unwrap().replace('\u{fffd}', "?"), "a???b\né");
    }

    #[test]
    fn a_repeated_name_means_its_last_value() {
        assert_eq!(Object::read(r#"{"a":1,"a":2}"#).unwrap().integer("a"), Some(2));
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!("{{\"deep\":{}{},\"text\":\"x\"}}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(Object::read(&deep).unwrap().text("text").as_deref(), Some("x"));
    }

    #[test]
    fn a_broken_list_gives_what_came_before_the_fault() {
        let (found, whole) = items(r#"[{"a":1},{"b":2},{"c":tru}]"#);
        assert_eq!((found.len(), whole), (2, false));
        assert!(items("[1,2]").1);
    }
}
