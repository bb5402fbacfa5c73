//! The leadership row: which store is the primary for sessions, since which epoch, and which writes follow from that.
//!
//! One row in SQL says it for all instances and is changed by compare-and-set. Each change begins a new epoch, which
//! fences the one before: SQL checks the row inside each committing transaction, the scripts of Redis check their key
//! `epoch`.

/// The row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// Grows by one or more with each change of the primary.
    pub epoch: u64,
    /// Which store takes commits.
    pub primary: Primary,
    /// False while the sessions are being copied to a Redis that is to be the primary: no store takes commits then.
    pub opened: bool,
}

/// The store that takes commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Primary {
    /// The database, which also holds the row.
    Sql,
    /// One run of a Redis server. After a restart the server may have lost something, so it counts as another primary.
    Redis {
        /// The `run_id` of `INFO`.
        run_id: String,
    },
}

impl Primary {
    /// `sql` or `redis`: for the row, logs, metrics and readiness.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Redis { .. } => "redis",
        }
    }
}

impl Leadership {
    /// SQL as the primary from `epoch` on. It has every session that was acknowledged, so nothing is copied.
    #[must_use]
    pub fn sql(epoch: u64) -> Self {
        Self { epoch, primary: Primary::Sql, opened: true }
    }

    /// A run of Redis as the primary from `epoch` on, once the sessions are copied to it.
    #[must_use]
    pub fn redis(epoch: u64, run_id: &str) -> Self {
        Self { epoch, primary: Primary::Redis { run_id: run_id.to_owned() }, opened: false }
    }

    /// The same with its sessions copied.
    #[must_use]
    pub fn into_opened(self) -> Self {
        Self { opened: true, ..self }
    }

    /// Whether the primary is a Redis.
    #[must_use]
    pub fn is_redis(&self) -> bool {
        self.primary != Primary::Sql
    }

    /// Whether SQL takes a commit that was made under `epoch`.
    #[must_use]
    pub fn lets_sql_commit(&self, epoch: u64) -> bool {
        self.primary == Primary::Sql && self.epoch == epoch
    }

    /// Whether an epoch is over.
    #[must_use]
    pub fn is_past(&self, epoch: u64) -> bool {
        self.epoch > epoch
    }

    /// Whether the mirror may write to SQL what Redis committed under `epoch`. A write of an epoch that is over is
    /// late: it is welcome while SQL is the primary; once Redis is the primary again it would have missed the copy.
    #[must_use]
    pub fn lets_mirror_write(&self, epoch: u64) -> bool {
        !self.is_past(epoch) || self.primary == Primary::Sql
    }
}

/// The outcome of a document that the mirror brought to SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorOutcome {
    /// SQL has the document, or a later one of the same branch.
    Written,
    /// SQL has another branch, or the sessions were copied to Redis without it: it was stored in `conflicts`.
    Lost,
}

/// The versions of one session's row in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqlCopy {
    /// Epoch and version of the document.
    pub stamp: (u64, u64),
    /// The id of the commit that wrote it.
    pub commit: u64,
    /// Epoch and version that the mirror last wrote.
    pub replicated: (u64, u64),
}

impl MirrorOutcome {
    /// The outcome of a document, given the copy that SQL has of its session; `None` where SQL has nothing as high, so
    /// that the document is to be written. `is_late`: the epoch under which Redis committed it is over.
    #[must_use]
    pub fn of(stamp: (u64, u64), commit: u64, there: Option<SqlCopy>, is_late: bool) -> Option<Self> {
        let there = there.filter(|there| there.stamp >= stamp)?;
        let has_it = if there.stamp == stamp {
            there.commit == commit
        } else {
            // Within its epoch, and while the epoch lasts, there is one line of versions.
            !is_late || there.stamp.0 == stamp.0 || there.replicated >= stamp
        };
        Some(if has_it { Self::Written } else { Self::Lost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_mirror_write_enters_only_while_sql_is_the_primary() {
        let (sql, redis) = (Leadership::sql(5), Leadership::redis(5, "first"));
        assert!(sql.lets_mirror_write(5) && sql.lets_mirror_write(4));
        assert!(redis.lets_mirror_write(5) && !redis.lets_mirror_write(4));
        assert!(sql.lets_sql_commit(5) && !sql.lets_sql_commit(4) && !redis.lets_sql_commit(5));
    }

    #[test]
    fn a_document_loses_against_another_branch() {
        let there = |epoch, version, replicated| {
            Some(SqlCopy { stamp: (epoch, version), commit: version, replicated })
        };
        let outcome = |there, is_late| MirrorOutcome::of((2, 5), 5, there, is_late);
        let (written, lost) = (Some(MirrorOutcome::Written), Some(MirrorOutcome::Lost));
        assert_eq!(outcome(None, false), None);
        assert_eq!(outcome(there(2, 4, (2, 4)), false), None);
        assert_eq!(outcome(there(2, 5, (2, 5)), true), written, "the same commit");
        assert_eq!(MirrorOutcome::of((2, 5), 99, there(2, 5, (2, 5)), false), lost, "another commit");
        assert_eq!(outcome(there(3, 6, (0, 0)), false), written, "the epoch lasts: one line of versions");
        assert_eq!(outcome(there(2, 6, (0, 0)), true), written, "the same epoch");
        assert_eq!(outcome(there(3, 6, (2, 5)), true), written, "SQL went on from it");
        assert_eq!(outcome(there(3, 6, (2, 4)), true), lost, "SQL went on without it");
    }
}
