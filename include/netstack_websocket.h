/*
 * netstack_websocket: WebSocket (RFC 6455) clients and servers for C and C++.
 *
 * This header is the manual. Below the overview come: version; library; client; server; connection; platform. For clients and
 * servers, the options come first, then the events, then the functions.
 *
 * Objects. A program refers to them by handles, small values that may be copied and compared. A handle is stale once its object is
 * destroyed, and never becomes valid again.
 *
 * Results. A function that can fail returns an int32_t: NSWS_OK (0) or one of NSWS_ERR_*. Outputs come last and are written only
 * on success. nsws_last_error() returns a sentence about the last failure on the calling thread. What happens later arrives in
 * events. Each function lists all its errors by name; these need no explanation there:
 *
 *     NSWS_ERR_BAD_HANDLE         the handle is stale, of another kind, or was never valid
 *     NSWS_ERR_PERMISSION_DENIED  the platform says that the program may not use the network (see nsws_platform)
 *     NSWS_ERR_NO_RESOURCES       the system has no room for another thread, handle, descriptor or message
 *     NSWS_ERR_SHUTTING_DOWN      another thread is in nsws_shutdown()
 *     NSWS_ERR_FORKED             the process is a forked child of one that used the library, and can't use it
 *     NSWS_ERR_INTERNAL           a defect of the library; please report it
 *
 * Memory. Everything that is passed in is copied before the call returns. What an event points to lives until the callback
 * returns. Text is UTF-8 and NUL-terminated. Bytes are a pointer and a length; NULL with length 0 is empty.
 *
 * Threads. Every function may be called on any thread and inside any callback, unless its description says otherwise. Only
 * nsws_shutdown(), nsws_server_stop_gracefully() and the destroy functions wait. Listeners are called on threads of the library:
 * never inside a call, in order, and never two at once for one client or one server. A listener may block; it delays only its own
 * client or server. The hooks of nsws_platform may be called inside a call. No callback may throw a C++ exception or longjmp out.
 *
 * user_data. A registration may have a free_fn. It runs exactly once, on any thread, after the last call that uses the user_data.
 * If the registration fails, it does not run.
 *
 * Structs. Those that a program fills begin with struct_size and are prepared by an _init function; those that a program receives
 * begin with their size as well. Both grow only at their end. nsws_header and nsws_ban have no size and never grow.
 *
 * A client. nsws_client_connect() returns NSWS_OK. Then come header_receive, open, message and data_end for each message, and close.
 * If the attempt fails, one error comes instead of open; if the program closes first, close does. After open, error events may
 * come, and exactly one close, the last event of this connection; reconnecting begins another.
 *
 * This is client.c. It says hello to the server whose URL it is given, and ends when it has an answer.
 *
 *     #include <netstack_websocket.h>
 *     #include <semaphore.h>
 *     #include <stdio.h>
 *
 *     static sem_t over;
 *
 *     static void on_open(nsws_client client, const nsws_open_event *event, void *user_data) {
 *         (void)event, (void)user_data;
 *         nsws_client_send_text(client, "hello", 5);
 *     }
 *
 *     static void on_message(nsws_client client, const nsws_message_event *event, void *user_data) {
 *         (void)user_data;
 *         printf("message: %.*s\n", (int)event->length, (const char *)event->data);
 *         nsws_client_close(client, 1000, "");
 *     }
 *
 *     static void on_error(nsws_client client, const nsws_error_event *event, void *user_data) {
 *         (void)client, (void)user_data;
 *         printf("error: %s\n", event->message);
 *         sem_post(&over);
 *     }
 *
 *     static void on_close(nsws_client client, const nsws_close_event *event, void *user_data) {
 *         (void)client, (void)user_data;
 *         printf("closed: %d\n", event->code);
 *         sem_post(&over);
 *     }
 *
 *     int main(int argc, char **argv) {
 *         nsws_client client;
 *         if (argc != 2 || sem_init(&over, 0, 0) != 0 || nsws_client_create(&client) != NSWS_OK) return 1;
 *         nsws_client_on_open(client, on_open, NULL, NULL);
 *         nsws_client_on_message(client, on_message, NULL, NULL);
 *         nsws_client_on_error(client, on_error, NULL, NULL);
 *         nsws_client_on_close(client, on_close, NULL, NULL);
 *         if (nsws_client_connect(client, argv[1], NULL) == NSWS_OK) {
 *             sem_wait(&over);
 *         } else {
 *             printf("error: %s\n", nsws_last_error());
 *         }
 *         nsws_client_destroy(client);
 *         return nsws_shutdown(5000) == NSWS_OK ? 0 : 1;
 *     }
 *
 * A server. nsws_server_start() returns NSWS_OK. Then come, for each client, connect, message for each message, and exactly one
 * close, the last event of this client, unless the server is destroyed first. nsws_server_stop() closes the connections of all
 * clients. The callbacks of one server take turns, whichever connection they are about.
 *
 * This is server.c. It prints its URL, sends every message back, and ends when its input does.
 *
 *     #include <netstack_websocket.h>
 *     #include <stdio.h>
 *
 *     static void on_message(nsws_server server, nsws_connection connection, const nsws_message_event *event, void *user_data) {
 *         (void)server, (void)user_data;
 *         if (event->is_text) {
 *             nsws_connection_send_text(connection, (const char *)event->data, event->length);
 *         } else {
 *             nsws_connection_send_binary(connection, event->data, event->length);
 *         }
 *     }
 *
 *     int main(void) {
 *         nsws_server server;
 *         nsws_server_options options;
 *         uint16_t port;
 *         if (nsws_server_create(&server) != NSWS_OK) return 1;
 *         nsws_server_on_message(server, on_message, NULL, NULL);
 *         nsws_server_options_init(&options, sizeof options);
 *         options.server_ip = "127.0.0.1";
 *         if (nsws_server_start(server, &options) == NSWS_OK && nsws_server_get_port(server, &port) == NSWS_OK) {
 *             printf("ws://127.0.0.1:%d/\n", port);
 *             fflush(stdout);
 *             while (getchar() != EOF) {}
 *         } else {
 *             printf("error: %s\n", nsws_last_error());
 *         }
 *         nsws_server_destroy(server);
 *         return nsws_shutdown(5000) == NSWS_OK ? 0 : 1;
 *     }
 */


#ifndef NETSTACK_WEBSOCKET_H
#define NETSTACK_WEBSOCKET_H

/* Generated from src/ffi by scripts/header; edit the Rust sources instead. */

#include <stddef.h>
#include <stdint.h>


