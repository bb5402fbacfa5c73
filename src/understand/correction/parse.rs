//! One walk over a note, in which every word has to be accounted for.

use crate::deposit::{GRAMS_MAX, QUANTITY_MAX};
use crate::session::Language;
use crate::understand::correction::words::{
    ADD, AFTER_COUNT, BY, CATEGORY, DEFINITE, DENIALS, LABELS, REMOVE, REPLACE, SKIPPED, STATEMENTS, UNITS,
};
use crate::understand::correction::{Scene, Value, words_of};
use crate::understand::lines;
use crate::understand::tokens::stem;
use crate::understand::vocabulary::EACH;

/// What a clause speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// This line.
    Line(usize),
    /// One of several, nobody can tell which.
    Several,
    /// A line that is not there.
    Missing,
    /// All of them.
    All,
}

/// What a clause does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Act {
    /// Says how something is.
    #[default]
    Say,
    /// Takes something away.
    Remove,
    /// Brings something more: these words.
    Add(String),
}

/// One thing that is said.
#[derive(Debug, Default)]
pub(super) struct Clause {
    pub(super) act: Act,
    pub(super) targets: Vec<Target>,
    pub(super) values: Vec<Value>,
    /// What it is not: "quatre, pas trois".
    pub(super) was: Vec<Value>,
    /// Whether a line is spoken of by its place, or by an article and its name.
    pub(super) names_line: bool,
}

/// All that a note says.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) clauses: Vec<Clause>,
    /// Whether it says that something is wrong.
    pub(super) denied: bool,
    /// Whether it says what something is.
    pub(super) stated: bool,
    /// Whether it names several things at once: a description.
    pub(super) several_things: bool,
}

