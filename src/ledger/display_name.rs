//! Names that users chose for themselves, made fit for other users' screens and for exports.

/// The most characters of a name that are stored.
pub const NAME_CHARS_MAX: usize = 64;

/// Removes control characters and marks that turn the writing direction, makes white space single spaces, and cuts the
/// rest to [`NAME_CHARS_MAX`] characters. The result may be empty: always show the numeric id beside it.
///
/// Escaping for HTML or CSV is left to the code that writes these formats.
#[must_use]
pub fn clean_name(name: &str) -> String {
    let visible: String =
        name.chars().filter(|c| c.is_whitespace() || !(c.is_control() || is_direction_mark(*c))).collect();
    let spaced = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = spaced.chars().take(NAME_CHARS_MAX).collect();
    cut.trim_end().to_owned()
}

/// The marks, embeddings, overrides and isolates of Unicode's bidirectional algorithm (UAX #9, table 4).
pub(crate) fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["Zoé Müller-Lefèvre", "محمد", "👩‍👩‍👧 Anne", "<b>&\"", "O'Neill"] {
            assert_eq!(clean_name(name), name);
        }
    }

    #[test]
    fn direction_marks_and_controls_go_and_white_space_is_single() {
        assert_eq!(clean_name("\u{202e}nimda\u{202c}"), "nimda");
        assert_eq!(clean_name("a\u{2066}b\u{2069}c\u{200e}d\u{200f}e\u{61c}f"), "abcdef");
        assert_eq!(clean_name(" Anne\n\t \u{2028}Marie\u{0}\u{7f}\u{9b} "), "Anne Marie");
        assert_eq!(clean_name("\u{200f}\u{202a} \n"), "");
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(clean_name(&"é".repeat(65)), "é".repeat(64));
        assert_eq!(clean_name(&format!("{} b", "a".repeat(63))), "a".repeat(63));
    }
}
