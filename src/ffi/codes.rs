//! The numbers of the C ABI. They are defined in `src/error.rs`; a test compares the two.

/// Success.
pub const NSWS_OK: i32 = 0;
/// An attempt to connect failed, or an open connection broke. Only in `error` events.
pub const NSWS_ERR_CONNECT_FAILED: i32 = 200;
/// The program may not use the network: `has_internet_permission` of nsws_platform said no.
pub const NSWS_ERR_PERMISSION_DENIED: i32 = 201;
/// An argument is invalid; nsws_last_error() says which.
pub const NSWS_ERR_PARAMETER: i32 = 401;
/// The URL is invalid.
pub const NSWS_ERR_URL: i32 = 2302001;
/// A certificate or key file can't be opened.
pub const NSWS_ERR_CERT_FILE: i32 = 2302002;
/// The client is connecting, open or closing; or the server is listening.
pub const NSWS_ERR_ALREADY_CONNECTED: i32 = 2302003;
/// The server can't listen on this address.
pub const NSWS_ERR_LISTEN_ADDRESS: i32 = 2302004;
/// The server can't listen on this port.
pub const NSWS_ERR_LISTEN_PORT: i32 = 2302005;
/// The server has no such connection.
pub const NSWS_ERR_NO_CONNECTION: i32 = 2302006;
/// The server's port is taken.
pub const NSWS_ERR_PORT_IN_USE: i32 = 2302007;
/// The program may not connect to this host: `is_host_allowed` of nsws_platform said no.
pub const NSWS_ERR_DOMAIN_NOT_ALLOWED: i32 = 2302998;
/// A defect of this library; please report it.
pub const NSWS_ERR_INTERNAL: i32 = 2302999;
/// The handle is stale, of another kind, or was never valid.
pub const NSWS_ERR_BAD_HANDLE: i32 = 2302900;
/// There is no open connection: not yet, no longer, or it is closing.
pub const NSWS_ERR_NOT_CONNECTED: i32 = 2302901;
/// The send queue has no room; `drain` follows when there is room.
pub const NSWS_ERR_QUEUE_FULL: i32 = 2302902;
/// The call would wait for the callback in which it is made.
pub const NSWS_ERR_WOULD_DEADLOCK: i32 = 2302903;
/// This build or platform does not have the feature.
pub const NSWS_ERR_NOT_SUPPORTED: i32 = 2302904;
/// Something is still running; nsws_last_error() says what.
pub const NSWS_ERR_BUSY: i32 = 2302905;
/// The process is a forked child of one that used the library, and can't use it.
pub const NSWS_ERR_FORKED: i32 = 2302906;
/// The library is shutting down.
pub const NSWS_ERR_SHUTTING_DOWN: i32 = 2302907;
/// The system has no room for another thread, handle, descriptor or message.
pub const NSWS_ERR_NO_RESOURCES: i32 = 2302908;

/// The server is not listening: not started, or stopped.
pub const NSWS_ERR_NOT_LISTENING: i32 = 2302909;
/// A server's certificate, key or client CA file holds nothing that can be used; nsws_last_error() says why.
pub const NSWS_ERR_CERT_UNUSABLE: i32 = 2302910;
/// A message that is being sent in parts lacks its last part; until then, only its parts and pings may be sent.
/// @since 0.2
pub const NSWS_ERR_MESSAGE_UNFINISHED: i32 = 2302911;

