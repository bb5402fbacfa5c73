//! A photo on its way to a chat model: its first bytes, and its bytes as text.

/// The letters of base64 (RFC 4648 §4).
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A photo as an address that holds it; `None` if it is none that models take.
pub(super) fn data_url(bytes: &[u8]) -> Option<String> {
    let kind = if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        "jpeg"
    } else if bytes.starts_with(b"\x89PNG") {
        "png"
    } else {
        return None;
    };
    Some(format!("data:image/{kind};base64,{}", base64(bytes)))
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |place: usize| three.get(place).copied().map_or(0, u32::from);
        let bits = (at(0) << 16) | (at(1) << 8) | at(2);
        for place in 0..4 {
            let letter = LETTERS.get(((bits >> (18 - 6 * place)) & 63) as usize).copied();
            text.push(if place > three.len() { '=' } else { letter.map_or('=', char::from) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_text_as_the_standard_says() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn only_pictures_are_sent() {
        assert!(data_url(&[0xff, 0xd8, 0xff, 0xe0]).unwrap().starts_with("data:image/jpeg;base64,/9j/"));
        assert!(data_url(b"\x89PNG\r\n").unwrap().starts_with("data:image/png;"));
        assert_eq!(data_url(b"<svg>"), None);
        assert_eq!(data_url(b""), None);
    }
}
