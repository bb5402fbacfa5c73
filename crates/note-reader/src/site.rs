//! The choices of a site's volunteers: the same name corrected twice the same way is proposed so the third time.

use std::collections::HashMap;

use crate::names::{self, Names};
use deposit::Timestamp;
use deposit::{CategoryKey, Choice, Proposal};

/// The name under which the proposals that a site has learned are kept.
pub const MODEL: &str = "site-1";
/// How many of the last choices for a name are looked at: a site may change its mind.
const LOOKED_AT: usize = 5;
/// How often a category must have been chosen.
const CHOSEN_MIN: usize = 2;

/// The lesson of the choices for one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The name, as it was said last.
    pub name: String,
    /// The category that it is proposed for.
    pub category: CategoryKey,
    /// How many of the last choices were for it.
    pub times: usize,
    /// How many of the last choices were for another one.
    pub against: usize,
}

/// The lessons that a site has learned.
#[derive(Debug, Default)]
pub struct Site {
    names: Names<Learned>,
}

/// The lessons of `choices`, newest first: a name whose last five choices have one category at least twice, and more
/// often than any other. In the order in which the names were chosen last.
///
/// Choices for a name from before it was `forgotten` count no more.
#[must_use]
pub fn learned(choices: &[Choice], forgotten: &[(String, Timestamp)]) -> Vec<Learned> {
    let forgotten: HashMap<_, _> = forgotten.iter().map(|(name, at)| (name.as_str(), *at)).collect();
    let mut names = Vec::<(String, Vec<&CategoryKey>)>::new();
    let mut places = HashMap::<String, usize>::new();
    for Choice { object, category, at } in choices {
        let Some(key) = names::key(object) else { continue };
        if forgotten.get(key.as_str()).is_some_and(|forgotten| at <= forgotten) {
            continue;
        }
        let place = *places.entry(key).or_insert(names.len());
        match names.get_mut(place) {
            Some((_, chosen)) if chosen.len() < LOOKED_AT => chosen.push(category),
            Some(_) => {}
            None => names.push((object.clone(), vec![category])),
        }
    }
    names.into_iter().filter_map(|(name, chosen)| decided(name, &chosen)).collect()
}

fn decided(name: String, chosen: &[&CategoryKey]) -> Option<Learned> {
    let times = |category: &CategoryKey| chosen.iter().filter(|other| **other == category).count();
    let category = *chosen.iter().max_by_key(|category| times(category))?;
    let others = chosen.iter().filter(|other| **other != category);
    let most_of_others = others.map(|other| times(other)).max().unwrap_or(0);
    let times = times(category);
    (times >= CHOSEN_MIN && times > most_of_others).then(|| Learned {
        name,
        category: category.clone(),
        times,
        against: chosen.len() - times,
    })
}

impl Site {
    /// The site that these lessons make.
    #[must_use]
    pub fn new(learned: Vec<Learned>) -> Self {
        let mut names = Names::default();
        for learned in learned {
            let name = learned.name.clone();
            names.add(&name, learned);
        }
        Self { names }
    }

    /// The site's proposal for an object, beside a model's; `named` is how many words the longest name has that
    /// the model's lexicon finds at the beginning of the object, so that a learned "table" does not take a "table à
    /// repasser".
    #[must_use]
    pub(super) fn propose(
        &self,
        object: &str,
        named: impl FnOnce() -> usize,
        proposal: Proposal,
    ) -> Proposal {
        let Some(found) = self.names.find(object).filter(|found| found.is_whole || found.words >= named())
        else {
            return proposal;
        };
        let Learned { category, times, against, .. } = found.value;
        let others = std::iter::once(proposal.category).chain(proposal.alternatives);
        Proposal {
            alternatives: others
                .filter(|other| other != category)
                .take(super::classify::ALTERNATIVES)
                .collect(),
            category: category.clone(),
            confidence: share(*times, *against, found.is_whole),
            model: MODEL.to_owned(),
        }
    }
}

/// Laplace's rule of succession, one success ahead: 0.75 after two choices of two. Of a thing that only begins with the name
/// a little less is believed.
fn share(times: usize, against: usize, is_whole: bool) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "at most five")]
    let share = (times + 1) as f32 / (times + against + 2) as f32;
    if is_whole { share } else { share * 0.95 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lessons of choices that were made at 9, 8, 7, …
    fn choices(chosen: &[(&str, &str)], forgotten: &[(String, Timestamp)]) -> Vec<Learned> {
        let choice = |(at, (object, category)): (i64, &(&str, &str))| Choice {
            object: (*object).to_owned(),
            category: (*category).into(),
            at: Timestamp(at),
        };
        learned(&(1..=9).rev().zip(chosen).map(choice).collect::<Vec<_>>(), forgotten)
    }

    fn entry(name: &str, category: &str, times: usize, against: usize) -> Learned {
        Learned { name: name.to_owned(), category: category.into(), times, against }
    }

    #[test]
    fn the_same_choice_twice_teaches() {
        assert_eq!(choices(&[("théière", "decor")], &[]), []);
        assert_eq!(
            choices(&[("Théières", "decor"), ("lampe", "lamps"), ("une théière", "decor")], &[]),
            [entry("Théières", "decor", 2, 0)]
        );
    }

    #[test]
    fn the_last_five_choices_decide_and_a_draw_teaches_nothing() {
        let (old, new) = (("pot", "garden"), ("pot", "decor"));
        assert_eq!(choices(&[new, new, old, old], &[]), []);
        assert_eq!(choices(&[new, new, new, old, old, old, old, old], &[]), [entry("pot", "decor", 3, 2)]);
    }

    #[test]
    fn what_was_forgotten_can_be_learned_anew() {
        let chosen = [("pot", "garden"); 3];
        let forgotten_at = |at| [("pot".to_owned(), Timestamp(at))];
        assert_eq!(choices(&chosen, &forgotten_at(9)), []);
        assert_eq!(choices(&chosen, &forgotten_at(8)), []);
        assert_eq!(choices(&chosen, &forgotten_at(7)), [entry("pot", "garden", 2, 0)]);
    }

    #[test]
    fn what_is_learned_is_proposed_for_its_name_and_for_what_begins_with_it() {
        let site = Site::new(vec![entry("table", "garden", 2, 0)]);
        let model = Proposal {
            category: "furniture".into(),
            confidence: 0.9,
            alternatives: vec!["garden".into(), "household".into()],
            model: "m".to_owned(),
        };
        let proposed = site.propose("tables", || 1, model.clone());
        assert_eq!((proposed.category.0.as_str(), proposed.model.as_str()), ("garden", MODEL));
        assert!(proposed.confidence >= deposit::SURE, "{proposed:?}");
        assert_eq!(proposed.alternatives, ["furniture".into(), "household".into()]);
        assert_eq!(site.propose("table ronde", || 1, model.clone()).category.0, "garden");
        assert_eq!(site.propose("table à repasser", || 2, model.clone()), model);
        assert_eq!(site.propose("chaise", || 1, model.clone()), model);
    }
}
