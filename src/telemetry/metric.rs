//! All metrics: one that is not in this list does not exist.
//!
//! Prefix `depot_`, base units, no ids and no texts in labels: the number of series is bounded by this file.

/// One metric family.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, as Prometheus sees it.
    pub name: &'static str,
    /// Its kind.
    pub kind: MetricKind,
    /// Its description, in one sentence.
    pub about: &'static str,
    /// Its labels with their values; an empty list of values is known only at run time.
    pub labels: &'static [(&'static str, &'static [&'static str])],
}

/// The kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations by size, in these buckets.
    Histogram(&'static [f64]),
}

/// Buckets for durations: from half a millisecond, a Redis commit, to ten seconds, the limit of a call to a chat.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Buckets for calls to transcription servers and chat models, which may run on small machines.
const MODEL_CALLS: &[f64] = &[0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];
/// Buckets for how many jobs share one transaction.
const JOBS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0];

/// The kinds of rows under retention.
const RETAINED: &[&str] = &["dead_letters", "conflicts", "quarantine", "drafts", "deliveries", "cache"];

type Labels = &'static [(&'static str, &'static [&'static str])];

const fn counter(name: &'static str, labels: Labels, about: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, about, labels }
}

const fn gauge(name: &'static str, labels: Labels, about: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, about, labels }
}

const fn seconds(name: &'static str, labels: Labels, about: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Histogram(SECONDS), about, labels }
}

const KINDS: &[&str] = &["message", "edited_message", "callback_query", "my_chat_member", "unknown"];
const OUTCOMES: &[&str] = &["handled", "refused", "ignored", "dead_letter"];
const CAUSES: &[&str] = &["update", "outcome", "deadline"];
const VERDICTS: &[&str] = &["applied"];
const REDIS: &[&str] = &[
    "commit",
    "load",
    "due",
    "statistics",
    "probe",
    "restore",
    "open",
    "debt",
    "paid",
    "cached",
    "keep",
    "count",
];
const REDIS_CLASSES: &[&str] =
    &["unavailable", "unknown", "broken", "read_only", "refused", "wrong_type", "other_server"];
const STORES: &[&str] = &["redis", "sql"];
const SQL: &[&str] = &["read", "write"];
const SQL_CLASSES: &[&str] = &["unavailable", "unknown", "full", "failed"];
const STATUSES: &[&str] = &["completed", "cancelled", "expired", "classification_failed", "reversed"];
const DEAD_LETTER_REASONS: &[&str] = &["unreadable", "panicked", "timed_out", "newer_session"];
const SPEECH_OUTCOMES: &[&str] = &["heard", "nothing", "unavailable", "failed"];
const MODEL_OUTCOMES: &[&str] = &["used", "invalid", "slow", "unavailable", "over_budget", "overruled"];
const EFFECTS: &[&str] = &["show_card", "say", "transcribe", "understand", "record_deposit"];

const AGREED: (&str, &[&str]) = ("agreed", &["yes", "no"]);
const BANDS: &[&str] = &["unknown", "to_check", "sure", "very_sure"];

