//! The sink of the log: a bounded queue and one thread that writes it, so that a blocked reader cannot hold up a deposit.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::telemetry::Redactor;
use crate::telemetry::metric;

/// The most bytes that wait to be written; further lines are dropped and counted.
const QUEUE_BYTES_MAX: usize = 256 * 1024;
/// How long the exit of the process waits for queued lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// A writer of log lines that never blocks its caller.
#[derive(Clone)]
pub struct Sink {
    queue: Arc<LogQueue>,
    redactor: Arc<Redactor>,
}

#[derive(Default)]
struct LogQueue {
    state: Mutex<QueuedLines>,
    changed: Condvar,
}

#[derive(Default)]
struct QueuedLines {
    lines: VecDeque<String>,
    bytes: usize,
    is_writing: bool,
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("redactor", &self.redactor).finish_non_exhaustive()
    }
}

impl Sink {
    /// Starts the thread that writes to `target`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(redactor: Redactor, target: Box<dyn Write + Send>) -> io::Result<Self> {
        let queue = Arc::new(LogQueue::default());
        let written = Arc::clone(&queue);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || written.write_to(target))?;
        Ok(Self { queue, redactor: Arc::new(redactor) })
    }

    /// Waits until everything queued is written, for at most a second.
    pub fn flush(&self) {
        let queued = self.queue.lock();
        let is_behind = |queued: &mut QueuedLines| queued.is_writing || !queued.lines.is_empty();
        // On a timeout the remaining lines are lost.
        drop(self.queue.changed.wait_timeout_while(queued, FLUSH_TIMEOUT, is_behind));
    }
}

impl LogQueue {
    fn lock(&self) -> MutexGuard<'_, QueuedLines> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: String) {
        let mut queued = self.lock();
        if queued.bytes + line.len() > QUEUE_BYTES_MAX {
            drop(queued);
            metrics::counter!(metric::LOG_LINES_DROPPED.name).increment(1);
            return;
        }
        queued.bytes += line.len();
        queued.lines.push_back(line);
        drop(queued);
        self.changed.notify_all();
    }

    fn write_to(&self, mut target: Box<dyn Write + Send>) {
        loop {
            let lines = self.next_lines();
            for line in lines {
                // A log that cannot be written is no reason to stop; the next line may succeed.
                let _unwritten = target.write_all(line.as_bytes());
            }
            let _unflushed = target.flush();
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }

    fn next_lines(&self) -> VecDeque<String> {
        let queued = self.lock();
        let mut queued = self
            .changed
            .wait_while(queued, |queued| queued.lines.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        queued.bytes = 0;
        queued.is_writing = true;
        std::mem::take(&mut queued.lines)
    }
}

/// The writer of one event.
#[derive(Debug)]
pub struct LineWriter<'a>(&'a Sink);

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.0.queue.push(self.0.redactor.redact(&text).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target that blocks until it is released, as a full pipe does.
    struct Pipe {
        let_go: std::sync::mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _closed = self.let_go.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_blocked_log_blocks_no_caller_and_secrets_do_not_pass() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let (go, let_go) = std::sync::mpsc::channel();
        let redactor = Redactor::new(&["canary-secret".into()]);
        let pipe = Pipe { let_go, written: Arc::clone(&written) };
        let sink = Sink::start(redactor, Box::new(pipe)).unwrap();
        let line = format!("canary-secret {}\n", "x".repeat(1000));
        for _ in 0..2 * QUEUE_BYTES_MAX / line.len() {
            sink.make_writer().write_all(line.as_bytes()).unwrap();
        }
        assert!(sink.queue.lock().bytes <= QUEUE_BYTES_MAX);
        drop(go);
        sink.flush();
        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(written.starts_with("*** xxx") && written.ends_with("xxx\n"));
        assert!(!written.contains("canary"));
    }
}
