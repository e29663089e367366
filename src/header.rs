//! What a header may be: names, values, lists of tokens (RFC 9110 5). Which headers a program may not set.

use crate::error::{Code, Error, Result};

/// The sub-protocols of some comma lists, each once.
pub(crate) fn sub_protocols<'a>(lists: impl Iterator<Item = &'a str>) -> Result<Vec<&'a str>> {
    let mut protocols: Vec<&str> = Vec::new();
    for protocol in lists.flat_map(|list| list.split(',')).map(|part| part.trim_matches([' ', '\t'])) {
        if protocol.is_empty() || protocols.contains(&protocol) {
            continue;
        }
        if !protocol.bytes().all(is_token_byte) {
            // Some carry a secret in here: it is not shown.
            let number = protocols.len() + 1;
            return Err(parameter(format!(
                "Sub-protocol {number} of the list is not a token (RFC 6455 4.1)."
            )));
        }
        protocols.push(protocol);
    }
    Ok(protocols)
}

/// The request headers that are refused when a program sets them: the opening handshake writes them itself.
pub(crate) const OWNED_HEADERS: [&str; 5] =
    ["upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"];

/// Checks a header that a program sets. `owned`: the headers that are refused, in lower case.
pub(crate) fn check_header(name: &str, value: &str, owned: &[&str]) -> Result<()> {
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        // A whole header in the place of the name would be shown with its value.
        let begins: String =
            name.chars().take_while(|c| c.is_ascii() && is_token_byte(*c as u8)).take(40).collect();
        return Err(parameter(format!("The header name {begins:?}... is not a token (RFC 9110 5.1).")));
    }
    if owned.iter().any(|owned| name.eq_ignore_ascii_case(owned)) {
        return Err(parameter(format!("The header {name} belongs to the handshake and can't be set.")));
    }
    // The value may be a secret: it is not shown.
    if value.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
        return Err(parameter(format!("The value of the header {name} holds a control character.")));
    }
    Ok(())
}

/// RFC 9110 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn parameter(message: impl Into<String>) -> Error {
    Error::call(Code::Parameter, message)
}
