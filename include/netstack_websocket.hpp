// netstack_websocket for C++17: owners that move, std::function as listeners, std::error_code as
// results. It is a thin layer over netstack_websocket.h, whose rules for threads, events and
// options hold here as well.
//
//     nsws::Client client;
//     client.on_open([](nsws::ClientRef self, const nsws::OpenEvent &) {
//         self.send_text("hello");
//     });
//     client.on_message([](nsws::ClientRef, const nsws::MessageEvent &message) {
//         std::cout << message.text() << "\n";
//     });
//     if (std::error_code error = client.connect("wss://example.com/chat")) {
//         std::cerr << nsws::last_error() << "\n";
//     }
//
// No call throws, except when memory is exhausted. Programs that prefer exceptions write
// nsws::check(client.connect(...)), which throws std::system_error. An exception that leaves a
// listener is caught, passed to the function of nsws::set_exception_handler if there is one, and
// ends the connection with code 1011. The header also compiles with -fno-exceptions and -fno-rtti,
// and the units of one program may differ in that: what counts is how the unit that registers the
// listener is built.

#ifndef NETSTACK_WEBSOCKET_HPP
#define NETSTACK_WEBSOCKET_HPP

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "netstack_websocket.h"

namespace nsws {

// Errors.

// The category of the library's codes, NSWS_ERR_* and NSWS_DETAIL_*.
inline const std::error_category &error_category() noexcept {
    class Category final : public std::error_category {
    public:
        const char *name() const noexcept override { return "netstack_websocket"; }
        std::string message(int code) const override { return nsws_error_message(code); }
        std::error_condition default_error_condition(int code) const noexcept override {
            switch (code) {
            case NSWS_ERR_PERMISSION_DENIED:
            case NSWS_ERR_DOMAIN_NOT_ALLOWED:
                return std::errc::permission_denied;
            case NSWS_ERR_PARAMETER:
            case NSWS_ERR_URL:
                return std::errc::invalid_argument;
            case NSWS_ERR_CERT_FILE:
                return std::errc::no_such_file_or_directory;
            case NSWS_ERR_ALREADY_CONNECTED:
                return std::errc::already_connected;
            case NSWS_ERR_LISTEN_ADDRESS:
                return std::errc::address_not_available;
            case NSWS_ERR_PORT_IN_USE:
                return std::errc::address_in_use;
            case NSWS_ERR_NO_CONNECTION:
            case NSWS_ERR_NOT_CONNECTED:
                return std::errc::not_connected;
            case NSWS_ERR_QUEUE_FULL:
                return std::errc::no_buffer_space;
            case NSWS_ERR_WOULD_DEADLOCK:
                return std::errc::resource_deadlock_would_occur;
            case NSWS_ERR_NOT_SUPPORTED:
                return std::errc::not_supported;
            case NSWS_ERR_BUSY:
                return std::errc::device_or_resource_busy;
            case NSWS_ERR_NO_RESOURCES:
                return std::errc::resource_unavailable_try_again;
            case NSWS_DETAIL_TIMEOUT:
            case NSWS_DETAIL_HEARTBEAT_LOST:
            case NSWS_DETAIL_CLOSE_TIMEOUT:
            case NSWS_DETAIL_MESSAGE_TIMEOUT:
                return std::errc::timed_out;
            case NSWS_DETAIL_REFUSED:
                return std::errc::connection_refused;
            case NSWS_DETAIL_UNREACHABLE:
                return std::errc::host_unreachable;
            case NSWS_DETAIL_LINK_LOST:
                return std::errc::connection_reset;
            case NSWS_DETAIL_PROTOCOL:
                return std::errc::protocol_error;
            case NSWS_DETAIL_MESSAGE_TOO_BIG:
                return std::errc::message_size;
            default:
                return std::error_condition(code, *this);
            }
        }
    };
    static const Category category;
    return category;
}

// One of the library's codes; 0 is no error.
inline std::error_code error_code(int32_t code) noexcept {
    return code == NSWS_OK ? std::error_code() : std::error_code(code, error_category());
}

// One sentence about the last call that failed on this thread.
inline std::string_view last_error() noexcept {
    return nsws_last_error();
}

#if defined(__cpp_exceptions)
// Throws the error that a call has returned, with nsws_last_error() as its text.
inline void check(std::error_code error) {
    if (error) {
        throw std::system_error(error, nsws_last_error());
    }
}
#endif

// Values.

// Bytes that the caller keeps during a call: from a pointer and a length, a string, a vector, a
// span.
class Bytes {
public:
    constexpr Bytes() noexcept = default;
    constexpr Bytes(const void *data, std::size_t size) noexcept : data_(data), size_(size) {}
    Bytes(const char *text) noexcept
        : data_(text), size_(text == nullptr ? 0 : std::strlen(text)) {}
    template <
        class Container,
        class Element = std::remove_pointer_t<decltype(std::declval<const Container &>().data())>,
        class = std::enable_if_t<std::is_trivially_copyable_v<Element>>>
    Bytes(const Container &container) noexcept
        : data_(container.data()), size_(container.size() * sizeof(Element)) {}

    const void *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

private:
    const void *data_ = nullptr;
    std::size_t size_ = 0;
};

struct Header {
    std::string_view name, value;
};

// The headers of an event, in the order of arrival.
class Headers {
public:
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Header;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = Header;

        explicit iterator(const nsws_header *at) noexcept : at_(at) {}
        Header operator*() const { return {at_->name, at_->value}; }
        iterator &operator++() noexcept { return ++at_, *this; }
        iterator operator++(int) noexcept { return iterator(at_++); }
        bool operator==(iterator other) const noexcept { return at_ == other.at_; }
        bool operator!=(iterator other) const noexcept { return at_ != other.at_; }

    private:
        const nsws_header *at_;
    };

