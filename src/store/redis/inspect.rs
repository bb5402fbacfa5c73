//! Whether a Redis may be in charge of conversations: looked at when the bot starts, and each time it comes back.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Clock, Timestamp};
use crate::finding::{Finding, Weight};
use crate::store::StoreError;
use crate::store::redis::{RedisStore, field};

/// How slow a round trip may be before it is worth a word.
const LATENCY_MAX: Duration = Duration::from_millis(20);
/// The oldest version that the bot is tested with.
const VERSION_MIN: u32 = 7;

/// What a server says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// `7.0.15`; what Valkey says it is compatible with, too.
    pub version: String,
    /// `8.1.0`, if it is a Valkey.
    pub valkey: Option<String>,
    /// `noeviction`, or sessions may vanish; empty if it does not say.
    pub maxmemory_policy: String,
    /// In bytes.
    pub used_memory: u64,
    /// `master` or `slave`.
    pub role: String,
    /// Another one after each start of the server.
    pub run_id: String,
    /// Whether it writes an append-only file.
    pub append_only: bool,
    /// Whether it is a node of a cluster.
    pub is_cluster: bool,
    /// How long it took to answer.
    pub latency: Duration,
}

impl Description {
    pub(super) fn read(text: &str, latency: Duration) -> Self {
        let field = |name| field(text, name).unwrap_or_default().to_owned();
        Self {
            version: field("redis_version"),
            valkey: Some(field("valkey_version")).filter(|version| !version.is_empty()),
            maxmemory_policy: field("maxmemory_policy"),
            used_memory: field("used_memory").parse().unwrap_or_default(),
            role: field("role"),
            run_id: field("run_id"),
            append_only: field("aof_enabled") == "1",
            is_cluster: field("cluster_enabled") == "1",
            latency,
        }
    }

    /// What is to be said of such a server; [`Weight::Refused`] if it must not be in charge.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = vec![self.version_finding()];
        let mut found = |weight, what: String, fix: &str| {
            findings.push(Finding::new(weight, ABOUT, what, fix));
        };
        match self.maxmemory_policy.as_str() {
            "noeviction" => {}
            "" => found(
                Weight::Warning,
                "does not tell its maxmemory-policy".to_owned(),
                "make sure that it is noeviction: any other throws conversations away",
            ),
            policy => found(
                Weight::Refused,
                format!("its maxmemory-policy is {policy}, which throws conversations away"),
                "set it to noeviction (`maxmemory-policy noeviction` in redis.conf, or where your provider lets you)",
            ),
        }
        if self.role != "master" {
            found(
                Weight::Refused,
                "is a replica, which takes no writes".to_owned(),
                "name the primary in REDIS_URL",
            );
        }
        if self.is_cluster {
            found(
                Weight::Refused,
                "is in cluster mode, and a conversation and its due index would lie on different nodes"
                    .to_owned(),
                "use a Redis without `cluster-enabled`: one is enough for every centre",
            );
        }
        if !self.append_only {
            found(Weight::Note, "its append-only file is off: harmless, SQL has a copy".to_owned(), "");
        }
        if self.latency > LATENCY_MAX {
            found(
                Weight::Warning,
                format!("answers in {} ms", self.latency.as_millis()),
                "put it nearer to the bot",
            );
        }
        findings
    }

    fn version_finding(&self) -> Finding {
        let major: u32 = self.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        let name = match &self.valkey {
            Some(version) => format!("Valkey {version}"),
            None if self.version.is_empty() => "version unknown".to_owned(),
            None => format!("version {}", self.version),
        };
        if major >= VERSION_MIN {
            return Finding::good(ABOUT, format!("{name}, answers in {} ms", self.latency.as_millis()));
        }
        let fix = format!("use version {VERSION_MIN} or newer, or a Valkey");
        Finding::new(Weight::Refused, ABOUT, format!("{name} is too old"), fix)
    }
}

const ABOUT: &str = "redis";

