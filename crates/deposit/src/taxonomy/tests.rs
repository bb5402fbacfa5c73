//! The content that a taxonomy file may have, and every fault of one.

use super::*;

const SMALL: &str = r#"
    schema_version = 1
    id = "small"
    title_fr = "Petit"
    title_en = "Small"
    fallback_key = "chairs"
    unknown = "ignored"
    [[group]]
    key = "home"
    label_fr = "Maison"
    label_en = "Home"
    [[category]]
    key = "chairs"
    group = "home"
    code = "1"
    label_fr = "Chaises"
    label_en = "Chairs"
    colour = "ignored"
"#;

#[test]
fn both_shipped_taxonomies_are_sound() {
    let default = Taxonomy::built_in().unwrap();
    assert_eq!(
        (default.id.as_str(), default.categories.len(), default.groups.len()),
        ("fr-reemploi-22", 22, 6)
    );
    assert_eq!(default.categories.iter().filter(|category| category.eee).count(), 8);
    let home: Vec<_> = default.categories_of("home").map(|category| category.key.0.as_str()).collect();
    assert_eq!(home, ["furniture", "household", "decor", "textiles", "childcare"]);
    assert_eq!(Taxonomy::legacy().unwrap().categories.len(), 11);
}

#[test]
fn a_key_is_found_again_by_its_hash() {
    let taxonomy = Taxonomy::built_in().unwrap();
    assert_eq!(key_hash("furniture"), 0x0a5a_9bb7);
    for category in &taxonomy.categories {
        assert_eq!(taxonomy.category_by_hash(key_hash(&category.key.0)), Some(category));
    }
    for group in &taxonomy.groups {
        assert_eq!(taxonomy.group_by_hash(key_hash(&group.key)), Some(group));
    }
    assert_eq!(taxonomy.category_by_hash(0), None);
}

#[test]
fn a_small_file_with_unknown_keys_is_read_and_a_short_label_defaults_to_the_label() {
    let taxonomy = Taxonomy::parse("small.toml", SMALL).unwrap();
    let chairs = taxonomy.category(&"chairs".into()).unwrap();
    assert_eq!(chairs.short.in_language(Language::Fr), "Chaises");
    assert_eq!(chairs.label.in_language(Language::En), "Chairs");
}

#[test]
fn all_faults_are_listed_at_once() {
    let text = format!(
        "{}{}",
        SMALL
            .replace("fallback_key = \"chairs\"", "fallback_key = \"nowhere\"")
            .replace("title_en", "tilte_en"),
        "[[group]]\nkey = \"home\"\nlabel_fr = \"Vide\"\n\
         [[category]]\nkey = \"chairs\"\ngroup = \"garage\"\nlabel_fr = \"Deux\\nlignes\"\n\
         [[category]]\nkey = \"Été !\"\ngroup = \"home\"\ncode = \"2\"\nlabel_fr = \"Été\"\nlabel_en = \"Summer\"\n",
    );
    let error = Taxonomy::parse("bad.toml", &text).unwrap_err();
    insta::assert_snapshot!(error.faults.join("\n"), @r#"
    the file: title_en is missing
    group "home": label_en is missing
    category "chairs": label_fr holds a line break or a control character
    category "chairs": label_en is missing
    category "chairs": short_fr holds a line break or a control character
    category "chairs": code is missing
    category "Été !": a key is made of a-z, 0-9 and _
    group "home" appears twice
    category "chairs" appears twice
    category "chairs": there is no group "garage"
    fallback_key: there is no category "nowhere"
    "#);
    assert!(error.to_string().starts_with("bad.toml: "));
}

#[test]
fn another_schema_a_broken_file_and_a_missing_one_are_refused_with_a_reason() {
    let newer = SMALL.replace("schema_version = 1", "schema_version = 2");
    let faults = Taxonomy::parse("newer.toml", &newer).unwrap_err().faults;
    assert_eq!(faults, ["schema_version is 2; this release reads 1"]);
    assert!(Taxonomy::parse("broken.toml", "id = ").unwrap_err().to_string().contains("line 1"));
    let missing = Taxonomy::load(Some(Path::new("/nowhere/taxonomy.toml"))).unwrap_err().to_string();
    assert!(missing.starts_with("/nowhere/taxonomy.toml: cannot be read"), "{missing}");
}

#[test]
fn keys_of_equal_hash_are_refused() {
    let [one, other] = ["category_17969", "category_25977"];
    assert_eq!(key_hash(one), key_hash(other));
    let category = |key: &str| {
        format!(
            "[[category]]\nkey = \"{key}\"\ngroup = \"home\"\ncode = \"0\"\nlabel_fr = \"a\"\nlabel_en = \"a\"\n"
        )
    };
    let text = format!("{SMALL}\n{}{}", category(one), category(other));
    let faults = Taxonomy::parse("clash.toml", &text).unwrap_err().faults;
    assert!(matches!(faults.as_slice(), [fault] if fault.contains("its hash equals")), "{faults:?}");
}

#[test]
fn a_taxonomy_has_at_most_a_hundred_categories() {
    let more = |n: usize| {
        format!(
            "[[category]]\nkey = \"c{n}\"\ngroup = \"home\"\ncode = \"{n}\"\nlabel_fr = \"{n}\"\nlabel_en = \"{n}\"\n"
        )
    };
    let fill = |count: usize| format!("{SMALL}\n{}", (0..count).map(more).collect::<String>());
    assert!(Taxonomy::parse("full.toml", &fill(CATEGORIES_MAX - 1)).is_ok());
    let faults = Taxonomy::parse("over.toml", &fill(CATEGORIES_MAX)).unwrap_err().faults;
    assert_eq!(faults, ["there are 101 categories; at most 100 are allowed"]);
}
