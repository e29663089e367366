//! What can go wrong: one numbering for every surface, and the error that carries it.

use std::fmt;
use std::io;
use std::time::Duration;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $value:literal, $name:literal, $message:literal;)*) => {
        /// A result code of the C ABI; [`Code::Ok`] is success.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(i32)]
        pub enum Code { $($(#[$doc])* $variant = $value,)* }

        impl Code {
            /// Every code, in numerical order within its group.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// The code's name in the C header.
            pub const fn name(self) -> &'static std::ffi::CStr {
                match self { $(Code::$variant => $name,)* }
            }

            /// What the code means, as one English sentence.
            pub const fn message(self) -> &'static std::ffi::CStr {
                match self { $(Code::$variant => $message,)* }
            }
        }
    };
}

codes! {
    /// Success.
    Ok = 0, c"NSWS_OK", c"Success.";
    /// An attempt to connect failed; only ever in an `error` event.
    ConnectFailed = 200, c"NSWS_ERR_CONNECT_FAILED", c"Websocket connect failed.";
    /// The program may not use the network.
    PermissionDenied = 201, c"NSWS_ERR_PERMISSION_DENIED", c"Permission denied.";
    /// An argument is invalid.
    Parameter = 401, c"NSWS_ERR_PARAMETER", c"Parameter error.";
    /// The URL is invalid.
    Url = 2302001, c"NSWS_ERR_URL", c"Websocket url error.";
    /// A certificate or key file can't be opened.
    CertFile = 2302002, c"NSWS_ERR_CERT_FILE", c"Websocket certificate file does not exist.";
    /// The client is connecting or connected.
    AlreadyConnected = 2302003, c"NSWS_ERR_ALREADY_CONNECTED", c"Websocket connection already exists.";
    /// The server can't listen on this address.
    ListenAddress = 2302004, c"NSWS_ERR_LISTEN_ADDRESS", c"Can't listen on the given NIC.";
    /// The server can't listen on this port.
    ListenPort = 2302005, c"NSWS_ERR_LISTEN_PORT", c"Can't listen on the given Port.";
    /// The server has no such connection.
    NoConnection = 2302006, c"NSWS_ERR_NO_CONNECTION", c"websocket connection does not exist.";
    /// The server's port is taken.
    PortInUse = 2302007, c"NSWS_ERR_PORT_IN_USE", c"Websocket port already occupied.";
    /// The host may not be reached from this program.
    DomainNotAllowed = 2302998, c"NSWS_ERR_DOMAIN_NOT_ALLOWED", c"It is not allowed to access this domain.";
    /// A defect of this library.
    Internal = 2302999, c"NSWS_ERR_INTERNAL", c"Internal error.";

    /// The handle is stale, destroyed, of another kind, or was never valid.
    BadHandle = 2302900, c"NSWS_ERR_BAD_HANDLE", c"The handle does not name a live object of this kind.";
    /// There is no open connection.
    NotConnected = 2302901, c"NSWS_ERR_NOT_CONNECTED", c"There is no open connection.";
    /// The send queue has no room; `drain` follows when there is room.
    QueueFull = 2302902, c"NSWS_ERR_QUEUE_FULL", c"The send queue is full.";
    /// The call would wait for the callback in which it is made.
    WouldDeadlock = 2302903, c"NSWS_ERR_WOULD_DEADLOCK", c"The call would wait for the callback in which it is made.";
    /// This build or platform does not have the feature.
    NotSupported = 2302904, c"NSWS_ERR_NOT_SUPPORTED", c"This build or platform does not have the feature.";
    /// Something is still running.
    Busy = 2302905, c"NSWS_ERR_BUSY", c"Something is still running.";
    /// The process is a forked child.
    Forked = 2302906, c"NSWS_ERR_FORKED", c"The library can't be used in a forked child.";
    /// The library is shutting down.
    ShuttingDown = 2302907, c"NSWS_ERR_SHUTTING_DOWN", c"The library is shutting down.";
    /// Threads, handles or memory can't be had.
    NoResources = 2302908, c"NSWS_ERR_NO_RESOURCES", c"The system has no room for another thread, handle, descriptor or message.";

    /// The server is not listening.
    NotListening = 2302909, c"NSWS_ERR_NOT_LISTENING", c"The server is not listening.";
    /// The server's certificate, key or client CAs can't be used.
    CertUnusable = 2302910, c"NSWS_ERR_CERT_UNUSABLE", c"A certificate, key or client CA file can't be used.";
    /// A message that is being sent in parts lacks its last part.
    MessageUnfinished = 2302911, c"NSWS_ERR_MESSAGE_UNFINISHED", c"A message that is being sent in parts lacks its last part.";

    /// Detail: a timeout expired.
    Timeout = 2302950, c"NSWS_DETAIL_TIMEOUT", c"The time ran out.";
    /// Detail: the host name has no address.
    NameNotFound = 2302951, c"NSWS_DETAIL_NAME_NOT_FOUND", c"The host name could not be resolved.";
    /// Detail: the host refused the connection: nothing listens on this port.
    Refused = 2302952, c"NSWS_DETAIL_REFUSED", c"The connection was refused.";
    /// Detail: there is no route to the host.
    Unreachable = 2302953, c"NSWS_DETAIL_UNREACHABLE", c"The host can't be reached.";
    /// Detail: the link broke.
    LinkLost = 2302954, c"NSWS_DETAIL_LINK_LOST", c"The link is down.";
    /// Detail: a CA file holds no usable certificate.
    CaFile = 2302955, c"NSWS_DETAIL_CA_FILE", c"The CA file holds no usable certificate.";
    /// Detail: the server's certificate has expired.
    CertExpired = 2302956, c"NSWS_DETAIL_CERT_EXPIRED", c"The server's certificate has expired.";
    /// Detail: the server's certificate is not valid yet.
    CertNotYetValid = 2302957, c"NSWS_DETAIL_CERT_NOT_YET_VALID", c"The server's certificate is not valid yet.";
    /// Detail: the server's certificate was issued for other names.
    CertName = 2302958, c"NSWS_DETAIL_CERT_NAME", c"The server's certificate was issued for other names.";
    /// Detail: no trusted CA issued the server's certificate.
    CertIssuer = 2302959, c"NSWS_DETAIL_CERT_ISSUER", c"No trusted CA issued the server's certificate.";
    /// Detail: the server's certificate is unusable for another reason.
    CertInvalid = 2302960, c"NSWS_DETAIL_CERT_INVALID", c"The server's certificate is not acceptable.";
    /// Detail: the TLS handshake failed.
    Tls = 2302961, c"NSWS_DETAIL_TLS", c"The TLS handshake failed.";
    /// Detail: the server answered the upgrade with another status than 101.
    HttpStatus = 2302962, c"NSWS_DETAIL_HTTP_STATUS", c"The server refused the upgrade.";
    /// Detail: the server's answer to the upgrade breaks RFC 6455.
    Handshake = 2302963, c"NSWS_DETAIL_HANDSHAKE", c"The server's answer to the upgrade is invalid.";
    /// Detail: the server chose a sub-protocol that was not offered.
    SubProtocol = 2302964, c"NSWS_DETAIL_SUB_PROTOCOL", c"The server chose a sub-protocol that was not offered.";
    /// Detail: the peer broke the WebSocket protocol.
    Protocol = 2302965, c"NSWS_DETAIL_PROTOCOL", c"The peer broke the WebSocket protocol.";
    /// Detail: the peer sent text that is not UTF-8.
    InvalidUtf8 = 2302966, c"NSWS_DETAIL_INVALID_UTF8", c"The peer sent text that is not UTF-8.";
    /// Detail: a message was larger than the limit.
    MessageTooBig = 2302967, c"NSWS_DETAIL_MESSAGE_TOO_BIG", c"The peer sent a message above the limit.";
    /// Detail: no answer to a ping.
    HeartbeatLost = 2302968, c"NSWS_DETAIL_HEARTBEAT_LOST", c"The peer did not answer a ping in time.";
    /// Detail: the closing handshake did not end in time.
    CloseTimeout = 2302969, c"NSWS_DETAIL_CLOSE_TIMEOUT", c"The closing handshake did not end in time.";
    /// Detail: the platform's or the environment's proxy setting can't be used.
    ProxySetting = 2302970, c"NSWS_DETAIL_PROXY_SETTING", c"The system's proxy setting can't be used.";
    /// Detail: the proxy demands credentials, or refused those that it got.
    ProxyAuth = 2302971, c"NSWS_DETAIL_PROXY_AUTH", c"The proxy demands a user name and password, or refused those that it got.";
    /// Detail: the proxy would not or could not connect to the server.
    ProxyRefused = 2302972, c"NSWS_DETAIL_PROXY_REFUSED", c"The proxy would not or could not connect to the server.";
    /// Detail: the proxy's answer is invalid.
    ProxyAnswer = 2302973, c"NSWS_DETAIL_PROXY_ANSWER", c"The proxy's answer is invalid.";
    /// Detail: there was no memory for a message.
    NoMemory = 2302974, c"NSWS_DETAIL_NO_MEMORY", c"There was no memory for a message.";
    /// Detail: the connections of a server hold too much.
    ReceiveBudget = 2302975, c"NSWS_DETAIL_RECEIVE_BUDGET", c"The server's receive budget is used up.";
    /// Detail: a message did not arrive in time.
    MessageTimeout = 2302976, c"NSWS_DETAIL_MESSAGE_TIMEOUT", c"A message did not arrive in time.";
    /// Detail: compressed data can't be decompressed.
    Compression = 2302977, c"NSWS_DETAIL_COMPRESSION", c"The peer's compressed data is damaged.";
    /// Detail: a redirect was not followed.
    Redirect = 2302978, c"NSWS_DETAIL_REDIRECT", c"The server's redirect can't be followed.";
    /// Detail: a web page came in place of the upgrade.
    CaptivePortal = 2302979, c"NSWS_DETAIL_CAPTIVE_PORTAL", c"A web page came in place of the upgrade.";

    /// Detail: a certificate file holds no usable certificate.
    CertContent = 2302980, c"NSWS_DETAIL_CERT_CONTENT", c"The certificate file holds no usable certificate.";
    /// Detail: a key file holds no usable private key.
    KeyContent = 2302981, c"NSWS_DETAIL_KEY_CONTENT", c"The key file holds no usable private key.";
    /// Detail: the private key is encrypted, and there is no password.
    NoPassword = 2302982, c"NSWS_DETAIL_NO_PASSWORD", c"The private key is encrypted, and no password was given.";
    /// Detail: the password does not decrypt the private key.
    WrongPassword = 2302983, c"NSWS_DETAIL_WRONG_PASSWORD", c"The password does not open the private key.";
    /// Detail: the private key is in a form that can't be read.
    KeyForm = 2302984, c"NSWS_DETAIL_KEY_FORM", c"The private key is in a form that can't be read.";
    /// Detail: the private key does not belong to the certificate.
    KeyMismatch = 2302985, c"NSWS_DETAIL_KEY_MISMATCH", c"The private key does not belong to the certificate.";
    /// Detail: the server's public key is not one of those that are pinned.
    PinMismatch = 2302986, c"NSWS_DETAIL_PIN_MISMATCH", c"The server's public key is not pinned.";
    /// Detail: the server demands a client certificate.
    ClientCertRequired = 2302987, c"NSWS_DETAIL_CLIENT_CERT_REQUIRED", c"The server demands a client certificate.";
    /// Detail: the server does not accept the client's certificate.
    ClientCertRefused = 2302988, c"NSWS_DETAIL_CLIENT_CERT_REFUSED", c"The server refused the client's certificate.";
    /// Detail: the server does not speak HTTP/1.1 inside TLS.
    Alpn = 2302989, c"NSWS_DETAIL_ALPN", c"The server does not speak HTTP/1.1 inside TLS.";
}

