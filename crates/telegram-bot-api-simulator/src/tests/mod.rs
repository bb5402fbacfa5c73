//! The simulator against its own facts, through HTTP as a bot meets it.

mod bot_calls;
mod crowd;
mod driver;
mod failing;
mod limits;
mod polls;
mod taps;
mod teloxide;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Options, Simulator, User, UserProfile};
use crate::{ManualClock, Timestamp};

/// A bot that only knows HTTP, and the simulator it talks to.
struct Bench {
    simulator: Simulator,
    clock: Arc<ManualClock>,
    http: reqwest::Client,
}

/// One answer: HTTP status and envelope.
struct Answered {
    status: u16,
    envelope: Value,
}

impl Answered {
    /// The result of a call that must have succeeded.
    fn result(&self) -> &Value {
        assert_eq!((self.status, &self.envelope["ok"]), (200, &json!(true)), "{}", self.envelope);
        &self.envelope["result"]
    }

    /// The description of a call that must have been refused with this status.
    fn refused(&self, status: u16) -> &str {
        assert_eq!((self.status, &self.envelope["ok"]), (status, &json!(false)), "{}", self.envelope);
        assert_eq!(self.envelope["error_code"], status);
        self.envelope["description"].as_str().unwrap()
    }
}

impl Bench {
    async fn start() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp(1_764_763_200_000)));
        let patience = Duration::from_secs(5);
        let options =
            Options { clock: clock.clone(), patience, webhook_time_scale: 0.001, ..Options::default() };
        let simulator = Simulator::start(options).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { simulator, clock, http }
    }

    /// A user who has already written to the bot; the update of that is confirmed.
    async fn marie(&self) -> User {
        let marie = self.simulator.user(UserProfile::new(7, "Marie", "fr"));
        let sent = marie.says("bonjour");
        self.poll(json!({"offset": sent.update_id.unwrap() + 1})).await;
        marie
    }

    fn url(&self, method: &str) -> String {
        format!("{}/bot{}/{method}", self.simulator.url(), self.simulator.token())
    }

    async fn try_call(&self, method: &str, parameters: Value) -> reqwest::Result<Answered> {
        let answer = self.http.post(self.url(method)).json(&parameters).send().await?;
        let status = answer.status().as_u16();
        Ok(Answered { status, envelope: answer.json().await? })
    }

    async fn call(&self, method: &str, parameters: Value) -> Answered {
        self.try_call(method, parameters).await.unwrap()
    }

    /// The updates of one getUpdates call.
    async fn poll(&self, parameters: Value) -> Vec<Value> {
        self.call("getUpdates", parameters).await.result().as_array().unwrap().clone()
    }

    /// Waits until a getUpdates call waits.
    async fn poller_waits(&self) {
        let waits = |simulator: &Simulator| simulator.shared.world().waiting_poll == 1;
        self.simulator.wait_for("a poller", waits).await.unwrap();
    }

    /// Sends a text to Marie and returns the message.
    async fn send(&self, text: &str) -> Value {
        self.call("sendMessage", json!({"chat_id": 7, "text": text})).await.result().clone()
    }

    /// Sends Marie a card with one button and returns its message id.
    async fn send_card(&self, label: &str, data: &str) -> i64 {
        let keyboard = json!({"inline_keyboard": [[{"text": label, "callback_data": data}]]});
        let card =
            self.call("sendMessage", json!({"chat_id": 7, "text": "Ok ?", "reply_markup": keyboard})).await;
        card.result()["message_id"].as_i64().unwrap()
    }
}

fn ids(updates: &[Value]) -> Vec<i64> {
    updates.iter().map(|update| update["update_id"].as_i64().unwrap()).collect()
}