/// Detail: a timeout expired.
pub const NSWS_DETAIL_TIMEOUT: i32 = 2302950;
/// Detail: the host name has no address.
pub const NSWS_DETAIL_NAME_NOT_FOUND: i32 = 2302951;
/// Detail: the host refused the connection: nothing listens on this port.
pub const NSWS_DETAIL_REFUSED: i32 = 2302952;
/// Detail: there is no route to the host.
pub const NSWS_DETAIL_UNREACHABLE: i32 = 2302953;
/// Detail: the link broke.
pub const NSWS_DETAIL_LINK_LOST: i32 = 2302954;
/// Detail: a CA file holds no usable certificate.
pub const NSWS_DETAIL_CA_FILE: i32 = 2302955;
/// Detail: the server's certificate has expired.
pub const NSWS_DETAIL_CERT_EXPIRED: i32 = 2302956;
/// Detail: the server's certificate is not valid yet.
pub const NSWS_DETAIL_CERT_NOT_YET_VALID: i32 = 2302957;
/// Detail: the server's certificate was issued for other names.
pub const NSWS_DETAIL_CERT_NAME: i32 = 2302958;
/// Detail: no trusted CA issued the server's certificate.
pub const NSWS_DETAIL_CERT_ISSUER: i32 = 2302959;
/// Detail: the server's certificate is unusable for another reason.
pub const NSWS_DETAIL_CERT_INVALID: i32 = 2302960;
/// Detail: the TLS handshake failed.
pub const NSWS_DETAIL_TLS: i32 = 2302961;
/// Detail: the server answered the upgrade with another status than 101.
pub const NSWS_DETAIL_HTTP_STATUS: i32 = 2302962;
/// Detail: the server's answer to the upgrade breaks RFC 6455.
pub const NSWS_DETAIL_HANDSHAKE: i32 = 2302963;
/// Detail: the server chose a sub-protocol that was not offered.
pub const NSWS_DETAIL_SUB_PROTOCOL: i32 = 2302964;
/// Detail: the peer broke the WebSocket protocol.
pub const NSWS_DETAIL_PROTOCOL: i32 = 2302965;
/// Detail: the peer sent text that is not UTF-8.
pub const NSWS_DETAIL_INVALID_UTF8: i32 = 2302966;
/// Detail: a message was larger than the limit.
pub const NSWS_DETAIL_MESSAGE_TOO_BIG: i32 = 2302967;
/// Detail: the peer did not answer a ping in time.
pub const NSWS_DETAIL_HEARTBEAT_LOST: i32 = 2302968;
/// Detail: the closing handshake did not end in time.
pub const NSWS_DETAIL_CLOSE_TIMEOUT: i32 = 2302969;
/// Detail: the proxy setting of the environment or the platform hook can't be used.
pub const NSWS_DETAIL_PROXY_SETTING: i32 = 2302970;
/// Detail: the proxy demands a user name and password, or refused those that it got.
pub const NSWS_DETAIL_PROXY_AUTH: i32 = 2302971;
/// Detail: the proxy did not connect to the server; `http_status` is the proxy's, 0 from SOCKS5.
pub const NSWS_DETAIL_PROXY_REFUSED: i32 = 2302972;
/// Detail: the proxy's answer is invalid; it may speak another protocol.
pub const NSWS_DETAIL_PROXY_ANSWER: i32 = 2302973;
/// Detail: there was no memory for a message; the connection ends with 1009 if the peer sent it, or with 1011 if
/// this side did. During the handshake, the attempt fails.
/// @since 0.2
pub const NSWS_DETAIL_NO_MEMORY: i32 = 2302974;
/// Detail: the server's `receive_budget` is used up, and this connection's address or IPv6 network held most of it;
/// the connection ends with 1009.
/// @since 0.2
pub const NSWS_DETAIL_RECEIVE_BUDGET: i32 = 2302975;
/// Detail: a message that had begun did not arrive within `message_timeout_ms`; the connection ends with 1008.
/// @since 0.2
pub const NSWS_DETAIL_MESSAGE_TIMEOUT: i32 = 2302976;
/// Detail: compressed data can't be decompressed; the connection ends with 1007.
/// @since 0.2
pub const NSWS_DETAIL_COMPRESSION: i32 = 2302977;
/// Detail: a redirect was not followed: there were more than `max_redirects`, it leads from wss to ws or to a host
/// that is not allowed, or its `Location` can't be used.
/// @since 0.2
pub const NSWS_DETAIL_REDIRECT: i32 = 2302978;
/// Detail: a web page came with the status 200 in place of the upgrade, from a captive portal, where the user must log
/// in, or from a web server that has no WebSocket there. If the host of the URL has shown a valid certificate, a page
/// is an ordinary refusal: NSWS_DETAIL_HTTP_STATUS. The certificate of another host, to which a redirect has led from
/// ws, does not count. The status 511 (RFC 6585) always counts as a portal's.
/// @since 0.2
pub const NSWS_DETAIL_CAPTIVE_PORTAL: i32 = 2302979;

