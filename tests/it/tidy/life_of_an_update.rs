//! The life of an update in `docs/ARCHITECTURE.md`, held against the source: each stop calls the next one.

use super::source::root;

const STOPS_MAX: usize = 12;

/// A row of the table: a function, its file, and the call by which it leads to the next row.
struct Stop {
    function: String,
    file: String,
    call: String,
}

fn stops() -> Vec<Stop> {
    let document = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let section = document.split("\n## The life of an update\n").nth(1).expect("the section is there");
    let section = section.split("\n## ").next().unwrap();
    let is_stop =
        |line: &&str| line.strip_prefix("| ").is_some_and(|cell| cell.starts_with(char::is_numeric));
    let rows = section.lines().filter(is_stop);
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        Stop { function: cells[2].to_owned(), file: cells[3].to_owned(), call: cells[5].to_owned() }
    })
    .collect()
}

/// The text of a function, as rustfmt lays it out: up to the brace under its first letter.
fn body(file: &str, function: &str) -> Option<String> {
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
    let begins = |line: &&str| {
        let declared = line.split_once(&format!("fn {function}")).map(|(_, rest)| rest);
        declared.is_some_and(|rest| rest.starts_with('(') || rest.starts_with('<')) && !line.ends_with(';')
    };
    let first = text.lines().position(|line| begins(&line))?;
    let line = text.lines().nth(first)?;
    let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
    Some(text.lines().skip(first).take_while(|line| *line != end).collect::<Vec<_>>().join("\n"))
}

#[test]
fn each_stop_of_an_update_calls_the_next_one() {
    let stops = stops();
    assert!((8..=STOPS_MAX).contains(&stops.len()), "{} stops", stops.len());
    for (stop, next) in stops.iter().zip(&stops[1..]) {
        let body = body(&stop.file, &stop.function)
            .unwrap_or_else(|| panic!("{} has no function `{}`", stop.file, stop.function));
        assert!(body.contains(&stop.call), "`{}` does not call `{}`:\n{body}", stop.function, stop.call);
        let called = stop.call.trim_end_matches('(').rsplit(['.', ':']).next().unwrap();
        assert_eq!(called, next.function, "the call leads to the next row");
    }
    let last = stops.last().unwrap();
    assert!(body(&last.file, &last.function).is_some(), "{} has no function `{}`", last.file, last.function);
}
