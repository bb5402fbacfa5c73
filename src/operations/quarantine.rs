//! Session documents that could not be read: stored for an operator, so that their sessions can begin anew.

use crate::clock::Clock;
use crate::database::{Database, DatabaseError, job, storable_text};
use crate::digest::sha256_hex;
use crate::execute;
use session::SessionKey;

/// The table `quarantine`; a clone is cheap and shares the connections.
#[derive(Clone, Debug)]
pub struct Quarantine {
    database: Database,
    clock: Clock,
}

impl Quarantine {
    /// The quarantine in a database whose tables are up to date.
    #[must_use]
    pub fn new(database: &Database, clock: &Clock) -> Self {
        Self { database: database.clone(), clock: clock.clone() }
    }

    /// Stores an unreadable document, once; `reason` carries nothing of its content. Bytes that are no text are replaced.
    ///
    /// # Crash
    /// Before: the document is in its store only. After: it is here too, and may be removed there.
    ///
    /// # Errors
    /// [`DatabaseError`]; the document must not be removed from its store then.
    pub async fn add(&self, key: SessionKey, document: &[u8], reason: &str) -> Result<(), DatabaseError> {
        let document = storable_text(String::from_utf8_lossy(document).into_owned());
        let parameters = (key, sha256_hex(&document), document, reason.to_owned(), self.clock.now().0);
        let add = job(parameters, |(key, sha256, document, reason, now), connection| {
            Box::pin(async move {
                let sql = "
                    insert into quarantine (bot, chat, owner, sha256, document, reason, found_at)
                    values ($1, $2, $3, $4, $5, $6, $7) on conflict (bot, chat, owner, sha256) do nothing";
                let SessionKey { bot, chat, user } = *key;
                execute!(connection, sql, bot.0, chat.0, user.0, sha256, document, reason, *now)
            })
        });
        self.database.write(add).await.map(drop)
    }
}
