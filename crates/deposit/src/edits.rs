//! A draft is edited: a correction, said in words or chosen by buttons, is applied in one place.

use crate::correction::TOLD_MAX;
use crate::{Change, Corrected, Done, Draft, GRAMS_MAX, Line, QUANTITY_MAX, SURE, Weight, WeightSource};

/// How much of an object is told of it, in characters.
const OBJECT_CHARS: usize = 40;

/// Makes the changes that fit the lines as they are; with `seen`, only of lines that are still what they were then.
#[must_use]
pub fn edit(draft: &mut Draft, seen: Option<&[Line]>, changes: &[Change]) -> Corrected {
    let before = draft.lines.clone();
    let fits = |line: usize| {
        let was = before.get(line);
        was.is_some() && seen.is_none_or(|seen| seen.get(line) == was)
    };
    let mut corrected = Corrected::default();
    let mut removed: Vec<usize> = Vec::new();
    for change in changes {
        match change {
            Change::Removed { line } => {
                if !fits(*line) {
                    corrected.outdated = true;
                } else if !removed.contains(line) {
                    removed.push(*line);
                    corrected.tell(Done::Removed { object: told(&before, *line) });
                }
            }
            Change::Added(line) => {
                draft.lines.push(line.clone());
                let object = told(&draft.lines, draft.lines.len() - 1);
                corrected.tell(Done::Added { line: draft.lines.len() - 1, object });
            }
            Change::TotalWeighed(weight) => match weigh_all(draft, *weight) {
                true => corrected.tell(Done::TotalWeighed { grams: weight.grams }),
                false => corrected.outdated = true,
            },
            Change::Renamed { line, .. }
            | Change::Sorted { line, .. }
            | Change::Counted { line, .. }
            | Change::Weighed { line, .. }
            | Change::Sent { line, .. } => {
                if fits(*line) {
                    change_line(draft, *line, change).into_iter().for_each(|done| corrected.tell(done));
                } else {
                    corrected.outdated = true;
                }
            }
        }
    }
    remove(draft, &mut removed, &mut corrected);
    corrected
}

/// Changes one line that is there; `None` if it was so before.
fn change_line(draft: &mut Draft, at: usize, change: &Change) -> Option<Done> {
    let object = told(&draft.lines, at);
    let line = draft.lines.get_mut(at)?;
    match change {
        Change::Renamed { object: name, proposal, .. } => {
            let is_new = line.object != *name || line.category() != &proposal.category;
            line.object.clone_from(name);
            // The guessed weight is that of another thing.
            line.weight = line.weight.filter(|weight| is_said(*weight));
            if proposal.confidence >= SURE {
                line.chosen = Some(proposal.category.clone());
            } else {
                // The category of the new thing is not sure: its owner is asked, as of any other thing.
                (line.proposal, line.chosen) = (proposal.clone(), None);
            }
            is_new.then(|| Done::Renamed { line: at, was: object, object: told(&draft.lines, at) })
        }
        Change::Sorted { category, .. } => {
            let is_new = line.category() != category;
            line.chosen = Some(category.clone());
            is_new.then(|| Done::Sorted { line: at, object, category: category.clone() })
        }
        Change::Counted { quantity, .. } => {
            let quantity = quantity.map(|quantity| quantity.clamp(1, QUANTITY_MAX));
            let was = std::mem::replace(&mut line.quantity, quantity);
            line.weight = line.weight.and_then(|weight| guessed_again(weight, was, quantity));
            (was != quantity).then_some(Done::Counted { line: at, object, was, quantity })
        }
        Change::Weighed { weight, .. } => {
            let weight = weight.map(|weight| Weight { grams: weight.grams.clamp(1, GRAMS_MAX), ..weight });
            let before = std::mem::replace(&mut line.weight, weight);
            let was = before.filter(|weight| is_said(*weight)).map(|weight| weight.grams);
            let grams = weight.map(|weight| weight.grams);
            if was.is_none() {
                take_from_total(draft, grams.unwrap_or_default());
            }
            (before != weight).then_some(Done::Weighed { line: at, object, was, grams })
        }
        Change::Sent { destination, .. } => {
            let was = std::mem::replace(&mut line.destination, *destination);
            let destination = *destination;
            (was != destination).then_some(Done::Sent { line: at, object, destination })
        }
        Change::Removed { .. } | Change::Added(_) | Change::TotalWeighed(_) => None,
    }
}

