//! Notes in volunteers' words, and the lines read from them.

use std::sync::LazyLock;

use super::*;
use crate::lexicon::entries;
use deposit::taxonomy::Taxonomy;

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(&entries(&Taxonomy::built_in().unwrap())));

/// The lines of a note, as "2 lampe 3000 recyclage, …", and the weight of all.
fn said(note: &str) -> String {
    let (lines, total) = read(note, Language::Fr, &LEXICON);
    let line = |line: &Said| {
        let quantity = line.quantity.map_or("-".to_owned(), |quantity| quantity.to_string());
        let weight = line.weight.map_or(String::new(), |weight| format!(" {}", weight.grams));
        let destination = match line.destination {
            Destination::Magasin => "",
            elsewhere => &format!(" {}", elsewhere.as_str()),
        };
        format!("{quantity} {}{weight}{destination}", line.object)
    };
    let total = total.map(|total| format!("= {}", total.grams));
    lines.iter().map(line).chain(total).collect::<Vec<_>>().join("; ")
}

fn are_read(notes: &[(&str, &str)]) {
    for (note, expected) in notes {
        assert_eq!(said(note), *expected, "{note}");
    }
}

#[test]
fn object_quantity_and_weight_are_read_in_digits_and_words() {
    are_read(&[
        ("une bouilloire", "1 bouilloire"),
        ("deux bouilloires, 2,5 kg", "2 bouilloires 2500"),
        ("3 chaises 12kg", "3 chaises 12000"),
        ("fauteuil en cuir 800 g", "1 fauteuil en cuir 800"),
        ("deux kilos de vaisselle", "- vaisselle 2000"),
        ("vingt-quatre assiettes pour trois kilos deux", "24 assiettes 3200"),
        ("livres, six kilos cent", "- livres 6100"),
        ("une valise 2 kg 500", "1 valise 2500"),
        ("table basse, un kilo et demi", "1 table basse 1500"),
        ("un demi-kilo de vis", "- vis 500"),
        ("chaises x4, 8 kg", "4 chaises 8000"),
        ("4 x chaises", "4 chaises"),
        ("lampe, un virgule quatre kilo", "1 lampe 1400"),
        ("des jouets", "- jouets"),
        ("assiettes", "- assiettes"),
        ("un machin", "1 machin"),
        ("une table", "1 table"),
        ("vaisselle 12", "- vaisselle 12000"),
        ("99999999999 chaises 99999999999 kg", "9999 chaises 10000000"),
        ("bonjour j'ai 3 lampes", "3 lampes"),
        ("une demi-douzaine de bols", "6 bols"),
    ]);
}

#[test]
fn several_things_become_several_lines() {
    are_read(&[
        (
            "trois lampes deux kilos et un lot de vaisselle six kilos, la vaisselle au recyclage",
            "3 lampes 2000; - lot de vaisselle 6000 recyclage",
        ),
        ("une chaise, une table et deux lampes", "1 chaise; 1 table; 2 lampes"),
        ("table et chaises", "1 table; - chaises"),
        ("une lampe une chaise un vase", "1 lampe; 1 chaise; 1 vase"),
        ("une chaise et une table, dix kilos", "1 chaise; 1 table; = 10000"),
        ("une chaise et une table dix kilos", "1 chaise; 1 table 10000"),
        ("une chaise deux kilos et une table cinq kilos, sept kilos en tout", "1 chaise 2000; 1 table 5000"),
        ("deux lampes deux kilos chacune", "2 lampes 4000"),
        ("casseroles et poêles, cinq kilos", "- casseroles et poêles 5000"),
    ]);
    let many = (0..30).map(|_| "une lampe, ").collect::<String>();
    assert_eq!(read(&many, Language::Fr, &LEXICON).0.len(), LINES_MAX);
}

#[test]
fn containers_do_not_count() {
    are_read(&[
        ("carton de livres 10 kg", "- carton de livres 10000"),
        ("deux sacs de vêtements", "- deux sacs de vêtements"),
        ("un lot de cinq cadres", "5 lot de cadres"),
        ("un sac de couchage", "1 sac de couchage"),
        ("trois valises", "3 valises"),
        ("une paire de skis", "1 skis"),
        ("une paire d'enceintes", "2 enceintes"),
        ("vinyles, une caisse de quinze kilos", "- vinyles 15000"),
        ("service à café douze tasses", "1 service à café douze tasses"),
    ]);
}

