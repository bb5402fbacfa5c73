//! A linear model over the words and the pieces of words of a text: trained in a moment, the same each time.

use crate::lexicon::is_function;
use crate::tokens::{plain_letters, stem};

/// How many weights there are for each category; two features that meet in one share it.
const BUCKETS: u16 = 1 << 15;
const EPOCHS: usize = 4;
const RATE: f32 = 1.2;
/// How long the pieces of a word are, in letters; the space around it is one of them.
const PIECES: std::ops::RangeInclusive<usize> = 3..=5;
/// The weight of a feature beside that of a whole word.
const PIECE: f32 = 0.35;
const PAIR: f32 = 0.7;
const HEAD: f32 = 0.7;
/// Words behind the first count less and less: French names the thing first.
const FADING: f32 = 0.85;
const WORDS_MAX: usize = 24;
const LETTERS_MAX: usize = 30;

/// The weights.
#[derive(Debug)]
pub(super) struct Linear {
    categories: usize,
    weights: Vec<f32>,
}

impl Linear {
    /// Learns texts with the place of their category.
    pub(super) fn train(categories: usize, texts: &[(usize, String)]) -> Self {
        let mut model = Self { categories, weights: vec![0.0; usize::from(BUCKETS) * categories] };
        // One piece of memory, which goes back to the system whole.
        let mut all = Vec::new();
        let mut examples = Vec::with_capacity(texts.len());
        for (category, text) in texts {
            let start = all.len();
            add_features(text, &mut all);
            examples.push((*category, start..all.len()));
        }
        shuffle(&mut examples);
        let mut scores = vec![0.0; categories];
        for epoch in 0..EPOCHS {
            let rate = RATE / (1.0 + epoch as f32);
            for (category, range) in &examples {
                let features = all.get(range.clone()).unwrap_or_default();
                model.score(features, &mut scores);
                softmax(&mut scores);
                for (place, score) in scores.iter_mut().enumerate() {
                    *score = rate * (f32::from(u8::from(place == *category)) - *score);
                }
                for (bucket, value) in features {
                    for (weight, step) in model.row_mut(*bucket).iter_mut().zip(&scores) {
                        *weight += value * step;
                    }
                }
            }
        }
        model
    }

    /// How much each category is like the text.
    pub(super) fn scores(&self, text: &str) -> Vec<f32> {
        let mut scores = vec![0.0; self.categories];
        let mut features = Vec::new();
        add_features(text, &mut features);
        self.score(&features, &mut scores);
        scores
    }

    /// How much memory the weights take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.weights.capacity() * size_of::<f32>()
    }

    fn score(&self, features: &[Feature], scores: &mut [f32]) {
        scores.fill(0.0);
        for (bucket, value) in features {
            let row = self.weights.get(usize::from(*bucket) * self.categories..).unwrap_or_default();
            for (score, weight) in scores.iter_mut().zip(row) {
                *score += value * weight;
            }
        }
    }

    fn row_mut(&mut self, bucket: u16) -> &mut [f32] {
        let bucket = usize::from(bucket);
        let row = bucket * self.categories..(bucket + 1) * self.categories;
        self.weights.get_mut(row).unwrap_or_default()
    }
}

/// Scores as shares of one.
pub(super) fn softmax(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - most).exp();
        sum += *score;
    }
    for score in scores.iter_mut() {
        *score /= sum;
    }
}

/// An order that is the same each time and has nothing to do with the file's.
fn shuffle<T>(items: &mut [T]) {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for at in (1..items.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(state >> 33).unwrap_or_default() % (at + 1);
        items.swap(at, other);
    }
}

/// Which weights speak, and how loud.
type Feature = (u16, f32);

/// Adds which weights speak about a text, and how loud; all together have length one.
fn add_features(text: &str, all: &mut Vec<Feature>) {
    let start = all.len();
    let plain = plain_letters(text);
    let is_word = |word: &&str| !is_function(word) && !word.starts_with(|c: char| c.is_ascii_digit());
    let mut before: Option<&str> = None;
    let mut loud = 1.0;
    for word in plain.split_whitespace().filter(is_word).map(stem).take(WORDS_MAX) {
        all.push((bucket('w', "", word), loud));
        if before.is_none() {
            all.push((bucket('h', "", word), HEAD));
        }
        if let Some(before) = before {
            all.push((bucket('p', before, word), PAIR * loud));
        }
        pieces(word, PIECE * loud, all);
        before = Some(word);
        loud *= FADING;
    }
    let features = all.get_mut(start..).unwrap_or_default();
    let length = features.iter().map(|(_, value)| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    for (_, value) in features {
        *value /= length;
    }
}

fn pieces(word: &str, value: f32, features: &mut Vec<Feature>) {
    let padded: String = " ".chars().chain(word.chars().take(LETTERS_MAX)).chain(" ".chars()).collect();
    let starts: Vec<usize> = padded.char_indices().map(|(start, _)| start).chain([padded.len()]).collect();
    for length in PIECES {
        for (start, end) in starts.iter().zip(starts.iter().skip(length)) {
            features.push((bucket('c', "", padded.get(*start..*end).unwrap_or_default()), value));
        }
    }
}

fn bucket(kind: char, before: &str, word: &str) -> u16 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(kind);
    for byte in before.bytes().chain([0]).chain(word.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    u16::try_from(((hash >> 32) ^ (hash & 0xffff_ffff)) % u64::from(BUCKETS)).unwrap_or_default()
}
