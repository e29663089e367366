//! What two sides agree to compress by: `Sec-WebSocket-Extensions` (RFC 6455 9.1, RFC 7692 5 and 7.1).

use std::borrow::Cow;
use std::fmt::Write;

use crate::error::{Code, Error, Result};

const NAME: &str = "permessage-deflate";
/// The windows that RFC 7692 knows, as powers of two, and zlib's smallest.
const SMALLEST: u8 = 8;
const LARGEST: u8 = 15;
const SMALLEST_OF_ZLIB: u8 = 9;

/// What a program asks of compression.
#[derive(Clone, Copy, Debug)]
pub struct CompressionOptions {
    /// Whether a client offers it, and a server agrees to it.
    pub enabled: bool,
    /// How hard to try, 1 to 9.
    pub level: u8,
    /// Messages with fewer bytes are sent as they are.
    pub threshold: usize,
    /// The largest window of what clients send, as a power of two, 8 to 15.
    pub client_max_window_bits: u8,
    /// The largest window of what servers send.
    pub server_max_window_bits: u8,
    /// Whether each message of clients stands alone.
    pub client_no_context_takeover: bool,
    /// Whether each message of servers stands alone.
    pub server_no_context_takeover: bool,
    /// How many bytes a connection may hold for both directions.
    pub memory: usize,
}

impl Default for CompressionOptions {
    fn default() -> Self {
        CompressionOptions {
            enabled: false,
            level: 6,
            threshold: 1024,
            client_max_window_bits: LARGEST,
            server_max_window_bits: LARGEST,
            client_no_context_takeover: false,
            server_no_context_takeover: false,
            memory: 512 << 10,
        }
    }
}

impl CompressionOptions {
    /// Checks the rules of the contract.
    pub fn check(&self) -> Result<()> {
        if !(1..=9).contains(&self.level) {
            let message = format!("compression_level {} is not from 1 to 9.", self.level);
            return Err(Error::call(Code::Parameter, message));
        }
        for (name, bits) in [
            ("client_max_window_bits", self.client_max_window_bits),
            ("server_max_window_bits", self.server_max_window_bits),
        ] {
            if !(SMALLEST..=LARGEST).contains(&bits) {
                let message = format!("{name} {bits} is not from {SMALLEST} to {LARGEST}.");
                return Err(Error::call(Code::Parameter, message));
            }
        }
        if self.enabled && !cfg!(feature = "deflate") {
            return Err(Error::call(Code::NotSupported, "This build has no compression."));
        }
        Ok(())
    }

    fn is_on(&self) -> bool {
        cfg!(feature = "deflate") && self.enabled
    }
}

/// How one direction is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// The window, as a power of two, 8 to 15.
    pub bits: u8,
    /// Whether each message stands alone.
    pub no_takeover: bool,
}

/// What both sides have agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What the client sends.
    pub client: Way,
    /// What the server sends.
    pub server: Way,
}

impl Agreed {
    /// The agreement as a header has it.
    pub fn describe(&self) -> String {
        let mut text = String::from(NAME);
        for (side, way) in [("server", self.server), ("client", self.client)] {
            if way.no_takeover {
                // Writing to a String can't fail.
                let _ = write!(text, "; {side}_no_context_takeover");
            }
            if way.bits < LARGEST {
                let _ = write!(text, "; {side}_max_window_bits={}", way.bits);
            }
        }
        text
    }
}

/// The most that a compressor holds, in bytes: twice its window, a u16 for each byte of the window, a table of 128 KiB,
/// buffers of 112 KiB, and up to 8 KiB of state.
pub(super) const fn deflater_memory(bits: u8) -> usize {
    let bits = if bits < SMALLEST_OF_ZLIB { SMALLEST_OF_ZLIB } else { bits };
    (4 << bits) + (248 << 10)
}

/// The most that a decompressor holds besides our copy of its window: 32 KiB for any window, and up to 16 KiB of state.
pub(super) const INFLATER_MEMORY: usize = 48 << 10;

/// The most bytes that a connection holds which compresses with the one window and decompresses with the other.
pub fn memory(outgoing_bits: u8, incoming_bits: u8) -> usize {
    deflater_memory(outgoing_bits) + INFLATER_MEMORY + (1 << incoming_bits)
}

/// The largest windows for which there is memory. Those that can't be smaller stay as they are.
fn fit(outgoing: (u8, bool), incoming: (u8, bool), most: usize) -> Option<(u8, u8)> {
    let ((mut outgoing, outgoing_may_shrink), (mut incoming, incoming_may_shrink)) = (outgoing, incoming);
    while memory(outgoing, incoming) > most {
        // A byte of the window costs more where it is compressed.
        if outgoing_may_shrink
            && outgoing > SMALLEST_OF_ZLIB
            && (outgoing + 2 > incoming || !incoming_may_shrink)
        {
            outgoing -= 1;
        } else if incoming_may_shrink && incoming > SMALLEST {
            incoming -= 1;
        } else {
            return None;
        }
    }
    Some((outgoing, incoming))
}

