//! The ledger for other programs: one JSON object per deposit, or one CSV row per line.
//!
//! It reads page by page and holds one page in memory, however long the ledger is.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use crate::database::{Connection, Database, job};
use crate::fetch_all;
use crate::ledger::LedgerError;
use crate::ledger::csv::{inert, write_row};
use crate::ledger::entry::LedgerEntry;
use crate::ledger::rows::{DepositRow, LineRow, RevisionRows, entry, line, weight_source_word};
use deposit::{BotId, CategoryKey, Destination, Line, Status, UserId, Weight};

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per deposit and line of text.
    Jsonl,
    /// RFC 4180 with a header: one row per line of a deposit, and one for a deposit without lines.
    Csv,
}

/// The revisions of a deposit that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revisions {
    /// The latest: where each deposit stands.
    #[default]
    Latest,
    /// All: how each came there.
    All,
}

/// Why an export ended early; the output so far stands.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The reader of the output closed it, or it has no room.
    #[error("the export cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// How many revisions are in memory at once.
const PAGE_SIZE: i64 = 200;

/// Writes the deposits of `bot`, or of all bots, oldest first; returns how many revisions were written.
///
/// Deposits that are recorded meanwhile may or may not be among them; none is there twice.
///
/// # Errors
/// [`ExportError`].
pub async fn write_deposits(
    database: &Database,
    bot: Option<BotId>,
    format: Format,
    revisions: Revisions,
    out: &mut (dyn Write + Send),
) -> Result<u64, ExportError> {
    if format == Format::Csv {
        write_row(out, &CSV_HEADER.map(Cow::Borrowed))?;
    }
    let mut written = 0;
    let mut after = (String::new(), 0);
    loop {
        let parameters = (bot.map(|bot| bot.0), revisions, after.0, after.1);
        let page = job(parameters, |(bot, revisions, id, revision), connection| {
            Box::pin(read_page(connection, *bot, *revisions, (id, *revision)))
        });
        let page = database.read(page).await.map_err(LedgerError::from)?;
        let Some(last) = page.last() else { break };
        after = (last.deposit.id.clone(), last.deposit.revision);
        for rows in page {
            let entry = rows.into_entry()?;
            match format {
                Format::Jsonl => write_json(out, &entry)?,
                Format::Csv => write_csv(out, &entry)?,
            }
            written += 1;
        }
    }
    out.flush()?;
    Ok(written)
}

/// The revisions that follow `after`, with their lines.
async fn read_page(
    connection: &mut Connection,
    bot: Option<i64>,
    revisions: Revisions,
    after: (&str, i64),
) -> Result<Vec<RevisionRows>, sqlx::Error> {
    let sql = match revisions {
        Revisions::Latest => entry!(
            "where (id, revision) > ($1, $2) and ($3 is null or bot = $3)
                and not exists (select 1 from deposits later where later.id = d.id and later.revision > d.revision)
             order by id, revision limit $4"
        ),
        Revisions::All => entry!(
            "where (id, revision) > ($1, $2) and ($3 is null or bot = $3) order by id, revision limit $4"
        ),
    };
    let deposits: Vec<DepositRow> = fetch_all!(&mut *connection, sql, after.0, after.1, bot, PAGE_SIZE)?;
    let (Some(first), Some(last)) = (deposits.first(), deposits.last()) else { return Ok(Vec::new()) };
    let sql = line!("where deposit_id >= $1 and deposit_id <= $2 order by deposit_id, revision, position");
    let lines: Vec<LineRow> = fetch_all!(connection, sql, &first.id, &last.id)?;
    Ok(merge(deposits, lines))
}

/// Brings lines to their revisions; both are sorted by deposit and revision.
fn merge(deposits: Vec<DepositRow>, lines: Vec<LineRow>) -> Vec<RevisionRows> {
    let mut lines = lines.into_iter().peekable();
    let mut revisions = Vec::with_capacity(deposits.len());
    for deposit in deposits {
        let key = (&deposit.id, deposit.revision);
        while lines.next_if(|line| (&line.deposit_id, line.revision) < key).is_some() {}
        let mut own = Vec::new();
        while let Some(line) = lines.next_if(|line| (&line.deposit_id, line.revision) == key) {
            own.push(line);
        }
        revisions.push(RevisionRows { deposit, lines: own });
    }
    revisions
}

