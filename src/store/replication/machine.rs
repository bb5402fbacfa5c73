//! The failover machine: from what this instance believes and what it has just observed to the one thing to do next.
//!
//! Pure, so that `docs/FAILOVER.md` can draw it and every case can be asserted. The [monitor](super::monitor) observes
//! and executes; an action that ends with a new fact returns it as the next observation.

use crate::store::replication::{LeaderView, Leadership, Primary};

/// Where an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The leadership row has not been read: no store takes commits here.
    Starting,
    /// SQL is the primary, and what was sent to Redis may still be executed or replicated: commits wait.
    Draining,
    /// SQL is the primary.
    Sql,
    /// Redis is to be the primary once the sessions are copied to it: commits wait.
    Copying,
    /// Redis is the primary, and has not yet shown this instance that it serves the epoch of the row: commits wait.
    Confirming,
    /// Redis is the primary.
    Redis,
}

impl LeaderView {
    /// Where an instance with this view stands.
    #[must_use]
    pub fn state(&self) -> State {
        match (&self.leadership.primary, self.is_open) {
            (Primary::Sql, true) => State::Sql,
            (Primary::Sql, false) if self.leadership.epoch == 0 => State::Starting,
            (Primary::Sql, false) => State::Draining,
            (Primary::Redis { .. }, true) => State::Redis,
            (Primary::Redis { .. }, false) if self.leadership.opened => State::Confirming,
            (Primary::Redis { .. }, false) => State::Copying,
        }
    }

    fn open(leadership: Leadership) -> Self {
        Self { leadership, is_open: true }
    }

    fn closed(leadership: Leadership) -> Self {
        Self { leadership, is_open: false }
    }
}

/// A fact that the machine acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// SQL answered: its leadership row, or `None` before the first start of this bot.
    Row(Option<Leadership>),
    /// Two probes of Redis in a row failed.
    RedisFailed,
    /// Redis answered a probe.
    RedisAnswered {
        /// Which run of the server.
        run_id: String,
        /// Its key `epoch`, if it has one.
        epoch: Option<u64>,
        /// It has answered for the whole return delay, or need not: the sole member starts, and has served no update
        /// yet.
        is_proven: bool,
    },
    /// Redis answers, and must not be the primary: it evicts, is a replica, or is too old.
    RedisIneligible,
    /// The row names this leadership now, by the compare-and-set of this instance; if it is SQL, perhaps by that of
    /// another.
    Elected(Leadership),
    /// Nothing that was sent to Redis can be executed any more, and the mirror has written what it could.
    Drained,
    /// All sessions are in Redis, the row says so, and Redis serves the epoch.
    Copied,
    /// The sessions could not be copied to Redis.
    CopyFailed {
        /// Redis itself has made the copy fail for ten seconds.
        is_final: bool,
    },
}

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leave everything as it is.
    Stay,
    /// Write the first leadership row: SQL, epoch 1.
    Bootstrap,
    /// Replace the row that this instance believes in by this one, if it still is in SQL. Before Redis is elected the
    /// mirror has to write everything that this instance saw committed: it would miss the copy.
    Elect(Leadership),
    /// SQL is the primary: wait until nothing can be executed in Redis any more, and let the mirror finish.
    Drain(Leadership),
    /// Another instance made Redis the primary: wait for a probe that confirms it.
    Confirm(Leadership),
    /// Copy the sessions from SQL to Redis, note that in the row, and let Redis serve the epoch.
    Copy(Leadership),
    /// Take commits.
    Open(Leadership),
}

