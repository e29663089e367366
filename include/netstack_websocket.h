/*
 * netstack_websocket: WebSocket (RFC 6455) clients and servers for C and C++.
 *
 * Objects are named by handles, small values that may be copied and compared; 0 is never valid. Every
 * function answers a handle that is stale, foreign or of another kind with NSWS_ERR_BAD_HANDLE.
 *
 * Results: int32_t, 0 or one of NSWS_ERR_*. Outputs come last and are written only on success.
 * nsws_last_error() has a sentence about the last failure on the calling thread. What happens later arrives
 * in events.
 *
 * Memory: everything passed in is copied before the call returns. What an event points to lives until the
 * callback returns. Text is UTF-8 and NUL-terminated; bytes are a pointer and a length, and NULL with 0 is
 * empty.
 *
 * Threads: every function may be called from any thread and inside any callback, unless it says otherwise,
 * and none blocks on the network. Callbacks run on threads of the library: never inside a call, in order,
 * never two at once for one handle. A callback may block; it delays only its own handle. Callbacks must not
 * throw C++ exceptions or longjmp out.
 *
 * user_data: a registration may carry a free_fn, which runs exactly once, after the last call that uses the
 * user_data, on any thread. If the registration fails, it isn't called. The same (fn, user_data) counts once.
 *
 * Structs that a program fills begin with struct_size and are prepared by an _init function; structs that a
 * program receives carry their size as well. Both grow only at their end.
 *
 * A session: nsws_client_connect() returns 0; header_receive; open; message and data_end for each message;
 * close. An attempt that fails ends in one error event instead of open. After open there may be error events,
 * and there is exactly one close event, the last.
 *
 * A server: nsws_server_start() returns 0; then, for each client, connect; message for each message; exactly one
 * close, the last. nsws_server_stop() closes them all. The callbacks of one server take turns, whichever
 * connection they are about.
 *
 *     static void on_open(nsws_client c, const nsws_open_event *e, void *user) {
 *         (void)e; (void)user;
 *         nsws_client_send_text(c, "hello", 5);
 *     }
 *     ...
 *     nsws_client client;
 *     nsws_client_create(&client);
 *     nsws_client_on_open(client, on_open, NULL, NULL);
 *     nsws_client_connect(client, "wss://example.com/chat", NULL);
 *     ...
 *     nsws_client_close(client, 1000, "");
 *     nsws_client_destroy(client);
 *     nsws_shutdown(5000);
 *
 * After fork() the child can't use the library: every call answers NSWS_ERR_FORKED.
 */


#ifndef NETSTACK_WEBSOCKET_H
#define NETSTACK_WEBSOCKET_H

/* Generated from src/ffi by scripts/header; edit the Rust sources instead. */

#include <stddef.h>
#include <stdint.h>

/* The name of nsws_server_get_port() until 0.2. */
#define nsws_server_port nsws_server_get_port

/**
 * nsws_client_get_state(): it can connect. nsws_server_get_state(): it does not listen, and no connection is left.
 */
#define NSWS_STATE_IDLE 0

/**
 * nsws_client_get_state(): an attempt is under way, or will be after the wait that `reconnecting` told of.
 */
#define NSWS_STATE_CONNECTING 1

/**
 * nsws_client_get_state(): it can send. nsws_server_get_state(): it listens.
 */
#define NSWS_STATE_OPEN 2

/**
 * nsws_client_get_state(): nsws_client_close() was called, or the connection has ended; `close` follows.
 * nsws_server_get_state(): nsws_server_stop() was called; connections end, and `close` follows for each.
 */
#define NSWS_STATE_CLOSING 3

/**
 * Success.
 */
#define NSWS_OK 0

/**
 * An attempt to connect failed, or an open connection broke; only ever in an `error` event.
 */
#define NSWS_ERR_CONNECT_FAILED 200

/**
 * The program may not use the network.
 */
#define NSWS_ERR_PERMISSION_DENIED 201

/**
 * An argument is invalid; nsws_last_error() says which.
 */
#define NSWS_ERR_PARAMETER 401

/**
 * The URL is invalid.
 */
#define NSWS_ERR_URL 2302001

/**
 * A certificate or key file can't be opened.
 */
#define NSWS_ERR_CERT_FILE 2302002

/**
 * The client is connecting or connected.
 */
#define NSWS_ERR_ALREADY_CONNECTED 2302003

/**
 * The server can't listen on this address.
 */
#define NSWS_ERR_LISTEN_ADDRESS 2302004

/**
 * The server can't listen on this port.
 */
#define NSWS_ERR_LISTEN_PORT 2302005

/**
 * The server has no such connection.
 */
#define NSWS_ERR_NO_CONNECTION 2302006

/**
 * The server's port is taken.
 */
#define NSWS_ERR_PORT_IN_USE 2302007

/**
 * The host may not be reached from this program.
 */
#define NSWS_ERR_DOMAIN_NOT_ALLOWED 2302998

/**
 * A defect of this library; please report it.
 */
#define NSWS_ERR_INTERNAL 2302999

/**
 * The handle is stale, destroyed, of another kind, or was never valid.
 */
#define NSWS_ERR_BAD_HANDLE 2302900

/**
 * There is no open connection: not yet, or no longer, or it is being closed.
 */
#define NSWS_ERR_NOT_CONNECTED 2302901

/**
 * The send queue has no room; `drain` follows when it has.
 */
#define NSWS_ERR_QUEUE_FULL 2302902

/**
 * The call would wait for the callback that makes it.
 */
#define NSWS_ERR_WOULD_DEADLOCK 2302903

/**
 * This build or platform does not have the feature.
 */
#define NSWS_ERR_NOT_SUPPORTED 2302904

/**
 * Something is still running; nsws_last_error() says what.
 */
#define NSWS_ERR_BUSY 2302905

/**
 * The process is a forked child of the one that used the library first.
 */
#define NSWS_ERR_FORKED 2302906

/**
 * The library is shutting down.
 */
#define NSWS_ERR_SHUTTING_DOWN 2302907

/**
 * Threads, handles or memory can't be had.
 */
#define NSWS_ERR_NO_RESOURCES 2302908

/**
 * The server is not listening: not started, or stopped.
 */
#define NSWS_ERR_NOT_LISTENING 2302909

/**
 * A server's certificate or key file holds nothing that can be used; nsws_last_error() says why.
 */
#define NSWS_ERR_CERT_UNUSABLE 2302910

/**
 * A message that is sent in parts isn't complete: nothing else may be sent before its last part but pings.
 */
#define NSWS_ERR_MESSAGE_UNFINISHED 2302911

/**
 * Detail: the time ran out.
 */
#define NSWS_DETAIL_TIMEOUT 2302950

/**
 * Detail: the host name has no address.
 */
#define NSWS_DETAIL_NAME_NOT_FOUND 2302951

/**
 * Detail: nothing listens there.
 */
#define NSWS_DETAIL_REFUSED 2302952

/**
 * Detail: there is no route to the host.
 */
#define NSWS_DETAIL_UNREACHABLE 2302953

/**
 * Detail: the link broke.
 */
#define NSWS_DETAIL_LINK_LOST 2302954

/**
 * Detail: a CA file holds no usable certificate.
 */
#define NSWS_DETAIL_CA_FILE 2302955

/**
 * Detail: the server's certificate has expired.
 */
#define NSWS_DETAIL_CERT_EXPIRED 2302956

/**
 * Detail: the server's certificate is not valid yet.
 */
#define NSWS_DETAIL_CERT_NOT_YET_VALID 2302957

/**
 * Detail: the server's certificate was issued for other names.
 */
#define NSWS_DETAIL_CERT_NAME 2302958

/**
 * Detail: no trusted CA issued the server's certificate.
 */
#define NSWS_DETAIL_CERT_ISSUER 2302959

/**
 * Detail: the server's certificate is unusable for another reason.
 */
#define NSWS_DETAIL_CERT_INVALID 2302960

/**
 * Detail: the TLS handshake failed.
 */
#define NSWS_DETAIL_TLS 2302961

/**
 * Detail: the server answered the upgrade with another status than 101.
 */
#define NSWS_DETAIL_HTTP_STATUS 2302962

/**
 * Detail: the server's answer to the upgrade breaks RFC 6455.
 */
#define NSWS_DETAIL_HANDSHAKE 2302963

/**
 * Detail: the server chose a sub-protocol that was not offered.
 */
#define NSWS_DETAIL_SUB_PROTOCOL 2302964

/**
 * Detail: the peer broke the WebSocket protocol.
 */
#define NSWS_DETAIL_PROTOCOL 2302965

/**
 * Detail: the peer sent text that is not UTF-8.
 */
#define NSWS_DETAIL_INVALID_UTF8 2302966

/**
 * Detail: a message was larger than the limit.
 */
#define NSWS_DETAIL_MESSAGE_TOO_BIG 2302967

/**
 * Detail: no answer to a ping.
 */
#define NSWS_DETAIL_HEARTBEAT_LOST 2302968

/**
 * Detail: the closing handshake did not end in time.
 */
#define NSWS_DETAIL_CLOSE_TIMEOUT 2302969

/**
 * Detail: what the system says of its proxy (environment or platform hook) can't be used.
 */
#define NSWS_DETAIL_PROXY_SETTING 2302970

/**
 * Detail: the proxy wants a user name and password, or other ones.
 */
#define NSWS_DETAIL_PROXY_AUTH 2302971

/**
 * Detail: the proxy would not or could not connect to the server; `http_status` is the proxy's, 0 from SOCKS5.
 */
#define NSWS_DETAIL_PROXY_REFUSED 2302972

/**
 * Detail: the proxy's answer is invalid: it speaks something else.
 */
#define NSWS_DETAIL_PROXY_ANSWER 2302973

/**
 * Detail: there is no memory for what the peer sends; the connection ends with 1009.
 */
#define NSWS_DETAIL_NO_MEMORY 2302974

/**
 * Detail: the server's `receive_budget` is used up, and this connection's address held most of it; it ends with 1009.
 */
#define NSWS_DETAIL_RECEIVE_BUDGET 2302975

/**
 * Detail: a message that had begun did not arrive within `message_timeout_ms`; the connection ends with 1008.
 */
#define NSWS_DETAIL_MESSAGE_TIMEOUT 2302976

/**
 * Detail: compressed data can't be decompressed; the connection ends with 1007.
 */
#define NSWS_DETAIL_COMPRESSION 2302977

/**
 * Detail: a redirect was not followed: there were more than `max_redirects`, it leads from wss to ws, or its `Location`
 * can't be used.
 */
#define NSWS_DETAIL_REDIRECT 2302978

/**
 * Detail: a web page came in place of the upgrade: a captive portal, which wants the user to log in, or a web server that
 * has no WebSocket there.
 */
#define NSWS_DETAIL_CAPTIVE_PORTAL 2302979

/**
 * Detail: a certificate file holds no usable certificate.
 */
#define NSWS_DETAIL_CERT_CONTENT 2302980

/**
 * Detail: a key file holds no usable private key.
 */
#define NSWS_DETAIL_KEY_CONTENT 2302981

/**
 * Detail: the private key is encrypted, and there is no password.
 */
