//! The export: every deposit once, each text as it was said, nothing a spreadsheet would run.

use deposit::{BotId, Draft, Status};
use depot_bot::ledger::export::{Format, Revisions, write_deposits};
use depot_bot::ledger::{Reversal, UndoRight};
use serde_json::{Value, json};

use crate::ledger::{ANNE, BOT, Ground, TAXONOMY, WINDOW, draft, leaving, line, on_both_engines, owner};

on_both_engines!(
    a_deposit_becomes_one_object,
    hostile_texts_come_back_as_they_went_in,
    a_long_ledger_is_written_page_by_page,
    all_revisions_or_the_latest,
);

async fn export(ground: &Ground, bot: Option<BotId>, format: Format, revisions: Revisions) -> (u64, String) {
    let mut out = Vec::new();
    let written = write_deposits(&ground.database, bot, format, revisions, &mut out).await.unwrap();
    (written, String::from_utf8(out).unwrap())
}

async fn objects(ground: &Ground, revisions: Revisions) -> Vec<Value> {
    let (written, text) = export(ground, Some(BOT), Format::Jsonl, revisions).await;
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len() as u64, written);
    objects
}

/// Reads RFC 4180, as strictly as it is written.
fn parse_csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut rest) = (false, text.chars().peekable());
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted => {
                assert_eq!(rest.next(), Some('\n'));
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            c => field.push(c),
        }
    }
    assert!(row.is_empty() && field.is_empty() && !quoted);
    rows
}

async fn a_deposit_becomes_one_object(ground: &Ground) {
    ground.tables.ledger.record(&leaving(draft(1), Status::Completed), &owner(ANNE), TAXONOMY).await.unwrap();
    let expected = json!({
        "id": draft(1).id.to_string(), "revision": 0, "number": 1, "status": "completed", "by": 7,
        "at": "2025-12-03T12:00:00.000Z", "opened_at": "2025-12-03T12:00:00.000Z", "taxonomy": TAXONOMY,
        "lines": [
            {"object": "bouilloire", "quantity": 2, "weight_kg": 2.345, "weight_source": "stated",
             "destination": "recyclage", "category": "small_appliance", "proposed": "small_appliance",
             "confidence": 0.7, "chosen": null, "corrected": false},
            {"object": "lot", "quantity": 2, "weight_kg": null, "weight_source": "none",
             "destination": "recyclage", "category": "kitchenware", "proposed": "small_appliance",
             "confidence": 0.7, "chosen": "kitchenware", "corrected": true},
        ],
        "total_weight_kg": 6.0, "total_weight_source": "weighed",
    });
    assert_eq!(objects(ground, Revisions::Latest).await, [expected]);

    let (_, csv) = export(ground, Some(BOT), Format::Csv, Revisions::Latest).await;
    let rows = parse_csv(&csv);
    let id = draft(1).id.to_string();
    let deposit =
        [id.as_str(), "0", "1", "completed", "7", "2025-12-03T12:00:00.000Z", "2025-12-03T12:00:00.000Z"];
    let first = [
        TAXONOMY,
        "1",
        "bouilloire",
        "2",
        "2.345",
        "stated",
        "recyclage",
        "small_appliance",
        "small_appliance",
        "0.7",
        "false",
        "6",
    ];
    let second = [
        TAXONOMY,
        "2",
        "lot",
        "2",
        "",
        "none",
        "recyclage",
        "kitchenware",
        "small_appliance",
        "0.7",
        "true",
        "",
    ];
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0][..3], ["id", "revision", "number"]);
    assert_eq!(rows[1], [&deposit[..], &first[..]].concat());
    assert_eq!(rows[2], [&deposit[..], &second[..]].concat());
}

