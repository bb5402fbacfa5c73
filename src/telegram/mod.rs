//! (in the making)

pub mod access_card;
pub mod card;
pub mod picture;
pub mod sentences;
