//! The inspection of a server, at the start of the bot and each time Redis comes back: whether it may be the primary.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Clock, Timestamp};
use crate::diagnostic::{Diagnostic, Severity};
use crate::store::StoreError;
use crate::store::redis::{RedisStore, field};

/// How slow a round trip may be before it is worth a word.
const LATENCY_MAX: Duration = Duration::from_millis(20);
/// The oldest version that the bot is tested with.
const VERSION_MIN: u32 = 7;

/// A server, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// `7.0.15`; of a Valkey, the version that it is compatible with.
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

    /// The diagnostics of such a server; one is [`Severity::Fatal`] if it must not be the primary.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut diagnostics = vec![self.version_diagnostic()];
        let mut diagnose = |severity, what: String, fix: &str| {
            diagnostics.push(Diagnostic::new(severity, COMPONENT, what, fix));
        };
        match self.maxmemory_policy.as_str() {
            "noeviction" => {}
            "" => diagnose(
                Severity::Warning,
                "does not tell its maxmemory-policy".to_owned(),
                "make sure that it is noeviction: any other throws conversations away",
            ),
            policy => diagnose(
                Severity::Fatal,
                format!("its maxmemory-policy is {policy}, which throws conversations away"),
                "set it to noeviction (`maxmemory-policy noeviction` in redis.conf, or where your provider lets you)",
            ),
        }
        if self.role != "master" {
            diagnose(
                Severity::Fatal,
                "is a replica, which takes no writes".to_owned(),
                "name the primary in REDIS_URL",
            );
        }
        if self.is_cluster {
            diagnose(
                Severity::Fatal,
                "is in cluster mode, and a conversation and its due index would lie on different nodes"
                    .to_owned(),
                "use a Redis without `cluster-enabled`: one is enough for every centre",
            );
        }
        if !self.append_only {
            diagnose(Severity::Info, "its append-only file is off: harmless, SQL has a copy".to_owned(), "");
        }
        if self.latency > LATENCY_MAX {
            diagnose(
                Severity::Warning,
                format!("answers in {} ms", self.latency.as_millis()),
                "put it nearer to the bot",
            );
        }
        diagnostics
    }

    fn version_diagnostic(&self) -> Diagnostic {
        let major: u32 = self.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        let name = match &self.valkey {
            Some(version) => format!("Valkey {version}"),
            None if self.version.is_empty() => "version unknown".to_owned(),
            None => format!("version {}", self.version),
        };
        if major >= VERSION_MIN {
            return Diagnostic::ok(COMPONENT, format!("{name}, answers in {} ms", self.latency.as_millis()));
        }
        let fix = format!("use version {VERSION_MIN} or newer, or a Valkey");
        Diagnostic::new(Severity::Fatal, COMPONENT, format!("{name} is too old"), fix)
    }
}

const COMPONENT: &str = "redis";

impl RedisStore {
    /// Diagnoses the server: whether it may be the primary ([`Severity::Fatal`] says no), and what else an operator should
    /// know. A server that does not answer is one diagnostic, [`Severity::Unavailable`].
    ///
    /// To be called after each new connection that follows an outage, before the server becomes the primary: it may have
    /// come back as a replica, or with another configuration. Changes nothing; two round trips.
    pub async fn inspect(&self, clock: &Clock) -> Vec<Diagnostic> {
        match self.diagnose(clock).await {
            Ok(diagnostics) => diagnostics,
            Err(error) => vec![unavailable(&error)],
        }
    }

    async fn diagnose(&self, clock: &Clock) -> Result<Vec<Diagnostic>, StoreError> {
        // The first call opens the connection, which is no part of the latency that the second one measures.
        let asked = clock.now();
        let (seconds, micros): (i64, i64) = self.query("time", redis::cmd("TIME")).await?;
        let answered = clock.now();
        let mut diagnostics = self.describe().await?.diagnostics();
        let theirs = Timestamp(seconds * 1000 + micros / 1000);
        diagnostics.push(Diagnostic::clock("Redis", (asked, answered), theirs, Duration::ZERO));
        Ok(diagnostics)
    }

    /// Asks the server to describe itself; `INFO` suffices, since `CONFIG` is often not allowed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it does not answer.
    pub async fn describe(&self) -> Result<Description, StoreError> {
        let began = Instant::now();
        let text: String = self.query("describe", redis::cmd("INFO")).await?;
        Ok(Description::read(&text, began.elapsed()))
    }
}

fn unavailable(error: &StoreError) -> Diagnostic {
    let text = error.to_string();
    let fix = if ["NOAUTH", "WRONGPASS", "NOPERM", "authentication failed"]
        .iter()
        .any(|code| text.contains(code))
    {
        "check user and password in REDIS_URL and REDIS_PASSWORD, and the rights of that user: docs/PERSISTENCE.md lists them"
    } else {
        "check REDIS_URL and REDIS_PASSWORD, and that Redis runs and can be reached"
    };
    Diagnostic::new(Severity::Unavailable, COMPONENT, text, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n# Memory\r\nused_memory:1048576\r\n\
        maxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:1\r\n# Replication\r\nrole:master\r\n\
        # Cluster\r\ncluster_enabled:0\r\n";

    fn severities(text: &str) -> Vec<Severity> {
        let mut severities: Vec<_> = Description::read(text, Duration::from_millis(1))
            .diagnostics()
            .into_iter()
            .map(|diagnostic| diagnostic.severity)
            .collect();
        severities.sort_unstable();
        severities
    }

    #[test]
    fn a_good_server_is_good_and_each_fault_is_one_finding() {
        assert_eq!(severities(GOOD), [Severity::Ok]);
        for (good, bad) in [
            ("noeviction", "allkeys-lru"),
            ("noeviction", "volatile-ttl"),
            ("role:master", "role:slave"),
            ("cluster_enabled:0", "cluster_enabled:1"),
        ] {
            assert_eq!(severities(&GOOD.replace(good, bad)), [Severity::Ok, Severity::Fatal], "{bad}");
        }
        assert_eq!(severities(&GOOD.replace("7.0.15", "6.2.14")), [Severity::Fatal]);
        assert_eq!(severities(&GOOD.replace("7.0.15", "10.0.0")), [Severity::Ok]);
        assert_eq!(
            severities(&GOOD.replace("aof_enabled:1", "aof_enabled:0")),
            [Severity::Ok, Severity::Info]
        );
        assert_eq!(severities(&GOOD.replace("maxmemory_policy", "other")), [Severity::Ok, Severity::Warning]);
        let slow = Description::read(GOOD, Duration::from_millis(21)).diagnostics();
        assert!(slow.iter().any(|diagnostic| diagnostic.severity == Severity::Warning), "{slow:?}");
    }

    #[test]
    fn a_valkey_is_known_by_what_it_is_compatible_with() {
        let text = GOOD.replace("redis_version:7.0.15", "redis_version:7.2.4\r\nvalkey_version:8.1.0");
        let diagnostics = Description::read(&text, Duration::from_millis(1)).diagnostics();
        assert_eq!(diagnostics, [Diagnostic::ok("redis", "Valkey 8.1.0, answers in 1 ms")]);
    }
}
