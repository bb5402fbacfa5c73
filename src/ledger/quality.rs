//! How often proposals were right, as the members who validated them decided.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::database::job;
use crate::fetch_all;
use crate::ledger::{Ledger, LedgerError};
use deposit::{CategoryKey, Confidence, Line};

/// How many lines were validated, and of how many the proposal stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// All lines.
    pub lines: u64,
    /// Those whose category was left as proposed, or confirmed.
    pub right: u64,
}

impl Agreement {
    fn add(&mut self, lines: u64, agreed: bool) {
        self.lines += lines;
        self.right += if agreed { lines } else { 0 };
    }
}

/// How proposals fared, as members validated or corrected them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// Of all lines.
    pub all: Agreement,
    /// By the model that proposed.
    pub models: BTreeMap<String, Agreement>,
    /// By the category that was proposed.
    pub categories: BTreeMap<CategoryKey, Agreement>,
    /// By how sure the model was.
    pub bands: BTreeMap<Confidence, Agreement>,
    /// How often each proposed category was replaced by which other one.
    pub corrections: BTreeMap<(CategoryKey, CategoryKey), u64>,
}

impl Quality {
    fn add(&mut self, row: QualityRow) {
        let (model, proposed, category, band, lines) = row;
        let (proposed, category) = (CategoryKey(proposed), CategoryKey(category));
        let lines = u64::try_from(lines).unwrap_or_default();
        let agreed = proposed == category;
        self.all.add(lines, agreed);
        self.models.entry(model).or_default().add(lines, agreed);
        let band = usize::try_from(band).ok().and_then(|band| Confidence::ALL.get(band));
        if let Some(band) = band {
            self.bands.entry(*band).or_default().add(lines, agreed);
        }
        self.categories.entry(proposed.clone()).or_default().add(lines, agreed);
        if !agreed {
            *self.corrections.entry((proposed, category)).or_default() += lines;
        }
    }
}

/// Model, proposed category, validated category, place of the confidence in [`Confidence::ALL`], lines.
type QualityRow = (String, String, String, i64, i64);

impl Ledger {
    /// How the proposals of one taxonomy fared in deposits that were validated since an instant and not undone.
    ///
    /// Reads all their lines: for a member who asks, not for every scrape.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is changed.
    pub async fn quality(&self, taxonomy: &str, since: Timestamp) -> Result<Quality, LedgerError> {
        let read = job((self.bot.0, taxonomy.to_owned(), since.0), |(bot, taxonomy, since), connection| {
            Box::pin(async move {
                let [to_check, sure, very_sure] =
                    [Confidence::ToCheck, Confidence::Sure, Confidence::VerySure]
                        .map(|band| f64::from(band.from()));
                fetch_all!(connection, QUALITY, *bot, taxonomy, *since, to_check, sure, very_sure)
            })
        });
        let rows: Vec<QualityRow> = self.database.read(read).await?;
        let mut quality = Quality::default();
        rows.into_iter().for_each(|row| quality.add(row));
        Ok(quality)
    }
}

const QUALITY: &str = "
    select model, proposed, validated, band, count(*) from (
        select l.model, l.proposed, coalesce(l.chosen, l.proposed) as validated,
            cast(case when l.confidence >= $6 then 3 when l.confidence >= $5 then 2
                when l.confidence >= $4 then 1 else 0 end as bigint) as band
        from lines l join deposits d on d.id = l.deposit_id and d.revision = l.revision
        where d.bot = $1 and d.taxonomy = $2 and d.status = 'completed' and d.decided_at >= $3
            and not exists
                (select 1 from deposits later where later.id = d.id and later.revision > d.revision)
    ) judged group by model, proposed, validated, band";

/// Counts in metrics how the proposals of a validated deposit fared.
pub(super) fn count(lines: &[Line]) {
    for line in lines {
        let proposal = &line.proposal;
        let agreed = if line.is_corrected() { "no" } else { "yes" };
        let (model, proposed) = (proposal.model.clone(), proposal.category.0.clone());
        metrics::counter!("depot_lines_validated_total",
            "model" => model, "category" => proposed.clone(), "agreed" => agreed)
        .increment(1);
        let band = Confidence::of(proposal.confidence).as_str();
        metrics::counter!("depot_confidence_lines_total", "band" => band, "agreed" => agreed).increment(1);
        if let Some(chosen) = line.chosen.as_ref().filter(|_| line.is_corrected()) {
            metrics::counter!("depot_corrections_total", "proposed" => proposed, "chosen" => chosen.0.clone())
                .increment(1);
        }
    }
}
