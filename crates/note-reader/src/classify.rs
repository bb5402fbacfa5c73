//! Which category a text belongs to: small, in-process, deterministic, trained in a moment from names of things.
//!
//! Two that know different things vote. The [`Lexicon`] finds names in the text, misspelt ones too, the longest first, and
//! believes the first most. The [`Linear`] model has seen the same names in pieces and has an opinion about any word.
//! `docs/UNDERSTANDING.md` says how well they do.

#[cfg(test)]
mod tests;

use crate::lexicon::{Lexicon, WORDS_MAX, entries, telling};
use crate::linear::{Linear, softmax};
use crate::lines;
use crate::site::Site;
use crate::tokens::{Token, tokens};
use deposit::taxonomy::Taxonomy;
use deposit::{CategoryKey, Line, Proposal};
use deposit::{Language, Understanding};

/// The name under which proposals of this model are kept.
pub const MODEL: &str = "embedded-2";

/// How many other categories a proposal names.
pub(super) const ALTERNATIVES: usize = 2;
/// The weight of the linear model's opinion.
const LINEAR: f32 = 1.0;
/// The weight of a name that is the only one in the text.
const NAMED: f32 = 5.0;
/// How much less each further name counts.
const FADING: f32 = 0.5;
/// The rarity that a name needs to be believed by half.
const DOUBT: f32 = 3.0;
/// The factor that makes shares of right answers follow the confidence; fitted as `docs/UNDERSTANDING.md` says.
const TEMPERATURE: f32 = 1.6;

/// Words that say that a thing has a plug or a battery, that it has none, that it burns fuel.
const POWERED: &[&str] =
    &["electrique", "electronique", "rechargeable", "electric", "electronic", "usb", "bluetooth", "elec"];
const UNPOWERED: &[&str] = &["manuel", "manuelle", "mecanique", "manual", "mechanical"];
const FUELLED: &[&str] = &["thermique", "essence", "diesel", "petrol"];

/// The trained model of a taxonomy.
#[derive(Debug)]
pub struct Classifier {
    categories: Vec<(CategoryKey, bool)>,
    fallback: CategoryKey,
    lexicon: Lexicon,
    linear: Linear,
}

impl Classifier {
    /// Learns the names of a taxonomy, and those shipped for its keys.
    #[must_use]
    pub fn train(taxonomy: &Taxonomy) -> Self {
        Self::train_on(taxonomy, &entries(taxonomy))
    }

    /// Learns as [`Classifier::train`] does, but not the names of these objects: so it meets things that no taxonomy
    /// lists. `widely` leaves out every name that holds all words of an object: with "lampe" go all lamps.
    #[must_use]
    pub fn train_without(taxonomy: &Taxonomy, objects: &[&str], widely: bool) -> Self {
        let objects: Vec<_> =
            objects.iter().map(|object| telling(object)).filter(|o| !o.is_empty()).collect();
        let is_left_out = |name: &str| {
            let name = telling(name);
            objects.iter().any(|object| {
                if widely { object.iter().all(|word| name.contains(word)) } else { *object == name }
            })
        };
        let mut names = entries(taxonomy);
        names.retain(|(_, name)| !is_left_out(name));
        Self::train_on(taxonomy, &names)
    }

    /// How many names were learned.
    #[must_use]
    pub fn names(&self) -> usize {
        self.lexicon.names.len()
    }

