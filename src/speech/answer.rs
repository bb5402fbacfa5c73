//! The transcript in a server's answer, read as leniently as servers differ.

use serde::Deserialize;

use crate::remote::Answer;

/// A transcript.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Heard {
    /// All of it.
    pub(super) text: String,
    /// Piece by piece, where the server states how sure it is of each.
    #[serde(default)]
    pub(super) segments: Vec<Segment>,
}

/// A piece of a transcript; a figure that the server does not give counts in favour of the piece.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Segment {
    #[serde(default)]
    pub(super) text: String,
    /// How likely it is that there is no speech.
    #[serde(default)]
    pub(super) no_speech_prob: f64,
    /// How sure the server is of its words, at most 0.
    #[serde(default)]
    pub(super) avg_logprob: f64,
    /// How well the words compress: the same ones again and again compress well.
    #[serde(default)]
    pub(super) compression_ratio: f64,
}

impl Heard {
    /// Reads an answer: JSON with a `text`, or declared plain text. Nothing else: a page of a proxy is no transcript.
    pub(super) fn read(answer: &Answer) -> Option<Self> {
        let body = std::str::from_utf8(&answer.body).ok()?;
        match serde_json::from_str::<serde_json::Value>(body) {
            // Some answer 200 with an error in it.
            Ok(serde_json::Value::Object(members)) => {
                if members.get("error").is_some_and(|error| !error.is_null()) {
                    return None;
                }
                let text = members.get("text")?.as_str()?.to_owned();
                let segments = members.get("segments").cloned().unwrap_or_default();
                Some(Self { text, segments: serde_json::from_value(segments).unwrap_or_default() })
            }
            // Pages and broken JSON call themselves plain text too.
            Ok(_) | Err(_) if answer.is_text && !body.trim_start().starts_with(['<', '{']) => {
                Some(Self { text: body.to_owned(), ..Self::default() })
            }
            Ok(_) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, is_text: bool) -> Option<Heard> {
        Heard::read(&Answer { body: body.as_bytes().to_vec(), is_text })
    }

    #[test]
    fn answers_are_read_as_servers_write_them() {
        assert_eq!(read(r#"{"text":"une chaise"}"#, false).unwrap().text, "une chaise");
        assert_eq!(read("une chaise\n", true).unwrap().text, "une chaise\n");
        let verbose =
            r#"{"task":"transcribe","text":"a","segments":[{"id":0,"text":"a","no_speech_prob":0.5}]}"#;
        assert_eq!(read(verbose, false).unwrap().segments[0].no_speech_prob, 0.5);
        assert_eq!(read(r#"{"text":"a","segments":"odd"}"#, false).unwrap().segments, []);
    }

    #[test]
    fn garbage_is_no_transcript() {
        for body in [
            "",
            "<html>",
            r#"{"text":"une cha"#,
            r#"{"text":7}"#,
            r#"{"error":{"message":"no"},"text":"x"}"#,
            "[]",
        ] {
            assert_eq!(read(body, false), None, "{body}");
        }
        for body in [" <html>", "{\"text\": \"une"] {
            assert_eq!(read(body, true), None, "{body}");
        }
        assert_eq!(Heard::read(&Answer { body: vec![0xff, 0xfe], is_text: true }), None);
    }
}
