//! The quality of an understanding: the lines read of labelled notes against their labels.

mod pairs;
mod shown;

use serde::Deserialize;

use crate::score::pairs::pairs;
use deposit::{Line, Weight, WeightSource};

/// A labelled note; a fact that it does not state is empty.
#[derive(Debug, Deserialize)]
pub struct Labelled {
    /// The note.
    pub text: String,
    /// Its things; none if it is no deposit.
    pub items: Vec<Item>,
    /// One weight for several of them, in kg.
    pub total_weight_kg: Option<f64>,
}

/// A thing of a labelled note.
#[derive(Debug, Deserialize)]
pub struct Item {
    /// The object.
    pub object: String,
    /// How many; `None` for a lot.
    pub quantity: Option<u32>,
    /// The weight of all of them, in kg.
    pub weight_kg: Option<f64>,
    /// Its category.
    pub category: String,
    /// Categories that a careful sorter could defend.
    #[serde(default)]
    pub also_ok: Vec<String>,
    /// The least and the greatest weight that was said.
    pub weight_range: Option<(f64, f64)>,
    /// Where it was said to go.
    pub destination: Option<String>,
}

/// A line as it was read.
#[derive(Clone, Debug)]
pub struct Read {
    /// Its category and the next ones, best first.
    pub categories: Vec<String>,
    /// How likely the first is right.
    pub confidence: f32,
    /// How many.
    pub quantity: Option<u32>,
    /// Its weight in kg.
    pub weight_kg: Option<f64>,
    /// Where it goes.
    pub destination: &'static str,
}

impl Read {
    /// A line as it stands on the card.
    #[must_use]
    pub fn of(line: &Line) -> Self {
        let proposal = &line.proposal;
        let categories = std::iter::once(&proposal.category).chain(&proposal.alternatives);
        Self {
            categories: categories.map(|key| key.0.clone()).collect(),
            confidence: proposal.confidence,
            quantity: line.quantity,
            weight_kg: said(line),
            destination: line.destination.as_str(),
        }
    }
}

/// The weight of a line in kg, where one was stated: a suggestion does not count.
#[must_use]
pub fn said(line: &Line) -> Option<f64> {
    line.weight.filter(|weight| weight.source != WeightSource::Estimated).map(kilograms)
}

/// A weight in kg.
#[must_use]
pub fn kilograms(weight: Weight) -> f64 {
    f64::from(weight.grams) / 1000.0
}

/// So many right of so many.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    right: f64,
    of: f64,
}

/// Right ones among the read and among the labelled.
#[derive(Clone, Copy, Debug, Default)]
struct Overlap {
    right: f64,
    read: f64,
    labelled: f64,
}

/// The scores of all notes so far.
#[derive(Debug, Default)]
pub struct Scores {
    notes: u32,
    whole: Share,
    items: Overlap,
    desk: [Overlap; 2],
    categories: Overlap,
    weights: Overlap,
    totals: Overlap,
    top: [[Share; 2]; 2],
    electrical: Overlap,
    other: Overlap,
    destinations: Share,
    redirected: Overlap,
    chat: Overlap,
    lost: u32,
    sure: [Share; 10],
}

/// How much of a desk's lines are electrical.
const DESK_ELECTRICAL: f64 = 0.16;

impl Share {
    fn add(&mut self, right: bool) {
        self.right += f64::from(u8::from(right));
        self.of += 1.0;
    }

    fn value(self) -> f64 {
        self.right / self.of.max(1.0)
    }
}

impl Overlap {
    fn f1(self) -> f64 {
        2.0 * self.right / (self.read + self.labelled).max(1.0)
    }

    fn precision(self) -> f64 {
        self.right / self.read.max(1.0)
    }

    fn recall(self) -> f64 {
        self.right / self.labelled.max(1.0)
    }

    fn scaled(self, by: f64) -> Self {
        Self { right: self.right * by, read: self.read * by, labelled: self.labelled * by }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            right: self.right + other.right,
            read: self.read + other.read,
            labelled: self.labelled + other.labelled,
        }
    }
}

impl Item {
    fn fits(&self, category: Option<&String>) -> bool {
        category.is_some_and(|category| *category == self.category || self.also_ok.contains(category))
    }

    fn counts(&self, quantity: Option<u32>) -> bool {
        self.quantity.unwrap_or(1) == quantity.unwrap_or(1)
    }

    fn weighs(&self, kilograms: f64) -> bool {
        let near = |said: f64| (said - kilograms).abs() <= (0.1_f64).max(said * 0.1) + 1e-9;
        let within = |(least, most): (f64, f64)| (least..=most).contains(&kilograms);
        self.weight_kg.is_some_and(near) || self.weight_range.is_some_and(within)
    }
}

