//! The bot as a process of its own: started, signalled, and read to its last line.

use std::collections::HashMap;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bot_api_simulator::{Options, Simulator};
use depot_bot::clock::Clock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long anything that a process does may take: the machine may be busy with the other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is polled that rings no bell: often enough to be quick, and the other tests get the processor.
pub(crate) const POLL_EVERY: Duration = Duration::from_millis(5);
pub(crate) const TOKEN: &str = "4242:AAprocess_token_0123456789_abcdefghijkl";

const BOT: &str = env!("CARGO_BIN_EXE_depot-bot");

/// The bot with the faults of `tests/seeded_faults` in it, built when it is needed first.
fn with_seeded_faults() -> &'static str {
    static BUILT: OnceLock<String> = OnceLock::new();
    BUILT.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seeded_faults/build.sh");
        let target = Path::new(BOT).parent().and_then(Path::parent).unwrap();
        let mut build = std::process::Command::new(script);
        let built = build.env("CARGO_TARGET_DIR", target).stderr(Stdio::inherit()).output().unwrap();
        assert!(built.status.success(), "{script}: {}", built.status);
        String::from_utf8(built.stdout).unwrap().trim().to_owned()
    })
}

/// A simulator on the machine's own clock, like that of a process.
pub(crate) async fn telegram() -> Simulator {
    telegram_of(TOKEN, Clock::system()).await
}

/// A simulator of another bot, or with another idea of the time.
pub(crate) async fn telegram_of(token: &str, clock: Clock) -> Simulator {
    let token = Some(token.to_owned());
    Simulator::start(Options { clock: Arc::new(clock), token, patience: PATIENCE, ..Options::default() })
        .await
        .unwrap()
}

