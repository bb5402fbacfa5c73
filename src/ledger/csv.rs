//! CSV for any spreadsheet: RFC 4180, and nothing in it that would be run.

use std::borrow::Cow;
use std::io::{self, Write};

/// RFC 4180: fields with a comma, a quote or a line break are quoted, quotes doubled, rows end with CR LF.
pub(super) fn write_row(out: &mut (dyn Write + Send), fields: &[Cow<'_, str>]) -> io::Result<()> {
    let row: Vec<String> = fields
        .iter()
        .map(|field| match field.contains(['"', ',', '\r', '\n', ';', '\t']) {
            true => format!("\"{}\"", field.replace('"', "\"\"")),
            false => field.to_string(),
        })
        .collect();
    write!(out, "{}\r\n", row.join(","))
}

/// Text that a spreadsheet takes for text: an apostrophe leads what looks like a formula (OWASP, CSV injection; the
/// full-width signs count in East Asian versions).
pub(super) fn inert(text: &str) -> Cow<'_, str> {
    const SIGNS: [char; 11] =
        ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    match text.starts_with(SIGNS) || text.trim_start().starts_with(SIGNS) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_led_by_an_apostrophe() {
        for formula in
            ["=1+1", "+33", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u{ff1d}1", "\u{ff20}x"]
        {
            assert_eq!(inert(formula), format!("'{formula}"));
        }
        for text in ["", "lot de vaisselle", "2 bouilloires", "a=b", "'=1"] {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let mut out = Vec::new();
        write_row(&mut out, &["a", "b,c", "say \"hi\"", "two\nlines", ""].map(Cow::Borrowed)).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a,\"b,c\",\"say \"\"hi\"\"\",\"two\nlines\",\r\n");
    }
}