impl RedisStore {
    /// Looks at the server: whether it may be in charge ([`has_refusal`](crate::finding::has_refusal) says no), and
    /// what else an operator should know. A server that does not answer is one finding, [`Weight::Away`].
    ///
    /// To be called after each new connection that follows trouble, before the server is put in charge: it may have
    /// come back as a replica, or with another configuration. Changes nothing; two round trips.
    pub async fn inspect(&self, clock: &Clock) -> Vec<Finding> {
        match self.look(clock).await {
            Ok(findings) => findings,
            Err(error) => vec![away(&error)],
        }
    }

    async fn look(&self, clock: &Clock) -> Result<Vec<Finding>, StoreError> {
        // The first call opens the connection, which is not what the second one's latency is to tell.
        let asked = clock.now();
        let (seconds, micros): (i64, i64) = self.query("time", redis::cmd("TIME")).await?;
        let answered = clock.now();
        let mut findings = self.describe().await?.findings();
        let theirs = Timestamp(seconds * 1000 + micros / 1000);
        findings.push(Finding::clock("Redis", (asked, answered), theirs, Duration::ZERO));
        Ok(findings)
    }

    /// Asks the server what it is; `INFO` suffices, since `CONFIG` is often not allowed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it does not answer.
    pub async fn describe(&self) -> Result<Description, StoreError> {
        let began = Instant::now();
        let text: String = self.query("describe", redis::cmd("INFO")).await?;
        Ok(Description::read(&text, began.elapsed()))
    }
}

fn away(error: &StoreError) -> Finding {
    let text = error.to_string();
    let fix = if ["NOAUTH", "WRONGPASS", "NOPERM", "authentication failed"]
        .iter()
        .any(|code| text.contains(code))
    {
        "check user and password in REDIS_URL and REDIS_PASSWORD, and what that user may do: docs/PERSISTENCE.md lists it"
    } else {
        "check REDIS_URL and REDIS_PASSWORD, and that Redis runs and can be reached"
    };
    Finding::new(Weight::Away, ABOUT, text, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n# Memory\r\nused_memory:1048576\r\n\
        maxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:1\r\n# Replication\r\nrole:master\r\n\
        # Cluster\r\ncluster_enabled:0\r\n";

    fn weights(text: &str) -> Vec<Weight> {
        let mut weights: Vec<_> = Description::read(text, Duration::from_millis(1))
            .findings()
            .into_iter()
            .map(|finding| finding.weight)
            .collect();
        weights.sort_unstable();
        weights
    }

    #[test]
    fn a_good_server_is_good_and_each_fault_is_one_finding() {
        assert_eq!(weights(GOOD), [Weight::Good]);
        for (good, bad) in [
            ("noeviction", "allkeys-lru"),
            ("noeviction", "volatile-ttl"),
            ("role:master", "role:slave"),
            ("cluster_enabled:0", "cluster_enabled:1"),
        ] {
            assert_eq!(weights(&GOOD.replace(good, bad)), [Weight::Good, Weight::Refused], "{bad}");
        }
        assert_eq!(weights(&GOOD.replace("7.0.15", "6.2.14")), [Weight::Refused]);
        assert_eq!(weights(&GOOD.replace("7.0.15", "10.0.0")), [Weight::Good]);
        assert_eq!(weights(&GOOD.replace("aof_enabled:1", "aof_enabled:0")), [Weight::Good, Weight::Note]);
        assert_eq!(weights(&GOOD.replace("maxmemory_policy", "other")), [Weight::Good, Weight::Warning]);
        let slow = Description::read(GOOD, Duration::from_millis(21)).findings();
        assert!(slow.iter().any(|finding| finding.weight == Weight::Warning), "{slow:?}");
    }

    #[test]
    fn a_valkey_is_known_by_what_it_is_compatible_with() {
        let text = GOOD.replace("redis_version:7.0.15", "redis_version:7.2.4\r\nvalkey_version:8.1.0");
        let findings = Description::read(&text, Duration::from_millis(1)).findings();
        assert_eq!(findings, [Finding::good("redis", "Valkey 8.1.0, answers in 1 ms")]);
    }
}