#[derive(Serialize)]
struct JsonDeposit<'a> {
    id: String,
    revision: u32,
    number: Option<u64>,
    status: Status,
    by: UserId,
    at: String,
    opened_at: String,
    taxonomy: &'a str,
    lines: Vec<JsonLine<'a>>,
    total_weight_kg: Option<f64>,
    total_weight_source: &'static str,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    object: &'a str,
    quantity: Option<u32>,
    weight_kg: Option<f64>,
    weight_source: &'static str,
    destination: Destination,
    category: &'a CategoryKey,
    proposed: &'a CategoryKey,
    confidence: f32,
    chosen: Option<&'a CategoryKey>,
    corrected: bool,
}

fn write_json(out: &mut (dyn Write + Send), entry: &LedgerEntry) -> io::Result<()> {
    let draft = &entry.draft;
    let deposit = JsonDeposit {
        id: draft.id.to_string(),
        revision: draft.revision,
        number: entry.number,
        status: entry.status,
        by: entry.owner.user,
        at: entry.decided_at.to_string(),
        opened_at: draft.opened_at.to_string(),
        taxonomy: &entry.taxonomy,
        lines: draft.lines.iter().map(JsonLine::of).collect(),
        total_weight_kg: kilograms(draft.total_weight),
        total_weight_source: source_word(draft.total_weight),
    };
    serde_json::to_writer(&mut *out, &deposit)?;
    out.write_all(b"\n")
}

impl<'a> JsonLine<'a> {
    fn of(line: &'a Line) -> Self {
        Self {
            object: &line.object,
            quantity: line.quantity,
            weight_kg: kilograms(line.weight),
            weight_source: source_word(line.weight),
            destination: line.destination,
            category: line.category(),
            proposed: &line.proposal.category,
            confidence: line.proposal.confidence,
            chosen: line.chosen.as_ref(),
            corrected: line.is_corrected(),
        }
    }
}

const CSV_HEADER: [&str; 19] = [
    "id",
    "revision",
    "number",
    "status",
    "by",
    "at",
    "opened_at",
    "taxonomy",
    "line",
    "object",
    "quantity",
    "weight_kg",
    "weight_source",
    "destination",
    "category",
    "proposed",
    "confidence",
    "corrected",
    "total_weight_kg",
];

/// One row per line. The weight of the whole deposit is on its first row only, so that a column can be summed.
fn write_csv(out: &mut (dyn Write + Send), entry: &LedgerEntry) -> io::Result<()> {
    let draft = &entry.draft;
    let deposit = [
        Cow::Owned(draft.id.to_string()),
        Cow::Owned(draft.revision.to_string()),
        text_of(entry.number),
        Cow::Borrowed(entry.status.as_str()),
        Cow::Owned(entry.owner.user.to_string()),
        Cow::Owned(entry.decided_at.to_string()),
        Cow::Owned(draft.opened_at.to_string()),
        inert(&entry.taxonomy),
    ];
    let total = text_of(kilograms(draft.total_weight));
    if draft.lines.is_empty() {
        let mut row = deposit.to_vec();
        row.resize(CSV_HEADER.len() - 1, Cow::Borrowed(""));
        row.push(total);
        return write_row(out, &row);
    }
    for (index, line) in draft.lines.iter().enumerate() {
        let mut row = deposit.to_vec();
        row.extend([
            Cow::Owned((index + 1).to_string()),
            inert(&line.object),
            text_of(line.quantity),
            text_of(kilograms(line.weight)),
            Cow::Borrowed(source_word(line.weight)),
            Cow::Borrowed(line.destination.as_str()),
            inert(&line.category().0),
            inert(&line.proposal.category.0),
            Cow::Owned(line.proposal.confidence.to_string()),
            Cow::Borrowed(if line.is_corrected() { "true" } else { "false" }),
            if index == 0 { total.clone() } else { Cow::Borrowed("") },
        ]);
        write_row(out, &row)?;
    }
    Ok(())
}

fn text_of<T: ToString>(value: Option<T>) -> Cow<'static, str> {
    value.map_or(Cow::Borrowed(""), |value| Cow::Owned(value.to_string()))
}

fn kilograms(weight: Option<Weight>) -> Option<f64> {
    weight.map(|weight| f64::from(weight.grams) / 1000.0)
}

fn source_word(weight: Option<Weight>) -> &'static str {
    weight.map_or("none", |weight| weight_source_word(weight.source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grams_become_kilograms_without_noise() {
        let weighed = |grams| Some(Weight { grams, source: deposit::WeightSource::Weighed });
        assert_eq!(text_of(kilograms(weighed(2_345))), "2.345");
        assert_eq!(text_of(kilograms(weighed(6_000))), "6");
        assert_eq!(text_of(kilograms(None)), "");
    }
}
