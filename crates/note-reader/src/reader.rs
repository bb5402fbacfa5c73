//! One walk over a note: which words begin a thing, which numbers count it, which weights are whose.

mod figures;
mod found;
mod measures;
mod shares;
mod things;
mod weighings;

use crate::destinations::destination;
use crate::lexicon::Lexicon;
use crate::numbers::number;
pub(super) use crate::reader::found::{Found, Item, Share};
use crate::tokens::Token;
use crate::vocabulary::{ABOUT, ASIDES, CONTAINERS, CORRECTIONS};
use crate::weights::weight;
use deposit::Destination;
use deposit::Language;

const DEFINITE: &[&str] = &[
    "le", "la", "les", "l", "the", "leur", "leurs", "son", "sa", "ses", "its", "their", "mon", "ma", "mes",
    "my", "ce", "cet", "cette", "ces", "this", "these",
];
const PARTITIVE: &[&str] = &["des", "du", "some", "quelques", "plusieurs", "several"];
const OWNED: &[&str] = &["son", "sa", "ses", "leur", "leurs", "its", "their"];
/// Words that begin a remark behind a comma.
const REMARKS: &[&str] = &[
    "ca",
    "c",
    "il",
    "elle",
    "ils",
    "elles",
    "je",
    "on",
    "it",
    "they",
    "i",
    "personne",
    "faut",
    "apporte",
    "donne",
    "venu",
    "vient",
    "viennent",
    "y",
    "fait",
    "perd",
    "sent",
    "pese",
    "marche",
    "fonctionne",
    "manque",
    "tient",
];

