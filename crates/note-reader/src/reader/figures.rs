//! The things that a number or a weight is about.

use super::Reader;
use crate::numbers::number;
use crate::tokens::stem;
use crate::vocabulary::{ADJECTIVES, BEFORE_NOUN, CONTAINERS, CORRECTIONS, PAIRED, STATES};
use crate::weights::{GRAMS_MAX, weight};

/// More of one thing is not a deposit but a slip.
pub(super) const COUNT_MAX: u64 = deposit::QUANTITY_MAX as u64;

impl Reader<'_> {
    /// A number that is no weight; how many tokens it takes.
    pub(super) fn number(&mut self, value: u64, used: usize) -> usize {
        let next = self.word(used);
        let stops = self.tokens.get(self.at + used - 1).is_none_or(|token| token.stops);
        let whole = value / 1000;
        if matches!(self.before(1), "eux" | "elles") || (stops && matches!(self.before(1), "les" | "both")) {
            return used;
        }
        if self.has_item() && (next == "net" || self.before(1) == "net") {
            return self.weigh(value, used);
        }
        if let Some(end) = self.share(value, used) {
            return end;
        }
        if self.count_in_brackets(whole, used) {
            return used;
        }
        if let Some(more) = self.size_more(used) {
            self.append(used + more);
            return used + more;
        }
        if !self.has_item() && matches!(next, "fois" | "times") {
            self.open();
            self.count(value / 1000);
            return used + 1;
        }
        if self.has_item() && (next, self.word(used + 1)) == ("of", "them") {
            self.count(value / 1000);
            return used + 2;
        }
        if self.has_item()
            && stops
            && self.before(1) == "a"
            && self.found.items.iter().any(|item| !item.weighings.is_empty())
        {
            return self.weigh(value, used);
        }
        let measures = !stops && self.measures(next, used);
        let used = if measures { used + self.measure_more(used) } else { used };
        if self.aside || measures {
            if self.has_item() && !self.mute {
                self.append(used + usize::from(measures));
            }
            self.aside |= measures && matches!(next, "fois" | "pour");
            return used + usize::from(measures);
        }
        if self.has_item() && self.before(1) == "x" && value.is_multiple_of(1000) {
            self.count(whole);
            return used;
        }
        if self.has_item() && self.is_part_of_name(whole) {
            self.append(used);
            return used;
        }
        if value.is_multiple_of(1000) && !stops && next == "x" && !self.word(used + 1).is_empty() {
            return self.begin_counted(whole, used + 1);
        }
        if stops || self.is_bare(used) {
            return self.bare(value, used);
        }
        if !value.is_multiple_of(1000) {
            return used;
        }
        self.begin_counted(whole, used)
    }

    /// Whether nothing that could be counted follows.
    fn is_bare(&self, used: usize) -> bool {
        let next = self.word(used);
        let follows =
            self.tokens.get(self.at + used..).and_then(|rest| number(rest, self.language)).is_some();
        next.is_empty()
            || matches!(
                next,
                "et" | "and"
                    | "plus"
                    | "en"
                    | "in"
                    | "le"
                    | "la"
                    | "les"
                    | "au"
                    | "tout"
                    | "total"
                    | "pour"
                    | "euh"
                    | "enfin"
                    | "no"
            )
            || CORRECTIONS.contains(&next)
            || (follows && self.has_item())
    }

    /// A number on its own: a count that was corrected or came late, or kilos.
    fn bare(&mut self, value: u64, used: usize) -> usize {
        let whole = value / 1000;
        let late = self.before(1) == "a" && self.before(2) == "en"
            || self.stopped_before()
            || self.corrects
            || matches!(self.before(1), "euh" | "enfin");
        let (at, is_new) = (self.at, self.word(0) == "neuf" && used == 1 && !self.stopped_before());
        let corrects = std::mem::take(&mut self.corrects);
        // "3,4 + 2,6 kg"
        let goes_on = self.word(used) == "plus"
            || self.tokens.get(self.at + used - 1).is_some_and(|token| token.sign == '+');
        let starts = !self.has_item();
        if starts {
            self.open();
        }
        let Some(item) = self.found.items.get_mut(self.current) else { return used };
        let integer = value.is_multiple_of(1000);
        if starts && integer {
            item.count = Some(whole.min(COUNT_MAX));
        } else if is_new {
            item.words.push(at);
        } else if corrects && !item.weighings.is_empty() && (!integer || item.count.is_none()) {
            item.weighings = vec![value.min(GRAMS_MAX)];
        } else if late
            && integer
            && (corrects || item.count.is_none() || item.count == Some(1) && whole < 20 && item.uncountable)
        {
            item.count = Some(whole.min(COUNT_MAX));
            item.uncountable = false;
        } else if item.weighings.is_empty() && value > 0 && value < 500_000 && item.named {
            item.weighings.push(value);
            item.is_bare = !goes_on;
        }
        self.mute = false;
        used
    }

    /// A number with something that is counted.
    fn begin_counted(&mut self, whole: u64, used: usize) -> usize {
        let noun = self.at + used;
        if self.mute && matches!(self.before(1), "est" | "s" | "is") && self.has_item() && !self.corrects {
            self.aside = true;
            self.append(used);
            return used;
        }
        if self.has_item() {
            if let Some(read) = self.stays_with_item(whole, used) {
                return read;
            }
            self.close();
        }
        self.open();
        self.mute = false;
        let holds = self.holds(noun).is_some();
        let unknown =
            matches!(self.word_at(noun), "peu" | "bunch" | "tas") || self.word_at(noun) == "certain";
        if let Some(item) = self.found.items.get_mut(self.current) {
            item.count = (!holds && !unknown).then_some(whole.min(COUNT_MAX));
            item.uncountable = holds || unknown;
            item.holders = holds.then_some(whole);
        }
        self.corrects = false;
        if holds && whole > 1 {
            let (from, to) = (self.at, noun);
            self.push(from..to);
        }
        let article = usize::from(matches!(self.word_at(noun), "de" | "d" | "of" | "peu"));
        let article = article + usize::from(article == 1 && self.word_at(noun + article) == "de");
        used + article + self.begin_thing(noun + article)
    }

    /// A number and the word behind it, read as about the thing that was named last; `None` if they begin another one.
    fn stays_with_item(&mut self, whole: u64, used: usize) -> Option<usize> {
        let noun = self.at + used;
        if STATES.contains(&self.word_at(noun)) && (self.ends_at(noun) || self.word_at(noun + 1) == "et") {
            self.append(used);
            self.begins = false;
            return Some(used);
        }
        if let Some(more) = self.container_alone(noun) {
            return Some(more + used);
        }
        if self.says_no_more_than_more(noun) && self.is_breakdown(whole) {
            self.append(used);
            self.aside = true;
            return Some(used);
        }
        let apposed = self.tokens.get(noun).is_some_and(|token| token.capital) && self.name(noun).is_none();
        if apposed && whole == 1 && self.stopped_before() {
            self.begins = false;
            return Some(used);
        }
        if self.says_no_more_than_more(noun) {
            self.add_to_count(whole);
            return Some(used);
        }
        if self.corrects && self.returns_to(self.past_adjectives(noun)) {
            self.corrects = false;
            self.count(whole);
            return Some(self.past_adjectives(noun) + 1 - self.at);
        }
        if self.counts_pieces(noun) {
            self.count(whole);
            return Some(used + 1);
        }
        if self.is_part_of_set(noun) || (!self.begins && self.is_accessory(noun)) {
            self.aside = true;
            self.append(used);
            return Some(used);
        }
        let unknown = self.name(self.past_adjectives(noun)).is_none();
        if self.with && (self.is_accessory(noun) || unknown || super::OWNED.contains(&self.before(1))) {
            self.aside = true;
            self.append(used);
            return Some(used);
        }
        if self.word_at(self.past_adjectives(noun)).starts_with("manette") {
            self.aside = true;
            self.append(used);
            return Some(used);
        }
        None
    }

    /// "Vinyles, une caisse": how the things before it came.
    fn container_alone(&mut self, noun: usize) -> Option<usize> {
        let start = noun;
        let noun = self.past_adjectives(noun);
        let only = self.found.items.len() == 1;
        let is_container = CONTAINERS.contains(&self.word_at(noun));
        let of_figure = matches!(self.word_at(noun + 1), "de" | "of")
            && number(self.tokens.get(noun + 2..).unwrap_or_default(), self.language).is_some();
        let plural = self.found.items.get(self.current).is_some_and(|item| item.count.is_none());
        if !is_container || !plural || !(self.ends_at(noun) || of_figure) {
            return None;
        }
        let rest = self.tokens.get(noun + 2..).unwrap_or_default();
        let bare = number(rest, self.language).filter(|_| of_figure && weight(rest, self.language).is_none());
        let item = self.found.items.get_mut(self.current)?;
        item.uncountable = bare.is_none() && (only || item.uncountable);
        item.count = bare.map(|(value, _)| value / 1000);
        self.begins = true;
        Some(noun - start + 1 + usize::from(of_figure) + bare.map_or(0, |(_, length)| length))
    }

    pub(super) fn past_adjectives(&self, mut at: usize) -> usize {
        while BEFORE_NOUN.contains(&self.word_at(at)) {
            at += 1;
        }
        at
    }

    /// "Dix creuses et six plates": the same thing again.
    fn says_no_more_than_more(&self, at: usize) -> bool {
        let ends = |at: usize| {
            self.tokens.get(at - 1).is_none_or(|token| token.stops)
                || matches!(self.word_at(at), "et" | "and" | "")
                || weight(self.tokens.get(at..).unwrap_or_default(), self.language).is_some()
        };
        ADJECTIVES.contains(&self.word_at(at))
            && (ends(at + 1) || ADJECTIVES.contains(&self.word_at(at + 1)) && ends(at + 2))
    }

    /// "Deux télés, une plate et une à tube" is two.
    fn is_breakdown(&self, part: u64) -> bool {
        let Some(item) = self.found.items.get(self.current) else { return false };
        let qualified = item.words.last().is_some_and(|at| ADJECTIVES.contains(&self.word_at(*at)));
        !self.corrects && !qualified && item.count.is_some_and(|count| count > part)
    }

    fn add_to_count(&mut self, more: u64) {
        let corrects = std::mem::take(&mut self.corrects);
        if let Some(item) = self.found.items.get_mut(self.current) {
            let before = item.count.filter(|_| !corrects && !item.uncountable).unwrap_or_default();
            item.count = Some(before.saturating_add(more).min(COUNT_MAX));
            item.uncountable = false;
        }
        self.begins = false;
    }

    pub(super) fn count(&mut self, count: u64) {
        if let Some(item) = self.found.items.get_mut(self.current) {
            item.count = Some(count.min(COUNT_MAX));
            item.uncountable = false;
        }
    }

    /// "Une paire d'enceintes" is two, "une paire de skis" is one.
    pub(super) fn pair(&mut self, noun: usize) {
        let is_paired = PAIRED.contains(&stem(self.word_at(self.past_adjectives(noun))));
        if let Some(item) = self.found.items.get_mut(self.current) {
            let pairs = item.count.unwrap_or(1);
            item.count = Some(if is_paired { pairs } else { (2 * pairs).min(COUNT_MAX) });
            item.uncountable = false;
        }
    }
}