/// The one thing to do after an observation.
#[must_use]
pub fn decide(view: &LeaderView, observation: &Observation) -> Action {
    let current = &view.leadership;
    match (&current.primary, observation) {
        (_, Observation::Row(None)) => Action::Bootstrap,
        (_, Observation::Row(Some(row))) => follow(current, row),
        (_, Observation::Elected(leadership)) => match leadership.primary {
            Primary::Sql => Action::Drain(leadership.clone()),
            Primary::Redis { .. } => Action::Copy(leadership.clone()),
        },
        (_, Observation::Drained) => Action::Open(current.clone()),
        (_, Observation::Copied) => Action::Open(current.clone().into_opened()),
        (Primary::Redis { .. }, Observation::CopyFailed { is_final: false })
        | (
            Primary::Sql,
            Observation::RedisFailed | Observation::RedisIneligible | Observation::CopyFailed { .. },
        ) => Action::Stay,
        (
            Primary::Redis { .. },
            Observation::RedisFailed
            | Observation::RedisIneligible
            | Observation::CopyFailed { is_final: true },
        ) => Action::Elect(Leadership::sql(current.epoch + 1)),
        (Primary::Sql, Observation::RedisAnswered { run_id, epoch, is_proven }) => {
            if *is_proven && current.epoch > 0 { elect_redis(current, run_id, *epoch) } else { Action::Stay }
        }
        (Primary::Redis { run_id: elected }, Observation::RedisAnswered { run_id, epoch, .. }) => {
            confirm(current, elected == run_id, run_id, *epoch)
        }
    }
}

/// Follows the row where another instance has changed it.
fn follow(current: &Leadership, row: &Leadership) -> Action {
    match row.primary {
        _ if current == row => Action::Stay,
        Primary::Sql => Action::Drain(row.clone()),
        Primary::Redis { .. } => Action::Confirm(row.clone()),
    }
}

/// Compares what Redis says of itself with the row that makes it the primary.
fn confirm(current: &Leadership, is_elected_run: bool, run_id: &str, epoch: Option<u64>) -> Action {
    match epoch {
        Some(epoch) if is_elected_run && epoch == current.epoch => Action::Open(current.clone()),
        // The copy was begun and not finished: any instance that finds it goes on with it.
        Some(epoch) if is_elected_run && epoch < current.epoch && !current.opened => {
            Action::Copy(current.clone())
        }
        None if is_elected_run && !current.opened => Action::Copy(current.clone()),
        // Restarted, emptied, rolled back, or ahead of a database that was restored.
        Some(_) | None => elect_redis(current, run_id, epoch),
    }
}

/// A new epoch of Redis, above every epoch that SQL or Redis knows.
fn elect_redis(current: &Leadership, run_id: &str, epoch: Option<u64>) -> Action {
    Action::Elect(Leadership::redis(current.epoch.max(epoch.unwrap_or_default()) + 1, run_id))
}

