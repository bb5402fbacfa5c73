//! Every sentence has its text in both languages and keeps Telegram's limits.

use super::*;
use crate::i18n::I18n;
use crate::ledger::quality::Agreement;
use crate::telegram::views::view::{TEXT_UNITS_MAX, units};
use deposit::CategoryKey;
use note_reader::site::Learned;
use session::Language;

/// 2025-12-03, 12:00 UTC.
const NOW: Timestamp = Timestamp(1_764_763_200_000);
const HOUR: i64 = 3_600_000;
const BOTH: [Language; 2] = [Language::Fr, Language::En];

fn paris() -> TimeZone {
    TimeZone::get("Europe/Paris").unwrap()
}

#[test]
fn every_sentence_has_its_text_and_fits() {
    use Sentence::*;
    let all = [
        Welcome,
        Help,
        MyDeposits,
        Quality,
        Lexicon,
        Forgotten,
        ForgetWhat,
        ForManagers,
        HelpForManagers,
        NothingOpen,
        StillListening,
        NothingToCancel,
        UnknownCommand,
        Unsupported,
        UnsupportedFile,
        EditIgnored,
        Busy,
        Trouble,
        TooLong,
    ];
    let i18n = I18n::new().unwrap();
    for language in BOTH {
        let mut said: Vec<_> = all.map(|one| sentence(i18n.localizer(language), one).text).into();
        assert!(said.iter().all(|text| text.contains(' ') && units(text) < TEXT_UNITS_MAX), "{said:?}");
        said.sort();
        said.dedup();
        assert_eq!(said.len(), all.len());
    }
}

#[test]
fn toasts_are_at_most_200_characters_and_a_tap_that_worked_needs_none() {
    use Toast::*;
    let answers =
        [TapAnswer::Stale, TapAnswer::Recording, TapAnswer::AnotherOpen, TapAnswer::Elsewhere].map(Answered);
    let others = [
        NotYours,
        NotAllowed,
        Undone,
        TooLateToUndo,
        Resumed,
        Gone,
        AccessAsked,
        Decided,
        AlreadyDecided,
        Unavailable,
    ];
    let i18n = I18n::new().unwrap();
    for language in BOTH {
        let localizer = i18n.localizer(language);
        assert_eq!(toast(localizer, Answered(TapAnswer::Done)), None);
        for one in answers.into_iter().chain(others) {
            let text = toast(localizer, one).unwrap();
            assert!(text.contains([' ', '\u{202f}']) && text.chars().count() <= 200, "{text}");
        }
    }
    assert_eq!(toast(i18n.localizer(Language::Fr), NotYours).unwrap(), "Ce dépôt n'est pas le vôtre.");
}

#[test]
fn announcements_have_their_words() {
    use Notification::*;
    let all = [
        AccessPending,
        AccessFull,
        AccessGranted,
        AccessRefused,
        AdminGranted,
        InvitationInvalid,
        TooFast,
        Group,
        ConversationLost,
        PutOff,
    ];
    let i18n = I18n::new().unwrap();
    for (language, one) in BOTH.into_iter().flat_map(|language| all.map(|one| (language, one))) {
        assert!(notification(i18n.localizer(language), one).text.contains(' '));
    }
}

#[test]
fn the_menu_names_what_telegram_accepts() {
    let i18n = I18n::new().unwrap();
    for language in BOTH {
        for command in menu(i18n.localizer(language)) {
            assert!(command.name.chars().all(|c| c.is_ascii_lowercase()), "{command:?}");
            assert!((3..=256).contains(&command.description.chars().count()), "{command:?}");
            let help = sentence(i18n.localizer(language), Sentence::Help).text;
            assert!(
                command.name.starts_with("aide") || command.name == "help" || help.contains(command.name)
            );
        }
    }
}

