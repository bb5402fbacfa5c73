//! The one task that writes: it commits what has gathered in one transaction, and answers each caller.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::database::connection::{Address, Connection, Purpose};
use crate::database::error::{Class, DatabaseError, classify};
use crate::database::{Engine, Job};
use crate::execute;

/// How many jobs one transaction takes.
const GROUP_MAX: usize = 256;
/// How many jobs wait at most; a caller for whom there is no room waits outside until its deadline.
const QUEUE_MAX: usize = 1024;
/// After so long a transaction on a server gives its connection up for dead.
const STUCK: Duration = Duration::from_secs(20);

pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Queued>>,
    closing: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(address: Address, connection: Connection) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let closing = CancellationToken::new();
        let turns = Turns { address, connection: Some(connection) };
        let task = tokio::spawn(turns.run(waiting, closing.clone()));
        Self { queue, closing, task: Mutex::new(Some(task)) }
    }

    pub(super) async fn write<J: Job>(&self, job: J, deadline: Duration) -> Result<J::Output, DatabaseError> {
        let deadline = Instant::now() + deadline;
        let place = match tokio::time::timeout_at(deadline, self.queue.reserve()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(DatabaseError::unavailable("closed")),
            Err(_) => return Err(DatabaseError::unavailable("too many writes wait")),
        };
        let (reply, answer) = oneshot::channel();
        place.send(Box::new(Waiting { job, output: None, reply }));
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(DatabaseError::Unknown),
        }
    }

    pub(super) async fn close(&self) {
        self.closing.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the database writer had ended before it was closed");
        }
    }
}

/// A job whose type is forgotten, so that different ones share a transaction.
trait Queued: Send {
    fn run<'a>(&'a mut self, connection: &'a mut Connection) -> BoxFuture<'a, Result<(), sqlx::Error>>;
    fn reply(self: Box<Self>, outcome: Result<(), DatabaseError>);
}

struct Waiting<J: Job> {
    job: J,
    output: Option<J::Output>,
    reply: oneshot::Sender<Result<J::Output, DatabaseError>>,
}

impl<J: Job> Queued for Waiting<J> {
    fn run<'a>(&'a mut self, connection: &'a mut Connection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        Box::pin(async move {
            self.output = Some(self.job.run(connection).await?);
            Ok(())
        })
    }

    fn reply(self: Box<Self>, outcome: Result<(), DatabaseError>) {
        let outcome = match (outcome, self.output) {
            (Ok(()), Some(output)) => Ok(output),
            (Ok(()), None) => Err(DatabaseError::Unknown),
            (Err(error), _) => Err(error),
        };
        // Nobody may be waiting any more: then its outcome was `Unknown`.
        drop(self.reply.send(outcome));
    }
}

/// How far a transaction came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Opening,
    Working,
    Committing,
}

struct Failure {
    error: sqlx::Error,
    class: Class,
    step: Step,
}

impl Failure {
    /// What is lost before the commit was sent did not happen; what is lost while it was sent may have.
    fn outcome(&self) -> DatabaseError {
        match (self.step, self.class) {
            (Step::Committing, Class::Lost) => DatabaseError::Unknown,
            _ => DatabaseError::from(&self.error),
        }
    }
}

struct Turns {
    address: Address,
    connection: Option<Connection>,
}

impl Turns {
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
            let jobs = std::mem::take(&mut group);
            // A job that panics takes its group with it, whose callers learn that the outcome is unknown, not the writer.
            if AssertUnwindSafe(self.turn(jobs)).catch_unwind().await.is_err() {
                tracing::error!("a database job panicked; its group was rolled back");
            }
        }
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    /// One transaction for all; if a statement fails, one for each, so that the failure stays with whom it belongs to.
    async fn turn(&mut self, mut jobs: Vec<Box<dyn Queued>>) {
        match self.commit(&mut jobs).await {
            Ok(()) => jobs.into_iter().for_each(|job| job.reply(Ok(()))),
            Err(failure)
                if failure.step == Step::Working && failure.class != Class::Full && jobs.len() > 1 =>
            {
                for mut job in jobs {
                    let outcome = self.commit(std::slice::from_mut(&mut job)).await;
                    job.reply(outcome.map_err(|failure| failure.outcome()));
                }
            }
            Err(failure) => {
                let outcome = failure.outcome();
                jobs.into_iter().for_each(|job| job.reply(Err(outcome.clone())));
            }
        }
    }

    /// Once more on a fresh connection if the one at hand turns out to be dead before the commit is sent.
    async fn commit(&mut self, jobs: &mut [Box<dyn Queued>]) -> Result<(), Failure> {
        let had_connection = self.connection.is_some();
        match self.attempt(jobs).await {
            Err(failure)
                if had_connection && failure.class == Class::Lost && failure.step != Step::Committing =>
            {
                self.attempt(jobs).await
            }
            outcome => outcome,
        }
    }

    /// The connection is put back only when it is known to be outside of any transaction.
    async fn attempt(&mut self, jobs: &mut [Box<dyn Queued>]) -> Result<(), Failure> {
        let mut step = Step::Opening;
        let fail = |error: sqlx::Error, step| Failure { class: classify(&error), error, step };
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.address.open(Purpose::Writing).await.map_err(|error| fail(error, step))?,
        };
        let working = transact(&mut connection, jobs, &mut step);
        let outcome = match self.address.engine() {
            // A thread that is stuck in the disk cannot be left alone: it would commit behind our back.
            Engine::Sqlite => working.await,
            Engine::Postgres => tokio::time::timeout(STUCK, working)
                .await
                .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))),
        };
        match outcome.map_err(|error| fail(error, step)) {
            Ok(()) => self.connection = Some(connection),
            Err(failure) => {
                if failure.class != Class::Lost && execute!(&mut connection, "rollback").is_ok() {
                    self.connection = Some(connection);
                }
                return Err(failure);
            }
        }
        Ok(())
    }
}

async fn transact(
    connection: &mut Connection,
    jobs: &mut [Box<dyn Queued>],
    step: &mut Step,
) -> Result<(), sqlx::Error> {
    let begin = match connection {
        Connection::Sqlite(_) => "begin immediate",
        Connection::Postgres(_) => "begin",
    };
    execute!(&mut *connection, begin)?;
    *step = Step::Working;
    for job in jobs {
        job.run(connection).await?;
    }
    *step = Step::Committing;
    execute!(&mut *connection, "commit")?;
    Ok(())
}
