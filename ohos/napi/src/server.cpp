#include "server.h"

#include "../../rules/close_codes.h"
#include "../../rules/contain.h"
#include "events.h"

namespace {

enum ServerEvent { CONNECT, MESSAGE_RECEIVE, CLOSE, ERROR, DRAIN };

const Object::Names &names() {
    // Never destroyed: other threads may still run when the process ends.
    static const auto *names =
        new Object::Names{"connect", "messageReceive", "close", "error", "drain"};
    return *names;
}

Source *source_of(void *user_data) {
    return static_cast<Source *>(user_data);
}

Event event_of(Event::Kind kind, nsws_connection connection,
               std::unique_ptr<Event::Detail> detail) {
    Event event{};
    event.kind = kind;
    event.connection = connection.id;
    event.detail = std::move(detail);
    return event;
}

std::string name_of(std::string_view address, uint32_t port) {
    std::string name(address);
    name += ' ';
    name += std::to_string(port);
    return name;
}

// The library's events, on its threads.

void on_connect(nsws_server, nsws_connection connection, const nsws_connect_event *event,
                void *user_data) {
    source_of(user_data)->flows.add(
        connection.id, [](uint64_t id) { return nsws_connection_pause({id}); },
        [](uint64_t id) { return nsws_connection_resume({id}); });
    auto detail = std::make_unique<Event::Detail>();
    detail->text = event->client_ip;
    detail->number = event->client_port;
    source_of(user_data)->push(event_of(Event::Kind::connect, connection, std::move(detail)));
}

void on_message(nsws_server, nsws_connection connection, const nsws_message_event *event,
                void *user_data) {
    Source *source = source_of(user_data);
    Flow *flow = source->flows.find(connection.id);
    if (flow == nullptr || !source->push_message(flow, connection.id, *event))
        nsws_connection_close(connection, nsws_rules::CALLBACK_FAILED, "out of memory");
}

void on_close(nsws_server, nsws_connection connection, const nsws_close_event *event,
              void *user_data) {
    source_of(user_data)->push(event_of(Event::Kind::close, connection, detail_of(*event)));
}

void on_error(nsws_server, nsws_connection connection, const nsws_error_event *event,
              void *user_data) {
    source_of(user_data)->push(event_of(Event::Kind::error, connection, detail_of(*event)));
}

void on_drain(nsws_server, nsws_connection connection, const nsws_drain_event *, void *user_data) {
    source_of(user_data)->push(event_of(Event::Kind::drain, connection, nullptr));
}

// A listener that no exception leaves: without the memory for an event, the connection ends.
template <auto listener, class Event>
void entry(nsws_server server, nsws_connection connection, const Event *event, void *user_data) {
    nsws_rules::contain(
        [=] { listener(server, connection, event, user_data); },
        [=] { nsws_connection_close(connection, nsws_rules::CALLBACK_FAILED, "out of memory"); });
}

}  // namespace

Server::Server(Environment &environment) : Object(environment, names()) {}

Server::~Server() {
    for (auto &[connection, peer] : peers_)
        napi_delete_reference(env(), peer.value);
}

napi_value Server::define(napi_env env) {
    const auto method = [](const char *name, napi_callback call) {
        return napi_property_descriptor{
            name, nullptr, call, nullptr, nullptr, nullptr, napi_default_method, nullptr};
    };
    const napi_property_descriptor methods[] = {
        method("start", start), method("send", send),
        method("close", close), method("listAllConnections", list_all_connections),
        method("stop", stop),   method("on", on),
        method("off", off),
    };
    napi_value result = nullptr;
    napi_define_class(env, "WebSocketServer", NAPI_AUTO_LENGTH, construct, nullptr,
                      sizeof methods / sizeof *methods, methods, &result);
    return result;
}

bool Server::is_supported() {
    nsws_server server{};
    int32_t code = nsws_server_create(&server);
    if (code == NSWS_OK) nsws_server_release(server);
    return code != NSWS_ERR_NOT_SUPPORTED;
}

