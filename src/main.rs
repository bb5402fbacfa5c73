//! depot-bot.
fn main() {}
