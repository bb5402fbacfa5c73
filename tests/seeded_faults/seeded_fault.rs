//! Which of the seeded faults is switched on, by `SEEDED_FAULT=name`: a module of the copy alone.

use std::sync::LazyLock;

static SEEDED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("SEEDED_FAULT").ok());

/// Whether this fault is switched on.
pub(crate) fn is(name: &str) -> bool {
    SEEDED.as_deref() == Some(name)
}
