//! The answer of a chat model, believed in nothing: each value is checked, and one that is wrong spoils the whole.

use serde::Deserialize;
use serde_json::Value;

use crate::model::llm::schema::DESTINATIONS;
use deposit::taxonomy::Taxonomy;
use deposit::{CategoryKey, Destination, GRAMS_MAX, LINES_MAX, QUANTITY_MAX, Weight, WeightSource};
use note_reader::OBJECT_CHARS_MAX;

/// The proposal of a model, within all bounds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Proposed {
    pub(super) lines: Vec<ProposedLine>,
    pub(super) total_weight: Option<Weight>,
}

/// One line of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProposedLine {
    pub(super) object: String,
    pub(super) quantity: Option<u32>,
    pub(super) weight: Option<Weight>,
    pub(super) category: CategoryKey,
    pub(super) alternatives: Vec<CategoryKey>,
    pub(super) destination: Destination,
}

/// As it is written.
#[derive(Deserialize)]
struct Written {
    lines: Vec<WrittenLine>,
    #[serde(default)]
    total_weight_kg: Option<f64>,
}

#[derive(Deserialize)]
struct WrittenLine {
    object: String,
    quantity: Option<u64>,
    weight_kg: Option<f64>,
    category: String,
    #[serde(default)]
    alternatives: Vec<String>,
    destination: String,
}

/// The model's message, out of the envelope of `/chat/completions`; none if it was cut off or refuses.
pub(super) fn content(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let choice = answer.get("choices")?.get(0)?;
    let is_whole = choice.get("finish_reason").is_none_or(|why| why.is_null() || why == "stop");
    choice.get("message")?.get("content")?.as_str().filter(|_| is_whole).map(str::to_owned)
}

impl Proposed {
    /// Reads a model's message; `None` if any of it breaks a bound.
    pub(super) fn read(said: &str, taxonomy: &Taxonomy) -> Option<Self> {
        let written: Written = serde_json::from_str(said).ok()?;
        if written.lines.len() > LINES_MAX {
            return None;
        }
        let lines = written.lines.into_iter().map(|line| line.checked(taxonomy)).collect::<Option<_>>()?;
        Some(Self { lines, total_weight: weight(written.total_weight_kg)? })
    }
}

impl WrittenLine {
    fn checked(self, taxonomy: &Taxonomy) -> Option<ProposedLine> {
        let known = |key: String| {
            let key = CategoryKey(key);
            taxonomy.category(&key).map(|category| category.key.clone())
        };
        let object = self.object.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_label = object.chars().any(char::is_alphanumeric)
            && object.chars().count() <= OBJECT_CHARS_MAX
            && !object.chars().any(char::is_control);
        let quantity = match self.quantity {
            Some(quantity) => {
                Some(u32::try_from(quantity).ok().filter(|quantity| (1..=QUANTITY_MAX).contains(quantity))?)
            }
            None => None,
        };
        let destination = DESTINATIONS.into_iter().find(|it| it.as_str() == self.destination)?;
        is_label.then_some(ProposedLine {
            object,
            quantity,
            weight: weight(self.weight_kg)?,
            category: known(self.category)?,
            alternatives: self.alternatives.into_iter().map(known).collect::<Option<_>>()?,
            destination,
        })
    }
}

/// A stated weight; the outer `None` if nothing can weigh that.
#[expect(clippy::option_option, reason = "a wrong weight is something else than none")]
fn weight(kilograms: Option<f64>) -> Option<Option<Weight>> {
    let Some(kilograms) = kilograms else { return Some(None) };
    let grams = (kilograms * 1000.0).round();
    let bounds = 1.0..=f64::from(GRAMS_MAX);
    if !bounds.contains(&grams) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
    let grams = grams as u32;
    Some(Some(Weight { grams, source: WeightSource::Stated }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line() -> Value {
        json!({
            "object": " deux\n bouilloires ", "quantity": 2, "weight_kg": 2.5, "category": "small_equipment",
            "alternatives": ["household"], "destination": "recyclage",
        })
    }

    fn read(answer: &Value) -> Option<Proposed> {
        Proposed::read(&answer.to_string(), &Taxonomy::built_in().unwrap())
    }

    fn with(member: &str, value: Value) -> Option<Proposed> {
        let mut line = line();
        line[member] = value;
        read(&json!({"lines": [line], "total_weight_kg": null}))
    }

    #[test]
    fn a_good_answer_becomes_lines() {
        let proposed = with("alternatives", json!(["household"])).unwrap();
        let [line] = proposed.lines.as_slice() else { panic!("{proposed:?}") };
        assert_eq!((line.object.as_str(), line.quantity), ("deux bouilloires", Some(2)));
        assert_eq!(line.weight, Some(Weight { grams: 2_500, source: WeightSource::Stated }));
        assert_eq!((line.destination, &line.category), (Destination::Recyclage, &"small_equipment".into()));
        assert_eq!(read(&json!({"lines": [], "total_weight_kg": null})).unwrap().lines, []);
        let total = read(&json!({"lines": [], "total_weight_kg": 7})).unwrap().total_weight;
        assert_eq!(total.unwrap().grams, 7_000);
    }

    #[test]
    fn one_wrong_value_spoils_the_answer() {
        for (member, value) in [
            ("category", json!("vip")),
            ("alternatives", json!(["vip"])),
            ("destination", json!("chez moi")),
            ("quantity", json!(0)),
            ("quantity", json!(-1)),
            ("quantity", json!(10_000)),
            ("quantity", json!(1.5)),
            ("weight_kg", json!(0)),
            ("weight_kg", json!(-3)),
            ("weight_kg", json!(1e9)),
            ("weight_kg", json!("deux")),
            ("object", json!("")),
            ("object", json!("…")),
            ("object", json!("a\u{202e}\u{0}b")),
            ("object", json!("x".repeat(OBJECT_CHARS_MAX + 1))),
            ("object", json!(null)),
        ] {
            assert_eq!(with(member, value.clone()), None, "{member} {value}");
        }
        let many = vec![line(); LINES_MAX + 1];
        assert_eq!(read(&json!({"lines": many, "total_weight_kg": null})), None);
        for garbage in ["", "[]", "{}", "null", "{\"lines\":[", "Voici les lignes : …"] {
            assert_eq!(Proposed::read(garbage, &Taxonomy::built_in().unwrap()), None, "{garbage}");
        }
    }

    #[test]
    fn only_a_whole_answer_counts() {
        let said = |finish: Value| {
            let choice = json!({"message": {"role": "assistant", "content": "{}"}, "finish_reason": finish});
            content(json!({"choices": [choice]}).to_string().as_bytes())
        };
        assert_eq!(said(json!("stop")).as_deref(), Some("{}"));
        assert_eq!(said(json!(null)).as_deref(), Some("{}"));
        assert_eq!(said(json!("length")), None);
        assert_eq!(said(json!("content_filter")), None);
        for body in
            ["", "{}", "{\"choices\":[]}", "{\"choices\":[{\"message\":{\"content\":null}}]}", "<html>"]
        {
            assert_eq!(content(body.as_bytes()), None, "{body}");
        }
    }
}
