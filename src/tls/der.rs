//! A reader of DER (X.690), as far as keys and certificates need it. What isn't there, or is damaged, is `None`.

/// What has not been read yet.
#[derive(Clone, Copy)]
pub struct Der<'a>(pub &'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag, itself, and its content.
    fn next(&self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let ([tag, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match *first {
            short @ 0..=0x7f => (usize::from(short), rest),
            long @ 0x81..=0x84 => {
                let (length, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let (element, _) = self.0.split_at_checked(self.0.len() - rest.len())?;
        Some((*tag, element, content))
    }

    /// The next element whatever it is: its tag and its content.
    pub fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, element, content) = self.next()?;
        self.0 = self.0.get(element.len()..)?;
        Some((tag, content))
    }

    /// The content of the next element, if that has this tag.
    pub fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        match self.next()? {
            (found, _, _) if found != tag => None,
            _ => self.any().map(|(_, content)| content),
        }
    }

    pub fn sequence(&mut self) -> Option<Der<'a>> {
        self.take(0x30).map(Der)
    }

    /// The next element as it stands, if that is a sequence.
    pub fn whole_sequence(&mut self) -> Option<&'a [u8]> {
        let (_, element, _) = self.next()?;
        self.take(0x30).map(|_| element)
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        self.take(0x04)
    }

    pub fn number(&mut self) -> Option<u64> {
        let bytes = self.take(0x02)?;
        let known = !bytes.is_empty() && bytes.len() <= 8 && bytes.first()? & 0x80 == 0;
        known.then(|| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The name of an algorithm, and its parameters.
    pub fn algorithm(&mut self) -> Option<(&'a [u8], Der<'a>)> {
        let mut identifier = self.sequence()?;
        Some((identifier.take(0x06)?, identifier))
    }
}
