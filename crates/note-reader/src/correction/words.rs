//! The words that a correction depends on: plain, without accents.

pub(super) const REMOVE: &[&str] = &[
    "enleve",
    "enlever",
    "enlevez",
    "enleves",
    "supprime",
    "supprimer",
    "supprimez",
    "retire",
    "retirer",
    "retirez",
    "efface",
    "effacer",
    "effacez",
    "vire",
    "virer",
    "virez",
    "ote",
    "oter",
    "otez",
    "remove",
    "delete",
    "drop",
    "erase",
];
pub(super) const ADD: &[&str] =
    &["ajoute", "ajouter", "ajoutez", "ajoutes", "rajoute", "rajouter", "rajoutez", "rajoutes", "add"];
/// Verbs that make something out of something else.
pub(super) const REPLACE: &[&str] =
    &["remplace", "remplacer", "remplacez", "replace", "change", "changer", "changez"];
/// Words between the two.
pub(super) const BY: &[&str] = &["par", "en", "with", "by", "into", "to"];
/// Words that deny something on the card.
pub(super) const DENIALS: &[&str] = &[
    "non",
    "nan",
    "no",
    "plutot",
    "rather",
    "pardon",
    "sorry",
    "actually",
    "oups",
    "oops",
    "erreur",
    "trompe",
    "trompee",
    "corrige",
    "corriger",
    "correction",
    "rectification",
    "finalement",
    "mistake",
];
/// The beginnings of a note whose author surely corrects something.
pub(super) const STRONG: &[&str] = &["non", "nan", "no", "erreur", "correction", "rectification", "corrige"];
/// Words that state the nature of something.
pub(super) const STATEMENTS: &[&[&str]] = &[
    &["c", "est"],
    &["c", "etait"],
    &["ce", "sont"],
    &["ce", "n", "est"],
    &["c", "n", "est"],
    &["y", "en", "a"],
    &["y", "en", "avait"],
    &["it", "s"],
    &["it", "is"],
    &["its"],
    &["they", "re"],
    &["they", "are"],
    &["these", "are"],
    &["those", "are"],
    &["there", "are"],
    &["that", "s"],
    &["make"],
    &["passe"],
    &["mets"],
    &["mettez"],
    &["mettre"],
    &["should", "be"],
    &["je", "voulais", "dire"],
    &["je", "veux", "dire"],
    &["i", "mean"],
    &["i", "meant"],
    &["put"],
    &["set"],
];
/// Words without a meaning of their own. Articles are not here: the words they lead to must be understood.
pub(super) const SKIPPED: &[&str] = &[
    "euh",
    "heu",
    "hum",
    "ben",
    "bah",
    "bon",
    "alors",
    "donc",
    "enfin",
    "ok",
    "okay",
    "oui",
    "stp",
    "svp",
    "s",
    "te",
    "plait",
    "please",
    "attends",
    "attendez",
    "wait",
    "um",
    "uh",
    "well",
    "et",
    "and",
    "mais",
    "but",
    "puis",
    "then",
    "aussi",
    "also",
    "just",
    "juste",
    "only",
    "seulement",
    "que",
    "ne",
    "n",
    "il",
    "elle",
    "ils",
    "elles",
    "y",
    "en",
    "ca",
    "c",
    "ce",
    "cela",
    "est",
    "sont",
    "etait",
    "fait",
    "font",
    "pese",
    "pesent",
    "it",
    "they",
    "them",
    "is",
    "are",
    "was",
    "be",
    "weigh",
    "weighs",
    "va",
    "vont",
    "goes",
    "go",
    "doit",
    "aller",
    "je",
    "j",
    "i",
    "me",
    "suis",
    "de",
    "d",
    "of",
    "pour",
    "for",
    "environ",
    "about",
    "exactement",
    "yes",
    "desole",
    "desolee",
    "to",
    "on",
];
/// Words for a part of a line, before its new value.
pub(super) const LABELS: &[&str] = &["poids", "weight", "quantite", "quantity", "nombre", "destination"];
/// Words that announce the name of a category.
pub(super) const CATEGORY: &[&str] = &["categorie", "category", "famille", "rayon", "classe"];
pub(super) const DEFINITE: &[&str] =
    &["le", "la", "les", "l", "the", "ce", "cet", "cette", "ces", "du", "this", "that", "these", "those"];
