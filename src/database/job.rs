//! A unit of work in SQL: a value with its parameters, and the statements that run with them.

use std::future::Future;
use std::marker::PhantomData;

use futures_util::future::BoxFuture;

use crate::database::Connection;

/// Something to do in SQL, with all it needs.
///
/// It may run several times before it counts: when a neighbour in its transaction fails, or the connection is lost, the
/// transaction is rolled back and the job runs again. So `run` changes nothing but the database.
///
/// Most jobs are written with [`job`]; a type of its own is for a job with a [`run_all`](Job::run_all), or one that several
/// callers share.
pub trait Job: Sized + Send + Sync + 'static {
    /// The value that it yields.
    type Output: Send + 'static;

    /// Runs the statements. A write is inside a transaction; an error rolls back all that the job did.
    ///
    /// The error of a statement is returned, never swallowed: on PostgreSQL the transaction is void after it. Where a
    /// conflict is expected, `on conflict do nothing` and the number of rows say so without an error.
    fn run(
        &self,
        connection: &mut Connection,
    ) -> impl Future<Output = Result<Self::Output, sqlx::Error>> + Send;

    /// Runs several that came at the same time, with one output for each: what they have in common may be done once.
    fn run_all(
        jobs: &[&Self],
        connection: &mut Connection,
    ) -> impl Future<Output = Result<Vec<Self::Output>, sqlx::Error>> + Send {
        one_by_one(jobs, connection)
    }
}

/// A job made of its parameters and a closure that runs statements with them, as often as the transaction needs.
///
/// ```
/// use depot_bot::database::{Database, DatabaseError, job};
/// use depot_bot::execute;
///
/// async fn rename(database: &Database, member: i64, name: &str) -> Result<u64, DatabaseError> {
///     let rename = job((member, name.to_owned()), |(member, name), connection| {
///         Box::pin(async move {
///             let sql = "update members set name = $2 where person = $1";
///             execute!(connection, sql, *member, name)
///         })
///     });
///     database.write(rename).await
/// }
/// ```
pub fn job<P, T, F>(parameters: P, run: F) -> Statements<P, T, F>
where
    P: Send + Sync + 'static,
    T: Send + 'static,
    F: for<'a> Fn(&'a P, &'a mut Connection) -> BoxFuture<'a, Result<T, sqlx::Error>> + Send + Sync + 'static,
{
    Statements { parameters, run, yields: PhantomData }
}

/// See [`job`].
#[derive(Debug)]
pub struct Statements<P, T, F> {
    parameters: P,
    run: F,
    yields: PhantomData<fn() -> T>,
}

impl<P, T, F> Job for Statements<P, T, F>
where
    P: Send + Sync + 'static,
    T: Send + 'static,
    F: for<'a> Fn(&'a P, &'a mut Connection) -> BoxFuture<'a, Result<T, sqlx::Error>> + Send + Sync + 'static,
{
    type Output = T;

    async fn run(&self, connection: &mut Connection) -> Result<T, sqlx::Error> {
        (self.run)(&self.parameters, connection).await
    }
}

/// Runs jobs in their order, each by itself.
pub(crate) async fn one_by_one<J: Job>(
    jobs: &[&J],
    connection: &mut Connection,
) -> Result<Vec<J::Output>, sqlx::Error> {
    let mut outputs = Vec::with_capacity(jobs.len());
    for job in jobs {
        outputs.push(job.run(connection).await?);
    }
    Ok(outputs)
}

/// Runs one job of a kind that says how several run together.
pub(crate) async fn alone<J: Job>(job: &J, connection: &mut Connection) -> Result<J::Output, sqlx::Error> {
    J::run_all(&[job], connection).await?.pop().ok_or(sqlx::Error::RowNotFound)
}
