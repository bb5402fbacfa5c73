//! How words sound, and how far one is from another.

/// How a French word sounds, roughly: for what a transcriber or a hasty hand made of it.
pub(super) fn sound(word: &str) -> String {
    const SPELT: [(&str, &str); 14] = [
        ("eau", "o"),
        ("au", "o"),
        ("ph", "f"),
        ("qu", "k"),
        ("ai", "e"),
        ("ei", "e"),
        ("ch", "$"),
        ("y", "i"),
        ("c", "k"),
        ("z", "s"),
        ("w", "v"),
        ("h", ""),
        ("ou", "u"),
        ("$", "ch"),
    ];
    let mut sound = word.replace("ce", "se").replace("ci", "si");
    for (spelt, said) in SPELT {
        sound = sound.replace(spelt, said);
    }
    let mut short = String::with_capacity(sound.len());
    for char in sound.chars().filter(|c| c.is_ascii_alphanumeric()) {
        if !short.ends_with(char) {
            short.push(char);
        }
    }
    let said = short.trim_end_matches(['e', 't', 's', 'd']);
    if said.len() < 3 { short } else { said.to_owned() }
}

/// How many letters differ, if no more than `most`.
pub(super) fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        let mut least = left;
        for (above, b) in row.iter_mut().skip(1).zip(other) {
            let here = (corner + usize::from(a != b)).min(left + 1).min(*above + 1);
            corner = *above;
            *above = here;
            left = here;
            least = least.min(here);
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        if least > most {
            return None;
        }
    }
    row.last().copied().filter(|far| *far <= most)
}