    Headers(const nsws_header *headers, std::size_t count) noexcept
        : headers_(headers), count_(count) {}
    iterator begin() const noexcept { return iterator(headers_); }
    iterator end() const noexcept { return iterator(headers_ + count_); }
    std::size_t size() const noexcept { return count_; }

    // The first value of a name, without regard to case; "" if there is none.
    std::string_view find(std::string_view name) const noexcept {
        for (const Header header : *this) {
            if (same(header.name, name)) {
                return header.value;
            }
        }
        return {};
    }

private:
    static char lower(char letter) noexcept {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
    }
    static bool same(std::string_view one, std::string_view other) noexcept {
        if (one.size() != other.size()) {
            return false;
        }
        for (std::size_t i = 0; i < one.size(); i++) {
            if (lower(one[i]) != lower(other[i])) {
                return false;
            }
        }
        return true;
    }

    const nsws_header *headers_;
    std::size_t count_;
};

// Events. What they hold lives until the listener returns.

struct HeaderReceiveEvent {
    explicit HeaderReceiveEvent(const nsws_header_receive_event &event)
        : status(event.status), headers(event.headers, event.header_count) {}
    int status;
    Headers headers;
};

struct OpenEvent {
    explicit OpenEvent(const nsws_open_event &event)
        : status(event.status), message(event.message), protocol(event.protocol),
          extensions(event.extensions) {}
    int status;
    std::string_view message;
    // The sub-protocol that the server chose, or "".
    std::string_view protocol;
    // The extensions that were agreed on, as the header has them, or "".
    std::string_view extensions;
};

struct MessageEvent {
    explicit MessageEvent(const nsws_message_event &event)
        : data(event.data), size(event.length), is_text(event.is_text != 0) {}
    const uint8_t *data;
    std::size_t size;
    bool is_text;

    // The payload as characters, whether text or binary.
    std::string_view text() const noexcept { return {reinterpret_cast<const char *>(data), size}; }
    Bytes bytes() const noexcept { return {data, size}; }
};

// A part of a message, with the option receive_parts. The parts of a text end at whole characters.
struct MessagePartEvent {
    explicit MessagePartEvent(const nsws_message_part_event &event)
        : data(event.data), size(event.length), is_text(event.is_text != 0),
          is_first(event.is_first != 0), is_last(event.is_last != 0) {}
    const uint8_t *data;
    std::size_t size;
    bool is_text, is_first, is_last;

    // The part as characters, whether text or binary.
    std::string_view text() const noexcept { return {reinterpret_cast<const char *>(data), size}; }
    Bytes bytes() const noexcept { return {data, size}; }
};

struct DataEndEvent {
    explicit DataEndEvent(const nsws_data_end_event &) {}
};

struct CloseEvent {
    explicit CloseEvent(const nsws_close_event &event)
        : code(event.code), reason(event.reason, event.reason_length),
          was_clean(event.was_clean != 0) {}
    uint16_t code;
    std::string_view reason;
    bool was_clean;
};

struct ErrorEvent {
    explicit ErrorEvent(const nsws_error_event &event)
        : code(error_code(event.code)), detail(error_code(event.detail)), phase(event.phase),
          os_error(event.os_error), http_status(event.http_status), message(event.message),
          headers(event.headers, event.header_count),
          body(reinterpret_cast<const char *>(event.body), event.body_length),
          retry_after(event.retry_after_ms) {}
    std::error_code code;
    // A finer code, one of NSWS_DETAIL_*, or 0.
    std::error_code detail;
    // One of NSWS_PHASE_*.
    int phase;
    int os_error;
    int http_status;
    // One sentence that names host, port and cause.
    std::string_view message;
    // If the server refused the upgrade: the headers of its answer, and the beginning of the body.
    Headers headers;
    std::string_view body;
    // How long the server asks the client to wait; 0: it does not ask.
    std::chrono::milliseconds retry_after;
};

struct DrainEvent {
    explicit DrainEvent(const nsws_drain_event &event) : queued_bytes(event.queued_bytes) {}
    std::size_t queued_bytes;
};

struct ReconnectingEvent {
    explicit ReconnectingEvent(const nsws_reconnecting_event &event)
        : attempt(event.attempt), delay(event.delay_ms) {}
    uint32_t attempt;
    std::chrono::milliseconds delay;
};

struct ConnectEvent {
    explicit ConnectEvent(const nsws_connect_event &event)
        : client_ip(event.client_ip), client_port(event.client_port), path(event.path),
          protocol(event.protocol), headers(event.headers, event.header_count),
          extensions(event.extensions), link_ip(event.link_ip), link_port(event.link_port),
          client_cert_subject(event.client_cert_subject),
          client_cert_fingerprint(event.client_cert_fingerprint),
          client_cert_pem(event.client_cert_pem) {}
    std::string_view client_ip;
    uint16_t client_port;
    std::string_view path, protocol;
    Headers headers;
    // The extensions that were agreed on, as the header has them, or "".
    std::string_view extensions;
    // Where the link comes from: the client, or a trusted proxy in between.
    std::string_view link_ip;
    uint16_t link_port;
    // Of the client's certificate, with the option client_ca_path; "" without.
    std::string_view client_cert_subject, client_cert_fingerprint, client_cert_pem;
};

// A request that isn't an upgrade.
struct HttpRequest {
    explicit HttpRequest(const nsws_http_request &request)
        : method(request.method), path(request.path), client_ip(request.client_ip),
          link_ip(request.link_ip), client_port(request.client_port), link_port(request.link_port),
          headers(request.headers, request.header_count) {}
    std::string_view method, path, client_ip, link_ip;
    uint16_t client_port, link_port;
    Headers headers;
};

