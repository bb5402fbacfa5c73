//! Whose a weight is: one thing's, each one's, all of them's.

use super::Reader;
use crate::vocabulary::{CONTAINERS, EACH, FILLERS, LEFTOVERS, TOGETHER};
use crate::weights::GRAMS_MAX;

const DEFINITE_ALONE: &[&str] = &["chacun", "chacune"];

impl Reader<'_> {
    /// A weight; how many tokens it takes.
    pub(super) fn weigh(&mut self, grams: u64, used: usize) -> usize {
        let grams = grams.min(GRAMS_MAX);
        let behind = self.at + used;
        let leads = matches!(self.word_at(behind), "de" | "d" | "of")
            && !self.tokens.get(behind - 1).is_none_or(|token| token.stops)
            && !matches!(self.word_at(behind + 1), "plus" | "trop" | "moins" | "tare" | "mieux" | "");
        self.weighed_up_to = behind;
        if leads && !self.corrects && (!self.has_item() || self.begins && self.words_between() == 0) {
            self.close();
            self.open();
            if let Some(item) = self.found.items.get_mut(self.current) {
                item.weighings.push(grams);
                item.uncountable = true;
            }
            self.begins = true;
            return used + 1 + usize::from(self.word_at(behind + 1) == "la");
        }
        let leads_all = !self.has_item() && (self.together(behind) || self.before(1) == "total");
        if leads_all && self.found.items.iter().all(|item| !item.named) {
            self.found.total = Some(grams);
            return used;
        }
        self.weigh_named(grams, behind);
        self.begins = true;
        self.mute = false;
        self.aside = false;
        // "Chacun" belongs to the weight.
        let each = self.each(behind);
        used + each.unwrap_or_default()
    }

    fn weigh_named(&mut self, grams: u64, behind: usize) {
        let named =
            self.found.items.iter().filter(|item| item.named && !item.is_heading && item.is_sound()).count();
        let together = self.together(behind);
        let after_stop = self.words_between() > 0
            || self.stopped_before()
            || self.tokens.get(self.at.saturating_sub(1)).is_some_and(|token| token.sign == '=');
        let weighed = self.found.items.iter().any(|item| !item.weighings.is_empty());
        let returned = self.returned || self.current + 1 < self.found.items.len();
        let corrects = std::mem::take(&mut self.corrects);
        let in_one = |item: &super::Item| {
            item.is_heading && item.words.first().is_some_and(|at| CONTAINERS.contains(&self.word_at(*at)))
        };
        let for_all = matches!(self.before(1), "pour" | "for") || self.found.items.iter().any(in_one);
        if named > 1 && !returned && self.repeats_the_sum(grams) {
            return;
        }
        if named > 1
            && !returned
            && self.each(behind).is_none()
            && (together || ((after_stop || for_all) && !weighed && !self.says_own()))
        {
            self.found.total = if weighed && !together { self.found.total } else { Some(grams) };
            self.found.spread = vec![grams];
            return;
        }
        if named > 1 && !weighed && !self.found.spread.is_empty() && self.begins && !returned {
            self.spread(grams, named);
            return;
        }
        if named > 1 && self.each(behind).is_some() && !weighed && !returned {
            for item in &mut self.found.items {
                item.weighings = vec![grams.saturating_mul(item.count.unwrap_or(1).max(1)).min(GRAMS_MAX)];
            }
            return;
        }
        let (takes_off, is_net) =
            (self.takes_off(), self.word_at(behind) == "net" || self.before(1) == "net");
        let each = self.each(behind).is_some();
        let is_capacity = self.is_capacity(grams);
        let sums_up = (1..=3).any(|back| matches!(self.before(back), "fait" | "soit" | "donc" | "egale"));
        let of_each = matches!(self.before(1), "de" | "d" | "of") && self.has_item();
        self.open();
        let Some(item) = self.found.items.get_mut(self.current) else { return };
        let each = each || (of_each && !item.uncountable && item.count.is_some_and(|count| count > 1));
        if std::mem::take(&mut item.is_bare) {
            item.weighings.clear();
        }
        let several = item.count.or(item.holders).unwrap_or(1).max(1);
        let grams = if each { grams.saturating_mul(several).min(GRAMS_MAX) } else { grams };
        if takes_off {
            let before: u64 = item.weighings.iter().sum();
            item.weighings = vec![before.saturating_sub(grams)];
        } else if corrects || is_net || together || sums_up {
            item.weighings = vec![grams];
        } else if !is_capacity {
            item.weighings.push(grams);
        }
    }

    /// "Une lampe deux kilos et une chaise cinq kilos, donc sept kilos".
    fn repeats_the_sum(&self, grams: u64) -> bool {
        let named = || self.found.items.iter().filter(|item| item.named);
        let sum: u64 = named().flat_map(|item| &item.weighings).sum();
        named().all(|item| !item.weighings.is_empty()) && sum == grams
    }

    /// "Un sac de linge et un sac de livres, six kilos et quatre kilos": to each its own, once all were said.
    fn spread(&mut self, grams: u64, named: usize) {
        self.found.spread.push(grams);
        if self.found.spread.len() < named {
            return;
        }
        let weights = std::mem::take(&mut self.found.spread);
        let things =
            self.found.items.iter_mut().filter(|item| item.named && !item.is_heading && item.is_sound());
        for (item, grams) in things.zip(weights) {
            item.weighings = vec![grams];
        }
        self.found.total = None;
    }

    /// How many words stand between the weight and the stop before it that say "it all weighs" and nothing else.
    fn words_between(&self) -> usize {
        let mut back = 1;
        while back < 8 && self.at >= back && !self.tokens.get(self.at - back).is_none_or(|token| token.stops)
        {
            let word = self.before(back);
            if !LEFTOVERS.contains(&word)
                && !TOGETHER.contains(&word)
                && !FILLERS.contains(&word)
                && !matches!(word, "peu" | "pres" | "dans" | "ca" | "poids")
            {
                return 0;
            }
            back += 1;
        }
        back - 1
    }

    /// Whether the weight says itself whose it is: "la table fait dix kilos".
    fn says_own(&self) -> bool {
        (1..4).any(|back| DEFINITE_ALONE.contains(&self.before(back))) && self.words_between() == 0
    }

    fn together(&self, behind: usize) -> bool {
        let close = |word: &str| TOGETHER.contains(&word);
        let before = (1..=5).take_while(|back| {
            *back == 1
                || !self
                    .at
                    .checked_sub(*back)
                    .and_then(|at| self.tokens.get(at))
                    .is_none_or(|token| token.stops)
        });
        let said_before = before.clone().any(|back| {
            close(self.before(back))
                && (self.before(back) != "lot" || self.before(back + 1) == "le")
                && self.before(back) != "ensemble"
        });
        let mut ahead = 0;
        let mut said_behind = false;
        while ahead < 4
            && (ahead > 0 || !self.tokens.get(behind.saturating_sub(1)).is_none_or(|token| token.stops))
        {
            let word = self.word_at(behind + ahead);
            let both = matches!(word, "deux" | "trois" | "quatre" | "two" | "three")
                && matches!(self.word_at(behind + ahead - 1), "les" | "eux" | "elles" | "all");
            said_behind |= both
                || close(word)
                    && (word != "lot"
                        || self.word_at(behind + ahead - 1) == "le"
                        || self.word_at(behind + ahead - 1) == "the");
            if self.tokens.get(behind + ahead).is_none_or(|token| token.stops) {
                break;
            }
            ahead += 1;
        }
        said_before || said_behind
    }

    /// How many tokens behind a weight say that it is of each.
    fn each(&self, behind: usize) -> Option<usize> {
        if self.tokens.get(behind - 1).is_none_or(|token| token.stops) {
            return None;
        }
        (0..3)
            .find(|ahead| {
                let one = matches!(self.word_at(behind + ahead), "un" | "une");
                (EACH.contains(&self.word_at(behind + ahead))
                    || one && *ahead > 0 && self.word_at(behind + ahead - 1) == "l")
                    && (0..*ahead).all(|at| {
                        matches!(self.word_at(behind + at), "la" | "l" | "par" | "a" | "de" | "pour")
                    })
            })
            .map(|ahead| ahead + 1)
    }

    fn takes_off(&self) -> bool {
        (1..=4)
            .take_while(|back| {
                *back == 1
                    || !self
                        .at
                        .checked_sub(*back)
                        .and_then(|at| self.tokens.get(at))
                        .is_none_or(|token| token.stops)
            })
            .any(|back| {
                matches!(self.before(back), "tare" | "minus" | "less")
                    || self.before(back) == "moins"
                        && self.before(back + 1) != "au"
                        && !(back > 1 && matches!(self.before(back - 1), "de" | "d"))
            })
            && self.found.items.get(self.current).is_some_and(|item| !item.weighings.is_empty())
    }

    /// A washing machine of eight kilos holds eight kilos.
    fn is_capacity(&self, grams: u64) -> bool {
        let item = self.found.items.get(self.current);
        let washes = item.is_some_and(|item| {
            item.words.iter().any(|at| {
                matches!(
                    (self.word_at(*at), self.word_at(at + 1), self.word_at(at + 2)),
                    ("lave" | "seche", "linge", _)
                        | ("machine", "a", "laver")
                        | ("washing", "machine", _)
                        | ("tumble", "dryer", _)
                )
            })
        });
        let bears = (1..=4).any(|back| {
            matches!(self.before(back), "jusqu" | "supporte" | "capacite" | "charge" | "portee" | "capacity")
        });
        bears || washes && (4_000..=12_000).contains(&grams)
    }
}
