//! A private PostgreSQL: one that all tests share, or one of a test's own, which may be ended.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::Signal;
use nix::unistd::{Uid, User, chown};

use super::guard::{Guarded, find, wait_for};

/// A new empty database of the private PostgreSQL that all tests share, for `DATABASE_URL`.
pub fn postgres_database() -> String {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(PostgresServer::start).database()
}

/// A PostgreSQL on a socket in a folder of its own; both go when this is dropped.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    programs: PathBuf,
    databases: AtomicU32,
    fsync: &'static str,
    server: Option<Guarded>,
}

impl PostgresServer {
    /// Starts one that leaves the disk to the system: its processes may die, the machine does not.
    pub fn start() -> Self {
        Self::with("fsync=off")
    }

    /// Starts one that waits for the disk, as in production: for measurements.
    pub fn durable() -> Self {
        Self::with("fsync=on")
    }

    fn with(fsync: &'static str) -> Self {
        let folder = tempfile::Builder::new().prefix("depot-postgres-").tempdir().unwrap().keep();
        let mut installed: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
            .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
            .unwrap_or_default();
        installed.sort();
        installed.reverse();
        // Some link only a few of its programs into `PATH`.
        let programs = find("postgres", &installed).canonicalize().unwrap().parent().unwrap().to_owned();
        let mut words = as_its_own_user(&folder);
        words.push(programs.join("initdb").into());
        words.extend(
            ["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D"]
                .map(OsString::from),
        );
        words.push(folder.join("data").into());
        let made = Command::new(&words[0]).args(&words[1..]).current_dir(&folder).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut server = Self { folder, programs, databases: AtomicU32::new(0), fsync, server: None };
        server.restart();
        server
    }

    /// A new empty database, for `DATABASE_URL`.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let created = Command::new(self.programs.join("createdb"))
            .args([OsStr::new("-h"), self.folder.as_os_str()])
            .args(["-U", "postgres", "--template", "template0", &name])
            .output()
            .unwrap();
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
        format!("postgres://postgres@localhost/{name}?host={}", self.folder.display())
    }

    /// Where its socket is.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// Ends it at once: uncommitted transactions are gone, committed ones are recovered at the next start.
    ///
    /// By an immediate shutdown, not SIGKILL: that would leave its shared memory behind.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.end();
        }
    }

    /// Restarts it on its data, ending it first if it runs.
    pub fn restart(&mut self) {
        self.kill();
        let data = self.folder.join("data");
        let sockets = format!("unix_socket_directories={}", self.folder.display());
        let mut words = as_its_own_user(&self.folder);
        words.extend([self.programs.join("postgres").into(), OsString::from("-D"), data.into()]);
        for setting in
            [&sockets, "listen_addresses=", self.fsync, "max_connections=200", "shared_buffers=16MB"]
        {
            words.extend([OsString::from("-c"), OsString::from(setting)]);
        }
        let words: Vec<&OsStr> = words.iter().map(OsString::as_os_str).collect();
        self.server = Some(Guarded::start(&words, "QUIT", &self.folder));
        wait_for("postgres", &self.folder.join("log"), || {
            let mut ask = Command::new(self.programs.join("pg_isready"));
            ask.arg("-q").arg("-h").arg(&self.folder).status().unwrap().success()
        });
    }

    /// Freezes it and all its processes: it accepts connections and answers nothing.
    pub fn pause(&self) {
        self.server.as_ref().unwrap().signal_all(Signal::SIGSTOP);
    }

    /// Thaws it.
    pub fn resume(&self) {
        self.server.as_ref().unwrap().signal_all(Signal::SIGCONT);
    }

    /// Ends the bots' connections, as an administrator does; how many there were.
    pub fn terminate_backends(&self) -> usize {
        let sql =
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'depot-bot'";
        self.query(sql).len()
    }

    /// The rows that a query gives, past the bot.
    pub fn query(&self, sql: &str) -> Vec<String> {
        let asked = Command::new(self.programs.join("psql"))
            .args([OsStr::new("-h"), self.folder.as_os_str()])
            .args(["-U", "postgres", "-d", "postgres", "-X", "-A", "-t", "-c", sql])
            .output()
            .unwrap();
        assert!(asked.status.success(), "{sql}: {}", String::from_utf8_lossy(&asked.stderr));
        String::from_utf8(asked.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
        let _is_gone = std::fs::remove_dir_all(&self.folder);
    }
}

/// PostgreSQL refuses to run as root: then it runs as the user that its package made.
fn as_its_own_user(folder: &Path) -> Vec<OsString> {
    if !Uid::effective().is_root() {
        return Vec::new();
    }
    let user = User::from_name("postgres").unwrap().expect("there is no user `postgres`; see `tests/run.sh`");
    chown(folder, Some(user.uid), Some(user.gid)).unwrap();
    let setpriv = find("setpriv", &[]).into_os_string();
    let (uid, gid) = (format!("--reuid={}", user.uid), format!("--regid={}", user.gid));
    vec![setpriv, uid.into(), gid.into(), "--clear-groups".into()]
}