// Takes the hook's answer to the request.
class HttpAnswer {
public:
    explicit HttpAnswer(nsws_http_answer *answer) noexcept : answer_(answer) {}
    // A body without a Content-Type is plain text.
    std::error_code
    set(uint16_t status, std::string_view body = {},
        const std::vector<std::pair<std::string, std::string>> &headers = {}) const {
        std::vector<nsws_header> raw;
        for (const auto &[name, value] : headers) {
            raw.push_back({name.c_str(), value.c_str()});
        }
        return error_code(nsws_http_answer_set(answer_, status, raw.data(), raw.size(), body.data(),
                                               body.size()));
    }

private:
    nsws_http_answer *answer_;
};

// An owned copy of an nsws_certificate.
struct Certificate {
    explicit Certificate(const nsws_certificate &certificate)
        : der(certificate.der, certificate.der + certificate.der_length), pem(certificate.pem),
          fingerprint(certificate.fingerprint), pin(certificate.pin), subject(certificate.subject),
          issuer(certificate.issuer),
          names(certificate.names, certificate.names + certificate.name_count),
          not_before_s(certificate.not_before_s), not_after_s(certificate.not_after_s) {}
    std::vector<uint8_t> der;
    std::string pem, fingerprint, pin, subject, issuer;
    std::vector<std::string> names;
    int64_t not_before_s, not_after_s;
};

// Options: the C structs with their defaults. What their pointers point to must live until the call
// returns.

struct ConnectOptions : nsws_connect_options {
    ConnectOptions() noexcept { nsws_connect_options_init(this, sizeof(nsws_connect_options)); }

    // Adds a header to those of the struct.
    ConnectOptions &header(std::string name, std::string value) {
        more_headers.emplace_back(std::move(name), std::move(value));
        return *this;
    }

    std::vector<std::pair<std::string, std::string>> more_headers;
};

struct ServerOptions : nsws_server_options {
    ServerOptions() noexcept { nsws_server_options_init(this, sizeof(nsws_server_options)); }
};

// Exceptions in listeners.

namespace detail {

using ExceptionHandler = void (*)(std::exception_ptr);

inline std::atomic<ExceptionHandler> &exception_handler() noexcept {
    static std::atomic<ExceptionHandler> handler{nullptr};
    return handler;
}

// Units of one program may be built with and without exceptions. Of functions with the same name,
// the linker keeps only one, so those that differ have this in their names.
#if defined(__cpp_exceptions)
struct WithExceptions;
using Mode = WithExceptions;
#else
struct WithoutExceptions;
using Mode = WithoutExceptions;
#endif

// Runs a listener. No exception leaves this function; `thrown` runs instead of the rest.
template <class In, class Body, class Thrown>
auto contain(Body body, [[maybe_unused]] Thrown thrown) noexcept -> decltype(body()) {
#if defined(__cpp_exceptions)
    try {
        return body();
    } catch (...) {
        if (const ExceptionHandler handler = exception_handler().load()) {
            handler(std::current_exception());
        }
        return thrown();
    }
#else
    return body();
#endif
}

template <class F>
struct is_std_function : std::false_type {};
template <class Signature>
struct is_std_function<std::function<Signature>> : std::true_type {};

// Keeps a listener: a std::function that lets no exception out, built as the unit that makes it.
// If it throws, `Failed` is called with the arguments.
template <class Signature, class Failed>
class Guarded;
template <class Result, class... Arguments, class Failed>
class Guarded<Result(Arguments...), Failed> {
public:
    Guarded() = default;
    Guarded(std::nullptr_t) noexcept {}
    template <class F, class In = Mode,
              class = std::enable_if_t<!std::is_same_v<F, Guarded> &&
                                       std::is_invocable_r_v<Result, F &, Arguments...>>>
    Guarded(F f) {
        if constexpr (std::is_pointer_v<F> || is_std_function<F>::value) {
            if (!f) {
                return;
            }
        }
        function_ = [f = std::move(f)](Arguments... arguments) mutable -> Result {
            return contain<In>([&]() -> Result { return f(arguments...); },
                               [&]() -> Result { return Failed()(arguments...); });
        };
    }

    explicit operator bool() const noexcept { return static_cast<bool>(function_); }
    Result operator()(Arguments... arguments) const { return function_(arguments...); }

private:
    std::function<Result(Arguments...)> function_;
};

struct Ignored {
    void operator()(int, std::string_view) const noexcept {}
};

constexpr uint16_t FAILED_HERE = 1011;

inline void fail(nsws_client client) noexcept {
    nsws_client_close(client, FAILED_HERE, nullptr);
}
inline void fail(nsws_connection connection) noexcept {
    nsws_connection_close(connection, FAILED_HERE, nullptr);
}

// A time for the C API; one below 0 is 0.
inline uint32_t in_ms(std::chrono::milliseconds time) noexcept {
    const auto most = static_cast<std::chrono::milliseconds::rep>(NSWS_FOR_EVER);
    const auto count = time.count() < 0 ? 0 : time.count() > most ? most : time.count();
    return static_cast<uint32_t>(count);
}

// Text for the C API; false if it holds a NUL, which would end it early.
inline bool has_nul(std::string_view text) noexcept {
    return text.find('\0') != std::string_view::npos;
}

}  // namespace detail

// Sets the function that receives exceptions from listeners; it must not throw.
// nullptr: none.
inline void set_exception_handler(void (*handler)(std::exception_ptr)) noexcept {
    detail::exception_handler().store(handler);
}

// A registration. Its destructor doesn't remove the listener, which stays until remove() is called
// or its object is destroyed.
class Listener {
public:
    Listener() = default;

    // The error, if the listener could not be registered.
    std::error_code error() const noexcept { return error_; }
    explicit operator bool() const noexcept { return remove_ != nullptr; }

