//! One walk over a note, in which every word has to be accounted for.

mod commands;
mod values;

use crate::correction::words::{DEFINITE, LABELS, SKIPPED};
use crate::correction::{Scene, Value, words_of};
use crate::tokens::stem;
use deposit::{GRAMS_MAX, QUANTITY_MAX};

/// The lines that a clause is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// This line.
    Line(usize),
    /// One of several, with no way to tell which.
    Several,
    /// A line that is not there.
    Missing,
    /// All of them.
    All,
}

/// The action of a clause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Act {
    /// States how something is.
    #[default]
    Say,
    /// Takes something away.
    Remove,
    /// Brings something more: these words.
    Add(String),
}

/// One statement.
#[derive(Debug, Default)]
pub(super) struct Clause {
    pub(super) act: Act,
    pub(super) targets: Vec<Target>,
    pub(super) values: Vec<Value>,
    /// The values that it denies: "quatre, pas trois".
    pub(super) was: Vec<Value>,
    /// Whether a line is named by its place, or by an article and its name.
    pub(super) names_line: bool,
}

/// All that a note says.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) clauses: Vec<Clause>,
    /// Whether it says that something is wrong.
    pub(super) denied: bool,
    /// Whether it states the nature of something.
    pub(super) stated: bool,
    /// Whether it names several things at once: a description.
    pub(super) several_things: bool,
}

pub(super) struct Parser<'a> {
    scene: &'a Scene<'a>,
    at: usize,
    clause: Clause,
    parsed: Parsed,
    /// Whether the next value is a denied one.
    was: bool,
    /// Whether a thing may come without an article.
    expects_thing: bool,
    /// Whether the weight is of each.
    each: bool,
    /// Whether the statement cannot be meant.
    failed: bool,
}

impl<'a> Parser<'a> {
    pub(super) fn new(scene: &'a Scene<'a>) -> Self {
        let (clause, parsed) = (Clause::default(), Parsed::default());
        Self { scene, at: 0, clause, parsed, was: false, expects_thing: false, each: false, failed: false }
    }

    /// Reads the note to its end; `None` if a word of it is not understood.
    pub(super) fn parse(mut self) -> Option<Parsed> {
        while self.at < self.scene.tokens.len() {
            let used = self.step()?;
            self.at += used.max(1);
            if self.failed {
                return None;
            }
            if self.parsed.several_things {
                break;
            }
        }
        self.close();
        Some(self.parsed)
    }

    fn step(&mut self) -> Option<usize> {
        let scene = self.scene;
        let at = self.at;
        let word = scene.word(at);
        self.command(word)
            .or_else(|| self.denial(word))
            .or_else(|| self.statement())
            .or_else(|| self.all())
            .or_else(|| self.label())
            .or_else(|| self.reference())
            .or_else(|| {
                let (to, used) = scene.sent(at)?;
                self.value(Value::Destination(to));
                Some(used)
            })
            .or_else(|| self.weighed())
            .or_else(|| self.counted())
            .or_else(|| self.category())
            .or_else(|| self.thing())
            .or_else(|| self.skipped(word))
    }

    fn all(&mut self) -> Option<usize> {
        let used = self.scene.all(self.at)?;
        self.clause.targets.push(Target::All);
        Some(used)
    }

    /// A line by its place or its name; with a line and its values behind it, something else is spoken of.
    fn reference(&mut self) -> Option<usize> {
        let scene = self.scene;
        let place = scene.place(self.at);
        let is_place = place.is_some();
        let (target, used) = place.or_else(|| scene.definite(self.at)).or_else(|| self.bare())?;
        let removes_one = self.clause.act == Act::Remove && !is_place && self.is_one_of_several(target);
        let target = if removes_one { Target::Several } else { target };
        if self.was {
            self.was = false;
            if self.clause.targets.is_empty() {
                self.clause.targets.push(target);
            }
            return Some(used);
        }
        let is_full = !self.clause.values.is_empty() && !self.clause.targets.is_empty();
        // "3 kg pour la première" speaks of it afterwards.
        let is_new = !self.clause.values.is_empty() && !is_led_back(scene, self.at);
        if self.clause.act == Act::Say && (is_full || is_new) {
            self.close();
        }
        self.clause.targets.push(target);
        self.clause.names_line = true;
        Some(used)
    }

