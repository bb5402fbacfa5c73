//! The files of the page, all within the binary: nothing is fetched from anywhere else.

/// One file of the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    /// Where a browser asks for it.
    pub(super) path: &'static str,
    /// Its media type.
    pub(super) mime_type: &'static str,
    /// Its content.
    pub(super) bytes: &'static [u8],
}

macro_rules! files {
    ($($path:literal $name:literal $mime_type:literal)*) => {
        /// Every file that the page is made of.
        pub(super) const FILES: &[File] = &[
            $(File { path: $path, mime_type: $mime_type, bytes: include_bytes!(concat!("page/", $name)) },)*
        ];
    };
}

files! {
    "/" "index.html" "text/html; charset=utf-8"
    "/style.css" "style.css" "text/css; charset=utf-8"
    "/icon.svg" "icon.svg" "image/svg+xml"
    "/theme.js" "theme.js" "text/javascript; charset=utf-8"
    "/main.js" "main.js" "text/javascript; charset=utf-8"
    "/server.js" "server.js" "text/javascript; charset=utf-8"
    "/dom.js" "dom.js" "text/javascript; charset=utf-8"
    "/text.js" "text.js" "text/javascript; charset=utf-8"
    "/chat.js" "chat.js" "text/javascript; charset=utf-8"
    "/composer.js" "composer.js" "text/javascript; charset=utf-8"
    "/recorder.js" "recorder.js" "text/javascript; charset=utf-8"
    "/worklet.js" "worklet.js" "text/javascript; charset=utf-8"
    "/inspector.js" "inspector.js" "text/javascript; charset=utf-8"
    "/diagram.js" "diagram.js" "text/javascript; charset=utf-8"
    "/samples.json" "samples.json" "application/json"
    "/samples/deux-bouilloires.ogg" "samples/deux-bouilloires.ogg" "audio/ogg"
    "/samples/fauteuil-et-lampe.ogg" "samples/fauteuil-et-lampe.ogg" "audio/ogg"
    "/samples/lot-de-vaisselle.ogg" "samples/lot-de-vaisselle.ogg" "audio/ogg"
    "/samples/cadre-ancien.ogg" "samples/cadre-ancien.ogg" "audio/ogg"
    "/samples/televiseurs.ogg" "samples/televiseurs.ogg" "audio/ogg"
    "/samples/imprimante.ogg" "samples/imprimante.ogg" "audio/ogg"
    "/samples/chaise.jpg" "samples/chaise.jpg" "image/jpeg"
    "/samples/carton.jpg" "samples/carton.jpg" "image/jpeg"
}

/// A voice note that is shipped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    /// OGG/Opus.
    pub(super) bytes: &'static [u8],
    /// How long it is, at least 1.
    pub(super) seconds: u32,
}

/// The shipped voice note of this name.
pub(super) fn sample(name: &str) -> Option<Note> {
    let bytes = file(&format!("/samples/{name}.ogg"))?.bytes;
    Some(Note { bytes, seconds: seconds(bytes) })
}

/// The shipped photo of this name: JPEG.
pub(super) fn picture(name: &str) -> Option<&'static [u8]> {
    file(&format!("/samples/{name}.jpg")).map(|file| file.bytes)
}

/// The file at this path.
pub(super) fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

/// How long an OGG/Opus file plays: its last page has the number of samples, 48,000 a second.
fn seconds(ogg: &[u8]) -> u32 {
    let last = ogg.windows(4).rposition(|mark| mark == b"OggS").unwrap_or_default();
    let granule =
        ogg.get(last + 6..last + 14).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
    u32::try_from(granule.div_ceil(48_000)).unwrap_or(1).max(1)
}
