//! Verbs and small words for the action: take away, add, replace, deny, state.

use super::{Act, Parser, grams_of, whole};
use crate::correction::words::{ADD, BY, DEFINITE, DENIALS, REMOVE, REPLACE, STATEMENTS};
use crate::correction::{Scene, Value};

impl Parser<'_> {
    /// A verb that takes away, adds or replaces.
    pub(super) fn command(&mut self, word: &str) -> Option<usize> {
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

    /// Reads the words behind "ajoute": so many more, so much more, or other things.
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

    /// "Non", "plutôt", and the denied value: "pas trois", "au lieu de trois".
    pub(super) fn denial(&mut self, word: &str) -> Option<usize> {
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

    pub(super) fn statement(&mut self) -> Option<usize> {
        let used = says_what(self.scene, self.at)?;
        self.parsed.stated = true;
        self.stop_removing();
        Some(used)
    }

    /// The statement that begins here is about the line that was named last, which is not to be taken away.
    pub(super) fn stop_removing(&mut self) {
        if self.clause.act == Act::Remove {
            let last = if self.clause.targets.len() > 1 { self.clause.targets.pop() } else { None };
            self.close();
            self.clause.names_line = last.is_some();
            self.clause.targets.extend(last);
        }
    }
}

/// How many tokens say that something is so: "c'est", "it's", "mets".
pub(super) fn says_what(scene: &Scene<'_>, at: usize) -> Option<usize> {
    let says =
        |words: &&&[&str]| words.iter().enumerate().all(|(ahead, word)| scene.word(at + ahead) == *word);
    STATEMENTS.iter().filter(says).map(|words| words.len()).max()
}