#define NSWS_DETAIL_NO_PASSWORD 2302982

/**
 * Detail: the password is not the private key's.
 */
#define NSWS_DETAIL_WRONG_PASSWORD 2302983

/**
 * Detail: the private key is in a form that can't be read.
 */
#define NSWS_DETAIL_KEY_FORM 2302984

/**
 * Detail: the private key does not belong to the certificate.
 */
#define NSWS_DETAIL_KEY_MISMATCH 2302985

/**
 * Detail: the server's public key is not one of those that are pinned.
 */
#define NSWS_DETAIL_PIN_MISMATCH 2302986

/**
 * Detail: the server demands a client certificate.
 */
#define NSWS_DETAIL_CLIENT_CERT_REQUIRED 2302987

/**
 * Detail: the server does not accept the client's certificate.
 */
#define NSWS_DETAIL_CLIENT_CERT_REFUSED 2302988

/**
 * Detail: the server does not speak HTTP/1.1 inside TLS (ALPN, RFC 7301): it may have HTTP/2 alone.
 */
#define NSWS_DETAIL_ALPN 2302989

/**
 * Not tied to a connection: the call itself failed.
 */
#define NSWS_PHASE_CALL 0

/**
 * Reading what the program gave: URL, certificates, keys.
 */
#define NSWS_PHASE_PARSE 1

/**
 * Looking up the host name.
 */
#define NSWS_PHASE_DNS 2

/**
 * Opening the TCP connection.
 */
#define NSWS_PHASE_TCP 3

/**
 * Reaching the proxy, its name lookup and TCP connection included, and getting through it.
 */
#define NSWS_PHASE_PROXY 4

/**
 * The TLS handshake.
 */
#define NSWS_PHASE_TLS 5

/**
 * The WebSocket opening handshake.
 */
#define NSWS_PHASE_HANDSHAKE 6

/**
 * Frames and messages.
 */
#define NSWS_PHASE_PROTOCOL 7

/**
 * Ping and pong.
 */
#define NSWS_PHASE_HEARTBEAT 8

/**
 * Reading from or writing to the open connection.
 */
#define NSWS_PHASE_IO 9

/**
 * The version of the header's binary interface. It changes when a program must be built anew.
 */
#define NSWS_ABI_VERSION 1

/**
 * The first number of the version of this header; nsws_version() has the library's.
 * @since 0.2
 */
#define NSWS_VERSION_MAJOR 0

/**
 * The second number of the version of this header.
 * @since 0.2
 */
#define NSWS_VERSION_MINOR 2

/**
 * The third number of the version of this header.
 * @since 0.2
 */
#define NSWS_VERSION_PATCH 0

/**
 * Without end: for `reconnect_max_attempts` of nsws_connect_options and the time of nsws_shutdown(), and for nothing else.
 * @since 0.2
 */
#define NSWS_FOR_EVER 4294967295

/**
 * Log level: nothing.
 */
#define NSWS_LOG_OFF 0

/**
 * Log level: what the library could not do.
 */
#define NSWS_LOG_ERROR 1

/**
 * Log level: what is odd.
 */
#define NSWS_LOG_WARN 2

/**
 * Log level: connections that come and go.
 */
#define NSWS_LOG_INFO 3

/**
 * Log level: each step of an attempt.
 */
#define NSWS_LOG_DEBUG 4

/**
 * `min_tls_version`: TLS 1.2 or newer, the default.
 */
#define NSWS_TLS_1_2 12

/**
 * `min_tls_version`: TLS 1.3.
 */
#define NSWS_TLS_1_3 13

/**
 * `proxy_mode`: the system's proxy, the default.
 */
#define NSWS_PROXY_SYSTEM 0

/**
 * `proxy_mode`: no proxy.
 */
#define NSWS_PROXY_NONE 1

/**
 * `proxy_mode`: an HTTP proxy, asked to CONNECT.
 */
#define NSWS_PROXY_HTTP 2

/**
 * `proxy_mode`: a SOCKS5 proxy, which looks up the names.
 */
#define NSWS_PROXY_SOCKS5 3

/**
 * `pong_timeout_ms`: 30000, whatever `ping_interval_ms` is.
 */
#define NSWS_PONG_TIMEOUT_DEFAULT 4294967295

/**
 * Where nsws_system_proxy_fn puts its answer. It lives until the hook returns.
 * @since 0.1
 */
typedef struct nsws_system_proxy_answer nsws_system_proxy_answer;

/**
 * A WebSocket client. A value, free to copy; 0 is never valid.
 * @since 0.1
 */
typedef struct {
    /**
     * Opaque. Below 2^53, so that JavaScript can hold it as a number.
     */
    uint64_t id;
} nsws_client;

/**
 * An HTTP header. This struct never changes.
 * @since 0.1
 */
typedef struct {
    /**
     * The name, NUL-terminated.
     */
    const char *name;
    /**
     * The value, NUL-terminated; never NULL in an event.
     */
    const char *value;
} nsws_header;

