//! The random number generator, injected like the clock, so that one seed repeats a whole simulation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The system's generator, or one that a seed determines. Clones draw from the same sequence.
///
/// Not for secrets.
#[derive(Clone, Debug, Default)]
pub struct Rng(Option<Arc<AtomicU64>>);

impl Rng {
    /// The system's own.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// The same numbers for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(AtomicU64::new(seed))))
    }

    /// Any of 2^64 numbers.
    #[must_use]
    pub fn number(&self) -> u64 {
        let Some(state) = &self.0 else { return rand::random() };
        // SplitMix64 (Steele, Lea, Flood 2014).
        let step = 0x9e37_79b9_7f4a_7c15;
        let mixed = state.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but without, 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub fn fraction(&self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_numbers() {
        let draw = |rng: Rng| (0..4).map(|_| rng.number()).collect::<Vec<_>>();
        assert_eq!(draw(Rng::seeded(7)), draw(Rng::seeded(7)));
        assert_ne!(draw(Rng::seeded(7)), draw(Rng::seeded(8)));
        assert_ne!(draw(Rng::system()), draw(Rng::system()));
        // The first numbers of seed 0 as published.
        assert_eq!(Rng::seeded(0).number(), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn a_fraction_is_between_0_and_1() {
        let rng = Rng::seeded(7);
        assert!((0..1000).map(|_| rng.fraction()).all(|it| (0.0..1.0).contains(&it)));
    }
}