#[test]
fn measures_and_models_are_no_figures() {
    are_read(&[
        ("table 6 places", "1 table 6 places"),
        ("télé 32 pouces, 6 kg", "1 télé 32 pouces 6000"),
        ("playstation 2", "1 playstation 2"),
        ("lave-linge 8 kilos", "1 lave-linge"),
        ("un cumulus de deux cents litres, trente kilos", "1 cumulus de deux cents litres 30000"),
        ("une PS4 et une 3DS", "1 PS4; 1 3DS"),
        ("ampoule 60 watts", "1 ampoule 60 watts"),
        ("une commode de 1950", "1 commode de 1950"),
    ]);
}

#[test]
fn the_last_word_wins_and_weighings_add_up() {
    are_read(&[
        ("trois, non quatre chaises", "4 chaises"),
        ("une chaise deux kilos, non trois kilos", "1 chaise 3000"),
        ("une chaise, non, un tabouret", "1 tabouret"),
        ("livres deux kilos plus trois kilos cinq", "- livres 5500"),
        ("vaisselle quinze kilos, tare deux kilos", "- vaisselle 13000"),
        ("huit assiettes creuses, enfin dix, et six plates", "16 assiettes creuses, plates"),
        ("trois lampes dont une cassée", "3 lampes dont une cassée"),
        ("radio-réveils, y'en a trois", "3 radio-réveils"),
    ]);
}

#[test]
fn english_is_read_too() {
    are_read(&[
        ("two kettles, 3 kg", "2 kettles 3000"),
        ("a lamp, 1.25 kilograms", "1 lamp 1250"),
        ("twenty-one plates, two kilos and a half for the tip", "21 plates 2500 dechetterie"),
        ("broken chair for the tip", "1 broken chair dechetterie"),
        ("five, sorry, six garden chairs, scrap metal", "6 garden chairs recyclage"),
    ]);
}

#[test]
fn a_destination_is_taken_where_it_is_said() {
    are_read(&[
        ("un vélo pour le recyclage", "1 vélo recyclage"),
        ("ordinateur pour pièces", "1 ordinateur recyclage"),
        ("un matelas à jeter", "1 matelas dechetterie"),
        ("poubelle à pédale", "1 poubelle à pédale"),
        ("table récupérée à la déchetterie", "1 table récupérée à la déchetterie"),
        ("une lampe et une table, tout à la benne", "1 lampe dechetterie; 1 table dechetterie"),
    ]);
}

#[test]
fn parts_that_go_to_different_places_are_lines_of_their_own() {
    are_read(&[
        ("quatre chaises, trois au magasin et une cassée à jeter", "3 chaises; 1 chaises dechetterie"),
        ("deux télés une en rayon et l'autre au recyclage", "1 télés; 1 télés recyclage"),
        ("cinq vélos, deux pour pièces", "2 vélos recyclage; 3 vélos"),
        (
            "six chairs, four for the shop and two for the tip, ten kilos",
            "4 chairs; 2 chairs dechetterie; = 10000",
        ),
        ("trois lampes, deux au recyclage et une à recycler", "3 lampes recyclage"),
        ("deux lampes, trois au recyclage", "2 lampes 3000 recyclage"),
    ]);
}