/// Lines that were validated.
pub const LINES_VALIDATED: Metric = counter(
    "depot_lines_validated_total",
    &[("model", &[]), ("category", &[]), AGREED],
    "Lines that were validated, by the model and category that were proposed, and whether that stood.",
);
/// Lines that were validated, by how sure the model was.
pub const CONFIDENCE_LINES: Metric = counter(
    "depot_confidence_lines_total",
    &[("band", BANDS), AGREED],
    "Lines that were validated, by how sure the model was, and whether its proposal stood: the calibration.",
);
/// Categories that were replaced.
pub const CORRECTIONS: Metric = counter(
    "depot_corrections_total",
    &[("proposed", &[]), ("chosen", &[])],
    "Lines whose proposed category was replaced, by both: the correction matrix.",
);
/// Names that were learned.
pub const LEXICON_LEARNED: Metric = gauge(
    "depot_lexicon_learned",
    &[],
    "Names that this site has learned from corrections: see `depot-bot lexicon list`.",
);
/// Updates, by kind and outcome.
pub const UPDATES: Metric = counter(
    "depot_updates_total",
    &[("kind", KINDS), ("outcome", OUTCOMES)],
    "Updates from Telegram, by kind and outcome.",
);
/// Updates that became dead letters.
pub const DEAD_LETTERS_ADDED: Metric = counter(
    "depot_dead_letters_total",
    &[("reason", DEAD_LETTER_REASONS)],
    "Updates that could not be handled and became dead letters, by reason.",
);
/// Documents that could not be read.
pub const QUARANTINED: Metric = counter(
    "depot_quarantined_total",
    &[],
    "Sessions that could not be read and were quarantined; a new session replaced each.",
);
/// Requests that the webhook refused.
pub const WEBHOOK_REFUSED: Metric = counter(
    "depot_webhook_refused_total",
    &[("code", &["401", "404", "405", "413", "503"])],
    "Requests that the webhook refused, by the status code of the response.",
);
/// Updates that wait at Telegram.
pub const WEBHOOK_PENDING: Metric =
    gauge("depot_webhook_pending", &[], "Updates that wait at Telegram to be posted to the webhook.");
/// Commits, by cause and verdict.
pub const COMMITS: Metric = counter(
    "depot_commits_total",
    &[("cause", CAUSES), ("verdict", VERDICTS)],
    "Commits of sessions, by cause.",
);
/// How long a commit takes.
pub const COMMIT_SECONDS: Metric =
    seconds("depot_commit_seconds", &[], "From the loading of a session to its commit.");
/// Commits that another commit overtook.
pub const CONFLICTS: Metric =
    counter("depot_conflicts_total", &[], "Commits that another one overtook and that were applied again.");
/// Events that had been handled before.
pub const DUPLICATES: Metric =
    counter("depot_duplicates_total", &[], "Updates that had been handled before and changed nothing.");
/// Deposits that reached the ledger.
pub const DEPOSITS_RECORDED: Metric = counter(
    "depot_deposits_total",
    &[("status", STATUSES)],
    "Revisions of deposits that this process wrote to the ledger, by the status they have there.",
);
/// Deposits in the ledger.
pub const DEPOSITS: Metric =
    gauge("depot_deposits", &[("status", STATUSES)], "Deposits in the ledger, by status.");
/// Sessions with pending work.
pub const SESSIONS_ACTIVE: Metric =
    gauge("depot_sessions_active", &[], "Sessions that are open or have pending work.");
/// Effects that wait.
pub const EFFECTS_PENDING: Metric =
    gauge("depot_effects_pending", &[], "Sessions that are due and not yet processed.");
/// How late the effects are.
pub const EFFECT_AGE_SECONDS: Metric =
    seconds("depot_effect_age_seconds", &[], "From an effect's commit to its success.");
/// Effects that failed for good.
pub const EFFECTS_FAILED: Metric =
    counter("depot_effects_failed_total", &[("effect", EFFECTS)], "Effects that failed for good, by effect.");
/// Recordings that were transcribed.
pub const SPEECH: Metric = counter(
    "depot_speech_total",
    &[("outcome", SPEECH_OUTCOMES)],
    "Transcriptions of voice notes, by outcome.",
);
/// How long transcription takes.
pub const SPEECH_SECONDS: Metric = Metric {
    name: "depot_speech_seconds",
    kind: MetricKind::Histogram(MODEL_CALLS),
    about: "How long the transcription server takes for a voice note.",
    labels: &[],
};
/// Notes that were sent to the chat model.
pub const MODEL: Metric = counter(
    "depot_model_total",
    &[("outcome", MODEL_OUTCOMES)],
    "Notes for the chat model, by outcome; all but `used` were left to the embedded model.",
);
/// How long the chat model takes.
pub const MODEL_SECONDS: Metric = Metric {
    name: "depot_model_seconds",
    kind: MetricKind::Histogram(MODEL_CALLS),
    about: "How long the chat model takes for a note.",
    labels: &[],
};
/// Cached answers of paid servers.
pub const CACHE: Metric = counter(
    "depot_cache_total",
    &[("kind", &["transcription", "lines"]), ("outcome", &["hit", "miss"])],
    "Look-ups in the cache of paid answers, by kind.",
);
/// Calls to Telegram.
pub const TELEGRAM_CALLS: Metric = counter(
    "depot_telegram_calls_total",
    &[("method", &[]), ("code", &[])],
    "Calls to the Bot API, by method and by the code of the answer; code 0 is no answer.",
);
/// How long calls to Telegram take.
pub const TELEGRAM_SECONDS: Metric =
    seconds("depot_telegram_seconds", &[("method", &[])], "How long calls to the Bot API take, by method.");
