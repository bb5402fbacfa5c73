//! The values of a line: its number, weight, category and object.

use super::commands::says_what;
use super::{Act, Parser, grams_of, whole};
use crate::correction::Value;
use crate::correction::words::{ADD, AFTER_COUNT, CATEGORY, REMOVE, SKIPPED, UNITS};
use crate::lines;
use crate::vocabulary::EACH;
use deposit::QUANTITY_MAX;
use deposit::{Language, Part};

impl Parser<'_> {
    pub(super) fn weighed(&mut self) -> Option<usize> {
        let scene = self.scene;
        let (grams, used) = scene.weight(self.at)?;
        let behind = self.at + used;
        let each = (0..3).find(|ahead| {
            EACH.contains(&scene.word(behind + ahead))
                && (0..*ahead)
                    .all(|at| matches!(scene.word(behind + at), "la" | "l" | "par" | "a" | "de" | "pour"))
        });
        let more = matches!(scene.word(behind), "de") && matches!(scene.word(behind + 1), "plus" | "moins");
        if more && !scene.ends(behind) {
            // The note does not show whether that is to be added to the line's value or repeats it.
            return None;
        }
        let each = each.filter(|_| !scene.ends(behind - 1));
        let value = Value::Weight { grams: grams_of(grams)?, each: self.each || each.is_some() };
        self.each = false;
        self.value(value);
        Some(used + each.map_or(0, |ahead| ahead + 1))
    }

    /// A number that counts the things on the card, or kilos where kilos were asked for.
    pub(super) fn counted(&mut self) -> Option<usize> {
        let scene = self.scene;
        if EACH.contains(&scene.word(self.at)) && scene.weight(self.at + 1).is_some() {
            self.each = true;
            return Some(1);
        }
        let (thousandths, used) = scene.number(self.at)?;
        let behind = self.at + used;
        let next = scene.word(behind);
        if self.clause.act == Act::Remove {
            return None;
        }
        // "La première fait trois kilos et la deuxième deux."
        let goes_on = self.clause.values.is_empty() && !self.clause.targets.is_empty();
        let before = self.parsed.clauses.last().filter(|_| goes_on);
        let weighs = before.is_some_and(|before| matches!(before.values.as_slice(), [Value::Weight { .. }]));
        let in_kilos = weighs || scene.card.part == Some(Part::Weight) || !thousandths.is_multiple_of(1000);
        let units = usize::from(!scene.ends(behind - 1) && UNITS.contains(&next));
        let them =
            usize::from(!scene.ends(behind - 1) && (next, scene.word(behind + 1)) == ("of", "them")) * 2;
        if !scene.ends(behind - 1) && units + them == 0 {
            let more = match (next, scene.word(behind + 1)) {
                ("de", "plus") => Some((1, 2)),
                ("de", "moins") => Some((-1, 2)),
                ("more", _) => Some((1, 1)),
                ("less" | "fewer", _) => Some((-1, 1)),
                _none => None,
            };
            if let Some((sign, more)) = more {
                self.value(Value::More(sign * whole(thousandths)?));
                return Some(used + more);
            }
            let names_next = scene.place(behind).is_some() || scene.definite(behind).is_some();
            if !AFTER_COUNT.contains(&next) && !names_next {
                return None;
            }
        }
        let value = if in_kilos {
            Value::Weight { grams: grams_of(thousandths)?, each: false }
        } else {
            let count = u32::try_from(whole(thousandths)?).ok();
            Value::Count(Some(count.filter(|count| (1..=QUANTITY_MAX).contains(count))?))
        };
        self.value(value);
        Some(used + units + them)
    }

    /// "C'est du textile", "catégorie déco", "un lot".
    pub(super) fn category(&mut self) -> Option<usize> {
        let scene = self.scene;
        let lot = usize::from(matches!(scene.word(self.at), "un" | "par" | "en" | "a" | "as" | "le"));
        if scene.word(self.at + lot) == "lot" && scene.ends(self.at + lot) {
            self.parsed.stated |= lot == 1;
            self.value(Value::Count(None));
            return Some(lot + 1);
        }
        let mut led = 0;
        let mut is_announced = false;
        while led < 4 && !scene.ends(self.at + led) {
            let word = scene.word(self.at + led);
            is_announced |= CATEGORY.contains(&word);
            let leads = CATEGORY.contains(&word)
                || matches!(
                    word,
                    "du" | "de" | "la" | "l" | "le" | "les" | "en" | "dans" | "the" | "in" | "d"
                );
            if !leads {
                break;
            }
            led += 1;
        }
        let is_mass = led > 0 && !matches!(scene.word(self.at), "le" | "la" | "l" | "les" | "the");
        let is_english = scene.language == Language::En && (self.parsed.stated || self.parsed.denied);
        if !(is_announced || (is_mass && (self.parsed.stated || self.parsed.denied)) || is_english) {
            return None;
        }
        // "Make it four" is not about IT.
        let is_small = SKIPPED.contains(&scene.word(self.at + led));
        let (key, used) = scene.category(self.at + led).filter(|_| !is_small)?;
        if !scene.ends(self.at + led + used - 1) && !AFTER_COUNT.contains(&scene.word(self.at + led + used)) {
            return None;
        }
        self.parsed.stated = true;
        self.value(Value::Category(key));
        Some(led + used)
    }

    /// A thing with its values, as in a description.
    pub(super) fn thing(&mut self) -> Option<usize> {
        let scene = self.scene;
        let is_said = self.parsed.stated || self.parsed.denied || self.expects_thing || scene.card.is_reply;
        let counted = scene.number(self.at).map(|(_, used)| (used, true));
        let article = counted.or_else(|| scene.article(self.at));
        let (led, any_word) = match article {
            Some(led) => led,
            None if SKIPPED.contains(&scene.word(self.at)) => return None,
            None if is_said || self.was || self.clause.act == Act::Remove => (0, false),
            None => return None,
        };
        let is_known = (0..3).any(|ahead| {
            scene.classifier.lexicon().longest(scene.tokens, &scene.known, self.at + led + ahead).is_some()
        });
        if !is_known && !any_word {
            return None;
        }
        let end = self.thing_ends();
        let text = scene.text(self.at, end).trim();
        let (mut things, total) = lines::read(text, scene.language, scene.classifier.lexicon());
        if things.len() > 1 || total.is_some() {
            self.parsed.several_things = true;
            return Some(1);
        }
        let said = things.pop()?;
        self.value(Value::Thing(said));
        self.expects_thing = false;
        Some(end - self.at)
    }

    /// Where something else is spoken of than the thing that begins here.
    fn thing_ends(&self) -> usize {
        let scene = self.scene;
        let ends = |at: &usize| {
            let word = scene.word(*at);
            let turns = matches!(word, "pas" | "not" | "instead")
                || (word, scene.word(at + 1)) == ("au", "lieu")
                || (word, scene.word(at + 1), scene.word(at + 2)) == ("a", "la", "place")
                || ((word == "plutot" || word == "rather")
                    && matches!(scene.word(at + 1), "que" | "than" | "qu"));
            let names = scene.begins(*at) || matches!(scene.word(at - 1), "et" | "and");
            turns
                || REMOVE.contains(&word)
                || ADD.contains(&word)
                || (names && (scene.place(*at).is_some() || scene.definite(*at).is_some()))
                || (names && says_what(scene, *at).is_some())
                || (self.was && scene.begins(*at))
        };
        let end = (self.at + 1..scene.tokens.len()).find(ends).unwrap_or(scene.tokens.len());
        let is_joint =
            end < scene.tokens.len() && matches!(scene.word(end - 1), "et" | "and" | "mais" | "but");
        if is_joint { (end - 1).max(self.at + 1) } else { end }
    }
}
