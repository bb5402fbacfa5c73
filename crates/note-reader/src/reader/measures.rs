//! Numbers that count nothing, or count the things named before: sizes, models, parts.

use super::Reader;
use super::figures::COUNT_MAX;
use crate::numbers::number;
use crate::tokens::stem;
use crate::vocabulary::{ACCESSORIES, COUNTED_TOO, MEASURES, NAMING};
use crate::weights::{unit, weight};

impl Reader<'_> {
    /// "Cadres (12)".
    pub(super) fn count_in_brackets(&mut self, whole: u64, used: usize) -> bool {
        let sign = |at: usize| self.tokens.get(at).map_or(' ', |token| token.sign);
        let alone =
            self.at > 0 && sign(self.at - 1) == '(' && sign(self.at + used - 1).is_ascii_punctuation();
        let counts = alone && self.has_item() && (1..=COUNT_MAX).contains(&whole);
        if counts {
            self.count(whole);
        }
        counts
    }

    /// "140 sur 190", "cent quarante par deux mètres": how many tokens the other sides take.
    pub(super) fn size_more(&self, used: usize) -> Option<usize> {
        let mut end = self.at + used;
        while self.has_item() && matches!(self.word_at(end), "sur" | "par" | "x" | "by") {
            let rest = self.tokens.get(end + 1..)?;
            let (_, length) =
                number(rest, self.language).filter(|_| weight(rest, self.language).is_none())?;
            end += 1 + length;
        }
        let measure = usize::from(MEASURES.contains(&self.word_at(end)));
        (end > self.at + used).then_some(end + measure - self.at - used)
    }

    /// Whether the number measures what its next word says.
    pub(super) fn measures(&self, next: &str, used: usize) -> bool {
        if matches!(next, "pour" | "d" | "e" | "h" | "p" | "t" | "a")
            && self.tokens.get(self.at).is_some_and(|token| token.thousandths.is_none())
        {
            return false;
        }
        let is_measure = MEASURES.contains(&next) || unit(next).is_some();
        let many = number(self.tokens.get(self.at..).unwrap_or_default(), self.language)
            .is_some_and(|(value, _)| value >= 100_000);
        let is_set = self.has_item() && self.is_set();
        is_measure
            && (!COUNTED_TOO.contains(&next) || many || is_set || self.has_item() && !self.begins)
            && self.word(used) == next
    }

    pub(super) fn is_set(&self) -> bool {
        let item = self.found.items.get(self.current);
        let first = item.and_then(|item| item.words.first()).map_or("", |at| self.word_at(*at));
        matches!(first, "service" | "menagere" | "salon" | "ensemble" | "coffret" | "set")
    }

    /// The words behind a measure that belong to it: "un mètre soixante-dix", "deux mètres cubes".
    pub(super) fn measure_more(&self, used: usize) -> usize {
        let ends = self.tokens.get(self.at + used).is_none_or(|token| token.stops);
        if ends
            || !matches!(
                self.word(used),
                "m" | "metre" | "metres" | "h" | "heure" | "heures" | "feet" | "foot"
            )
        {
            return 0;
        }
        if matches!(self.word(used + 1), "cube" | "cubes" | "carre" | "carres") {
            return 1;
        }
        let rest = self.tokens.get(self.at + used + 1..).unwrap_or_default();
        let is_weight = weight(rest, self.language).is_some();
        number(rest, self.language)
            .filter(|(value, _)| !is_weight && *value > 4_000)
            .map_or(0, |(_, length)| length)
    }

    /// A model, a size, a year, the second half of "60 x 40".
    pub(super) fn is_part_of_name(&self, whole: u64) -> bool {
        let before = self.before(1);
        let is_led = matches!(before, "de" | "d" | "of" | "a") && !self.begins && self.before(2) != "en";
        (NAMING.contains(&before) && !self.stopped_before()) || is_led || (1850..=2050).contains(&whole)
    }

    /// "Un lot de casques, dix-huit pièces".
    pub(super) fn counts_pieces(&self, noun: usize) -> bool {
        let item = self.found.items.get(self.current);
        let is_word = matches!(self.word_at(noun), "pieces" | "piece" | "pcs" | "exemplaires" | "unites");
        let rest = self.tokens.get(noun + 1..).unwrap_or_default();
        is_word
            && item.is_some_and(|item| item.count.is_none())
            && !self.is_set()
            && (self.ends_at(noun) || weight(rest, self.language).is_some())
    }

    /// "Un salon de jardin, une table et quatre chaises" is one thing.
    pub(super) fn is_part_of_set(&self, noun: usize) -> bool {
        let Some(item) = self.found.items.get(self.current) else { return false };
        let first = item.words.first().map_or("", |at| self.word_at(*at));
        let part = stem(self.word_at(self.past_adjectives(noun)));
        matches!(first, "salon" | "ensemble")
            && item.weighings.is_empty()
            && item.count.is_none_or(|count| count == 1)
            && matches!(part, "table" | "chaise" | "fauteuil" | "banc" | "banquette" | "canape")
    }

    pub(super) fn is_accessory(&self, noun: usize) -> bool {
        let head = self.word_at(self.past_adjectives(noun));
        ACCESSORIES.contains(&head)
            && !matches!(head, "ampoule" | "ampoules" | "coussins" | "piles" | "coussin")
    }
}
