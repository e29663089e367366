//! The header as it is written: a list of extensions with parameters (RFC 6455 9.1).

use std::borrow::Cow;

use super::options::{LARGEST, SMALLEST};

/// One extension of the header, with its parameters as they stand there.
pub(super) struct Extension<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// The parameters of permessage-deflate. A window is given, with a value or without.
#[derive(Default)]
pub(super) struct Parameters {
    pub client_bits: Option<Option<u8>>,
    pub server_bits: Option<Option<u8>>,
    pub client_no_takeover: bool,
    pub server_no_takeover: bool,
}

impl Extension<'_> {
    pub fn name(&self) -> &str {
        self.name
    }

    /// An error completes the sentence "the extension has ...".
    pub fn parameters(&self) -> Result<Parameters, String> {
        let mut parameters = Parameters::default();
        for (name, value) in &self.parameters {
            let is_repeated = match *name {
                "client_max_window_bits" => parameters.client_bits.replace(window(name, value)?).is_some(),
                "server_max_window_bits" => parameters.server_bits.replace(window(name, value)?).is_some(),
                "client_no_context_takeover" => flag(name, value, &mut parameters.client_no_takeover)?,
                "server_no_context_takeover" => flag(name, value, &mut parameters.server_no_takeover)?,
                _ => return Err("an unknown parameter".into()),
            };
            if is_repeated {
                return Err(format!("{name} twice"));
            }
        }
        Ok(parameters)
    }
}

fn window(name: &str, value: &Option<Cow<'_, str>>) -> Result<Option<u8>, String> {
    let Some(value) = value else { return Ok(None) };
    // A leading zero is not allowed (RFC 7692 7.1.2).
    let bits = value.parse().ok().filter(|bits: &u8| *value == bits.to_string());
    match bits {
        Some(bits @ SMALLEST..=LARGEST) => Ok(Some(bits)),
        _ => Err(format!("a {name} that is not from {SMALLEST} to {LARGEST}")),
    }
}

/// Sets the flag, and tells whether it was set before.
fn flag(name: &str, value: &Option<Cow<'_, str>>, flag: &mut bool) -> Result<bool, String> {
    match value {
        None => Ok(std::mem::replace(flag, true)),
        Some(_) => Err(format!("a {name} with a value")),
    }
}

/// The extensions in one value of the header; `None` is the last item, if the value is malformed.
pub(super) struct List<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for List<'a> {
    type Item = Option<Extension<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        // Empty elements are allowed (RFC 9110 5.6.1).
        while self.eat(b',') {}
        if self.rest.is_empty() {
            return None;
        }
        let extension = self.extension();
        if extension.is_none() {
            self.rest = &[];
        }
        Some(extension)
    }
}

impl<'a> List<'a> {
    pub fn new(value: &'a [u8]) -> Self {
        List { rest: value }
    }

    fn extension(&mut self) -> Option<Extension<'a>> {
        let mut extension = Extension { name: self.token()?, parameters: Vec::new() };
        while self.eat(b';') {
            let name = self.token()?;
            let value = if self.eat(b'=') { Some(self.value()?) } else { None };
            extension.parameters.push((name, value));
        }
        (self.rest.is_empty() || self.rest.starts_with(b",")).then_some(extension)
    }

    fn skip_blanks(&mut self) {
        let blanks = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.rest = self.rest.get(blanks..).unwrap_or_default();
    }

    /// One separator, with the blanks on both sides.
    fn eat(&mut self, separator: u8) -> bool {
        self.skip_blanks();
        let Some(rest) = self.rest.strip_prefix(&[separator]) else { return false };
        self.rest = rest;
        self.skip_blanks();
        true
    }

    fn token(&mut self) -> Option<&'a str> {
        let length = self.rest.iter().take_while(|byte| is_of_token(**byte)).count();
        let (token, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        std::str::from_utf8(token).ok().filter(|token| !token.is_empty())
    }

    /// A token, in quotes or not (RFC 6455 9.1).
    fn value(&mut self) -> Option<Cow<'a, str>> {
        let Some(mut rest) = self.rest.strip_prefix(b"\"") else { return self.token().map(Cow::Borrowed) };
        let mut value = String::new();
        loop {
            let (byte, behind) = match rest {
                [b'\\', byte, behind @ ..] => (byte, behind),
                [b'"', behind @ ..] => {
                    self.rest = behind;
                    return (!value.is_empty()).then_some(Cow::Owned(value));
                }
                [byte, behind @ ..] => (byte, behind),
                [] => return None,
            };
            if !is_of_token(*byte) {
                return None;
            }
            value.push(char::from(*byte));
            rest = behind;
        }
    }
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
