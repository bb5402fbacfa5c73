//! The bot between the intake and the stores: the service, the effects, the router, and all that they reach.

use std::sync::Arc;

use deposit::taxonomy::Taxonomy;
use jiff::tz::TimeZone;
use tokio_util::task::TaskTracker;

use crate::access::AccessRules;
use crate::app::start::Persistence;
use crate::app::tables::Tables;
use crate::app::understanding;
use crate::clock::Clock;
use crate::config::Config;
use crate::effects::Effects;
use crate::effects::execute::Executor;
use crate::i18n::I18n;
use crate::ledger::Recorder;
use crate::model::Embedded;
use crate::rng::Rng;
use crate::service::ValidationSessionService;
use crate::service::observer::CommitObserver;
use crate::store::sql::SqlStore;
use crate::telegram::chat::TelegramChat;
use crate::telegram::client::Client;
use crate::telegram::routing::{BotEffects, Router};
use crate::telegram::send_limiter::SendLimiter;

/// The bot between the intake and the stores.
#[derive(Debug)]
pub(super) struct Bot {
    pub(super) service: Arc<ValidationSessionService>,
    pub(super) effects: BotEffects,
    pub(super) answers: TaskTracker,
    pub(super) chat: TelegramChat,
    pub(super) router: Router,
    pub(super) embedded: Embedded,
}

impl Bot {
    /// Puts the parts together; nothing runs yet.
    pub(super) fn assemble(
        config: &Config,
        clock: &Clock,
        persistence: &Persistence,
        observer: Option<Arc<dyn CommitObserver>>,
    ) -> anyhow::Result<Self> {
        let Persistence { database, tables, stores, .. } = persistence;
        let (bot, ttl) = (config.telegram.bot, config.session.ttl);
        let service = ValidationSessionService::new(stores.sessions(), clock.clone(), bot, ttl);
        let service = Arc::new(match observer {
            Some(observer) => service.observed_by(observer),
            None => service,
        });
        let chat = telegram_chat(config, tables, clock)?;
        let embedded = Embedded::start(Arc::clone(&chat.taxonomy));
        let recorder =
            Recorder::new(&tables.ledger, SqlStore::new(database.clone(), bot), stores.sessions(), clock);
        let executor = executor(config, &chat, persistence, recorder, embedded.clone())?;
        let effects = Effects::new(Arc::clone(&service), executor, clock.clone());
        let answers = TaskTracker::new();
        let router = Router {
            service: Arc::clone(&service),
            effects: effects.clone(),
            access: Arc::new(AccessRules::new(&config.access, tables.members.clone(), clock.clone())),
            chat: chat.clone(),
            answers: answers.clone(),
            looks_at_photos: config.llm.as_ref().is_some_and(|llm| llm.vision),
            replays: false,
        };
        Ok(Self { service, effects, answers, chat, router, embedded })
    }
}

fn telegram_chat(config: &Config, tables: &Tables, clock: &Clock) -> anyhow::Result<TelegramChat> {
    Ok(TelegramChat {
        client: Client::new(&config.telegram.api_url, &config.telegram.token)?,
        limiter: SendLimiter::new(clock.clone()),
        i18n: Arc::new(I18n::new()?),
        taxonomy: Arc::new(Taxonomy::load(config.taxonomy_file.as_deref())?),
        ledger: tables.ledger.clone(),
        feedback: tables.feedback.clone(),
        members: tables.members.clone(),
        deliveries: tables.deliveries.clone(),
        dead_letters: tables.dead_letters.clone(),
        quarantine: tables.quarantine.clone(),
        clock: clock.clone(),
        ttl: config.session.ttl,
        zone: TimeZone::system(),
    })
}

fn executor(
    config: &Config,
    chat: &TelegramChat,
    persistence: &Persistence,
    recorder: Recorder,
    embedded: Embedded,
) -> anyhow::Result<Executor<TelegramChat, Recorder>> {
    let cache = understanding::cache(config, &persistence.tables.answer_cache, persistence.redis.clone());
    Ok(Executor {
        chat: chat.clone(),
        recorder,
        transcriber: understanding::transcriber(config, chat, cache.clone())?,
        understanding: understanding::reader(config, chat, embedded, cache)?,
        taxonomy: chat.taxonomy.id.clone(),
        clock: chat.clock.clone(),
        rng: Rng::system(),
    })
}
