//! Whether text is UTF-8 (RFC 3629), also when it comes in pieces that end within a character.

/// Whether all of it is valid.
#[inline]
pub(crate) fn is_valid(text: &[u8]) -> bool {
    simdutf8::basic::from_utf8(text).is_ok()
}

/// Text, if it is valid.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    simdutf8::basic::from_utf8(bytes).ok()
}

/// The check of a text that comes in pieces. A character that can't become valid is found at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pieces {
    /// The beginning of a character that isn't complete.
    begun: [u8; 4],
    length: usize,
}

impl Pieces {
    /// Whether the text is valid so far.
    pub fn accept(&mut self, mut piece: &[u8]) -> bool {
        while self.length > 0 {
            let Some((byte, rest)) = piece.split_first() else { return true };
            let Some(place) = self.begun.get_mut(self.length) else { return false };
            *place = *byte;
            self.length += 1;
            piece = rest;
            match std::str::from_utf8(self.begun.get(..self.length).unwrap_or_default()) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        if is_valid(piece) {
            return true;
        }
        match std::str::from_utf8(piece) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let begun = piece.get(error.valid_up_to()..).unwrap_or_default();
                self.length = begun.len();
                for (place, byte) in self.begun.iter_mut().zip(begun) {
                    *place = *byte;
                }
                true
            }
        }
    }

    /// Whether the text so far ends with a whole character.
    pub fn is_complete(&self) -> bool {
        self.length == 0
    }

    /// How many bytes of a character wait for the rest of it.
    pub fn waiting(&self) -> usize {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_judged_the_same_however_it_is_cut() {
        let texts: [&[u8]; 9] = [
            "κόσμε".as_bytes(),
            "a€😀z".as_bytes(),
            b"",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"ab\xc0\x80",
            b"\xe2\x82",
            b"\xf0\x9f\x98\x80\x80",
            b"\xff",
        ];
        for text in texts {
            let whole = std::str::from_utf8(text).is_ok();
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let mut pieces = Pieces::default();
                    let valid = pieces.accept(&text[..first])
                        && pieces.accept(&text[first..second])
                        && pieces.accept(&text[second..])
                        && pieces.is_complete();
                    assert_eq!(valid, whole, "{text:?} {first} {second}");
                }
            }
        }
    }

    #[test]
    fn what_can_not_become_valid_is_found_at_once() {
        let mut pieces = Pieces::default();
        assert!(pieces.accept(b"\xce\xba\xf4"));
        assert!(!pieces.accept(b"\x90"));
    }
}
