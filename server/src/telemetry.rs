//! Log lines and metrics.

use std::{io::IsTerminal as _, sync::OnceLock};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{ConfigError, Options, given};

/// Upper bounds of the latency histograms, in seconds.
const LATENCY_BUCKETS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Starts writing log lines, to standard error.
///
/// # Errors
/// When `LOG_FORMAT` or `RUST_LOG` cannot be meant.
pub fn init(options: &Options) -> Result<(), ConfigError> {
    let filter = given(options.rust_log.as_ref()).unwrap_or("info");
    let filter = EnvFilter::try_new(filter).map_err(|_| ConfigError::Bad {
        variable: "RUST_LOG",
        given: filter.to_owned(),
        expected: "a filter such as info or engine=debug,info".to_owned(),
    })?;
    let pretty = match given(options.log_format.as_ref()) {
        None => std::io::stderr().is_terminal(),
        Some("pretty") => true,
        Some("json") => false,
        Some(other) => {
            return Err(ConfigError::Bad {
                variable: "LOG_FORMAT",
                given: other.to_owned(),
                expected: "pretty or json".to_owned(),
            });
        }
    };
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first one's lines.
    let _ = if pretty {
        registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init()
    } else {
        registry.with(lines.json().flatten_event(true).with_current_span(true).with_span_list(false)).try_init()
    };
    Ok(())
}

/// The process's metrics; the recorder is installed at the first call.
///
/// # Errors
/// When another recorder is installed already.
pub fn metrics() -> anyhow::Result<PrometheusHandle> {
    static HANDLE: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    let handle = HANDLE.get_or_init(|| {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), LATENCY_BUCKETS)
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(|error| error.to_string())
    });
    handle.clone().map_err(|error| anyhow::anyhow!("metrics cannot be recorded: {error}"))
}
