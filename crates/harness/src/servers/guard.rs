//! A server and the shell that ends it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const START_TIMEOUT: Duration = Duration::from_secs(30);
const GUARD: &str = r#"
trap '' INT TERM HUP
log=$1 signal=$2 folder=$3; shift 3
"$@" >>"$log" 2>&1 &
echo $!
read -r order
kill -"$signal" $! 2>/dev/null
wait $! 2>/dev/null
[ "$order" = keep ] || rm -rf "$folder"
"#;

/// A running server and the shell that ends it.
#[derive(Debug)]
pub(crate) struct Guarded {
    shell: Child,
    pipe: Option<ChildStdin>,
    pid: Pid,
}

impl Guarded {
    /// Starts `command`; `signal` ends it, and then `folder` is removed, unless [`Guarded::end`] comes first.
    pub(crate) fn start(command: &[&OsStr], signal: &str, folder: &Path) -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .args([folder.join("log").as_os_str(), OsStr::new(signal), folder.as_os_str()])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = Pid::from_raw(line.trim().parse().unwrap());
        let pipe = shell.stdin.take();
        Self { shell, pipe, pid }
    }

    /// Ends it and leaves its folder where it is.
    pub(crate) fn end(mut self) {
        // One that is frozen would take the signal when it thaws.
        self.signal_all(Signal::SIGCONT);
        let mut pipe = self.pipe.take().unwrap();
        pipe.write_all(b"keep\n").unwrap();
        drop(pipe);
        self.shell.wait().unwrap();
    }

    /// Signals it and then its children, as far as they are there.
    pub(crate) fn signal_all(&self, signal: Signal) {
        let _has_ended = kill(self.pid, signal);
        for child in children(self.pid) {
            let _has_ended = kill(child, signal);
        }
    }
}

fn children(of: Pid) -> Vec<Pid> {
    let path = format!("/proc/{of}/task/{of}/children");
    let listed = std::fs::read_to_string(path).unwrap_or_default();
    listed.split_whitespace().filter_map(|id| id.parse().ok()).map(Pid::from_raw).collect()
}

/// Waits until `ready` holds; a server sends no signal, so this polls.
pub(crate) fn wait_for(what: &str, log: &Path, mut ready: impl FnMut() -> bool) {
    let began = Instant::now();
    while !ready() {
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        assert!(began.elapsed() < START_TIMEOUT, "{what} did not start:\n{}", said());
        sleep(Duration::from_millis(5));
    }
}

/// Where a program is: on the path, or in one of these folders.
///
/// # Panics
/// It is nowhere.
pub fn find(program: &str, also: &[PathBuf]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(also.iter().cloned());
    let found = folders.map(|folder| folder.join(program)).find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("`{program}` is not installed; `tests/run.sh` installs it and runs the tests")
    })
}
