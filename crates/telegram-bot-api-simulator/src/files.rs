//! Files that users and the bot uploaded.

use std::num::NonZeroUsize;

use axum::body::Bytes;
use lru::LruCache;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

/// Files kept; the least recently used go first.
const MOST_FILES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);
/// Bytes kept over all files.
const MOST_BYTES: usize = 256 << 20;
/// The largest file that `getFile` hands out (Bot API: 20 MB).
pub(super) const LARGEST_DOWNLOAD: usize = 20 << 20;

/// One file; `Bytes` are shared, so a clone is cheap.
#[derive(Clone, Debug)]
pub(super) struct StoredFile {
    pub file_id: String,
    unique_id: String,
    pub path: String,
    pub mime_type: String,
    pub bytes: Bytes,
}

impl StoredFile {
    /// The members that every file of the Bot API has.
    pub(super) fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("file_id".to_owned(), json!(self.file_id));
        members.insert("file_unique_id".to_owned(), json!(self.unique_id));
        members.insert("file_size".to_owned(), json!(self.bytes.len()));
        members
    }
}

/// All files, by `file_id`; `file_path` is the id in a folder.
#[derive(Debug)]
pub(super) struct Files {
    by_id: LruCache<String, StoredFile>,
    total: usize,
}

impl Files {
    pub(super) fn new() -> Self {
        Self { by_id: LruCache::new(MOST_FILES), total: 0 }
    }

    pub(super) fn keep(
        &mut self,
        folder: &str,
        extension: &str,
        mime_type: &str,
        bytes: Bytes,
        rng: &mut StdRng,
    ) -> StoredFile {
        let unique_id = format!("AgAD{:012x}", rng.random::<u64>() >> 16);
        let file_id = format!("AwACAgQAAxkBAAI{:032x}", rng.random::<u128>());
        let path = format!("{folder}/{file_id}.{extension}");
        let file =
            StoredFile { file_id: file_id.clone(), unique_id, path, mime_type: mime_type.to_owned(), bytes };
        self.total += file.bytes.len();
        if let Some((_, evicted)) = self.by_id.push(file_id, file.clone()) {
            self.total -= evicted.bytes.len();
        }
        while self.total > MOST_BYTES {
            let Some((_, evicted)) = self.by_id.pop_lru() else { break };
            self.total -= evicted.bytes.len();
        }
        file
    }

    pub(super) fn get(&mut self, file_id: &str) -> Option<StoredFile> {
        self.by_id.get(file_id).cloned()
    }

    pub(super) fn at_path(&mut self, path: &str) -> Option<StoredFile> {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        self.get(name.split_once('.').map_or(name, |(id, _)| id)).filter(|file| file.path == path)
    }
}