/// Pauses that Telegram asked for.
pub const TELEGRAM_PAUSES: Metric = counter(
    "depot_telegram_pauses_total",
    &[("whole_bot", &["no", "yes"])],
    "Pauses that Telegram asked for (429), of one chat or of the whole bot.",
);
/// How long Redis takes.
pub const REDIS_SECONDS: Metric =
    seconds("depot_redis_seconds", &[("operation", &[])], "How long calls to Redis take, by operation.");
/// Calls to Redis that failed.
pub const REDIS_ERRORS: Metric = counter(
    "depot_redis_errors_total",
    &[("operation", REDIS), ("class", REDIS_CLASSES)],
    "Calls to Redis that failed or were not answered in time, by operation and class of error.",
);
/// The memory that Redis uses.
pub const REDIS_MEMORY_BYTES: Metric =
    gauge("depot_redis_memory_bytes", &[], "The memory that Redis reports to use; 0 without Redis.");
/// The primary of sessions.
pub const STORE_PRIMARY: Metric = gauge(
    "depot_store_primary",
    &[("store", STORES)],
    "1 for the primary, the store that takes commits of sessions, 0 for the other; both 0 during a failover. Only with Redis.",
);
/// The epoch of the leadership.
pub const STORE_EPOCH: Metric =
    gauge("depot_store_epoch", &[], "The epoch, which grows with each failover. Only with Redis.");
/// Failovers.
pub const FAILOVERS: Metric = counter(
    "depot_failovers_total",
    &[("to", STORES)],
    "Failovers that this process made, by the new primary.",
);
/// Sessions that are not yet replicated.
pub const REPLICATION_BACKLOG: Metric =
    gauge("depot_replication_backlog", &[], "Sessions whose last commit is in Redis and not yet in SQL.");
/// The age of the oldest of them.
pub const REPLICATION_LAG_SECONDS: Metric = gauge(
    "depot_replication_lag_seconds",
    &[],
    "How long the oldest commit that is not yet in SQL has been in Redis.",
);
/// How long the mirror takes.
pub const MIRROR_SECONDS: Metric =
    seconds("depot_mirror_seconds", &[], "How long the mirror takes to write a group of sessions to SQL.");
/// How long updates wait for the mirror.
pub const MIRROR_WAIT_SECONDS: Metric = seconds(
    "depot_mirror_wait_seconds",
    &[],
    "How long the acknowledgement of an update waited for the mirror after its commit.",
);
/// Documents that lost in a failover.
pub const BRANCHES_LOST: Metric = counter(
    "depot_branches_lost_total",
    &[],
    "Documents that lost in a failover; they are stored in `conflicts`.",
);
/// How long SQL takes.
pub const SQL_SECONDS: Metric =
    seconds("depot_sql_seconds", &[("operation", SQL)], "How long SQL jobs take, reading and writing.");
/// SQL transactions that failed.
pub const SQL_ERRORS: Metric = counter(
    "depot_sql_errors_total",
    &[("operation", SQL), ("class", SQL_CLASSES)],
    "SQL jobs that failed or were not answered in time, by class of error.",
);
/// How many jobs share one transaction.
pub const SQL_GROUP_JOBS: Metric = Metric {
    name: "depot_sql_group_jobs",
    kind: MetricKind::Histogram(JOBS),
    about: "How many jobs the writer put into one SQL transaction.",
    labels: &[],
};
/// The age of the last iteration of the intake.
pub const INTAKE_AGE_SECONDS: Metric =
    gauge("depot_intake_age_seconds", &[], "The age of the last completed iteration of the intake.");
