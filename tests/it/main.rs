//! All integration tests, in one binary.

#[cfg(test)]
mod database;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod store_contract;
#[cfg(test)]
mod store_redis;
