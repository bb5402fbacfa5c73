//! Recording a deposit: deposit, lines and history in one transaction, once.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use crate::database::{Connection, Job, alone, storable_text};
use crate::ledger::entry::Owner;
use crate::ledger::rows::{RevisionRows, StoredDraft, entry, read_lines, weight_source_word};
use crate::ledger::transaction_lock::TransactionLock;
use crate::ledger::{Ledger, LedgerError, quality};
use crate::{fetch_one, fetch_optional, on};
use deposit::{LINES_MAX, Leaving, Line, Recorded, Status};

impl Ledger {
    /// Writes a deposit that left its conversation: the revision `leaving.draft.revision`, with its lines.
    ///
    /// Idempotent by (deposit id, revision): if that revision is there, the answer is its content, whatever comes now.
    /// A completed deposit gets the next number of its bot, without gaps, and keeps it over its revisions.
    ///
    /// # Crash
    /// Before: nothing is there, and the effect is still pending. After: all of it is, and a repetition answers the
    /// same.
    ///
    /// # Errors
    /// After [`DatabaseError::Unknown`](crate::database::DatabaseError::Unknown) it may be recorded: repeat it.
    pub async fn record(
        &self,
        leaving: &Leaving,
        owner: &Owner,
        taxonomy: &str,
    ) -> Result<Recorded, LedgerError> {
        let insert = self.insert(leaving, owner, taxonomy);
        let leaving = Arc::clone(&insert.leaving);
        let inserted = self.database.write(insert).await?;
        self.recorded(&leaving, inserted)
    }

    /// Records a deposit in one transaction behind `first`; nothing, and `None`, where `first` yields `false`.
    ///
    /// # Errors
    /// As of [`Ledger::record`]: then nothing is known of `first` either.
    pub async fn record_after(
        &self,
        first: impl Job<Output = bool>,
        leaving: &Leaving,
        owner: &Owner,
        taxonomy: &str,
    ) -> Result<Option<Recorded>, LedgerError> {
        let insert = self.insert(leaving, owner, taxonomy);
        let leaving = Arc::clone(&insert.leaving);
        let inserted = self.database.write(InsertAfter { first, insert }).await?;
        inserted.map(|inserted| self.recorded(&leaving, inserted)).transpose()
    }

    fn insert(&self, leaving: &Leaving, owner: &Owner, taxonomy: &str) -> InsertDeposit {
        let mut leaving = leaving.clone();
        for line in &mut leaving.draft.lines {
            line.object = storable_text(std::mem::take(&mut line.object));
        }
        InsertDeposit {
            bot: self.bot.0,
            id: leaving.draft.id.0.hyphenated().to_string(),
            owner: *owner,
            taxonomy: taxonomy.to_owned(),
            stored_draft: StoredDraft::of(&leaving.draft).to_json(),
            recorded_at: self.clock.now().0,
            leaving: Arc::new(leaving),
        }
    }

    fn recorded(&self, leaving: &Leaving, inserted: Inserted) -> Result<Recorded, LedgerError> {
        match inserted {
            Inserted::Now { number } => Ok(self.newly_recorded(leaving, number)),
            Inserted::Before(rows) => Ok(rows.into_entry()?.recorded()),
        }
    }

    /// Counts a deposit that was recorded now, and notifies the readers of feedback.
    fn newly_recorded(&self, leaving: &Leaving, number: Option<i64>) -> Recorded {
        let Leaving { draft, status, decided_at } = leaving;
        metrics::counter!("depot_deposits_total", "status" => status.as_str()).increment(1);
        if *status == Status::Completed {
            quality::count(&draft.lines);
        }
        if draft.lines.iter().any(|line| line.chosen.is_some()) {
            self.feedback.notify_changed();
        }
        Recorded {
            id: draft.id,
            reference: draft.reference,
            revision: draft.revision,
            number: number.and_then(|number| u64::try_from(number).ok()),
            status: *status,
            lines: draft.lines.clone(),
            total_weight: draft.total_weight,
            decided_at: *decided_at,
        }
    }
}

