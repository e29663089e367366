//! What two sides agree to compress by: `Sec-WebSocket-Extensions` (RFC 6455 9.1, RFC 7692 5 and 7.1).

mod list;
mod options;

use std::fmt::Write;

use list::{Extension, List};
use options::{LARGEST, NAME, SMALLEST, SMALLEST_OF_ZLIB};

#[cfg(feature = "deflate")]
pub(super) use options::{deflater_memory, INFLATER_MEMORY};
pub use options::{memory, Agreed, CompressionOptions, Way};

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

/// Checks the answer to [`offer`]: all values of the header. An error completes a sentence about the answer.
pub fn accept_answer<'a>(
    options: &CompressionOptions,
    values: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<Agreed>, String> {
    let mut agreed = None;
    for extension in values.flat_map(List::new) {
        let extension = extension.ok_or("its Sec-WebSocket-Extensions is malformed")?;
        let Some((client, server)) = offered(options).filter(|_| extension.name() == NAME) else {
            return Err("it uses an extension that was not offered".into());
        };
        if agreed.is_some() {
            return Err(format!("it agrees to {NAME} twice"));
        }
        let parameters = extension.parameters().map_err(|what| format!("its {NAME} has {what}"))?;
        let window = |given: Option<Option<u8>>, offered: u8, name: &str| match given {
            Some(Some(bits)) if bits <= offered => Ok(Some(bits)),
            Some(Some(bits)) => Err(format!("its {name} of {bits} is above the offered {offered}")),
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
/// of the header; where one is malformed, its rest is ignored.
pub fn agree<'a>(
    options: &CompressionOptions,
    values: impl Iterator<Item = &'a [u8]>,
) -> Option<(Agreed, String)> {
    if !options.is_on() {
        return None;
    }
    let offers = values.flat_map(List::new).flatten();
    offers.filter(|offer| offer.name() == NAME).find_map(|offer| consider(options, &offer))
}

fn consider(options: &CompressionOptions, offer: &Extension<'_>) -> Option<(Agreed, String)> {
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
    let agreed = Agreed {
        client: Way {
            bits: client_bits,
            no_takeover: options.client_no_context_takeover || offered.client_no_takeover,
        },
        server: Way {
            bits: server_bits,
            no_takeover: options.server_no_context_takeover || offered.server_no_takeover,
        },
    };
    let mut answer = agreed.describe();
    // A limit that was asked for is confirmed, also where it is the largest (RFC 7692 7.1.2.1).
    if offered.server_bits.is_some() && server_bits == LARGEST {
        let _ = write!(answer, "; server_max_window_bits={LARGEST}");
    }
    Some((agreed, answer))
}

/// Whatever a peer writes, nothing is agreed to that was not offered, that breaks an option, or for which there is no
/// memory; and what a server answers is what a client that has offered it accepts.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let Some(([flags, bits, level, kib], header)) = data.split_first_chunk::<4>() else { return };
    let options = CompressionOptions {
        enabled: true,
        level: level % 9 + 1,
        client_max_window_bits: 8 + bits % 8,
        server_max_window_bits: 8 + (bits >> 3) % 8,
        client_no_context_takeover: flags & 1 != 0,
        server_no_context_takeover: flags & 2 != 0,
        memory: usize::from(*kib) << 11,
        ..CompressionOptions::default()
    };
    assert!(options.check().is_ok());
    let values = || header.split(|byte| *byte == b'\n');
    let check = |agreed: &Agreed, outgoing: Way, incoming: Way| {
        assert!(agreed.client.bits <= options.client_max_window_bits && agreed.client.bits >= 8);
        assert!(agreed.server.bits <= options.server_max_window_bits && agreed.server.bits >= 8);
        assert!(memory(outgoing.bits, incoming.bits) <= options.memory);
    };
    if let Some((agreed, answer)) = agree(&options, values()) {
        check(&agreed, agreed.server, agreed.client);
        assert!(!options.client_no_context_takeover || agreed.client.no_takeover);
        assert!(!options.server_no_context_takeover || agreed.server.no_takeover);
        let asks = CompressionOptions { enabled: true, ..CompressionOptions::default() };
        assert_eq!(accept_answer(&asks, [answer.as_bytes()].into_iter()), Ok(Some(agreed)));
    }
    match accept_answer(&options, values()) {
        Ok(Some(agreed)) => {
            check(&agreed, agreed.client, agreed.server);
            assert!(offer(&options).is_some());
            assert!(!options.client_no_context_takeover || agreed.client.no_takeover);
            assert!(!options.server_no_context_takeover || agreed.server.no_takeover);
        }
        Ok(None) => assert!(header.iter().all(|byte| b", \t\n".contains(byte))),
        Err(what) => assert!(!what.is_empty()),
    }
    // Both ends of one connection, each with options of its own.
    if let Some(offer) = offer(&options) {
        let server = CompressionOptions { enabled: true, ..CompressionOptions::default() };
        let (agreed, answer) =
            agree(&server, [offer.as_bytes()].into_iter()).unwrap_or_else(|| unreachable!());
        let Ok(Some(accepted)) = accept_answer(&options, [answer.as_bytes()].into_iter()) else {
            unreachable!("{offer} {answer}")
        };
        assert_eq!(agreed, accepted);
    }
}

#[cfg(all(test, feature = "deflate"))]
mod tests {
    use super::*;
    use crate::error::Code;

    fn on() -> CompressionOptions {
        CompressionOptions { enabled: true, ..CompressionOptions::default() }
    }

    fn answered(options: &CompressionOptions, values: &[&str]) -> Result<Option<String>, String> {
        let values = values.iter().map(|value| value.as_bytes());
        Ok(accept_answer(options, values)?.map(|agreed| agreed.describe()))
    }

    fn chosen(options: &CompressionOptions, values: &[&str]) -> Option<String> {
        let (agreed, answer) = agree(options, values.iter().map(|value| value.as_bytes()))?;
        let confirmed = answer.strip_suffix("; server_max_window_bits=15").unwrap_or(&answer);
        assert_eq!(confirmed, agreed.describe());
        Some(answer)
    }

    #[test]
    fn options_out_of_range_are_refused() {
        assert!(CompressionOptions::default().check().is_ok());
        for wrong in [
            CompressionOptions { level: 0, ..on() },
            CompressionOptions { level: 10, ..on() },
            CompressionOptions { client_max_window_bits: 7, ..on() },
            CompressionOptions { server_max_window_bits: 16, ..on() },
        ] {
            assert_eq!(wrong.check().map_err(|error| error.code), Err(Code::Parameter), "{wrong:?}");
        }
    }

    #[test]
    fn an_offer_has_what_the_program_asks_for() {
        let narrow = CompressionOptions {
            client_max_window_bits: 9,
            server_max_window_bits: 10,
            client_no_context_takeover: true,
            server_no_context_takeover: true,
            ..on()
        };
        assert_eq!(offer(&on()).as_deref(), Some("permessage-deflate; client_max_window_bits"));
        assert_eq!(
            offer(&narrow).as_deref(),
            Some(
                "permessage-deflate; client_max_window_bits=9; server_max_window_bits=10; \
                 client_no_context_takeover; server_no_context_takeover"
            )
        );
        assert_eq!(offer(&CompressionOptions::default()), None);
    }

    #[test]
    fn windows_are_as_small_as_the_memory_demands() {
        let with = |memory| CompressionOptions { memory, ..on() };
        let mut before = (9, 8);
        for allowed in (memory(9, 8)..512 << 10).step_by(128) {
            let (client, server) = offered(&with(allowed)).unwrap();
            assert!(memory(client.bits, server.bits) <= allowed);
            assert!(client.bits >= before.0 && server.bits >= before.1, "{allowed}");
            before = (client.bits, server.bits);
        }
        assert_eq!(before, (15, 15));
        assert_eq!(offer(&with(memory(9, 8) - 1)), None);

        // A server can make only those clients use a smaller window that offer to.
        let little = with(memory(9, 15) - 1);
        assert_eq!(chosen(&little, &["permessage-deflate"]), None);
        assert_eq!(
            chosen(&little, &["permessage-deflate; client_max_window_bits"]).as_deref(),
            Some("permessage-deflate; server_max_window_bits=12; client_max_window_bits=14")
        );
    }

    #[test]
    fn a_server_takes_the_first_offer_that_it_can_keep_to() {
        for (offers, expected) in [
            (&["permessage-deflate"][..], Some("")),
            (&["permessage-deflate; client_max_window_bits"], Some("")),
            (&["permessage-deflate; client_max_window_bits=10"], Some("; client_max_window_bits=10")),
            (&["permessage-deflate;server_max_window_bits=8"], Some("; server_max_window_bits=8")),
            (&["permessage-deflate; server_max_window_bits=\"12\""], Some("; server_max_window_bits=12")),
            (&["permessage-deflate; server_max_window_bits=\"1\\2\""], Some("; server_max_window_bits=12")),
            (&["permessage-deflate\t;\tserver_max_window_bits = 15 "], Some("; server_max_window_bits=15")),
            (
                &["permessage-deflate; server_no_context_takeover; client_no_context_takeover"],
                Some("; server_no_context_takeover; client_no_context_takeover"),
            ),
            // The next one, in the same header or another.
            (&["permessage-deflate; server_max_window_bits=7, permessage-deflate"], Some("")),
            (&["permessage-deflate; server_max_window_bits=16", "permessage-deflate"], Some("")),
            (&["permessage-deflate; server_max_window_bits=08", "permessage-deflate"], Some("")),
            (&["permessage-deflate; server_max_window_bits=+8", "permessage-deflate"], Some("")),
            (&["permessage-deflate; server_max_window_bits", "permessage-deflate"], Some("")),
            (&["permessage-deflate; unknown, permessage-deflate"], Some("")),
            (&["permessage-deflate;, permessage-deflate", "permessage-deflate"], Some("")),
            (&["permessage-deflate; server_no_context_takeover=1, permessage-deflate"], Some("")),
            (&["x-webkit-deflate-frame, bbf-usp-protocol; a=\"b\", permessage-deflate"], Some("")),
            (&[",, permessage-deflate ,"], Some("")),
            // None.
            (&[], None),
            (&[""], None),
            (&["Permessage-Deflate"], None),
            (&["permessage-deflate; client_max_window_bits; client_max_window_bits=10"], None),
            (&["permessage-deflate; server_no_context_takeover; server_no_context_takeover"], None),
            (&["permessage-deflate; client_max_window_bits="], None),
            (&["permessage-deflate; client_max_window_bits=\"\""], None),
            (&["permessage-deflate; client_max_window_bits=\"10"], None),
            (&["permessage-deflate; client_max_window_bits=\"1 0\""], None),
            (&["permessage-deflate;, permessage-deflate"], None),
            (&["permessage-deflate; ;"], None),
            (&["permessage-deflate client_max_window_bits"], None),
            (&["permessage-deflate=1"], None),
            (&["permessage-deflate\u{e9}"], None),
        ] {
            let expected = expected.map(|parameters| format!("permessage-deflate{parameters}"));
            assert_eq!(chosen(&on(), offers), expected, "{offers:?}");
            assert_eq!(chosen(&CompressionOptions::default(), offers), None);
        }
    }

    #[test]
    fn a_server_keeps_to_its_own_options() {
        let narrow = CompressionOptions {
            client_max_window_bits: 11,
            server_max_window_bits: 10,
            client_no_context_takeover: true,
            server_no_context_takeover: true,
            ..on()
        };
        for (offer, expected) in [
            ("permessage-deflate", None),
            ("permessage-deflate; client_max_window_bits", Some((10, 11))),
            ("permessage-deflate; client_max_window_bits=9", Some((10, 9))),
            ("permessage-deflate; client_max_window_bits=15; server_max_window_bits=9", Some((9, 11))),
        ] {
            let expected = expected.map(|(server, client)| {
                format!(
                    "permessage-deflate; server_no_context_takeover; server_max_window_bits={server}; \
                     client_no_context_takeover; client_max_window_bits={client}"
                )
            });
            assert_eq!(chosen(&narrow, &[offer]), expected, "{offer}");
        }
    }

    #[test]
    fn an_answer_may_narrow_what_was_offered_and_nothing_else() {
        for (answers, expected) in [
            (&[][..], Ok(None)),
            (&["", " , "], Ok(None)),
            (&["permessage-deflate"], Ok(Some(""))),
            (&["permessage-deflate; client_max_window_bits=8"], Ok(Some("; client_max_window_bits=8"))),
            (&["permessage-deflate; server_max_window_bits=9"], Ok(Some("; server_max_window_bits=9"))),
            (&["permessage-deflate; server_no_context_takeover"], Ok(Some("; server_no_context_takeover"))),
            (&["permessage-deflate; client_no_context_takeover"], Ok(Some("; client_no_context_takeover"))),
            (&["permessage-deflate; client_max_window_bits"], Err("client_max_window_bits has no value")),
            (&["permessage-deflate; server_max_window_bits"], Err("server_max_window_bits has no value")),
            (&["permessage-deflate; server_max_window_bits=16"], Err("not from 8 to 15")),
            (&["permessage-deflate; server_max_window_bits=010"], Err("not from 8 to 15")),
            (&["permessage-deflate; client_no_context_takeover=true"], Err("with a value")),
            (&["permessage-deflate; mux"], Err("an unknown parameter")),
            (
                &["permessage-deflate; client_no_context_takeover; client_no_context_takeover"],
                Err("client_no_context_takeover twice"),
            ),
            (&["permessage-deflate, permessage-deflate"], Err("twice")),
            (&["permessage-deflate", "permessage-deflate"], Err("twice")),
            (&["permessage-deflate, x-foo"], Err("not offered")),
            (&["x-foo"], Err("not offered")),
            (&["permessage-deflate;"], Err("malformed")),
        ] {
            match (answered(&on(), answers), expected) {
                (Ok(agreed), Ok(expected)) => {
                    let expected = expected.map(|parameters| format!("permessage-deflate{parameters}"));
                    assert_eq!(agreed, expected, "{answers:?}");
                }
                (Err(what), Err(expected)) => assert!(what.contains(expected), "{answers:?} {what}"),
                (answered, _) => panic!("{answers:?} {answered:?}"),
            }
        }
        let off = CompressionOptions::default();
        assert_eq!(answered(&off, &[""]), Ok(None));
        assert!(answered(&off, &["permessage-deflate"]).is_err());
    }

    #[test]
    fn an_answer_has_what_the_client_insists_on() {
        let narrow = CompressionOptions {
            client_max_window_bits: 10,
            server_max_window_bits: 11,
            server_no_context_takeover: true,
            ..on()
        };
        for (parameters, accepted) in [
            ("", false),
            ("; server_max_window_bits=11", false),
            ("; server_no_context_takeover", false),
            ("; server_no_context_takeover; server_max_window_bits=12", false),
            ("; server_no_context_takeover; server_max_window_bits=11; client_max_window_bits=11", false),
            ("; server_no_context_takeover; server_max_window_bits=11", true),
            ("; server_no_context_takeover; server_max_window_bits=8; client_max_window_bits=10", true),
        ] {
            let answer = format!("permessage-deflate{parameters}");
            assert_eq!(answered(&narrow, &[&answer]).is_ok(), accepted, "{answer}");
        }
        // What the server leaves open, the client does as it was asked.
        let answer = b"permessage-deflate; server_no_context_takeover; server_max_window_bits=11";
        let agreed = accept_answer(&narrow, [&answer[..]].into_iter()).unwrap().unwrap();
        assert_eq!(agreed.client, Way { bits: 10, no_takeover: false });
    }
}
