//! Where a thing goes, if the note says so: the shop, recycling, the tip.

use crate::numbers::number;
use crate::tokens::Token;
use deposit::Destination;
use deposit::Language;

/// Words for the origin of a thing, or for the place where volunteers are.
const CAME: [&str; 9] =
    ["recup", "trouve", "vient", "viens", "provenan", "found", "ramasse", "sorti", "from"];
/// Words that lead to a place.
const LEADING: &[&str] = &[
    "au",
    "a",
    "la",
    "le",
    "l",
    "en",
    "pour",
    "the",
    "to",
    "for",
    "direct",
    "directement",
    "in",
    "aux",
    "les",
    "vers",
    "de",
    "du",
    "section",
    "filiere",
    "mettre",
    "va",
    "part",
    "poubelle",
    "bac",
    "destination",
    "coin",
    "directly",
];

/// The destination that is said at `at`, and how many tokens say it.
pub(super) fn destination(tokens: &[Token], at: usize) -> Option<(Destination, usize)> {
    let word = |index: usize| tokens.get(index).map_or("", |token| token.word.as_str());
    let before = |back: usize| at.checked_sub(back).map_or("", word);
    let led = LEADING.contains(&before(1)) || at == 0 || tokens.get(at - 1).is_some_and(|token| token.stops);
    let stops = tokens.get(at).is_none_or(|token| token.stops);
    let came = (1..=5).any(|back| CAME.iter().any(|start| before(back).starts_with(start)));
    match word(at) {
        "poubelle" if word(at + 1).starts_with("recycl") => Some((Destination::Recyclage, 2)),
        "recyclage" | "recycler" | "recycling" | "recycle" | "recyclables" if !matches!(before(1), "du") => {
            Some((Destination::Recyclage, 1))
        }
        "ferraille" | "ferraillage" | "scrap" | "metaux" if led && (at > 0) => {
            Some((Destination::Recyclage, 1 + usize::from(word(at + 1) == "metal")))
        }
        "pieces" | "parts" if matches!(before(1), "pour" | "for") => Some((Destination::Recyclage, 1)),
        "demonter" | "demantelement" | "desosser" if matches!(before(1), "a" | "au") => {
            Some((Destination::Recyclage, 1))
        }
        "dechetterie" | "decheterie" | "dechet" | "dechets" | "encombrants" | "decharge"
            if (led || stops || figure_follows(tokens, at)) && !came && at > 0 =>
        {
            Some((Destination::Dechetterie, 1))
        }
        "jeter" | "jette" | "bennes" | "tip" | "dump" | "landfill" if !came => {
            Some((Destination::Dechetterie, 1))
        }
        "throw" if matches!(word(at + 2), "away" | "out") => Some((Destination::Dechetterie, 3)),
        "throw" | "thrown" if matches!(word(at + 1), "away" | "out") => Some((Destination::Dechetterie, 2)),
        "poubelle" | "benne" | "bin" | "skip" | "rubbish" | "trash"
            if !came
                && at > 0
                && matches!(before(1), "la" | "a" | "en" | "the" | "direct" | "directement" | "for") =>
        {
            Some((Destination::Dechetterie, 1))
        }
        "magasin" | "boutique" | "rayon" | "shop" | "store" | "vente" | "rayons"
            if matches!(
                before(1),
                "au" | "en" | "le" | "la" | "the" | "direct" | "a" | "directement" | "for"
            ) && !matches!(before(2), "de" | "dans" | "from") =>
        {
            Some((Destination::Magasin, 1))
        }
        "vendre" | "sale" if matches!(before(1), "a" | "for") => Some((Destination::Magasin, 1)),
        _no_destination => None,
    }
}

fn figure_follows(tokens: &[Token], at: usize) -> bool {
    tokens.get(at + 1..).and_then(|rest| number(rest, Language::Fr)).is_some()
}