/// Deliveries that wait.
pub const DELIVERIES_PENDING: Metric =
    gauge("depot_deliveries_pending", &[], "Messages to other users' chats that wait to be sent.");
/// Dead letters.
pub const DEAD_LETTERS: Metric =
    gauge("depot_dead_letters", &[], "Updates that could not be handled, stored for an operator.");
/// Rows removed by retention.
pub const PURGED: Metric = counter(
    "depot_purged_total",
    &[("kind", RETAINED)],
    "Rows that were removed, and texts that were erased, by retention.",
);
/// The age of rows under retention.
pub const RETAINED_OLDEST_SECONDS: Metric = gauge(
    "depot_retained_oldest_seconds",
    &[("kind", RETAINED)],
    "The age of the oldest row; 0 if there is none.",
);
/// Repeats that users may have seen.
pub const REPEATS_POSSIBLE: Metric = counter(
    "depot_repeats_possible_total",
    &[("method", &["sendMessage"])],
    "Messages that were sent again because the outcome of the first call is unknown.",
);
/// Lines of the log that were dropped.
pub const LOG_LINES_DROPPED: Metric = counter(
    "depot_log_lines_dropped_total",
    &[],
    "Lines of the log that were dropped because its reader is blocked.",
);
/// Panics.
pub const PANICS: Metric = counter("depot_panics_total", &[], "Tasks that panicked: defects of the program.");
/// The running release.
pub const BUILD: Metric = Metric {
    name: "depot_build_info",
    kind: MetricKind::Gauge,
    about: "Always 1; the label is the running release.",
    labels: &[("version", &[env!("CARGO_PKG_VERSION")])],
};

/// All of them.
pub const ALL: [Metric; 50] = [
    UPDATES,
    DEAD_LETTERS_ADDED,
    QUARANTINED,
    WEBHOOK_REFUSED,
    WEBHOOK_PENDING,
    COMMITS,
    COMMIT_SECONDS,
    CONFLICTS,
    DUPLICATES,
    DEPOSITS_RECORDED,
    DEPOSITS,
    SESSIONS_ACTIVE,
    EFFECTS_PENDING,
    EFFECT_AGE_SECONDS,
    EFFECTS_FAILED,
    SPEECH,
    SPEECH_SECONDS,
    MODEL,
    MODEL_SECONDS,
    CACHE,
    TELEGRAM_CALLS,
    TELEGRAM_SECONDS,
    TELEGRAM_PAUSES,
    REDIS_SECONDS,
    REDIS_ERRORS,
    REDIS_MEMORY_BYTES,
    STORE_PRIMARY,
    STORE_EPOCH,
    FAILOVERS,
    REPLICATION_BACKLOG,
    REPLICATION_LAG_SECONDS,
    MIRROR_SECONDS,
    MIRROR_WAIT_SECONDS,
    BRANCHES_LOST,
    SQL_SECONDS,
    SQL_ERRORS,
    SQL_GROUP_JOBS,
    INTAKE_AGE_SECONDS,
    DELIVERIES_PENDING,
    DEAD_LETTERS,
    PURGED,
    RETAINED_OLDEST_SECONDS,
    LINES_VALIDATED,
    CONFIDENCE_LINES,
    CORRECTIONS,
    LEXICON_LEARNED,
    REPEATS_POSSIBLE,
    LOG_LINES_DROPPED,
    PANICS,
    BUILD,
];

impl Metric {
    /// Every combination of its labels' values; none if the values of a label are known only at run time.
    #[must_use]
    pub fn series(&self) -> Vec<Vec<(&'static str, &'static str)>> {
        let mut series = vec![Vec::new()];
        for (label, values) in self.labels {
            series = series
                .iter()
                .flat_map(|labels: &Vec<(&str, &str)>| {
                    values.iter().map(|value| labels.iter().copied().chain([(*label, *value)]).collect())
                })
                .collect();
        }
        series
    }
}