    // The listener is not called again; a running call goes on. May be called inside the
    // listener; a second call has no effect.
    void remove() noexcept {
        if (remove_ != nullptr) {
            std::exchange(remove_, nullptr)(id_, user_data_);
        }
    }

private:
    template <auto on, auto off, class Handle, class Function, class Held>
    friend Listener listen(Handle, Function, Held);

    uint64_t id_ = 0;
    void *user_data_ = nullptr;
    void (*remove_)(uint64_t, void *) = nullptr;
    std::error_code error_;
};

// For the classes below: registers a C function whose user_data is a Held.
template <auto on, auto off, class Handle, class Function, class Held>
Listener listen(Handle handle, Function function, Held held) {
    Listener listener;
    if (!held) {
        listener.error_ = error_code(NSWS_ERR_PARAMETER);
        return listener;
    }
    auto owned = std::make_unique<Held>(std::move(held));
    const int32_t code = on(handle, function, owned.get(),
                            [](void *user_data) { delete static_cast<Held *>(user_data); });
    if (code != NSWS_OK) {
        listener.error_ = error_code(code);
        return listener;
    }
    static const Function known = function;
    listener.id_ = handle.id;
    listener.user_data_ = owned.release();
    listener.remove_ = [](uint64_t id, void *user_data) { off(Handle{id}, known, user_data); };
    return listener;
}

// Clients.

// Names a client without owning it. A value that may be copied; once the client is destroyed, every
// call is refused.
class ClientRef {
public:
    ClientRef() = default;
    explicit ClientRef(nsws_client handle) noexcept : handle_(handle) {}

    nsws_client get() const noexcept { return handle_; }
    explicit operator bool() const noexcept { return handle_.id != 0; }

    std::error_code connect(std::string_view url, const ConnectOptions &options = {}) const {
        if (detail::has_nul(url)) {
            return error_code(NSWS_ERR_URL);
        }
        nsws_connect_options given = options;
        std::vector<nsws_header> headers;
        if (!options.more_headers.empty()) {
            if (options.headers != nullptr) {
                headers.assign(options.headers, options.headers + options.header_count);
            }
            for (const auto &[name, value] : options.more_headers) {
                if (detail::has_nul(name) || detail::has_nul(value)) {
                    return error_code(NSWS_ERR_PARAMETER);
                }
                headers.push_back({name.c_str(), value.c_str()});
            }
            given.headers = headers.data();
            given.header_count = headers.size();
        }
        return error_code(nsws_client_connect(handle_, std::string(url).c_str(), &given));
    }
    std::error_code send_text(std::string_view text) const noexcept {
        return error_code(nsws_client_send_text(handle_, text.data(), text.size()));
    }
    std::error_code send_binary(Bytes data) const noexcept {
        return error_code(nsws_client_send_binary(handle_, data.data(), data.size()));
    }
    // Sends a part of a message; until the last one, other messages are refused.
    std::error_code send_text_part(std::string_view text, bool is_last) const noexcept {
        return error_code(
            nsws_client_send_part(handle_, text.data(), text.size(), 1, is_last ? 1 : 0));
    }
    std::error_code send_binary_part(Bytes data, bool is_last) const noexcept {
        return error_code(
            nsws_client_send_part(handle_, data.data(), data.size(), 0, is_last ? 1 : 0));
    }
    std::error_code ping(Bytes data = {}) const noexcept {
        return error_code(nsws_client_ping(handle_, data.data(), data.size()));
    }
    // Small messages wait until uncork(), which sends them together.
    std::error_code cork() const noexcept { return error_code(nsws_client_cork(handle_)); }
    std::error_code uncork() const noexcept { return error_code(nsws_client_uncork(handle_)); }
    // Stops reading until resume().
    std::error_code pause() const noexcept { return error_code(nsws_client_pause(handle_)); }
    std::error_code resume() const noexcept { return error_code(nsws_client_resume(handle_)); }
    std::error_code close(uint16_t code = 1000, std::string_view reason = {}) const {
        if (detail::has_nul(reason)) {
            return error_code(NSWS_ERR_PARAMETER);
        }
        return error_code(nsws_client_close(handle_, code, std::string(reason).c_str()));
    }
    // One of NSWS_STATE_*; NSWS_STATE_IDLE if there is no such client.
    int state() const noexcept {
        int32_t state = NSWS_STATE_IDLE;
        nsws_client_get_state(handle_, &state);
        return state;
    }
    // Pings the server; if nothing arrives within the time, the connection is lost.
    std::error_code check(std::chrono::milliseconds timeout) const noexcept {
        return error_code(nsws_client_check(handle_, detail::in_ms(timeout)));
    }
    std::error_code get_stats(nsws_client_stats &stats) const noexcept {
        return error_code(nsws_client_get_stats(handle_, &stats, sizeof stats));
    }
    // Those that the server has presented in TLS, its own first; see
    // nsws_client_list_certificates(). Without memory for one, the list lacks it.
    std::vector<Certificate> certificates() const {
        std::vector<Certificate> list;
        const Take take = [](const nsws_certificate &certificate, std::vector<Certificate> &to) {
            to.emplace_back(certificate);
        };
        std::pair<const Take &, std::vector<Certificate> &> both(take, list);
        nsws_client_list_certificates(
            handle_,
            [](nsws_client, const nsws_certificate *certificate, void *user_data) {
                auto &given = *static_cast<decltype(both) *>(user_data);
                given.first(*certificate, given.second);
            },
            &both);
        return list;
    }

    // Runs when a listener throws.
    struct Failed {
        template <class Event>
        void operator()(ClientRef client, const Event &) const noexcept {
            detail::fail(client.get());
        }
    };

    template <class Event>
    using On = detail::Guarded<void(ClientRef, const Event &), Failed>;

