//! The one task that writes: it commits all waiting jobs in one transaction (group commit), and answers each caller.

use std::any::{Any, TypeId};
use std::iter;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::database::connection::{Address, Connection, IDLE_MAX, Purpose};
use crate::database::error::{DatabaseError, ErrorClass, classify};
use crate::database::{Engine, Job};
use crate::{execute, on};

/// How many jobs one transaction takes.
const GROUP_MAX: usize = 256;
/// How many jobs wait at most; a caller without a place in the queue waits for one until its deadline.
const QUEUE_MAX: usize = 1024;

pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Queued>>,
    closing: CancellationToken,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Writer {
    /// Opens the writing connection, and starts to write.
    pub(super) async fn start(address: Address) -> Result<Self, sqlx::Error> {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let (opened, opening) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let closing = CancellationToken::new();
        let until = closing.clone();
        let engine = address.engine();
        let writing = async move {
            match address.open(Purpose::Writing).await {
                Ok(connection) => {
                    let group_commit =
                        GroupCommit { address, connection: Some(connection), used: Instant::now() };
                    let _caller_left = opened.send(Ok(()));
                    group_commit.run(waiting, until).await;
                }
                Err(error) => drop(opened.send(Err(error))),
            }
            let _caller_left = end.send(());
        };
        match engine {
            // It has a thread of its own in sqlx.
            Engine::Sqlite => drop(tokio::spawn(writing)),
            Engine::Postgres => on_a_thread(writing)?,
        }
        opening.await.map_err(|_| sqlx::Error::WorkerCrashed)??;
        Ok(Self { queue, closing, ended: Mutex::new(Some(ended)) })
    }

    pub(super) async fn write<J: Job>(&self, job: J, deadline: Duration) -> Result<J::Output, DatabaseError> {
        let deadline = Instant::now() + deadline;
        let permit = match tokio::time::timeout_at(deadline, self.queue.reserve()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(DatabaseError::unavailable("closed")),
            Err(_) => return Err(DatabaseError::unavailable("too many writes wait")),
        };
        let (reply, answer) = oneshot::channel();
        permit.send(Box::new(QueuedJob { job, output: None, reply }));
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(DatabaseError::Unknown),
        }
    }

    pub(super) async fn close(&self) {
        self.closing.cancel();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended
            && ended.await.is_err()
        {
            tracing::error!(
                "the database writer ended before it was closed: writes since then failed; restart the bot, and report this"
            );
        }
    }
}

/// Runs the writer on a thread of its own: a transaction is many short waits for the server, each of which would otherwise
/// queue behind the bot's other tasks.
fn on_a_thread(writing: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let name = "writer".to_owned();
    std::thread::Builder::new().name(name).spawn(move || runtime.block_on(writing)).map(drop)
}

/// A job with its type erased, so that different ones share a transaction.
trait Queued: Any + Send {
    fn kind(&self) -> TypeId;
    /// Runs this one, and `others` of its kind.
    fn run<'a>(
        &'a mut self,
        others: &'a mut [Box<dyn Queued>],
        connection: &'a mut Connection,
    ) -> BoxFuture<'a, Result<(), sqlx::Error>>;
    fn reply(self: Box<Self>, outcome: Result<(), DatabaseError>);
}

struct QueuedJob<J: Job> {
    job: J,
    output: Option<J::Output>,
    reply: oneshot::Sender<Result<J::Output, DatabaseError>>,
}

impl<J: Job> Queued for QueuedJob<J> {
    fn kind(&self) -> TypeId {
        TypeId::of::<Self>()
    }

