//! Telegram, in and out: intakes that acknowledge after the commit, what updates mean, and what is rendered and sent.

pub mod callback;
pub mod chat;
pub mod client;
pub mod deliver;
pub mod incoming;
pub mod ingress;
mod lenient;
mod recordings;
pub mod routing;
pub mod send_limiter;
#[cfg(test)]
mod stub;
pub mod views;
