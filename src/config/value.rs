//! The types of settings that more than one section has; each names the mistake in a text that is not of its type.
//!
//! The crate by itself would take `on` for 1 and `yes` for true; here a number is a number.

use std::net::SocketAddr;

use serde::Deserialize;

/// A whole number between two bounds, both included.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct WholeNumber<const LEAST: u32, const MOST: u32>(pub(super) u32);

impl<const LEAST: u32, const MOST: u32> TryFrom<String> for WholeNumber<LEAST, MOST> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
        number.map(Self).ok_or_else(|| format!("is not a whole number from {LEAST} to {MOST}: {text:?}"))
    }
}

/// Yes or no.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Flag(pub(super) bool);

impl TryFrom<String> for Flag {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("is neither true nor false: {text:?}"))
    }
}

/// The place of a listener.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Bind(pub(super) SocketAddr);

impl TryFrom<String> for Bind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("is not an address and a port: {text:?}"))
    }
}
