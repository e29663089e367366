#include "client.h"

#include "../../rules/close_codes.h"
#include "../../rules/contain.h"
#include "../../rules/text.h"
#include "events.h"

namespace {

enum ClientEvent {
    OPEN,
    OPEN_INFO,
    MESSAGE,
    CLOSE,
    ERROR,
    DATA_END,
    HEADER_RECEIVE,
    DRAIN,
    RECONNECTING
};

constexpr double US_PER_MS = 1000;

const Object::Names &names() {
    // Never destroyed: other threads may still run when the process ends.
    static const auto *names =
        new Object::Names{"open",    "openInfo",      "message", "close",       "error",
                          "dataEnd", "headerReceive", "drain",   "reconnecting"};
    return *names;
}

Source *source_of(void *user_data) {
    return static_cast<Source *>(user_data);
}

Event event_of(Event::Kind kind, std::unique_ptr<Event::Detail> detail) {
    Event event{};
    event.kind = kind;
    event.detail = std::move(detail);
    return event;
}

// Whether the client will do nothing more by itself.
bool is_idle(nsws_client client) {
    int32_t state = NSWS_STATE_IDLE;
    nsws_client_get_state(client, &state);
    return state == NSWS_STATE_IDLE;
}

// The library's events, on its threads.

void on_header_receive(nsws_client, const nsws_header_receive_event *event, void *user_data) {
    auto detail = std::make_unique<Event::Detail>();
    for (size_t i = 0; i < event->header_count; i++)
        detail->headers.emplace_back(event->headers[i].name, event->headers[i].value);
    source_of(user_data)->push(event_of(Event::Kind::header_receive, std::move(detail)));
}

void on_open(nsws_client, const nsws_open_event *event, void *user_data) {
    auto detail = std::make_unique<Event::Detail>();
    detail->number = event->status;
    detail->text = event->message;
    detail->protocol = event->protocol;
    source_of(user_data)->push(event_of(Event::Kind::open, std::move(detail)));
}

void on_message(nsws_client client, const nsws_message_event *event, void *user_data) {
    Source *source = source_of(user_data);
    if (!source->push_message(source->flows.find(client.id), 0, *event))
        nsws_client_close(client, nsws_rules::CALLBACK_FAILED, "out of memory");
}

void on_close(nsws_client client, const nsws_close_event *event, void *user_data) {
    Event close = event_of(Event::Kind::close, detail_of(*event));
    close.is_last = is_idle(client);
    source_of(user_data)->push(std::move(close));
}

void on_error(nsws_client client, const nsws_error_event *event, void *user_data) {
    Event error = event_of(Event::Kind::error, detail_of(*event));
    error.is_last = is_idle(client);
    source_of(user_data)->push(std::move(error));
}

void on_drain(nsws_client, const nsws_drain_event *, void *user_data) {
    source_of(user_data)->push(event_of(Event::Kind::drain, nullptr));
}

void on_reconnecting(nsws_client, const nsws_reconnecting_event *event, void *user_data) {
    auto detail = std::make_unique<Event::Detail>();
    detail->number = event->attempt;
    detail->amount = event->delay_ms;
    source_of(user_data)->push(event_of(Event::Kind::reconnecting, std::move(detail)));
}

// A listener that no exception leaves: without the memory for an event, the connection ends.
template <auto listener, class Event>
void entry(nsws_client client, const Event *event, void *user_data) {
    nsws_rules::contain(
        [=] { listener(client, event, user_data); },
        [=] { nsws_client_close(client, nsws_rules::CALLBACK_FAILED, "out of memory"); });
}

}  // namespace

Client::Client(Environment &environment) : Object(environment, names()) {}

napi_value Client::define(napi_env env) {
    const auto method = [](const char *name, napi_callback call) {
        return napi_property_descriptor{
            name, nullptr, call, nullptr, nullptr, nullptr, napi_default_method, nullptr};
    };
    const napi_property_descriptor methods[] = {
        method("connect", connect), method("send", send), method("close", close),
        method("on", on),           method("off", off),   method("getStatistics", get_statistics),
    };
    napi_value result = nullptr;
    napi_define_class(env, "WebSocket", NAPI_AUTO_LENGTH, construct, nullptr,
                      sizeof methods / sizeof *methods, methods, &result);
    return result;
}