napi_value Server::construct(napi_env env, napi_callback_info info) {
    Arguments arguments(env, info);
    Environment *environment = Environment::of(env);
    if (environment == nullptr) return nullptr;
    auto *server = new Server(*environment);
    if (server->create() && server->attach(arguments.self)) return arguments.self;
    server->let_go_of_handle();
    delete server;
    napi_throw(env, error_of(env, outcome_of(NSWS_ERR_INTERNAL)));
    return nullptr;
}

bool Server::create() {
    if (nsws_server_create(&handle_) != NSWS_OK) return false;
    // Each registration uses the source until its free_fn; one that fails doesn't.
    const auto listen = [this](auto add, auto function) {
        if (add(handle_, function, source()->use(), Source::release) != NSWS_OK)
            source()->release();
    };
    listen(nsws_server_on_connect, entry<on_connect, nsws_connect_event>);
    listen(nsws_server_on_message, entry<on_message, nsws_message_event>);
    listen(nsws_server_on_close, entry<on_close, nsws_close_event>);
    listen(nsws_server_on_error, entry<on_error, nsws_error_event>);
    listen(nsws_server_on_drain, entry<on_drain, nsws_drain_event>);
    return true;
}

void Server::let_go_of_handle() {
    if (handle_.id != 0) nsws_server_release(handle_);
    handle_ = {};
}

bool Server::is_active() const {
    return is_listening_ || !peers_.empty() || own_errors_ > 0;
}

void Server::tell_failed_start(const Outcome &outcome) {
    own_errors_++;
    update();
    source()->push(event_of(Event::Kind::call_error, {}, error_detail(outcome)));
}

napi_value Server::settle(Outcome outcome) {
    outcome.unknown = "Websocket other unknown error.";
    return environment().settle(nullptr, outcome);
}

Outcome Server::after_permission(Outcome outcome) const {
    size_t count = 0;
    int32_t code = nsws_server_list_connections(handle_, nullptr, 0, &count);
    return code == NSWS_ERR_PERMISSION_DENIED ? outcome_of(code) : outcome;
}

Outcome Server::find(napi_value value, nsws_connection &connection) {
    char address[64];
    size_t length = 0;
    napi_value ip = nullptr;
    if (js::type_of(env(), value) == napi_object) ip = js::get(env(), value, "clientIP");
    auto port =
        ip == nullptr ? std::nullopt : js::as_number(env(), js::get(env(), value, "clientPort"));
    if (js::type_of(env(), ip) != napi_string || !port) {
        return wrong_parameter("The connection is no {clientIP: string, clientPort: number}.");
    }
    napi_get_value_string_utf8(env(), ip, address, sizeof address, &length);
    auto number = *port >= 0 && *port <= 65535 ? static_cast<uint16_t>(*port) : uint16_t{0};
    auto known = names_.find(name_of({address, length}, number));
    if (known != names_.end()) {
        connection = {known->second};
        return {};
    }
    // The address may be written in another way.
    if (number != 0 &&
        nsws_server_find_connection(handle_, address, number, &connection) == NSWS_OK &&
        peers_.count(connection.id) != 0) {
        return {};
    }
    return after_permission(outcome(NSWS_ERR_NO_CONNECTION, ""));
}

napi_value Server::start(napi_env env, napi_callback_info info) {
    Arguments arguments(env, info);
    auto *server = receiver<Server>(env, arguments.self);
    if (server == nullptr) return nullptr;
    Environment &environment = server->environment();
    ServerOptions options;
    Outcome outcome = js::type_of(env, arguments.values[0]) == napi_object
                          ? options.read(env, arguments.values[0])
                          : wrong_parameter("start() takes a configuration.");
    if (napi_value exception = js::take_exception(env))
        return environment.settle_with(nullptr, exception);
    if (outcome.is_ok()) outcome = options.start(server->handle_);
    if (outcome.is_ok()) {
        server->is_listening_ = true;
        server->update();
    } else {
        server->tell_failed_start(outcome);
    }
    return server->settle(outcome);
}