pub(super) const INDEFINITE: &[&str] = &["un", "une", "des", "du", "a", "an", "some"];
/// Words for a line in the list.
pub(super) const LINE: &[&str] = &["ligne", "line", "numero", "number", "n", "objet", "item", "article"];
/// Words that may follow the number of a line.
pub(super) const ONE: &[&str] = &["one", "ligne", "line", "objet", "item", "article"];
/// Words for all lines.
pub(super) const ALL: &[&str] = &[
    "tout",
    "tous",
    "toutes",
    "total",
    "totale",
    "ensemble",
    "altogether",
    "overall",
    "all",
    "everything",
    "both",
];
/// Words that may stand before those.
pub(super) const BEFORE_ALL: &[&str] = &["le", "l", "en", "au", "the", "in", "poids", "weight"];
/// Words that may lead to a destination.
pub(super) const LEADING: &[&str] = &[
    "a",
    "au",
    "aux",
    "la",
    "le",
    "l",
    "en",
    "pour",
    "dans",
    "vers",
    "the",
    "to",
    "for",
    "in",
    "direct",
    "directement",
    "destination",
    "au",
    "de",
];
/// Words that may follow a number that counts the things on the card.
pub(super) const AFTER_COUNT: &[&str] = &[
    "pas",
    "not",
    "non",
    "no",
    "au",
    "instead",
    "et",
    "and",
    "seulement",
    "only",
    "pour",
    "for",
    "en",
    "plutot",
    "stp",
    "svp",
    "please",
    "mais",
    "but",
    "de",
    "rather",
];
/// Units in which a thing is counted.
pub(super) const UNITS: &[&str] =
    &["piece", "pieces", "unite", "unites", "exemplaire", "exemplaires", "fois"];

/// The place of an ordinal, from 0; `None` for another word, `usize::MAX` for the last.
pub(super) fn ordinal(word: &str) -> Option<usize> {
    const ORDINALS: [(&str, usize); 32] = [
        ("premier", 0),
        ("premiere", 0),
        ("1er", 0),
        ("1ere", 0),
        ("1re", 0),
        ("first", 0),
        ("1st", 0),
        ("second", 1),
        ("seconde", 1),
        ("2nd", 1),
        ("2nde", 1),
        ("third", 2),
        ("3rd", 2),
        ("fourth", 3),
        ("fifth", 4),
        ("sixth", 5),
        ("seventh", 6),
        ("eighth", 7),
        ("ninth", 8),
        ("tenth", 9),
        ("deux", 1),
        ("trois", 2),
        ("quatr", 3),
        ("cinqu", 4),
        ("six", 5),
        ("sept", 6),
        ("huit", 7),
        ("neuv", 8),
        ("dix", 9),
        ("onz", 10),
        ("douz", 11),
        ("treiz", 12),
    ];
    if matches!(word, "dernier" | "derniere" | "last") {
        return Some(usize::MAX);
    }
    let place = |name: &str| ORDINALS.iter().find(|(known, _)| *known == name).map(|(_, place)| *place);
    let written = |digits: &str| digits.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    if let Some(stem) = word.strip_suffix("ieme") {
        return place(stem);
    }
    let suffixed = ["eme", "th", "ème"].iter().find_map(|suffix| word.strip_suffix(suffix));
    let is_stem = ORDINALS.iter().skip(20).any(|(stem, _)| *stem == word);
    suffixed.and_then(written).or_else(|| place(word).filter(|_| !is_stem))
}