    fn run<'a>(
        &'a mut self,
        others: &'a mut [Box<dyn Queued>],
        connection: &'a mut Connection,
    ) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        Box::pin(async move {
            let others =
                others.iter_mut().filter_map(|other| (other.as_mut() as &mut dyn Any).downcast_mut());
            let all: Vec<&mut Self> = iter::once(self).chain(others).collect();
            let jobs: Vec<&J> = all.iter().map(|waiting| &waiting.job).collect();
            let outputs = J::run_all(&jobs, connection).await?;
            for (waiting, output) in all.into_iter().zip(outputs) {
                waiting.output = Some(output);
            }
            Ok(())
        })
    }

    fn reply(self: Box<Self>, outcome: Result<(), DatabaseError>) {
        let outcome = match (outcome, self.output) {
            (Ok(()), Some(output)) => Ok(output),
            (Ok(()), None) => Err(DatabaseError::Unknown),
            (Err(error), _) => Err(error),
        };
        // The caller may have left at its deadline: then its outcome was `Unknown`.
        drop(self.reply.send(outcome));
    }
}

/// How far a transaction got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Opening,
    Working,
    Committing,
}

struct WriteFailure {
    error: sqlx::Error,
    class: ErrorClass,
    progress: Progress,
}

impl WriteFailure {
    /// Whether the others in the transaction may fare better without it; the server is there, and nothing was committed.
    fn is_of_one_job(&self) -> bool {
        self.progress != Progress::Opening && matches!(self.class, ErrorClass::Failed | ErrorClass::Busy)
    }

    /// A transaction lost before its commit was sent did not happen; one lost while it was sent may have.
    fn outcome(&self) -> DatabaseError {
        match (self.progress, self.class) {
            (Progress::Committing, ErrorClass::Lost) => DatabaseError::Unknown,
            _ => DatabaseError::from(&self.error),
        }
    }
}

struct GroupCommit {
    address: Address,
    connection: Option<Connection>,
    /// When the connection last worked.
    used: Instant,
}

