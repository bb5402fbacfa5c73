//! Notes as people say them, and what is read from them.

use super::*;

/// Object, quantity, grams and destination of a French note.
fn said(note: &str) -> (String, Option<u32>, Option<u32>, Destination) {
    said_in(Language::Fr, note)
}

fn said_in(language: Language, note: &str) -> (String, Option<u32>, Option<u32>, Destination) {
    let said = read(note, language).unwrap();
    (said.object, said.quantity, said.weight.map(|weight| weight.grams), said.destination)
}

#[test]
fn object_quantity_and_weight_are_read_in_digits_and_words() {
    for (note, object, quantity, grams) in [
        ("une bouilloire", "bouilloire", Some(1), None),
        ("deux bouilloires, 2,5 kg", "bouilloires", Some(2), Some(2_500)),
        ("3 chaises 12kg", "chaises", Some(3), Some(12_000)),
        ("fauteuil en cuir 800 g", "fauteuil en cuir", Some(1), Some(800)),
        ("deux kilos de vaisselle", "vaisselle", None, Some(2_000)),
        ("vingt-quatre assiettes pour trois kilos deux", "assiettes", Some(24), Some(3_200)),
        ("livres, six kilos cent", "livres", None, Some(6_100)),
        ("une valise 2 kg 500", "valise", Some(1), Some(2_500)),
        ("table basse, un kilo et demi", "table basse", Some(1), Some(1_500)),
        ("un demi-kilo de vis", "vis", None, Some(500)),
        ("chaises x4, 8 kg", "chaises", Some(4), Some(8_000)),
        ("carton de livres 10 kg", "carton de livres", None, Some(10_000)),
        ("deux sacs de vêtements", "deux sacs de vêtements", None, None),
        ("des jouets", "des jouets", None, None),
        ("assiettes", "assiettes", None, None),
        ("vis, deux kilos, trois", "vis, trois", Some(1), Some(2_000)),
        ("table 5 kg en bois, verte", "table en bois, verte", Some(1), Some(5_000)),
        ("12 kg", "12 kg", Some(1), Some(12_000)),
        ("🪑 chaise (bois)", "🪑 chaise (bois)", Some(1), None),
        ("table 6 places", "table 6 places", Some(1), None),
        ("bonjour j'ai 3 lampes", "bonjour j'ai 3 lampes", Some(3), None),
        ("99999999999 chaises 99999999999 kg", "99999999999 chaises", None, None),
    ] {
        assert_eq!(said(note), (object.to_owned(), quantity, grams, Destination::Magasin), "{note}");
    }
}

#[test]
fn english_is_read_too() {
    let read = |note| said_in(Language::En, note);
    assert_eq!(read("two kettles, 3 kg"), ("kettles".into(), Some(2), Some(3_000), Destination::Magasin));
    assert_eq!(read("a lamp, 1.25 kilograms").2, Some(1_250));
    assert_eq!(read("twenty-one plates, two kilos and a half for the tip").1, Some(21));
    assert_eq!(read("broken chair for the tip").3, Destination::Dechetterie);
}

#[test]
fn a_destination_is_taken_where_it_is_said() {
    assert_eq!(said("un vélo pour le recyclage").3, Destination::Recyclage);
    assert_eq!(said("ordinateur pour pièces").3, Destination::Recyclage);
    assert_eq!(said("un matelas à jeter").3, Destination::Dechetterie);
    assert_eq!(said("poubelle à pédale").3, Destination::Magasin);
    assert_eq!(said("table récupérée à la déchetterie").3, Destination::Magasin);
}

#[test]
fn a_note_is_never_too_strange() {
    assert_eq!(read("", Language::Fr), None);
    assert_eq!(read("🪑🪑 !\n…", Language::Fr), None);
    let long = said(&"chaise verte ".repeat(315));
    assert_eq!(long.0.chars().count(), OBJECT_CHARS_MAX);
    assert!(long.0.ends_with('…'));
    assert_eq!(said("un fauteuil\nvert\t\trouge").0, "fauteuil vert rouge");
}

proptest::proptest! {
    #[test]
    fn any_note_is_read(note in proptest::prelude::any::<String>()) {
        if let Some(said) = read(&note, Language::Fr) {
            assert!(!said.object.is_empty() && said.object.chars().count() <= OBJECT_CHARS_MAX, "{said:?}");
        }
    }
}
