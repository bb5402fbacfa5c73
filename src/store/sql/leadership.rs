//! The statements of the leadership row and the members.

use crate::clock::Timestamp;
use crate::database::{Connection, Job};
use crate::store::replication::{ClusterState, Leadership, Primary};
use crate::{execute, fetch_all, fetch_optional};

pub(super) const LEADERSHIP: &str =
    "select epoch, primary_store, redis_run_id, opened from leadership where bot = $1";

const OTHER_MEMBERS: &str = "
    select instance, heartbeat_at from instances where bot = $1 and instance <> $2 and heartbeat_at > $3 limit 100";

const INSERT: &str = "
    insert into leadership (bot, epoch, primary_store, redis_run_id, opened, changed_at) values ($1, $2, $3, $4, $5, $6)
    on conflict (bot) do nothing";

/// The compare-and-set: the epoch tells the primary, too.
const CHANGE: &str = "
    update leadership set epoch = $2, primary_store = $3, redis_run_id = $4, opened = $5, changed_at = $6
    where bot = $1 and epoch = $7 and opened = $8";

const HEARTBEAT: &str = "
    insert into instances (bot, instance, started_at, heartbeat_at) values ($1, $2, $3, $3)
    on conflict (bot, instance) do update set heartbeat_at = excluded.heartbeat_at";

const DELETE_GONE: &str = "delete from instances where bot = $1 and heartbeat_at < $2";

const DEREGISTER: &str = "delete from instances where bot = $1 and instance = $2";

pub(super) type LeadershipRow = (i64, String, Option<String>, i64);

pub(super) fn read_leadership((epoch, primary, run_id, opened): LeadershipRow) -> Leadership {
    let primary = match (primary.as_str(), run_id) {
        ("redis", run_id) => Primary::Redis { run_id: run_id.unwrap_or_default() },
        _ => Primary::Sql,
    };
    Leadership { epoch: epoch.cast_unsigned(), primary, opened: opened != 0 }
}

pub(super) struct ReadCluster {
    pub(super) bot: i64,
    pub(super) instance: i64,
    pub(super) since: i64,
}

impl Job for ReadCluster {
    type Output = ClusterState;

    async fn run(&self, connection: &mut Connection) -> Result<ClusterState, sqlx::Error> {
        let row: Option<LeadershipRow> = fetch_optional!(&mut *connection, LEADERSHIP, self.bot)?;
        let others: Vec<(i64, i64)> =
            fetch_all!(connection, OTHER_MEMBERS, self.bot, self.instance, self.since)?;
        let others =
            others.into_iter().map(|(instance, heartbeat)| (instance, Timestamp(heartbeat))).collect();
        Ok(ClusterState { leadership: row.map(read_leadership), other_members: others })
    }
}

pub(super) struct ChangeLeadership {
    pub(super) bot: i64,
    pub(super) from: Option<Leadership>,
    pub(super) to: Leadership,
    pub(super) now: i64,
}

impl Job for ChangeLeadership {
    type Output = Option<Leadership>;

    async fn run(&self, connection: &mut Connection) -> Result<Option<Leadership>, sqlx::Error> {
        let (epoch, primary) = (self.to.epoch.cast_signed(), self.to.primary.name());
        let opened = i64::from(self.to.opened);
        let run_id = match &self.to.primary {
            Primary::Redis { run_id } => Some(run_id.as_str()),
            Primary::Sql => None,
        };
        match &self.from {
            None => execute!(&mut *connection, INSERT, self.bot, epoch, primary, run_id, opened, self.now)?,
            Some(from) => execute!(
                &mut *connection,
                CHANGE,
                self.bot,
                epoch,
                primary,
                run_id,
                opened,
                self.now,
                from.epoch.cast_signed(),
                i64::from(from.opened),
            )?,
        };
        let row: Option<LeadershipRow> = fetch_optional!(connection, LEADERSHIP, self.bot)?;
        Ok(row.map(read_leadership))
    }
}

pub(super) struct Heartbeat {
    pub(super) bot: i64,
    pub(super) instance: i64,
    pub(super) now: i64,
    pub(super) long_gone: i64,
}

impl Job for Heartbeat {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        execute!(&mut *connection, DELETE_GONE, self.bot, self.long_gone)?;
        execute!(connection, HEARTBEAT, self.bot, self.instance, self.now).map(|_| ())
    }
}

pub(super) struct Deregister {
    pub(super) bot: i64,
    pub(super) instance: i64,
}

impl Job for Deregister {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        execute!(connection, DEREGISTER, self.bot, self.instance).map(|_| ())
    }
}