    /// A line by its bare name: where it is taken away, denied, or followed by a colon or a place.
    fn bare(&self) -> Option<(Target, usize)> {
        let scene = self.scene;
        let (line, used) = scene.named(self.at)?;
        let end = self.at + used;
        let sign = scene.tokens.get(end - 1).map_or(' ', |token| token.sign);
        let is_alone = end == scene.tokens.len();
        let is_called = self.clause.act == Act::Remove
            || self.was
            || (self.parsed.denied && !is_alone)
            || (self.expects_thing && self.clause.targets.is_empty())
            || sign == ':'
            || (self.at == 0 && scene.sent(end).is_some_and(|(_, more)| end + more == scene.tokens.len()))
            || (scene.card.is_reply && !is_alone);
        is_called.then_some((line.map_or(Target::Several, Target::Line), used))
    }

    /// "Enlève la chaise", where there are four: one of them, or all?
    fn is_one_of_several(&self, target: Target) -> bool {
        let Target::Line(line) = target else { return false };
        let is_singular = matches!(self.scene.word(self.at), "la" | "le" | "l" | "the" | "cette" | "ce")
            && self.scene.named(self.at + 1).is_some_and(|(_, used)| {
                let last = self.scene.word(self.at + used);
                stem(last) == last
            });
        is_singular
            && self.scene.card.lines.get(line).is_some_and(|line| line.quantity.is_some_and(|many| many > 1))
    }

    /// "Le poids", "la quantité": what the value says anyway.
    fn label(&mut self) -> Option<usize> {
        let article = usize::from(DEFINITE.contains(&self.scene.word(self.at)));
        let is_last = self.at + article + 1 >= self.scene.tokens.len();
        (LABELS.contains(&self.scene.word(self.at + article)) && !is_last).then_some(article + 1)
    }

    fn skipped(&mut self, word: &str) -> Option<usize> {
        let pronoun =
            matches!(word, "les" | "la" | "le") && matches!(self.scene.word(self.at + 1), "en" | "au");
        let makes = matches!(word, "la" | "le" | "les" | "a")
            && self.parsed.stated
            && self.at > 0
            && self.scene.tokens.get(self.at - 1).is_some_and(|before| before.sign == '-');
        (SKIPPED.contains(&word) || pronoun || makes).then_some(1)
    }

    fn value(&mut self, value: Value) {
        if std::mem::take(&mut self.was) {
            self.clause.was.push(value);
            return;
        }
        if self.clause.act == Act::Remove && !matches!(value, Value::Thing(_)) {
            self.failed |= self.clause.targets.len() < 2;
            self.stop_removing();
        }
        let same = |known: &Value| std::mem::discriminant(known) == std::mem::discriminant(&value);
        if self.clause.values.iter().any(same) && self.clause.act == Act::Say {
            self.close();
        }
        self.clause.values.push(value);
    }

    /// Ends the statement about the one, for another follows.
    fn close(&mut self) {
        let is_empty = self.clause.act == Act::Say
            && self.clause.targets.is_empty()
            && self.clause.values.is_empty()
            && self.clause.was.is_empty();
        let clause = std::mem::take(&mut self.clause);
        let only_names = clause.act == Act::Say && clause.values.is_empty() && clause.was.is_empty();
        match self.parsed.clauses.last_mut() {
            // "Deux kilos, la table."
            Some(before) if only_names && before.act == Act::Say && before.targets.is_empty() => {
                before.names_line |= clause.names_line;
                before.targets = clause.targets;
            }
            _another if !is_empty => self.parsed.clauses.push(clause),
            _nothing => {}
        }
    }
}

/// "Pour la première", "de la 2": the line is said behind what is said of it.
fn is_led_back(scene: &Scene<'_>, at: usize) -> bool {
    let before = at.checked_sub(1).map_or("", |before| scene.word(before));
    matches!(before, "pour" | "for" | "de" | "d" | "of" | "a" | "to" | "sur" | "on")
        || !scene.begins(at) && !matches!(before, "et" | "and" | "mais" | "but" | "puis" | "then")
}

/// Thousandths as a whole number.
fn whole(thousandths: u64) -> Option<i64> {
    let value = i64::try_from(thousandths / 1000).ok()?;
    (thousandths.is_multiple_of(1000) && value > 0 && value <= i64::from(QUANTITY_MAX)).then_some(value)
}

fn grams_of(grams: u64) -> Option<u32> {
    u32::try_from(grams).ok().filter(|grams| (1..=GRAMS_MAX).contains(grams))
}

impl Clause {
    /// The words of the thing that it speaks of, as names are compared.
    pub(super) fn thing_words(&self, scene: &Scene<'_>) -> Option<Vec<super::Word>> {
        self.values.iter().find_map(|value| match value {
            Value::Thing(said) => Some(words_of(&said.object, scene.classifier)),
            Value::Count(_)
            | Value::More(_)
            | Value::Weight { .. }
            | Value::MoreWeight(_)
            | Value::NoWeight
            | Value::Destination(_)
            | Value::Category(_) => None,
        })
    }
}
