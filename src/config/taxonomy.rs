//! The file of categories.

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::{Layers, MergedLayers, Mistakes, Noted};

/// A file that can be read; its content is the business of `taxonomy`.
#[derive(Deserialize)]
#[serde(try_from = "PathBuf")]
struct ReadableFile(PathBuf);

impl TryFrom<PathBuf> for ReadableFile {
    type Error = String;

    fn try_from(path: PathBuf) -> Result<Self, String> {
        let found = match std::fs::File::open(&path).and_then(|file| file.metadata()) {
            Ok(file) if file.is_file() => return Ok(Self(path)),
            Ok(_) => path.display().to_string(),
            Err(error) => format!("{} ({})", path.display(), error.kind()),
        };
        Err(format!("names a file that cannot be read: {found}"))
    }
}

pub(super) fn taxonomy(settings: &mut MergedLayers) -> Result<Option<PathBuf>, Noted> {
    let fix = "give the path of a taxonomy file, or leave it out";
    Ok(settings.optional("TAXONOMY_FILE", fix)?.map(|ReadableFile(path)| path))
}

/// The file of categories in place of those compiled in, for subcommands that need no token.
///
/// # Errors
/// A file that cannot be read.
pub fn taxonomy_file(layers: &Layers) -> Result<Option<PathBuf>, Mistakes> {
    let mut settings = MergedLayers::new(layers);
    let read = taxonomy(&mut settings);
    settings.finish(read)
}