pub(super) struct Parser<'a> {
    scene: &'a Scene<'a>,
    at: usize,
    clause: Clause,
    parsed: Parsed,
    /// Whether the next value is what it is not.
    was: bool,
    /// Whether a thing may come without an article.
    expects_thing: bool,
    /// Whether the weight is of each.
    each: bool,
    /// Whether what was read cannot be meant.
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

    /// A verb that takes away, adds or replaces.
    fn command(&mut self, word: &str) -> Option<usize> {
        let scene = self.scene;
        let commands = REMOVE.contains(&word) || ADD.contains(&word) || REPLACE.contains(&word);
        // "Ne pas enlever la deuxième."
        self.failed |= commands && self.was;
        if REMOVE.contains(&word) || self.is_without(word) {
            self.close();
            self.clause.act = Act::Remove;
            let pronoun = matches!(
                scene.word(self.at + 1),
                "la" | "le" | "les" | "ca" | "cela" | "it" | "that" | "them"
            ) && scene.ends(self.at + 1);
            // "Enlève-en deux" takes so many off, "enlève le poids" only that.
            if scene.word(self.at + 1) == "en"
                && let Some((value, used)) = scene.number(self.at + 2)
            {
                self.clause.act = Act::Say;
                self.parsed.stated = true;
                self.value(Value::More(-whole(value)?));
                return Some(2 + used);
            }
            let article = usize::from(DEFINITE.contains(&scene.word(self.at + 1)));
            if matches!(scene.word(self.at + 1 + article), "poids" | "weight") {
                self.clause.act = Act::Say;
                self.value(Value::NoWeight);
                return Some(2 + article);
            }
            return Some(1 + usize::from(pronoun));
        }
        if ADD.contains(&word) {
            self.close();
            return self.add();
        }
        if REPLACE.contains(&word) {
            self.close();
            self.parsed.denied = true;
            self.expects_thing = true;
            return Some(1);
        }
        let replaces = self.expects_thing && self.clause.values.is_empty() && !self.clause.targets.is_empty();
        (replaces && BY.contains(&word)).then_some(1)
    }

    /// "Sans la deuxième", "il n'y a pas de chaises".
    fn is_without(&self, word: &str) -> bool {
        let next = self.at + 1;
        match word {
            "sans" | "without" => self.scene.place(next).is_some() || self.scene.definite(next).is_some(),
            "pas" => {
                let of = matches!(self.scene.word(next), "de" | "d");
                of && self.clause.values.is_empty() && self.scene.named(next + 1).is_some()
            }
            _another => false,
        }
    }

    /// What comes behind "ajoute": so many more, so much more, or other things.
    fn add(&mut self) -> Option<usize> {
        let scene = self.scene;
        let (at, next) = (self.at, self.at + 1);
        if scene.word(next) == "en"
            && let Some((value, used)) = scene.number(next + 1)
        {
            self.value(Value::More(whole(value)?));
            self.parsed.stated = true;
            return Some(2 + used);
        }
        if let Some((value, used)) = scene.number(next) {
            let more = match (scene.word(next + used), scene.word(next + used + 1)) {
                ("more", _) if scene.ends(next + used) => 1,
                ("de", "plus") => 2,
                _none => 0,
            };
            if more > 0 {
                self.value(Value::More(whole(value)?));
                self.parsed.stated = true;
                return Some(1 + used + more);
            }
        }
        if let Some((grams, used)) = scene.weight(next) {
            let of_thing =
                matches!(scene.word(next + used), "de" | "d" | "of") && !scene.ends(next + used - 1);
            let of_line = scene.place(next + used).is_some() || scene.definite(next + used).is_some();
            if !of_thing || of_line {
                self.value(Value::MoreWeight(grams_of(grams)?));
                self.parsed.stated = true;
                return Some(1 + used + self.leading(next + used));
            }
        }
        let commands = |word: &str| REMOVE.contains(&word) || ADD.contains(&word);
        let end =
            (next..scene.tokens.len()).find(|to| commands(scene.word(*to))).unwrap_or(scene.tokens.len());
        let said = scene.text(next, end).trim_matches([',', ' ']);
        let said = said.strip_suffix(" et").or_else(|| said.strip_suffix(" and")).unwrap_or(said);
        self.clause.act = Act::Add(said.to_owned());
        self.close();
        (end > next).then_some(end - at)
    }

    /// "À la deuxième": what leads to a line behind what comes to it.
    fn leading(&self, at: usize) -> usize {
        usize::from(matches!(self.scene.word(at), "a" | "au" | "aux" | "to" | "sur"))
    }

    /// "Non", "plutôt", and what it is not: "pas trois", "au lieu de trois".
    fn denial(&mut self, word: &str) -> Option<usize> {
        let next = self.scene.word(self.at + 1);
        let after = self.scene.word(self.at + 2);
        let (used, was) = match (word, next, after) {
            ("au", "lieu", "de" | "d" | "du") => (3, true),
            ("a", "la", "place") => {
                (3 + usize::from(matches!(self.scene.word(self.at + 3), "de" | "d" | "du")), true)
            }
            ("instead" | "plutot", "of" | "que" | "qu", _) | ("rather", "than", _) => (2, true),
            ("pas" | "not", _, _) => (1, true),
            _another if DENIALS.contains(&word) => (1, false),
            _none => return None,
        };
        // "Enlève pas la deuxième" is no wish to take it away.
        self.failed |= was && self.clause.act == Act::Remove;
        self.parsed.denied = true;
        self.was = was;
        Some(used)
    }

    fn statement(&mut self) -> Option<usize> {
        let used = says_what(self.scene, self.at)?;
        self.parsed.stated = true;
        self.stop_removing();
        Some(used)
    }

    /// What is said now is said of the line that was named last, and that one is not to be taken away.
    fn stop_removing(&mut self) {
        if self.clause.act == Act::Remove {
            let last = if self.clause.targets.len() > 1 { self.clause.targets.pop() } else { None };
            self.close();
            self.clause.names_line = last.is_some();
            self.clause.targets.extend(last);
        }
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

    fn weighed(&mut self) -> Option<usize> {
        let scene = self.scene;
        let (grams, used) = scene.weight(self.at)?;
        let behind = self.at + used;
        let each = (0..3).find(|ahead| {
            EACH.contains(&scene.word(behind + ahead))
                && (0..*ahead)
                    .all(|at| matches!(scene.word(behind + at), "la" | "l" | "par" | "a" | "de" | "pour"))
        });
        let more = matches!(scene.word(behind), "de") && matches!(scene.word(behind + 1), "plus" | "moins");
        if more && !scene.ends(behind) {
            // Nobody says whether that is to be added to what stands there or said again.
            return None;
        }
        let each = each.filter(|_| !scene.ends(behind - 1));
        let value = Value::Weight { grams: grams_of(grams)?, each: self.each || each.is_some() };
        self.each = false;
        self.value(value);
        Some(used + each.map_or(0, |ahead| ahead + 1))
    }

    /// A number that counts what is on the card, or kilos where kilos were asked for.
    fn counted(&mut self) -> Option<usize> {
        let scene = self.scene;
        if EACH.contains(&scene.word(self.at)) && scene.weight(self.at + 1).is_some() {
            self.each = true;
            return Some(1);
        }
        let (thousandths, used) = scene.number(self.at)?;
        let behind = self.at + used;
        let next = scene.word(behind);
        if self.clause.act == Act::Remove {
            return None;
        }
        // "La première fait trois kilos et la deuxième deux."
        let goes_on = self.clause.values.is_empty() && !self.clause.targets.is_empty();
        let before = self.parsed.clauses.last().filter(|_| goes_on);
        let weighs = before.is_some_and(|before| matches!(before.values.as_slice(), [Value::Weight { .. }]));
        let in_kilos =
            weighs || scene.card.part == Some(crate::session::Part::Weight) || thousandths % 1000 != 0;
        let units = usize::from(!scene.ends(behind - 1) && UNITS.contains(&next));
        let them =
            usize::from(!scene.ends(behind - 1) && (next, scene.word(behind + 1)) == ("of", "them")) * 2;
        if !scene.ends(behind - 1) && units + them == 0 {
            let more = match (next, scene.word(behind + 1)) {
                ("de", "plus") => Some((1, 2)),
                ("de", "moins") => Some((-1, 2)),
                ("more", _) => Some((1, 1)),
                ("less" | "fewer", _) => Some((-1, 1)),
                _none => None,
            };
            if let Some((sign, more)) = more {
                self.value(Value::More(sign * whole(thousandths)?));
                return Some(used + more);
            }
            let names_next = scene.place(behind).is_some() || scene.definite(behind).is_some();
            if !AFTER_COUNT.contains(&next) && !names_next {
                return None;
            }
        }
        let value = if in_kilos {
            Value::Weight { grams: grams_of(thousandths)?, each: false }
        } else {
            let count = u32::try_from(whole(thousandths)?).ok();
            Value::Count(Some(count.filter(|count| (1..=QUANTITY_MAX).contains(count))?))
        };
        self.value(value);
        Some(used + units + them)
    }

    /// "C'est du textile", "catégorie déco", "un lot".
    fn category(&mut self) -> Option<usize> {
        let scene = self.scene;
        let lot = usize::from(matches!(scene.word(self.at), "un" | "par" | "en" | "a" | "as" | "le"));
        if scene.word(self.at + lot) == "lot" && scene.ends(self.at + lot) {
            self.parsed.stated |= lot == 1;
            self.value(Value::Count(None));
            return Some(lot + 1);
        }
        let mut led = 0;
        let mut is_announced = false;
        while led < 4 && !scene.ends(self.at + led) {
            let word = scene.word(self.at + led);
            is_announced |= CATEGORY.contains(&word);
            let leads = CATEGORY.contains(&word)
                || matches!(
                    word,
                    "du" | "de" | "la" | "l" | "le" | "les" | "en" | "dans" | "the" | "in" | "d"
                );
            if !leads {
                break;
            }
            led += 1;
        }
        let is_mass = led > 0 && !matches!(scene.word(self.at), "le" | "la" | "l" | "les" | "the");
        let is_english = scene.language == Language::En && (self.parsed.stated || self.parsed.denied);
        if !(is_announced || (is_mass && (self.parsed.stated || self.parsed.denied)) || is_english) {
            return None;
        }
        let (key, used) = scene.category(self.at + led)?;
        if !scene.ends(self.at + led + used - 1) && !AFTER_COUNT.contains(&scene.word(self.at + led + used)) {
            return None;
        }
        self.parsed.stated = true;
        self.value(Value::Category(key));
        Some(led + used)
    }

    /// A thing with what is said of it, as in a description.
    fn thing(&mut self) -> Option<usize> {
        let scene = self.scene;
        let is_said = self.parsed.stated || self.parsed.denied || self.expects_thing || scene.card.is_reply;
        let counted = scene.number(self.at).map(|(_, used)| (used, true));
        let article = counted.or_else(|| scene.article(self.at));
        let (led, any_word) = match article {
            Some(led) => led,
            None if is_said || self.was || self.clause.act == Act::Remove => (0, false),
            None => return None,
        };
        let is_known = (0..3).any(|ahead| {
            scene.classifier.lexicon().longest(scene.tokens, &scene.known, self.at + led + ahead).is_some()
        });
        if !is_known && !any_word {
            return None;
        }
        let end = self.thing_ends();
        let text = scene.text(self.at, end).trim();
        let (mut things, total) = lines::read(text, scene.language, scene.classifier.lexicon());
        if things.len() > 1 || total.is_some() {
            self.parsed.several_things = true;
            return Some(1);
        }
        let said = things.pop()?;
        self.value(Value::Thing(said));
        self.expects_thing = false;
        Some(end - self.at)
    }

    /// Where something else is spoken of than the thing that begins here.
    fn thing_ends(&self) -> usize {
        let scene = self.scene;
        let ends = |at: &usize| {
            let word = scene.word(*at);
            let turns = matches!(word, "pas" | "not" | "instead")
                || (word, scene.word(at + 1)) == ("au", "lieu")
                || (word, scene.word(at + 1), scene.word(at + 2)) == ("a", "la", "place")
                || ((word == "plutot" || word == "rather")
                    && matches!(scene.word(at + 1), "que" | "than" | "qu"));
            let names = scene.begins(*at) || matches!(scene.word(at - 1), "et" | "and");
            turns
                || REMOVE.contains(&word)
                || ADD.contains(&word)
                || (names && (scene.place(*at).is_some() || scene.definite(*at).is_some()))
                || (names && says_what(scene, *at).is_some())
                || (self.was && scene.begins(*at))
        };
        let end = (self.at + 1..scene.tokens.len()).find(ends).unwrap_or(scene.tokens.len());
        let is_joint =
            end < scene.tokens.len() && matches!(scene.word(end - 1), "et" | "and" | "mais" | "but");
        if is_joint { (end - 1).max(self.at + 1) } else { end }
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

    /// Ends what is said of the one, for something else follows.
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

/// How many tokens say that something is so: "c'est", "it's", "mets".
fn says_what(scene: &Scene<'_>, at: usize) -> Option<usize> {
    let says =
        |words: &&&[&str]| words.iter().enumerate().all(|(ahead, word)| scene.word(at + ahead) == *word);
    STATEMENTS.iter().filter(says).map(|words| words.len()).max()
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
    (thousandths % 1000 == 0 && value > 0 && value <= i64::from(QUANTITY_MAX)).then_some(value)
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
