//! Documents that could not be read: kept for an operator, so that their conversations can begin anew.

use crate::database::{Connection, Job};
use crate::execute;
use crate::ledger::rows::make_storable;
use crate::ledger::{Ledger, LedgerError, sha256_hex};
use crate::session::SessionKey;

impl Ledger {
    /// Keeps a document that could not be read, once; `reason` carries nothing of its content. Bytes that are no text are
    /// replaced.
    ///
    /// # Crash
    /// Before: it is where it was. After: it is here, and may be removed there.
    ///
    /// # Errors
    /// [`LedgerError`]; it must not be removed then.
    pub async fn quarantine(
        &self,
        key: SessionKey,
        document: &[u8],
        reason: &str,
    ) -> Result<(), LedgerError> {
        let mut document = String::from_utf8_lossy(document).into_owned();
        make_storable(&mut document);
        let (sha256, reason, now) = (sha256_hex(&document), reason.to_owned(), self.now().0);
        self.write(Keep { key, sha256, document, reason, now }).await
    }
}

struct Keep {
    key: SessionKey,
    sha256: String,
    document: String,
    reason: String,
    now: i64,
}

impl Job for Keep {
    type Output = ();

    async fn run(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let sql = "
            insert into quarantine (bot, chat, owner, sha256, document, reason, found_at)
            values ($1, $2, $3, $4, $5, $6, $7) on conflict (bot, chat, owner, sha256) do nothing";
        let SessionKey { bot, chat, user } = self.key;
        let Self { sha256, document, reason, now, .. } = self;
        execute!(connection, sql, bot.0, chat.0, user.0, sha256, document, reason, *now).map(|_| ())
    }
}
