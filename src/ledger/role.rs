//! The roles of users.

/// The rights of a user; each role includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Asked for access and was refused.
    Refused,
    /// Unknown.
    Visitor,
    /// Asked for access; the request is undecided.
    Pending,
    /// Deposits, corrects, undoes and sees their own.
    Volunteer,
    /// Also undoes other members' deposits.
    Manager,
    /// Also decides about access.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Refused, Self::Visitor, Self::Pending, Self::Volunteer, Self::Manager, Self::Admin];

    /// The word that the ledger carries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Visitor => "visitor",
            Self::Pending => "pending",
            Self::Volunteer => "volunteer",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether the user may deposit.
    #[must_use]
    pub fn is_member(self) -> bool {
        self >= Self::Volunteer
    }
}
