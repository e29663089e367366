//! What a TLS handshake has agreed on.

use rustls::{CipherSuite, CommonState, HandshakeKind, ProtocolVersion};

use super::options::TlsVersion;

/// What a TLS handshake has agreed on; nothing of it without TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Secured {
    /// The version of TLS.
    pub version: Option<TlsVersion>,
    /// The handshake went on from an earlier session, which makes it short.
    pub resumed: bool,
    /// The cipher suite, as IANA has it, or "".
    pub cipher: &'static str,
}

impl Secured {
    /// What the handshake of this session has agreed on.
    pub(crate) fn of(session: &CommonState) -> Secured {
        let cipher = session.negotiated_cipher_suite().map(|suite| cipher_name(suite.suite()));
        let version = match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => Some(TlsVersion::Tls13),
            Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::Tls12),
            _ => None,
        };
        let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        Secured { version, resumed, cipher: cipher.unwrap_or_default() }
    }
}

/// The name of a cipher suite that is offered (RFC 5289 3, RFC 7905 2, RFC 8446 B.4). rustls knows hundreds by name, which
/// would be in the library.
fn cipher_name(suite: CipherSuite) -> &'static str {
    use CipherSuite as Suite;
    match suite {
        Suite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        Suite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        Suite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
        }
        Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::ring;

    use super::*;

    #[test]
    fn each_cipher_suite_that_is_offered_has_its_name() {
        for suite in ring::default_provider().cipher_suites {
            let known = suite.suite().as_str().unwrap();
            assert_eq!(cipher_name(suite.suite()), known.replace("TLS13_", "TLS_"));
        }
    }
}