    // Called if there is no memory for a certificate: it is left out.
    struct Skipped {
        void operator()(const nsws_certificate &, std::vector<Certificate> &) const noexcept {}
    };
    using Take =
        detail::Guarded<void(const nsws_certificate &, std::vector<Certificate> &), Skipped>;

    Listener on_header_receive(On<HeaderReceiveEvent> f) const {
        return add<nsws_client_on_header_receive, nsws_client_off_header_receive,
                   nsws_header_receive_event>(std::move(f));
    }
    Listener on_open(On<OpenEvent> f) const {
        return add<nsws_client_on_open, nsws_client_off_open, nsws_open_event>(std::move(f));
    }
    Listener on_message(On<MessageEvent> f) const {
        return add<nsws_client_on_message, nsws_client_off_message, nsws_message_event>(
            std::move(f));
    }
    // Instead of on_message(), with the option receive_parts.
    Listener on_message_part(On<MessagePartEvent> f) const {
        return add<nsws_client_on_message_part, nsws_client_off_message_part,
                   nsws_message_part_event>(std::move(f));
    }
    Listener on_data_end(On<DataEndEvent> f) const {
        return add<nsws_client_on_data_end, nsws_client_off_data_end, nsws_data_end_event>(
            std::move(f));
    }
    Listener on_close(On<CloseEvent> f) const {
        return add<nsws_client_on_close, nsws_client_off_close, nsws_close_event>(std::move(f));
    }
    Listener on_error(On<ErrorEvent> f) const {
        return add<nsws_client_on_error, nsws_client_off_error, nsws_error_event>(std::move(f));
    }
    Listener on_drain(On<DrainEvent> f) const {
        return add<nsws_client_on_drain, nsws_client_off_drain, nsws_drain_event>(std::move(f));
    }
    Listener on_reconnecting(On<ReconnectingEvent> f) const {
        return add<nsws_client_on_reconnecting, nsws_client_off_reconnecting,
                   nsws_reconnecting_event>(std::move(f));
    }

protected:
    nsws_client handle_{0};

private:
    template <class Raw, class Event>
    static void call(nsws_client client, const Raw *event, void *user_data) {
        (*static_cast<On<Event> *>(user_data))(ClientRef(client), Event(*event));
    }

    template <auto on, auto off, class Raw, class Event>
    Listener add(On<Event> f) const {
        return listen<on, off>(handle_, &ClientRef::call<Raw, Event>, std::move(f));
    }
};

// Owns a client as a std::unique_ptr does: only one thread at a time may use this object, but any
// may use the client that it owns. If the client could not be created, every call returns
// NSWS_ERR_BAD_HANDLE, and error() says why.
class Client : public ClientRef {
public:
    Client() noexcept : error_(error_code(nsws_client_create(&handle_))) {}
    Client(Client &&other) noexcept
        : ClientRef(std::exchange(other.handle_, nsws_client{0})), error_(other.error_) {}
    Client &operator=(Client &&other) noexcept {
        if (this != &other) {
            destroy();
            handle_ = std::exchange(other.handle_, nsws_client{0});
            error_ = other.error_;
        }
        return *this;
    }
    // As destroy().
    ~Client() { destroy(); }

    std::error_code error() const noexcept { return error_; }

    // When this returns, no listener runs or will run, and each has been released; inside callbacks
    // it doesn't wait for that. An open connection is closed in the background.
    void destroy() noexcept {
        if (handle_.id != 0) {
            nsws_client_destroy(std::exchange(handle_, nsws_client{0}));
        }
    }
    // As destroy(), but never waits.
    void release() noexcept {
        if (handle_.id != 0) {
            nsws_client_release(std::exchange(handle_, nsws_client{0}));
        }
    }

private:
    std::error_code error_;
};

// Servers.

// Names a connection of a server. A value that may be copied; once the connection is over, every
// call is refused.
class Connection {
public:
    Connection() = default;
    explicit Connection(nsws_connection handle) noexcept : handle_(handle) {}

    nsws_connection get() const noexcept { return handle_; }
    explicit operator bool() const noexcept { return handle_.id != 0; }
    bool operator==(Connection other) const noexcept { return handle_.id == other.handle_.id; }
    bool operator!=(Connection other) const noexcept { return !(*this == other); }

    std::error_code send_text(std::string_view text) const noexcept {
        return error_code(nsws_connection_send_text(handle_, text.data(), text.size()));
    }
    std::error_code send_binary(Bytes data) const noexcept {
        return error_code(nsws_connection_send_binary(handle_, data.data(), data.size()));
    }
    // Sends a part of a message; until the last one, other messages to this client are refused.
    std::error_code send_text_part(std::string_view text, bool is_last) const noexcept {
        return error_code(
            nsws_connection_send_part(handle_, text.data(), text.size(), 1, is_last ? 1 : 0));
    }
    std::error_code send_binary_part(Bytes data, bool is_last) const noexcept {
        return error_code(
            nsws_connection_send_part(handle_, data.data(), data.size(), 0, is_last ? 1 : 0));
    }
    std::error_code ping(Bytes data = {}) const noexcept {
        return error_code(nsws_connection_ping(handle_, data.data(), data.size()));
    }
    // Small messages wait until uncork(), which sends them together.
    std::error_code cork() const noexcept { return error_code(nsws_connection_cork(handle_)); }
    std::error_code uncork() const noexcept { return error_code(nsws_connection_uncork(handle_)); }
    // Stops reading until resume().
    std::error_code pause() const noexcept { return error_code(nsws_connection_pause(handle_)); }
    std::error_code resume() const noexcept { return error_code(nsws_connection_resume(handle_)); }
    std::error_code close(uint16_t code = 1000, std::string_view reason = {}) const {
        if (detail::has_nul(reason)) {
            return error_code(NSWS_ERR_PARAMETER);
        }
        return error_code(nsws_connection_close(handle_, code, std::string(reason).c_str()));
    }
    // Becomes a member of a group, for ServerRef::broadcast_text_to(), until it leaves or is over.
    std::error_code join(std::string_view group) const {
        return detail::has_nul(group)
                   ? error_code(NSWS_ERR_PARAMETER)
                   : error_code(nsws_connection_join(handle_, std::string(group).c_str()));
    }
    std::error_code leave(std::string_view group) const {
        return detail::has_nul(group)
                   ? error_code(NSWS_ERR_PARAMETER)
                   : error_code(nsws_connection_leave(handle_, std::string(group).c_str()));
    }
    std::error_code get_info(nsws_connection_info &info) const noexcept {
        return error_code(nsws_connection_get_info(handle_, &info, sizeof info));
    }

private:
    nsws_connection handle_{0};
};

