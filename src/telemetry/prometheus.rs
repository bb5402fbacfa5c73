//! The recorder behind the `metrics` macros, and the page that Prometheus scrapes.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::clock::Clock;
use crate::telemetry::metric::{self, Metric, MetricKind};

/// How often observations are folded into their buckets; until then each of them takes memory.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The metrics of this process, ready to be rendered.
#[derive(Clone)]
pub struct Exposition(PrometheusHandle);

impl std::fmt::Debug for Exposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exposition")
    }
}

static INSTALLED: OnceLock<Exposition> = OnceLock::new();
static INSTALLING: Mutex<()> = Mutex::new(());

/// Installs the recorder for the whole process, with every series known beforehand at zero.
///
/// Later calls return the first one: several bots in one process (tests) share their metrics.
///
/// # Errors
/// Another recorder is installed already.
pub fn install() -> Result<Exposition, BuildError> {
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(installed) = INSTALLED.get() {
        return Ok(installed.clone());
    }
    let mut builder = PrometheusBuilder::new();
    for metric in metric::ALL {
        if let MetricKind::Histogram(buckets) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
        }
    }
    let handle = builder.install_recorder()?;
    metric::ALL.iter().for_each(begin);
    Ok(INSTALLED.get_or_init(|| Exposition(handle)).clone())
}

fn begin(metric: &Metric) {
    match metric.kind {
        MetricKind::Counter => describe_counter!(metric.name, metric.about),
        MetricKind::Gauge => describe_gauge!(metric.name, metric.about),
        MetricKind::Histogram(_) => describe_histogram!(metric.name, metric.about),
    }
    for labels in metric.series() {
        match metric.kind {
            MetricKind::Counter => counter!(metric.name, &labels).absolute(0),
            MetricKind::Gauge => {
                gauge!(metric.name, &labels).set(if metric.name == metric::BUILD.name { 1.0 } else { 0.0 })
            }
            MetricKind::Histogram(_) => drop(histogram!(metric.name, &labels)),
        }
    }
}

impl Exposition {
    /// The page, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds observations into their buckets for as long as it is polled.
    pub async fn upkeep(self, clock: Clock) {
        loop {
            clock.sleep(UPKEEP_EVERY).await;
            self.0.run_upkeep();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_begins_with_every_known_series_at_zero() {
        let exposition = install().unwrap();
        install().unwrap();
        histogram!(metric::COMMIT_SECONDS.name).record(0.002);
        let page = exposition.render();
        for metric in metric::ALL {
            let is_used_only = metric.labels.iter().any(|(_, values)| values.is_empty());
            assert!(is_used_only || page.contains(&format!("# TYPE {} ", metric.name)), "{page}");
            assert!(metric.name.starts_with("depot_"), "{}", metric.name);
        }
        assert!(page.contains(r#"depot_updates_total{kind="message",outcome="handled"} 0"#), "{page}");
        assert!(page.contains(r#"depot_commit_seconds_bucket{le="0.0025"}"#), "{page}");
        assert!(page.contains("depot_build_info{version="), "{page}");
    }
}