napi_value Server::send(napi_env env, napi_callback_info info) {
    Arguments arguments(env, info);
    auto *server = receiver<Server>(env, arguments.self);
    if (server == nullptr) return nullptr;
    Environment &environment = server->environment();
    nsws_connection connection{};
    Outcome outcome = server->find(arguments.values[1], connection);
    if (napi_value exception = js::take_exception(env))
        return environment.settle_with(nullptr, exception);
    Payload payload = payload_of(environment, arguments.values[0]);
    if (!payload.is_valid) {
        outcome = wrong_parameter("send() takes a string or an ArrayBuffer, and a connection.");
    } else if (outcome.is_ok()) {
        environment.cork(connection);
        int32_t code = payload.is_text
                           ? nsws_connection_send_text(connection, payload.data, payload.length)
                           : nsws_connection_send_binary(connection, payload.data, payload.length);
        // It is gone, and JavaScript will soon be told.
        if (code == NSWS_ERR_BAD_HANDLE) code = NSWS_ERR_NO_CONNECTION;
        outcome = outcome_of(code, CONNECT_FAILED);
    }
    return server->settle(outcome);
}

napi_value Server::close(napi_env env, napi_callback_info info) {
    Arguments arguments(env, info);
    auto *server = receiver<Server>(env, arguments.self);
    if (server == nullptr) return nullptr;
    Environment &environment = server->environment();
    nsws_connection connection{};
    CloseOptions options;
    Outcome outcome;
    napi_value given = arguments.values[1];
    if (arguments.count > 1 && !js::is_absent(env, given)) {
        outcome = js::type_of(env, given) == napi_object
                      ? options.read(env, given)
                      : wrong_parameter("close() takes a connection and options.");
    }
    if (outcome.is_ok()) outcome = server->find(arguments.values[0], connection);
    if (napi_value exception = js::take_exception(env))
        return environment.settle_with(nullptr, exception);
    if (outcome.is_ok()) {
        int32_t code = nsws_connection_close(connection, options.code, options.reason.c_str());
        if (code == NSWS_ERR_BAD_HANDLE) code = NSWS_ERR_NO_CONNECTION;
        outcome = outcome_of(code);
    }
    return server->settle(outcome);
}

// The reference says that this returns an array, and awaits it: it returns an array that can be
// awaited, too. If it fails, a program that awaits it gets the error; for any other, the array is
// empty, and no rejection is left that would end the process.
napi_value Server::list_all_connections(napi_env env, napi_callback_info info) {
    Arguments arguments(env, info);
    auto *server = receiver<Server>(env, arguments.self);
    if (server == nullptr) return nullptr;
    Outcome outcome = server->after_permission({});
    napi_value lists[2] = {};
    for (napi_value &list : lists) {
        uint32_t count = 0;
        napi_create_array(env, &list);
        for (const auto &[connection, peer] : server->peers_) {
            if (outcome.is_ok() && !peer.is_leaving)
                napi_set_element(env, list, count++, server->value_of(connection));
        }
    }
    napi_deferred deferred = nullptr;
    napi_value promise = nullptr;
    napi_create_promise(env, &deferred, &promise);
    if (outcome.is_ok()) {
        napi_resolve_deferred(env, deferred, lists[1]);
    } else {
        napi_value handler = nullptr;
        const auto ignore = [](napi_env, napi_callback_info) -> napi_value { return nullptr; };
        napi_create_function(env, nullptr, 0, ignore, nullptr, &handler);
        napi_call_function(env, promise, js::get(env, promise, "catch"), 1, &handler, nullptr);
        napi_reject_deferred(env, deferred, error_of(env, outcome));
    }
    for (const char *name : {"then", "catch", "finally"}) {
        napi_value method = js::get(env, promise, name), bound = nullptr;
        napi_call_function(env, method, js::get(env, method, "bind"), 1, &promise, &bound);
        const napi_property_descriptor property = {name,    nullptr, nullptr,           nullptr,
                                                   nullptr, bound,   napi_configurable, nullptr};
        napi_define_properties(env, lists[0], 1, &property);
    }
    return lists[0];
}