/// Detail: a certificate file holds no usable certificate.
pub const NSWS_DETAIL_CERT_CONTENT: i32 = 2302980;
/// Detail: a key file holds no usable private key.
pub const NSWS_DETAIL_KEY_CONTENT: i32 = 2302981;
/// Detail: the private key is encrypted, and there is no password.
pub const NSWS_DETAIL_NO_PASSWORD: i32 = 2302982;
/// Detail: the password does not decrypt the private key.
pub const NSWS_DETAIL_WRONG_PASSWORD: i32 = 2302983;
/// Detail: the private key is in a form that can't be read.
pub const NSWS_DETAIL_KEY_FORM: i32 = 2302984;
/// Detail: the private key does not belong to the certificate.
pub const NSWS_DETAIL_KEY_MISMATCH: i32 = 2302985;
/// Detail: the server's public key is not one of those that are pinned.
pub const NSWS_DETAIL_PIN_MISMATCH: i32 = 2302986;
/// Detail: the server demands a client certificate.
pub const NSWS_DETAIL_CLIENT_CERT_REQUIRED: i32 = 2302987;
/// Detail: the server does not accept the client's certificate.
pub const NSWS_DETAIL_CLIENT_CERT_REFUSED: i32 = 2302988;
/// Detail: the server does not speak HTTP/1.1 inside TLS (ALPN, RFC 7301); it may speak only HTTP/2.
/// @since 0.2
pub const NSWS_DETAIL_ALPN: i32 = 2302989;

/// Phase: a call, not tied to a connection.
pub const NSWS_PHASE_CALL: i32 = 0;
/// Phase: reading what the program gave: certificates and keys.
pub const NSWS_PHASE_PARSE: i32 = 1;
/// Phase: looking up the host name.
pub const NSWS_PHASE_DNS: i32 = 2;
/// Phase: opening the TCP connection.
pub const NSWS_PHASE_TCP: i32 = 3;
/// Phase: reaching the proxy, its name lookup and TCP connection included, and getting through it.
pub const NSWS_PHASE_PROXY: i32 = 4;
/// Phase: the TLS handshake.
pub const NSWS_PHASE_TLS: i32 = 5;
/// Phase: the WebSocket opening handshake.
pub const NSWS_PHASE_HANDSHAKE: i32 = 6;
/// Phase: frames and messages.
pub const NSWS_PHASE_PROTOCOL: i32 = 7;
/// Phase: ping and pong.
pub const NSWS_PHASE_HEARTBEAT: i32 = 8;
/// Phase: reading from or writing to the open connection.
pub const NSWS_PHASE_IO: i32 = 9;

#[cfg(test)]
mod tests {
    use crate::error::{Code, Phase};

    /// Reads this file, so that a constant that is missing or has drifted is found.
    #[test]
    fn the_constants_are_those_of_the_error_module() {
        let source = include_str!("codes.rs");
        let declared = |prefix: &str| {
            source.lines().filter(|line| line.starts_with(&format!("pub const {prefix}"))).count()
        };
        for code in Code::ALL {
            let line = format!("pub const {}: i32 = {};", code.name().to_str().unwrap(), *code as i32);
            assert!(source.contains(&line), "missing: {line}");
        }
        assert_eq!(Code::ALL.len(), declared("NSWS_OK") + declared("NSWS_ERR") + declared("NSWS_DETAIL"));
        for phase in Phase::ALL {
            let name = phase.name().to_str().unwrap().to_uppercase();
            let line = format!("pub const NSWS_PHASE_{name}: i32 = {};", *phase as i32);
            assert!(source.contains(&line), "missing: {line}");
        }
        assert_eq!(Phase::ALL.len(), declared("NSWS_PHASE"));
    }
}