/// The variables of every process: a bot that is open to all users, on SQLite.
pub(crate) fn variables(telegram: &Simulator, folder: &Path) -> HashMap<String, String> {
    let database = format!("sqlite://{}/depot.db", folder.display());
    [
        ("TELEGRAM_BOT_TOKEN", TOKEN),
        ("TELEGRAM_API_URL", telegram.url()),
        ("DATABASE_URL", &database),
        ("HTTP_BIND", "127.0.0.1:0"),
        ("ACCESS_MODE", "open"),
        ("RATE_LIMIT_PER_MINUTE", "0"),
        ("LOG_FORMAT", "json"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

fn command(arguments: &[&str], variables: &HashMap<String, String>) -> Command {
    wrapped(&[], arguments, variables)
}

/// The same, started by another program, whose last arguments it is.
fn wrapped(wrapper: &[&str], arguments: &[&str], variables: &HashMap<String, String>) -> Command {
    let bot = if variables.contains_key("SEEDED_FAULT") { with_seeded_faults() } else { BOT };
    let words: Vec<&str> = wrapper.iter().chain(&[bot]).copied().collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    // A folder without a `.env`.
    command.args(arguments).current_dir("/").env_clear().envs(variables);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a subcommand to its end.
pub(crate) async fn run(arguments: &[&str], variables: &HashMap<String, String>) -> Output {
    timeout(PATIENCE, command(arguments, variables).output()).await.expect("the subcommand ends").unwrap()
}

/// A demo that runs; killed when this goes.
pub(crate) fn demo(variables: &HashMap<String, String>) -> Child {
    command(&["demo"], variables).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// A bot that runs; killed when this goes.
pub(crate) struct Process {
    child: Child,
    log: mpsc::UnboundedReceiver<String>,
    /// Every line of its log that was read so far.
    pub(crate) lines: Vec<String>,
    /// Where its ops server listens.
    pub(crate) http: String,
}

impl Process {
    /// Starts `depot-bot run` and waits until it says that it is started.
    pub(crate) async fn start(variables: &HashMap<String, String>) -> Self {
        Self::spawn(variables).started().await
    }

    /// Starts `depot-bot run` and waits for nothing.
    pub(crate) fn spawn(variables: &HashMap<String, String>) -> Self {
        Self::spawn_by(&[], variables)
    }

    /// Starts it by another program, which becomes it, and waits until it says that it is started.
    pub(crate) async fn start_by(wrapper: &[&str], variables: &HashMap<String, String>) -> Self {
        Self::spawn_by(wrapper, variables).started().await
    }

    async fn started(mut self) -> Self {
        let started = self.says("the bot is started").await;
        self.http = started["http"].as_str().unwrap().to_owned();
        self
    }

    fn spawn_by(wrapper: &[&str], variables: &HashMap<String, String>) -> Self {
        let mut child = wrapped(wrapper, &["run"], variables).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, log) = mpsc::unbounded_channel();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        // Read all the time: a bot with a full log pipe drops lines.
        tokio::spawn(async move {
            while let Ok(Some(line)) = stderr.next_line().await {
                let _nobody_reads_any_more = lines.send(line);
            }
        });
        Self { child, log, lines: Vec::new(), http: String::new() }
    }

    /// The first line of the log with this message; reads on until it comes.
    pub(crate) async fn says(&mut self, message: &str) -> Value {
        let find = |lines: &[String]| lines.iter().position(|line| line.contains(message));
        let read = timeout(PATIENCE, async {
            while find(&self.lines).is_none() {
                let Some(line) = self.log.recv().await else {
                    panic!("the log ended without «{message}»:\n{}", self.lines.join("\n"))
                };
                self.lines.push(line);
            }
        });
        if read.await.is_err() {
            panic!("«{message}» does not come:\n{}", self.lines.join("\n"));
        }
        serde_json::from_str(&self.lines[find(&self.lines).unwrap()]).unwrap()
    }

    /// Its id for the system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.id()).unwrap()), signal).unwrap();
    }

    /// Whether it stands still, as after SIGSTOP.
    pub(crate) fn is_stopped(&self) -> bool {
        let stat = self.child.id().and_then(|id| std::fs::read_to_string(format!("/proc/{id}/stat")).ok());
        stat.is_some_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")))
    }

    /// The end of its log as far as it was read.
    pub(crate) fn tail(&self) -> String {
        self.lines[self.lines.len().saturating_sub(20)..].join("\n")
    }

    /// Waits for its end, and reads the rest of the log.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = timeout(PATIENCE, async {
            while let Some(line) = self.log.recv().await {
                self.lines.push(line);
            }
            self.child.wait().await.unwrap()
        });
        ended.await.expect("the process ends")
    }
}

/// Polls until the answer has this status, and gives its body: a report of a component appears after a moment.
pub(crate) async fn until(address: &str, path: &str, status: u16) -> String {
    let asked = async {
        loop {
            let answer = get(address, path).await;
            if answer.0 == status {
                return answer.1;
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    };
    timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{path} never answers {status}"))
}

/// The status and the body of an answer of an ops server.
pub(crate) async fn get(address: &str, path: &str) -> (u16, String) {
    // Made once, for it reads all certificates; each test has a runtime of its own, so no connection is kept.
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let client = CLIENT.get_or_init(|| {
        reqwest::Client::builder().no_proxy().timeout(PATIENCE).pool_max_idle_per_host(0).build().unwrap()
    });
    let answer = client.get(format!("http://{address}{path}")).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The deposits that `depot-bot deposits` lists, by status.
pub(crate) async fn listed(variables: &HashMap<String, String>) -> HashMap<String, usize> {
    listed_by(&[], variables).await
}

/// The same, started by another program.
pub(crate) async fn listed_by(
    wrapper: &[&str],
    variables: &HashMap<String, String>,
) -> HashMap<String, usize> {
    let mut list = wrapped(wrapper, &["deposits", "--format", "jsonl"], variables);
    let output = timeout(PATIENCE, list.output()).await.expect("the subcommand ends").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut counts = HashMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let deposit: Value = serde_json::from_str(line).unwrap();
        *counts.entry(deposit["status"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}