napi_value Server::stop(napi_env env, napi_callback_info info) {
    Arguments arguments(env, info);
    auto *server = receiver<Server>(env, arguments.self);
    if (server == nullptr) return nullptr;
    int32_t code = nsws_server_stop(server->handle_);
    if (code == NSWS_OK) {
        server->is_listening_ = false;
        for (auto &[connection, peer] : server->peers_)
            peer.is_leaving = true;
        server->update();
    }
    return server->settle(outcome_of(code));
}

void Server::deliver(Event &event) {
    switch (event.kind) {
    case Event::Kind::connect:
        deliver_connect(event);
        break;
    case Event::Kind::message:
        deliver_message(event);
        break;
    case Event::Kind::close:
        deliver_close(event);
        break;
    case Event::Kind::error:
        deliver_error(event);
        break;
    case Event::Kind::call_error:
        own_errors_--;
        deliver_error(event);
        update();
        break;
    case Event::Kind::drain:
        if (has_listeners(DRAIN) && peers_.count(event.connection) != 0) {
            napi_value connection = value_of(event.connection);
            emit(DRAIN, 1, &connection);
        }
        break;
    case Event::Kind::header_receive:
    case Event::Kind::open:
    case Event::Kind::reconnecting:
        break;
    }
}

napi_value Server::value_of(uint64_t connection) {
    napi_value value = nullptr;
    auto peer = peers_.find(connection);
    if (peer != peers_.end()) napi_get_reference_value(env(), peer->second.value, &value);
    return value == nullptr ? js::undefined(env()) : value;
}

void Server::deliver_connect(Event &event) {
    napi_value value = js::object(env());
    Peer peer{};
    peer.is_leaving = !is_listening_;
    peer.address = event.detail->text;
    peer.port = static_cast<uint32_t>(event.detail->number);
    peer.name = name_of(peer.address, peer.port);
    js::set(env(), value, "clientIP", js::text(env(), peer.address));
    js::set(env(), value, "clientPort", js::number(env(), peer.port));
    napi_create_reference(env(), value, 1, &peer.value);
    // A port that was used before may come again before its old connection's `close` was delivered:
    // the newer counts.
    names_[peer.name] = event.connection;
    peers_[event.connection] = std::move(peer);
    update();
    emit(CONNECT, 1, &value);
}

void Server::deliver_message(Event &event) {
    if (!has_listeners(MESSAGE_RECEIVE)) return;
    napi_value message = js::object(env());
    js::set(env(), message, "data", message_value(env(), event));
    js::set(env(), message, "clientConnection", value_of(event.connection));
    emit(MESSAGE_RECEIVE, 1, &message);
}

void Server::deliver_close(Event &event) {
    auto known = peers_.find(event.connection);
    if (known == peers_.end()) return;
    napi_value arguments[] = {value_of(event.connection), js::object(env())};
    auto named = names_.find(known->second.name);
    if (named != names_.end() && named->second == event.connection) names_.erase(named);
    napi_delete_reference(env(), known->second.value);
    peers_.erase(known);
    source()->flows.remove(event.connection);
    update();
    if (!has_listeners(CLOSE)) return;
    napi_value reason = js::text(env(), event.detail->text);
    js::set(env(), arguments[1], "code", js::number(env(), close_code(*event.detail)));
    js::set(env(), arguments[1], "reason", reason);
    // As it was called before.
    js::set(env(), arguments[1], "closeReason", reason);
    js::set(env(), arguments[1], "wasClean", js::boolean(env(), event.detail->was_clean));
    emit(CLOSE, 2, arguments);
}

void Server::deliver_error(Event &event) {
    if (!has_listeners(ERROR)) return;
    napi_value error = error_value(env(), *event.detail);
    if (peers_.count(event.connection) != 0)
        js::set(env(), error, "clientConnection", value_of(event.connection));
    emit(ERROR, 1, &error);
}
