//! The state of each persona when the demo begins.

use harness::personas::{CAMILLE, ODILE, PERSONAS, Persona};

use crate::database::DatabaseError;
use crate::ledger::{Members, Role};
use deposit::UserId;
use session::Language;

/// The role in which a persona begins.
pub(super) fn role(persona: &Persona) -> Role {
    match *persona {
        CAMILLE => Role::Volunteer,
        ODILE => Role::Admin,
        _ => Role::Visitor,
    }
}

/// The personas who know the bot from the start.
pub(super) fn members() -> impl Iterator<Item = &'static Persona> {
    PERSONAS.iter().filter(|persona| role(persona).is_member())
}

/// The ids of the admins, as `ADMIN_TELEGRAM_IDS` wants them.
pub(super) fn admins() -> String {
    ODILE.id.to_string()
}

/// Lets the volunteers in, by an invitation as any user gets it.
///
/// # Errors
/// The database's.
pub(super) async fn admit(members: &Members) -> Result<(), DatabaseError> {
    use secrecy::ExposeSecret as _;
    for persona in PERSONAS.iter().filter(|persona| role(persona) == Role::Volunteer) {
        let token = members.create_invite(Role::Volunteer).await?;
        let language = Language::from_code(Some(persona.language));
        members.redeem_invite(token.expose_secret(), UserId(persona.id), persona.name, language).await?;
    }
    Ok(())
}