impl GroupCommit {
    async fn run(mut self, mut waiting: mpsc::Receiver<Box<dyn Queued>>, closing: CancellationToken) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            let count = tokio::select! {
                biased;
                () = closing.cancelled(), if !waiting.is_closed() => {
                    waiting.close();
                    continue;
                }
                count = waiting.recv_many(&mut group, GROUP_MAX) => count,
            };
            if count == 0 {
                break;
            }
            metrics::histogram!("depot_sql_group_jobs").record(u32::try_from(count).unwrap_or(u32::MAX));
            let mut jobs = std::mem::take(&mut group);
            sort_by_kind(&mut jobs);
            // A job that panics fails its group, whose callers get `Unknown`; the writer goes on.
            if AssertUnwindSafe(self.commit_group(jobs)).catch_unwind().await.is_err() {
                tracing::error!(
                    "a database job panicked: its transaction was rolled back and its callers retry; report this with the panic above"
                );
            }
        }
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    /// One transaction for all; if a statement fails, one for each, so that the failure stays with its own job.
    async fn commit_group(&mut self, mut jobs: Vec<Box<dyn Queued>>) {
        match self.commit(&mut jobs).await {
            Ok(()) => jobs.into_iter().for_each(|job| job.reply(Ok(()))),
            Err(failure) if failure.is_of_one_job() && jobs.len() > 1 => self.commit_each(jobs).await,
            Err(failure) => {
                let outcome = failure.outcome();
                jobs.into_iter().for_each(|job| job.reply(Err(outcome.clone())));
            }
        }
    }

    /// Once two jobs of a kind have waited for a lock in vain, more than a row is locked, and the rest of that kind is not
    /// tried: all other jobs would wait behind each of them.
    async fn commit_each(&mut self, jobs: Vec<Box<dyn Queued>>) {
        let mut jobs = jobs.into_iter();
        let mut locked_out: Vec<(TypeId, DatabaseError)> = Vec::new();
        while let Some(mut job) = jobs.next() {
            let kind = job.kind();
            if let Some((_, error)) = locked_out.iter().filter(|(locked_out, _)| *locked_out == kind).nth(1) {
                job.reply(Err(error.clone()));
                continue;
            }
            match self.commit(std::slice::from_mut(&mut job)).await {
                Ok(()) => job.reply(Ok(())),
                Err(failure) => {
                    job.reply(Err(failure.outcome()));
                    let not_tried = DatabaseError::from(&failure.error);
                    if !failure.is_of_one_job() {
                        jobs.by_ref().for_each(|job| job.reply(Err(not_tried.clone())));
                    } else if failure.class == ErrorClass::Busy {
                        locked_out.push((kind, not_tried));
                    }
                }
            }
        }
    }

    /// Once more on a fresh connection if the one at hand turns out to be dead before the commit is sent.
    async fn commit(&mut self, jobs: &mut [Box<dyn Queued>]) -> Result<(), WriteFailure> {
        let had_connection = self.connection.is_some();
        match self.attempt(jobs).await {
            Err(failure)
                if had_connection
                    && failure.class == ErrorClass::Lost
                    && failure.progress != Progress::Committing =>
            {
                self.attempt(jobs).await
            }
            outcome => outcome,
        }
    }

    /// The connection is put back only when it is known to be outside of any transaction.
    async fn attempt(&mut self, jobs: &mut [Box<dyn Queued>]) -> Result<(), WriteFailure> {
        let mut progress = Progress::Opening;
        let fail = |error: sqlx::Error, progress| WriteFailure { class: classify(&error), error, progress };
        let mut connection = match self.take() {
            Some(connection) => connection,
            None => self.address.open(Purpose::Writing).await.map_err(|error| fail(error, progress))?,
        };
        let engine = self.address.engine();
        let outcome = Connection::bounded(engine, transact(&mut connection, jobs, &mut progress)).await;
        let outcome = outcome.map_err(|error| fail(error, progress));
        let clean = match &outcome {
            Ok(()) => true,
            Err(failure) if failure.class == ErrorClass::Lost => false,
            // A server that takes no writes may be a former primary: the next try asks who it is now.
            Err(failure) if failure.class == ErrorClass::Full && engine == Engine::Postgres => false,
            Err(failure) if failure.progress == Progress::Opening => true,
            Err(_) => Connection::bounded(engine, rollback(&mut connection)).await.is_ok(),
        };
        if clean {
            self.connection = Some(connection);
            self.used = Instant::now();
        }
        outcome
    }

    fn take(&mut self) -> Option<Connection> {
        let connection = self.connection.take()?;
        let forgotten = self.address.engine() == Engine::Postgres && self.used.elapsed() > IDLE_MAX;
        (!forgotten).then_some(connection)
    }
}

/// Brings jobs of a kind together, the kinds in the order of their first jobs.
fn sort_by_kind(jobs: &mut [Box<dyn Queued>]) {
    let mut kinds = Vec::new();
    for kind in jobs.iter().map(|job| job.kind()) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    jobs.sort_by_key(|job| kinds.iter().position(|kind| *kind == job.kind()));
}

async fn transact(
    connection: &mut Connection,
    jobs: &mut [Box<dyn Queued>],
    progress: &mut Progress,
) -> Result<(), sqlx::Error> {
    match connection {
        Connection::Sqlite(_) => execute!(&mut *connection, "begin immediate")?,
        Connection::Postgres(_) => execute!(&mut *connection, "begin")?,
    };
    *progress = Progress::Working;
    for jobs in jobs.chunk_by_mut(|one, other| one.kind() == other.kind()) {
        if let Some((first, others)) = jobs.split_first_mut() {
            first.run(others, connection).await?;
        }
    }
    *progress = Progress::Committing;
    match connection {
        Connection::Sqlite(_) => execute!(&mut *connection, "commit")?,
        // After a statement that failed, and whose error a job kept to itself, a bare `commit` rolls back and reports
        // success; the `select` fails then. Both are one round trip.
        Connection::Postgres(_) => {
            on!(connection, c => sqlx::raw_sql("select 1; commit").execute(c).await.map(|done| done.rows_affected()))?
        }
    };
    Ok(())
}

async fn rollback(connection: &mut Connection) -> Result<(), sqlx::Error> {
    execute!(connection, "rollback").map(|_| ())
}
