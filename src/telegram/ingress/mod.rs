//! Ingress: how updates come in, and when they are acknowledged.
//!
//! [`polling`] or the [`webhook`] receives updates; the [`pipeline`] brings each to its commit; the intake's [`status`]
//! decides whether sessions may expire ([`expiry_permit`]) and whether questions are asked again ([`gap`]).

pub mod expiry_permit;
pub mod gap;
pub mod pipeline;
pub mod polling;
pub mod status;
pub mod webhook;