napi_value Client::construct(napi_env env, napi_callback_info info) {
    Arguments arguments(env, info);
    Environment *environment = Environment::of(env);
    if (environment == nullptr) return nullptr;
    auto *client = new Client(*environment);
    if (client->create() && client->attach(arguments.self)) return arguments.self;
    client->let_go_of_handle();
    delete client;
    napi_throw(env, error_of(env, outcome_of(NSWS_ERR_INTERNAL)));
    return nullptr;
}

bool Client::create() {
    if (nsws_client_create(&handle_) != NSWS_OK) return false;
    flow_ = source()->flows.add(
        handle_.id, [](uint64_t id) { return nsws_client_pause({id}); },
        [](uint64_t id) { return nsws_client_resume({id}); });
    // Each registration uses the source until its free_fn; one that fails doesn't.
    const auto listen = [this](auto add, auto function) {
        if (add(handle_, function, source()->use(), Source::release) != NSWS_OK)
            source()->release();
    };
    listen(nsws_client_on_header_receive, entry<on_header_receive, nsws_header_receive_event>);
    listen(nsws_client_on_open, entry<on_open, nsws_open_event>);
    listen(nsws_client_on_message, entry<on_message, nsws_message_event>);
    listen(nsws_client_on_close, entry<on_close, nsws_close_event>);
    listen(nsws_client_on_error, entry<on_error, nsws_error_event>);
    listen(nsws_client_on_drain, entry<on_drain, nsws_drain_event>);
    listen(nsws_client_on_reconnecting, entry<on_reconnecting, nsws_reconnecting_event>);
    return true;
}

void Client::let_go_of_handle() {
    if (handle_.id != 0) nsws_client_release(handle_);
    handle_ = {};
}

bool Client::is_active() const {
    return state_ != State::idle || own_errors_ > 0;
}

void Client::enter(State state) {
    state_ = state;
    update();
}

napi_value Client::connect(napi_env env, napi_callback_info info) {
    Arguments arguments(env, info);
    auto *client = receiver<Client>(env, arguments.self);
    if (client == nullptr) return nullptr;
    Environment &environment = client->environment();
    napi_value callback = arguments.callback(env);
    // connect(url), connect(url, callback), connect(url, options), connect(url, options, callback).
    // Without a callback the options may be null.
    size_t others = arguments.others(env, callback, 1);
    auto url = js::as_string(env, arguments.values[0]);
    std::string none;
    const Wiped at_the_end(url ? *url : none);
    bool has_options = others == 2;
    if (!url || others == 0 || others > 2 ||
        (has_options && js::type_of(env, arguments.values[1]) != napi_object)) {
        return environment.settle(
            callback, wrong_parameter("connect() takes a URL, options and a callback."));
    }
    ConnectOptions options;
    Outcome outcome = has_options ? options.read(env, arguments.values[1]) : Outcome{};
    if (napi_value exception = js::take_exception(env))
        return environment.settle_with(callback, exception);
    return environment.settle(callback, outcome.is_ok() ? client->connect(*url, options) : outcome);
}

Outcome Client::connect(const std::string &url, ConnectOptions &options) {
    bool has_nul = nsws_rules::has_nul(url), is_busy = state_ != State::idle;
    const auto start = [&] {
        nsws_connect_options given = *options.get();
        // The library may be idle already, with its last event on the way: then it would begin
        // anew. So it is only asked what is wrong with the URL and what comes before it.
        if (is_busy) given.ca_path = nsws_rules::NO_FILE;
        return nsws_client_connect(handle_, has_nul ? nullptr : url.c_str(), &given);
    };
    int32_t code = start();
    if (options.leave_out_compression(code)) code = start();
    if (code == NSWS_ERR_URL && has_nul) return outcome(code, "The URL holds a NUL.");
    if (code == NSWS_ERR_URL && nsws_rules::is_bare_scheme(url)) {
        Outcome failed = outcome(CONNECT_FAILED, "The URL has no host.");
        auto detail = error_detail(failed);
        detail->phase = NSWS_PHASE_PARSE;
        own_errors_++;
        update();
        source()->push(event_of(Event::Kind::call_error, std::move(detail)));
        return failed;
    }
    if (code == NSWS_ERR_CERT_FILE && is_busy) return outcome(NSWS_ERR_ALREADY_CONNECTED, "");
    if (code == NSWS_ERR_CERT_FILE && options.has_wrong_path())
        return outcome(code, "The path of a file holds a NUL.");
    if (code == NSWS_OK) enter(State::connecting);
    return outcome_of(code);
}