/**
 * What nsws_client_connect() may be told.
 *
 * Prepare it with nsws_connect_options_init(), then set what differs from the defaults. Everything is
 * copied by the call. Later versions add members at the end.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct; nsws_connect_options_init() sets it.
     */
    size_t struct_size;
    /**
     * Request headers, or NULL. Names are tokens, values hold no CR, LF or NUL (else 401). `Host`,
     * `Origin`, `Authorization` and `Sec-WebSocket-Protocol` (which acts as `protocol`) may be given;
     * `Upgrade`, `Connection`, `Sec-WebSocket-Key`, `-Version` and `-Extensions` may not (401).
     */
    const nsws_header *headers;
    /**
     * How many headers there are.
     */
    size_t header_count;
    /**
     * Sub-protocols to offer, separated by commas, the preferred one first. NULL or "": none.
     */
    const char *protocol;
    /**
     * A PEM file with the CA certificates to trust *instead of* the system's. A server whose own certificate
     * is in it is trusted as well, as what it is: a certificate that may not issue others vouches for nobody
     * else. NULL: the system's CAs, or those that the environment's `SSL_CERT_FILE` and `SSL_CERT_DIR` name
     * (not in a set-user-ID program: secure_getenv(3)). A file that can't be opened is
     * `NSWS_ERR_CERT_FILE`; one without a certificate is an `error` event, phase tls. Files are read once, and
     * again when they have changed.
     */
    const char *ca_path;
    /**
     * A PEM file with this side's certificate, for servers that demand one, and behind it those that lead to
     * its CA. NULL: none. A file that can't be opened is `NSWS_ERR_CERT_FILE`; what is wrong with its
     * content is an `error` event, phase tls, whose `detail` says what: `NSWS_DETAIL_CERT_CONTENT`,
     * `NSWS_DETAIL_KEY_MISMATCH`.
     */
    const char *client_cert_path;
    /**
     * A PEM file with the certificate's private key. NULL: it is in the same file. Without
     * `client_cert_path`: 401. RSA (2048 to 8192 bits), ECDSA (P-256, P-384) or Ed25519, in PKCS#8, PKCS#1
     * or SEC1, which may be encrypted: PKCS#8 with PBES2 (AES or 3DES in CBC mode; PBKDF2 with at most
     * 10,000,000 rounds, or scrypt within 64 MiB), or the older PEM with `DEK-Info` (AES-CBC or
     * DES-EDE3-CBC). Read again when a file changes. A file that can't be opened is `NSWS_ERR_CERT_FILE`;
     * else the `detail` of an `error` event, phase tls, is `NSWS_DETAIL_KEY_CONTENT` (none, damaged, another
     * kind) or `NSWS_DETAIL_KEY_FORM` (another encryption; the sentence has the openssl command that
     * converts it).
     */
    const char *client_key_path;
    /**
     * What opens an encrypted key; ignored for one that isn't. NULL: no password. The library's copy is
     * wiped, and never logged. Missing or wrong: an `error` event, phase tls, `NSWS_DETAIL_NO_PASSWORD` or
     * `NSWS_DETAIL_WRONG_PASSWORD`. Without `client_cert_path`: 401.
     */
    const char *client_key_password;
    /**
     * The public keys that the server's own certificate may have, as curl writes them: `sha256//` and the
     * base64 of the SHA-256 of the DER SubjectPublicKeyInfo; several are separated by `;`. NULL: any.
     * Malformed: 401. Another key is an `error` event, phase tls, `NSWS_DETAIL_PIN_MISMATCH`, whose sentence
     * has the server's pin. A pin is asked for besides the certificate's verification, and also when that is
     * skipped.
     */
    const char *pinned_public_keys;
    /**
     * The proxy of `NSWS_PROXY_HTTP` or `NSWS_PROXY_SOCKS5`: a host name or an IP address, IPv6 with or without
     * brackets. With any other `proxy_mode`, this and the other `proxy_` members must be NULL, "" or 0 (401).
     */
    const char *proxy_host;
    /**
     * The user name that the proxy is told. NULL or "": none. It goes to an HTTP proxy as Basic authorization
     * (no colon in it), to a SOCKS5 proxy only if it asks (1 to 255 bytes). No control characters (401).
     */
    const char *proxy_username;
    /**
     * The password that goes with it; for SOCKS5 1 to 255 bytes. No control characters, not without a user name
     * (401).
     */
    const char *proxy_password;
    /**
     * Hosts that are reached without the proxy, separated by commas or blanks: `example.com` (that host
     * alone), `.example.com` (all that end so), `*` for any run of characters (`10.*`, `*.local`; `*` alone:
     * all), an IP address, or a network (`10.0.0.0/8`, `fd00::/8`). The host is compared as the URL has it,
     * in any case: no name is looked up. NULL or "": none. An entry with a slash that is no network: 401.
     */
    const char *proxy_exclusion_list;
    /**
     * The largest message that is received, in bytes; a larger one ends the connection with 1009.
     * Default 16 MiB, at least 1.
     */
    size_t max_receive_size;
    /**
     * The largest message that may be sent, in bytes. Default 5 MiB.
     */
    size_t max_send_size;
    /**
     * How much may wait to be sent: the bytes of the frames, and 64 for each message or ping. Default 16 MiB.
     * An empty queue takes any message that `max_send_size` allows.
     */
    size_t send_queue_size;
    /**
     * A ping goes out each interval, whatever arrives: its length, in milliseconds. Default 30000; 0: no
     * heartbeat; more than 30000000: 401.
     */
    uint32_t ping_interval_ms;
    /**
     * How long the peer may stay silent, in milliseconds, before the connection counts as lost
     * (`NSWS_DETAIL_HEARTBEAT_LOST`). It runs from the oldest ping since which nothing was received: any byte is a
     * sign of life, not only a pong. 0: for ever. Default `NSWS_PONG_TIMEOUT_DEFAULT`, which is 30000 also where
     * `ping_interval_ms` is shorter; any other value above `ping_interval_ms`: 401. Ignored without a heartbeat.
     * While this side does not read, because it is paused or a listener is slow, pings go out and no time runs.
     */
    uint32_t pong_timeout_ms;
    /**
     * How long the whole attempt may take, in milliseconds, name lookup to upgrade, the proxy included. Default
     * 15000; 0: 401.
     */
    uint32_t connect_timeout_ms;
    /**
     * How long closing may take, in milliseconds, from nsws_client_close() to the peer's answer, what was
     * queued included. Default 5000; 0: 401.
     */
    uint32_t close_timeout_ms;
    /**
     * How often in a row to try to connect again, by itself, when an attempt fails or the connection is lost
     * (or closed by the peer with 1001, 1012 or 1013). Default 0: never; `NSWS_FOR_EVER`: without end. Not when
     * the server or proxy refused (a status below 500 but 408 and 429) or can't be trusted. A certificate that is
     * not valid yet or no longer is no reason to stop: clocks and certificates get mended; nor is a captive portal. A
     * server's `Retry-After` makes the wait longer, up to an hour or `reconnect_max_delay_ms`. Each time, the
     * events that end the attempt or connection are followed by `reconnecting`; nsws_client_close() ends it.
     */
    uint32_t reconnect_max_attempts;
    /**
     * The wait before the first of them, in milliseconds; it doubles each time, and half of it is random.
     * Default 1000; 0: 401.
     */
    uint32_t reconnect_min_delay_ms;
    /**
     * The longest wait, in milliseconds. Default 30000; below the first one: 401.
     */
    uint32_t reconnect_max_delay_ms;
    /**
     * The proxy's port, 1 to 65535 (else 401).
     */
    uint32_t proxy_port;
    /**
     * The oldest TLS version that is acceptable: `NSWS_TLS_1_2` (the default) or `NSWS_TLS_1_3`.
     */
    uint8_t min_tls_version;
    /**
     * 1: accept any server certificate and any host name. For tests; it makes TLS worthless, unless
     * `pinned_public_keys` says whose key it must be. Default 0.
     */
    uint8_t skip_server_cert_verification;
    /**
     * 1, the default: the `Origin` header carries a port that isn't the scheme's own (RFC 6454 6.2), which many
     * servers compare with `Host`. 0: it never does.
     */
    uint8_t support_origin_port;
    /**
     * Which proxy: one of `NSWS_PROXY_*`. Default `NSWS_PROXY_SYSTEM`: what the platform's hook says
     * (nsws_set_platform()) or, without one, the environment, read by nsws_client_connect() as curl reads
     * it: `ws_proxy`, `WS_PROXY`, `http_proxy` (in lower case only), `all_proxy`, `ALL_PROXY` for ws;
     * `wss_proxy`, `WSS_PROXY`, `https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY` for wss; the first
     * that isn't empty, as `[http://|socks5://|socks5h://][user:password@]host[:port]`, port 1080 unless it
     * says otherwise. The environment is not read in a set-user-ID program (secure_getenv(3)). In `no_proxy`,
     * `NO_PROXY` a name also covers what is below it; otherwise they are like `proxy_exclusion_list`. With a proxy, the server's name is not looked up here. Proxies are used for ws
     * and wss alike, by a tunnel.
     */
    uint8_t proxy_mode;
    /**
     * The value of the `Origin` header. Default NULL: scheme (http or https), host and, with
     * `support_origin_port`, port of the URL. "": there is no such header. A header `Origin` comes before it.
     * Control characters: 401.
     * @since 0.2
     */
    const char *origin;
    /**
     * How many bytes the URL may have; a longer one is `NSWS_ERR_URL`. Default 2048. Many servers and proxies
     * refuse more than 8 KiB.
     * @since 0.2
     */
    size_t max_url_length;
    /**
     * Messages below so many bytes are sent as they are, and so are those that would not shrink. Default 1024.
     * @since 0.2
     */
    size_t compression_threshold;
    /**
     * How many bytes compressing and decompressing may hold for one connection: smaller windows are agreed to until
     * they fit, or none. Default 512 KiB.
     * @since 0.2
     */
    size_t compression_memory;
    /**
     * How long a message that has begun to arrive may pause, in milliseconds. In ten times as long at least 64 KiB of
     * it must arrive. The clock stands while this side does not read. A slower message ends the connection with 1008,
     * `NSWS_DETAIL_MESSAGE_TIMEOUT`. Default 60000; 0: no limit.
     * @since 0.2
     */
    uint32_t message_timeout_ms;
    /**
     * 1: offer permessage-deflate (RFC 7692). Default 0. In a build without compression: `NSWS_ERR_NOT_SUPPORTED`.
     * Compressing beside secrets tells their length: leave it off for messages that mix secrets with what an attacker
     * may choose.
     * @since 0.2
     */
    uint8_t compression;
    /**
     * How hard to compress, 1 to 9 (else 401). Default 6.
     * @since 0.2
     */
    uint8_t compression_level;
    /**
     * The largest window of the client's messages, as a power of two, 8 to 15 (else 401). Default 15.
     * @since 0.2
     */
    uint8_t client_max_window_bits;
    /**
     * The largest window of the server's messages. Default 15.
     * @since 0.2
     */
    uint8_t server_max_window_bits;
    /**
     * 1: each of the client's messages is compressed by itself. Default 0.
     * @since 0.2
     */
    uint8_t client_no_context_takeover;
    /**
     * 1: each of the server's messages is compressed by itself. Default 0.
     * @since 0.2
     */
    uint8_t server_no_context_takeover;
    /**
     * 1: messages arrive in parts, as `message_part` events instead of `message`. `max_receive_size` still bounds the
     * whole message. Default 0.
     * @since 0.2
     */
    uint8_t receive_parts;
    /**
     * How many redirects (301, 302, 303, 307, 308) to follow in a row, all within `connect_timeout_ms`. `Location` may
     * be relative, and http and https mean ws and wss. Never from wss to ws. Another origin (scheme, host and port)
     * gets neither user and password of the URL, nor `client_cert_path`, nor the headers `Authorization`, `Cookie`,
     * `Proxy-Authorization` and `Host`; other headers go along. What can't be followed is an `error` event, phase
     * handshake, `NSWS_DETAIL_REDIRECT`. Default 0: a redirect is a refusal like any other,
     * `NSWS_DETAIL_HTTP_STATUS`.
     * @since 0.2
     */
    uint32_t max_redirects;
    /**
     * The local address to connect from, an IPv4 or IPv6 literal (else 401); only addresses of its family are tried.
     * One that this device doesn't have is an `error` event, `NSWS_DETAIL_UNREACHABLE`. NULL or "": the system's
     * choice. This and what follows also hold for the connection to a proxy.
     * @since 0.2
     */
    const char *bind_address;
    /**
     * The network interface to go through, whatever the routes say (SO_BINDTODEVICE), such as "wlan0"; a name of more
     * than 15 bytes: 401. One that doesn't exist, or that this process may not choose, is an `error` event,
     * `NSWS_DETAIL_UNREACHABLE`. NULL or "": as the routes say.
     * @since 0.2
     */
    const char *bind_interface;
    /**
     * Addresses of names that need no lookup, as curl writes them: `host:port:address[,address]`, several separated by
     * `;`. The host may be `*` for all names; IPv6 addresses may have brackets. The certificate is still the name's.
     * Malformed: 401. NULL or "": none.
     * @since 0.2
     */
    const char *resolve;
    /**
     * The size of the system's receive buffer for the connection, in bytes; the system bounds it. 0, the default:
     * the system's choice, which grows with the traffic. More than 2147483647: 401.
     * @since 0.2
     */
    size_t receive_buffer_size;
    /**
     * The size of the system's send buffer, in the same way.
     * @since 0.2
     */
    size_t send_buffer_size;
    /**
     * After how much silence, and how often then, TCP itself asks the server whether it is there (SO_KEEPALIVE), in
     * milliseconds, rounded up to seconds. It costs less than `ping_interval_ms`, but only shows that the server's
     * system lives, and a proxy may answer in its place. 0, the default: never; more than 32767000: 401.
     * @since 0.2
     */
    uint32_t tcp_keepalive_ms;
    /**
     * How long what was sent may stay unacknowledged until the connection is lost (TCP_USER_TIMEOUT), in milliseconds.
     * 0, the default: the system's choice, some 15 minutes; more than 2147483647: 401.
     * @since 0.2
     */
    uint32_t tcp_user_timeout_ms;
    /**
     * The server's name in TLS: what it is told (SNI, RFC 6066 3) and what its certificate must be for, for servers
     * that are reached by an address or another name. A host name or an IP address (else 401). NULL or "": the URL's
     * host. A redirect to another origin forgets it.
     * @since 0.2
     */
    const char *tls_server_name;
} nsws_connect_options;

/**
 * Figures of a client's current connection, or of the last one.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct, as given to nsws_client_get_stats().
     */
    size_t struct_size;
    /**
     * Messages sent to the system, control frames not counted.
     */
    uint64_t messages_sent;
    /**
     * Messages received.
     */
    uint64_t messages_received;
    /**
     * Payload bytes of the messages sent.
     */
    uint64_t bytes_sent;
    /**
     * Payload bytes of the messages received.
     */
    uint64_t bytes_received;
    /**
     * What waits to be sent: the bytes of the frames, and 64 for each message or ping.
     */
    uint64_t queued_bytes;
    /**
     * How long the name lookup took, of the proxy's name if there is a proxy, in microseconds; 0 for an
     * address.
     */
    uint64_t dns_us;
    /**
     * How long the TCP connection took, and the way through the proxy, in microseconds.
     */
    uint64_t tcp_us;
    /**
     * How long the TLS handshake took, in microseconds; 0 for ws.
     */
    uint64_t tls_us;
    /**
     * How long the opening handshake took, in microseconds.
     */
    uint64_t handshake_us;
    /**
     * The last ping's time to its pong, in microseconds; 0 before the first.
     */
    uint64_t rtt_us;
    /**
     * 1 when the TLS handshake went on from an earlier session, which makes it short; else 0.
     */
    uint8_t tls_resumed;
    /**
     * Bytes that went to the system, with the opening handshake, the frames' headers and TLS.
     * @since 0.2
     */
    uint64_t wire_bytes_sent;
    /**
     * Bytes that came from the system, in the same way.
     * @since 0.2
     */
    uint64_t wire_bytes_received;
    /**
     * The time of pings to their pongs, smoothed as TCP does (RFC 6298), in microseconds; 0 before the first.
     * @since 0.2
     */
    uint64_t smoothed_rtt_us;
    /**
     * Of `tcp_us`, how long the proxy took to open the way, in microseconds; 0 without a proxy.
     * @since 0.2
     */
    uint64_t proxy_us;
    /**
     * How long after the opening handshake the first message was there, in microseconds; 0 before.
     * @since 0.2
     */
    uint64_t first_message_us;
    /**
     * How often the client has connected again by itself since nsws_client_connect().
     * @since 0.2
     */
    uint32_t reconnects;
    /**
     * The port at the other end of TCP.
     * @since 0.2
     */
    uint16_t peer_port;
    /**
     * `NSWS_TLS_1_2` or `NSWS_TLS_1_3`; 0 for ws.
     * @since 0.2
     */
    uint8_t tls_version;
    /**
     * The cipher suite of TLS as IANA names it, such as "TLS_AES_256_GCM_SHA384"; "" for ws.
     * @since 0.2
     */
    char tls_cipher[64];
    /**
     * The IP address at the other end of TCP as text: the server's or, with a proxy, the proxy's; "" before the first
     * connection. A link-local address ends with the number of its interface (`%2`).
     * @since 0.2
     */
    char peer_ip[64];
    /**
     * The extensions that were agreed to, as the header has them, or "".
     * @since 0.2
     */
    char extensions[160];
} nsws_client_stats;