// Names a server without owning it. A value that may be copied; once the server is destroyed, every
// call is refused.
class ServerRef {
public:
    ServerRef() = default;
    explicit ServerRef(nsws_server handle) noexcept : handle_(handle) {}

    nsws_server get() const noexcept { return handle_; }
    explicit operator bool() const noexcept { return handle_.id != 0; }

    std::error_code start(const ServerOptions &options = {}) const noexcept {
        return error_code(nsws_server_start(handle_, &options));
    }
    std::error_code stop() const noexcept { return error_code(nsws_server_stop(handle_)); }
    // Stops, and waits until every connection has had its close event; not inside callbacks.
    // NSWS_ERR_BUSY: some had to be cut. At most about 49 days.
    std::error_code stop_gracefully(std::chrono::milliseconds timeout) const noexcept {
        const auto most = std::chrono::milliseconds::rep{0xFFFFFFFF};
        const auto count = timeout.count() < 0      ? 0
                           : timeout.count() > most ? most
                                                    : timeout.count();
        return error_code(nsws_server_stop_gracefully(handle_, static_cast<uint32_t>(count)));
    }

    // NSWS_STATE_IDLE, NSWS_STATE_OPEN (it listens) or NSWS_STATE_CLOSING; NSWS_STATE_IDLE if there
    // is no such server.
    int state() const noexcept {
        int32_t state = NSWS_STATE_IDLE;
        nsws_server_get_state(handle_, &state);
        return state;
    }

    // The port that the server listens on; 0 if it doesn't listen.
    uint16_t port() const noexcept {
        uint16_t port = 0;
        nsws_server_get_port(handle_, &port);
        return port;
    }

    std::vector<Connection> connections() const {
        std::vector<nsws_connection> handles;
        std::size_t count = 0;
        do {
            handles.resize(count);
            if (nsws_server_list_connections(handle_, handles.data(), handles.size(), &count) !=
                NSWS_OK) {
                return {};
            }
        } while (count > handles.size());
        std::vector<Connection> connections;
        for (std::size_t i = 0; i < count; i++) {
            connections.emplace_back(handles[i]);
        }
        return connections;
    }

    // The connection of a client; an invalid one if there is none.
    Connection find(std::string_view client_ip, uint16_t client_port) const {
        nsws_connection found{0};
        nsws_server_find_connection(handle_, std::string(client_ip).c_str(), client_port, &found);
        return Connection(found);
    }

    // Sends to every connection; `accepted`, if given, receives how many accepted the message.
    std::error_code broadcast_text(std::string_view text,
                                   std::size_t *accepted = nullptr) const noexcept {
        return error_code(nsws_server_broadcast(handle_, text.data(), text.size(), 1, accepted));
    }
    std::error_code broadcast_binary(Bytes data, std::size_t *accepted = nullptr) const noexcept {
        return error_code(nsws_server_broadcast(handle_, data.data(), data.size(), 0, accepted));
    }

    // Sends to the members of a group.
    std::error_code broadcast_text_to(std::string_view group, std::string_view text,
                                      std::size_t *accepted = nullptr) const {
        return broadcast_to(group, text.data(), text.size(), 1, accepted);
    }
    std::error_code broadcast_binary_to(std::string_view group, Bytes data,
                                        std::size_t *accepted = nullptr) const {
        return broadcast_to(group, data.data(), data.size(), 0, accepted);
    }

    // The addresses and IPv6 networks that are banned now.
    std::vector<nsws_ban> bans() const {
        std::vector<nsws_ban> list;
        std::size_t count = 0;
        do {
            list.resize(count);
            if (nsws_server_list_bans(handle_, list.data(), list.size(), &count) != NSWS_OK) {
                return {};
            }
        } while (count > list.size());
        list.resize(count);
        return list;
    }
    std::error_code unban(std::string_view ip) const {
        return detail::has_nul(ip)
                   ? error_code(NSWS_ERR_PARAMETER)
                   : error_code(nsws_server_unban(handle_, std::string(ip).c_str()));
    }

    // Adds a certificate for other names (SNI), until the server is destroyed.
    std::error_code add_certificate(std::string_view cert_path, std::string_view key_path) const {
        if (detail::has_nul(cert_path) || detail::has_nul(key_path)) {
            return error_code(NSWS_ERR_PARAMETER);
        }
        return error_code(nsws_server_add_certificate(handle_, std::string(cert_path).c_str(),
                                                      std::string(key_path).c_str()));
    }
    // Reads all certificate files again; when they have changed, this happens by itself.
    std::error_code reload_certificates() const noexcept {
        return error_code(nsws_server_reload_certificates(handle_));
    }

    // Runs when a listener throws.
    struct Failed {
        template <class Event>
        void operator()(ServerRef, Connection connection, const Event &) const noexcept {
            detail::fail(connection.get());
        }
        uint16_t operator()(ServerRef, const ConnectEvent &) const noexcept {
            constexpr uint16_t INTERNAL_SERVER_ERROR = 500;
            return INTERNAL_SERVER_ERROR;
        }
        void operator()(ServerRef, const HttpRequest &, HttpAnswer answer) const noexcept {
            constexpr uint16_t INTERNAL_SERVER_ERROR = 500;
            answer.set(INTERNAL_SERVER_ERROR);
        }
    };