napi_value Client::send(napi_env env, napi_callback_info info) {
    Arguments arguments(env, info);
    auto *client = receiver<Client>(env, arguments.self);
    if (client == nullptr) return nullptr;
    Environment &environment = client->environment();
    napi_value callback = arguments.callback(env);
    Payload payload = payload_of(environment, arguments.values[0]);
    bool fits =
        arguments.count == 1 || callback != nullptr || js::is_absent(env, arguments.values[1]);
    if (!payload.is_valid || !fits || arguments.count > 2) {
        return environment.settle(
            callback, wrong_parameter("send() takes a string or an ArrayBuffer, and a callback."));
    }
    bool is_open = client->state_ == State::open;
    nsws_client handle = is_open ? client->handle_ : environment.bystander();
    if (is_open) environment.cork(handle);
    int32_t code = payload.is_text ? nsws_client_send_text(handle, payload.data, payload.length)
                                   : nsws_client_send_binary(handle, payload.data, payload.length);
    return environment.settle(callback, outcome_of(code, CONNECT_FAILED));
}

napi_value Client::close(napi_env env, napi_callback_info info) {
    Arguments arguments(env, info);
    auto *client = receiver<Client>(env, arguments.self);
    if (client == nullptr) return nullptr;
    Environment &environment = client->environment();
    napi_value callback = arguments.callback(env);
    // close(), close(callback), close(options), close(options, callback). Without a callback the
    // options may be null.
    size_t others = arguments.others(env, callback, 0);
    if (others > 1 || (others == 1 && js::type_of(env, arguments.values[0]) != napi_object)) {
        return environment.settle(callback,
                                  wrong_parameter("close() takes options and a callback."));
    }
    CloseOptions options;
    Outcome outcome = others == 1 ? options.read(env, arguments.values[0]) : Outcome{};
    if (napi_value exception = js::take_exception(env))
        return environment.settle_with(callback, exception);
    return environment.settle(callback, outcome.is_ok() ? client->close(options) : outcome);
}

napi_value Client::get_statistics(napi_env env, napi_callback_info info) {
    Arguments arguments(env, info);
    auto *client = receiver<Client>(env, arguments.self);
    if (client == nullptr) return nullptr;
    nsws_client_stats stats{};
    nsws_client_get_stats(client->handle_, &stats, sizeof stats);
    napi_value result = js::object(env);
    const auto number = [&](const char *name, uint64_t value) {
        js::set(env, result, name, js::number(env, static_cast<double>(value)));
    };
    const auto time = [&](const char *name, uint64_t us) {
        js::set(env, result, name, js::number(env, static_cast<double>(us) / US_PER_MS));
    };
    number("messagesSent", stats.messages_sent);
    number("messagesReceived", stats.messages_received);
    number("bytesSent", stats.bytes_sent);
    number("bytesReceived", stats.bytes_received);
    number("wireBytesSent", stats.wire_bytes_sent);
    number("wireBytesReceived", stats.wire_bytes_received);
    number("queuedBytes", stats.queued_bytes);
    number("reconnects", stats.reconnects);
    time("dns", stats.dns_us);
    time("tcp", stats.tcp_us);
    time("proxy", stats.proxy_us);
    time("tls", stats.tls_us);
    time("handshake", stats.handshake_us);
    time("firstMessage", stats.first_message_us);
    time("rtt", stats.rtt_us);
    time("smoothedRtt", stats.smoothed_rtt_us);
    const char *version = stats.tls_version == NSWS_TLS_1_3   ? "TLS 1.3"
                          : stats.tls_version == NSWS_TLS_1_2 ? "TLS 1.2"
                                                              : "";
    js::set(env, result, "tlsVersion", js::text(env, version));
    js::set(env, result, "tlsCipher", js::text(env, stats.tls_cipher));
    js::set(env, result, "tlsResumed", js::boolean(env, stats.tls_resumed != 0));
    js::set(env, result, "peerAddress", js::text(env, stats.peer_ip));
    number("peerPort", stats.peer_port);
    js::set(env, result, "extensions", js::text(env, stats.extensions));
    return result;
}

