//! The demo as a process of its own, and its page as a visitor sees it.

use std::path::PathBuf;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::driver::{Browser, PATIENCE};

/// Where pictures go, and where `tests/run.sh` puts the accessibility checker.
pub(super) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/browser")
}

/// `depot-bot demo`; killed when this goes, and its folder with it.
pub(super) struct Demo {
    child: Child,
    folder: TempDir,
    /// The address that it printed.
    pub(super) url: String,
}

impl Demo {
    /// Starts it with these variables beside its own, and waits for its address.
    pub(super) async fn start(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_depot-bot"))
            .arg("demo")
            .current_dir("/")
            .env_clear()
            .env("DEMO_BIND", "127.0.0.1:0")
            .env("TMPDIR", folder.path())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = timeout(PATIENCE, async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(at) = line.find("http://") {
                    return line[at..].split_whitespace().next().unwrap().to_owned();
                }
            }
            panic!("the demo ended at once")
        });
        let url = said.await.expect("the demo says where it is");
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, folder, url }
    }

    /// Tells it to stop, as Ctrl-C does, and waits: nothing of it is left.
    pub(super) async fn stop(mut self) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
        let status = timeout(PATIENCE, self.child.wait()).await.expect("the demo stops").unwrap();
        assert!(status.success(), "{status}");
        let left: Vec<_> = std::fs::read_dir(self.folder.path()).unwrap().collect();
        assert!(left.is_empty(), "the demo left {left:?}");
    }
}

/// The page in a browser.
pub(super) struct Page {
    /// The settings of the browser.
    pub(super) browser: Browser,
    demo: Demo,
}

impl Page {
    /// Starts demo and browser, and opens the page at 1440 × 900.
    pub(super) async fn open() -> Self {
        let browser = Browser::start().await;
        let demo = Demo::start(&[]).await;
        Self::of(browser, demo).await
    }

    /// The page of a demo that runs.
    pub(super) async fn of(browser: Browser, demo: Demo) -> Self {
        browser.open(&demo.url).await;
        let page = Self { browser, demo };
        page.until("document.querySelector('.turn')", &[]).await;
        page
    }

    /// Waits until the expression is true in the page.
    pub(super) async fn until(&self, expression: &str, arguments: &[Value]) -> Value {
        self.browser.until(expression, arguments).await
    }

    /// Clicks the element of this selector.
    pub(super) async fn click(&self, selector: &str) {
        self.browser.click("document.querySelector(arguments[0])", &[json!(selector)]).await;
    }

    /// Presses the newest button in the chat with this on it.
    pub(super) async fn tap(&self, label: &str) {
        const KEY: &str = "[...document.querySelectorAll('.key')].filter((key) => key.textContent.includes(arguments[0])).at(-1)";
        self.browser.click(KEY, &[json!(label)]).await;
    }

    /// Writes a message and sends it.
    pub(super) async fn say(&self, words: &str) {
        self.click("#words").await;
        self.browser.press(words).await;
        self.browser.press("\u{e007}").await; // Enter
    }

    /// Gives the phone to Camille (7), Noor (8) or Odile (1).
    pub(super) async fn hold(&self, person: u8) {
        self.click(&format!("#tab-{person}")).await;
        let held = "document.querySelector(arguments[0]).ariaSelected === 'true'";
        self.until(held, &[json!(format!("#tab-{person}"))]).await;
    }

    /// Waits until the newest message of the bot has this in it.
    pub(super) async fn sees(&self, words: &str) {
        const NEWEST: &str =
            "[...document.querySelectorAll('.turn:not(.mine)')].at(-1)?.innerText.includes(arguments[0])";
        self.until(NEWEST, &[json!(words)]).await;
    }

    /// Waits until this element's text has this in it.
    pub(super) async fn shows(&self, selector: &str, words: &str) {
        const SHOWS: &str = "document.querySelector(arguments[0])?.textContent.includes(arguments[1])";
        self.until(SHOWS, &[json!(selector), json!(words)]).await;
    }

    /// Waits until there are this many of them.
    pub(super) async fn counts(&self, selector: &str, count: usize) {
        const COUNTS: &str = "document.querySelectorAll(arguments[0]).length === arguments[1]";
        self.until(COUNTS, &[json!(selector), json!(count)]).await;
    }

    /// Makes the screen a telephone's of 360 pixels, or a wide one.
    pub(super) async fn resize(&self, width: u32, height: u32) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.browser.chromium("Emulation.setDeviceMetricsOverride", metrics).await;
        self.until("innerWidth === arguments[0]", &[json!(width)]).await;
    }

    /// Asks for a dark or a light page, as a system does, and for one where nothing moves.
    pub(super) async fn system(&self, scheme: &str) {
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.browser.chromium("Emulation.setEmulatedMedia", features).await;
        self.until("document.documentElement.dataset.theme === arguments[0]", &[json!(scheme)]).await;
    }

    /// Asserts that the console is empty and that no request went to another host, and ends both.
    pub(super) async fn close(self) {
        let console = self.browser.log("browser").await;
        assert!(console.is_empty(), "{console:#?}");
        self.assert_alone().await;
        self.end().await;
    }

    /// Ends browser and demo.
    pub(super) async fn end(self) {
        drop(self.browser);
        self.demo.stop().await;
    }

    async fn assert_alone(&self) {
        let mut asked = 0;
        for entry in self.browser.log("performance").await {
            let entry: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let message = &entry["message"];
            if message["method"] != "Network.requestWillBeSent" {
                continue;
            }
            let url = message["params"]["request"]["url"].as_str().unwrap();
            let is_ours = [&self.demo.url, "blob:", "data:"].iter().any(|ours| url.starts_with(*ours));
            assert!(is_ours, "the page asked for {url}");
            asked += 1;
        }
        assert!(asked > 5, "the requests of the page are not in the log: {asked}");
    }

    /// Ends the demo, and starts another at the same address.
    pub(super) async fn replace_demo(&mut self, between: impl AsyncFnOnce(&Browser)) {
        let address = self.demo.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        self.demo.child.kill().await.unwrap();
        between(&self.browser).await;
        self.demo = Demo::start(&[("DEMO_BIND", &address)]).await;
    }
}