    using AcceptHook = detail::Guarded<uint16_t(ServerRef, const ConnectEvent &), Failed>;

    // Sets the hook that decides whether a client may connect: 0 accepts it, an HTTP status refuses
    // it. Empty: none.
    std::error_code set_accept_hook(AcceptHook f) const {
        using Hook = AcceptHook;
        if (!f) {
            return error_code(nsws_server_set_accept_hook(handle_, nullptr, nullptr, nullptr));
        }
        auto held = std::make_unique<Hook>(std::move(f));
        const int32_t code = nsws_server_set_accept_hook(
            handle_,
            [](nsws_server server, const nsws_connect_event *event, void *user_data) -> uint16_t {
                return (*static_cast<Hook *>(user_data))(ServerRef(server), ConnectEvent(*event));
            },
            held.get(), [](void *user_data) { delete static_cast<Hook *>(user_data); });
        if (code == NSWS_OK) {
            (void)held.release();
        }
        return error_code(code);
    }

    using HttpHook = detail::Guarded<void(ServerRef, const HttpRequest &, HttpAnswer), Failed>;

    // Sets the function that answers requests that aren't upgrades. Empty: they are refused.
    std::error_code set_http_hook(HttpHook f) const {
        using Hook = HttpHook;
        if (!f) {
            return error_code(nsws_server_set_http_hook(handle_, nullptr, nullptr, nullptr));
        }
        auto held = std::make_unique<Hook>(std::move(f));
        const int32_t code = nsws_server_set_http_hook(
            handle_,
            [](nsws_server server, const nsws_http_request *request, nsws_http_answer *answer,
               void *user_data) {
                (*static_cast<Hook *>(user_data))(ServerRef(server), HttpRequest(*request),
                                                  HttpAnswer(answer));
            },
            held.get(), [](void *user_data) { delete static_cast<Hook *>(user_data); });
        if (code == NSWS_OK) {
            (void)held.release();
        }
        return error_code(code);
    }

    template <class Event>
    using On = detail::Guarded<void(ServerRef, Connection, const Event &), Failed>;

    Listener on_connect(On<ConnectEvent> f) const {
        return add<nsws_server_on_connect, nsws_server_off_connect, nsws_connect_event>(
            std::move(f));
    }
    Listener on_message(On<MessageEvent> f) const {
        return add<nsws_server_on_message, nsws_server_off_message, nsws_message_event>(
            std::move(f));
    }
    // Instead of on_message(), with the option receive_parts.
    Listener on_message_part(On<MessagePartEvent> f) const {
        return add<nsws_server_on_message_part, nsws_server_off_message_part,
                   nsws_message_part_event>(std::move(f));
    }
    Listener on_close(On<CloseEvent> f) const {
        return add<nsws_server_on_close, nsws_server_off_close, nsws_close_event>(std::move(f));
    }
    // The connection is invalid if the server itself has failed.
    Listener on_error(On<ErrorEvent> f) const {
        return add<nsws_server_on_error, nsws_server_off_error, nsws_error_event>(std::move(f));
    }
    Listener on_drain(On<DrainEvent> f) const {
        return add<nsws_server_on_drain, nsws_server_off_drain, nsws_drain_event>(std::move(f));
    }

protected:
    nsws_server handle_{0};

private:
    std::error_code broadcast_to(std::string_view group, const void *data, std::size_t size,
                                 uint8_t is_text, std::size_t *accepted) const {
        return detail::has_nul(group)
                   ? error_code(NSWS_ERR_PARAMETER)
                   : error_code(nsws_server_broadcast_group(handle_, std::string(group).c_str(),
                                                            data, size, is_text, accepted));
    }

    template <class Raw, class Event>
    static void call(nsws_server server, nsws_connection connection, const Raw *event,
                     void *user_data) {
        (*static_cast<On<Event> *>(user_data))(ServerRef(server), Connection(connection),
                                               Event(*event));
    }

    template <auto on, auto off, class Raw, class Event>
    Listener add(On<Event> f) const {
        return listen<on, off>(handle_, &ServerRef::call<Raw, Event>, std::move(f));
    }
};

// Owns a server, as Client owns a client. If the server could not be created, every call returns
// NSWS_ERR_BAD_HANDLE, and error() says why.
class Server : public ServerRef {
public:
    Server() noexcept : error_(error_code(nsws_server_create(&handle_))) {}
    Server(Server &&other) noexcept
        : ServerRef(std::exchange(other.handle_, nsws_server{0})), error_(other.error_) {}
    Server &operator=(Server &&other) noexcept {
        if (this != &other) {
            destroy();
            handle_ = std::exchange(other.handle_, nsws_server{0});
            error_ = other.error_;
        }
        return *this;
    }
    // As destroy().
    ~Server() { destroy(); }

    std::error_code error() const noexcept { return error_; }

    // Stops. When this returns, no listener runs or will run, and each has been released; inside
    // callbacks it doesn't wait for that.
    void destroy() noexcept {
        if (handle_.id != 0) {
            nsws_server_destroy(std::exchange(handle_, nsws_server{0}));
        }
    }
    // As destroy(), but never waits.
    void release() noexcept {
        if (handle_.id != 0) {
            nsws_server_release(std::exchange(handle_, nsws_server{0}));
        }
    }

private:
    std::error_code error_;
};

// The library.

