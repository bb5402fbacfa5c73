//! Telemetry: the log, panics and metrics. None of them holds a secret or a text of a user.
//!
//! Two lines of defence keep secrets out: no call logs one, and every line passes a [`Redactor`] that knows their values.

pub mod metric;
mod prometheus;
mod redact;
mod sink;

use std::backtrace::Backtrace;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::time::Duration;

use secrecy::SecretString;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

pub use crate::telemetry::prometheus::{Exposition, install};
pub use crate::telemetry::redact::Redactor;
pub use crate::telemetry::sink::Sink;

use crate::config::{LogFormat, LogSettings};

/// The log while the process lives; dropping it writes out what is still queued.
#[derive(Debug)]
#[must_use = "the log is written out when this is dropped"]
pub struct Log(Sink);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// Starts the log of the process: to standard error, which leaves standard output to the answers of subcommands.
///
/// # Errors
/// A filter that cannot be read (the configuration has checked it), a thread that cannot be started, or a second start.
pub fn start(logs: &LogSettings, secrets: &[SecretString]) -> anyhow::Result<Log> {
    let sink = Sink::start(Redactor::new(secrets), Box::new(std::io::stderr()))?;
    let filter: Targets = logs.filter.parse()?;
    tracing_subscriber::registry().with(lines(logs.format, sink.clone()).with_filter(filter)).try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(Log(sink))
}

/// A duration as spans carry it: milliseconds, to the microsecond.
#[must_use]
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn lines(format: LogFormat, sink: Sink) -> Box<dyn Layer<Registry> + Send + Sync> {
    let is_terminal = std::io::stderr().is_terminal();
    let is_pretty = match format {
        LogFormat::Auto => is_terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    if is_pretty {
        let layer = fmt::layer().compact().with_target(false).with_writer(sink);
        // Where it is a terminal, `NO_COLOR` decides.
        if is_terminal { layer.boxed() } else { layer.with_ansi(false).boxed() }
    } else {
        let layer = fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(true)
            .with_writer(sink);
        layer.with_ansi(false).boxed()
    }
}

/// Logs where a panic happened. Its message only if it is a literal: a formatted one may quote a user.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload().downcast_ref::<&'static str>().copied();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    metrics::counter!(metric::PANICS.name).increment(1);
    tracing::error!(
        place,
        message = message.unwrap_or("withheld: it may quote a user"),
        backtrace = %Backtrace::capture(),
        "a task panicked: its work is lost until it is retried; this is a defect of the bot, report it with this line"
    );
}