/// What a client writes into `Sec-WebSocket-Extensions`; `None` if it compresses nothing.
pub fn offer(options: &CompressionOptions) -> Option<String> {
    let (client, server) = offered(options)?;
    let mut text = String::from(NAME);
    text.push_str("; client_max_window_bits");
    if client.bits < LARGEST {
        let _ = write!(text, "={}", client.bits);
    }
    if server.bits < LARGEST {
        let _ = write!(text, "; server_max_window_bits={}", server.bits);
    }
    if client.no_takeover {
        text.push_str("; client_no_context_takeover");
    }
    if server.no_takeover {
        text.push_str("; server_no_context_takeover");
    }
    Some(text)
}

/// The two ways of a client's offer.
fn offered(options: &CompressionOptions) -> Option<(Way, Way)> {
    if !options.is_on() {
        return None;
    }
    let (client, server) = (options.client_max_window_bits, options.server_max_window_bits);
    let (client, server) = fit((client, true), (server, true), options.memory)?;
    let client = Way { bits: client, no_takeover: options.client_no_context_takeover };
    let server = Way { bits: server, no_takeover: options.server_no_context_takeover };
    Some((client, server))
}

/// Judges the answer to [`offer`]: all values of the header. What is wrong is told as the end of a sentence about the
/// answer.
pub fn accept_answer<'a>(
    options: &CompressionOptions,
    values: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<Agreed>, String> {
    let mut agreed = None;
    for extension in values.flat_map(|value| List { rest: value }) {
        let extension = extension.ok_or("its Sec-WebSocket-Extensions is malformed")?;
        let Some((client, server)) = offered(options).filter(|_| extension.name == NAME) else {
            return Err("it uses an extension that was not offered".into());
        };
        if agreed.is_some() {
            return Err(format!("it agrees to {NAME} twice"));
        }
        let parameters = extension.parameters().map_err(|what| format!("its {NAME} has {what}"))?;
        let window = |given: Option<Option<u8>>, offered: u8, name: &str| match given {
            Some(Some(bits)) if bits <= offered => Ok(Some(bits)),
            Some(Some(bits)) => Err(format!("its {name} of {bits} is above the {offered} of the offer")),
            Some(None) => Err(format!("its {name} has no value")),
            None => Ok(None),
        };
        let client_bits = window(parameters.client_bits, client.bits, "client_max_window_bits")?;
        let server_bits = window(parameters.server_bits, server.bits, "server_max_window_bits")?;
        if server_bits.is_none() && server.bits < LARGEST {
            return Err("it leaves out the server_max_window_bits of the offer".into());
        }
        if server.no_takeover && !parameters.server_no_takeover {
            return Err("it leaves out the server_no_context_takeover of the offer".into());
        }
        agreed = Some(Agreed {
            // A window that is smaller than the server expects is this side's choice.
            client: Way {
                bits: client_bits.unwrap_or(client.bits),
                no_takeover: client.no_takeover || parameters.client_no_takeover,
            },
            server: Way { bits: server_bits.unwrap_or(LARGEST), no_takeover: parameters.server_no_takeover },
        });
    }
    Ok(agreed)
}

/// A server's choice among what a client offers, and its answer: the first offer that it can keep to. `values` are those
/// of the header. Nothing behind what is malformed is looked at.
pub fn agree<'a>(
    options: &CompressionOptions,
    values: impl Iterator<Item = &'a [u8]>,
) -> Option<(Agreed, String)> {
    if !options.is_on() {
        return None;
    }
    let offers = values.flat_map(|value| List { rest: value }).map_while(|extension| extension);
    let agreed = offers.filter(|offer| offer.name == NAME).find_map(|offer| consider(options, &offer))?;
    Some((agreed, agreed.describe()))
}

fn consider(options: &CompressionOptions, offer: &Extension<'_>) -> Option<Agreed> {
    let offered = offer.parameters().ok()?;
    let server_bits = match offered.server_bits {
        // A client must say how much.
        Some(None) => return None,
        Some(Some(bits)) => bits.min(options.server_max_window_bits),
        None => options.server_max_window_bits,
    };
    let client_bits = match offered.client_bits {
        Some(bits) => bits.unwrap_or(LARGEST).min(options.client_max_window_bits),
        // It can't be told to use a smaller window.
        None if options.client_max_window_bits < LARGEST => return None,
        None => LARGEST,
    };
    let (server_bits, client_bits) =
        fit((server_bits, true), (client_bits, offered.client_bits.is_some()), options.memory)?;
    Some(Agreed {
        client: Way {
            bits: client_bits,
            no_takeover: options.client_no_context_takeover || offered.client_no_takeover,
        },
        server: Way {
            bits: server_bits,
            no_takeover: options.server_no_context_takeover || offered.server_no_takeover,
        },
    })
}

/// One extension of the header, with its parameters as they stand there.
struct Extension<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// The parameters of permessage-deflate. A window is given, with a value or without.
#[derive(Default)]
struct Parameters {
    client_bits: Option<Option<u8>>,
    server_bits: Option<Option<u8>>,
    client_no_takeover: bool,
    server_no_takeover: bool,
}

impl Extension<'_> {
    /// What is wrong is told as something that the extension has.
    fn parameters(&self) -> Result<Parameters, String> {
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
struct List<'a> {
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