/**
 * The server's answer to the upgrade, complete: `header_receive`, always before `open`.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * The headers in the order of arrival, repeated names kept, names as the server wrote them.
     */
    const nsws_header *headers;
    /**
     * How many headers there are.
     */
    size_t header_count;
    /**
     * The HTTP status: 101.
     */
    int32_t status;
} nsws_header_receive_event;

/**
 * Called for `header_receive`. All callbacks: `event` and what it points to live until the callback
 * returns; a callback must not throw or longjmp out.
 * @since 0.1
 */
typedef void (*nsws_header_receive_fn)(nsws_client client,
                                       const nsws_header_receive_event *event,
                                       void *user_data);

/**
 * Releases what a registration's `user_data` stands for.
 *
 * Runs exactly once, after the last call that uses `user_data`, on any thread. It may call the
 * library but must not wait for it.
 * @since 0.1
 */
typedef void (*nsws_free_fn)(void *user_data);

/**
 * The connection is open: `open`. From now on `send` is allowed.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * The HTTP status text: "Switching Protocols".
     */
    const char *message;
    /**
     * The sub-protocol that the server chose, or "".
     */
    const char *protocol;
    /**
     * The HTTP status: 101.
     */
    int32_t status;
    /**
     * The extensions that were agreed to, as the header has them, or "".
     * @since 0.2
     */
    const char *extensions;
} nsws_open_event;

/**
 * Called for `open`.
 * @since 0.1
 */
typedef void (*nsws_open_fn)(nsws_client client, const nsws_open_event *event, void *user_data);

/**
 * One whole message: `message`.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * The payload; never NULL, not NUL-terminated.
     */
    const uint8_t *data;
    /**
     * The payload's length in bytes; may be 0.
     */
    size_t length;
    /**
     * 1: a text message, which is valid UTF-8. 0: a binary message.
     */
    uint8_t is_text;
} nsws_message_event;

/**
 * Called for `message`.
 * @since 0.1
 */
typedef void (*nsws_message_fn)(nsws_client client, const nsws_message_event *event, void *user_data);

/**
 * Comes right after each `message`: `data_end`.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
} nsws_data_end_event;

/**
 * Called for `data_end`.
 * @since 0.1
 */
typedef void (*nsws_data_end_fn)(nsws_client client,
                                 const nsws_data_end_event *event,
                                 void *user_data);

/**
 * The connection is over: `close`. Exactly once per connection that reached `open`, and last.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * The reason, NUL-terminated; "" when there is none.
     */
    const char *reason;
    /**
     * The reason's length in bytes, at most 123 (a reason may hold NULs).
     */
    size_t reason_length;
    /**
     * The code of the close frame that was received; 1005 when it held none; 1006 when the link broke
     * without one; and 1002, 1007 or 1009 when this side ended the connection because of what it received.
     */
    uint16_t code;
    /**
     * 1 when both sides have said goodbye (RFC 6455 7.1.4), else 0.
     */
    uint8_t was_clean;
} nsws_close_event;

/**
 * Called for `close`.
 * @since 0.1
 */
typedef void (*nsws_close_fn)(nsws_client client, const nsws_close_event *event, void *user_data);

/**
 * Something failed: `error`. Before `open` it ends the attempt; after it, `close` follows.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * One English sentence that names host, port and cause. Never holds a secret or a payload.
     */
    const char *message;
    /**
     * One of `NSWS_ERR_*`; `NSWS_ERR_CONNECT_FAILED` (200) for everything that the network or the peer did.
     */
    int32_t code;
    /**
     * A finer code, one of `NSWS_DETAIL_*`, or 0.
     */
    int32_t detail;
    /**
     * The phase that failed, one of `NSWS_PHASE_*`.
     */
    int32_t phase;
    /**
     * The operating system's error number, or 0.
     */
    int32_t os_error;
    /**
     * The HTTP status of the answer that refused the connection (404, or 407 from a proxy), or 0.
     */
    int32_t http_status;
    /**
     * The headers of the server's answer when it refused the upgrade, in the order of arrival, among them `Location`,
     * `Retry-After`, `WWW-Authenticate`; else NULL.
     * @since 0.2
     */
    const nsws_header *headers;
    /**
     * How many headers there are.
     * @since 0.2
     */
    size_t header_count;
    /**
     * The first 16 KiB of that answer's body, or as much of them as came within 2 s and `connect_timeout_ms`; NULL
     * without such an answer. Not NUL-terminated. A `Content-Encoding` is not undone.
     * @since 0.2
     */
    const uint8_t *body;
    /**
     * How many bytes of the body there are.
     * @since 0.2
     */
    size_t body_length;
    /**
     * How long the server asks to wait before the next attempt (`Retry-After`, in seconds or as a date), in
     * milliseconds; 0: it does not ask.
     * @since 0.2
     */
    uint32_t retry_after_ms;
} nsws_error_event;

/**
 * Called for `error`.
 * @since 0.1
 */
typedef void (*nsws_error_fn)(nsws_client client, const nsws_error_event *event, void *user_data);

/**
 * The send queue has room again after a `NSWS_ERR_QUEUE_FULL`: `drain`.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * What waits in the queue now: the bytes of the frames, and 64 for each message or ping.
     */
    size_t queued_bytes;
} nsws_drain_event;

/**
 * Called for `drain`.
 * @since 0.1
 */
typedef void (*nsws_drain_fn)(nsws_client client, const nsws_drain_event *event, void *user_data);

/**
 * The client will connect again by itself: `reconnecting`. Follows the events that end an attempt or a
 * connection.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * The number of the attempt since the last success, from 1.
     */
    uint32_t attempt;
    /**
     * The wait before it, in milliseconds.
     */
    uint32_t delay_ms;
} nsws_reconnecting_event;

/**
 * Called for `reconnecting`.
 * @since 0.1
 */
typedef void (*nsws_reconnecting_fn)(nsws_client client,
                                     const nsws_reconnecting_event *event,
                                     void *user_data);

/**
 * What nsws_runtime_configure() may be told.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct; nsws_runtime_options_init() sets it.
     */
    size_t struct_size;
    /**
     * The stack of the threads that run callbacks, in bytes. Default 1 MiB, at least 128 KiB.
     */
    size_t thread_stack_size;
    /**
     * The most threads that may run callbacks at once. Default 1024, at least one more than `io_threads`. Each callback that blocks
     * holds one; when all are held, further callbacks wait.
     */
    uint32_t max_threads;
    /**
     * How many I/O loops there are, each with a thread of its own. Clients and servers are spread over them, so that a
     * program gets as many processors as it has busy objects. Default 1; 0, or more than there are processors: 401.
     * @since 0.2
     */
    size_t io_threads;
} nsws_runtime_options;

/**
 * Receives a line of the library's log.
 *
 * Called on any thread, several at once. It may call the library but must not wait for it.
 * @since 0.1
 */
typedef void (*nsws_log_fn)(int32_t level, const char *message, void *user_data);

/**
 * A part of a message: `message_part`. An empty message is one part; the parts of a text end at whole characters.
 * @since 0.2
 */
typedef struct {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * The bytes; never NULL, not NUL-terminated.
     */
    const uint8_t *data;
    /**
     * How many bytes there are; may be 0.
     */
    size_t length;
    /**
     * 1: the message is text, valid UTF-8 so far. 0: it is binary.
     */
    uint8_t is_text;
    /**
     * 1: the message begins with this part.
     */
    uint8_t is_first;
    /**
     * 1: the message ends with this part. A connection that breaks before ends without it.
     */
    uint8_t is_last;
} nsws_message_part_event;

/**
 * Called for `message_part` of a client.
 * @since 0.2
 */
typedef void (*nsws_message_part_fn)(nsws_client client,
                                     const nsws_message_part_event *event,
                                     void *user_data);

/**
 * A WebSocket server. A value, free to copy; 0 is never valid.
 * @since 0.1
 */
typedef struct {
    /**
     * Opaque. Below 2^53.
     */
    uint64_t id;
} nsws_server;

/**
 * A connection that a server has accepted. A value, free to copy; 0 is never valid. It is stale once its
 * `close` listeners have returned.
 * @since 0.1
 */
typedef struct {
    /**
     * Opaque. Below 2^53.
     */
    uint64_t id;
} nsws_connection;

/**
 * Called for `message_part` of a server's connection.
 * @since 0.2
 */
typedef void (*nsws_server_message_part_fn)(nsws_server server,
                                            nsws_connection connection,
                                            const nsws_message_part_event *event,
                                            void *user_data);

/**
 * Answers yes (not 0) or no (0).
 *
 * Hooks are called on any thread, several at once, in the middle of the library's calls. They may call the
 * library but must not wait for it; those that a call asks (permission, host, device) make that call as slow
 * as they are.
 * @since 0.1
 */
typedef uint8_t (*nsws_ask_fn)(void *user_data);

/**
 * Answers whether the program may connect to a host: not 0, or 0.
 * @since 0.1
 */
typedef uint8_t (*nsws_host_fn)(const char *host, const char *url, void *user_data);

/**
 * Answers which proxy the system has set, by calling nsws_system_proxy_set(); who doesn't call it says that
 * there is none.
 *
 * `url` has scheme, host and port of the server and nothing else (`wss://example.com:443/`). Called before each
 * attempt to connect, on a thread that may block; the connect timeout runs meanwhile.
 * @since 0.1
 */
typedef void (*nsws_system_proxy_fn)(const char *url,
                                     nsws_system_proxy_answer *answer,
                                     void *user_data);

/**
 * What only the platform knows. Prepare it with nsws_platform_init(). Each hook may be NULL: its default
 * applies.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct; nsws_platform_init() sets it.
     */
    size_t struct_size;
    /**
     * Passed to every hook.
     */
    void *user_data;
    /**
     * Called once when no hook of this platform is used any more, or NULL.
     */
    nsws_free_fn free_fn;
    /**
     * Whether the program may use the network; asked by connect, send, ping and close, and by the server's
     * functions. "No" makes them return `NSWS_ERR_PERMISSION_DENIED`. Default: yes.
     */
    nsws_ask_fn has_internet_permission;
    /**
     * Whether the program may connect to a host; asked by nsws_client_connect(), with the host of the URL
     * (an IPv6 address without brackets) and the URL. "No" is `NSWS_ERR_DOMAIN_NOT_ALLOWED`. Default: yes.
     */
    nsws_host_fn is_host_allowed;
    /**
     * Which proxy the system has set; asked for connections with `NSWS_PROXY_SYSTEM`. An answer that can't
     * be used fails the attempt (phase proxy). Default: the environment's, see `proxy_mode` of
     * nsws_connect_options.
     */
    nsws_system_proxy_fn get_system_proxy;
    /**
     * Whether the CAs that the user has installed are trusted as well; asked in each attempt that
     * trusts the system's CAs, on a thread that may block. Default: no. It has an effect on OpenHarmony only.
     */
    nsws_ask_fn trusts_user_ca;
    /**
     * Whether the device is one on which servers may run; asked by nsws_server_create(). Default: yes.
     */
    nsws_ask_fn is_tv_device;
    /**
     * Receives the log, in place of the receiver of nsws_set_log_callback(); NULL leaves that one.
     */
    nsws_log_fn log;
    /**
     * The most that `log` wants, one of `NSWS_LOG_*`. Default `NSWS_LOG_INFO`.
     */
    int32_t log_level;
} nsws_platform;

