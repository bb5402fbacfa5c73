//! Everything that users send besides plain text.

use std::sync::Arc;

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use super::message::Body;
use super::user::{Sent, User, body_of};
use super::world::World;

impl User {
    /// Forwards a text whose origin is of a type that no client library knows yet.
    pub fn forwards(&self, text: &str) -> Sent {
        let mut body = body_of(text);
        let origin = json!({"type": "made_up_later", "date": 1_700_000_000, "sender": {"planet": "Mars"}});
        body.media.insert("forward_origin".to_owned(), origin);
        self.send(body)
    }

    /// Sends a voice note; the bytes can be downloaded.
    pub fn sends_voice(&self, seconds: u32, bytes: impl Into<Bytes>) -> Sent {
        let bytes = bytes.into();
        // Telegram's own notes are OGG; a page that records can write WAV only.
        let (extension, mime_type) =
            if bytes.starts_with(b"RIFF") { ("wav", "audio/wav") } else { ("oga", "audio/ogg") };
        self.sends_file("voice", extension, mime_type, bytes, &json!({"duration": seconds}))
    }

    /// Sends a photo in one size, with these bytes.
    pub fn sends_picture(&self, mime_type: &str, bytes: impl Into<Bytes>) -> Sent {
        let extension = if mime_type == "image/png" { "png" } else { "jpg" };
        let size = json!({"width": 1280, "height": 960});
        let picture = self.upload("photos", extension, mime_type, bytes.into(), &size);
        self.sends(&json!({"photo": [picture]}))
    }

    /// Sends an audio file.
    pub fn sends_audio(&self, seconds: u32, bytes: impl Into<Bytes>) -> Sent {
        let more = json!({"duration": seconds, "file_name": "note.mp3", "title": "note"});
        self.sends_file("audio", "mp3", "audio/mpeg", bytes.into(), &more)
    }

    /// Sends a round video.
    pub fn sends_video_note(&self, seconds: u32, bytes: impl Into<Bytes>) -> Sent {
        self.sends_file(
            "video_note",
            "mp4",
            "video/mp4",
            bytes.into(),
            &json!({"duration": seconds, "length": 240}),
        )
    }

    /// Sends a photo in two sizes; photos of one album share the `media_group_id`.
    pub fn sends_photo(&self, caption: Option<&str>, media_group_id: Option<&str>) -> Sent {
        let sizes: Vec<Value> = [(90, 67), (1280, 960)]
            .into_iter()
            .map(|(width, height)| {
                let mut picture = b"\xff\xd8\xff\xe0 a picture of ".to_vec();
                picture.extend(format!("{width}x{height}").bytes());
                let picture = Bytes::from(picture);
                self.upload(
                    "photos",
                    "jpg",
                    "image/jpeg",
                    picture,
                    &json!({"width": width, "height": height}),
                )
            })
            .collect();
        let mut body = Body { caption: caption.map(Arc::from), ..Body::default() };
        body.media.insert("photo".to_owned(), Value::Array(sizes));
        if let Some(album) = media_group_id {
            body.media.insert("media_group_id".to_owned(), json!(album));
        }
        self.send(body)
    }

    /// Sends a sticker.
    pub fn sends_sticker(&self) -> Sent {
        let more = json!({
            "type": "regular", "width": 512, "height": 512, "emoji": "👍",
            "is_animated": false, "is_video": false,
        });
        self.sends_file("sticker", "webp", "image/webp", Bytes::from_static(b"RIFF"), &more)
    }

    /// Sends where the user is.
    pub fn sends_location(&self) -> Sent {
        self.sends(&json!({"location": {"latitude": 48.8566, "longitude": 2.3522}}))
    }

    /// Sends a message with these members of the Bot API's `Message`, known or not.
    pub fn sends(&self, members: &Value) -> Sent {
        let media = members.as_object().cloned().unwrap_or_default();
        self.send(Body { media, ..Body::default() })
    }

    fn sends_file(&self, kind: &str, extension: &str, mime_type: &str, bytes: Bytes, more: &Value) -> Sent {
        let file = self.upload(kind, extension, mime_type, bytes, more);
        self.sends(&json!({ kind: file }))
    }

    fn upload(&self, folder: &str, extension: &str, mime_type: &str, bytes: Bytes, more: &Value) -> Value {
        let mut guard = self.shared.world();
        let World { files, rng, .. } = &mut *guard;
        let mut members: Map<String, Value> = files.keep(folder, extension, mime_type, bytes, rng).members();
        if mime_type.starts_with("audio/") {
            members.insert("mime_type".to_owned(), json!(mime_type));
        }
        members.extend(more.as_object().cloned().unwrap_or_default());
        Value::Object(members)
    }
}
