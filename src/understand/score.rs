//! How good an understanding is: what was read of labelled notes against their labels.

use std::fmt;

use serde::Deserialize;

/// A labelled note; what it does not say is empty.
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
    /// What it is.
    pub object: String,
    /// How many; `None` for a lot.
    pub quantity: Option<u32>,
    /// What all of them weigh, in kg.
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
    /// Counts one note. `is_electrical` tells the categories apart.
    pub fn add(
        &mut self,
        note: &Labelled,
        lines: &[Read],
        total_kg: Option<f64>,
        is_electrical: impl Fn(&str) -> bool,
    ) {
        self.notes += 1;
        let pairs =
            pairs(note, lines, |item, line| item.fits(line.categories.first()) && item.counts(line.quantity));
        let right = pairs.iter().filter(|(_, _, right)| *right).count();
        self.whole.add(right == note.items.len() && lines.len() == note.items.len());
        self.add_items(note, lines, &pairs, &is_electrical);
        let by_category = self::pairs(note, lines, |item, line| item.fits(line.categories.first()));
        self.categories.right += by_category.iter().filter(|(_, _, right)| *right).count() as f64;
        self.categories.read += lines.len() as f64;
        self.categories.labelled += note.items.len() as f64;
        self.add_weights(note, lines, &pairs, total_kg);
        self.add_destinations(note, lines, &pairs);
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

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [[other, other_three], [electrical, electrical_three]] = self.top;
        let both =
            |one: Share, two: Share| Share { right: one.right + two.right, of: one.of + two.of }.value();
        let desk = (1.0 - DESK_ELECTRICAL) * other.value() + DESK_ELECTRICAL * electrical.value();
        writeln!(f, "notes                       {}", self.notes)?;
        writeln!(
            f,
            "single object: top-1        {:.3} (electrical {:.3}, other {:.3}, desk {desk:.3})",
            both(other, electrical),
            electrical.value(),
            other.value()
        )?;
        writeln!(f, "single object: top-3        {:.3}", both(other_three, electrical_three))?;
        writeln!(f, "items: F1                   {:.3} (desk {:.3})", self.items.f1(), self.desk_f1())?;
        writeln!(f, "items: F1 on category       {:.3}", self.categories.f1())?;
        writeln!(f, "weights: F1                 {:.3}", self.weights.f1())?;
        writeln!(f, "totals: F1                  {:.3} of {}", self.totals.f1(), self.totals.labelled)?;
        writeln!(f, "whole notes right           {:.3}", self.whole.value())?;
        writeln!(
            f,
            "not electrical              recall {:.3}, precision {:.3}",
            self.other.recall(),
            self.other.precision()
        )?;
        writeln!(
            f,
            "electrical                  recall {:.3}, precision {:.3}",
            self.electrical.recall(),
            self.electrical.precision()
        )?;
        writeln!(
            f,
            "destination where spoken    {:.3} of {}",
            self.destinations.value(),
            self.destinations.of
        )?;
        writeln!(
            f,
            "redirected                  recall {:.3}, precision {:.3}",
            self.redirected.recall(),
            self.redirected.precision()
        )?;
        writeln!(
            f,
            "no deposit                  recall {:.3}, precision {:.3}, deposits taken for chat {}",
            self.chat.recall(),
            self.chat.precision(),
            self.lost
        )?;
        write!(f, "right by confidence        ")?;
        for (tenth, share) in self.sure.iter().enumerate().filter(|(_, share)| share.of > 0.0) {
            write!(f, " {:.1}: {:.2} of {}", tenth as f64 / 10.0, share.value(), share.of)?;
        }
        let sure = self
            .sure
            .iter()
            .skip(7)
            .fold(Share::default(), |all, bin| Share { right: all.right + bin.right, of: all.of + bin.of });
        write!(f, "\nright where sure            {:.3} of {}", sure.value(), sure.of)
    }
}

/// Pairs items with lines, each at most once, as many right as can be; then the others in order. (item, line, right)
fn pairs(note: &Labelled, lines: &[Read], right: impl Fn(&Item, &Read) -> bool) -> Vec<(usize, usize, bool)> {
    let fits: Vec<Vec<usize>> = note
        .items
        .iter()
        .map(|item| {
            lines.iter().enumerate().filter(|(_, line)| right(item, line)).map(|(place, _)| place).collect()
        })
        .collect();
    let mut taken: Vec<Option<usize>> = vec![None; lines.len()];
    for item in 0..fits.len() {
        place(item, &fits, &mut taken, &mut vec![false; lines.len()]);
    }
    let mut pairs: Vec<_> =
        taken.iter().enumerate().filter_map(|(line, item)| Some(((*item)?, line, true))).collect();
    let free: Vec<_> = (0..fits.len()).filter(|item| !taken.contains(&Some(*item))).collect();
    let idle = taken.iter().enumerate().filter(|(_, item)| item.is_none()).map(|(line, _)| line);
    pairs.extend(free.into_iter().zip(idle).map(|(item, line)| (item, line, false)));
    pairs
}

/// Finds a line for an item, the first free one, or moves others on where that helps.
fn place(item: usize, fits: &[Vec<usize>], taken: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    let is_free = |line: &&usize| taken.get(**line).is_some_and(Option::is_none);
    if let Some(free) =
        fits.get(item).into_iter().flatten().find(is_free).and_then(|line| taken.get_mut(*line))
    {
        *free = Some(item);
        return true;
    }
    for line in fits.get(item).into_iter().flatten() {
        let Some(was_seen) = seen.get_mut(*line) else { continue };
        if std::mem::replace(was_seen, true) {
            continue;
        }
        let other = taken.get(*line).copied().flatten();
        if other.is_none_or(|other| place(other, fits, taken, seen)) {
            if let Some(free) = taken.get_mut(*line) {
                *free = Some(item);
            }
            return true;
        }
    }
    false
}