/**
 * The system's proxy, as nsws_system_proxy_fn answers it. Prepare it with nsws_system_proxy_init().
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct; nsws_system_proxy_init() sets it.
     */
    size_t struct_size;
    /**
     * A host name or an IP address, IPv6 with or without brackets. NULL or "": there is no proxy.
     */
    const char *host;
    /**
     * The user name that the proxy is told; the rules are those of nsws_connect_options. NULL or "": none.
     */
    const char *username;
    /**
     * The password that goes with it.
     */
    const char *password;
    /**
     * Hosts that are reached without the proxy, as in nsws_connect_options; what is wrong in it is passed over.
     */
    const char *exclusion_list;
    /**
     * The port, 1 to 65535.
     */
    uint32_t port;
    /**
     * `NSWS_PROXY_HTTP` (the default), `NSWS_PROXY_SOCKS5`, or `NSWS_PROXY_NONE`: there is no proxy.
     */
    uint8_t mode;
} nsws_system_proxy;

/**
 * What nsws_server_start() may be told.
 *
 * Prepare it with nsws_server_options_init(), then set what differs from the defaults. Everything is copied
 * by the call. Later versions add members at the end.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct; nsws_server_options_init() sets it.
     */
    size_t struct_size;
    /**
     * The IPv4 or IPv6 address to listen on, and no other. NULL or "": "0.0.0.0", every IPv4 address; "::"
     * is every address of either family. Not an address, or not one of this device:
     * `NSWS_ERR_LISTEN_ADDRESS`.
     */
    const char *server_ip;
    /**
     * A PEM file with the server's certificate and those that lead to its CA. With it, the server speaks wss
     * and only wss. NULL or "": ws. A file that can't be opened is `NSWS_ERR_CERT_FILE`; one that can't be
     * used, `NSWS_ERR_CERT_UNUSABLE`.
     */
    const char *cert_path;
    /**
     * A PEM file with the certificate's private key (PKCS#8, PKCS#1 or SEC1), not encrypted.
     */
    const char *key_path;
    /**
     * Sub-protocols that the server speaks, separated by commas, the preferred one first; the first that a
     * client offers too is chosen. NULL or "": none.
     */
    const char *protocol;
    /**
     * The largest message that is received, in bytes; a larger one ends the connection with 1009. Default 16
     * MiB, at least 1.
     */
    size_t max_receive_size;
    /**
     * The largest message that may be sent, in bytes. Default 5 MiB.
     */
    size_t max_send_size;
    /**
     * How much may wait to be sent on one connection; as in nsws_connect_options. Default 16 MiB.
     */
    size_t send_queue_size;
    /**
     * The port to listen on. Default 0: the system picks one, see nsws_server_get_port(). Above 65535:
     * `NSWS_ERR_LISTEN_PORT`.
     */
    uint32_t server_port;
    /**
     * How many addresses may be connected at once; others are refused with 503. 0 means the default, 10.
     */
    uint32_t max_concurrent_clients;
    /**
     * How many connections one address may have; more are refused with 503. 0 means the default, 10. The
     * addresses of one IPv6 network of 64 bits may have four times as many together, unless they are link-local.
     */
    uint32_t max_connections_per_client;
    /**
     * How many upgrades one address may ask for within 60 seconds. An address that asks for more is banned for the
     * next 60 seconds: it gets 429. Default 50; 0: no limit. An address may begin twice as many TLS handshakes; one
     * more is a ban as well. IPv6 networks have limits as above.
     */
    uint32_t max_upgrades_per_minute;
    /**
     * How long a client may take from its TCP connection to the end of the opening handshake, TLS included, in
     * milliseconds; a slower one is cut off. Default 10000; 0: 401.
     */
    uint32_t handshake_timeout_ms;
    /**
     * As in nsws_connect_options.
     */
    uint32_t ping_interval_ms;
    /**
     * As in nsws_connect_options.
     */
    uint32_t pong_timeout_ms;
    /**
     * How long closing may take, in milliseconds, from nsws_connection_close() or nsws_server_stop() to the
     * client's answer, what was queued included. Default 5000; 0: 401.
     */
    uint32_t close_timeout_ms;
    /**
     * The oldest TLS version that is acceptable: `NSWS_TLS_1_2` (the default) or `NSWS_TLS_1_3`.
     */
    uint8_t min_tls_version;
    /**
     * The web pages that may connect, by their origins, separated by commas: "https://example.com,
     * http://10.0.0.7:8080". A request with another `Origin`, or with `Origin: null`, is refused with 403 before
     * the accept hook is asked, and doesn't count towards a ban; a request without one, which no browser makes,
     * passes. NULL: any page. "": none. What is no origin: 401.
     *
     * Any web page that is open in a browser which reaches this server can connect to it, as its user's address:
     * without this list or an accept hook it can do what the user's own programs can, and 51 connects of a page
     * ban all who share that address for a minute.
     * @since 0.2
     */
    const char *allowed_origins;
    /**
     * Messages below so many bytes are sent as they are, and so are those that would not shrink. Default 1024.
     * @since 0.2
     */
    size_t compression_threshold;
    /**
     * How many bytes compressing and decompressing may hold for one connection: smaller windows are agreed to until
     * they fit, or none. Default 512 KiB.
     * @since 0.2
     */
    size_t compression_memory;
    /**
     * How many bytes all connections may hold of what they receive: messages that wait for the listeners, and those that
     * are not complete. When they hold so much, reading stops until messages are delivered; when none waits, the
     * largest unfinished message of the address that holds most ends its connection with 1009,
     * `NSWS_DETAIL_RECEIVE_BUDGET`. Default 0: the larger of 64 MiB and `max_receive_size`.
     * @since 0.2
     */
    size_t receive_budget;
    /**
     * As in nsws_connect_options.
     * @since 0.2
     */
    uint32_t message_timeout_ms;
    /**
     * 1: agree to permessage-deflate (RFC 7692). Default 0. In a build without compression: `NSWS_ERR_NOT_SUPPORTED`.
     * Compressing beside secrets tells their length: leave it off for messages that mix secrets with what an attacker
     * may choose.
     * @since 0.2
     */
    uint8_t compression;
    /**
     * How hard to compress, 1 to 9 (else 401). Default 6.
     * @since 0.2
     */
    uint8_t compression_level;
    /**
     * The largest window of the client's messages, as a power of two, 8 to 15 (else 401). Default 15.
     * @since 0.2
     */
    uint8_t client_max_window_bits;
    /**
     * The largest window of the server's messages. Default 15.
     * @since 0.2
     */
    uint8_t server_max_window_bits;
    /**
     * 1: each of the client's messages is compressed by itself. Default 0.
     * @since 0.2
     */
    uint8_t client_no_context_takeover;
    /**
     * 1: each of the server's messages is compressed by itself. Default 0.
     * @since 0.2
     */
    uint8_t server_no_context_takeover;
    /**
     * 1: messages arrive in parts, as `message_part` events instead of `message`. `max_receive_size` still bounds the
     * whole message. Default 0.
     * @since 0.2
     */
    uint8_t receive_parts;
} nsws_server_options;

/**
 * A client has connected to a server: `connect`. The accept hook receives the same before the client is
 * answered.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * The client's IP address as text; an IPv4 client of a dual-stack server has its IPv4 address.
     */
    const char *client_ip;
    /**
     * Path and query of the request, as the client wrote them.
     */
    const char *path;
    /**
     * The sub-protocol that the server chose, or "".
     */
    const char *protocol;
    /**
     * The request's headers in the order of arrival, repeated names kept, names as the client wrote them.
     */
    const nsws_header *headers;
    /**
     * How many headers there are.
     */
    size_t header_count;
    /**
     * The client's port.
     */
    uint16_t client_port;
    /**
     * The extensions that were agreed to, as the header has them, or "".
     * @since 0.2
     */
    const char *extensions;
} nsws_connect_event;

/**
 * Decides whether a client may connect: 0 accepts it; an HTTP status from 400 to 599 refuses it with that
 * status, any other value with 403. Called like a listener, in turn with the server's events; the client
 * waits meanwhile, within `handshake_timeout_ms`.
 * @since 0.1
 */
typedef uint16_t (*nsws_accept_fn)(nsws_server server,
                                   const nsws_connect_event *event,
                                   void *user_data);

/**
 * Who is at the other end of a connection, and figures of it.
 * @since 0.1
 */
typedef struct {
    /**
     * The size of this struct, as given to nsws_connection_get_info().
     */
    size_t struct_size;
    /**
     * Messages sent to the system, control frames not counted.
     */
    uint64_t messages_sent;
    /**
     * Messages received.
     */
    uint64_t messages_received;
    /**
     * Payload bytes of the messages sent.
     */
    uint64_t bytes_sent;
    /**
     * Payload bytes of the messages received.
     */
    uint64_t bytes_received;
    /**
     * What waits to be sent: the bytes of the frames, and 64 for each message or ping.
     */
    uint64_t queued_bytes;
    /**
     * The last ping's time to its pong, in microseconds; 0 before the first.
     */
    uint64_t rtt_us;
    /**
     * The client's IP address as text, NUL-terminated.
     */
    char client_ip[46];
    /**
     * The client's port.
     */
    uint16_t client_port;
} nsws_connection_info;

/**
 * Called for a server's `connect`. From now on the connection can be used.
 * @since 0.1
 */
typedef void (*nsws_server_connect_fn)(nsws_server server,
                                       nsws_connection connection,
                                       const nsws_connect_event *event,
                                       void *user_data);

/**
 * Called for a server's `message`.
 * @since 0.1
 */
typedef void (*nsws_server_message_fn)(nsws_server server,
                                       nsws_connection connection,
                                       const nsws_message_event *event,
                                       void *user_data);

/**
 * Called for a server's `close`: exactly once per connection that had `connect`, and last. The handle is
 * stale when the listeners have returned.
 * @since 0.1
 */
typedef void (*nsws_server_close_fn)(nsws_server server,
                                     nsws_connection connection,
                                     const nsws_close_event *event,
                                     void *user_data);

/**
 * Called for a server's `error`. The connection's `id` is 0 when the server itself has failed at something,
 * such as accepting clients for want of descriptors.
 * @since 0.1
 */
typedef void (*nsws_server_error_fn)(nsws_server server,
                                     nsws_connection connection,
                                     const nsws_error_event *event,
                                     void *user_data);

/**
 * Called for a server's `drain`.
 * @since 0.1
 */
