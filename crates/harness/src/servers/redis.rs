//! A private `redis-server`, and everything that can happen to it.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::guard::{Guarded, find, wait_for};
use super::ports::free_address;

/// The name of the file or folder of Redis' append-only log, in any version.
const AOF: &str = "appendonly";

/// A private `redis-server` on a socket; it ends when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    settings: Vec<String>,
    server: Option<Guarded>,
}

/// The log of commands as it was at some moment.
#[derive(Debug)]
pub struct AofCopy(TempDir);

impl RedisServer {
    /// Starts one that keeps nothing on the disk.
    pub fn start() -> Self {
        Self::with(&["--save", "", "--appendonly", "no"])
    }

    /// Starts one that has every command on the disk before it answers.
    pub fn durable() -> Self {
        Self::with(&["--save", "", "--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts one with other settings.
    pub fn with(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("depot-redis-").tempdir().unwrap();
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let mut server = Self { folder, settings, server: None };
        server.restart();
        server
    }

    /// Where its socket is.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("r.sock")
    }

    /// Its address, for `REDIS_URL`.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Makes it listen on a port of 127.0.0.1 as well, now and after each restart.
    pub fn listen(&mut self) -> u16 {
        let free = free_address().port();
        self.command::<()>(&["CONFIG", "SET", "port", &free.to_string()]);
        self.settings.extend(["--port".to_owned(), free.to_string()]);
        free
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.end();
        }
    }

    /// Restarts it at the same address, ending it first if it runs; it has the data of its disk.
    pub fn restart(&mut self) {
        self.kill();
        let (socket, log) = (self.socket(), self.folder.path().join("log"));
        let program = find("redis-server", &[PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/bin")]);
        let fixed = ["--port", "0", "--enable-debug-command", "yes", "--dir"].map(OsStr::new);
        let mut command = vec![program.as_os_str()];
        command.extend(fixed);
        command.extend([self.folder.path().as_os_str(), OsStr::new("--unixsocket"), socket.as_os_str()]);
        command.extend(self.settings.iter().map(OsStr::new));
        self.server = Some(Guarded::start(&command, "KILL", self.folder.path()));
        wait_for("redis-server", &log, || pong(&socket).is_some());
    }

    /// Whether it runs at all.
    pub fn is_away(&self) -> bool {
        self.server.is_none()
    }

    /// Freezes it: it accepts connections and answers nothing.
    pub fn pause(&self) {
        self.server.as_ref().unwrap().signal_all(Signal::SIGSTOP);
    }

    /// Thaws it.
    pub fn resume(&self) {
        self.server.as_ref().unwrap().signal_all(Signal::SIGCONT);
    }

    /// Its log of commands as it is now.
    pub fn copy_aof(&self) -> AofCopy {
        let copy = tempfile::tempdir().unwrap();
        move_aof(self.folder.path(), copy.path(), false);
        AofCopy(copy)
    }

    /// Ends it and starts it with an older log of commands, as a machine does that lost power.
    pub fn roll_back(&mut self, to: &AofCopy) {
        self.kill();
        let lost = tempfile::tempdir().unwrap();
        move_aof(self.folder.path(), lost.path(), true);
        move_aof(to.0.path(), self.folder.path(), false);
        self.restart();
    }

    /// Ends it and starts it with so many bytes missing at the end of its log: the last write was torn.
    pub fn tear(&mut self, bytes: u64) {
        self.kill();
        let mut logs = Vec::new();
        for entry in std::fs::read_dir(self.folder.path()).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                logs.extend(std::fs::read_dir(path).unwrap().flatten().map(|entry| entry.path()));
            } else {
                logs.push(path);
            }
        }
        logs.retain(|path| path.to_string_lossy().ends_with(".incr.aof") || path.ends_with("appendonly.aof"));
        let log = std::fs::OpenOptions::new().write(true).open(logs.iter().max().unwrap()).unwrap();
        log.set_len(log.metadata().unwrap().len() - bytes).unwrap();
        self.restart();
    }

    /// Makes it a replica of a silent server: it refuses writes and goes on answering reads.
    pub fn demote(&self) {
        self.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    }

    /// Makes it a primary again.
    pub fn promote(&self) {
        self.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    }

    /// Lets it have so many bytes; 0: as many as there are.
    pub fn limit_memory(&self, bytes: u64) {
        self.command::<()>(&["CONFIG", "SET", "maxmemory", &bytes.to_string()]);
    }

    /// Runs a command past the store.
    pub fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        let (name, arguments) = words.split_first().unwrap();
        redis::cmd(name).arg(arguments).query(&mut connection).unwrap()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn move_aof(from: &Path, to: &Path, and_remove: bool) {
    let option = if and_remove { "mv" } else { "cp -a" };
    let script = format!("{option} {}/{AOF}* {}/", from.display(), to.display());
    let done = std::process::Command::new("sh").args(["-c", &script]).status().unwrap();
    assert!(done.success(), "{script}");
}

fn pong(socket: &Path) -> Option<()> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.write_all(b"PING\r\n").ok()?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).ok()?;
    (&answer == b"+PONG").then_some(())
}
