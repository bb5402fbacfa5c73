//! Whether a note is no deposit: a question, a greeting, thanks, a trial of the microphone, a message to a colleague.

use crate::tokens::Token;

/// How a question or a request begins, as plain words.
const OPENINGS: &[&str] = &[
    "est ce que",
    "est ce qu",
    "c est quoi",
    "qu est ce",
    "comment",
    "combien",
    "quand",
    "ou est",
    "ou sont",
    "pourquoi",
    "qui ",
    "quel ",
    "quelle ",
    "quels ",
    "quelles ",
    "peux tu",
    "pouvez vous",
    "tu peux",
    "vous pouvez",
    "tu as",
    "vous avez",
    "vous prenez",
    "avez vous",
    "as tu",
    "y a t il",
    "il y a quelqu",
    "what ",
    "where ",
    "how ",
    "when ",
    "who ",
    "can you",
    "can i",
    "could you",
    "do you",
    "is there",
    "are there",
    "does ",
    "are you",
    "are we",
    "on ferme",
    "on ouvre",
    "je reviens",
    "j arrive",
    "je pars",
    "je serai",
    "rappelle",
    "rappelez",
    "appelle",
    "appelez",
    "n oublie",
    "oublie pas",
    "dis a",
    "pense a",
    "pensez a",
    "test ",
    "essai",
    "un deux trois",
    "un deux un deux",
    "one two",
    "allo",
    "je suis",
    "il faut que",
    "il faudrait",
    "faudrait",
    "on se",
    "c est bon",
    "tout est bon",
    "je peux",
    "est il",
    "on peut",
    "on a besoin",
    "il manque",
    "il reste",
    "on va",
    "je vais",
    "let me know",
    "i will",
    "i ll",
    "see you",
    "aide",
    "help",
    "annule",
    "quelqu un",
    "pas de depot",
    "rien ",
    "nothing ",
    "a demain",
    "a tout",
    "a quelle",
    "on fait quoi",
    "on est",
    "le camion",
    "la cle",
    "les cles sont",
    "peut on",
    "j ai rien",
    "j en ai",
    "tu me",
    "tu pourrais",
    "tu veux",
    "vous etes",
    "c est qui",
    "is any",
    "on n a plus",
    "j ai oublie",
    "faut rappeler",
    "faut appeler",
    "faut penser",
    "faut vider",
    "faut demander",
    "faut prevenir",
    "faut qu",
];
/// Words of those who greet and thank.
const POLITE: &[&str] = &[
    "bonjour", "bonsoir", "salut", "coucou", "hello", "hi", "hey", "merci", "thanks", "thank", "you",
    "beaucoup", "ok", "okay", "oui", "non", "yes", "no", "super", "parfait", "d", "accord", "bonne",
    "journee", "soiree", "a", "demain", "bientot", "tout", "le", "monde", "tous", "ca", "va", "test",
    "essai", "micro", "un", "deux", "trois", "one", "two", "three", "allo", "bon", "weekend", "week", "end",
    "bye", "au", "revoir", "good", "morning", "evening", "et", "vous", "toi", "la", "les", "amis", "equipe",
    "pour", "l", "aide", "cool", "c", "est", "note", "bien", "there", "everyone", "de", "rien", "eh", "euh",
    "hum", "ah", "oh", "lol",
];
/// Words in which a volunteer speaks to a colleague, wherever they stand.
const TOLD: &[&str] = &[
    "reunion",
    "planning",
    "rdv",
    "rendez",
    "conges",
    "absent",
    "absente",
    "horaire",
    "horaires",
    "vacances",
    "permanence",
    "pause",
    "reviens",
    "appelle",
    "rappelle",
    "meeting",
    "closed",
    "lunch",
    "prevenez",
    "previens",
    "prevenir",
    "repasse",
    "repassera",
    "reviendra",
    "repassent",
];

/// Whether nothing is brought. A weight is always a deposit.
pub(super) fn is_chat(note: &str, tokens: &[Token], has_weight: bool, names_something: bool) -> bool {
    let words: Vec<&str> = tokens.iter().map(|token| token.word.as_str()).collect();
    let only_polite = words.iter().all(|word| POLITE.contains(word));
    if only_polite
        && words.iter().any(|word| {
            !matches!(
                *word,
                "un" | "deux" | "trois" | "one" | "two" | "three" | "a" | "d" | "le" | "la" | "les"
            )
        })
    {
        return true;
    }
    let greeted = words
        .iter()
        .take_while(|word| {
            matches!(
                **word,
                "bonjour"
                    | "salut"
                    | "coucou"
                    | "hello"
                    | "hi"
                    | "hey"
                    | "bonsoir"
                    | "euh"
                    | "dis"
                    | "dites"
                    | "alors"
                    | "et"
                    | "bon"
                    | "ok"
            )
        })
        .count();
    let spoken = words.get(greeted..).unwrap_or_default().join(" ") + " ";
    let asks = OPENINGS.iter().any(|opening| spoken.starts_with(opening));
    let ends_asking = note.trim_end().ends_with('?');
    let told = words.iter().any(|word| TOLD.contains(word));
    let thanks = words.iter().any(|word| matches!(*word, "merci" | "thanks" | "thank"));
    if has_weight {
        return asks && ends_asking;
    }
    asks || (ends_asking && words.len() > 2) || told || (thanks && !names_something)
}