#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) tokens: &'a [Token],
    lexicon: &'a Lexicon,
    known: &'a [Option<u32>],
    language: Language,
    found: Found,
    /// The thing that is spoken of.
    current: usize,
    at: usize,
    /// Whether a new thing may begin here.
    begins: bool,
    /// Whether "avec" or "with" led here.
    with: bool,
    /// Whether the last statement is taken back.
    corrects: bool,
    /// Whether words are said about a thing and count nothing.
    aside: bool,
    /// Whether words are a remark that no label needs.
    mute: bool,
    /// Whether a thing that was named before is spoken of again.
    returned: bool,
    /// Where the last weight ends.
    weighed_up_to: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        tokens: &'a [Token],
        known: &'a [Option<u32>],
        lexicon: &'a Lexicon,
        language: Language,
    ) -> Self {
        Self {
            tokens,
            lexicon,
            known,
            language,
            found: Found::default(),
            current: 0,
            at: 0,
            begins: true,
            with: false,
            corrects: false,
            aside: false,
            mute: false,
            returned: false,
            weighed_up_to: 0,
        }
    }

    pub(super) fn read(mut self) -> Found {
        while self.at < self.tokens.len() {
            let used = self.step().max(1);
            self.at += used;
            if let Some(last) = self.tokens.get(self.at - 1)
                && (last.stops || matches!(last.sign, '+' | '&' | '/'))
            {
                let sign = last.sign;
                self.stop(sign);
                self.aside = sign == '(' && self.has_item();
            }
        }
        self.found
    }

    /// Takes the words that begin here; returns how many tokens it is.
    fn step(&mut self) -> usize {
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        if self.takes_back() {
            self.corrects = true;
            self.begins = true;
            return 1;
        }
        if let Some(used) = self.about() {
            return used;
        }
        if let Some((grams, used)) = weight(rest, self.language) {
            return self.weigh(grams, used);
        }
        if let Some(used) = self.rest_goes() {
            return used;
        }
        if let Some((destination, used)) = destination(self.tokens, self.at) {
            self.send(destination);
            return used;
        }
        if let Some((value, used)) = number(rest, self.language)
            && self.name(self.at).is_none_or(|end| end == self.at + 1)
        {
            return self.number(value, used);
        }
        match self.word(0) {
            "et" | "plus" | "puis" | "ainsi" | "and" | "also" | "ensuite" | "avec" | "with" => {
                self.with = matches!(self.word(0), "avec" | "with") && !self.only_holds();
                self.begins = true;
                1
            }
            word if (ASIDES.contains(&word) || word == "no") && self.has_item() => {
                self.aside = true;
                self.append(1);
                1
            }
            _word => self.words(),
        }
    }

    /// "À peu près", "brut": what is said about a weight before or behind it; how many tokens it takes.
    fn about(&self) -> Option<usize> {
        let figure_follows = |used: usize| {
            let rest = self.tokens.get(self.at + used..).unwrap_or_default();
            weight(rest, self.language).is_some()
                || matches!(self.word(0), "brut" | "brute" | "tare" | "net" | "gross")
                    && number(rest, self.language).is_some()
        };
        if matches!(self.word(0), "brut" | "brute" | "tare" | "net" | "gross") {
            return (self.has_item() && figure_follows(1)).then_some(1);
        }
        let weighed = self.at.checked_sub(1).is_some_and(|last| self.weighed_up_to == last + 1);
        let mut said = String::new();
        for used in 1..=5 {
            let (word, before) = (self.word(used - 1), used > 1);
            said.push_str(if before { "_" } else { "" });
            said.push_str(word);
            if ABOUT.contains(said.as_str()) && (weighed || figure_follows(used)) {
                return Some(used);
            }
            if self.tokens.get(self.at + used - 1).is_none_or(|token| token.stops) {
                break;
            }
        }
        None
    }

    fn stop(&mut self, sign: char) {
        self.begins = true;
        self.with = false;
        self.aside = false;
        self.mute = false;
        self.returned = false;
        if sign == ':'
            && let Some(item) = self.found.items.last_mut().filter(|item| item.weighings.is_empty())
        {
            item.is_heading = true;
        }
    }

    /// The word `ahead` of here.
    fn word(&self, ahead: usize) -> &'a str {
        self.word_at(self.at + ahead)
    }

    fn word_at(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.word.as_str())
    }

    /// The word `back` behind here.
    fn before(&self, back: usize) -> &'a str {
        self.at.checked_sub(back).map_or("", |at| self.word_at(at))
    }

    fn stopped_before(&self) -> bool {
        self.at == 0 || self.tokens.get(self.at - 1).is_none_or(|token| token.stops)
    }

    /// Where the name that begins at `at` ends.
    fn name(&self, at: usize) -> Option<usize> {
        self.lexicon.longest(self.tokens, self.known, at).map(|(_, end)| end)
    }

    fn has_item(&self) -> bool {
        self.found.items.get(self.current).is_some_and(|item| item.named)
    }

    /// "Un carton avec des jouets": whether the last thing is only what the next ones came in, which it is from now on.
    fn only_holds(&mut self) -> bool {
        let words = self.found.items.get(self.current).map_or(&[][..], |item| item.words.as_slice());
        let holds = matches!(words, [at] if CONTAINERS.contains(&self.word_at(*at)));
        if let Some(item) = self.found.items.get_mut(self.current).filter(|_| holds) {
            item.is_heading = true;
        }
        holds
    }

    /// Whether the word here takes back the statement before it.
    fn takes_back(&self) -> bool {
        let word = self.word(0);
        let figure_follows =
            self.tokens.get(self.at + 1..).and_then(|rest| number(rest, self.language)).is_some();
        match word {
            "enfin" => figure_follows && !self.found.items.is_empty(),
            "non" | "no" | "plutot" | "rather" | "actually" | "wait" => {
                let stops = self.tokens.get(self.at).is_none_or(|token| token.stops);
                !self.found.items.is_empty()
                    && (figure_follows || stops || matches!(self.before(1), "euh" | "ou"))
            }
            "dire" | "mean" => self.before(1) == "veux" || self.before(1) == "i",
            word => CORRECTIONS.contains(&word) && !self.found.items.is_empty(),
        }
    }

    fn push(&mut self, tokens: std::ops::Range<usize>) {
        if let Some(item) = self.found.items.get_mut(self.current) {
            item.words.extend(tokens);
        }
    }

    /// Says more about the thing that is spoken of.
    fn append(&mut self, used: usize) {
        let (from, to) = (self.at, self.at + used);
        if let Some(item) = self.found.items.get_mut(self.current) {
            let joined = item.words.last().is_some_and(|last| last + 2 == from)
                && matches!(
                    self.tokens.get(from - 1).map(|token| token.word.as_str()),
                    Some("et" | "and" | "avec" | "with")
                );
            item.words.extend(from - usize::from(joined)..to);
        }
    }

    fn send(&mut self, to: Destination) {
        let all = (1..=5)
            .any(|back| matches!(self.before(back), "tout" | "tous" | "toutes" | "all" | "everything"));
        let after_stop = (1..=4).any(|back| {
            self.at.checked_sub(back + 1).and_then(|at| self.tokens.get(at)).is_some_and(|token| token.stops)
                && self.at.checked_sub(back).is_some_and(|at| {
                    self.found.items.iter().all(|item| {
                        !item.words.contains(&at) || !item.named || item.words.first() != Some(&at)
                    })
                })
        });
        let several = self.found.items.len() > 1;
        let first = self.found.items.iter().all(|item| item.destination.is_none());
        let returned = self.returned || self.current + 1 < self.found.items.len();
        if self.found.items.is_empty() || all {
            self.found.destination = Some(to);
        } else if several && after_stop && first && !returned {
            self.found.items.iter_mut().for_each(|item| item.destination = Some(to));
        } else if let Some(item) = self.found.items.get_mut(self.current) {
            item.destination = Some(to);
        }
    }
}