async fn hostile_texts_come_back_as_they_went_in(ground: &Ground) {
    let texts = [
        "<b>&amp;</b>",
        "🫖 👩‍👩‍👧",
        "say \"hi\", twice",
        "two\nlines\r\nand more",
        "=HYPERLINK(\"x\")",
        "+33",
        "-2",
        "@SUM",
        "\tx",
        "\rx",
        "\u{ff1d}1",
        ";', drop table deposits; --",
        "",
        "\u{2028}",
        "\\\"",
    ];
    let hostile = Draft { lines: texts.map(line).to_vec(), ..draft(1) };
    ground.tables.ledger.record(&leaving(hostile, Status::Completed), &owner(ANNE), TAXONOMY).await.unwrap();
    let empty = Draft { lines: Vec::new(), total_weight: None, ..draft(2) };
    ground.tables.ledger.record(&leaving(empty, Status::Cancelled), &owner(ANNE), TAXONOMY).await.unwrap();

    let written = objects(ground, Revisions::Latest).await;
    let said: Vec<_> = written[0]["lines"].as_array().unwrap().iter().map(|line| &line["object"]).collect();
    assert_eq!(said, texts);
    assert_eq!((&written[1]["lines"], &written[1]["number"]), (&json!([]), &Value::Null));

    let (_, csv) = export(ground, Some(BOT), Format::Csv, Revisions::Latest).await;
    let rows = parse_csv(&csv);
    assert_eq!(rows.len(), 1 + texts.len() + 1);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    for (row, text) in rows[1..].iter().zip(texts) {
        let guarded = row[9].strip_prefix('\'').unwrap_or(&row[9]);
        assert_eq!(guarded, text);
        assert!(!row[9].starts_with(['=', '+', '-', '@', '\t', '\r', '\u{ff1d}']), "{text:?}");
    }
    assert_eq!(rows.last().unwrap()[3], "cancelled");
}

async fn a_long_ledger_is_written_page_by_page(ground: &Ground) {
    let tasks = (1..=450).map(|number| {
        let tables = ground.instance(number);
        tokio::spawn(async move {
            let mut draft = draft(number as u64);
            draft.lines.truncate(number % 3);
            tables.ledger.record(&leaving(draft, Status::Completed), &owner(ANNE), TAXONOMY).await.unwrap();
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let written = objects(ground, Revisions::Latest).await;
    assert_eq!(written.len(), 450);
    for (number, object) in (1..).zip(&written) {
        assert_eq!(object["id"], json!(draft(number).id.to_string()));
        assert_eq!(object["lines"].as_array().unwrap().len() as u64, number % 3);
    }
}

async fn all_revisions_or_the_latest(ground: &Ground) {
    for number in 1..=3 {
        ground
            .tables
            .ledger
            .record(&leaving(draft(number), Status::Completed), &owner(ANNE), TAXONOMY)
            .await
            .unwrap();
    }
    let right = UndoRight::Owner { window: WINDOW };
    let undone = ground.tables.ledger.reverse(draft(2).reference, ANNE, right).await.unwrap();
    assert!(matches!(undone, Reversal::Reversed(_)));
    let status = |objects: Vec<Value>| {
        let of = |object: &Value| format!("{}{}", object["number"], object["status"].as_str().unwrap());
        objects.iter().map(of).collect::<Vec<_>>().join(" ")
    };
    let latest = objects(ground, Revisions::Latest).await;
    assert!(latest.iter().all(|object| object["lines"].as_array().unwrap().len() == 2));
    assert_eq!(status(latest), "1completed 2reversed 3completed");
    let all = objects(ground, Revisions::All).await;
    assert!(all.iter().all(|object| object["lines"].as_array().unwrap().len() == 2));
    assert_eq!(status(all), "1completed 2completed 2reversed 3completed");

    let theirs = leaving(draft(9), Status::Completed);
    ground.of_other_bot().ledger.record(&theirs, &owner(ANNE), TAXONOMY).await.unwrap();
    assert_eq!(export(ground, None, Format::Jsonl, Revisions::Latest).await.0, 4);
    assert_eq!(export(ground, Some(BOT), Format::Jsonl, Revisions::Latest).await.0, 3);
}
