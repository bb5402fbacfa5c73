//! Addresses for servers that a test starts later.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::id;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ports that systems give to connections, so that none takes one of these meanwhile.
const FIRST: u16 = 20_000;
const COUNT: u32 = 12_000;
/// How far apart two processes of tests begin.
const APART: u32 = 97;

/// An address of this machine that is free, and that no other test gets.
#[must_use]
pub fn free_address() -> SocketAddr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let nth = id().wrapping_mul(APART).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + u16::try_from(nth).unwrap()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
