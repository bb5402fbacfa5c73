//! Private servers for tests: a `redis-server` per test, one PostgreSQL per test process and a database in it per test.
//!
//! A shell stands between us and each server. It waits on a pipe that only we hold open, so the server ends and its
//! folder goes when this process ends, however it ends.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User, chown};
use tempfile::TempDir;

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
struct Guarded {
    shell: Child,
    pipe: Option<ChildStdin>,
    pid: Pid,
}

impl Guarded {
    /// Starts `command`; `signal` ends it, and then `folder` is removed, unless [`Guarded::end`] comes first.
    fn start(command: &[&OsStr], signal: &str, folder: &Path) -> Self {
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
    fn end(mut self) {
        let mut pipe = self.pipe.take().unwrap();
        pipe.write_all(b"keep\n").unwrap();
        drop(pipe);
        self.shell.wait().unwrap();
    }
}

/// Waits until `ready` holds; what servers do is not ours to signal, so this looks again and again.
fn wait_for(what: &str, log: &Path, mut ready: impl FnMut() -> bool) {
    let began = Instant::now();
    while !ready() {
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        assert!(began.elapsed() < START_TIMEOUT, "{what} did not start:\n{}", said());
        sleep(Duration::from_millis(5));
    }
}

fn find(program: &str, also: &[PathBuf]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(also.iter().cloned());
    let found = folders.map(|folder| folder.join(program)).find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("`{program}` is not installed; `tests/run.sh` installs it and runs the tests")
    })
}

/// A private `redis-server` on a socket; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct RedisServer {
    folder: TempDir,
    settings: Vec<String>,
    server: Option<Guarded>,
}

impl RedisServer {
    /// Starts one that keeps nothing on the disk.
    pub(crate) fn start() -> Self {
        Self::with(&["--save", "", "--appendonly", "no"])
    }

    /// Starts one with other settings.
    pub(crate) fn with(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("depot-redis-").tempdir().unwrap();
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let mut server = Self { folder, settings, server: None };
        server.restart();
        server
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("r.sock")
    }

    /// Its address, for `REDIS_URL`.
    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.end();
        }
    }

    /// Starts it anew at the same address, ending it first if it runs.
    pub(crate) fn restart(&mut self) {
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

    /// Freezes it: it accepts connections and answers nothing.
    pub(crate) fn pause(&self) {
        kill(self.server.as_ref().unwrap().pid, Signal::SIGSTOP).unwrap();
    }

    /// Thaws it.
    pub(crate) fn resume(&self) {
        kill(self.server.as_ref().unwrap().pid, Signal::SIGCONT).unwrap();
    }

    /// Runs a command past the store.
    pub(crate) fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
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

fn pong(socket: &Path) -> Option<()> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.write_all(b"PING\r\n").ok()?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).ok()?;
    (&answer == b"+PONG").then_some(())
}

/// The one PostgreSQL of this process.
#[derive(Debug)]
struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
    _server: Guarded,
}

/// A new empty database of the private PostgreSQL, for `DATABASE_URL`.
pub(crate) fn postgres_database() -> String {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(start_postgres);
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let created = Command::new(server.programs.join("createdb"))
        .args([OsStr::new("-h"), server.folder.as_os_str()])
        .args(["-U", "postgres", "--template", "template0", &name])
        .output()
        .unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    format!("postgres://postgres@localhost/{name}?host={}", server.folder.display())
}

/// PostgreSQL refuses to run as root: then it runs as the user that its package made.
fn as_its_own_user(folder: &Path) -> Vec<String> {
    if !Uid::effective().is_root() {
        return Vec::new();
    }
    let user = User::from_name("postgres").unwrap().expect("there is no user `postgres`; see `tests/run.sh`");
    chown(folder, Some(user.uid), Some(user.gid)).unwrap();
    let setpriv = find("setpriv", &[]).display().to_string();
    vec![
        setpriv,
        format!("--reuid={}", user.uid),
        format!("--regid={}", user.gid),
        "--clear-groups".to_owned(),
    ]
}

fn start_postgres() -> Postgres {
    let folder = tempfile::Builder::new().prefix("depot-postgres-").tempdir().unwrap().keep();
    let mut installed: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    installed.sort();
    installed.reverse();
    // Some link only a few of its programs into `PATH`.
    let programs = find("postgres", &installed).canonicalize().unwrap().parent().unwrap().to_owned();
    let own_user = as_its_own_user(&folder);
    let (data, log) = (folder.join("data"), folder.join("log"));

    let initdb = programs.join("initdb");
    let mut words: Vec<&OsStr> = own_user.iter().map(OsStr::new).collect();
    words.push(initdb.as_os_str());
    words.extend(
        ["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D"].map(OsStr::new),
    );
    words.push(data.as_os_str());
    let made = Command::new(words[0]).args(&words[1..]).current_dir(&folder).output().unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

    let postgres = programs.join("postgres");
    let sockets = format!("unix_socket_directories={}", folder.display());
    let mut words: Vec<&OsStr> = own_user.iter().map(OsStr::new).collect();
    words.extend([postgres.as_os_str(), OsStr::new("-D"), data.as_os_str()]);
    for setting in [&sockets, "listen_addresses=", "fsync=off", "max_connections=200", "shared_buffers=16MB"]
    {
        words.extend([OsStr::new("-c"), OsStr::new(setting)]);
    }
    // Immediate shutdown, not SIGKILL: that would leave its shared memory behind.
    let server = Guarded::start(&words, "QUIT", &folder);
    wait_for("postgres", &log, || {
        let asked =
            Command::new(programs.join("pg_isready")).arg("-q").arg("-h").arg(&folder).status().unwrap();
        asked.success()
    });
    Postgres { folder, programs, _server: server }
}