#[test]
fn weights_are_summed_spread_and_said_roughly() {
    are_read(&[
        ("trois fois deux kilos de vêtements", "- vêtements 6000"),
        ("une bouilloire kilo deux", "1 bouilloire 1200"),
        ("vaisselle brut 14 kg net 12,5", "- vaisselle 12500"),
        ("jouets 3,4 + 2,6 kg", "- jouets 6000"),
        ("deux sacs de terreau vingt kilos l'un", "- deux sacs de terreau 40000"),
        ("pas loin de six kilos de magazines", "- magazines 6000"),
        ("un buffet quarante kilos à la louche", "1 buffet 40000"),
        (
            "un sac de linge et un sac de livres, six kilos et quatre kilos",
            "- sac de linge 6000; - sac de livres 4000",
        ),
        ("en tout dix kilos pour une valise et un miroir", "1 valise; 1 miroir; = 10000"),
        ("une lampe deux kilos et une chaise cinq kilos donc sept kilos", "1 lampe 2000; 1 chaise 5000"),
        ("Cadres (12) 5kg", "12 Cadres 5000"),
        (
            "un matelas cent quarante sur cent quatre-vingt-dix",
            "1 matelas cent quarante sur cent quatre-vingt-dix",
        ),
    ]);
}

#[test]
fn what_is_no_deposit_has_no_lines() {
    for note in [
        "bonjour",
        "merci beaucoup !",
        "est-ce que vous prenez les matelas ?",
        "test test un deux trois",
        "tu peux me rappeler demain",
        "what time do you close?",
        "",
        "🪑🪑 !\n…",
    ] {
        assert_eq!(read(note, Language::Fr, &LEXICON), (Vec::new(), None), "{note}");
    }
    assert_eq!(said("bonjour, une chaise, merci"), "1 chaise");
    assert_eq!(said("un truc ?"), "1 truc");
}

#[test]
fn a_long_object_is_cut_and_stays_on_one_line() {
    let long = read(&"é".repeat(4096), Language::Fr, &LEXICON).0;
    let object = &long.first().unwrap().object;
    assert_eq!(object.chars().count(), OBJECT_CHARS_MAX);
    assert!(object.ends_with('…'));
    assert_eq!(said("un fauteuil\tvert\u{a0}rouge"), "1 fauteuil vert rouge");
}

/// Whatever the note, the lines read from it can be shown and recorded.
fn is_sound(note: &str) {
    for language in [Language::Fr, Language::En] {
        let (lines, total) = read(note, language, &LEXICON);
        assert!(lines.len() <= LINES_MAX);
        for weight in lines.iter().filter_map(|line| line.weight).chain(total) {
            assert!((1..=10_000_000).contains(&weight.grams), "{note:?}: {weight:?}");
        }
        for line in &lines {
            assert!(
                !line.object.trim().is_empty() && line.object.chars().count() <= OBJECT_CHARS_MAX,
                "{note:?}: {line:?}"
            );
            assert!(!line.object.contains('\n'), "{note:?}: {line:?}");
            assert!(
                line.quantity.is_none_or(|quantity| (1..=9_999).contains(&quantity)),
                "{note:?}: {line:?}"
            );
        }
    }
}

/// Notes of the words that the grammar depends on, in any order.
fn chatter() -> impl proptest::strategy::Strategy<Value = String> {
    const WORDS: [&str; 48] = [
        "un",
        "deux",
        "quatre",
        "vingt",
        "cent",
        "mille",
        "zéro",
        "virgule",
        "demi",
        "et",
        "plus",
        "moins",
        "kilo",
        "kg",
        "grammes",
        "livre",
        "tonne",
        "99999999999",
        "2,5",
        "0",
        "x",
        "lot",
        "carton",
        "de",
        "la",
        "les",
        "chaise",
        "lampes",
        "paire",
        "non",
        "enfin",
        "tout",
        "chacun",
        "net",
        "tare",
        "recyclage",
        "jeter",
        ",",
        ".",
        "(",
        ":",
        "=",
        "dont",
        "avec",
        "litres",
        "neuf",
        "a",
        "dizaine",
    ];
    let words = proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..40);
    proptest::strategy::Strategy::prop_map(words, |words| words.join(" "))
}

proptest::proptest! {
    #[test]
    fn any_note_is_read(note in proptest::prelude::any::<String>()) {
        is_sound(&note);
    }

    #[test]
    fn any_order_of_words_is_read(note in chatter()) {
        is_sound(&note);
    }

    #[test]
    fn the_longest_notes_are_read(piece in chatter(), sign in proptest::char::any()) {
        let note: String = format!("{piece}{sign}").chars().cycle().take(4096).collect();
        is_sound(&note);
    }
}
