//! The ledger on both engines: one suite, run over SQLite and PostgreSQL, each with two instances on one database.

mod access;
mod deliveries;
mod deposits;
mod export;
mod intake;

use std::time::Duration;

use deposit::{
    Attachment, BotId, ChatId, DepositId, DepositRef, Destination, Draft, Leaving, Line, Media, Proposal,
    Status, UserId, Weight, WeightSource,
};
use depot_bot::app::Tables;
use depot_bot::clock::{Clock, Timestamp};
use depot_bot::database::{Connection, Database, Job};
use depot_bot::ledger::Owner;
use depot_bot::{execute, fetch_all};
use secrecy::SecretString;

use crate::servers::postgres_database;

const BOT: BotId = BotId(42);
const NOW: Timestamp = Timestamp(1_764_763_200_000);
const ANNE: UserId = UserId(7);
const TAXONOMY: &str = "reuse-2025";
const WINDOW: Duration = Duration::from_secs(600);

/// A database that two instances share, and the clock of both.
struct Ground {
    tables: Tables,
    /// Another instance: connections of its own to the same database.
    other: Tables,
    database: Database,
    other_database: Database,
    clock: Clock,
    _folder: Option<tempfile::TempDir>,
}

impl Ground {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/depot.db", folder.path().display());
        Self::at(&url, Some(folder)).await
    }

    async fn postgres() -> Self {
        Self::at(&postgres_database(), None).await
    }

    async fn at(url: &str, folder: Option<tempfile::TempDir>) -> Self {
        let clock = Clock::manual(NOW);
        let database = connect(url).await;
        database.migrate().await.unwrap();
        let other_database = connect(url).await;
        let tables = Tables::new(&database, BOT, &clock);
        let other = Tables::new(&other_database, BOT, &clock);
        Self { tables, other, database, other_database, clock, _folder: folder }
    }

    /// The tables of another bot, at the first instance.
    fn tables_of(&self, bot: BotId) -> Tables {
        Tables::new(&self.database, bot, &self.clock)
    }

    /// The tables of another bot, at the other instance.
    fn other_of(&self, bot: BotId) -> Tables {
        Tables::new(&self.other_database, bot, &self.clock)
    }

    /// The tables of another bot in the same database.
    fn of_other_bot(&self) -> Tables {
        self.tables_of(BotId(43))
    }

    /// One of the two instances, in turn.
    fn instance(&self, number: usize) -> Tables {
        if number.is_multiple_of(2) { self.tables.clone() } else { self.other.clone() }
    }

    /// Runs a statement past the ledger.
    async fn execute(&self, sql: &'static str) -> Result<u64, depot_bot::database::DatabaseError> {
        self.database.write(Raw(sql)).await
    }

    /// Reads one number past the ledger.
    async fn number(&self, sql: &'static str) -> i64 {
        self.database.read(Number(sql)).await.unwrap()
    }
}

async fn connect(url: &str) -> Database {
    // On a loaded machine a commit may wait long for the disk; deadlines have tests of their own.
    Database::connect(&SecretString::from(url)).await.unwrap().with_deadline(Duration::from_secs(60))
}

struct Raw(&'static str);

impl Job for Raw {
    type Output = u64;

    async fn run(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        execute!(connection, self.0)
    }
}

struct Number(&'static str);

impl Job for Number {
    type Output = i64;

    async fn run(&self, connection: &mut Connection) -> Result<i64, sqlx::Error> {
        let rows: Vec<(i64,)> = fetch_all!(connection, self.0)?;
        Ok(rows.first().map_or(0, |(number,)| *number))
    }
}

fn owner(user: UserId) -> Owner {
    Owner { chat: ChatId(user.0), user }
}

fn line(object: &str) -> Line {
    Line {
        object: object.to_owned(),
        quantity: Some(2),
        weight: Some(Weight { grams: 2_345, source: WeightSource::Stated }),
        destination: Destination::Recyclage,
        proposal: Proposal {
            category: "small_appliance".into(),
            confidence: 0.7,
            alternatives: vec!["kitchenware".into(), "toys".into()],
            model: "embedded-1".to_owned(),
        },
        chosen: None,
    }
}

/// A deposit with all that a draft can hold.
fn draft(number: u64) -> Draft {
    // Version 7 with the number for its time: sorts by it.
    let id = uuid::Uuid::from_u128((u128::from(number) << 80) | 0x7000_8000_0000_0000_0000);
    let mut draft = Draft::new(DepositId(id), DepositRef(0xf000_0000_0000_0000 | number), NOW);
    draft.step = 5;
    draft.lines =
        vec![line("bouilloire"), Line { chosen: Some("kitchenware".into()), weight: None, ..line("lot") }];
    draft.said = vec!["deux bouilloires et un lot, <b>&\" 🫖".to_owned(), "six kilos".to_owned()];
    draft.total_weight = Some(Weight { grams: 6_000, source: WeightSource::Weighed });
    draft.attachments = vec![Attachment { media: Media::Voice, file: "AwACAg".to_owned(), seconds: Some(4) }];
    draft.album = Some("album".to_owned());
    draft
}

fn leaving(draft: Draft, status: Status) -> Leaving {
    Leaving { draft, status, decided_at: NOW }
}

/// Runs each test on both engines.
macro_rules! on_both_engines {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&crate::ledger::Ground::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&crate::ledger::Ground::postgres().await).await;
            })*
        }
    };
}
use on_both_engines;