impl Code {
    /// The code with this number, if there is one.
    pub fn from_number(number: i32) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| *code as i32 == number)
    }
}

/// The stage of a connection in which something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Phase {
    /// Not tied to a connection: the call itself.
    Call = 0,
    /// Reading what the program gave: URL, certificates, keys.
    Parse = 1,
    /// Looking up the host name.
    Dns = 2,
    /// Opening the TCP connection.
    Tcp = 3,
    /// Reaching the proxy and getting through it.
    Proxy = 4,
    /// The TLS handshake.
    Tls = 5,
    /// The WebSocket opening handshake.
    Handshake = 6,
    /// Frames and messages.
    Protocol = 7,
    /// Ping and pong.
    Heartbeat = 8,
    /// Reading from or writing to the open connection.
    Io = 9,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: &'static [Phase] = &[
        Phase::Call,
        Phase::Parse,
        Phase::Dns,
        Phase::Tcp,
        Phase::Proxy,
        Phase::Tls,
        Phase::Handshake,
        Phase::Protocol,
        Phase::Heartbeat,
        Phase::Io,
    ];

    /// The phase as a word for people.
    pub const fn name(self) -> &'static std::ffi::CStr {
        match self {
            Phase::Call => c"call",
            Phase::Parse => c"parse",
            Phase::Dns => c"dns",
            Phase::Tcp => c"tcp",
            Phase::Proxy => c"proxy",
            Phase::Tls => c"tls",
            Phase::Handshake => c"handshake",
            Phase::Protocol => c"protocol",
            Phase::Heartbeat => c"heartbeat",
            Phase::Io => c"io",
        }
    }
}

