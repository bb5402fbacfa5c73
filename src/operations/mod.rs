//! The tables that running the bot needs beside the ledger and the sessions, each behind a small type of its own.
//!
//! - [`deliveries`]: messages to other users' chats, written in the transaction of the fact they follow from;
//! - [`dead_letters`]: updates that could not be handled; [`quarantine`]: session documents that could not be read;
//! - [`retention`]: deletes or erases rows by their age;
//! - [`answer_cache`]: answers of paid servers, and how many calls each day had;
//! - [`last_intake`] and [`webhook_registration`]: what the intakes of several instances share;
//! - [`database_owner`]: whether the database belongs to another bot.
//!
//! Every write can be repeated, so that an unknown outcome is resolved by asking again.

pub mod answer_cache;
pub mod database_owner;
pub mod dead_letters;
pub mod deliveries;
mod delivery_kind;
mod delivery_leases;
pub mod last_intake;
pub mod quarantine;
pub mod retention;
pub mod webhook_registration;

pub use crate::operations::answer_cache::AnswerCache;
pub use crate::operations::dead_letters::{DeadLetter, DeadLetters};
pub use crate::operations::deliveries::{Deliveries, Delivery};
pub use crate::operations::delivery_kind::{AccessRequestRef, DeliveryKind};
pub use crate::operations::last_intake::LastIntake;
pub use crate::operations::quarantine::Quarantine;
pub use crate::operations::retention::{Retained, Retention};
pub use crate::operations::webhook_registration::WebhookRegistration;
