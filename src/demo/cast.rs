//! Who plays: three people that every visitor of the demo can speak for.

use crate::database::DatabaseError;
use crate::deposit::UserId;
use crate::ledger::{Members, Role};
use crate::session::Language;
use crate::simulator::UserProfile;

/// One person of the demo.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) id: i64,
    pub(super) name: &'static str,
    pub(super) language: Language,
    /// What the person is when the demo begins.
    pub(super) role: Role,
}

/// A volunteer, a newcomer and an admin.
pub(super) const CAST: [Member; 3] = [
    Member { id: 7, name: "Camille", language: Language::Fr, role: Role::Volunteer },
    Member { id: 8, name: "Noor", language: Language::Fr, role: Role::Visitor },
    Member { id: 1, name: "Odile", language: Language::Fr, role: Role::Admin },
];

impl Member {
    pub(super) fn profile(&self) -> UserProfile {
        UserProfile::new(self.id, self.name, self.language.code())
    }
}

/// The ids of those who are admins from the start, as `ADMIN_TELEGRAM_IDS` wants them.
pub(super) fn admins() -> String {
    let ids: Vec<String> =
        CAST.iter().filter(|member| member.role == Role::Admin).map(|member| member.id.to_string()).collect();
    ids.join(",")
}

/// Lets those in who are members from the start, by an invitation as anybody gets it.
///
/// # Errors
/// The database's.
pub(super) async fn admit(members: &Members) -> Result<(), DatabaseError> {
    use secrecy::ExposeSecret as _;
    for member in CAST.iter().filter(|member| member.role == Role::Volunteer) {
        let token = members.create_invite(member.role).await?;
        members.redeem_invite(token.expose_secret(), UserId(member.id), member.name, member.language).await?;
    }
    Ok(())
}
