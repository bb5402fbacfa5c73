//! The things that are recognised, and the meaning of a confidence.

use super::*;

fn propose(text: &str) -> Proposal {
    Classifier::train(&Taxonomy::built_in().unwrap()).propose(text)
}

#[test]
fn what_the_names_name_is_recognised_in_a_sentence() {
    let classifier = Classifier::train(&Taxonomy::built_in().unwrap());
    for (text, category) in [
        ("une bouilloire", "small_equipment"),
        ("un carton de livres de poche", "books_media"),
        ("VÉLOS D'ENFANT", "bicycles"),
        ("two wooden chairs", "furniture"),
        ("salut, un vieux frigo qui marche encore", "temperature_exchange"),
        ("lampe de chevet", "small_equipment"),
        ("cafetiaire", "small_equipment"),
        ("imprimente à jet d'encre", "small_it"),
        ("tondeuse thermique Honda", "special_waste"),
        ("sac de couchage", "sports_leisure"),
    ] {
        let proposal = classifier.propose(text);
        assert_eq!(proposal.category, category.into(), "{text}: {proposal:?}");
        assert_eq!(proposal.alternatives.len(), 2);
        assert!(!proposal.alternatives.contains(&proposal.category));
    }
    assert!(classifier.propose("un carton de livres").confidence > 0.7);
}

#[test]
fn what_is_like_nothing_is_proposed_as_the_fallback_without_confidence() {
    for text in ["", "🪑🪑🪑", "42"] {
        let proposal = propose(text);
        assert_eq!((proposal.category, proposal.confidence), ("other".into(), 0.0), "{text}");
    }
    assert!(propose("ящик").confidence < 0.4);
}

#[test]
fn a_confidence_is_a_share_and_the_same_text_gets_the_same_answer() {
    let (one, other) = (propose("table et chaises"), propose("table et chaises"));
    assert_eq!(one, other);
    for text in ["bouilloire", "vaisselle et livres et vélo", &"chaise ".repeat(585)] {
        let confidence = propose(text).confidence;
        assert!((0.0..1.0).contains(&confidence), "{text}: {confidence}");
    }
}
