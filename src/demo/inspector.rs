//! The inspector: the stored conversation, the commits, the ledger, the metrics. All of it is read where the bot itself,
//! or an operator beside it, would read it.

use serde::Serialize;
use serde_json::{Value, json};

use harness::personas::{PERSONAS, Persona};

use crate::app;
use crate::demo::harness::Harness;
use crate::ledger::LedgerEntry;
use crate::telemetry::metric::Metric;
use crate::telemetry::{self, metric};
use deposit::{ChatId, Line, UserId};
use session::{Effect, Lane, Language, Session, SessionKey};

/// How many deposits are shown, the newest.
const DEPOSITS_MAX: u32 = 20;

/// A conversation as it is stored.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct SessionView {
    state: &'static str,
    version: u64,
    /// When it ends if nothing happens, in ms.
    expires_at: Option<i64>,
    document: Value,
    effects: Vec<EffectView>,
}

/// Something that is still to be done.
#[derive(Debug, PartialEq, Serialize)]
struct EffectView {
    effect: String,
    lane: &'static str,
    attempts: u32,
    /// Whether an instance holds its lease, or held it when the bot died.
    leased: bool,
}

/// One row of the ledger.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Deposit {
    number: Option<u64>,
    who: i64,
    status: &'static str,
    at: i64,
    lines: Vec<LineView>,
}

#[derive(Debug, PartialEq, Serialize)]
struct LineView {
    object: String,
    quantity: Option<u32>,
    category: String,
    weight_kg: Option<f64>,
    destination: &'static str,
}

/// One number of the bot's own.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Measure {
    name: &'static str,
    value: f64,
    help: &'static str,
}

/// Where conversations are.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct StoreView {
    redis: Option<&'static str>,
    primary: &'static str,
    ready: &'static str,
}

/// The stored session of a persona, if there is one; also while the bot is dead.
pub(super) async fn session(harness: &Harness, persona: &Persona) -> Option<SessionView> {
    let user = UserId(persona.id);
    let asked = harness.ask(async move |app| {
        let service = app.service();
        service.get(service.key(user)).await
    });
    let session = match asked.await {
        Some(read) => read.ok()??,
        None => stored(harness, user).await?,
    };
    Some(SessionView {
        state: session.state.name(),
        version: session.version,
        expires_at: session.expires_at(harness.config.session.ttl).map(|end| end.0),
        effects: effects(&session),
        document: json!(session),
    })
}

/// The conversation as the stores have it while no bot runs.
async fn stored(harness: &Harness, user: UserId) -> Option<Session> {
    let store = app::session_store(&harness.config, &harness.database, &harness.clock).await.ok()?;
    let key = SessionKey { bot: harness.config.telegram.bot, chat: ChatId(user.0), user };
    store.load(key).await.ok()?
}

fn effects(session: &Session) -> Vec<EffectView> {
    let view = |effect: &Effect, attempts: u32| {
        let lane = effect.lane();
        let (lane, lease) = match lane {
            Lane::Chat => ("chat", session.chat_lane),
            Lane::Compute => ("compute", session.compute_lane),
        };
        EffectView { effect: title(effect.name()), lane, attempts, leased: lease.is_some() }
    };
    let card = session.card_is_due().then(|| view(&Effect::ShowCard, session.card.attempts));
    let pending = session.pending.iter().map(|pending| view(&pending.effect, pending.attempts));
    pending.chain(card).collect()
}

/// The name of an effect as the source writes it: `show_card` is `ShowCard`.
pub(super) fn title(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    name.split('_').filter_map(capital).collect()
}

/// The newest deposits of all personas, newest first.
pub(super) async fn deposits(harness: &Harness) -> Vec<Deposit> {
    let mut entries: Vec<LedgerEntry> = Vec::new();
    for persona in &PERSONAS {
        // A ledger that cannot be read now is read with the next view.
        entries.extend(
            harness.tables.ledger.latest_of(UserId(persona.id), DEPOSITS_MAX).await.unwrap_or_default(),
        );
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.draft.id));
    entries.truncate(DEPOSITS_MAX as usize);
    entries.iter().map(|entry| deposit(harness, entry)).collect()
}

fn deposit(harness: &Harness, entry: &LedgerEntry) -> Deposit {
    Deposit {
        number: entry.number,
        who: entry.owner.user.0,
        status: entry.status.as_str(),
        at: entry.decided_at.0,
        lines: entry.draft.lines.iter().map(|line| line_view(harness, line)).collect(),
    }
}

fn line_view(harness: &Harness, line: &Line) -> LineView {
    let category = harness.taxonomy.category(line.category());
    LineView {
        object: line.object.clone(),
        quantity: line.quantity,
        category: category.map_or_else(
            || line.category().to_string(),
            |category| category.label.in_language(Language::Fr).to_owned(),
        ),
        weight_kg: line.weight.map(|weight| f64::from(weight.grams) / 1000.0),
        destination: line.destination.as_str(),
    }
}

/// The numbers that show the past of this demo; they go on when the bot is started again, for the process is the same.
const TOLD: [&Metric; 12] = [
    &metric::UPDATES,
    &metric::COMMITS,
    &metric::DUPLICATES,
    &metric::CONFLICTS,
    &metric::DEPOSITS_RECORDED,
    &metric::SESSIONS_ACTIVE,
    &metric::EFFECTS_PENDING,
    &metric::EFFECTS_FAILED,
    &metric::TELEGRAM_CALLS,
    &metric::TELEGRAM_PAUSES,
    &metric::FAILOVERS,
    &metric::SPEECH,
];

/// The figures of the bot's own page of metrics, summed over labels.
pub(super) fn metrics() -> Vec<Measure> {
    let Ok(exposition) = telemetry::install() else { return Vec::new() };
    let page = exposition.render();
    let measure = |metric: &&'static Metric| Measure {
        name: metric.name,
        value: total(&page, metric.name),
        help: metric.about,
    };
    TOLD.iter().map(measure).collect()
}

/// The sum of all series of one name on a page in Prometheus' text format.
fn total(page: &str, name: &str) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ']).then(|| rest.rsplit_once(' ')?.1.parse::<f64>().ok()).flatten()
    };
    page.lines().filter_map(value).sum()
}

/// The primary, and how the bot is.
pub(super) async fn store(harness: &Harness) -> StoreView {
    let seen = harness.ask(async move |app| (app.service().store().0, app.health().readiness().state)).await;
    let (primary, ready) = match seen {
        Some((primary, ready @ ("ok" | "degraded"))) => (harness.remember_primary(primary), ready),
        Some((primary, _)) => (harness.remember_primary(primary), "away"),
        None => (harness.last_primary(), "away"),
    };
    let primary = if primary == "redis" { "redis" } else { "sql" };
    let redis = harness.redis_is_up().map(|up| if up { "up" } else { "stopped" });
    StoreView { redis, primary, ready }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_summed_over_their_labels() {
        let page = "# HELP depot_a x\ndepot_a{k=\"1\"} 2\ndepot_a{k=\"2\"} 3\ndepot_ab 7\ndepot_b 1.5\n";
        assert_eq!(total(page, "depot_a"), 5.0);
        assert_eq!(total(page, "depot_b"), 1.5);
        assert_eq!(total(page, "depot_c"), 0.0);
    }

    #[test]
    fn effects_are_called_as_in_the_source() {
        assert_eq!((title("show_card").as_str(), title("say").as_str()), ("ShowCard", "Say"));
    }
}
