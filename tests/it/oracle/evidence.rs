//! The evidence at the end of a scenario, by its source.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use bot_api_simulator::Happened;
use deposit::taxonomy::Taxonomy;
use deposit::{BotId, Status, UserId};
use depot_bot::app::Tables;
use depot_bot::clock::{Clock, Timestamp};
use depot_bot::database::Database;
use depot_bot::i18n::I18n;
use depot_bot::telegram::views::card;
use secrecy::SecretString;
use serde_json::Value;
use session::Language;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{Connection as _, FromRow};

use crate::oracle::updates::Deaths;

/// The evidence of all sources.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// The journal of Telegram, in order.
    pub(super) telegram: Vec<bot_api_simulator::Entry>,
    /// Commits that were sent, by id.
    pub(super) sent: HashMap<String, Sent>,
    /// Ids of commits that a store said it applied.
    pub(super) applied: HashSet<String>,
    /// Ids of commits whose updates could be acknowledged.
    pub(super) replicated: HashSet<String>,
    /// Ids of commits of the steps from which a deposit was recorded.
    pub(super) recorded: HashSet<String>,
    /// Updates that led to nothing.
    pub(super) unchanged: HashSet<i64>,
    /// Outcomes by the id of their commit, as (lane, token): whether it was the holder's, and whose they really were.
    pub(super) outcomes: Vec<(String, String, bool, String)>,
    pub(super) ran: HashMap<(String, String), String>,
    /// The sessions in SQL, by user.
    pub(super) documents: BTreeMap<i64, Head>,
    /// The sessions in Redis, and whether it is the primary.
    pub(super) in_redis: BTreeMap<i64, Head>,
    pub(super) redis_is_primary: bool,
    pub(super) redis_answers: bool,
    pub(super) epoch: u64,
    /// Ids of commits of branches that lost.
    pub(super) conflicts: HashSet<String>,
    pub(super) dead_letters: HashSet<i64>,
    pub(super) deposits: Vec<Deposit>,
    /// The card of each completed deposit, by number.
    pub(super) cards: HashMap<u64, String>,
    pub(super) undelivered: i64,
    /// When a bot died or was stopped by force, and spans in which Redis stood still.
    pub(super) deaths: Deaths,
    pub(super) frozen: Vec<(Timestamp, Timestamp)>,
    /// The actions of users from this id on leave no trace in a session.
    pub(super) strangers_from: i64,
}

/// One commit as it was sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) user: i64,
    pub(super) epoch: u64,
    pub(super) version: u64,
    /// the store that was the primary.
    pub(super) store: String,
    pub(super) parent: String,
    pub(super) updates: Vec<i64>,
    pub(super) at: Timestamp,
}

/// A document as far as the oracle reads it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(super) epoch: u64,
    pub(super) version: u64,
    pub(super) commit_id: String,
    /// The updates that it remembers.
    pub(super) seen: Vec<i64>,
    /// Whether nothing is left to do.
    pub(super) rests: bool,
}

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}, {}) of commit {}", self.epoch, self.version, self.commit_id)
    }
}

/// One revision of a deposit.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Deposit {
    pub(super) id: String,
    pub(super) owner: i64,
    pub(super) reference: String,
    pub(super) number: Option<i64>,
    pub(super) status: String,
    pub(super) decided_at: i64,
}

/// A database beside the bot's own way to it.
pub(crate) enum Sql {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Sql {
    pub(super) async fn open(url: &str) -> Self {
        match url.strip_prefix("sqlite://") {
            Some(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .busy_timeout(std::time::Duration::from_secs(10));
                Self::Sqlite(SqliteConnection::connect_with(&options).await.unwrap())
            }
            None => Self::Postgres(PgConnection::connect(url).await.unwrap()),
        }
    }

    pub(super) async fn rows<T>(&mut self, sql: &'static str) -> Vec<T>
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        match self {
            Self::Sqlite(connection) => sqlx::query_as(sql).fetch_all(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_as(sql).fetch_all(connection).await.unwrap(),
        }
    }

    pub(super) async fn documents(&mut self) -> BTreeMap<i64, Head> {
        let rows: Vec<(i64, String)> = self.rows("select owner, document from sessions").await;
        rows.into_iter().map(|(owner, text)| (owner, Head::read(&text))).collect()
    }
}

impl Head {
    pub(super) fn read(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).unwrap();
        let is_empty = |name: &str| document[name].as_array().is_none_or(Vec::is_empty);
        let has_no_lane = document["chat_lane"].is_null() && document["compute_lane"].is_null();
        let card = &document["card"];
        let card_is_shown = card["wanted"] == card["shown"] && card["strays"].is_null();
        Self {
            epoch: document["epoch"].as_u64().unwrap(),
            version: document["version"].as_u64().unwrap(),
            commit_id: document["commit"].to_string(),
            seen: numbers(&document["seen"]["updates"]),
            rests: is_empty("pending") && is_empty("waiting") && has_no_lane && card_is_shown,
        }
    }
}

fn numbers(list: &Value) -> Vec<i64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
}