/// The one weight of the deposit is that of its lines that have none: a line that gets its own is no longer in it.
fn take_from_total(draft: &mut Draft, grams: u32) {
    let rest = draft.total_weight.and_then(|total| {
        let grams = total.grams.checked_sub(grams).filter(|rest| *rest > 0)?;
        Some(Weight { grams, ..total })
    });
    draft.total_weight = rest.filter(|_| draft.lines.iter().any(is_unweighed));
}

/// Whether the weight of all lines together could be noted: it has to leave something for those that have none.
fn weigh_all(draft: &mut Draft, all: Weight) -> bool {
    let said: u32 = draft
        .lines
        .iter()
        .filter(|line| !is_unweighed(line))
        .filter_map(|line| line.weight)
        .fold(0, |sum, weight| sum.saturating_add(weight.grams));
    if draft.lines.len() < 2 {
        let Some(line) = draft.lines.first_mut() else { return false };
        line.weight = Some(all);
        draft.total_weight = None;
        return true;
    }
    let rest = all.grams.min(GRAMS_MAX).checked_sub(said).filter(|rest| *rest > 0);
    let Some(grams) = rest.filter(|_| draft.lines.iter().any(is_unweighed)) else { return false };
    draft.total_weight = Some(Weight { grams, ..all });
    // The guessed weights of the lines are within the known weight of all.
    draft.lines.iter_mut().filter(|line| is_unweighed(line)).for_each(|line| line.weight = None);
    true
}

fn remove(draft: &mut Draft, removed: &mut [usize], corrected: &mut Corrected) {
    removed.sort_unstable();
    for line in removed.iter().rev() {
        draft.lines.remove(*line);
    }
    if !draft.lines.iter().any(is_unweighed) {
        draft.total_weight = None;
    }
    let before = |line: usize| removed.iter().filter(|gone| **gone < line).count();
    for done in &mut corrected.done {
        match done {
            Done::Renamed { line, .. }
            | Done::Sorted { line, .. }
            | Done::Counted { line, .. }
            | Done::Weighed { line, .. }
            | Done::Sent { line, .. }
            | Done::Added { line, .. } => *line -= before(*line),
            Done::Removed { .. } | Done::TotalWeighed { .. } => {}
        }
    }
}

impl Corrected {
    fn tell(&mut self, done: Done) {
        if self.done.len() < TOLD_MAX {
            self.done.push(done);
        } else {
            self.more += 1;
        }
    }
}

/// Whether the weight of the line was never stated.
#[must_use]
pub fn is_unweighed(line: &Line) -> bool {
    !line.weight.is_some_and(is_said)
}

fn is_said(weight: Weight) -> bool {
    match weight.source {
        WeightSource::Weighed | WeightSource::Stated => true,
        WeightSource::Estimated => false,
    }
}

/// A guess is that of so many; a stated weight stands.
fn guessed_again(weight: Weight, was: Option<u32>, quantity: Option<u32>) -> Option<Weight> {
    if is_said(weight) || was == quantity {
        return Some(weight);
    }
    let (was, many) = was.zip(quantity)?;
    let grams = u64::from(weight.grams) * u64::from(many) / u64::from(was.max(1));
    let grams = u32::try_from(grams).ok().filter(|grams| (1..=GRAMS_MAX).contains(grams))?;
    Some(Weight { grams, ..weight })
}

fn told(lines: &[Line], at: usize) -> String {
    lines.get(at).map(|line| line.object.chars().take(OBJECT_CHARS).collect()).unwrap_or_default()
}