/// A failure, with what a person needs to act on it. Never holds a secret or a payload.
#[derive(Clone, Debug)]
pub struct Error {
    /// The code of the contract.
    pub code: Code,
    /// A finer code, or [`Code::Ok`].
    pub detail: Code,
    /// The stage that failed.
    pub phase: Phase,
    /// The operating system's error number, or 0.
    pub os_error: i32,
    /// The HTTP status of the server or proxy, or 0.
    pub http_status: u16,
    /// One English sentence.
    pub message: String,
    /// What a server answered that refused the upgrade.
    pub refusal: Option<Box<Refusal>>,
}

/// The answer of a server that refused the upgrade.
#[derive(Clone, Debug, Default)]
pub struct Refusal {
    /// Names and values in the order of arrival.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The beginning of the body.
    pub body: Vec<u8>,
    /// How long the server asks the client to wait.
    pub retry_after: Option<Duration>,
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that a call returns at once.
    pub fn call(code: Code, message: impl Into<String>) -> Self {
        Error {
            code,
            detail: Code::Ok,
            phase: Phase::Call,
            os_error: 0,
            http_status: 0,
            message: message.into(),
            refusal: None,
        }
    }

    /// An error that a call returns at once, in the code's own words.
    pub fn code(code: Code) -> Self {
        Error::call(code, code.message().to_string_lossy())
    }

    /// A failed attempt or a broken connection, as an `error` event reports it.
    pub fn event(phase: Phase, detail: Code, message: impl Into<String>) -> Self {
        Error {
            code: Code::ConnectFailed,
            detail,
            phase,
            os_error: 0,
            http_status: 0,
            message: message.into(),
            refusal: None,
        }
    }

    /// [`Error::event`] caused by the operating system. `what` is the sentence before the cause.
    pub fn io(phase: Phase, what: impl fmt::Display, error: &io::Error) -> Self {
        let detail = match error.kind() {
            io::ErrorKind::ConnectionRefused => Code::Refused,
            io::ErrorKind::TimedOut => Code::Timeout,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Code::Unreachable,
            io::ErrorKind::OutOfMemory => Code::NoMemory,
            _ => Code::LinkLost,
        };
        Error {
            os_error: error.raw_os_error().unwrap_or(0),
            ..Error::event(phase, detail, format!("{what}: {}.", cause(error)))
        }
    }
}

/// The cause alone: std adds "(os error N)", which has a field of its own, and rustls, to an end of TCP that is none of
/// TLS, the address of its manual.
pub(crate) fn cause(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "the peer hung up".into();
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    text.trim_end_matches('.').to_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
