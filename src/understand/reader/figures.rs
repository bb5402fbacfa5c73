//! What a number or a weight is about.

use super::Reader;
use crate::understand::numbers::number;
use crate::understand::tokens::stem;
use crate::understand::vocabulary::{
    ACCESSORIES, ADJECTIVES, BEFORE_NOUN, CONTAINERS, CORRECTIONS, COUNTED_TOO, MEASURES, NAMING, PAIRED,
    STATES,
};
use crate::understand::weights::{GRAMS_MAX, unit, weight};

/// More of one thing is not a deposit but a slip.
const COUNT_MAX: u64 = 9_999;

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

    /// "Cadres (12)".
    fn count_in_brackets(&mut self, whole: u64, used: usize) -> bool {
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
    fn size_more(&self, used: usize) -> Option<usize> {
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
    fn measures(&self, next: &str, used: usize) -> bool {
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

    fn is_set(&self) -> bool {
        let item = self.found.items.get(self.current);
        let first = item.and_then(|item| item.words.first()).map_or("", |at| self.word_at(*at));
        matches!(first, "service" | "menagere" | "salon" | "ensemble" | "coffret" | "set")
    }

    /// What follows a measure and belongs to it: "un mètre soixante-dix", "deux mètres cubes".
    fn measure_more(&self, used: usize) -> usize {
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
    fn is_part_of_name(&self, whole: u64) -> bool {
        let before = self.before(1);
        let is_led = matches!(before, "de" | "d" | "of" | "a") && !self.begins && self.before(2) != "en";
        (NAMING.contains(&before) && !self.stopped_before()) || is_led || (1850..=2050).contains(&whole)
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
            if STATES.contains(&self.word_at(noun)) && (self.ends_at(noun) || self.word_at(noun + 1) == "et")
            {
                self.append(used);
                self.begins = false;
                return used;
            }
            if let Some(more) = self.container_alone(noun) {
                return more + used;
            }
            if self.says_no_more_than_more(noun) && self.is_breakdown(whole) {
                self.append(used);
                self.aside = true;
                return used;
            }
            let apposed =
                self.tokens.get(noun).is_some_and(|token| token.capital) && self.name(noun).is_none();
            if apposed && whole == 1 && self.stopped_before() {
                self.begins = false;
                return used;
            }
            if self.says_no_more_than_more(noun) {
                self.add_to_count(whole);
                return used;
            }
            if self.corrects && self.returns_to(self.past_adjectives(noun)) {
                self.corrects = false;
                self.count(whole);
                return self.past_adjectives(noun) + 1 - self.at;
            }
            if self.counts_pieces(noun) {
                self.count(whole);
                return used + 1;
            }
            if self.is_part_of_set(noun) || (!self.begins && self.is_accessory(noun)) {
                self.aside = true;
                self.append(used);
                return used;
            }
            let unknown = self.name(self.past_adjectives(noun)).is_none();
            if self.with && (self.is_accessory(noun) || unknown || super::OWNED.contains(&self.before(1))) {
                self.aside = true;
                self.append(used);
                return used;
            }
            if self.word_at(self.past_adjectives(noun)).starts_with("manette") {
                self.aside = true;
                self.append(used);
                return used;
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

    fn past_adjectives(&self, mut at: usize) -> usize {
        while BEFORE_NOUN.contains(&self.word_at(at)) {
            at += 1;
        }
        at
    }

    /// "Un lot de casques, dix-huit pièces".
    fn counts_pieces(&self, noun: usize) -> bool {
        let item = self.found.items.get(self.current);
        let is_word = matches!(self.word_at(noun), "pieces" | "piece" | "pcs" | "exemplaires" | "unites");
        let rest = self.tokens.get(noun + 1..).unwrap_or_default();
        is_word
            && item.is_some_and(|item| item.count.is_none())
            && !self.is_set()
            && (self.ends_at(noun) || weight(rest, self.language).is_some())
    }

    /// "Un salon de jardin, une table et quatre chaises" is one thing.
    fn is_part_of_set(&self, noun: usize) -> bool {
        let Some(item) = self.found.items.get(self.current) else { return false };
        let first = item.words.first().map_or("", |at| self.word_at(*at));
        let part = stem(self.word_at(self.past_adjectives(noun)));
        matches!(first, "salon" | "ensemble")
            && item.weighings.is_empty()
            && item.count.is_none_or(|count| count == 1)
            && matches!(part, "table" | "chaise" | "fauteuil" | "banc" | "banquette" | "canape")
    }

    fn is_accessory(&self, noun: usize) -> bool {
        let head = self.word_at(self.past_adjectives(noun));
        ACCESSORIES.contains(&head)
            && !matches!(head, "ampoule" | "ampoules" | "coussins" | "piles" | "coussin")
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

    fn count(&mut self, count: u64) {
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