typedef void (*nsws_server_drain_fn)(nsws_server server,
                                     nsws_connection connection,
                                     const nsws_drain_event *event,
                                     void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Creates a client. The first object also starts the library's threads.
 *
 * @param out receives the handle; destroy it with nsws_client_destroy() or nsws_client_release()
 * @return 0; 401 when `out` is NULL; `NSWS_ERR_NO_RESOURCES`; `NSWS_ERR_SHUTTING_DOWN`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_create(nsws_client *out);

/**
 * Starts to connect, and returns. What becomes of the attempt arrives as exactly one of `open` (after
 * `header_receive`), `error`, or, after nsws_client_close(), `close` with code 1006.
 *
 * What is checked, in this order: the options' values (401), the permission, the URL, whether its host is
 * allowed, the files, and whether the client may connect now.
 *
 * @param client the client; it may connect again after `close` or a failed attempt's `error`
 * @param url `ws://` or `wss://`, UTF-8 of at most `max_url_length` bytes, without a fragment. User and
 *        password in it become Basic authorization. A link-local address may name its interface:
 *        `ws://[fe80::1%25wlan0]/` (RFC 6874).
 * @param options prepared by nsws_connect_options_init(), or NULL for the defaults; copied
 * @return 0; 401 for an option out of its range; `NSWS_ERR_NOT_SUPPORTED` for `compression` in a build without it;
 *         `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_URL`; `NSWS_ERR_DOMAIN_NOT_ALLOWED`; `NSWS_ERR_CERT_FILE`; `NSWS_ERR_ALREADY_CONNECTED` while connecting,
 *         connected or closing (the connection is unharmed); `NSWS_ERR_SHUTTING_DOWN`; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_client_connect(nsws_client client,
                            const char *url,
                            const nsws_connect_options *options);

/**
 * Sends a text message. What was accepted is delivered in order; nsws_client_close() flushes it first.
 *
 * @param client the client
 * @param text UTF-8, copied; NULL is allowed when `length` is 0. NULs in it are sent as they are.
 * @param length its length in bytes; 0 sends an empty message
 * @return 0; 401 for invalid UTF-8 or more than `max_send_size`; `NSWS_ERR_PERMISSION_DENIED`;
 *         `NSWS_ERR_NOT_CONNECTED` before `open` and after `close`; `NSWS_ERR_MESSAGE_UNFINISHED` between the
 *         parts of another message; `NSWS_ERR_QUEUE_FULL`, then `drain` follows; `NSWS_ERR_NO_RESOURCES`;
 *         `NSWS_ERR_BAD_HANDLE`. After any error nothing was queued.
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_client_send_text(nsws_client client,
                              const char *text,
                              size_t length);

/**
 * Sends a binary message. As nsws_client_send_text().
 *
 * @param client the client
 * @param data the payload, copied; NULL is allowed when `length` is 0
 * @param length its length in bytes; 0 sends an empty message
 * @return as nsws_client_send_text()
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_client_send_binary(nsws_client client, const void *data, size_t length);

/**
 * Sends a ping. The answer counts as a sign of life and sets `rtt_us` of nsws_client_get_stats().
 *
 * @param client the client
 * @param data the payload, copied; NULL is allowed when `length` is 0
 * @param length its length in bytes, at most 125
 * @return 0; 401 above 125 bytes; else as nsws_client_send_text(), but never `NSWS_ERR_MESSAGE_UNFINISHED`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_client_ping(nsws_client client,
                         const void *data,
                         size_t length);

/**
 * Closes the connection: sends what was accepted, then the close frame, and waits in the background for
 * the peer's. `close` follows. While connecting, the attempt is abandoned and `close` has code 1006.
 *
 * @param client the client
 * @param code 1000-1003, 1007-1014 or 3000-4999; 1000 is the normal one
 * @param reason at most 123 bytes of UTF-8; NULL is ""
 * @return 0; 401 for a code or reason that may not be sent; `NSWS_ERR_NOT_CONNECTED` when there is nothing
 *         to close or it is being closed already; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_client_close(nsws_client client,
                          uint16_t code,
                          const char *reason);

/**
 * Lets small messages wait for each other: what is sent until nsws_client_uncork() goes out in few writes.
 * For programs that answer many messages in a row outside the library's callbacks, inside of which this is
 * so by itself.
 *
 * Each cork needs its uncork: without it a message may wait for ever. But corks don't add up: one uncork, on
 * any thread, ends them all. Messages above 1 KiB don't wait, nor do small ones once they are 16 KiB or fill the
 * send queue. nsws_client_close() and nsws_client_destroy() send what waits; the next connection isn't corked.
 *
 * @param client the client
 * @return 0; `NSWS_ERR_NOT_CONNECTED` unless it is open; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_client_cork(nsws_client client);

/**
 * Sends what has waited since nsws_client_cork(), on this thread if it can. Without a cork it does nothing.
 *
 * @param client the client
 * @return 0; `NSWS_ERR_NOT_CONNECTED` unless it is open; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_client_uncork(nsws_client client);

/**
 * Stops the reading of the connection: what was read already is still delivered, and then the peer has to
 * wait. For programs that hand messages on to a queue of their own, which must not grow without bound. While
 * paused, neither the peer's close frame nor its pongs are read, and the heartbeat waits.
 *
 * @param client the client; it stays paused, over connections, until nsws_client_resume()
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_client_pause(nsws_client client);

/**
 * Ends what nsws_client_pause() began.
 *
 * @param client the client
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_client_resume(nsws_client client);

/**
 * Tells where a client stands, as its events have told so far: from the listeners of `open` on it is open, or
 * closing, and from those of `close` or of a failed attempt's `error` on it is idle, unless it will connect
 * again by itself.
 *
 * @param client the client
 * @param out receives one of `NSWS_STATE_*`
 * @return 0; 401 when `out` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_get_state(nsws_client client,
                              int32_t *out);

/**
 * Destroys a client, and waits until no callback of it runs and each `free_fn` has run. An open connection
 * is closed in the background (1001, or as a nsws_client_close() before said); no event tells of it.
 *
 * Inside a callback of any handle it doesn't wait: it returns at once, no further callback of the client
 * starts, and `free_fn` tells when its last one has ended.
 *
 * @param client the client; stale from now on
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_destroy(nsws_client client);

/**
 * Destroys a client without ever waiting, for finalisers and UI threads: a callback that runs now may
 * still run when this returns, and `free_fn` tells when it has ended.
 *
 * @param client the client; stale from now on
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_release(nsws_client client);

/**
 * Reads figures of the current connection, or of the last one.
 *
 * @param client the client
 * @param stats receives the figures
 * @param struct_size `sizeof *stats`
 * @return 0; 401 when `stats` is NULL or the size is impossible; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_get_stats(nsws_client client, nsws_client_stats *stats, size_t struct_size);

/**
 * Adds a listener of `header_receive`. Listeners of one event are called in the order of their registration;
 * the same (`fn`, `user_data`) counts once, and then the first registration's `free_fn` stays.
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL. If this call fails, it isn't
 *        called.
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread. The callbacks run on threads of the library, never inside a call, and for one client never two
 * at once; a callback that blocks delays only its own client.
 * @since 0.1
 */
int32_t nsws_client_on_header_receive(nsws_client client,
                                      nsws_header_receive_fn fn,
                                      void *user_data,
                                      nsws_free_fn free_fn);

/**
 * Removes a listener of `header_receive`. It isn't called again, but a call that runs now goes on: this
 * doesn't wait, and may be called inside the listener. Removing one that isn't there is no error.
 *
 * @param client the client
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_header_receive(nsws_client client,
                                       nsws_header_receive_fn fn,
                                       void *user_data);

/**
 * Adds a listener of `open`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_on_open(nsws_client client,
                            nsws_open_fn fn,
                            void *user_data,
                            nsws_free_fn free_fn);

/**
 * Removes a listener of `open`; as nsws_client_off_header_receive().
 *
 * @param client the client
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_open(nsws_client client, nsws_open_fn fn, void *user_data);

/**
 * Adds a listener of `message`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_on_message(nsws_client client,
                               nsws_message_fn fn,
                               void *user_data,
                               nsws_free_fn free_fn);

/**
 * Removes a listener of `message`; as nsws_client_off_header_receive().
 *
 * @param client the client
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_message(nsws_client client, nsws_message_fn fn, void *user_data);

/**
 * Adds a listener of `data_end`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_on_data_end(nsws_client client,
                                nsws_data_end_fn fn,
                                void *user_data,
                                nsws_free_fn free_fn);

/**
 * Removes a listener of `data_end`; as nsws_client_off_header_receive().
 *
 * @param client the client
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_data_end(nsws_client client, nsws_data_end_fn fn, void *user_data);

/**
 * Adds a listener of `close`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_on_close(nsws_client client,
                             nsws_close_fn fn,
                             void *user_data,
                             nsws_free_fn free_fn);

/**
 * Removes a listener of `close`; as nsws_client_off_header_receive().
 *
 * @param client the client
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_close(nsws_client client, nsws_close_fn fn, void *user_data);

/**
 * Adds a listener of `error`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_on_error(nsws_client client,
                             nsws_error_fn fn,
                             void *user_data,
                             nsws_free_fn free_fn);

/**
 * Removes a listener of `error`; as nsws_client_off_header_receive().
 *
 * @param client the client
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_error(nsws_client client, nsws_error_fn fn, void *user_data);

/**
 * Adds a listener of `drain`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_on_drain(nsws_client client,
                             nsws_drain_fn fn,
                             void *user_data,
                             nsws_free_fn free_fn);

/**
 * Removes a listener of `drain`; as nsws_client_off_header_receive().
 *
 * @param client the client
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_drain(nsws_client client, nsws_drain_fn fn, void *user_data);

/**
 * Adds a listener of `reconnecting`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_on_reconnecting(nsws_client client,
                                    nsws_reconnecting_fn fn,
                                    void *user_data,
                                    nsws_free_fn free_fn);

/**
 * Removes a listener of `reconnecting`; as nsws_client_off_header_receive().
 *
 * @param client the client
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_reconnecting(nsws_client client, nsws_reconnecting_fn fn, void *user_data);

/**
 * The version of the library, "major.minor.patch".
 *
 * @return a string that lives as long as the library
 * Any thread.
 * @since 0.1
 */
const char *nsws_version(void);

/**
 * The library's `NSWS_ABI_VERSION`; a program may compare it with the one it was compiled with.
 *
 * Any thread.
 * @since 0.1
 */
uint32_t nsws_abi_version(void);

/**
 * The name of a code, such as "NSWS_ERR_URL".
 *
 * @param code one of `NSWS_ERR_*` or `NSWS_DETAIL_*`
 * @return a string that lives as long as the library; "NSWS_ERR_UNKNOWN" for a number that is no code
 * Any thread.
 * @since 0.1
 */
const char *nsws_error_name(int32_t code);

/**
 * What a code means, as one English sentence.
 *
 * @param code one of `NSWS_ERR_*` or `NSWS_DETAIL_*`
 * @return a string that lives as long as the library
 * Any thread.
 * @since 0.1
 */
const char *nsws_error_message(int32_t code);

/**
 * The name of a phase, such as "tls".
 *
 * @param phase one of `NSWS_PHASE_*`
 * @return a string that lives as long as the library; "unknown" for a number that is no phase
 * Any thread.
 * @since 0.1
 */
const char *nsws_phase_name(int32_t phase);

/**
 * The sentence of the last call that failed on this thread, "" when none has.
 *
 * @return a string that lives until the next call on this thread that fails
 * Any thread.
 * @since 0.1
 */
const char *nsws_last_error(void);

/**
 * Sets how the library's threads are made. Optional; before the first object is created, or after
 * nsws_shutdown().
 *
 * @param options prepared by nsws_runtime_options_init(); NULL: the defaults
 * @return 0; 401 for a value out of range; `NSWS_ERR_BUSY` when the threads run already
 * Any thread.
 * @since 0.1
 */
int32_t nsws_runtime_configure(const nsws_runtime_options *options);

/**
 * Ends everything: destroys all objects, closes their connections (1001), runs every `free_fn`, and ends
 * the library's threads. Afterwards the library can be used again, or unloaded. It may be called in an exit
 * handler, or in the destructor of a global object.
 *
 * @param timeout_ms how long to wait, in milliseconds, for closing handshakes and for callbacks that run;
 *        `NSWS_FOR_EVER`: until they end. What is still connected then is cut, and threads that only have to end may
 *        take half a second more.
 * @return 0 when no thread of the library is left; `NSWS_ERR_BUSY` when something could not be ended (a
 *         callback that does not return, a name lookup): nsws_last_error() says what. Those threads end
 *         when what holds them does; calling again waits for them again.
 *         `NSWS_ERR_WOULD_DEADLOCK` inside a callback.
 * Any thread but one that runs a callback.
 * @since 0.1
 */
int32_t nsws_shutdown(uint32_t timeout_ms);

/**
 * Sets who receives the log. Without one, nothing is logged; on OpenHarmony, the lines up to `NSWS_LOG_INFO` go to hilog,
 * with the tag "netstack_websocket". No secret or payload is ever logged. A callback that has held its thread for a second
 * or longer is a line of `NSWS_LOG_WARN` that names its event.
 *
 * @param max_level the most that is wanted, one of `NSWS_LOG_*`
 * @param fn the receiver; NULL: none
 * @param user_data passed to `fn`
 * @param free_fn called once when `fn` is no longer used, or NULL
 * @return 0; 401 for an unknown level
 * Any thread.
 * @since 0.1
 */
int32_t nsws_set_log_callback(int32_t max_level,
                              nsws_log_fn fn,
                              void *user_data,
                              nsws_free_fn free_fn);

/**
 * Writes a line of the program's own to the log: for layers that are built on the library and share its log.
 *
 * @param level one of `NSWS_LOG_ERROR` to `NSWS_LOG_DEBUG`
 * @param message the line, NUL-terminated UTF-8
 * @return 0, also when nobody receives the log; 401 for NULL, invalid UTF-8 or another level
 * Any thread.
 * @since 0.1
 */
int32_t nsws_log(int32_t level,
                 const char *message);

/**
 * Asks the server for a sign of life: sends a ping at once, and if nothing arrives within the time, the connection is
 * lost: `error` with `NSWS_DETAIL_HEARTBEAT_LOST`, then `close`. For a device that has been asleep or has changed its
 * network. Any byte counts as an answer. While this side does not read, because it is paused or a listener is slow, no
 * time runs, and the check begins anew afterwards. It needs no heartbeat, and changes none.
 *
 * @param client the client
 * @param timeout_ms how long the answer may take, in milliseconds. Of two checks at once, the one that ends first
 *        counts.
 * @return 0; 401 when `timeout_ms` is 0; `NSWS_ERR_NOT_CONNECTED` unless it is open; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.2
 */
int32_t nsws_client_check(nsws_client client,
                          uint32_t timeout_ms);

/**
 * Tells the library that the network is another one, as the platform reports it: each open client is checked, as by
 * nsws_client_check(), and each that waits to connect again tries at once. The attempts of the others go on.
 *
 * @param timeout_ms how long the servers' answers may take, in milliseconds
 * @return 0; 401 when `timeout_ms` is 0
 * Any thread; never blocks on the network.
 * @since 0.2
 */
int32_t nsws_network_changed(uint32_t timeout_ms);

/**
 * Writes the defaults of nsws_client_connect() into `options`.
 *
 * @param options the struct to prepare
 * @param struct_size `sizeof *options`
 * @return 0; 401 when `options` is NULL or the size is impossible
 * Any thread.
 * @since 0.1
 */
int32_t nsws_connect_options_init(nsws_connect_options *options, size_t struct_size);

/**
 * Adds a listener of `message_part`; as nsws_client_on_header_receive(). With `receive_parts` of
 * nsws_connect_options, it is called instead of `message`, as the bytes arrive; `data_end` follows the last part.
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.2
 */
int32_t nsws_client_on_message_part(nsws_client client,
                                    nsws_message_part_fn fn,
                                    void *user_data,
                                    nsws_free_fn free_fn);

/**
 * Removes a listener of `message_part`; as nsws_client_off_header_receive().
 *
 * @param client the client
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.2
 */
int32_t nsws_client_off_message_part(nsws_client client, nsws_message_part_fn fn, void *user_data);

/**
 * Adds a listener of `message_part`; as nsws_server_on_connect(). With `receive_parts` of nsws_server_options, it
 * is called instead of `message`, as the bytes arrive.
 *
 * @param server the server
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.2
 */
int32_t nsws_server_on_message_part(nsws_server server,
                                    nsws_server_message_part_fn fn,
                                    void *user_data,
                                    nsws_free_fn free_fn);

/**
 * Removes a listener of `message_part`; as nsws_server_off_connect().
 *
 * @param server the server
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.2
 */
int32_t nsws_server_off_message_part(nsws_server server,
                                     nsws_server_message_part_fn fn,
                                     void *user_data);

/**
 * Sends a part of a message whose length need not be known. Each part goes out as a fragment, and counts in the send
 * queue as a message does. Until the last part, other messages to this peer are refused with
 * `NSWS_ERR_MESSAGE_UNFINISHED`; pings pass, and nsws_client_close() sends what was accepted before it closes.
 *
 * @param client the client
 * @param data the bytes, copied; NULL is allowed when `length` is 0
 * @param length how many there are, at most `max_send_size`
 * @param is_text 1: the message is text, and valid UTF-8 over the whole; a part may end within a character. What the
 *        first part says counts.
 * @param is_last 1: the message ends with this part
 * @return 0; 401 for invalid UTF-8, more than `max_send_size`, or a flag that is neither 0 nor 1;
 *         `NSWS_ERR_NOT_CONNECTED`; `NSWS_ERR_QUEUE_FULL`, then `drain` follows; `NSWS_ERR_NO_RESOURCES`;
 *         `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_BAD_HANDLE`. After any error nothing was queued.
 * Any thread; never blocks on the network.
 * @since 0.2
 */
int32_t nsws_client_send_part(nsws_client client,
                              const void *data,
                              size_t length,
                              uint8_t is_text,
                              uint8_t is_last);

/**
 * Sends a part of a message to a client. As nsws_client_send_part(); broadcasts pass over a connection that waits
 * for the last part.
 *
 * @param connection the connection
 * @param data the bytes, copied; NULL is allowed when `length` is 0
 * @param length how many there are, at most `max_send_size`
 * @param is_text 1: the message is text
 * @param is_last 1: the message ends with this part
 * @return as nsws_client_send_part()
 * Any thread; never blocks on the network.
 * @since 0.2
 */
int32_t nsws_connection_send_part(nsws_connection connection,
                                  const void *data,
                                  size_t length,
                                  uint8_t is_text,
                                  uint8_t is_last);

/**
 * Writes the defaults: no hooks.
 *
 * @param platform the struct to prepare
 * @param struct_size sizeof(nsws_platform)
 * @return 0; 401 for NULL or a size below 8 or above 4096
 * Any thread.
 * @since 0.1
 */
int32_t nsws_platform_init(nsws_platform *platform, size_t struct_size);

/**
 * Sets what only the platform knows, for the whole process. Usually called once, before the first
 * connection; later calls replace all hooks, and those under way end.
 *
 * @param platform prepared by nsws_platform_init(), copied; NULL: the defaults again
 * @return 0; 401 for a struct that was not prepared or an unknown `log_level`. If it fails, `free_fn` isn't
 *         called.
 * Any thread.
 * @since 0.1
 */
int32_t nsws_set_platform(const nsws_platform *platform);

/**
 * Writes the defaults: no proxy.
 *
 * @param proxy the struct to prepare
 * @param struct_size sizeof(nsws_system_proxy)
 * @return 0; 401 for NULL or a size below 8 or above 4096
 * Any thread.
 * @since 0.1
 */
int32_t nsws_system_proxy_init(nsws_system_proxy *proxy, size_t struct_size);

/**
 * Answers nsws_system_proxy_fn. The last call in it counts.
 *
 * @param answer what the hook was given
 * @param proxy prepared by nsws_system_proxy_init(), copied; NULL: there is no proxy
 * @return 0; 401 for a NULL `answer` or a proxy that can't be one, which also fails the attempt
 * The hook's thread, inside the hook.
 * @since 0.1
 */
int32_t nsws_system_proxy_set(nsws_system_proxy_answer *answer, const nsws_system_proxy *proxy);

/**
 * Writes the defaults of nsws_runtime_configure() into `options`.
 *
 * @param options the struct to prepare
 * @param struct_size `sizeof *options`
 * @return 0; 401 when `options` is NULL or the size is impossible
 * Any thread.
 * @since 0.1
 */
int32_t nsws_runtime_options_init(nsws_runtime_options *options, size_t struct_size);

/**
 * Creates a server, which does not listen yet. The first object also starts the library's threads.
 *
 * @param out receives the handle; destroy it with nsws_server_destroy() or nsws_server_release()
 * @return 0; 401 when `out` is NULL; `NSWS_ERR_NOT_SUPPORTED` in a build without servers, or on a device
 *         where servers may not run (`is_tv_device` of nsws_platform); `NSWS_ERR_NO_RESOURCES`;
 *         `NSWS_ERR_SHUTTING_DOWN`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_create(nsws_server *out);

/**
 * Listens. When this returns 0, clients can connect; each that does arrives as `connect`.
 *
 * What is checked, in this order: the options' values (401), the permission, address, port, certificate
 * files, whether the server listens already, and the socket.
 *
 * @param server the server; it may start again after nsws_server_stop(), at once
 * @param options prepared by nsws_server_options_init(), or NULL for the defaults; copied
 * @return 0; 401; `NSWS_ERR_NOT_SUPPORTED` for `compression` in a build without it;
 *         `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_LISTEN_ADDRESS`; `NSWS_ERR_LISTEN_PORT` (too
 *         large, or not permitted); `NSWS_ERR_CERT_FILE`; `NSWS_ERR_CERT_UNUSABLE`;
 *         `NSWS_ERR_ALREADY_CONNECTED` when it listens already; `NSWS_ERR_PORT_IN_USE`;
 *         `NSWS_ERR_NO_RESOURCES`; `NSWS_ERR_BAD_HANDLE`
 * Any thread; reads the certificate files, never blocks on the network.
 * @since 0.1
 */
int32_t nsws_server_start(nsws_server server,
                          const nsws_server_options *options);

/**
 * Stops to listen: when this returns, the port is free. Every connection is closed in the background with
 * 1001, "server is going away", what was accepted for it goes out first, and each has its `close` event
 * within `close_timeout_ms`. Clients whose handshake is under way are cut off.
 *
 * @param server the server
 * @return 0; `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_NOT_LISTENING`; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_server_stop(nsws_server server);

/**
 * Destroys a server, and waits until no callback of it runs and each `free_fn` has run. It stops to listen,
 * and its connections are closed in the background (1001); no event tells of it, and their handles are
 * stale.
 *
 * Inside a callback of any handle it doesn't wait: it returns at once, no further callback of the server
 * starts, and `free_fn` tells when its last one has ended.
 *
 * @param server the server; stale from now on
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_destroy(nsws_server server);

/**
 * Destroys a server without ever waiting, for finalisers and UI threads: a callback that runs now may still
 * run when this returns, and `free_fn` tells when it has ended. The port is free when this returns.
 *
 * @param server the server; stale from now on
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_release(nsws_server server);

/**
 * Returns the port that a server listens on. Programs written for 0.1 call it nsws_server_port(), which is a macro now.
 *
 * @param server the server
 * @param out receives the port
 * @return 0; 401 when `out` is NULL; `NSWS_ERR_NOT_LISTENING`; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.2
 */
int32_t nsws_server_get_port(nsws_server server,
                             uint16_t *out);

/**
 * Returns what a server does now: `NSWS_STATE_OPEN` while it listens; `NSWS_STATE_CLOSING` after nsws_server_stop()
 * until the listeners have been told of the last `close`; else `NSWS_STATE_IDLE`. It can start again in both.
 *
 * @param server the server
 * @param out receives one of `NSWS_STATE_*`; never `NSWS_STATE_CONNECTING`
 * @return 0; 401 when `out` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.2
 */
int32_t nsws_server_get_state(nsws_server server,
                              int32_t *out);

/**
 * Lists a server's connections: those whose `connect` was delivered, or is being delivered, and whose
 * `close` was not.
 *
 * @param server the server
 * @param list receives up to `capacity` handles; NULL is allowed when `capacity` is 0
 * @param capacity how many handles `list` has room for
 * @param out_count receives how many connections there are, which may be more than `capacity`
 * @return 0; 401 for NULL; `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_list_connections(nsws_server server,
                                     nsws_connection *list,
                                     size_t capacity,
                                     size_t *out_count);

/**
 * Finds the connection of a client by its address and port.
 *
 * @param server the server
 * @param client_ip the client's IP address as text
 * @param client_port the client's port
 * @param out receives the handle
 * @return 0; 401 for NULL or text that is no address; `NSWS_ERR_NO_CONNECTION` when there is none;
 *         `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_find_connection(nsws_server server,
                                    const char *client_ip,
                                    uint16_t client_port,
                                    nsws_connection *out);

/**
 * Sends a message to every connection of a server; it is copied once for all of them. Clients get the
 * broadcasts of several threads in the same order.
 *
 * @param server the server
 * @param data the payload, copied; NULL is allowed when `length` is 0. Text must be UTF-8.
 * @param length its length in bytes; 0 sends an empty message
 * @param is_text 1: a text message; 0: a binary one
 * @param out_accepted receives how many connections accepted it, or NULL. One that is closing doesn't, nor
 *        one between the parts of another message, nor one whose send queue is full: that one gets `drain`
 *        when there is room again.
 * @return 0; 401 for invalid UTF-8, more than `max_send_size`, or `is_text` neither 0 nor 1, and then nobody
 *         was sent anything; `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_server_broadcast(nsws_server server,
                              const void *data,
                              size_t length,
                              uint8_t is_text,
                              size_t *out_accepted);

/**
 * Sets who decides whether a client may connect, after the server's limits and before the client is
 * answered: by its origin, a token in a header, its path. Without one, every client may.
 *
 * @param server the server
 * @param fn the function to ask; NULL: nobody is asked
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL. If this call fails, it isn't
 *        called.
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread. `fn` is called on threads of the library, in turn with the server's listeners.
 * @since 0.1
 */
int32_t nsws_server_set_accept_hook(nsws_server server,
                                    nsws_accept_fn fn,
                                    void *user_data,
                                    nsws_free_fn free_fn);

/**
 * Sends a text message to a client. What was accepted is delivered in order; nsws_connection_close() flushes
 * it first.
 *
 * @param connection the connection
 * @param text UTF-8, copied; NULL is allowed when `length` is 0. NULs in it are sent as they are.
 * @param length its length in bytes; 0 sends an empty message
 * @return 0; 401 for invalid UTF-8 or more than `max_send_size`; `NSWS_ERR_PERMISSION_DENIED`;
 *         `NSWS_ERR_NOT_CONNECTED` when the connection is closing or over; `NSWS_ERR_MESSAGE_UNFINISHED` between
 *         the parts of another message; `NSWS_ERR_QUEUE_FULL`, then `drain` follows; `NSWS_ERR_NO_RESOURCES`;
 *         `NSWS_ERR_BAD_HANDLE`. After any error nothing was queued.
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_connection_send_text(nsws_connection connection,
                                  const char *text,
                                  size_t length);

/**
 * Sends a binary message to a client. As nsws_connection_send_text().
 *
 * @param connection the connection
 * @param data the payload, copied; NULL is allowed when `length` is 0
 * @param length its length in bytes; 0 sends an empty message
 * @return as nsws_connection_send_text()
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_connection_send_binary(nsws_connection connection, const void *data, size_t length);

/**
 * Sends a ping to a client. The answer counts as a sign of life and sets `rtt_us` of nsws_connection_get_info().
 *
 * @param connection the connection
 * @param data the payload, copied; NULL is allowed when `length` is 0
 * @param length its length in bytes, at most 125
 * @return 0; 401 above 125 bytes; else as nsws_connection_send_text(), but never `NSWS_ERR_MESSAGE_UNFINISHED`
 * Any thread; never blocks on the network.
 * @since 0.2
 */
int32_t nsws_connection_ping(nsws_connection connection,
                             const void *data,
                             size_t length);

/**
 * Closes a connection: sends what was accepted, then the close frame, and waits in the background for the
 * client's. `close` follows.
 *
 * @param connection the connection
 * @param code 1000-1003, 1007-1014 or 3000-4999; 1000 is the normal one
 * @param reason at most 123 bytes of UTF-8; NULL is ""
 * @return 0; 401 for a code or reason that may not be sent; `NSWS_ERR_PERMISSION_DENIED`;
 *         `NSWS_ERR_NOT_CONNECTED` when it is being closed already; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_connection_close(nsws_connection connection,
                              uint16_t code,
                              const char *reason);

/**
 * Lets small messages wait for each other; as nsws_client_cork().
 *
 * @param connection the connection
 * @return 0; `NSWS_ERR_NOT_CONNECTED` unless it is open; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_connection_cork(nsws_connection connection);

/**
 * Sends what has waited since nsws_connection_cork(), on this thread if it can; as
 * nsws_client_uncork().
 *
 * @param connection the connection
 * @return 0; `NSWS_ERR_NOT_CONNECTED` unless it is open; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_connection_uncork(nsws_connection connection);

/**
 * Stops the reading of a connection; as nsws_client_pause().
 *
 * @param connection the connection
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_connection_pause(nsws_connection connection);

/**
 * Ends what nsws_connection_pause() began.
 *
 * @param connection the connection
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread; never blocks on the network.
 * @since 0.1
 */
int32_t nsws_connection_resume(nsws_connection connection);

/**
 * Tells who is at the other end of a connection, and figures of it up to now.
 *
 * @param connection the connection
 * @param info receives them
 * @param struct_size `sizeof *info`
 * @return 0; 401 when `info` is NULL or the size is impossible; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_connection_get_info(nsws_connection connection,
                                 nsws_connection_info *info,
                                 size_t struct_size);

/**
 * Adds a listener of `connect`. Listeners of one event are called in the order of their registration; the
 * same (`fn`, `user_data`) counts once, and then the first registration's `free_fn` stays.
 *
 * @param server the server
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL. If this call fails, it isn't
 *        called.
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread. The callbacks run on threads of the library, never inside a call, and for one server never two
 * at once; a callback that blocks delays only its own server. While it is so far behind that 1024 `close`
 * events and questions to the accept hook wait, more clients are refused with 503.
 * @since 0.1
 */
int32_t nsws_server_on_connect(nsws_server server,
                               nsws_server_connect_fn fn,
                               void *user_data,
                               nsws_free_fn free_fn);

/**
 * Removes a listener of `connect`. It isn't called again, but a call that runs now goes on: this doesn't
 * wait, and may be called inside the listener. Removing one that isn't there is no error.
 *
 * @param server the server
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_off_connect(nsws_server server,
                                nsws_server_connect_fn fn,
                                void *user_data);

/**
 * Adds a listener of `message`; as nsws_server_on_connect().
 *
 * @param server the server
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_on_message(nsws_server server,
                               nsws_server_message_fn fn,
                               void *user_data,
                               nsws_free_fn free_fn);

/**
 * Removes a listener of `message`; as nsws_server_off_connect().
 *
 * @param server the server
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_off_message(nsws_server server, nsws_server_message_fn fn, void *user_data);

/**
 * Adds a listener of `close`; as nsws_server_on_connect().
 *
 * @param server the server
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_on_close(nsws_server server,
                             nsws_server_close_fn fn,
                             void *user_data,
                             nsws_free_fn free_fn);

/**
 * Removes a listener of `close`; as nsws_server_off_connect().
 *
 * @param server the server
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_off_close(nsws_server server, nsws_server_close_fn fn, void *user_data);

/**
 * Adds a listener of `error`; as nsws_server_on_connect().
 *
 * @param server the server
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_on_error(nsws_server server,
                             nsws_server_error_fn fn,
                             void *user_data,
                             nsws_free_fn free_fn);

/**
 * Removes a listener of `error`; as nsws_server_off_connect().
 *
 * @param server the server
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_off_error(nsws_server server, nsws_server_error_fn fn, void *user_data);

/**
 * Adds a listener of `drain`; as nsws_server_on_connect().
 *
 * @param server the server
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL
 * @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_on_drain(nsws_server server,
                             nsws_server_drain_fn fn,
                             void *user_data,
                             nsws_free_fn free_fn);

/**
 * Removes a listener of `drain`; as nsws_server_off_connect().
 *
 * @param server the server
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored when `fn` is NULL
 * @return 0; `NSWS_ERR_BAD_HANDLE`
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_off_drain(nsws_server server, nsws_server_drain_fn fn, void *user_data);

/**
 * Writes the defaults of nsws_server_start() into `options`.
 *
 * @param options the struct to prepare
 * @param struct_size `sizeof *options`
 * @return 0; 401 when `options` is NULL or the size is impossible
 * Any thread.
 * @since 0.1
 */
int32_t nsws_server_options_init(nsws_server_options *options, size_t struct_size);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* NETSTACK_WEBSOCKET_H */