/// Inserts a deposit behind another job, in the same transaction.
struct InsertAfter<J> {
    first: J,
    insert: InsertDeposit,
}

impl<J: Job<Output = bool>> Job for InsertAfter<J> {
    type Output = Option<Inserted>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<Inserted>, sqlx::Error> {
        alone(self, connection).await
    }

    async fn run_all(
        jobs: &[&Self],
        connection: &mut Connection,
    ) -> Result<Vec<Option<Inserted>>, sqlx::Error> {
        let firsts: Vec<&J> = jobs.iter().map(|job| &job.first).collect();
        let may = J::run_all(&firsts, connection).await?;
        let inserts = jobs.iter().zip(&may).filter(|(_, may)| **may).map(|(job, _)| &job.insert);
        let inserts: Vec<&InsertDeposit> = inserts.collect();
        let mut inserted = InsertDeposit::run_all(&inserts, connection).await?.into_iter();
        Ok(may.into_iter().map(|may| if may { inserted.next() } else { None }).collect())
    }
}

/// Inserts one revision of a deposit with its lines, unless it is there.
struct InsertDeposit {
    bot: i64,
    id: String,
    owner: Owner,
    taxonomy: String,
    /// The column `draft`.
    stored_draft: String,
    recorded_at: i64,
    leaving: Arc<Leaving>,
}

enum Inserted {
    /// By this transaction.
    Now { number: Option<i64> },
    /// By an earlier one, which wrote this.
    Before(Box<RevisionRows>),
}

/// A later revision keeps its number; otherwise a completed deposit takes the next one, under [`TransactionLock::DepositNumbers`].
const INSERT_DEPOSIT: &str = "
    insert into deposits (id, revision, bot, chat, owner, reference, number, status, was, opened_at, decided_at,
        decided_by, recorded_at, weight_grams, weight_source, taxonomy, draft)
    values ($1, $2, $3, $4, $5, $6,
        coalesce((select before.number from deposits before where before.id = $1 and before.revision = $2 - 1),
            case when $7 = 'completed' then 1 + coalesce((
                select last.number from deposits last where last.bot = $3 and last.number is not null
                order by last.number desc limit 1), 0) end),
        $7,
        (select before.status from deposits before where before.id = $1 and before.revision = $2 - 1),
        $8, $9, $10, $11, $12, $13, $14, $15)
    on conflict (id, revision) do nothing
    returning number";

impl Job for InsertDeposit {
    type Output = Inserted;

    async fn run(&self, connection: &mut Connection) -> Result<Inserted, sqlx::Error> {
        alone(self, connection).await
    }

    /// Takes the lock once for all numbers, and inserts the lines of all deposits together; a deposit that comes twice is
    /// read back last.
    async fn run_all(jobs: &[&Self], connection: &mut Connection) -> Result<Vec<Inserted>, sqlx::Error> {
        let numbered: BTreeSet<i64> =
            jobs.iter().filter(|deposit| deposit.is_numbered()).map(|deposit| deposit.bot).collect();
        for bot in numbered {
            TransactionLock::DepositNumbers.acquire(connection, bot).await?;
        }
        let (mut numbers, mut lines) = (Vec::with_capacity(jobs.len()), Vec::new());
        for deposit in jobs {
            let number = deposit.insert(connection).await?;
            lines.extend(number.iter().flat_map(|_| deposit.lines()));
            numbers.push(number);
        }
        insert_lines(connection, &lines).await?;
        let mut inserted = Vec::with_capacity(jobs.len());
        for (deposit, number) in jobs.iter().zip(numbers) {
            inserted.push(match number {
                Some(number) => Inserted::Now { number },
                None => Inserted::Before(Box::new(deposit.read_back(connection).await?)),
            });
        }
        Ok(inserted)
    }
}

impl InsertDeposit {
    /// Whether it takes a number, or had one.
    fn is_numbered(&self) -> bool {
        self.leaving.status == Status::Completed
    }

