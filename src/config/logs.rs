//! The log: its form and its filter.

use serde::Deserialize;

use crate::config::{Layers, MergedLayers, Mistakes, Noted};

/// The form of the log, and its filter.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The form of a line.
    pub format: LogFormat,
    /// The filter of its lines, in the language of `tracing`.
    pub filter: String,
}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON otherwise.
    Auto,
    /// For eyes.
    Pretty,
    /// For machines: one JSON object per line.
    Json,
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            other => Err(format!("is unknown: {other:?}")),
        }
    }
}

/// A filter that `tracing` understands.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Filter(String);

impl TryFrom<String> for Filter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse::<tracing_subscriber::filter::Targets>() {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(format!("is not a filter: {text:?}")),
        }
    }
}

impl LogSettings {
    /// Reads this section alone, for subcommands that need no token.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(layers: &Layers) -> Result<Self, Mistakes> {
        let mut settings = MergedLayers::new(layers);
        let read = logs(&mut settings);
        settings.finish(read)
    }
}

pub(super) fn logs(settings: &mut MergedLayers) -> Result<LogSettings, Noted> {
    let fix = "write a level such as info or debug, or target=level pairs with commas between them";
    let filter = settings.get("RUST_LOG", fix);
    let format = settings.get("LOG_FORMAT", "choose auto, pretty or json");
    let Filter(filter) = filter?;
    Ok(LogSettings { format: format?, filter })
}
