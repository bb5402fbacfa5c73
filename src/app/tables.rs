//! The tables of one bot, each behind the small type that may touch it.

use crate::clock::Clock;
use crate::database::Database;
use crate::ledger::{Feedback, Ledger, Members};
use crate::operations::{
    AnswerCache, DeadLetters, Deliveries, LastIntake, Quarantine, Retention, WebhookRegistration,
};
use deposit::BotId;

/// All tables of one bot beside its sessions. A component takes the ones that it needs, not this.
#[derive(Clone, Debug)]
pub struct Tables {
    /// The deposits.
    pub ledger: Ledger,
    /// The feedback of members on proposals.
    pub feedback: Feedback,
    /// The members, access requests and invitations.
    pub members: Members,
    /// The messages to other users' chats.
    pub deliveries: Deliveries,
    /// The updates that could not be handled.
    pub dead_letters: DeadLetters,
    /// The session documents that could not be read.
    pub quarantine: Quarantine,
    /// The rows that are retained for a time only.
    pub retention: Retention,
    /// The answers of paid servers.
    pub answer_cache: AnswerCache,
    /// When updates last came in.
    pub last_intake: LastIntake,
    /// The webhook that Telegram has.
    pub webhook: WebhookRegistration,
}

impl Tables {
    /// The tables of `bot` in a database that is up to date. Those that notify each other within this process share it.
    #[must_use]
    pub fn new(database: &Database, bot: BotId, clock: &Clock) -> Self {
        let feedback = Feedback::new(database, bot, clock);
        let deliveries = Deliveries::new(database, bot, clock);
        Self {
            ledger: Ledger::new(database, bot, clock, &feedback),
            feedback,
            members: Members::new(database, bot, clock, &deliveries),
            deliveries,
            dead_letters: DeadLetters::new(database, bot, clock),
            quarantine: Quarantine::new(database, clock),
            retention: Retention::new(database, bot),
            answer_cache: AnswerCache::new(database, bot, clock),
            last_intake: LastIntake::new(database, bot),
            webhook: WebhookRegistration::new(database, bot, clock),
        }
    }
}
