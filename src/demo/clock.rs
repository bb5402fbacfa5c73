//! The simulator's time is the bot's.

use crate::clock::Clock;
use bot_api_simulator as simulator;

impl simulator::Clock for Clock {
    fn now(&self) -> simulator::Timestamp {
        simulator::Timestamp(Self::now(self).0)
    }
}
