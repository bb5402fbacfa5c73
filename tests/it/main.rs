//! All integration tests, in one binary.

#[cfg(test)]
mod config;
#[cfg(test)]
mod packaging;
#[cfg(test)]
mod tidy;