impl Action {
    /// The view while the action is under way. The action that takes commits is always [`Action::Open`].
    #[must_use]
    pub fn view(&self, before: &LeaderView) -> LeaderView {
        match self {
            Self::Stay | Self::Bootstrap => before.clone(),
            // A Redis that has lost its epoch takes no commits until it is elected anew.
            Self::Elect(to) if to.is_redis() && before.leadership.is_redis() => {
                LeaderView::closed(before.leadership.clone())
            }
            Self::Elect(_) => before.clone(),
            Self::Drain(leadership) | Self::Confirm(leadership) | Self::Copy(leadership) => {
                LeaderView::closed(leadership.clone())
            }
            Self::Open(leadership) => LeaderView::open(leadership.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(leadership: Leadership) -> LeaderView {
        LeaderView { leadership, is_open: true }
    }

    fn answered(run_id: &str, epoch: Option<u64>, is_proven: bool) -> Observation {
        Observation::RedisAnswered { run_id: run_id.to_owned(), epoch, is_proven }
    }

    #[test]
    fn sql_is_elected_when_the_redis_that_is_the_primary_fails() {
        let redis = open(Leadership::redis(4, "first").into_opened());
        for observation in [
            Observation::RedisFailed,
            Observation::RedisIneligible,
            Observation::CopyFailed { is_final: true },
        ] {
            assert_eq!(decide(&redis, &observation), Action::Elect(Leadership::sql(5)), "{observation:?}");
        }
        assert_eq!(decide(&redis, &Observation::CopyFailed { is_final: false }), Action::Stay);
        let sql = open(Leadership::sql(5));
        for observation in [Observation::RedisFailed, Observation::RedisIneligible] {
            assert_eq!(decide(&sql, &observation), Action::Stay, "{observation:?}");
        }
    }

    #[test]
    fn an_elected_store_takes_commits_only_after_the_drain_or_the_copy() {
        let (sql, redis) = (Leadership::sql(5), Leadership::redis(6, "first"));
        let drain = decide(&LeaderView::unknown(), &Observation::Elected(sql.clone()));
        let draining = drain.view(&LeaderView::unknown());
        assert_eq!((drain, draining.state()), (Action::Drain(sql.clone()), State::Draining));
        assert_eq!(decide(&draining, &Observation::Drained), Action::Open(sql.clone()));
        let copy = decide(&open(sql.clone()), &Observation::Elected(redis.clone()));
        let copying = copy.view(&open(sql));
        assert_eq!((copy, copying.state()), (Action::Copy(redis.clone()), State::Copying));
        assert_eq!(decide(&copying, &Observation::Copied), Action::Open(redis.into_opened()));
    }

    #[test]
    fn redis_returns_under_an_epoch_above_all_once_it_has_proven_itself() {
        let sql = open(Leadership::sql(5));
        assert_eq!(decide(&sql, &answered("first", Some(4), false)), Action::Stay);
        let returns = |epoch| decide(&sql, &answered("first", epoch, true));
        assert_eq!(returns(Some(4)), Action::Elect(Leadership::redis(6, "first")));
        assert_eq!(
            returns(Some(9)),
            Action::Elect(Leadership::redis(10, "first")),
            "the database was restored"
        );
        assert_eq!(
            decide(&LeaderView::unknown(), &answered("first", None, true)),
            Action::Stay,
            "no row yet"
        );
    }

    #[test]
    fn a_redis_that_lost_something_is_elected_anew_and_closed_meanwhile() {
        let opened = Leadership::redis(4, "first").into_opened();
        for (run_id, epoch) in [("second", Some(4)), ("first", None), ("first", Some(3)), ("first", Some(9))]
        {
            let action = decide(&open(opened.clone()), &answered(run_id, epoch, false));
            let elected = Leadership::redis(epoch.unwrap_or(4).max(4) + 1, run_id);
            assert_eq!(action, Action::Elect(elected), "{run_id} {epoch:?}");
            assert_eq!(action.view(&open(opened.clone())).state(), State::Confirming);
        }
        assert_eq!(decide(&open(opened.clone()), &answered("first", Some(4), false)), Action::Open(opened));
    }

    #[test]
    fn a_copy_that_was_not_finished_goes_on() {
        let copying = Leadership::redis(4, "first");
        let view = LeaderView { leadership: copying.clone(), is_open: false };
        for epoch in [None, Some(2)] {
            assert_eq!(decide(&view, &answered("first", epoch, false)), Action::Copy(copying.clone()));
        }
        let restarted = decide(&view, &answered("second", None, false));
        assert_eq!(restarted, Action::Elect(Leadership::redis(5, "second")));
    }

    #[test]
    fn the_row_is_followed_wherever_another_instance_has_changed_it() {
        let redis = open(Leadership::redis(4, "first").into_opened());
        assert_eq!(decide(&redis, &Observation::Row(None)), Action::Bootstrap);
        assert_eq!(decide(&redis, &Observation::Row(Some(redis.leadership.clone()))), Action::Stay);
        let sql = Leadership::sql(5);
        assert_eq!(decide(&redis, &Observation::Row(Some(sql.clone()))), Action::Drain(sql));
        let other = Leadership::redis(6, "second").into_opened();
        let action = decide(&redis, &Observation::Row(Some(other.clone())));
        assert_eq!(action.view(&redis).state(), State::Confirming);
        assert_eq!(action, Action::Confirm(other));
    }
}
