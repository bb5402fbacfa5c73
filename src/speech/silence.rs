//! The no-speech filter: where there is no speech, whisper answers with sentences of its training.
//!
//! Sources: ggml-org/whisper.cpp#2660, openai/whisper `transcribe.py` (the thresholds), and what users report.

use crate::speech::answer::{Heard, Segment};

/// Above this probability of silence, words that the server is not sure of are none (whisper's `no_speech_threshold`).
const NO_SPEECH: f64 = 0.6;
/// Below this the server is not sure of its words (whisper's `logprob_threshold`).
const UNSURE: f64 = -1.0;
/// Above this a piece repeats itself (whisper's `compression_ratio_threshold`).
const REPETITIVE: f64 = 2.4;
/// Above this there is no speech, however sure the server is of its words.
const SILENT: f64 = 0.9;

/// Sentences that are not said at a desk, as plain words.
const INVENTED: &[&str] = &[
    "sous titres realises par",
    "sous titres realises para",
    "sous titrage",
    "sous titres par",
    "sous titres fait par",
    "sous titres faits par",
    "par soustitreur",
    "merci d avoir regarde",
    "merci a tous d avoir regarde",
    "merci de votre attention",
    "n oubliez pas de vous abonner",
    "abonnez vous",
    "a la prochaine video",
    "on se retrouve dans une prochaine video",
    "thanks for watching",
    "thank you for watching",
    "thank you so much for watching",
    "please subscribe",
    "like and subscribe",
    "subtitles by",
    "captions by",
    "transcription by",
    "transcribed by",
    "translated by",
    "copyright",
    "www",
    "http",
];
/// Whole answers to a recording without speech; within others they are words like any.
const ALONE: &[&str] = &[
    "merci",
    "merci beaucoup",
    "au revoir",
    "a bientot",
    "thank you",
    "thank you very much",
    "thanks",
    "bye",
    "bye bye",
    "you",
    "musique",
    "music",
    "applaudissements",
    "applause",
    "rires",
    "silence",
    "blank audio",
    "inaudible",
    "generique",
    "bip",
    "hum",
    "euh",
    "oh",
    "so",
];

/// The words spoken, as one line; empty where there is no speech. `prompt` was sent along: some servers hear it.
pub(super) fn spoken(heard: &Heard, prompt: &str) -> String {
    let dropped = heard.segments.iter().filter(|segment| is_silent(segment)).count();
    let text = if dropped == 0 {
        heard.text.clone()
    } else {
        let spoken = heard.segments.iter().filter(|segment| !is_silent(segment));
        spoken.map(|segment| segment.text.as_str()).collect::<Vec<_>>().join(" ")
    };
    let sentences: Vec<&str> = sentences(&text).filter(|sentence| !is_invented(&plain(sentence))).collect();
    let kept = sentences.concat().split_whitespace().collect::<Vec<_>>().join(" ");
    let words = plain(&kept);
    let is_echo = words.len() > 20 && plain(prompt).contains(&words);
    if words.is_empty() || ALONE.contains(&words.as_str()) || is_echo || is_stuck(&words) {
        return String::new();
    }
    kept
}

fn is_silent(segment: &Segment) -> bool {
    let unsure = segment.no_speech_prob > NO_SPEECH && segment.avg_logprob < UNSURE;
    unsure || segment.no_speech_prob > SILENT || segment.compression_ratio > REPETITIVE
}

fn is_invented(words: &str) -> bool {
    words.contains("amara org") || INVENTED.iter().any(|phrase| words.starts_with(phrase))
}

/// Whether it is one word or two, over and over.
fn is_stuck(words: &str) -> bool {
    let words: Vec<&str> = words.split(' ').collect();
    let mut different = words.clone();
    different.sort_unstable();
    different.dedup();
    words.len() >= 8 && different.len() <= 2
}

/// The sentences of a text, each with its mark; a point between digits ends none.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(['!', '?', '\n', '…'])
        .flat_map(|part| part.split_inclusive(". "))
        .filter(|part| !part.trim().is_empty())
}

/// Lower case, no accents, no signs: words with one blank between them.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        let letter = match letter {
            'à' | 'â' | 'ä' => 'a',
            'é' | 'è' | 'ê' | 'ë' => 'e',
            'î' | 'ï' => 'i',
            'ô' | 'ö' => 'o',
            'ù' | 'û' | 'ü' => 'u',
            'ç' => 'c',
            other => other,
        };
        if letter.is_alphanumeric() {
            plain.push(letter);
        } else if !plain.is_empty() && !plain.ends_with(' ') {
            plain.push(' ');
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: &str = "Deux bouilloires 3 kg, un lot de vaisselle 6 kg au recyclage, meubles, textile.";

    fn of(text: &str) -> String {
        spoken(&Heard { text: text.to_owned(), ..Heard::default() }, PROMPT)
    }

    #[test]
    fn what_whisper_invents_in_silence_is_nothing() {
        for invented in [
            "",
            " \n",
            "...",
            "Sous-titres réalisés par la communauté d'Amara.org",
            "Sous-titres réalisés para la communauté d'Amara.org",
            "Sous-titrage ST' 501",
            "Sous-titrage Société Radio-Canada",
            "Merci d'avoir regardé cette vidéo !",
            "❤️ par SousTitreur.com Merci.",
            "Merci.",
            "[Musique]",
            "(music)",
            "Thanks for watching!",
            "Thank you for watching. Please subscribe.",
            "you",
            "Merci d'avoir regardé. Sous-titres réalisés par la communauté d'Amara.org",
            "oui oui oui oui oui oui oui oui oui",
            "Deux bouilloires 3 kg, un lot de vaisselle 6 kg au recyclage",
        ] {
            assert_eq!(of(invented), "", "{invented}");
        }
    }

    #[test]
    fn what_somebody_says_stays_as_it_is() {
        for said in [
            "trois lampes deux kilos et un lot de vaisselle six kilos",
            "Une chaise. 2,5 kg. Merci.",
            "1.5 kg de livres",
            "un lot de DVD, dont « Merci patron ! »",
            "chaise chaise table",
        ] {
            assert_eq!(of(said), said);
        }
        assert_eq!(of(" une\n chaise "), "une chaise");
        assert_eq!(of("Une chaise. Sous-titres réalisés par la communauté d'Amara.org"), "Une chaise.");
    }

    #[test]
    fn silent_pieces_are_left_out() {
        let piece = |text: &str, no_speech_prob, avg_logprob, compression_ratio| Segment {
            text: text.to_owned(),
            no_speech_prob,
            avg_logprob,
            compression_ratio,
        };
        let heard = |segments: Vec<Segment>| {
            let text = segments.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" ");
            spoken(&Heard { text, segments }, PROMPT)
        };
        let chair = piece(" Une chaise", 0.1, -0.2, 1.0);
        assert_eq!(heard(vec![chair.clone(), piece(" Bonsoir.", 0.8, -1.4, 1.0)]), "Une chaise");
        assert_eq!(heard(vec![piece(" Bonsoir.", 0.8, -0.3, 1.0)]), "Bonsoir.");
        assert_eq!(heard(vec![piece(" Bonsoir.", 0.95, -0.3, 1.0)]), "");
        assert_eq!(heard(vec![chair, piece(" la la la la", 0.1, -0.2, 3.0)]), "Une chaise");
    }
}
