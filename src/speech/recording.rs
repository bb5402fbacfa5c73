//! A recording before it is transcribed: its format, by its first bytes.

/// The formats that transcribers take, known by the first bytes: names and types are only what the devices claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AudioFormat {
    /// Telegram's voice notes: Opus in OGG.
    Ogg,
    Mp3,
    Wav,
    /// M4A, and the MP4 of round videos, whose sound is AAC.
    Mp4,
    Webm,
    Flac,
}

impl AudioFormat {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let has = |at: usize, mark: &[u8]| bytes.get(at..at + mark.len()) == Some(mark);
        let is_frame = bytes.first() == Some(&0xff) && bytes.get(1).is_some_and(|next| next & 0xe6 == 0xe2);
        if has(0, b"OggS") {
            Some(Self::Ogg)
        } else if has(0, b"ID3") || is_frame {
            Some(Self::Mp3)
        } else if has(0, b"RIFF") && has(8, b"WAVE") {
            Some(Self::Wav)
        } else if has(4, b"ftyp") {
            Some(Self::Mp4)
        } else if has(0, &[0x1a, 0x45, 0xdf, 0xa3]) {
            Some(Self::Webm)
        } else if has(0, b"fLaC") {
            Some(Self::Flac)
        } else {
            None
        }
    }

    /// A name whose ending states the format: some servers read nothing else.
    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::Ogg => "note.ogg",
            Self::Mp3 => "note.mp3",
            Self::Wav => "note.wav",
            Self::Mp4 => "note.mp4",
            Self::Webm => "note.webm",
            Self::Flac => "note.flac",
        }
    }

    pub(super) fn mime_type(self) -> &'static str {
        match self {
            Self::Ogg => "audio/ogg",
            Self::Mp3 => "audio/mpeg",
            Self::Wav => "audio/wav",
            Self::Mp4 => "audio/mp4",
            Self::Webm => "audio/webm",
            Self::Flac => "audio/flac",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format_whatever_the_name_says() {
        assert_eq!(AudioFormat::of(b"OggS\0\x02 OpusHead"), Some(AudioFormat::Ogg));
        assert_eq!(AudioFormat::of(b"ID3\x04"), Some(AudioFormat::Mp3));
        assert_eq!(AudioFormat::of(&[0xff, 0xfb, 0x90]), Some(AudioFormat::Mp3));
        assert_eq!(AudioFormat::of(&[0xff, 0xf3, 0x40]), Some(AudioFormat::Mp3));
        assert_eq!(AudioFormat::of(b"RIFF\0\0\0\0WAVEfmt "), Some(AudioFormat::Wav));
        assert_eq!(AudioFormat::of(b"\0\0\0\x20ftypM4A "), Some(AudioFormat::Mp4));
        assert_eq!(AudioFormat::of(b"fLaC"), Some(AudioFormat::Flac));
        for other in [b"".as_slice(), b"RIFF", b"RIFF\0\0\0\0WEBP", b"<html>", b"%PDF", &[0xff, 0xd8, 0xff]] {
            assert_eq!(AudioFormat::of(other), None, "{other:?}");
        }
    }
}