impl Scores {
    /// Counts one note. `is_electrical` distinguishes the categories.
    pub fn add(
        &mut self,
        note: &Labelled,
        lines: &[Read],
        total_kg: Option<f64>,
        is_electrical: impl Fn(&str) -> bool,
    ) {
        self.notes += 1;
        let paired =
            pairs(note, lines, |item, line| item.fits(line.categories.first()) && item.counts(line.quantity));
        let right = paired.iter().filter(|(_, _, right)| *right).count();
        self.whole.add(right == note.items.len() && lines.len() == note.items.len());
        self.add_items(note, lines, &paired, &is_electrical);
        let by_category = pairs(note, lines, |item, line| item.fits(line.categories.first()));
        self.categories.right += by_category.iter().filter(|(_, _, right)| *right).count() as f64;
        self.categories.read += lines.len() as f64;
        self.categories.labelled += note.items.len() as f64;
        self.add_weights(note, lines, &paired, total_kg);
        self.add_destinations(note, lines, &paired);
        self.chat.read += f64::from(u8::from(lines.is_empty()));
        self.chat.labelled += f64::from(u8::from(note.items.is_empty()));
        self.chat.right += f64::from(u8::from(lines.is_empty() && note.items.is_empty()));
        self.lost += u32::from(lines.is_empty() && !note.items.is_empty());
        if let ([item], Some(line)) = (note.items.as_slice(), lines.first()) {
            let side = usize::from(is_electrical(&item.category));
            let fits =
                |among: usize| line.categories.iter().take(among).any(|category| item.fits(Some(category)));
            if let Some([one, three]) = self.top.get_mut(side) {
                one.add(fits(1));
                three.add(fits(3));
            }
        } else if let [item] = note.items.as_slice()
            && let Some([one, three]) = self.top.get_mut(usize::from(is_electrical(&item.category)))
        {
            one.add(false);
            three.add(false);
        }
    }

    fn add_items(
        &mut self,
        note: &Labelled,
        lines: &[Read],
        pairs: &[(usize, usize, bool)],
        is_electrical: &impl Fn(&str) -> bool,
    ) {
        let sides =
            |category: Option<&String>| usize::from(category.is_some_and(|category| is_electrical(category)));
        for item in &note.items {
            self.items.labelled += 1.0;
            if let Some(desk) = self.desk.get_mut(sides(Some(&item.category))) {
                desk.labelled += 1.0;
            }
        }
        for (place, line) in lines.iter().enumerate() {
            let pair = pairs.iter().find(|(_, read, _)| *read == place);
            let item = pair.and_then(|(item, _, _)| note.items.get(*item));
            let right = pair.is_some_and(|(_, _, right)| *right);
            let category = item.map(|item| &item.category).or(line.categories.first());
            self.items.read += 1.0;
            self.items.right += f64::from(u8::from(right));
            if let Some(desk) = self.desk.get_mut(sides(category)) {
                desk.read += 1.0;
                desk.right += f64::from(u8::from(right));
            }
            if let Some(item) = item {
                let (labelled, read) = (
                    is_electrical(&item.category),
                    line.categories.first().is_some_and(|key| is_electrical(key)),
                );
                let either = item.also_ok.iter().any(|key| is_electrical(key) == read);
                for (side, electrical) in [(&mut self.electrical, true), (&mut self.other, false)] {
                    let labelled = if either { read } else { labelled };
                    side.labelled += f64::from(u8::from(labelled == electrical));
                    side.read += f64::from(u8::from(read == electrical));
                    side.right += f64::from(u8::from(labelled == electrical && read == electrical));
                }
                let bin = (line.confidence * 10.0).clamp(0.0, 9.0);
                if let Some(bin) = self.sure.get_mut(bin as usize) {
                    bin.add(item.fits(line.categories.first()));
                }
            }
        }
    }

    fn add_weights(
        &mut self,
        note: &Labelled,
        lines: &[Read],
        pairs: &[(usize, usize, bool)],
        total_kg: Option<f64>,
    ) {
        self.weights.labelled += note.items.iter().filter(|item| item.weight_kg.is_some()).count() as f64;
        self.weights.read += lines.iter().filter(|line| line.weight_kg.is_some()).count() as f64;
        for (item, line, _) in pairs {
            let (Some(item), Some(line)) = (note.items.get(*item), lines.get(*line)) else { continue };
            let right = line.weight_kg.is_some_and(|kilograms| item.weighs(kilograms));
            self.weights.right += f64::from(u8::from(right));
        }
        let near = |said: f64, read: f64| (said - read).abs() <= (0.1_f64).max(said * 0.1) + 1e-9;
        self.totals.labelled += f64::from(u8::from(note.total_weight_kg.is_some()));
        self.totals.read += f64::from(u8::from(total_kg.is_some()));
        let right = note.total_weight_kg.zip(total_kg).is_some_and(|(said, read)| near(said, read));
        self.totals.right += f64::from(u8::from(right));
    }

    fn add_destinations(&mut self, note: &Labelled, lines: &[Read], pairs: &[(usize, usize, bool)]) {
        for (place, item) in note.items.iter().enumerate() {
            let line =
                pairs.iter().find(|(item, _, _)| *item == place).and_then(|(_, line, _)| lines.get(*line));
            let read = line.map_or("magasin", |line| line.destination);
            let said = item.destination.as_deref().unwrap_or("magasin");
            if item.destination.is_some() {
                self.destinations.add(line.is_some() && read == said);
            }
            self.redirected.labelled += f64::from(u8::from(said != "magasin"));
            self.redirected.read += f64::from(u8::from(read != "magasin"));
            self.redirected.right += f64::from(u8::from(said != "magasin" && said == read));
        }
    }

    /// The item F1 that a desk would see, where fewer lines are electrical than here.
    fn desk_f1(&self) -> f64 {
        let [other, electrical] = self.desk;
        let all = (other.labelled + electrical.labelled).max(1.0);
        let by = |side: Overlap, share: f64| side.scaled(share / (side.labelled / all).max(1e-9));
        by(other, 1.0 - DESK_ELECTRICAL).plus(by(electrical, DESK_ELECTRICAL)).f1()
    }
}