Outcome Client::close(const CloseOptions &options) {
    bool over = state_ == State::closing || state_ == State::abandoned || state_ == State::ending;
    nsws_client handle = over ? environment().bystander() : handle_;
    int32_t code = nsws_client_close(handle, options.code, options.reason.c_str());
    if (over) return outcome_of(code);
    // The connection or attempt may have ended already, with its last event on the way: to
    // JavaScript it has been closed in time.
    bool closes = code == NSWS_OK || (code == NSWS_ERR_NOT_CONNECTED && state_ != State::idle);
    if (!closes) return outcome_of(code);
    enter(state_ == State::open ? State::closing : State::abandoned);
    return {};
}

void Client::deliver(Event &event) {
    if (event.kind == Event::Kind::call_error) {
        own_errors_--;
        deliver_error(*event.detail);
        update();
        return;
    }
    if (state_ == State::abandoned || state_ == State::ending) {
        // Of a session that JavaScript has closed while connecting, only the end is told, and
        // whatever it was as `close`.
        if (!event.is_last) return;
        bool told = state_ == State::ending;
        enter(State::idle);
        if (!told) emit_close(nsws_rules::ABNORMAL, "", false);
        return;
    }
    switch (event.kind) {
    case Event::Kind::header_receive:
        deliver_headers(*event.detail);
        break;
    case Event::Kind::open:
        deliver_open(*event.detail);
        break;
    case Event::Kind::message:
        deliver_message(event);
        break;
    case Event::Kind::close:
        if (event.is_last) {
            enter(State::idle);
        } else {
            enter(state_ == State::closing ? State::ending : State::connecting);
        }
        emit_close(close_code(*event.detail), event.detail->text, event.detail->was_clean);
        break;
    case Event::Kind::error:
        if (event.is_last) enter(State::idle);
        deliver_error(*event.detail);
        break;
    case Event::Kind::drain:
        emit(DRAIN, 0, nullptr);
        break;
    case Event::Kind::reconnecting:
        deliver_reconnecting(*event.detail);
        break;
    case Event::Kind::call_error:
    case Event::Kind::connect:
        break;
    }
}

void Client::deliver_error(const Event::Detail &detail) {
    if (!has_listeners(ERROR)) return;
    napi_value error = error_value(env(), detail);
    emit(ERROR, 1, &error);
}

void Client::deliver_reconnecting(const Event::Detail &detail) {
    if (!has_listeners(RECONNECTING)) return;
    napi_value value = js::object(env());
    js::set(env(), value, "attempt", js::number(env(), static_cast<double>(detail.number)));
    js::set(env(), value, "delay", js::number(env(), static_cast<double>(detail.amount)));
    emit(RECONNECTING, 1, &value);
}

void Client::deliver_headers(const Event::Detail &detail) {
    if (!has_listeners(HEADER_RECEIVE)) return;
    napi_value object = headers_value(env(), detail.headers);
    emit(HEADER_RECEIVE, 1, &object);
}

void Client::deliver_open(const Event::Detail &detail) {
    enter(State::open);
    const auto value = [&] {
        napi_value object = js::object(env());
        js::set(env(), object, "status", js::number(env(), static_cast<double>(detail.number)));
        js::set(env(), object, "message", js::text(env(), detail.text));
        return object;
    };
    if (has_listeners(OPEN)) {
        napi_value arguments[] = {js::undefined(env()), value()};
        emit(OPEN, 2, arguments);
    }
    if (has_listeners(OPEN_INFO)) {
        napi_value arguments[] = {js::undefined(env()), value()};
        js::set(env(), arguments[1], "protocol", js::text(env(), detail.protocol));
        emit(OPEN_INFO, 2, arguments);
    }
}

void Client::deliver_message(Event &event) {
    if (has_listeners(MESSAGE)) {
        napi_value arguments[] = {js::undefined(env()), message_value(env(), event)};
        emit(MESSAGE, 2, arguments);
    }
    emit(DATA_END, 0, nullptr);
}

void Client::emit_close(double code, std::string_view reason, bool was_clean) {
    if (!has_listeners(CLOSE)) return;
    napi_value value = js::object(env());
    js::set(env(), value, "code", js::number(env(), code));
    js::set(env(), value, "reason", js::text(env(), reason));
    js::set(env(), value, "wasClean", js::boolean(env(), was_clean));
    napi_value arguments[] = {js::undefined(env()), value};
    emit(CLOSE, 2, arguments);
}
