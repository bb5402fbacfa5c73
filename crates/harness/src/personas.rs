//! Users with names: those whom the page of the demo and its scenarios speak for.

use bot_api_simulator::{Simulator, User, UserProfile};

/// A user with a name and a language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Persona {
    /// The id at Telegram.
    pub id: i64,
    /// The first name.
    pub name: &'static str,
    /// The language of the phone, as Telegram's `language_code`.
    pub language: &'static str,
}

/// She is a volunteer.
pub const CAMILLE: Persona = Persona { id: 7, name: "Camille", language: "fr" };
/// She is new.
pub const NOOR: Persona = Persona { id: 8, name: "Noor", language: "fr" };
/// She is an admin.
pub const ODILE: Persona = Persona { id: 1, name: "Odile", language: "fr" };

/// All of them.
pub const PERSONAS: [Persona; 3] = [CAMILLE, NOOR, ODILE];

impl Persona {
    /// The persona of this id.
    #[must_use]
    pub fn of(id: i64) -> Option<&'static Self> {
        PERSONAS.iter().find(|persona| persona.id == id)
    }

    /// The persona as a user of a simulated Telegram.
    #[must_use]
    pub fn at(&self, telegram: &Simulator) -> User {
        telegram.user(UserProfile::new(self.id, self.name, self.language))
    }
}