#ifdef __cplusplus
extern "C" {
#endif

/* ================================================================================================
 * Version
 * ================================================================================================ */

/**
 * The version of the binary interface that this header describes. It changes when programs must be rebuilt.
 */
#define NSWS_ABI_VERSION 1

/**
 * The major version of this header. nsws_version() returns the version of the library.
 * @since 0.2
 */
#define NSWS_VERSION_MAJOR 0

/**
 * The minor version of this header.
 * @since 0.2
 */
#define NSWS_VERSION_MINOR 2

/**
 * The patch version of this header.
 * @since 0.2
 */
#define NSWS_VERSION_PATCH 0

/**
 * Returns the version of the library, "major.minor.patch".
 *
 * @return a string that lives as long as the library; never NULL
 * @note Any thread.
 * @since 0.1
 */
const char *nsws_version(void);

/**
 * Returns the NSWS_ABI_VERSION of the library. A program may compare it with the number that it was compiled
 * with.
 *
 * @return the number
 * @note Any thread.
 * @since 0.1
 */
uint32_t nsws_abi_version(void);

/* ================================================================================================
 * Library: handles
 * ================================================================================================ */

/**
 * A client. A value that may be copied; an `id` of 0 is never valid.
 * @since 0.1
 */
typedef struct nsws_client {
    /**
     * Opaque. Below 2^53, so that JavaScript can hold it as a number.
     */
    uint64_t id;
} nsws_client;

/**
 * A server. A value that may be copied; an `id` of 0 is never valid.
 * @since 0.1
 */
typedef struct nsws_server {
    /**
     * Opaque. Below 2^53.
     */
    uint64_t id;
} nsws_server;

/**
 * A connection that a server has accepted. A value that may be copied; an `id` of 0 is never valid. It is
 * stale once the listeners of its `close` have returned.
 * @since 0.1
 */
typedef struct nsws_connection {
    /**
     * Opaque. Below 2^53.
     */
    uint64_t id;
} nsws_connection;

/* ================================================================================================
 * Library: codes
 * ================================================================================================ */

/**
 * Success.
 */
#define NSWS_OK 0

/**
 * An attempt to connect failed, or an open connection broke. Only in `error` events.
 */
#define NSWS_ERR_CONNECT_FAILED 200

/**
 * The program may not use the network: `has_internet_permission` of nsws_platform said no.
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
 * The client is connecting, open or closing; or the server is listening.
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
 * The program may not connect to this host: `is_host_allowed` of nsws_platform said no.
 */
#define NSWS_ERR_DOMAIN_NOT_ALLOWED 2302998

/**
 * A defect of this library; please report it.
 */
#define NSWS_ERR_INTERNAL 2302999

/**
 * The handle is stale, of another kind, or was never valid.
 */
#define NSWS_ERR_BAD_HANDLE 2302900

/**
 * There is no open connection: not yet, no longer, or it is closing.
 */
#define NSWS_ERR_NOT_CONNECTED 2302901

/**
 * The send queue has no room; `drain` follows when there is room.
 */
#define NSWS_ERR_QUEUE_FULL 2302902

/**
 * The call would wait for the callback in which it is made.
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
 * The process is a forked child of one that used the library, and can't use it.
 */
#define NSWS_ERR_FORKED 2302906

/**
 * The library is shutting down.
 */
#define NSWS_ERR_SHUTTING_DOWN 2302907

/**
 * The system has no room for another thread, handle, descriptor or message.
 */
#define NSWS_ERR_NO_RESOURCES 2302908

/**
 * The server is not listening: not started, or stopped.
 */
#define NSWS_ERR_NOT_LISTENING 2302909

/**
 * A server's certificate, key or client CA file holds nothing that can be used; nsws_last_error() says why.
 */
#define NSWS_ERR_CERT_UNUSABLE 2302910

/**
 * A message that is being sent in parts lacks its last part; until then, only its parts and pings may be sent.
 * @since 0.2
 */
#define NSWS_ERR_MESSAGE_UNFINISHED 2302911

/**
 * Detail: a timeout expired.
 */
#define NSWS_DETAIL_TIMEOUT 2302950

/**
 * Detail: the host name has no address.
 */
#define NSWS_DETAIL_NAME_NOT_FOUND 2302951

/**
 * Detail: the host refused the connection: nothing listens on this port.
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
 * Detail: the peer did not answer a ping in time.
 */
#define NSWS_DETAIL_HEARTBEAT_LOST 2302968

/**
 * Detail: the closing handshake did not end in time.
 */
#define NSWS_DETAIL_CLOSE_TIMEOUT 2302969

/**
 * Detail: the proxy setting of the environment or the platform hook can't be used.
 */
#define NSWS_DETAIL_PROXY_SETTING 2302970

/**
 * Detail: the proxy demands a user name and password, or refused those that it got.
 */
#define NSWS_DETAIL_PROXY_AUTH 2302971

/**
 * Detail: the proxy did not connect to the server; `http_status` is the proxy's, 0 from SOCKS5.
 */
#define NSWS_DETAIL_PROXY_REFUSED 2302972

/**
 * Detail: the proxy's answer is invalid; it may speak another protocol.
 */
#define NSWS_DETAIL_PROXY_ANSWER 2302973

/**
 * Detail: there was no memory for a message; the connection ends with 1009 if the peer sent it, or with 1011 if
 * this side did. During the handshake, the attempt fails.
 * @since 0.2
 */
#define NSWS_DETAIL_NO_MEMORY 2302974

/**
 * Detail: the server's `receive_budget` is used up, and this connection's address or IPv6 network held most of it;
 * the connection ends with 1009.
 * @since 0.2
 */
#define NSWS_DETAIL_RECEIVE_BUDGET 2302975

/**
 * Detail: a message that had begun did not arrive within `message_timeout_ms`; the connection ends with 1008.
 * @since 0.2
 */
#define NSWS_DETAIL_MESSAGE_TIMEOUT 2302976

/**
 * Detail: compressed data can't be decompressed; the connection ends with 1007.
 * @since 0.2
 */
#define NSWS_DETAIL_COMPRESSION 2302977

/**
 * Detail: a redirect was not followed: there were more than `max_redirects`, it leads from wss to ws or to a host
 * that is not allowed, or its `Location` can't be used.
 * @since 0.2
 */
#define NSWS_DETAIL_REDIRECT 2302978

/**
 * Detail: a web page came with the status 200 in place of the upgrade, from a captive portal, where the user must log
 * in, or from a web server that has no WebSocket there. If the host of the URL has shown a valid certificate, a page
 * is an ordinary refusal: NSWS_DETAIL_HTTP_STATUS. The certificate of another host, to which a redirect has led from
 * ws, does not count. The status 511 (RFC 6585) always counts as a portal's.
 * @since 0.2
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
 * Detail: the password does not decrypt the private key.
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
 * Detail: the server does not speak HTTP/1.1 inside TLS (ALPN, RFC 7301); it may speak only HTTP/2.
 * @since 0.2
 */
#define NSWS_DETAIL_ALPN 2302989

/**
 * Phase: a call, not tied to a connection.
 */
#define NSWS_PHASE_CALL 0

/**
 * Phase: reading what the program gave: certificates and keys.
 */
#define NSWS_PHASE_PARSE 1

/**
 * Phase: looking up the host name.
 */
#define NSWS_PHASE_DNS 2

/**
 * Phase: opening the TCP connection.
 */
#define NSWS_PHASE_TCP 3

/**
 * Phase: reaching the proxy, its name lookup and TCP connection included, and getting through it.
 */
#define NSWS_PHASE_PROXY 4

/**
 * Phase: the TLS handshake.
 */
#define NSWS_PHASE_TLS 5

/**
 * Phase: the WebSocket opening handshake.
 */
#define NSWS_PHASE_HANDSHAKE 6

/**
 * Phase: frames and messages.
 */
#define NSWS_PHASE_PROTOCOL 7

/**
 * Phase: ping and pong.
 */
#define NSWS_PHASE_HEARTBEAT 8

/**
 * Phase: reading from or writing to the open connection.
 */
#define NSWS_PHASE_IO 9

/* ================================================================================================
 * Library: errors
 * ================================================================================================ */

/**
 * Returns one English sentence about the last call that failed on this thread. It names the argument and the
 * cause, and never holds a secret.
 *
 * @return a string that lives until the next call on this thread that fails; "" if none has failed
 * @note Any thread.
 * @since 0.1
 */
const char *nsws_last_error(void);

/**
 * Returns the name of a code, such as "NSWS_ERR_URL".
 *
 * @param code one of NSWS_ERR_* or NSWS_DETAIL_*
 * @return a string that lives as long as the library; "NSWS_ERR_UNKNOWN" for any other number
 * @note Any thread.
 * @since 0.1
 */
const char *nsws_error_name(int32_t code);

/**
 * Returns what a code means, as one English sentence.
 *
 * @param code one of NSWS_ERR_* or NSWS_DETAIL_*
 * @return a string that lives as long as the library; "Unknown code." for any other number
 * @note Any thread.
 * @since 0.1
 */
const char *nsws_error_message(int32_t code);

/**
 * Returns the name of a phase, such as "tls".
 *
 * @param phase one of NSWS_PHASE_*
 * @return a string that lives as long as the library; "unknown" for any other number
 * @note Any thread.
 * @since 0.1
 */
const char *nsws_phase_name(int32_t phase);

/* ================================================================================================
 * Library: what clients and servers share
 * ================================================================================================ */

/**
 * An HTTP header. This struct never grows.
 * @since 0.1
 */
typedef struct nsws_header {
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
 * Releases what the `user_data` of a registration stands for. It runs exactly once, after the last call that
 * uses the `user_data`, on any thread. It may call the library, but must not wait for it.
 * @since 0.1
 */
typedef void (*nsws_free_fn)(void *user_data);

/* ================================================================================================
 * Library: threads, and the end
 * ================================================================================================ */

/**
 * The options of nsws_runtime_configure(). Prepare them with nsws_runtime_options_init(), then set what
 * differs from the defaults.
 * @since 0.1
 */
typedef struct nsws_runtime_options {
    /**
     * The size of this struct; nsws_runtime_options_init() sets it.
     */
    size_t struct_size;
    /**
     * The stack of the threads that run callbacks, in bytes. Default 1 MiB; from 128 KiB to 1 GiB, else
     * NSWS_ERR_PARAMETER.
     */
    size_t thread_stack_size;
    /**
     * How many threads may run callbacks at the same time. Default 1024; at least one more than `io_threads`,
     * else NSWS_ERR_PARAMETER. A callback that blocks occupies a thread; when all are occupied, further
     * callbacks wait.
     */
    uint32_t max_threads;
    /**
     * How many I/O loops there are, each with a thread of its own. Clients and servers are spread over them, so
     * that a program with several busy objects uses several processors. Default 1; 0, or more than there are
     * processors: NSWS_ERR_PARAMETER.
     * @since 0.2
     */
    size_t io_threads;
} nsws_runtime_options;

/**
 * Writes the defaults into `options`.
 *
 * @param options the struct to prepare
 * @param struct_size `sizeof *options`, in bytes
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `options` is NULL, or the size is below that of a size_t or above 4096;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_runtime_options_init(nsws_runtime_options *options,
                                  size_t struct_size);

/**
 * No limit: for `reconnect_max_attempts` of nsws_connect_options and the timeout of nsws_shutdown(), and for
 * nothing else.
 * @since 0.2
 */
#define NSWS_FOR_EVER 4294967295

/**
 * Sets how the library makes its threads. Optional; call it before the first object is created, or after
 * nsws_shutdown().
 *
 * @param options prepared by nsws_runtime_options_init(), copied; NULL: the defaults
 * @return NSWS_OK; NSWS_ERR_PARAMETER: an option is out of range, or the struct was not prepared;
 *         NSWS_ERR_BUSY: the threads are running already; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_runtime_configure(const nsws_runtime_options *options);

/**
 * Ends the library: destroys all objects, closes their connections with code 1001, runs every `free_fn`, and
 * ends the library's threads. Afterwards the library can be used again, or unloaded. It may be called in an
 * exit handler, or in the destructor of a global object.
 *
 * If it returns NSWS_ERR_BUSY, something could not be ended in time: a callback or platform hook that does not
 * return, a name lookup, a file that is being read, or another thread's nsws_shutdown(); nsws_last_error() says
 * which. Each such thread ends when its work does. Call again to go on waiting.
 *
 * @param timeout_ms how long to wait, in milliseconds, for closing handshakes and running callbacks;
 *         NSWS_FOR_EVER: until they end. Then the remaining connections are cut, and the threads get up to a
 *         second more to end.
 * @return NSWS_OK; NSWS_ERR_BUSY; NSWS_ERR_WOULD_DEADLOCK: it was called inside a callback;
 *         NSWS_ERR_NO_RESOURCES: an exit handler could not get the thread it needs; NSWS_ERR_FORKED;
 *         NSWS_ERR_INTERNAL
 * @note Any thread, but not inside a callback. Waits up to `timeout_ms`, and up to a second more.
 * @since 0.1
 */
int32_t nsws_shutdown(uint32_t timeout_ms);

/* ================================================================================================
 * Library: log
 * ================================================================================================ */

/**
 * Log level: nothing.
 */
#define NSWS_LOG_OFF 0

/**
 * Log level: failures of the library.
 */
#define NSWS_LOG_ERROR 1

/**
 * Log level: also what looks wrong.
 */
#define NSWS_LOG_WARN 2

/**
 * Log level: also connections that open and close.
 */
#define NSWS_LOG_INFO 3

/**
 * Log level: also each step of an attempt.
 */
#define NSWS_LOG_DEBUG 4

/**
 * Receives a line of the log. It may be called on any thread, and on several at once. It may call the library,
 * but must not wait for it.
 * @since 0.1
 */
typedef void (*nsws_log_fn)(int32_t level, const char *message, void *user_data);

/**
 * Sets the receiver of the log. Without one, nothing is logged; on OpenHarmony, lines up to NSWS_LOG_INFO go
 * to hilog, with the tag "netstack_websocket". No secret and no payload is ever logged.
 *
 * When a callback has held its thread for a second, a line of NSWS_LOG_WARN names its event ("message", or "accept" and
 * "http" for the hooks of a server); when it has returned, a second line says how long it took.
 *
 * @param max_level the most verbose level to receive, one of NSWS_LOG_*
 * @param fn the receiver; NULL: none
 * @param user_data passed to `fn`
 * @param free_fn called once when `fn` is no longer used, or NULL; not called if this call fails, or if `fn`
 *         is NULL
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the level is unknown; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_set_log_callback(int32_t max_level,
                              nsws_log_fn fn,
                              void *user_data,
                              nsws_free_fn free_fn);

/**
 * Writes a line to the log, for layers that are built on the library and share its log. It also succeeds if
 * the log has no receiver.
 *
 * @param level one of NSWS_LOG_ERROR to NSWS_LOG_DEBUG
 * @param message the line, NUL-terminated UTF-8; copied
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the level is none of these, or the message is NULL or not UTF-8;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_log(int32_t level,
                 const char *message);

/* ================================================================================================
 * Client: options
 * ================================================================================================ */

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
 * `proxy_mode`: an HTTP proxy, through its CONNECT.
 */
#define NSWS_PROXY_HTTP 2

/**
 * `proxy_mode`: a SOCKS5 proxy, which looks up the server's name.
 */
#define NSWS_PROXY_SOCKS5 3

/**
 * `pong_timeout_ms`: 30000, whatever `ping_interval_ms` is.
 */
#define NSWS_PONG_TIMEOUT_DEFAULT 4294967295

/**
 * The options of nsws_client_connect(). Prepare them with nsws_connect_options_init(), then set what differs
 * from the defaults. The call copies everything. A value that breaks a rule below is NSWS_ERR_PARAMETER unless
 * another code is named.
 * @since 0.1
 */
typedef struct nsws_connect_options {
    /**
     * The size of this struct; nsws_connect_options_init() sets it.
     */
    size_t struct_size;
    /**
     * Request headers, or NULL. Names are tokens; values hold no control characters. `Host`, `Origin`,
     * `Authorization` and `Sec-WebSocket-Protocol` (which acts as `protocol`) may be given; `Upgrade`,
     * `Connection`, `Sec-WebSocket-Key`, `Sec-WebSocket-Version` and `Sec-WebSocket-Extensions` are refused.
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
     * A PEM file with the CA certificates to trust *instead of* the system's. A server whose own certificate is in
     * it is trusted as well; unless that certificate may issue others, it is trusted for that server only. NULL:
     * the system's CAs, or those that the environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name (not in a
     * set-user-ID program: secure_getenv(3)). A file that can't be opened is NSWS_ERR_CERT_FILE; one without a
     * certificate is an `error` event of NSWS_PHASE_TLS. The file is read once, and again when it has changed.
     */
    const char *ca_path;
    /**
     * A PEM file with the client's certificate, for servers that demand one, followed by those that lead to its
     * CA. NULL: none. A file that can't be opened is NSWS_ERR_CERT_FILE; one whose content can't be used is an
     * `error` event of NSWS_PHASE_TLS, with NSWS_DETAIL_CERT_CONTENT or NSWS_DETAIL_KEY_MISMATCH.
     */
    const char *client_cert_path;
    /**
     * A PEM file with the private key of the certificate. NULL: it is in the file of the certificate. Only with
     * `client_cert_path`. RSA (2048 to 8192 bits), ECDSA (P-256, P-384) or Ed25519, in PKCS#8, PKCS#1 or SEC1. The
     * key may be encrypted: PKCS#8 with PBES2 (AES or 3DES in CBC mode; PBKDF2 with at most 10,000,000 rounds, or
     * scrypt within 64 MiB), or the older PEM with `DEK-Info` (AES-CBC or DES-EDE3-CBC). The file is read again
     * when it has changed. A file that can't be opened is NSWS_ERR_CERT_FILE; one whose content can't be used is
     * an `error` event of NSWS_PHASE_TLS, with NSWS_DETAIL_KEY_CONTENT (no key, a damaged one, or one of another
     * kind) or NSWS_DETAIL_KEY_FORM (another encryption; the sentence has the openssl command that converts it).
     */
    const char *client_key_path;
    /**
     * The password of an encrypted key; ignored for another key. NULL: none. Only with `client_cert_path`. The
     * library wipes its copy and never logs it. A missing or wrong password is an `error` event of NSWS_PHASE_TLS,
     * with NSWS_DETAIL_NO_PASSWORD or NSWS_DETAIL_WRONG_PASSWORD.
     */
    const char *client_key_password;
    /**
     * The public keys that the server's certificate may have, as curl writes them: `sha256//` and the base64 of
     * the SHA-256 of the DER SubjectPublicKeyInfo; several are separated by `;`. NULL: any. Another key is an
     * `error` event of NSWS_PHASE_TLS with NSWS_DETAIL_PIN_MISMATCH, whose sentence has the server's pin. Pins are
     * checked in addition to the certificate, and also when its verification is skipped.
     */
    const char *pinned_public_keys;
    /**
     * The proxy of NSWS_PROXY_HTTP or NSWS_PROXY_SOCKS5: a host name or an IP address, IPv6 with or without
     * brackets. With any other `proxy_mode`, this and the other `proxy_` members must be NULL, "" or 0.
     */
    const char *proxy_host;
    /**
     * The user name for the proxy. NULL or "": none. An HTTP proxy gets it as Basic authorization (it must
     * hold no colon), a SOCKS5 proxy only if it asks (1 to 255 bytes). No control characters.
     */
    const char *proxy_username;
    /**
     * The password that goes with it; for SOCKS5 1 to 255 bytes. Only with a user name. No control characters.
     */
    const char *proxy_password;
    /**
     * Hosts that are reached without the proxy, separated by commas or blanks: `example.com` (that host alone),
     * `.example.com` (all that end in this), `*` for any run of characters (`10.*`, `*.local`; `*` alone: all), an
     * IP address, or a network (`10.0.0.0/8`, `fd00::/8`; an entry with a slash must be one). The host is compared
     * as the URL has it, without regard to case: no name is looked up. NULL or "": none.
     */
    const char *proxy_exclusion_list;
    /**
     * The largest message that is received, in bytes; a larger one ends the connection with 1009. Default 16 MiB,
     * at least 1.
     */
    size_t max_receive_size;
    /**
     * The largest message that may be sent, in bytes. Default 5 MiB.
     */
    size_t max_send_size;
    /**
     * How much may wait to be sent, in bytes: the frames, and 64 bytes for each message or ping. Default 16 MiB.
     * An empty queue takes any message that `max_send_size` allows.
     */
    size_t send_queue_size;
    /**
     * How often a ping goes out, whatever else arrives, in milliseconds. Default 30000, at most 30000000; 0: no
     * heartbeat.
     */
    uint32_t ping_interval_ms;
    /**
     * How long the peer may stay silent, in milliseconds, before the connection counts as lost
     * (NSWS_DETAIL_HEARTBEAT_LOST). The time runs from the first ping after the last received byte: any byte is a
     * sign of life, not only a pong. 0: for ever. Default NSWS_PONG_TIMEOUT_DEFAULT, which is 30000 even if
     * `ping_interval_ms` is shorter; any other value must not be above `ping_interval_ms`. Ignored without a
     * heartbeat. While this side does not read, because it is paused or a listener is slow, pings go out, but the
     * time does not run.
     */
    uint32_t pong_timeout_ms;
    /**
     * How long the whole attempt may take, in milliseconds: from the name lookup to the upgrade, the proxy
     * included. Default 15000, at least 1.
     */
    uint32_t connect_timeout_ms;
    /**
     * How long closing may take, in milliseconds: from nsws_client_close() to the peer's answer, sending what is
     * queued included. Default 5000, at least 1.
     */
    uint32_t close_timeout_ms;
    /**
     * How often in a row the client reconnects by itself when an attempt fails or the connection is lost (or the
     * peer closes it with 1001, 1012 or 1013). Default 0: never; NSWS_FOR_EVER: no limit. It stops if the server
     * or proxy refused (a status below 500 other than 408 and 429), can't be trusted or answered something
     * invalid, if a redirect was not followed, if sub-protocol or ALPN can't be agreed on, or if a setting or file
     * can't be used. It goes on if a certificate is not valid yet or has expired, since clocks and certificates
     * get corrected, and behind a captive portal; one that redirects to its page is recognised only with
     * `max_redirects`. A server's `Retry-After` makes the delay longer, up to an hour, or up to
     * `reconnect_max_delay_ms` if that is longer. Each time, `reconnecting` follows the events that end the
     * attempt or connection. nsws_client_close() ends reconnecting.
     */
    uint32_t reconnect_max_attempts;
    /**
     * The delay before the first of these attempts, in milliseconds; it doubles each time, and half of it is
     * random. Default 1000, at least 1.
     */
    uint32_t reconnect_min_delay_ms;
    /**
     * The longest delay, in milliseconds. Default 30000; at least `reconnect_min_delay_ms`.
     */
    uint32_t reconnect_max_delay_ms;
    /**
     * The proxy's port, 1 to 65535.
     */
    uint32_t proxy_port;
    /**
     * The oldest acceptable TLS version: NSWS_TLS_1_2 (the default) or NSWS_TLS_1_3.
     */
    uint8_t min_tls_version;
    /**
     * 1: any server certificate and any host name is accepted, except certificates whose key the handshake can't use:
     * with TLS 1.2, P-521 and RSA-PSS-only keys. For tests; it makes TLS worthless, unless `pinned_public_keys` names
     * the key. Default 0.
     */
    uint8_t skip_server_cert_verification;
    /**
     * 1, the default: the `Origin` header has the port if it isn't the default of the scheme (RFC 6454 6.2); many
     * servers compare it with `Host`. 0: it never has a port.
     */
    uint8_t support_origin_port;
    /**
     * Which proxy to use, one of NSWS_PROXY_*. Connections of both ws and wss go through a tunnel. Default
     * NSWS_PROXY_SYSTEM: the proxy is named by the platform's hook (nsws_set_platform()) or, without a hook, by
     * the environment, which nsws_client_connect() reads as curl does: `ws_proxy`, `WS_PROXY`, `http_proxy` (in
     * lower case only), `all_proxy`, `ALL_PROXY` for ws; `wss_proxy`, `WSS_PROXY`, `https_proxy`, `HTTPS_PROXY`,
     * `all_proxy`, `ALL_PROXY` for wss; the first that isn't empty counts. Its form is
     * `[http://|socks5://|socks5h://][user:password@]host[:port]`, with port 1080 if there is none. `no_proxy` and
     * `NO_PROXY` have the form of `proxy_exclusion_list`, but a name also covers its subdomains. A set-user-ID
     * program does not read the environment (secure_getenv(3)). With a proxy, only the proxy looks up the server's
     * name.
     */
    uint8_t proxy_mode;
    /**
     * The value of the `Origin` header. Default NULL: scheme (http or https), host and, with
     * `support_origin_port`, port of the URL. "": no such header. An `Origin` in `headers` takes precedence. No
     * control characters.
     * @since 0.2
     */
    const char *origin;
    /**
     * The longest URL, in bytes; a longer one is NSWS_ERR_URL. Default 2048. Many servers and proxies refuse more
     * than 8 KiB.
     * @since 0.2
     */
    size_t max_url_length;
    /**
     * Messages below this size, in bytes, are sent uncompressed, and so are those that would not shrink. Default
     * 1024.
     * @since 0.2
     */
    size_t compression_threshold;
    /**
     * How many bytes one connection may use to compress and decompress: the windows are negotiated so small that
     * they fit; if none fit, there is no compression. Default 512 KiB.
     * @since 0.2
     */
    size_t compression_memory;
    /**
     * How long a message that has begun may go without a further byte, in milliseconds. In ten times as long, at
     * least 64 KiB of it must arrive. The time does not run while this side does not read. A slower message ends
     * the connection with 1008 and NSWS_DETAIL_MESSAGE_TIMEOUT. Default 60000; 0: no limit.
     * @since 0.2
     */
    uint32_t message_timeout_ms;
    /**
     * 1: offer permessage-deflate (RFC 7692). Default 0. In a build without compression: NSWS_ERR_NOT_SUPPORTED.
     * The length of compressed data reveals something about its content: leave it off for messages that mix
     * secrets with what an attacker may choose.
     * @since 0.2
     */
    uint8_t compression;
    /**
     * How hard to compress, 1 to 9. Default 6.
     * @since 0.2
     */
    uint8_t compression_level;
    /**
     * The largest window for the client's messages, as a power of two, 8 to 15. Default 15.
     * @since 0.2
     */
    uint8_t client_max_window_bits;
    /**
     * The largest window for the server's messages, as a power of two, 8 to 15. Default 15.
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
     * 1: messages arrive in parts, as `message_part` events instead of `message`. `max_receive_size` still bounds
     * the whole message. Default 0.
     * @since 0.2
     */
    uint8_t receive_parts;
    /**
     * How many redirects (301, 302, 303, 307, 308) to follow in a row, all within `connect_timeout_ms`. `Location`
     * may be relative, and http and https mean ws and wss. A redirect from wss to ws is not followed. Another
     * origin (scheme, host and port) gets neither the user and password of the URL, nor `client_cert_path`, nor
     * the headers `Authorization`, `Cookie`, `Proxy-Authorization` and `Host`; other headers go along. A redirect
     * that can't be followed is an `error` event of phase handshake with NSWS_DETAIL_REDIRECT. At most 50. Default
     * 0: a redirect is a refusal like any other, with NSWS_DETAIL_HTTP_STATUS.
     * @since 0.2
     */
    uint32_t max_redirects;
    /**
     * The local address to connect from, an IPv4 or IPv6 literal; only server addresses of its family are tried.
     * For a link-local address, the interface is that of the URL's zone or `bind_interface`; without either, and
     * for an address that this device doesn't have, there is an `error` event with NSWS_DETAIL_UNREACHABLE. NULL
     * or "": the system's choice. This member and those down to `tcp_user_timeout_ms` also hold for the connection
     * to a proxy.
     * @since 0.2
     */
    const char *bind_address;
    /**
     * The network interface to go through, whatever the routes say (SO_BINDTODEVICE), such as "wlan0"; at most 15
     * bytes. An interface that doesn't exist, or that this process may not choose, is an `error` event with
     * NSWS_DETAIL_UNREACHABLE. NULL or "": as the routes say.
     * @since 0.2
     */
    const char *bind_interface;
    /**
     * Addresses for names, used instead of a lookup, as curl writes them: `host:port:address[,address]`, several
     * separated by `;`. The host may be `*` for all names; IPv6 addresses may have brackets. An entry for the name
     * counts before one for all names, and a later entry before an earlier one. A leading `+` makes no difference;
     * `-host:port` is refused. The certificate must still be the name's. NULL or "": none.
     * @since 0.2
     */
    const char *resolve;
    /**
     * The size of the system's receive buffer for the connection, in bytes, at most 2147483647; the system bounds
     * it. Default 0: the system's choice, which grows with the traffic.
     * @since 0.2
     */
    size_t receive_buffer_size;
    /**
     * The size of the system's send buffer for the connection, in bytes, at most 2147483647; the system bounds it.
     * Default 0: the system's choice.
     * @since 0.2
     */
    size_t send_buffer_size;
    /**
     * After how much silence, and then how often, TCP itself probes the peer (SO_KEEPALIVE), in milliseconds,
     * rounded up to seconds, at most 32767000. This costs less than `ping_interval_ms`, but only shows that the
     * peer's system is alive, and a proxy may answer in its place. Default 0: never.
     * @since 0.2
     */
    uint32_t tcp_keepalive_ms;
    /**
     * How long sent data may stay unacknowledged before the connection counts as lost (TCP_USER_TIMEOUT), in
     * milliseconds, at most 2147483647. Default 0: the system's choice, some 15 minutes.
     * @since 0.2
     */
    uint32_t tcp_user_timeout_ms;
    /**
     * The server's name in TLS, a host name or an IP address, if the server is reached by an address or another
     * name: the name that is sent (SNI, RFC 6066 3) and that the certificate must be for. NULL or "": the URL's
     * host. It is not used after a redirect to another origin.
     * @since 0.2
     */
    const char *tls_server_name;
} nsws_connect_options;

/**
 * Writes the defaults into `options`.
 *
 * @param options the struct to prepare
 * @param struct_size `sizeof *options`, in bytes
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `options` is NULL, or the size is below that of a size_t or above 4096;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_connect_options_init(nsws_connect_options *options,
                                  size_t struct_size);

/* ================================================================================================
 * Client: events
 * ================================================================================================ */

/**
 * `header_receive`: the server's complete answer to the upgrade. Always before `open`.
 * @since 0.1
 */
typedef struct nsws_header_receive_event {
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
 * Receives `header_receive`. `event` and what it points to live until the callback returns, here and in all
 * callbacks.
 * @since 0.1
 */
typedef void (*nsws_header_receive_fn)(nsws_client client,
                                       const nsws_header_receive_event *event,
                                       void *user_data);

/**
 * `open`: the connection is open. From now on messages can be sent.
 * @since 0.1
 */
typedef struct nsws_open_event {
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
     * The extensions that were agreed on, as the header has them, or "".
     * @since 0.2
     */
    const char *extensions;
} nsws_open_event;

/**
 * Receives `open` of a client.
 * @since 0.1
 */
typedef void (*nsws_open_fn)(nsws_client client, const nsws_open_event *event, void *user_data);

/**
 * `message`: one whole message.
 * @since 0.1
 */
typedef struct nsws_message_event {
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
 * Receives `message` of a client.
 * @since 0.1
 */
typedef void (*nsws_message_fn)(nsws_client client, const nsws_message_event *event, void *user_data);

/**
 * `message_part`: a part of a message. An empty message is one part; the parts of a text end at whole
 * characters.
 * @since 0.2
 */
typedef struct nsws_message_part_event {
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
     * 1: the message ends with this part. If the connection breaks before, there is no such part.
     */
    uint8_t is_last;
} nsws_message_part_event;

/**
 * Receives `message_part` of a client.
 * @since 0.2
 */
typedef void (*nsws_message_part_fn)(nsws_client client,
                                     const nsws_message_part_event *event,
                                     void *user_data);

/**
 * `data_end`: the message is complete. Comes right after each `message`, or after its last `message_part`.
 * @since 0.1
 */
typedef struct nsws_data_end_event {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
} nsws_data_end_event;

/**
 * Receives `data_end` of a client.
 * @since 0.1
 */
typedef void (*nsws_data_end_fn)(nsws_client client,
                                 const nsws_data_end_event *event,
                                 void *user_data);

/**
 * `close`: the connection is over. It comes exactly once for each connection that reached `open`, and for
 * an attempt that nsws_client_close() ended, as the last event.
 *
 * Messages that were accepted and still wait when the peer's close frame arrives are not sent, since the answer
 * follows at once (RFC 6455 5.5.1); that is not an error, and the close can be clean. In this event, `messages_sent` of
 * nsws_client_get_stats() or nsws_connection_get_info() counts the messages that went to the system, and
 * `queued_bytes` is above 0 if others did not.
 * @since 0.1
 */
typedef struct nsws_close_event {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * The reason of the close frame, NUL-terminated; "" if there is none; "The link is down" if the connection broke or
     * timed out.
     */
    const char *reason;
    /**
     * The reason's length in bytes, at most 123. A reason may hold NULs.
     */
    size_t reason_length;
    /**
     * The code of the close frame that was received; 1005 if it held none; 1006 if the link broke without a close
     * frame. If this side failed the connection, the code that it sent: 1002, 1007, 1008 or 1009 for what it
     * received, 1011 for a fault of its own.
     */
    uint16_t code;
    /**
     * 1: both sides sent a close frame (RFC 6455 7.1.4). 0: they did not.
     */
    uint8_t was_clean;
} nsws_close_event;

/**
 * Receives `close` of a client.
 * @since 0.1
 */
typedef void (*nsws_close_fn)(nsws_client client, const nsws_close_event *event, void *user_data);

/**
 * `error`: something failed. Before `open` it ends the attempt; after it, `close` follows. Nothing
 * follows an error of a server itself.
 * @since 0.1
 */
typedef struct nsws_error_event {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * One English sentence that names host, port and cause. It never holds a secret or a payload.
     */
    const char *message;
    /**
     * One of NSWS_ERR_*; NSWS_ERR_CONNECT_FAILED for everything that the network or the peer did.
     */
    int32_t code;
    /**
     * A finer code, one of NSWS_DETAIL_*, or NSWS_OK.
     */
    int32_t detail;
    /**
     * The phase that failed, one of NSWS_PHASE_*.
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
     * The headers of the server's answer if it refused the upgrade, in the order of arrival, among them `Location`,
     * `Retry-After` and `WWW-Authenticate`; else NULL.
     * @since 0.2
     */
    const nsws_header *headers;
    /**
     * How many headers there are.
     * @since 0.2
     */
    size_t header_count;
    /**
     * The first 16 KiB of that answer's body, or what of them arrived within 2 s and `connect_timeout_ms`; NULL
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
     * How long the server asks the client to wait before the next attempt (`Retry-After`, seconds or a date),
     * in milliseconds; 0: it does not ask.
     * @since 0.2
     */
    uint32_t retry_after_ms;
} nsws_error_event;

/**
 * Receives `error` of a client.
 * @since 0.1
 */
typedef void (*nsws_error_fn)(nsws_client client, const nsws_error_event *event, void *user_data);

/**
 * `drain`: the send queue has room again after an NSWS_ERR_QUEUE_FULL.
 * @since 0.1
 */
typedef struct nsws_drain_event {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * How much waits to be sent now, in bytes: the frames, and 64 bytes for each message or ping.
     */
    size_t queued_bytes;
} nsws_drain_event;

/**
 * Receives `drain` of a client.
 * @since 0.1
 */
typedef void (*nsws_drain_fn)(nsws_client client, const nsws_drain_event *event, void *user_data);

/**
 * `reconnecting`: the client will reconnect. It follows the events that end an attempt or a connection.
 * @since 0.1
 */
typedef struct nsws_reconnecting_event {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * The number of the next attempt since the last success, from 1.
     */
    uint32_t attempt;
    /**
     * The delay before it, in milliseconds.
     */
    uint32_t delay_ms;
} nsws_reconnecting_event;

/**
 * Receives `reconnecting` of a client.
 * @since 0.1
 */
typedef void (*nsws_reconnecting_fn)(nsws_client client,
                                     const nsws_reconnecting_event *event,
                                     void *user_data);

/* ================================================================================================
 * Client: functions
 * ================================================================================================ */

/**
 * Creates a client. The first object that a process creates also starts the library's threads.
 *
 * @param out receives the handle; end it with nsws_client_destroy() or nsws_client_release()
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `out` is NULL; NSWS_ERR_NO_RESOURCES; NSWS_ERR_SHUTTING_DOWN;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_create(nsws_client *out);

/**
 * Starts to connect, and returns. The attempt ends in exactly one of these: `open`, preceded by
 * `header_receive`; `error`; or, when nsws_client_close() is called first, `close` with code 1006. After
 * nsws_client_destroy() there is no event.
 *
 * The checks come in this order: the values of the options, the permission, the URL, whether its host is
 * allowed, the files, and whether the client can connect now.
 *
 * @param client the client; it can connect again after `close`, or after the `error` of a failed attempt
 * @param url a ws:// or wss:// URL without a fragment: NUL-terminated UTF-8 of at most `max_url_length` bytes,
 *         copied. A user name and password in it become Basic authorization. A link-local address may name its
 *         interface: ws://[fe80::1%25wlan0]/ (RFC 6874).
 * @param options prepared by nsws_connect_options_init(), or NULL for the defaults; copied
 * @return NSWS_OK; NSWS_ERR_PARAMETER: an option is out of range, or the struct was not prepared;
 *         NSWS_ERR_NOT_SUPPORTED: `compression` in a build without it; NSWS_ERR_PERMISSION_DENIED;
 *         NSWS_ERR_URL: the URL is NULL, too long or invalid; NSWS_ERR_DOMAIN_NOT_ALLOWED; NSWS_ERR_CERT_FILE:
 *         a file can't be opened; NSWS_ERR_ALREADY_CONNECTED: the client is connecting, open or closing, and
 *         stays as it is; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_connect(nsws_client client,
                            const char *url,
                            const nsws_connect_options *options);

/**
 * Sends a text message. Accepted messages are sent in order, and nsws_client_close() sends them before it
 * closes; see nsws_close_event for what happens when the server closes first. After any error nothing was queued.
 *
 * @param client the client
 * @param text UTF-8, copied; may hold NULs, which are sent; may be NULL if `length` is 0
 * @param length its length in bytes, at most `max_send_size`; 0 sends an empty message
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the text is NULL, not UTF-8 or too long; NSWS_ERR_PERMISSION_DENIED;
 *         NSWS_ERR_NOT_CONNECTED: the client is not open; NSWS_ERR_MESSAGE_UNFINISHED: a message that is being
 *         sent in parts lacks its last part; NSWS_ERR_QUEUE_FULL: `drain` follows when there is room;
 *         NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
 *         NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_send_text(nsws_client client,
                              const char *text,
                              size_t length);

/**
 * Sends a binary message. Accepted messages are sent in order, and nsws_client_close() sends them before it
 * closes; see nsws_close_event for what happens when the server closes first. After any error nothing was queued.
 *
 * @param client the client
 * @param data the payload, copied; may be NULL if `length` is 0
 * @param length its length in bytes, at most `max_send_size`; 0 sends an empty message
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL or too long; NSWS_ERR_PERMISSION_DENIED;
 *         NSWS_ERR_NOT_CONNECTED: the client is not open; NSWS_ERR_MESSAGE_UNFINISHED: a message that is being
 *         sent in parts lacks its last part; NSWS_ERR_QUEUE_FULL: `drain` follows when there is room;
 *         NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
 *         NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_send_binary(nsws_client client,
                                const void *data,
                                size_t length);

/**
 * Sends a part of a message whose length need not be known yet. Each part goes out as a fragment, and counts
 * in the send queue as a message does. Until the last part, other messages are refused with
 * NSWS_ERR_MESSAGE_UNFINISHED; pings pass, and nsws_client_close() sends what was accepted before it closes.
 * After any error nothing was queued.
 *
 * @param client the client
 * @param data the bytes, copied; may be NULL if `length` is 0
 * @param length how many bytes there are, at most `max_send_size`
 * @param is_text 1: the message is text, valid UTF-8 as a whole; a part may end within a character. 0: it is
 *         binary. The first part decides.
 * @param is_last 1: the message ends with this part; 0: more follow
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL, not UTF-8 or too long, or a flag is neither 0 nor 1;
 *         NSWS_ERR_PERMISSION_DENIED; NSWS_ERR_NOT_CONNECTED: the client is not open; NSWS_ERR_QUEUE_FULL:
 *         `drain` follows when there is room; NSWS_ERR_NO_RESOURCES: there is no memory for it;
 *         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_client_send_part(nsws_client client,
                              const void *data,
                              size_t length,
                              uint8_t is_text,
                              uint8_t is_last);

/**
 * Sends a ping. Its answer counts as a sign of life and sets `rtt_us` of nsws_client_get_stats(). It may pass
 * between the parts of a message.
 *
 * @param client the client
 * @param data the payload, copied; may be NULL if `length` is 0
 * @param length its length in bytes, at most 125
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL or too long; NSWS_ERR_PERMISSION_DENIED;
 *         NSWS_ERR_NOT_CONNECTED: the client is not open; NSWS_ERR_QUEUE_FULL: `drain` follows when there is
 *         room; NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
 *         NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_ping(nsws_client client,
                         const void *data,
                         size_t length);

/**
 * Closes the connection: sends what was accepted, then the close frame, and waits in the background for the
 * peer's. `close` follows. While the client is connecting, the attempt is abandoned, and `close` has code
 * 1006. The client doesn't reconnect, even if the connection has already been lost.
 *
 * @param client the client
 * @param code 1000 to 1003, 1007 to 1014 or 3000 to 4999; 1000 is the usual one
 * @param reason NUL-terminated UTF-8 of at most 123 bytes, copied; NULL is ""
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the code or the reason may not be sent; NSWS_ERR_PERMISSION_DENIED;
 *         NSWS_ERR_NOT_CONNECTED: there is nothing to close, or it is closing already or lost;
 *         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_close(nsws_client client,
                          uint16_t code,
                          const char *reason);

/**
 * Lets small messages wait for each other: those that are sent from now on go out in few writes, at
 * nsws_client_uncork(). It is for programs that answer many messages in a row outside the library's callbacks;
 * inside a callback, this happens by itself.
 *
 * Each cork needs an uncork, else a message may wait for ever. Corks don't add up: one uncork, on any thread,
 * ends them all. Messages above 1 KiB don't wait, nor do small ones once they are 16 KiB together or fill the
 * send queue. nsws_client_close() and nsws_client_destroy() send what waits; the next connection isn't corked.
 *
 * @param client the client
 * @return NSWS_OK; NSWS_ERR_NOT_CONNECTED: the client is not open; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
 *         NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_cork(nsws_client client);

/**
 * Sends what has waited since nsws_client_cork(), on this thread if possible. Without a cork it does nothing.
 *
 * @param client the client
 * @return NSWS_OK; NSWS_ERR_NOT_CONNECTED: the client is not open; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
 *         NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_uncork(nsws_client client);

/**
 * Stops reading from the connection: what was read already is still delivered, and then the peer has to wait.
 * It is for programs that hand messages on to a queue of their own, which must not grow without bound. While
 * the client is paused, neither the peer's close frame nor its pongs are read, and the pong timeout does not
 * run. Closing does not end the pause: without nsws_client_resume(), the peer's answer is not read, and after
 * `close_timeout_ms` the connection ends with NSWS_DETAIL_CLOSE_TIMEOUT and the code 1006.
 *
 * @param client the client; it stays paused, also in later connections, until nsws_client_resume()
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_pause(nsws_client client);

/**
 * Reads again after nsws_client_pause().
 *
 * @param client the client
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_resume(nsws_client client);

/**
 * A client can connect; a server does not listen, and has no connection left.
 */
#define NSWS_STATE_IDLE 0

/**
 * A client is trying to connect, or will after the delay of its `reconnecting`; a server is never in this state.
 */
#define NSWS_STATE_CONNECTING 1

/**
 * A client can send; a server listens.
 */
#define NSWS_STATE_OPEN 2

/**
 * nsws_client_close() was called, or the connection has ended, and `close` follows; nsws_server_stop() was called, and
 * `close` follows for each connection.
 */
#define NSWS_STATE_CLOSING 3

/**
 * Returns the state of a client as of the last delivered event. The client is open (or closing) from the
 * moment the listeners of `open` are called; it is idle from the moment those of `close`, or of the `error`
 * that ends an attempt, are called, unless it will reconnect.
 *
 * @param client the client
 * @param out receives one of NSWS_STATE_*
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `out` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_get_state(nsws_client client,
                              int32_t *out);

/**
 * Destroys a client, and waits until none of its callbacks runs and each `free_fn` has run. An open connection
 * is closed in the background, with code 1001 or as an earlier nsws_client_close() asked; no event follows.
 *
 * Inside any callback, of this client or not, it returns at once: no further callback of the client starts,
 * and `free_fn` runs when the last one has ended.
 *
 * @param client the client; stale from now on
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread. Waits for running callbacks, unless it is called inside one.
 * @since 0.1
 */
int32_t nsws_client_destroy(nsws_client client);

/**
 * Destroys a client without ever waiting, for finalisers and UI threads. A running callback may go on after
 * this returns, and `free_fn` runs when it has ended.
 *
 * @param client the client; stale from now on
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_release(nsws_client client);

/**
 * Asks the server for a sign of life: sends a ping at once. If nothing arrives within the time, the connection is
 * lost: `error` with NSWS_DETAIL_HEARTBEAT_LOST, then `close`. It is for a device that was asleep or has changed
 * its network. Any byte counts as an answer. While this side does not read, because it is paused or a listener is
 * slow, the time does not run, and the check starts again afterwards. It needs no heartbeat, and doesn't change
 * it.
 *
 * @param client the client
 * @param timeout_ms how long the answer may take, in milliseconds, at least 1; of two checks at once, the earlier
 *         deadline counts
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `timeout_ms` is 0; NSWS_ERR_NOT_CONNECTED: the client is not open;
 *         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_client_check(nsws_client client,
                          uint32_t timeout_ms);

/**
 * Tells the library that the platform has reported a change of the network. Each open client is checked, as by
 * nsws_client_check(); each client that waits to reconnect tries at once. Attempts that are under way go on.
 *
 * @param timeout_ms how long the servers' answers may take, in milliseconds, at least 1
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `timeout_ms` is 0; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_network_changed(uint32_t timeout_ms);

/**
 * The figures of a client's current connection, or of the last one.
 * @since 0.1
 */
typedef struct nsws_client_stats {
    /**
     * The size of this struct, as given to nsws_client_get_stats().
     */
    size_t struct_size;
    /**
     * How many messages were handed to the system; control frames do not count.
     */
    uint64_t messages_sent;
    /**
     * How many messages were received.
     */
    uint64_t messages_received;
    /**
     * The bytes of payload of the messages sent.
     */
    uint64_t bytes_sent;
    /**
     * The bytes of payload of the messages received.
     */
    uint64_t bytes_received;
    /**
     * How much waits to be sent, in bytes: the frames, and 64 bytes for each message or ping. From `close` on: how much
     * was accepted and not sent.
     */
    uint64_t queued_bytes;
    /**
     * How long the name lookup took, in microseconds: of the proxy if there is one, else of the server; 0 for an
     * IP address.
     */
    uint64_t dns_us;
    /**
     * How long the TCP connection took, including the way through a proxy, in microseconds.
     */
    uint64_t tcp_us;
    /**
     * How long the TLS handshake took, in microseconds; 0 for ws.
     */
    uint64_t tls_us;
    /**
     * How long the WebSocket handshake took, in microseconds.
     */
    uint64_t handshake_us;
    /**
     * The time from the last answered ping to its pong, in microseconds; 0 before the first.
     */
    uint64_t rtt_us;
    /**
     * 1: the TLS handshake resumed an earlier session, which makes it short; else 0.
     */
    uint8_t tls_resumed;
    /**
     * The bytes that were handed to the system, including the WebSocket handshake, the frames' headers and
     * TLS.
     * @since 0.2
     */
    uint64_t wire_bytes_sent;
    /**
     * The bytes that were received from the system, counted in the same way.
     * @since 0.2
     */
    uint64_t wire_bytes_received;
    /**
     * The time from pings to their pongs, smoothed as TCP does (RFC 6298), in microseconds; 0 before the
     * first.
     * @since 0.2
     */
    uint64_t smoothed_rtt_us;
    /**
     * The part of `tcp_us` that the proxy took to open the tunnel, in microseconds; 0 without a proxy.
     * @since 0.2
     */
    uint64_t proxy_us;
    /**
     * How long after the WebSocket handshake the first message arrived, in microseconds; 0 before it has.
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
     * NSWS_TLS_1_2 or NSWS_TLS_1_3; 0 for ws.
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
     * The extensions that were agreed on, as the header has them, or "".
     * @since 0.2
     */
    char extensions[160];
    /**
     * How many pings, including heartbeats, the server answered before the next one was sent. `rtt_us` has been measured
     * this many times.
     * @since 0.2
     */
    uint64_t pings_answered;
} nsws_client_stats;

/**
 * Reads the figures of the current connection, or of the last one.
 *
 * @param client the client
 * @param stats receives the figures
 * @param struct_size `sizeof *stats`, in bytes
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `stats` is NULL, or the size is below that of a size_t or above 4096;
 *         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_get_stats(nsws_client client,
                              nsws_client_stats *stats,
                              size_t struct_size);

/**
 * A certificate that a server has presented. If it can't be read, `subject`, `issuer` and `pin` are "", there are
 * no names, and both times are 0. Subject, issuer and names come from the network. Control characters are removed, and
 * each is cut at 200 characters: show them to people, but decide by the pin, the fingerprint or the certificate itself.
 * The struct and what it points to are valid until the callback returns; copy what you keep.
 * @since 0.2
 */
typedef struct nsws_certificate {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * The certificate as DER (X.509).
     */
    const uint8_t *der;
    /**
     * The length of `der` in bytes.
     */
    size_t der_length;
    /**
     * The certificate as PEM.
     */
    const char *pem;
    /**
     * The SHA-256 of the DER as 64 lower-case hexadecimal digits.
     */
    const char *fingerprint;
    /**
     * The SHA-256 of its public key as `pinned_public_keys` of nsws_connect_options takes it: "sha256//BASE64".
     */
    const char *pin;
    /**
     * The subject, as "CN=..., O=...".
     */
    const char *subject;
    /**
     * The issuer, in the same form.
     */
    const char *issuer;
    /**
     * The DNS names and IP addresses that it is for. A DNS name that looks like an IP address has
     * " as a DNS name" appended.
     */
    const char *const *names;
    /**
     * The number of `names`.
     */
    size_t name_count;
    /**
     * The first second of its validity, in seconds since 1970 (UTC).
     */
    int64_t not_before_s;
    /**
     * The last second of its validity, in seconds since 1970 (UTC).
     */
    int64_t not_after_s;
} nsws_certificate;

/**
 * Receives a certificate from nsws_client_list_certificates(). It may call the library.
 * @since 0.2
 */
typedef void (*nsws_certificate_fn)(nsws_client client,
                                    const nsws_certificate *certificate,
                                    void *user_data);

/**
 * Lists the certificates that the server has presented in TLS: calls `fn` once for each, the server's own first, in
 * the server's order. From `open` to `close`, these are the certificates of the open connection, even if its TLS session
 * was resumed. If the last attempt failed because of the certificate, or after the TLS handshake, they are that
 * attempt's, until the next attempt ends or nsws_client_connect() is called. An `error` listener can therefore show them.
 * If the server's signature was refused, only its own certificate is known.
 *
 * That a certificate is listed doesn't mean that it is trusted.
 *
 * @param client the client
 * @param fn called on this thread, before this call returns; each certificate is valid only during its call
 * @param user_data passed to `fn`
 * @return NSWS_OK: `fn` was called at least once; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_NOT_CONNECTED: there
 *         is no open connection over TLS, and no certificates are kept from a failed attempt; NSWS_ERR_BAD_HANDLE;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_client_list_certificates(nsws_client client,
                                      nsws_certificate_fn fn,
                                      void *user_data);

/* ================================================================================================
 * Client: listeners
 * ================================================================================================ */

/**
 * Adds a listener of `header_receive`. The listeners of an event are called in the order of their
 * registration. Adding the same `fn` with the same `user_data` again has no effect, and the second `free_fn`
 * is not called.
 *
 * Callbacks run on threads of the library, never inside a call, and never two at once for one client. A
 * callback that blocks delays only its own client.
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_on_header_receive(nsws_client client,
                                      nsws_header_receive_fn fn,
                                      void *user_data,
                                      nsws_free_fn free_fn);

/**
 * Removes a listener of `header_receive`. It is not called again. A running call goes on: this function does
 * not wait for it, and may be called inside it. Removing a listener that isn't there is no error.
 *
 * @param client the client
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_open(nsws_client client, nsws_open_fn fn, void *user_data);

/**
 * Adds a listener of `message`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_message(nsws_client client, nsws_message_fn fn, void *user_data);

/**
 * Adds a listener of `message_part`; as nsws_client_on_header_receive(). With `receive_parts` of
 * nsws_connect_options it is called instead of `message`, as the bytes arrive; `data_end` follows the last
 * part.
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_client_off_message_part(nsws_client client, nsws_message_part_fn fn, void *user_data);

/**
 * Adds a listener of `data_end`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_data_end(nsws_client client, nsws_data_end_fn fn, void *user_data);

/**
 * Adds a listener of `close`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_close(nsws_client client, nsws_close_fn fn, void *user_data);

/**
 * Adds a listener of `error`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_error(nsws_client client, nsws_error_fn fn, void *user_data);

/**
 * Adds a listener of `drain`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_drain(nsws_client client, nsws_drain_fn fn, void *user_data);

/**
 * Adds a listener of `reconnecting`; as nsws_client_on_header_receive().
 *
 * @param client the client
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_client_off_reconnecting(nsws_client client, nsws_reconnecting_fn fn, void *user_data);

/* ================================================================================================
 * Server: options
 * ================================================================================================ */

/**
 * The options of nsws_server_start(). Prepare them with nsws_server_options_init(), then set what differs from
 * the defaults. The call copies everything. A value that breaks a rule below is NSWS_ERR_PARAMETER unless
 * another code is named.
 * @since 0.1
 */
typedef struct nsws_server_options {
    /**
     * The size of this struct; nsws_server_options_init() sets it.
     */
    size_t struct_size;
    /**
     * The only IPv4 or IPv6 address to listen on. NULL or "": "0.0.0.0", every IPv4 address; "::" is every
     * address of either family. An address that this device doesn't have is NSWS_ERR_LISTEN_ADDRESS.
     */
    const char *server_ip;
    /**
     * A PEM file with the server's certificate and those that lead to its CA. With it, the server speaks only
     * wss. NULL or "": ws. A file that can't be opened is NSWS_ERR_CERT_FILE; one that can't be used is
     * NSWS_ERR_CERT_UNUSABLE. When a client connects, but at most once a second, the server looks whether its
     * files have changed, and new ones that can be used replace the old. More certificates:
     * nsws_server_add_certificate().
     */
    const char *cert_path;
    /**
     * A PEM file with the private key of the certificate (PKCS#8, PKCS#1 or SEC1), not encrypted. The errors are
     * those of `cert_path`.
     */
    const char *key_path;
    /**
     * The sub-protocols that the server speaks, separated by commas, the preferred one first. The first one that
     * the client offers as well is chosen. NULL or "": none.
     */
    const char *protocol;
    /**
     * The largest message that is received, in bytes; a larger one ends the connection with 1009. Default 16 MiB,
     * at least 1.
     */
    size_t max_receive_size;
    /**
     * The largest message that may be sent, in bytes. Default 5 MiB.
     */
    size_t max_send_size;
    /**
     * How much may wait to be sent on one connection, in bytes; as in nsws_connect_options. Default 16 MiB.
     */
    size_t send_queue_size;
    /**
     * The port to listen on. Default 0: the system picks one, see nsws_server_get_port(). Above 65535:
     * NSWS_ERR_LISTEN_PORT.
     */
    uint32_t server_port;
    /**
     * How many client addresses may be connected at the same time; clients from further addresses are refused
     * with status 503. 0 means the default, 10.
     */
    uint32_t max_concurrent_clients;
    /**
     * How many connections one address may have; more are refused with status 503. 0 means the default, 10. The
     * addresses of one IPv6 network of 64 bits may have four times as many together, unless they are link-local.
     */
    uint32_t max_connections_per_client;
    /**
     * How many upgrade requests one address may make within 60 seconds. An address that makes more is banned for
     * the next 60 seconds: requests get status 429, and wss links are cut before TLS. Default 50; 0: no limit. An
     * address that begins more than twice as many TLS handshakes is banned as well. IPv6 networks have four times
     * these limits, as above.
     */
    uint32_t max_upgrades_per_minute;
    /**
     * How long a client may take from its TCP connection to the end of the opening handshake, TLS included, in
     * milliseconds; a slower one is cut off. Default 10000, at least 1.
     */
    uint32_t handshake_timeout_ms;
    /**
     * As in nsws_connect_options: in milliseconds, default 30000; 0: no heartbeat.
     */
    uint32_t ping_interval_ms;
    /**
     * As in nsws_connect_options: in milliseconds, default NSWS_PONG_TIMEOUT_DEFAULT; 0: for ever.
     */
    uint32_t pong_timeout_ms;
    /**
     * How long closing may take, in milliseconds: from nsws_connection_close() or nsws_server_stop() to the
     * client's answer, sending what is queued included. Default 5000, at least 1.
     */
    uint32_t close_timeout_ms;
    /**
     * The oldest acceptable TLS version: NSWS_TLS_1_2 (the default) or NSWS_TLS_1_3.
     */
    uint8_t min_tls_version;
    /**
     * The origins of the web pages that may connect, separated by commas: "https://example.com,
     * http://10.0.0.7:8080". A request with another `Origin`, or with `Origin: null`, is refused with status 403
     * before the accept hook is asked, and doesn't count towards a ban. A request without an `Origin` passes;
     * browsers always send one. NULL: any page. "": none.
     *
     * Any web page in a browser that can reach this server can connect to it, from the address of the browser's
     * user. Without this list or an accept hook, the page can do what the user's own programs can, and 51
     * connection attempts of a page ban everyone behind that address for a minute.
     * @since 0.2
     */
    const char *allowed_origins;
    /**
     * Messages below this size, in bytes, are sent uncompressed, and so are those that would not shrink. Default
     * 1024.
     * @since 0.2
     */
    size_t compression_threshold;
    /**
     * How many bytes one connection may use to compress and decompress: the windows are negotiated so small that
     * they fit; if none fit, there is no compression. Default 512 KiB.
     * @since 0.2
     */
    size_t compression_memory;
    /**
     * How many bytes of received messages all connections may hold together: messages that wait for the
     * listeners, and incomplete ones. When the budget is used up, reading stops until messages are delivered. If
     * none waits, the connection with the largest incomplete message of the address or IPv6 network that holds most
     * ends with 1009 and NSWS_DETAIL_RECEIVE_BUDGET. Default 0: the larger of 64 MiB and `max_receive_size`.
     * @since 0.2
     */
    size_t receive_budget;
    /**
     * As in nsws_connect_options: in milliseconds, default 60000; 0: no limit.
     * @since 0.2
     */
    uint32_t message_timeout_ms;
    /**
     * 1: agree to permessage-deflate (RFC 7692). Default 0. In a build without compression:
     * NSWS_ERR_NOT_SUPPORTED. The length of compressed data reveals something about its content: leave it off for
     * messages that mix secrets with what an attacker may choose.
     * @since 0.2
     */
    uint8_t compression;
    /**
     * How hard to compress, 1 to 9. Default 6.
     * @since 0.2
     */
    uint8_t compression_level;
    /**
     * The largest window for the client's messages, as a power of two, 8 to 15. Default 15.
     * @since 0.2
     */
    uint8_t client_max_window_bits;
    /**
     * The largest window for the server's messages, as a power of two, 8 to 15. Default 15.
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
     * 1: messages arrive in parts, as `message_part` events instead of `message`. `max_receive_size` still bounds
     * the whole message. Default 0.
     * @since 0.2
     */
    uint8_t receive_parts;
    /**
     * 1: other servers may listen on the same address and port, in this process and in others of the same user,
     * if each of them sets this as well (SO_REUSEPORT). The system spreads the clients over them, so that a
     * program can use several processors: start as many servers as there are `io_threads`. Each server has its
     * own limits and bans. When a server stops, clients that the system has assigned to it and that it has not
     * accepted yet are reset. Not with `server_port` 0. Default 0: a port that is in use is NSWS_ERR_PORT_IN_USE.
     * @since 0.2
     */
    uint8_t reuse_port;
    /**
     * 1: each link from an address in `trusted_proxies` begins with a header of the PROXY protocol, version 1 or
     * 2, that names the client (`send-proxy` and `send-proxy-v2` of haproxy, `proxy_protocol on` of nginx). A
     * link from there without such a header is cut, and so is one whose header is damaged or has more than 4096
     * bytes. The proxy's own requests (`LOCAL`) have the proxy's address. From other peers, such a header is not
     * accepted. Needs `trusted_proxies`. Default 0.
     * @since 0.2
     */
    uint8_t proxy_protocol;
    /**
     * A path such as "/healthz", for load balancers and supervisors: a `GET` or `HEAD` of it that isn't an upgrade
     * gets 200 and "OK", or 503 while clients are refused because the server's callbacks lag behind. It begins
     * with a slash and has no query; the query of a request isn't looked at. NULL or "": none.
     * nsws_server_set_http_hook() answers other requests.
     * @since 0.2
     */
    const char *health_path;
    /**
     * Headers for every answer to a request, whether 101 or a refusal, such as `Server` or
     * `Strict-Transport-Security`. Names are tokens; values hold no control characters. Headers that belong to
     * the handshake or to the body of an answer can't be set (`Upgrade`, `Connection`,
     * `Sec-WebSocket-Protocol`, `Content-Type`, `Content-Encoding`, `Content-Length` and the like). NULL if there
     * are none.
     * @since 0.2
     */
    const nsws_header *response_headers;
    /**
     * How many headers there are.
     * @since 0.2
     */
    size_t response_header_count;
    /**
     * The proxies in front of this server that are trusted to name the client's address: addresses and networks,
     * separated by commas ("127.0.0.1, 10.0.0.0/8, fd00::/8"). An IPv4 address that is written as an IPv6 address
     * ("::ffff:10.0.0.0/104") is the same. NULL or "": none.
     *
     * In a request from one of them, `X-Forwarded-For` is read from the right, or `Forwarded` (RFC 7239) if there
     * is no such header, and the first address that isn't a trusted proxy's is taken as the client's. So what a
     * client writes there has no effect, provided that the proxy appends to the header that is read; a proxy that
     * writes only `Forwarded` must remove `X-Forwarded-For`. This address is the one in events, and the one that
     * limits and bans count. The proxy's own address is used only if the proxy names no client. Such headers from
     * other peers are ignored.
     * @since 0.2
     */
    const char *trusted_proxies;
    /**
     * A PEM file with the CAs of the certificates that clients must have, or with such certificates themselves.
     * The TLS handshake fails for a client without one; the accept hook and `connect` show the certificate of any
     * other. NULL or "": clients need no certificate. A file that can't be opened is NSWS_ERR_CERT_FILE; one
     * that can't be used is NSWS_ERR_CERT_UNUSABLE. The server itself must have a certificate.
     * @since 0.2
     */
    const char *client_ca_path;
} nsws_server_options;

/**
 * Writes the defaults into `options`.
 *
 * @param options the struct to prepare
 * @param struct_size `sizeof *options`, in bytes
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `options` is NULL, or the size is below that of a size_t or above 4096;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_server_options_init(nsws_server_options *options,
                                 size_t struct_size);

/* ================================================================================================
 * Server: events
 * ================================================================================================ */

/**
 * `connect`: a client has connected to a server. The accept hook receives the same before the client is
 * answered.
 * @since 0.1
 */
typedef struct nsws_connect_event {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * The client's IP address as text. An IPv4 client of a server on "::" has its IPv4 address. Behind proxies that
     * `trusted_proxies` of nsws_server_options names, it is the address that they pass on; limits and bans count
     * it.
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
     * The client's port; 0 if a trusted proxy doesn't pass it on.
     */
    uint16_t client_port;
    /**
     * The extensions that were agreed on, as the header has them, or "".
     * @since 0.2
     */
    const char *extensions;
    /**
     * The IP address that the link comes from, as text: the client's, or that of a trusted proxy in between.
     * @since 0.2
     */
    const char *link_ip;
    /**
     * The subject of the client's certificate, as "CN=..., O=...", with `client_ca_path` of nsws_server_options;
     * "" without. Show it to people, but identify clients by the fingerprint or the certificate itself: a name
     * may hold commas.
     * @since 0.2
     */
    const char *client_cert_subject;
    /**
     * The SHA-256 of the client's certificate (its DER) in 64 lower-case hexadecimal digits, or "".
     * @since 0.2
     */
    const char *client_cert_fingerprint;
    /**
     * The client's certificate as PEM, or "".
     * @since 0.2
     */
    const char *client_cert_pem;
    /**
     * The port that the link comes from.
     * @since 0.2
     */
    uint16_t link_port;
} nsws_connect_event;

/**
 * Receives `connect` of a server. From now on the connection can be used.
 * @since 0.1
 */
typedef void (*nsws_server_connect_fn)(nsws_server server,
                                       nsws_connection connection,
                                       const nsws_connect_event *event,
                                       void *user_data);

/**
 * Receives `message` of a connection.
 * @since 0.1
 */
typedef void (*nsws_server_message_fn)(nsws_server server,
                                       nsws_connection connection,
                                       const nsws_message_event *event,
                                       void *user_data);

/**
 * Receives `message_part` of a connection.
 * @since 0.2
 */
typedef void (*nsws_server_message_part_fn)(nsws_server server,
                                            nsws_connection connection,
                                            const nsws_message_part_event *event,
                                            void *user_data);

/**
 * Receives `close` of a connection: exactly once for each that had `connect`, as its last event. The handle is
 * stale once the listeners have returned.
 * @since 0.1
 */
typedef void (*nsws_server_close_fn)(nsws_server server,
                                     nsws_connection connection,
                                     const nsws_close_event *event,
                                     void *user_data);

/**
 * Receives `error` of a connection, or of the server itself: then the `id` of the connection is 0. A server
 * fails, for example, when it can't accept clients because the process has no descriptor left.
 * @since 0.1
 */
typedef void (*nsws_server_error_fn)(nsws_server server,
                                     nsws_connection connection,
                                     const nsws_error_event *event,
                                     void *user_data);

/**
 * Receives `drain` of a connection.
 * @since 0.1
 */
typedef void (*nsws_server_drain_fn)(nsws_server server,
                                     nsws_connection connection,
                                     const nsws_drain_event *event,
                                     void *user_data);

/**
 * Decides whether a client may connect. 0 accepts it; an HTTP status from 400 to 599 refuses it with that
 * status; any other value refuses it with 403. The hook takes turns with the listeners of the server.
 * Meanwhile the client waits, at most for what is left of `handshake_timeout_ms`.
 * @since 0.1
 */
typedef uint16_t (*nsws_accept_fn)(nsws_server server,
                                   const nsws_connect_event *event,
                                   void *user_data);

/* ================================================================================================
 * Server: functions
 * ================================================================================================ */

/**
 * Creates a server, which does not listen yet. The first object that a process creates also starts the
 * library's threads.
 *
 * @param out receives the handle; end it with nsws_server_destroy() or nsws_server_release()
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `out` is NULL; NSWS_ERR_NOT_SUPPORTED: a build without servers, or a
 *         device on which servers may not run (`is_tv_device` of nsws_platform); NSWS_ERR_NO_RESOURCES;
 *         NSWS_ERR_SHUTTING_DOWN; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_server_create(nsws_server *out);

/**
 * Starts listening. When this returns NSWS_OK, clients can connect; each client that does is a `connect` event.
 *
 * The checks come in this order: the values of the options, the permission, address, port, certificate files,
 * whether the server listens already, and the socket.
 *
 * @param server the server; it can start again right after nsws_server_stop()
 * @param options prepared by nsws_server_options_init(), or NULL for the defaults; copied
 * @return NSWS_OK; NSWS_ERR_PARAMETER: an option is out of range, or the struct was not prepared;
 *         NSWS_ERR_NOT_SUPPORTED: `compression` in a build without it; NSWS_ERR_PERMISSION_DENIED;
 *         NSWS_ERR_LISTEN_ADDRESS: `server_ip` is not an address of this device; NSWS_ERR_LISTEN_PORT: the
 *         port is above 65535, or this process may not use it; NSWS_ERR_CERT_FILE: a file can't be opened;
 *         NSWS_ERR_CERT_UNUSABLE: certificate or key can't be used; NSWS_ERR_ALREADY_CONNECTED: the server
 *         listens already; NSWS_ERR_PORT_IN_USE; NSWS_ERR_NO_RESOURCES; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
 *         NSWS_ERR_INTERNAL
 * @note Any thread. Reads the certificate files.
 * @since 0.1
 */
int32_t nsws_server_start(nsws_server server,
                          const nsws_server_options *options);

/**
 * Returns the port that a server listens on. Programs written for 0.1 call it nsws_server_port(), which is now
 * a macro.
 *
 * @param server the server
 * @param out receives the port
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `out` is NULL; NSWS_ERR_NOT_LISTENING; NSWS_ERR_BAD_HANDLE;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_server_get_port(nsws_server server,
                             uint16_t *out);

/* The name of nsws_server_get_port() until 0.2. */
#define nsws_server_port nsws_server_get_port

/**
 * Returns the state of a server: NSWS_STATE_OPEN while it listens; NSWS_STATE_CLOSING after
 * nsws_server_stop(), until the listeners of the last `close` have returned; else NSWS_STATE_IDLE. A server
 * can start unless it is listening.
 *
 * @param server the server
 * @param out receives one of NSWS_STATE_*; never NSWS_STATE_CONNECTING
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `out` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_server_get_state(nsws_server server,
                              int32_t *out);

/**
 * Sets the hook that decides whether a client may connect, for example by its origin, a token in a header, or
 * its path. The hook is asked after the server's own limits and before the client is answered. Without one,
 * every client may connect.
 *
 * @param server the server
 * @param fn the hook; NULL: none
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails, or if
 *         `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread. `fn` is called on threads of the library, in turn with the server's listeners.
 * @since 0.1
 */
int32_t nsws_server_set_accept_hook(nsws_server server,
                                    nsws_accept_fn fn,
                                    void *user_data,
                                    nsws_free_fn free_fn);

/**
 * Lists the connections of a server: those whose `connect` was delivered, or is being delivered, and whose
 * `close` was not.
 *
 * @param server the server
 * @param list receives up to `capacity` handles; may be NULL if `capacity` is 0
 * @param capacity how many handles `list` has room for
 * @param out_count receives how many connections there are, which may be more than `capacity`
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `out_count` is NULL, or `list` is and `capacity` is not 0;
 *         NSWS_ERR_PERMISSION_DENIED; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_server_list_connections(nsws_server server,
                                     nsws_connection *list,
                                     size_t capacity,
                                     size_t *out_count);

/**
 * Finds the connection of a client by the client's address and port.
 *
 * @param server the server
 * @param client_ip the client's IP address as text, NUL-terminated
 * @param client_port the client's port
 * @param out receives the handle
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `out` is NULL, or `client_ip` is no IP address; NSWS_ERR_NO_CONNECTION:
 *         there is none; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_server_find_connection(nsws_server server,
                                    const char *client_ip,
                                    uint16_t client_port,
                                    nsws_connection *out);

/**
 * Sends a message to every connection of a server; it is copied once for all of them. All clients get the
 * broadcasts of different threads in the same order. After any error nothing was sent to anybody.
 *
 * @param server the server
 * @param data the payload, copied; may be NULL if `length` is 0. Text must be UTF-8.
 * @param length its length in bytes, at most `max_send_size`; 0 sends an empty message
 * @param is_text 1: a text message; 0: a binary one
 * @param out_accepted receives how many connections accepted it, or NULL. A connection does not if it is
 *         closing, if a message that is being sent in parts lacks its last part, or if its send queue is full;
 *         in the last case `drain` follows when there is room.
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL, not UTF-8 or too long, or `is_text` is neither 0 nor
 *         1; NSWS_ERR_PERMISSION_DENIED; NSWS_ERR_NO_RESOURCES: there is no memory for it;
 *         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_server_broadcast(nsws_server server,
                              const void *data,
                              size_t length,
                              uint8_t is_text,
                              size_t *out_accepted);

/**
 * Stops listening: when this returns, the port is free. Every connection is closed in the background with code
 * 1001, "server is going away": what was accepted for it goes out first, and its `close` event comes within
 * `close_timeout_ms`. Clients whose handshake is under way are cut off.
 *
 * @param server the server
 * @return NSWS_OK; NSWS_ERR_PERMISSION_DENIED; NSWS_ERR_NOT_LISTENING; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
 *         NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_server_stop(nsws_server server);

/**
 * Destroys a server, and waits until none of its callbacks runs and each `free_fn` has run. It stops
 * listening, and its connections are closed in the background with code 1001; no event follows, and their
 * handles are stale.
 *
 * Inside any callback, of this server or not, it returns at once: no further callback of the server starts,
 * and `free_fn` runs when the last one has ended.
 *
 * @param server the server; stale from now on
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread. Waits for running callbacks, unless it is called inside one.
 * @since 0.1
 */
int32_t nsws_server_destroy(nsws_server server);

/**
 * Destroys a server without ever waiting, for finalisers and UI threads. A running callback may go on after
 * this returns, and `free_fn` runs when it has ended. The port is free when this returns.
 *
 * @param server the server; stale from now on
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_server_release(nsws_server server);

/**
 * Stops a server as nsws_server_stop() does, and waits until each connection has had its `close` event. Every
 * client has the whole time to answer, whatever `close_timeout_ms` is. When the time is over, the links of
 * clients that have not answered are cut, and their `error` and `close` events follow.
 *
 * @param server the server; it may start again afterwards
 * @param timeout_ms how long to wait, in milliseconds, at least 1
 * @return NSWS_OK: no connection is left; NSWS_ERR_BUSY: some had to be cut, or their listeners have not
 *         returned; NSWS_ERR_PARAMETER: the time is 0; NSWS_ERR_WOULD_DEADLOCK: the call is made inside a
 *         callback; NSWS_ERR_PERMISSION_DENIED; NSWS_ERR_NOT_LISTENING; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
 *         NSWS_ERR_INTERNAL
 * @note Any thread, but not inside a callback. Waits up to `timeout_ms`. After NSWS_OK and NSWS_ERR_BUSY the
 *       server has stopped; after any other error nothing has changed.
 * @since 0.2
 */
int32_t nsws_server_stop_gracefully(nsws_server server,
                                    uint32_t timeout_ms);

/**
 * Adds a certificate for other names. A client gets the certificate for the name that it asks for (SNI). If
 * there is none, it gets the server's first: `cert_path` of nsws_server_options. If there are several, it gets
 * one with a kind of key that it supports.
 *
 * Added certificates stay with the server when it stops and starts again. If it is started without
 * `cert_path`, it speaks wss with the first that was added. A server that already listens without TLS
 * continues without TLS until it starts again.
 *
 * @param server the server; while it listens, new connections can get the certificate from now on
 * @param cert_path a PEM file, as `cert_path` of nsws_server_options
 * @param key_path a PEM file, as `key_path` of nsws_server_options
 * @return NSWS_OK: also if these files were added before, in which case all certificates are read again;
 *         NSWS_ERR_PARAMETER: a path is NULL, "" or not UTF-8; NSWS_ERR_CERT_FILE; NSWS_ERR_CERT_UNUSABLE;
 *         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread; reads the certificate files. After any error nothing has changed.
 * @since 0.2
 */
int32_t nsws_server_add_certificate(nsws_server server,
                                    const char *cert_path,
                                    const char *key_path);

/**
 * Reads all certificate files of a server again, `client_ca_path` included. A server does so by itself when
 * they have changed: see `cert_path` of nsws_server_options. New connections get the new certificates; open
 * ones stay as they are.
 *
 * @param server the server
 * @return NSWS_OK; NSWS_ERR_CERT_UNUSABLE: a file can't be read or used, and the old certificates stay;
 *         NSWS_ERR_NOT_LISTENING; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread; reads the certificate files.
 * @since 0.2
 */
int32_t nsws_server_reload_certificates(nsws_server server);

/**
 * A ban. This struct never grows.
 * @since 0.2
 */
typedef struct nsws_ban {
    /**
     * The banned IP address as text, or an IPv6 network ("2001:db8:0:1::/64"); NUL-terminated.
     */
    char ip[52];
    /**
     * How long the ban still lasts, in milliseconds.
     */
    uint32_t remaining_ms;
} nsws_ban;

/**
 * Lists the addresses that are banned: see `max_upgrades_per_minute` of nsws_server_options.
 * nsws_server_stop() ends all bans.
 *
 * @param server the server
 * @param list receives up to `capacity` bans; may be NULL if `capacity` is 0
 * @param capacity how many bans `list` has room for
 * @param out_count receives how many bans there are, which may be more than `capacity`
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `out_count` is NULL, or `list` is NULL and `capacity` is not 0;
 *         NSWS_ERR_NOT_LISTENING; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_server_list_bans(nsws_server server,
                              nsws_ban *list,
                              size_t capacity,
                              size_t *out_count);

/**
 * Lifts a ban, and forgets what was counted for it.
 *
 * @param server the server
 * @param ip an IP address, to lift its ban and that of its IPv6 network; or a network as
 *        nsws_server_list_bans() has it, to lift only the network's ban
 * @return NSWS_OK: also when there was no ban; NSWS_ERR_PARAMETER: `ip` is NULL or neither;
 *         NSWS_ERR_NOT_LISTENING; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_server_unban(nsws_server server, const char *ip);

/**
 * Makes a connection a member of a group of its server's connections, such as a room or a topic;
 * nsws_server_broadcast_group() sends to a group. A group exists while it has members. A connection may be in
 * several groups, and leaves them once its `close` listeners have returned.
 *
 * @param connection the connection
 * @param group the name of the group, any UTF-8 but ""; copied
 * @return NSWS_OK: also when it is a member already; NSWS_ERR_PARAMETER: `group` is NULL, "" or not UTF-8;
 *         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_connection_join(nsws_connection connection,
                             const char *group);

/**
 * Ends the membership of a connection in a group.
 *
 * @param connection the connection
 * @param group the name of the group
 * @return NSWS_OK: also when it is no member; NSWS_ERR_PARAMETER: `group` is NULL, "" or not UTF-8;
 *         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_connection_leave(nsws_connection connection, const char *group);

/**
 * Sends a message to the members of a group, as nsws_server_broadcast() does to all connections: it is encoded
 * once for all of them, and all get the messages of different threads in the same order. After any error
 * nothing was sent to anybody.
 *
 * @param server the server
 * @param group the name of the group
 * @param data the payload, copied; may be NULL if `length` is 0. Text must be UTF-8.
 * @param length its length in bytes, at most `max_send_size`; 0 sends an empty message
 * @param is_text 1: a text message; 0: a binary one
 * @param out_accepted receives how many connections accepted it, 0 if the group has no members; or NULL. A
 *        connection does not for the reasons that nsws_server_broadcast() names.
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `group` is NULL, "" or not UTF-8, the data is NULL, not UTF-8 or too
 *         long, or `is_text` is neither 0 nor 1; NSWS_ERR_PERMISSION_DENIED;
 *         NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
 *         NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_server_broadcast_group(nsws_server server,
                                    const char *group,
                                    const void *data,
                                    size_t length,
                                    uint8_t is_text,
                                    size_t *out_accepted);

/**
 * A request that isn't an upgrade, for nsws_http_fn. Its body isn't read.
 * @since 0.2
 */
typedef struct nsws_http_request {
    /**
     * The size of this struct in the library that made it.
     */
    size_t struct_size;
    /**
     * `GET`, `HEAD`, `POST` or another.
     */
    const char *method;
    /**
     * Path and query, as the client wrote them.
     */
    const char *path;
    /**
     * The client's IP address as text; as in nsws_connect_event.
     */
    const char *client_ip;
    /**
     * The headers in the order of arrival, repeated names kept, names as the client wrote them.
     */
    const nsws_header *headers;
    /**
     * How many headers there are.
     */
    size_t header_count;
    /**
     * The IP address that the link comes from; as in nsws_connect_event.
     */
    const char *link_ip;
    /**
     * The client's port; 0 if a trusted proxy doesn't pass it on.
     */
    uint16_t client_port;
    /**
     * The port that the link comes from.
     */
    uint16_t link_port;
} nsws_http_request;

/**
 * Where nsws_http_fn puts its answer. It lives until the hook returns.
 * @since 0.2
 */
typedef struct nsws_http_answer nsws_http_answer;

/**
 * Answers a request that isn't an upgrade, by calling nsws_http_answer_set(). A request that is not answered is
 * refused, as without a hook. The hook takes turns with the listeners of the server. Meanwhile the client
 * waits, at most for what is left of `handshake_timeout_ms`.
 * @since 0.2
 */
typedef void (*nsws_http_fn)(nsws_server server,
                             const nsws_http_request *request,
                             nsws_http_answer *answer,
                             void *user_data);

/**
 * Sets the hook that answers requests that aren't upgrades: health checks that need more than `health_path` of
 * nsws_server_options, or a small page on the server's own port. This is no web server: an answer is small and
 * sent whole, and the link ends after it. Without a hook, such requests are refused with 426, 405 or 400.
 *
 * Such requests count towards no limit and no ban; with a certificate, their TLS handshakes do. While the server's
 * callbacks lag so far behind that clients are refused with 503, these requests are refused as well, and the hook
 * isn't asked.
 *
 * @param server the server
 * @param fn the hook; NULL: none
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails, or if
 *        `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread. `fn` is called on threads of the library, in turn with the server's listeners.
 * @since 0.2
 */
int32_t nsws_server_set_http_hook(nsws_server server,
                                  nsws_http_fn fn,
                                  void *user_data,
                                  nsws_free_fn free_fn);

/**
 * Gives the answer, within nsws_http_fn. If it is called more than once, the last answer counts.
 *
 * @param answer as the hook received it
 * @param status the HTTP status, 200 to 599
 * @param headers the headers, copied; may be NULL if there are none. Names are tokens; values hold no control
 *        characters. Headers that the library itself writes can't be set (`Content-Length`,
 *        `Transfer-Encoding`, `Connection`, `Upgrade` and the like). Without a `Content-Type`, a body is
 *        "text/plain; charset=utf-8".
 * @param header_count how many headers there are
 * @param body the body, copied; may be NULL if `body_length` is 0. In the answer to `HEAD`, it is left out.
 * @param body_length its length in bytes, at most 65536; 0 with the status 204, 205 or 304
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `answer` is NULL, or another argument breaks a rule above, and the
 *         answer stays as it was; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note The thread that the hook runs on.
 * @since 0.2
 */
int32_t nsws_http_answer_set(nsws_http_answer *answer,
                             uint16_t status,
                             const nsws_header *headers,
                             size_t header_count,
                             const void *body,
                             size_t body_length);

/* ================================================================================================
 * Server: listeners
 * ================================================================================================ */

/**
 * Adds a listener of `connect`. The listeners of an event are called in the order of their registration.
 * Adding the same `fn` with the same `user_data` again has no effect, and the second `free_fn` is not called.
 *
 * Callbacks run on threads of the library, never inside a call, and never two at once for one server. A
 * callback that blocks delays only its own server; while 1024 `close` events and calls of the accept hook
 * wait, further clients are refused with status 503.
 *
 * @param server the server
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_server_on_connect(nsws_server server,
                               nsws_server_connect_fn fn,
                               void *user_data,
                               nsws_free_fn free_fn);

/**
 * Removes a listener of `connect`. It is not called again. A running call goes on: this function does not wait
 * for it, and may be called inside it. Removing a listener that isn't there is no error.
 *
 * @param server the server
 * @param fn the function; NULL removes all listeners of this event
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_server_off_message(nsws_server server, nsws_server_message_fn fn, void *user_data);

/**
 * Adds a listener of `message_part`; as nsws_server_on_connect(). With `receive_parts` of nsws_server_options
 * it is called instead of `message`, as the bytes arrive.
 *
 * @param server the server
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_server_off_message_part(nsws_server server,
                                     nsws_server_message_part_fn fn,
                                     void *user_data);

/**
 * Adds a listener of `close`; as nsws_server_on_connect().
 *
 * @param server the server
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_server_off_close(nsws_server server, nsws_server_close_fn fn, void *user_data);

/**
 * Adds a listener of `error`; as nsws_server_on_connect().
 *
 * @param server the server
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_server_off_error(nsws_server server, nsws_server_error_fn fn, void *user_data);

/**
 * Adds a listener of `drain`; as nsws_server_on_connect().
 *
 * @param server the server
 * @param fn the function to call; not NULL
 * @param user_data passed to `fn`
 * @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param user_data as it was registered; ignored if `fn` is NULL
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_server_off_drain(nsws_server server, nsws_server_drain_fn fn, void *user_data);

/* ================================================================================================
 * Connection
 * ================================================================================================ */

/**
 * Sends a text message to a client. Accepted messages are sent in order, and nsws_connection_close() sends them
 * before it closes; see nsws_close_event for what happens when the client closes first. After any error nothing
 * was queued.
 *
 * @param connection the connection
 * @param text UTF-8, copied; may hold NULs, which are sent; may be NULL if `length` is 0
 * @param length its length in bytes, at most `max_send_size`; 0 sends an empty message
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the text is NULL, not UTF-8 or too long; NSWS_ERR_PERMISSION_DENIED;
 *         NSWS_ERR_NOT_CONNECTED: the connection is closing or over; NSWS_ERR_MESSAGE_UNFINISHED: a message
 *         that is being sent in parts lacks its last part; NSWS_ERR_QUEUE_FULL: `drain` follows when there is
 *         room; NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
 *         NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_connection_send_text(nsws_connection connection,
                                  const char *text,
                                  size_t length);

/**
 * Sends a binary message to a client. Accepted messages are sent in order, and nsws_connection_close() sends
 * them before it closes; see nsws_close_event for what happens when the client closes first. After any error
 * nothing was queued.
 *
 * @param connection the connection
 * @param data the payload, copied; may be NULL if `length` is 0
 * @param length its length in bytes, at most `max_send_size`; 0 sends an empty message
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL or too long; NSWS_ERR_PERMISSION_DENIED;
 *         NSWS_ERR_NOT_CONNECTED: the connection is closing or over; NSWS_ERR_MESSAGE_UNFINISHED: a message
 *         that is being sent in parts lacks its last part; NSWS_ERR_QUEUE_FULL: `drain` follows when there is
 *         room; NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
 *         NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_connection_send_binary(nsws_connection connection,
                                    const void *data,
                                    size_t length);

/**
 * Sends a client a part of a message whose length need not be known yet. Each part goes out as a fragment, and
 * counts in the send queue as a message does. Until the last part, other messages are refused with
 * NSWS_ERR_MESSAGE_UNFINISHED and broadcasts leave this connection out; pings pass, and
 * nsws_connection_close() sends what was accepted before it closes. After any error nothing was queued.
 *
 * @param connection the connection
 * @param data the bytes, copied; may be NULL if `length` is 0
 * @param length how many bytes there are, at most `max_send_size`
 * @param is_text 1: the message is text, valid UTF-8 as a whole; a part may end within a character. 0: it is
 *         binary. The first part decides.
 * @param is_last 1: the message ends with this part; 0: more follow
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL, not UTF-8 or too long, or a flag is neither 0 nor 1;
 *         NSWS_ERR_PERMISSION_DENIED; NSWS_ERR_NOT_CONNECTED: the connection is closing or over;
 *         NSWS_ERR_QUEUE_FULL: `drain` follows when there is room; NSWS_ERR_NO_RESOURCES: there is no memory
 *         for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.2
 */
int32_t nsws_connection_send_part(nsws_connection connection,
                                  const void *data,
                                  size_t length,
                                  uint8_t is_text,
                                  uint8_t is_last);

/**
 * Sends a ping to a client. Its answer counts as a sign of life and sets `rtt_us` of
 * nsws_connection_get_info(). It may pass between the parts of a message.
 *
 * @param connection the connection
 * @param data the payload, copied; may be NULL if `length` is 0
 * @param length its length in bytes, at most 125
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL or too long; NSWS_ERR_PERMISSION_DENIED;
 *         NSWS_ERR_NOT_CONNECTED: the connection is closing or over; NSWS_ERR_QUEUE_FULL: `drain` follows when
 *         there is room; NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
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
 * @param code 1000 to 1003, 1007 to 1014 or 3000 to 4999; 1000 is the usual one
 * @param reason NUL-terminated UTF-8 of at most 123 bytes, copied; NULL is ""
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the code or the reason may not be sent; NSWS_ERR_PERMISSION_DENIED;
 *         NSWS_ERR_NOT_CONNECTED: the connection is closing already, or over; NSWS_ERR_BAD_HANDLE;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_connection_close(nsws_connection connection,
                              uint16_t code,
                              const char *reason);

/**
 * Lets small messages to a client wait for each other, as nsws_client_cork() does.
 *
 * @param connection the connection
 * @return NSWS_OK; NSWS_ERR_NOT_CONNECTED: the connection is closing or over; NSWS_ERR_BAD_HANDLE;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_connection_cork(nsws_connection connection);

/**
 * Sends what has waited since nsws_connection_cork(), on this thread if possible. Without a cork it does
 * nothing.
 *
 * @param connection the connection
 * @return NSWS_OK; NSWS_ERR_NOT_CONNECTED: the connection is closing or over; NSWS_ERR_BAD_HANDLE;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_connection_uncork(nsws_connection connection);

/**
 * Stops reading from a connection, as nsws_client_pause() does.
 *
 * @param connection the connection; it stays paused until nsws_connection_resume()
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_connection_pause(nsws_connection connection);

/**
 * Reads again after nsws_connection_pause().
 *
 * @param connection the connection
 * @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_connection_resume(nsws_connection connection);

/**
 * The other end of a connection, and the connection's figures.
 * @since 0.1
 */
typedef struct nsws_connection_info {
    /**
     * The size of this struct, as given to nsws_connection_get_info().
     */
    size_t struct_size;
    /**
     * How many messages were handed to the system; control frames do not count.
     */
    uint64_t messages_sent;
    /**
     * How many messages were received.
     */
    uint64_t messages_received;
    /**
     * The bytes of payload of the messages sent.
     */
    uint64_t bytes_sent;
    /**
     * The bytes of payload of the messages received.
     */
    uint64_t bytes_received;
    /**
     * How much waits to be sent, in bytes: the frames, and 64 bytes for each message or ping. In `close`: how much was
     * accepted and not sent.
     */
    uint64_t queued_bytes;
    /**
     * The time from the last answered ping to its pong, in microseconds; 0 before the first.
     */
    uint64_t rtt_us;
    /**
     * The client's IP address as text, NUL-terminated.
     */
    char client_ip[46];
    /**
     * The client's port; 0 if a trusted proxy doesn't pass it on.
     */
    uint16_t client_port;
    /**
     * The IP address that the link comes from, as text: the client's, or that of a trusted proxy in between.
     * @since 0.2
     */
    char link_ip[46];
    /**
     * The port that the link comes from.
     * @since 0.2
     */
    uint16_t link_port;
    /**
     * The bytes that were handed to the system, including the WebSocket handshake, the frames' headers and TLS.
     * @since 0.2
     */
    uint64_t wire_bytes_sent;
    /**
     * The bytes that were received from the system, counted in the same way, without a header of the PROXY protocol.
     * @since 0.2
     */
    uint64_t wire_bytes_received;
    /**
     * The time from pings to their pongs, smoothed as TCP does (RFC 6298), in microseconds; 0 before the first.
     * @since 0.2
     */
    uint64_t smoothed_rtt_us;
    /**
     * How long after the WebSocket handshake the first message arrived, in microseconds; 0 before it has.
     * @since 0.2
     */
    uint64_t first_message_us;
    /**
     * NSWS_TLS_1_2 or NSWS_TLS_1_3; 0 for ws.
     * @since 0.2
     */
    uint8_t tls_version;
    /**
     * 1: the TLS handshake resumed an earlier session, which makes it short; else 0.
     * @since 0.2
     */
    uint8_t tls_resumed;
    /**
     * The cipher suite of TLS as IANA names it, such as "TLS_AES_256_GCM_SHA384"; "" for ws.
     * @since 0.2
     */
    char tls_cipher[64];
    /**
     * How many pings, including heartbeats, the client answered before the next one was sent. `rtt_us` has been measured
     * this many times.
     * @since 0.2
     */
    uint64_t pings_answered;
} nsws_connection_info;

/**
 * Reads the address of a connection's client, and the connection's current figures.
 *
 * @param connection the connection
 * @param info receives them
 * @param struct_size `sizeof *info`, in bytes
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `info` is NULL, or the size is below that of a size_t or above 4096;
 *         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_connection_get_info(nsws_connection connection,
                                 nsws_connection_info *info,
                                 size_t struct_size);

/* ================================================================================================
 * Platform
 * ================================================================================================ */

/**
 * Answers yes (not 0) or no (0).
 *
 * Hooks may be called on any thread, and on several at once, in the middle of the library's calls. They may call
 * the library, but must not wait for it. A call that asks a hook (about permission, host or device) takes as
 * long as the hook does.
 * @since 0.1
 */
typedef uint8_t (*nsws_ask_fn)(void *user_data);

/**
 * Answers whether the program may connect to a host: yes (not 0) or no (0).
 * @since 0.1
 */
typedef uint8_t (*nsws_host_fn)(const char *host, const char *url, void *user_data);

/**
 * The proxy of the system, as an nsws_system_proxy_fn answers it. Prepare it with nsws_system_proxy_init().
 * @since 0.1
 */
typedef struct nsws_system_proxy {
    /**
     * The size of this struct; nsws_system_proxy_init() sets it.
     */
    size_t struct_size;
    /**
     * A host name or an IP address, IPv6 with or without brackets. NULL or "": there is no proxy.
     */
    const char *host;
    /**
     * The user name for the proxy; the rules are those of nsws_connect_options. NULL or "": none.
     */
    const char *username;
    /**
     * The password that goes with it.
     */
    const char *password;
    /**
     * Hosts that are reached without the proxy, as in nsws_connect_options; invalid entries are ignored.
     */
    const char *exclusion_list;
    /**
     * The port, 1 to 65535.
     */
    uint32_t port;
    /**
     * NSWS_PROXY_HTTP (the default), NSWS_PROXY_SOCKS5, or NSWS_PROXY_NONE: there is no proxy.
     */
    uint8_t mode;
} nsws_system_proxy;

/**
 * Writes the defaults into `proxy`: no proxy.
 *
 * @param proxy the struct to prepare
 * @param struct_size `sizeof *proxy`, in bytes
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `proxy` is NULL, or the size is below that of a size_t or above 4096;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_system_proxy_init(nsws_system_proxy *proxy,
                               size_t struct_size);

/**
 * Where an nsws_system_proxy_fn puts its answer. It lives until the hook returns.
 * @since 0.1
 */
typedef struct nsws_system_proxy_answer nsws_system_proxy_answer;

/**
 * Answers an nsws_system_proxy_fn. The last call inside the hook counts.
 *
 * @param answer what the hook was given
 * @param proxy prepared by nsws_system_proxy_init(), copied; NULL: there is no proxy
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `answer` is NULL, or `proxy` is invalid, which also fails the attempt;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note The hook's thread, inside the hook.
 * @since 0.1
 */
int32_t nsws_system_proxy_set(nsws_system_proxy_answer *answer,
                              const nsws_system_proxy *proxy);

/**
 * Answers which proxy the system has set, by calling nsws_system_proxy_set(). If the hook doesn't call it,
 * there is no proxy.
 *
 * `url` has scheme, host and port of the server and nothing else ("wss://example.com:443/"). The hook is
 * called before each attempt to connect, on a thread that may block; `connect_timeout_ms` includes this time.
 * @since 0.1
 */
typedef void (*nsws_system_proxy_fn)(const char *url,
                                     nsws_system_proxy_answer *answer,
                                     void *user_data);

/**
 * Where an nsws_resolve_fn puts its answer. It lives until the hook returns.
 * @since 0.2
 */
typedef struct nsws_resolve_answer nsws_resolve_answer;

/**
 * Answers an nsws_resolve_fn. The last call inside the hook counts.
 *
 * @param answer what the hook was given
 * @param addresses IP addresses, separated by commas, the preferred one first ("2001:db8::1, 192.0.2.1"): IPv6 with or
 *         without brackets, and with its zone if it is link-local ("fe80::1%wlan0"); copied. NULL or "": the host has no
 *         address, which fails the attempt.
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `answer` is NULL, or one of them is no address, which also fails the attempt;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note The hook's thread, inside the hook.
 * @since 0.2
 */
int32_t nsws_resolve_answer_set(nsws_resolve_answer *answer,
                                const char *addresses);

/**
 * Looks up the addresses of a host, by nsws_resolve_answer_set(). If the hook doesn't call that, the library looks the
 * name up as it does without the hook; so a hook may know some names only.
 *
 * The hook is called in each attempt, for the name of the server or of its proxy, unless it is an IP address or is in
 * `resolve` of nsws_connect_options. It is asked before the hosts file. It may block: the connect timeout runs
 * meanwhile, and other names are looked up. The library can't end such a call, and nsws_shutdown() waits for it.
 * @since 0.2
 */
typedef void (*nsws_resolve_fn)(const char *host, nsws_resolve_answer *answer, void *user_data);

/**
 * The platform's hooks. Prepare the struct with nsws_platform_init(). A hook that is NULL has its default.
 * @since 0.1
 */
typedef struct nsws_platform {
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
     * Whether the program may use the network. Asked by the functions that list NSWS_ERR_PERMISSION_DENIED, which
     * they return for "no". Default: yes.
     */
    nsws_ask_fn has_internet_permission;
    /**
     * Whether the program may connect to a host. Asked by nsws_client_connect(), with the host of the URL (an IPv6
     * address without brackets) and the URL; "no" is NSWS_ERR_DOMAIN_NOT_ALLOWED. With `max_redirects`, it is also
     * asked about the target of each redirect, on a thread that may block; there, "no" is an `error` event with
     * NSWS_DETAIL_REDIRECT. Default: yes.
     */
    nsws_host_fn is_host_allowed;
    /**
     * Which proxy the system has set. Asked for connections with NSWS_PROXY_SYSTEM. An answer that can't be used
     * fails the attempt, in phase NSWS_PHASE_PROXY. Default: the environment's, see `proxy_mode` of
     * nsws_connect_options.
     */
    nsws_system_proxy_fn get_system_proxy;
    /**
     * Whether the CAs that the user has installed are trusted as well. Asked in each attempt that trusts the
     * system's CAs, on a thread that may block. Default: no. It has an effect only on OpenHarmony.
     */
    nsws_ask_fn trusts_user_ca;
    /**
     * Whether the device is one on which servers may run. Asked by nsws_server_create(); "no" is
     * NSWS_ERR_NOT_SUPPORTED. Default: yes.
     */
    nsws_ask_fn is_tv_device;
    /**
     * Receives the log, in place of the receiver of nsws_set_log_callback(). NULL: the receiver
     * stays, and so does that of an earlier nsws_set_platform(), with its `user_data`.
     */
    nsws_log_fn log;
    /**
     * The most verbose level that `log` receives, one of NSWS_LOG_*. Default NSWS_LOG_INFO.
     */
    int32_t log_level;
    /**
     * Which addresses a host has. An answer without any fails the attempt, in phase NSWS_PHASE_DNS (of a proxy: in
     * NSWS_PHASE_PROXY), with detail NSWS_DETAIL_NAME_NOT_FOUND. Default: the system's lookup.
     * @since 0.2
     */
    nsws_resolve_fn resolve;
} nsws_platform;

/**
 * Writes the defaults into `platform`: no hooks.
 *
 * @param platform the struct to prepare
 * @param struct_size `sizeof *platform`, in bytes
 * @return NSWS_OK; NSWS_ERR_PARAMETER: `platform` is NULL, or the size is below that of a size_t or above
 *         4096; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_platform_init(nsws_platform *platform,
                           size_t struct_size);

/**
 * Sets the platform's hooks for the whole process. Usually called once, before the first connection. A later
 * call replaces all hooks, though the log's receiver stays until another is set; running calls of the old ones go on.
 *
 * @param platform prepared by nsws_platform_init(), copied; NULL: the defaults again. If this call fails, its
 *         `free_fn` is not called.
 * @return NSWS_OK; NSWS_ERR_PARAMETER: the struct was not prepared, or `log_level` is unknown;
 *         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
 * @note Any thread.
 * @since 0.1
 */
int32_t nsws_set_platform(const nsws_platform *platform);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif  /* NETSTACK_WEBSOCKET_H */