#[test]
fn the_list_says_what_when_and_how_much() {
    let listed = |number, status, hours: i64, objects: &[&str], grams| Listed {
        number,
        status,
        at: Timestamp(NOW.0 - hours * HOUR),
        objects: objects.iter().map(|object| (*object).to_owned()).collect(),
        grams,
    };
    let deposits = [
        listed(None, Status::PendingValidation, 0, &["chaise"], 0),
        listed(Some(12), Status::Completed, 2, &["bouilloire", "grille-pain", "lampe", "vélo", "ski"], 6_200),
        listed(Some(11), Status::Reversed, 14, &["<b>fauteuil</b>\nvert"], 12_000),
        listed(None, Status::Expired, 24 * 20, &[], 0),
        listed(Some(1), Status::Completed, 24 * 400, &["livres"], 0),
    ];
    let i18n = I18n::new().unwrap();
    insta::assert_snapshot!(my_deposits(i18n.localizer(Language::Fr), &deposits, NOW, &paris()).sketch(), @"
    *📋 Vos 5 derniers dépôts*

    ❔ à valider · aujourd'hui 13:00
    chaise

    ✅ enregistré · n° 12 · aujourd'hui 11:00
    bouilloire, grille-pain, lampe et 2 de plus · 6,2 kg

    ↩ annulé · n° 11 · hier 23:00
    <b>fauteuil</b> vert · 12 kg

    ⌛ expiré · 13 nov., 13:00

    ✅ enregistré · n° 1 · 29 oct. 2024
    livres
    ");
    insta::assert_snapshot!(my_deposits(i18n.localizer(Language::En), &deposits[..2], NOW, &paris()).sketch(), @"
    *📋 Your last 2 deposits*

    ❔ to confirm · today 13:00
    chaise

    ✅ saved · no. 12 · today 11:00
    bouilloire, grille-pain, lampe and 2 more · 6.2 kg
    ");
    assert_eq!(my_deposits(i18n.localizer(Language::En), &[], NOW, &paris()).entities, []);
}

#[test]
fn ten_long_deposits_fit() {
    let long = Listed {
        number: Some(u64::MAX),
        status: Status::ClassificationFailed,
        at: Timestamp(i64::MIN),
        objects: vec!["👨‍👩‍👧".repeat(500); 20],
        grams: u64::from(u32::MAX) * 21,
    };
    let i18n = I18n::new().unwrap();
    let view = my_deposits(i18n.localizer(Language::Fr), &vec![long; 30], NOW, &paris());
    assert!(view.fits());
    assert_eq!(view.text.matches("n°").count(), LISTED_MAX);
}

#[test]
fn quality_names_models_categories_corrections_and_how_sure_the_bot_was() {
    let (i18n, taxonomy) = (I18n::new().unwrap(), deposit::taxonomy::Taxonomy::built_in().unwrap());
    let (small, screens) = (CategoryKey::from("small_equipment"), CategoryKey::from("screens"));
    let mut found = crate::ledger::quality::Quality {
        all: Agreement { lines: 10, right: 8 },
        corrections: [((small.clone(), screens.clone()), 2)].into(),
        ..Default::default()
    };
    found.models.insert("embedded-2".to_owned(), found.all);
    found.categories =
        [(small, Agreement { lines: 8, right: 6 }), (screens, Agreement { lines: 2, right: 2 })].into();
    found.bands = [(deposit::Confidence::VerySure, Agreement { lines: 4, right: 4 })].into();
    let text =
        quality(i18n.localizer(Language::Fr), &taxonomy, &found).text.replace(['\u{a0}', '\u{202f}'], " ");
    for said in [
        "8 justes sur 10 (80 %)",
        "embedded-2 : 8 sur 10",
        "6 sur 8 (75 %)",
        "→",
        "2 fois",
        "4 sur 4 (100 %)",
    ] {
        assert!(text.contains(said), "{said} is not in:\n{text}");
    }
    assert!(!text.contains("2 sur 2"), "{text}");
}

#[test]
fn however_much_was_learned_the_list_fits() {
    let (i18n, taxonomy) = (I18n::new().unwrap(), deposit::taxonomy::Taxonomy::built_in().unwrap());
    let entry = |number: usize| Learned {
        name: format!("{} {number}", "théière".repeat(20)),
        category: "household".into(),
        times: 2,
        against: 0,
    };
    for language in BOTH {
        let text =
            lexicon(i18n.localizer(language), &taxonomy, &(0..500).map(entry).collect::<Vec<_>>()).text;
        assert!(units(&text) <= TEXT_UNITS_MAX, "{}", units(&text));
        assert!(text.contains("470"), "{text}");
    }
}
