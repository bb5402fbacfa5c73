//! Text as both engines take it.

/// The text with U+FFFD for each NUL: PostgreSQL stores none, and no user types one.
pub(crate) fn storable_text(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}