impl Evidence {
    /// Reads the history of commits.
    pub(super) fn read_history(&mut self, file: &Path) {
        for line in std::fs::read_to_string(file).unwrap_or_default().lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            let number = |name: &str| line[name].as_u64().unwrap();
            match text("what").as_str() {
                "sent" => {
                    let sent = Sent {
                        user: line["user"].as_i64().unwrap(),
                        epoch: number("epoch"),
                        version: number("version"),
                        store: text("store"),
                        parent: text("parent"),
                        updates: numbers(&line["updates"]),
                        at: Timestamp(line["at"].as_i64().unwrap()),
                    };
                    self.sent.insert(text("commit"), sent);
                }
                "applied" => self.applied.extend([text("commit")]),
                "recorded" => self.recorded.extend([text("commit")]),
                "replicated" => self.replicated.extend([text("commit")]),
                "unchanged" => self.unchanged.extend(line["update"].as_i64()),
                "outcome" => {
                    let counted = line["counted"] == Value::Bool(true);
                    self.outcomes.push((text("commit"), text("lane"), counted, text("token")));
                }
                "ran" => self.ran.extend([((text("commit"), text("lane")), text("token"))]),
                other => panic!("the history says {other}"),
            }
        }
    }

    /// Reads the rows of SQL.
    pub(super) async fn read_sql(&mut self, url: &str, bot: BotId) {
        let mut sql = Sql::open(url).await;
        self.documents = sql.documents().await;
        let leadership: Vec<(i64, String)> = sql.rows("select epoch, primary_store from leadership").await;
        if let Some((epoch, store)) = leadership.first() {
            (self.epoch, self.redis_is_primary) = (epoch.cast_unsigned(), store == "redis");
        }
        let commit_ids: Vec<(i64,)> = sql.rows("select commit_id from conflicts").await;
        self.conflicts = commit_ids.iter().map(|(id,)| id.cast_unsigned().to_string()).collect();
        let dead_letters: Vec<(i64,)> = sql.rows("select update_id from dead_letters").await;
        self.dead_letters = dead_letters.into_iter().map(|(id,)| id).collect();
        self.deposits = sql
            .rows(
                "select id, owner, reference, number, status, decided_at from deposits order by id, revision",
            )
            .await;
        let waiting: Vec<(i64,)> = sql.rows("select count(*) from deliveries where sent_at is null").await;
        self.undelivered = waiting[0].0;
        let database = Database::connect(&SecretString::from(url)).await.unwrap();
        let ledger = Tables::new(&database, bot, &Clock::system()).ledger;
        let (i18n, taxonomy) = (I18n::new().unwrap(), Taxonomy::load(None).unwrap());
        let owners: BTreeSet<i64> = self.deposits.iter().map(|deposit| deposit.owner).collect();
        for owner in owners {
            for entry in ledger.latest_of(UserId(owner), 100_000).await.unwrap() {
                let mut recorded = entry.recorded();
                if let (Some(number), Status::Completed | Status::Reversed) = (recorded.number, entry.status)
                {
                    recorded.status = Status::Completed;
                    let decided = recorded.decided_at;
                    let view = card::render_entry(&recorded, Language::Fr, &i18n, &taxonomy, decided);
                    self.cards.insert(number, view.text);
                }
            }
        }
        database.close().await;
    }

    /// Every text that a user ever saw, with its place in the journal, its message, and whether that was new.
    pub(super) fn shown(&self) -> impl Iterator<Item = (u64, i64, i64, &str)> {
        self.telegram.iter().filter_map(|entry| match &entry.what {
            Happened::Shown { chat, message_id, text, .. } if !text.is_empty() => {
                Some((entry.number, *chat, *message_id, &**text))
            }
            _ => None,
        })
    }

    pub(super) fn is_stranger(&self, person: i64) -> bool {
        self.strangers_from > 0 && person >= self.strangers_from
    }
}