// Sets the receiver of the log, up to a level (NSWS_LOG_*). Empty: none.
using LogReceiver = detail::Guarded<void(int, std::string_view), detail::Ignored>;
inline std::error_code set_log(int level, LogReceiver f) {
    using Receiver = LogReceiver;
    if (!f) {
        return error_code(nsws_set_log_callback(NSWS_LOG_OFF, nullptr, nullptr, nullptr));
    }
    auto held = std::make_unique<Receiver>(std::move(f));
    const int32_t code = nsws_set_log_callback(
        level,
        [](int32_t of, const char *line, void *user_data) {
            (*static_cast<Receiver *>(user_data))(of, line);
        },
        held.get(), [](void *user_data) { delete static_cast<Receiver *>(user_data); });
    if (code == NSWS_OK) {
        (void)held.release();
    }
    return error_code(code);
}

// Ends all objects and the library's threads; if it fails, last_error() says what is still busy.
// Afterwards the library can be used again. std::chrono::milliseconds::max() waits without end.
inline std::error_code shutdown(std::chrono::milliseconds timeout) noexcept {
    return error_code(nsws_shutdown(detail::in_ms(timeout)));
}

// Tells the library that the network has changed: open clients are checked, and those that wait
// to connect again try at once.
inline std::error_code network_changed(std::chrono::milliseconds timeout) noexcept {
    return error_code(nsws_network_changed(detail::in_ms(timeout)));
}

// The platform.

// The system's proxy; none by default.
struct SystemProxy : nsws_system_proxy {
    SystemProxy() noexcept { nsws_system_proxy_init(this, sizeof(nsws_system_proxy)); }
};

// Takes a hook's answer which proxy the system has.
class SystemProxyAnswer {
public:
    explicit SystemProxyAnswer(nsws_system_proxy_answer *answer) noexcept : answer_(answer) {}
    std::error_code set(const SystemProxy &proxy) const noexcept {
        return error_code(nsws_system_proxy_set(answer_, &proxy));
    }

private:
    nsws_system_proxy_answer *answer_;
};

// Takes a hook's answer which addresses a host has.
class ResolveAnswer {
public:
    explicit ResolveAnswer(nsws_resolve_answer *answer) noexcept : answer_(answer) {}
    // Separated by commas; "": the host has none.
    std::error_code set(std::string_view addresses) const {
        // Text with a NUL is no address. The library has to hear of it, so that the attempt fails.
        const std::string text(detail::has_nul(addresses) ? "?" : addresses);
        return error_code(nsws_resolve_answer_set(answer_, text.c_str()));
    }

private:
    nsws_resolve_answer *answer_;
};

// The hooks for what only the platform knows: see nsws_platform. An empty one has its default. They
// are called on any thread, and on several at once. One that throws answers no, or fails the
// attempt to connect. The log is set_log()'s.
struct Platform {
    struct Denied {
        template <class... Arguments>
        bool operator()(Arguments...) const noexcept {
            return false;
        }
    };
    struct Failed {
        void operator()(std::string_view, ResolveAnswer answer) const noexcept { answer.set({}); }
        void operator()(std::string_view, SystemProxyAnswer answer) const noexcept {
            // Without an answer, the attempt would go on without a proxy; this one is invalid.
            SystemProxy none;
            none.host = "?";
            answer.set(none);
        }
    };

    detail::Guarded<bool(), Denied> has_internet_permission;
    // With the host and the URL.
    detail::Guarded<bool(std::string_view, std::string_view), Denied> is_host_allowed;
    // With scheme, host and port of the server, as a URL.
    detail::Guarded<void(std::string_view, SystemProxyAnswer), Failed> get_system_proxy;
    detail::Guarded<bool(), Denied> trusts_user_ca;
    detail::Guarded<bool(), Denied> is_tv_device;
    // With the host. If it doesn't answer, the system is asked.
    detail::Guarded<void(std::string_view, ResolveAnswer), Failed> resolve;
};

// Sets the hooks of the whole process, in place of all earlier ones: once, before the first
// connection. Platform(): the defaults.
inline std::error_code set_platform(Platform hooks) {
    auto held = std::make_unique<Platform>(std::move(hooks));
    nsws_platform raw;
    if (const int32_t code = nsws_platform_init(&raw, sizeof raw)) {
        return error_code(code);
    }
    raw.user_data = held.get();
    raw.free_fn = [](void *user_data) { delete static_cast<Platform *>(user_data); };
    if (held->has_internet_permission) {
        raw.has_internet_permission = [](void *user_data) -> uint8_t {
            return static_cast<Platform *>(user_data)->has_internet_permission() ? 1 : 0;
        };
    }
    if (held->is_host_allowed) {
        raw.is_host_allowed = [](const char *host, const char *url, void *user_data) -> uint8_t {
            return static_cast<Platform *>(user_data)->is_host_allowed(host, url) ? 1 : 0;
        };
    }
    if (held->get_system_proxy) {
        raw.get_system_proxy = [](const char *url, nsws_system_proxy_answer *answer,
                                  void *user_data) {
            static_cast<Platform *>(user_data)->get_system_proxy(url, SystemProxyAnswer(answer));
        };
    }
    if (held->trusts_user_ca) {
        raw.trusts_user_ca = [](void *user_data) -> uint8_t {
            return static_cast<Platform *>(user_data)->trusts_user_ca() ? 1 : 0;
        };
    }
    if (held->is_tv_device) {
        raw.is_tv_device = [](void *user_data) -> uint8_t {
            return static_cast<Platform *>(user_data)->is_tv_device() ? 1 : 0;
        };
    }
    if (held->resolve) {
        raw.resolve = [](const char *host, nsws_resolve_answer *answer, void *user_data) {
            static_cast<Platform *>(user_data)->resolve(host, ResolveAnswer(answer));
        };
    }
    const int32_t code = nsws_set_platform(&raw);
    if (code == NSWS_OK) {
        (void)held.release();
    }
    return error_code(code);
}

}  // namespace nsws

#endif  // NETSTACK_WEBSOCKET_HPP