    /// Writes the deposit without its lines; yields its number, if it has one, unless it was there before.
    async fn insert(&self, connection: &mut Connection) -> Result<Option<Option<i64>>, sqlx::Error> {
        let Leaving { draft, status, decided_at } = self.leaving.as_ref();
        let inserted: Option<(Option<i64>,)> = fetch_optional!(
            connection,
            INSERT_DEPOSIT,
            &self.id,
            i64::from(draft.revision),
            self.bot,
            self.owner.chat.0,
            self.owner.user.0,
            draft.reference.to_string(),
            status.as_str(),
            draft.opened_at.0,
            decided_at.0,
            self.decided_by(),
            self.recorded_at,
            draft.total_weight.map(|weight| i64::from(weight.grams)),
            draft.total_weight.map(|weight| weight_source_word(weight.source)),
            &self.taxonomy,
            &self.stored_draft,
        )?;
        Ok(inserted.map(|(number,)| number))
    }

    fn lines(&self) -> impl Iterator<Item = InsertedLine<'_>> {
        let revision = i64::from(self.leaving.draft.revision);
        let lines = (0_i64..).zip(&self.leaving.draft.lines);
        lines.map(move |(position, line)| InsertedLine { deposit: &self.id, revision, position, line })
    }

    async fn read_back(&self, connection: &mut Connection) -> Result<RevisionRows, sqlx::Error> {
        let by_id = entry!("where id = $1 and revision = $2");
        let row = fetch_one!(&mut *connection, by_id, &self.id, i64::from(self.leaving.draft.revision))?;
        read_lines(connection, row).await
    }

    /// The member who decided; `None` where the clock or the machine ended it.
    fn decided_by(&self) -> Option<i64> {
        match self.leaving.status {
            Status::Completed | Status::Cancelled | Status::Reversed => Some(self.owner.user.0),
            Status::PendingAudio
            | Status::PendingClassification
            | Status::PendingValidation
            | Status::Expired
            | Status::ClassificationFailed => None,
        }
    }
}

/// A line, and where it belongs.
struct InsertedLine<'r> {
    deposit: &'r str,
    revision: i64,
    position: i64,
    line: &'r Line,
}

async fn insert_lines(connection: &mut Connection, lines: &[InsertedLine<'_>]) -> Result<(), sqlx::Error> {
    for lines in lines.chunks(LINES_MAX) {
        let Some(sql) = INSERT_LINES.get(lines.len().saturating_sub(1)) else { continue };
        on!(&mut *connection, c => {
            let mut query = sqlx::query(sql.as_str());
            for InsertedLine { deposit, revision, position, line } in lines {
                query = query
                    .bind(*deposit)
                    .bind(revision)
                    .bind(position)
                    .bind(&line.object)
                    .bind(line.quantity.map(i64::from))
                    .bind(line.weight.map(|weight| i64::from(weight.grams)))
                    .bind(line.weight.map(|weight| weight_source_word(weight.source)))
                    .bind(line.destination.as_str())
                    .bind(&line.proposal.category.0)
                    .bind(f64::from(line.proposal.confidence))
                    .bind(serde_json::json!(line.proposal.alternatives).to_string())
                    .bind(&line.proposal.model)
                    .bind(line.chosen.as_ref().map(|chosen| &chosen.0));
            }
            query.execute(c).await
        }.map(drop))?;
    }
    Ok(())
}

/// How many values a line has.
const LINE_VALUES: usize = 13;

/// One statement for each number of lines, so that the engines prepare each once.
static INSERT_LINES: LazyLock<Vec<String>> =
    LazyLock::new(|| (1..=LINES_MAX).map(insert_lines_sql).collect());

fn insert_lines_sql(lines: usize) -> String {
    let row = |line: usize| {
        let values: Vec<String> =
            (1..=LINE_VALUES).map(|value| format!("${}", line * LINE_VALUES + value)).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<String> = (0..lines).map(row).collect();
    format!(
        "insert into lines (deposit_id, revision, position, object, quantity, weight_grams, weight_source,
            destination, proposed, confidence, alternatives, model, chosen) values {}",
        rows.join(", ")
    )
}
