//! The release binary under the conditions of the image: another user, nothing to write to but the data folder.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use bot_api_simulator::{Options, Simulator, UserProfile};
use depot_bot::config::DEMO_TOKEN;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, chown};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{TOKEN, image_environment};

/// The user of the image.
const USER: u32 = 10_001;
/// How long a start or a stop may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(25);

/// A tree like that of the image, below a temporary folder in place of `/`.
struct Image {
    root: TempDir,
    port: u16,
}

impl Image {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        std::fs::copy(release(), root.path().join("depot-bot")).unwrap();
        std::fs::create_dir(&data).unwrap();
        if Uid::effective().is_root() {
            chown(&data, Some(Uid::from_raw(USER)), Some(Gid::from_raw(USER))).unwrap();
        }
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
        let port = crate::servers::free_address().port();
        Self { root, port }
    }

    /// The binary as the image would start it, with `environment` on top of the image's variables.
    fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(self.root.path().join("depot-bot"));
        command.args(arguments).current_dir(self.root.path()).env_clear();
        for (name, value) in image_environment() {
            let data = format!("{}/data/", self.root.path().display());
            command.env(
                name,
                value.replace("/data/", &data).replace("0.0.0.0:8080", &format!("0.0.0.0:{}", self.port)),
            );
        }
        command.envs(environment.iter().copied());
        if Uid::effective().is_root() {
            command.uid(USER).gid(USER);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    async fn output(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let output = self.command(arguments, environment).output();
        tokio::time::timeout(PATIENCE, output).await.expect("it did not end").unwrap()
    }

    /// Whether `healthcheck` finds the bot ready, and its output.
    async fn health(&self) -> (bool, String) {
        let output = self.output(&["healthcheck"], &[]).await;
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }

    /// Everything in the tree, by path.
    fn content(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.root.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                found.insert(path.strip_prefix(self.root.path()).unwrap().to_owned());
            }
        }
        found
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // The folder can only be removed once it can be written again.
        let _removable = std::fs::set_permissions(self.root.path(), std::fs::Permissions::from_mode(0o755));
    }
}

/// The binary that `cargo build --release` made.
fn release() -> PathBuf {
    let path = match std::env::var_os("DEPOT_BOT_RELEASE") {
        Some(path) => PathBuf::from(path),
        // This test runs from target/<profile>/deps.
        None => {
            let here = std::env::current_exe().unwrap();
            here.ancestors().nth(3).unwrap().join("release/depot-bot")
        }
    };
    assert!(
        path.is_file(),
        "{} is missing: tests/run.sh builds it, and so does `cargo build --release`",
        path.display()
    );
    path
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs the healthcheck until the bot is ready; it waits for another process, so this polls.
async fn wait_until_healthy(image: &Image, bot: &mut Child) {
    let began = Instant::now();
    loop {
        let (is_well, said) = image.health().await;
        if is_well {
            return;
        }
        assert!(bot.try_wait().unwrap().is_none(), "the bot has ended");
        assert!(began.elapsed() < PATIENCE, "the bot does not become healthy: {said}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_binary_works_as_the_image_runs_it() {
    let image = Image::new();
    let telegram =
        Simulator::start(Options { token: Some(TOKEN.to_owned()), ..Options::default() }).await.unwrap();
    let settings =
        [("TELEGRAM_BOT_TOKEN", TOKEN), ("TELEGRAM_API_URL", telegram.url()), ("ACCESS_MODE", "open")];
    let before = image.content();
    assert!(!image.health().await.0, "nobody is there to be well");
    let mut bot = image.command(&["run"], &settings).spawn().unwrap();
    wait_until_healthy(&image, &mut bot).await;

    let user = telegram.user(UserProfile::new(7, "Camille", "fr"));
    user.says("une bouilloire, un kilo deux");
    user.sees_new("Valider").await.unwrap();
    user.taps("Valider").unwrap();
    user.sees_new("enregistré").await.unwrap();

    kill(Pid::from_raw(bot.id().unwrap().cast_signed()), Signal::SIGTERM).unwrap();
    let ended = tokio::time::timeout(PATIENCE, bot.wait_with_output()).await.expect("25 s are over").unwrap();
    let log = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{log}");
    assert!(!log.contains(TOKEN) && !log.contains("bouilloire"), "{log}");
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    let listed = image.output(&["deposits", "--format", "jsonl"], &settings).await;
    assert_eq!(text(&listed.stdout).lines().count(), 1, "{}", text(&listed.stderr));
    let written: Vec<PathBuf> = image.content().difference(&before).cloned().collect();
    assert!(written.iter().all(|path| path.starts_with("data")), "{written:?}");
    assert!(written.contains(&Path::new("data/depot.db").to_owned()), "{written:?}");
}

#[tokio::test]
async fn the_token_of_the_demo_is_refused_by_run() {
    let ended = Image::new().output(&["run"], &[("TELEGRAM_BOT_TOKEN", DEMO_TOKEN)]).await;
    let said = text(&ended.stderr);
    assert!(!ended.status.success());
    assert!(said.contains("TELEGRAM_BOT_TOKEN") && said.contains("demo"), "{said}");
    assert!(!said.contains(DEMO_TOKEN), "{said}");
}

#[tokio::test]
async fn a_wrong_configuration_prints_all_its_mistakes_with_their_fixes_and_exits_2() {
    let wrong = [
        ("TELEGRAM_BOT_TOKEN", "canary-not-a-token"),
        ("SESSION_TTL_SECONDS", "5 minutes"),
        ("REDIS_URL", "http://canary@redis"),
        ("LOG_FORMAT", "xml"),
        ("REDIS_ULR", "redis://redis"),
    ];
    for arguments in [&["run"][..], &[], &["check"], &["invite", "--admin"]] {
        let ended = Image::new().output(arguments, &wrong).await;
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("4 mistakes"), "{said}");
        for (name, _) in &wrong[..4] {
            assert!(said.contains(name), "{name} is not named: {said}");
        }
        assert_eq!(said.matches("Fix: ").count(), 4, "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
}

#[tokio::test]
async fn the_data_folder_is_prepared_by_migrate_alone() {
    let image = Image::new();
    let ended = image.output(&["migrate"], &[]).await;
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    assert!(image.content().contains(Path::new("data/depot.db")));
}