    /// How much memory it takes, in bytes, as its tables are laid out.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lexicon.bytes() + self.linear.bytes()
    }

    fn train_on(taxonomy: &Taxonomy, names: &[(usize, String)]) -> Self {
        Self {
            categories: taxonomy
                .categories
                .iter()
                .map(|category| (category.key.clone(), category.eee))
                .collect(),
            fallback: taxonomy.fallback.clone(),
            lexicon: Lexicon::new(names),
            linear: Linear::train(taxonomy.categories.len(), names),
        }
    }

    /// The names of things.
    pub(super) fn lexicon(&self) -> &Lexicon {
        &self.lexicon
    }

    /// The lines of a note with a proposal for each; none where it is no deposit. The site's lessons come first.
    #[must_use]
    pub fn understand(&self, note: &str, language: Language, site: &Site) -> Understanding {
        let (said, total_weight) = lines::read(note, language, &self.lexicon);
        let line = |said: lines::Said| Line {
            proposal: self.propose_for(&said, site),
            object: said.object,
            quantity: said.quantity,
            weight: said.weight,
            destination: said.destination,
            chosen: None,
        };
        Understanding { lines: said.into_iter().map(line).collect(), total_weight }
    }

    /// The proposal for a thing; a choice that the site has learned comes first.
    pub(super) fn propose_for(&self, said: &lines::Said, site: &Site) -> Proposal {
        site.propose(&said.object, || self.words_named(&said.object), self.propose(&said.words))
    }

    /// How many words the longest known name has that an object begins with.
    fn words_named(&self, object: &str) -> usize {
        let tokens = tokens(object);
        let known = self.lexicon.known(tokens.get(..WORDS_MAX.min(tokens.len())).unwrap_or_default());
        let first = known.iter().position(Option::is_some).unwrap_or_default();
        self.lexicon.longest(&tokens, &known, first).map_or(0, |(name, _)| name.stems.len())
    }

    /// The likeliest category of a text and the next ones; of a text that is like nothing, the fallback at confidence 0.
    #[must_use]
    pub fn propose(&self, text: &str) -> Proposal {
        let tokens = tokens(text);
        let mut scores = self.linear.scores(text);
        let nothing = scores.iter().all(|score| *score == 0.0);
        self.add_named(&tokens, &mut scores);
        for score in &mut scores {
            *score /= TEMPERATURE;
        }
        softmax(&mut scores);
        let mut ranked: Vec<_> = scores.into_iter().zip(&self.categories).collect();
        // Where nothing tells them apart, the fallback comes first and the others keep their order.
        ranked.sort_by(|(one, (a, _)), (other, (b, _))| {
            other.total_cmp(one).then_with(|| (*b == self.fallback).cmp(&(*a == self.fallback)))
        });
        let mut best = ranked.into_iter().map(|(score, (category, _))| (score, category.clone()));
        let (score, category) = best.next().unwrap_or((0.0, self.fallback.clone()));
        Proposal {
            category,
            confidence: if nothing { 0.0 } else { score.clamp(0.0, 0.99) },
            alternatives: best.take(ALTERNATIVES).map(|(_, category)| category).collect(),
            model: MODEL.to_owned(),
        }
    }

    /// Adds the votes of the names in the text.
    fn add_named(&self, tokens: &[Token], scores: &mut [f32]) {
        let says =
            |words: &[&str]| tokens.iter().any(|token| words.contains(&token.word.trim_end_matches('s')));
        let (powered, unpowered, fuelled) = (says(POWERED), says(UNPOWERED), says(FUELLED));
        let mut named = vec![0.0; scores.len()];
        let known = self.lexicon.known(tokens.get(..WORDS_MAX.min(tokens.len())).unwrap_or_default());
        let (mut at, mut loud) = (0, 1.0);
        while at < known.len() {
            let Some((name, end)) = self.lexicon.longest(tokens, &known, at) else {
                at += 1;
                continue;
            };
            let has_plug = self.categories.get(name.category).is_some_and(|(_, eee)| *eee);
            let within = tokens.get(at..end).unwrap_or_default();
            let told =
                |words: &[&str]| within.iter().any(|token| words.contains(&token.word.trim_end_matches('s')));
            let doubted = (powered && !has_plug && !told(POWERED))
                || ((unpowered || fuelled) && has_plug && !told(UNPOWERED) && !told(FUELLED));
            if let Some(score) = named.get_mut(name.category) {
                *score += self.lexicon.rarity(name) * loud * if doubted { 0.2 } else { 1.0 };
            }
            loud *= FADING;
            at = end.max(at + 1);
        }
        let all: f32 = named.iter().sum();
        for (score, named) in scores.iter_mut().zip(named) {
            *score = LINEAR * *score + NAMED * named / (all + DOUBT);
        }
    }
}
