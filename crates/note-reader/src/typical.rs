//! A weight for a thing that was not weighed: suggested, marked as estimated, never counted as weighed.

use std::sync::LazyLock;

use crate::names::Names;
use deposit::Understanding;
use deposit::{GRAMS_MAX, Line, Weight, WeightSource};

/// Objects with their least, typical and greatest weight in kg; where each figure comes from is its last column.
const FILE: &str = include_str!("typical-weights.csv");

/// The typical weight of one piece, in grams, and the category for which that is true.
static PIECES: LazyLock<Names<(u32, &str)>> = LazyLock::new(|| {
    let mut names = Names::default();
    for row in FILE.lines().skip(1) {
        let columns: Vec<_> = row.split(',').collect();
        let [french, english, category, _least, typical, ..] = columns.as_slice() else { continue };
        let Some(grams) = grams(typical) else { continue };
        for name in [french, english].into_iter().flat_map(|names| names.split('/')) {
            names.add(name, (grams, *category));
        }
    }
    names
});

/// Suggests a weight for each counted line that has none and whose object is known, unless one weight was said for all.
pub fn suggest(found: &mut Understanding) {
    if found.total_weight.is_some() {
        return;
    }
    for line in found.lines.iter_mut().filter(|line| line.weight.is_none()) {
        line.weight = suggested(line);
    }
}

/// The typical weight of the things of a line; `None` for a lot, and for things without a typical weight.
#[must_use]
pub fn suggested(line: &Line) -> Option<Weight> {
    let (each, category) = PIECES.find(&line.object)?.value;
    // A "table à repasser" begins like a table, and belongs elsewhere.
    if line.category().0 != *category {
        return None;
    }
    let grams = each.checked_mul(line.quantity?).filter(|grams| (1..=GRAMS_MAX).contains(grams))?;
    Some(Weight { grams, source: WeightSource::Estimated })
}

fn grams(kilograms: &str) -> Option<u32> {
    let (whole, fraction) = kilograms.split_once('.').unwrap_or((kilograms, ""));
    format!("{whole}{fraction:0<3.3}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(object: &str, quantity: Option<u32>) -> Line {
        sorted(object, quantity, "temperature_exchange")
    }

    fn sorted(object: &str, quantity: Option<u32>, category: &str) -> Line {
        Line {
            object: object.to_owned(),
            quantity,
            weight: None,
            destination: deposit::Destination::Magasin,
            proposal: deposit::Proposal {
                category: category.into(),
                confidence: 0.5,
                alternatives: Vec::new(),
                model: "m".to_owned(),
            },
            chosen: None,
        }
    }

    #[test]
    fn every_row_of_the_file_is_read() {
        for row in FILE.lines().skip(1) {
            let columns: Vec<_> = row.split(',').collect();
            let name = columns[0].split('/').next().unwrap();
            assert!(suggested(&sorted(name, Some(1), columns[2])).is_some(), "{row}");
        }
    }

    #[test]
    fn pieces_are_multiplied_and_what_is_unknown_stays_unknown() {
        let kilograms = |object, quantity| suggested(&line(object, quantity)).map(|weight| weight.grams);
        assert_eq!(kilograms("réfrigérateurs", Some(2)), Some(90_000));
        assert_eq!(kilograms("réfrigérateur américain", Some(1)), Some(115_000));
        assert_eq!(kilograms("réfrigérateur", None), None);
        assert_eq!(kilograms("réfrigérateur", Some(u32::MAX)), None);
        assert_eq!(kilograms("zorglub", Some(1)), None);
        assert_eq!(suggested(&sorted("réfrigérateur", Some(1), "decor")), None);
    }

    #[test]
    fn only_what_nobody_weighed_is_suggested() {
        let weighed = Weight { grams: 5, source: WeightSource::Stated };
        let mut found = Understanding {
            lines: vec![
                line("réfrigérateur", Some(1)),
                Line { weight: Some(weighed), ..line("réfrigérateur", Some(1)) },
            ],
            total_weight: None,
        };
        let mut whole = Understanding { total_weight: Some(weighed), ..found.clone() };
        suggest(&mut found);
        suggest(&mut whole);
        assert_eq!(found.lines[0].weight, Some(Weight { grams: 45_000, source: WeightSource::Estimated }));
        assert_eq!(found.lines[1].weight, Some(weighed));
        assert_eq!(whole.lines[0].weight, None);
    }
}
