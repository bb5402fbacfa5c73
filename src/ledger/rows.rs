//! The rows of deposits and lines, and how they become values again.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use crate::clock::Timestamp;
use crate::database::Connection;
use crate::fetch_all;
use crate::ledger::LedgerError;
use crate::ledger::entry::{LedgerEntry, Owner};
use deposit::{
    Attachment, CategoryKey, ChatId, DepositId, Destination, Draft, Line, Proposal, Status, UserId, Weight,
    WeightSource,
};

/// Reads revisions of deposits `where …`; the row type is [`DepositRow`].
macro_rules! entry {
    ($rest:literal) => {
        concat!(
            "select id, revision, chat, owner, reference, number, status, opened_at, decided_at, decided_by, \
             recorded_at, weight_grams, weight_source, taxonomy, draft from deposits d ",
            $rest
        )
    };
}
pub(super) use entry;

/// Reads lines `where …`; the row type is [`LineRow`].
macro_rules! line {
    ($rest:literal) => {
        concat!(
            "select deposit_id, revision, object, quantity, weight_grams, weight_source, destination, proposed, \
             confidence, alternatives, model, chosen from lines ",
            $rest
        )
    };
}
pub(super) use line;

#[derive(Debug, FromRow)]
pub(super) struct DepositRow {
    pub(super) id: String,
    pub(super) revision: i64,
    chat: i64,
    pub(super) owner: i64,
    reference: String,
    number: Option<i64>,
    pub(super) status: String,
    opened_at: i64,
    pub(super) decided_at: i64,
    decided_by: Option<i64>,
    recorded_at: i64,
    weight_grams: Option<i64>,
    weight_source: Option<String>,
    taxonomy: String,
    draft: String,
}

#[derive(Debug, FromRow)]
pub(super) struct LineRow {
    pub(super) deposit_id: String,
    pub(super) revision: i64,
    object: String,
    quantity: Option<i64>,
    weight_grams: Option<i64>,
    weight_source: Option<String>,
    destination: String,
    proposed: String,
    confidence: f64,
    alternatives: String,
    model: String,
    chosen: Option<String>,
}

/// A revision of a deposit with its lines.
#[derive(Debug)]
pub(super) struct RevisionRows {
    pub(super) deposit: DepositRow,
    pub(super) lines: Vec<LineRow>,
}

/// Adds the lines to a revision; they never change, so a later statement reads the same ones.
pub(super) async fn read_lines(
    connection: &mut Connection,
    deposit: DepositRow,
) -> Result<RevisionRows, sqlx::Error> {
    let sql = line!("where deposit_id = $1 and revision = $2 order by position");
    let lines = fetch_all!(connection, sql, &deposit.id, deposit.revision)?;
    Ok(RevisionRows { deposit, lines })
}

/// The column `draft`: the fields of a draft beside the columns and lines. The user's words and files, and what else
/// resuming needs.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredDraft {
    #[serde(default)]
    step: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    said: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    album: Option<String>,
}

impl StoredDraft {
    pub(super) fn of(draft: &Draft) -> Self {
        // Names every field, so that a new one is not forgotten here.
        let Draft {
            id: _,
            reference: _,
            revision: _,
            opened_at: _,
            lines: _,
            total_weight: _,
            // Only the open card quotes it; `said` is stored as a whole.
            heard: _,
            step,
            said,
            attachments,
            album,
        } = draft;
        Self { step: *step, said: said.clone(), attachments: attachments.clone(), album: album.clone() }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

impl RevisionRows {
    pub(super) fn into_entry(self) -> Result<LedgerEntry, LedgerError> {
        let Self { deposit: row, lines } = self;
        let corrupt = |field| LedgerError::Corrupt { row: format!("deposit {}", row.id), field };
        let stored: StoredDraft = serde_json::from_str(&row.draft).map_err(|_| corrupt("draft"))?;
        let draft = Draft {
            id: DepositId(row.id.parse().map_err(|_| corrupt("id"))?),
            reference: row.reference.parse().map_err(|_| corrupt("reference"))?,
            revision: u32::try_from(row.revision).map_err(|_| corrupt("revision"))?,
            opened_at: Timestamp(row.opened_at),
            step: stored.step,
            lines: lines.into_iter().map(LineRow::into_line).collect::<Result<_, _>>()?,
            said: stored.said,
            heard: None,
            total_weight: parse_weight(row.weight_grams, row.weight_source.as_deref())
                .map_err(|()| corrupt("weight"))?,
            attachments: stored.attachments,
            album: stored.album,
        };
        Ok(LedgerEntry {
            draft,
            owner: Owner { chat: ChatId(row.chat), user: UserId(row.owner) },
            number: row.number.map(u64::try_from).transpose().map_err(|_| corrupt("number"))?,
            status: Status::parse(&row.status).ok_or_else(|| corrupt("status"))?,
            decided_at: Timestamp(row.decided_at),
            decided_by: row.decided_by.map(UserId),
            recorded_at: Timestamp(row.recorded_at),
            taxonomy: row.taxonomy,
        })
    }
}

impl LineRow {
    fn into_line(self) -> Result<Line, LedgerError> {
        let corrupt =
            |field| LedgerError::Corrupt { row: format!("a line of deposit {}", self.deposit_id), field };
        let alternatives = serde_json::from_str(&self.alternatives).map_err(|_| corrupt("alternatives"))?;
        Ok(Line {
            quantity: self.quantity.map(u32::try_from).transpose().map_err(|_| corrupt("quantity"))?,
            weight: parse_weight(self.weight_grams, self.weight_source.as_deref())
                .map_err(|()| corrupt("weight"))?,
            destination: parse_destination(&self.destination).ok_or_else(|| corrupt("destination"))?,
            object: self.object,
            proposal: Proposal {
                category: CategoryKey(self.proposed),
                confidence: narrow(self.confidence),
                alternatives,
                model: self.model,
            },
            chosen: self.chosen.map(CategoryKey),
        })
    }
}

/// The confidence as it was before it was stored: `f64` holds every `f32`.
#[expect(clippy::cast_possible_truncation, reason = "it was an f32 when it was written")]
fn narrow(confidence: f64) -> f32 {
    confidence as f32
}

/// The word that the ledger and the exports carry.
pub(super) fn weight_source_word(source: WeightSource) -> &'static str {
    match source {
        WeightSource::Weighed => "weighed",
        WeightSource::Stated => "stated",
        WeightSource::Estimated => "estimated",
    }
}

fn parse_weight(grams: Option<i64>, source: Option<&str>) -> Result<Option<Weight>, ()> {
    let (Some(grams), Some(word)) = (grams, source) else { return Ok(None) };
    let source = [WeightSource::Weighed, WeightSource::Stated, WeightSource::Estimated]
        .into_iter()
        .find(|source| weight_source_word(*source) == word);
    match (u32::try_from(grams), source) {
        (Ok(grams), Some(source)) => Ok(Some(Weight { grams, source })),
        _ => Err(()),
    }
}

fn parse_destination(word: &str) -> Option<Destination> {
    [Destination::Magasin, Destination::Recyclage, Destination::Dechetterie]
        .into_iter()
        .find(|destination| destination.as_str() == word)
}
