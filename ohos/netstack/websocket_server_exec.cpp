#include "websocket_server_exec.h"

#include <string>
#include <vector>

#include "constant.h"
#include "napi_utils.h"
#include "netstack_common_utils.h"
#include "rules/close_codes.h"
#include "rules/limits.h"
#include "rules/server.h"
#include "rules/text.h"
#include "websocket_exec_common.h"

using nsws_rules::has_nul;

namespace OHOS::NetStack::Websocket {
namespace {
// What the layer says when the program names no protocol.
constexpr const char *NO_PROTOCOL = "lws_server";

// Beyond NetStack: the web pages that may connect, as `allowed_origins` has them, where the layer's
// context has such a member; else, and when it is empty, every page may.
template <class Context>
auto AllowedOrigins(const Context &context, int) -> decltype(context.allowedOrigins_) {
    return context.allowedOrigins_;
}
template <class Context>
std::string AllowedOrigins(const Context &, long) {
    return {};
}

napi_value ConnectionValue(napi_env env, const WebSocketConnection &connection) {
    napi_value object = NapiUtils::CreateObject(env);
    NapiUtils::SetUint32Property(env, object, "clientPort", connection.clientPort);
    NapiUtils::SetStringPropertyUtf8(env, object, "clientIP", connection.clientIP);
    return object;
}

WebSocketConnection NameOf(nsws_connection connection) {
    nsws_connection_info info{};
    nsws_connection_get_info(connection, &info, sizeof info);
    return {info.client_ip, info.client_port};
}

void OnConnect(nsws_server, nsws_connection connection, const nsws_connect_event *event,
               void *userData) {
    auto self = UserData::Of(userData);
    if (self == nullptr) {
        return;
    }
    self->flows.add(
        connection.id, [](uint64_t id) { return nsws_connection_pause({id}); },
        [](uint64_t id) { return nsws_connection_resume({id}); });
    WebSocketConnection name{event->client_ip, event->client_port};
    self->Post([name](napi_env env, EventManager &manager) {
        manager.Emit(EventName::EVENT_SERVER_CONNECT,
                     {NapiUtils::GetUndefined(env), ConnectionValue(env, name)});
    });
}

void OnMessage(nsws_server, nsws_connection connection, const nsws_message_event *event,
               void *userData) {
    auto self = UserData::Of(userData);
    if (self == nullptr) {
        return;
    }
    bool isText = event->is_text != 0;
    std::string data(reinterpret_cast<const char *>(event->data), event->length);
    size_t length = data.size();
    auto deliver = [isText, name = NameOf(connection),
                    data = std::move(data)](napi_env env, EventManager &manager) {
        napi_value message = NapiUtils::CreateObject(env);
        NapiUtils::SetNamedProperty(env, message, "data", MessageValue(env, data, isText));
        NapiUtils::SetNamedProperty(env, message, "clientConnection", ConnectionValue(env, name));
        manager.Emit(EventName::EVENT_SERVER_MESSAGE_RECEIVE,
                     {NapiUtils::GetUndefined(env), message});
    };
    self->PostMessage(std::move(deliver), connection.id, length);
}

void OnClose(nsws_server, nsws_connection connection, const nsws_close_event *event,
             void *userData) {
    auto self = UserData::Of(userData);
    if (self == nullptr) {
        return;
    }
    uint32_t code = CloseCode(event->code);
    std::string reason(event->reason, event->reason_length);
    auto deliver = [name = NameOf(connection), code, reason](napi_env env, EventManager &manager) {
        napi_value result = NapiUtils::CreateObject(env);
        NapiUtils::SetUint32Property(env, result, "code", code);
        // The reference has the first name, NetStack the second.
        NapiUtils::SetNamedProperty(env, result, "reason", TextValue(env, reason));
        NapiUtils::SetNamedProperty(env, result, "closeReason", TextValue(env, reason));
        manager.EmitWithTwoPara(EventName::EVENT_SERVER_CLOSE,
                                {NapiUtils::GetUndefined(env), ConnectionValue(env, name), result});
    };
    self->PostLast(std::move(deliver), connection.id);
}

void OnError(nsws_server, nsws_connection, const nsws_error_event *event, void *userData) {
    if (auto self = UserData::Of(userData)) {
        self->Post(ErrorEvent(event->code, event->message, event->http_status));
    }
}

// The server of a JavaScript object, made when it is first started.
std::shared_ptr<UserData> MakeServer(const std::shared_ptr<EventManager> &manager) {
    nsws_server server{};
    if (nsws_server_create(&server) != NSWS_OK) {
        return nullptr;
    }
    auto self = std::make_shared<UserData>(manager, server.id,
                                           [](uint64_t id) { return nsws_server_release({id}); });
    nsws_server_on_connect(server, ServerListener<OnConnect, nsws_connect_event>,
                           self->UserDataOfListener(), UserData::Free);
    nsws_server_on_message(server, ServerListener<OnMessage, nsws_message_event>,
                           self->UserDataOfListener(), UserData::Free);
    nsws_server_on_close(server, ServerListener<OnClose, nsws_close_event>,
                         self->UserDataOfListener(), UserData::Free);
    nsws_server_on_error(server, ServerListener<OnError, nsws_error_event>,
                         self->UserDataOfListener(), UserData::Free);
    return self;
}

// The connection that a call is about. Whether there is one; else the context has the code.
bool Find(BaseContext &context, const WebSocketConnection &name, nsws_connection &connection) {
    auto self = Known(context);
    if (self != nullptr && name.clientPort <= UINT16_MAX && !has_nul(name.clientIP) &&
        nsws_server_find_connection({self->Handle()}, name.clientIP.c_str(),
                                    static_cast<uint16_t>(name.clientPort),
                                    &connection) == NSWS_OK) {
        return true;
    }
    if (!context.IsPermissionDenied()) {
        context.SetErrorCode(WEBSOCKET_ERROR_CODE_CONNECTION_NOT_EXIST);
    }
    return false;
}
}  // namespace

bool WebSocketServerExec::ExecServerStart(ServerStartContext *context) {
    if (context == nullptr) {
        return false;
    }
    const bool isPermitted = HasPermission(*context);
    auto self = KnownOrMade(*context, MakeServer);
    if (self == nullptr) {
        return false;
    }
    const auto ended = [&](int32_t code) {
        if (code != NSWS_OK) {
            self->Post(ErrorEvent(NSWS_ERR_CONNECT_FAILED, nsws_error_message(code), 0));
        }
        return Report(*context, code);
    };
    if (!isPermitted) {
        return ended(NSWS_ERR_PERMISSION_DENIED);
    }
    nsws_server_options options = nsws_rules::server_defaults();
    // No address has a backslash in it, nor a NUL.
    options.server_ip = has_nul(context->serverIp_) ? "\\0" : context->serverIp_.c_str();
    options.server_port = context->serverPort_;
    options.max_concurrent_clients = context->maxClientsNumber_;
    options.max_connections_per_client = context->maxCountForOneClient_;
    if (context->websocketServerProtocol_ != NO_PROTOCOL) {
        options.protocol = context->websocketServerProtocol_.c_str();
    }
    const std::string origins = AllowedOrigins(*context, 0);
    options.allowed_origins = origins.empty() ? nullptr : origins.c_str();
    if (has_nul(context->websocketServerProtocol_) || has_nul(origins)) {
        return ended(NSWS_ERR_PARAMETER);
    }
    options.cert_path = context->certPath_.c_str();
    options.key_path = context->certPath_.empty() ? nullptr : context->keyPath_.c_str();
    nsws_rules::WrongConfig wrong = nsws_rules::wrong_in(options);
    wrong.files = has_nul(context->certPath_) || has_nul(context->keyPath_);
    return ended(nsws_rules::start({self->Handle()}, options, wrong));
}

bool WebSocketServerExec::ExecListAllConnections(ListAllConnectionsContext *context) {
    auto self = context == nullptr ? nullptr : Known(*context);
    if (self == nullptr) {
        return false;
    }
    std::vector<nsws_connection> handles;
    size_t count = 0;
    int32_t code = NSWS_OK;
    do {
        handles.resize(count);
        code =
            nsws_server_list_connections({self->Handle()}, handles.data(), handles.size(), &count);
    } while (code == NSWS_OK && count > handles.size());
    // A server that was stopped has none, though some are still saying goodbye.
    uint16_t port = 0;
    handles.resize(nsws_server_get_port({self->Handle()}, &port) == NSWS_OK ? count : 0);
    std::vector<WebSocketConnection> connections;
    for (nsws_connection handle : handles) {
        connections.push_back(NameOf(handle));
    }
    context->SetAllConnections(connections);
    return Report(*context, code);
}

bool WebSocketServerExec::ExecServerClose(ServerCloseContext *context) {
    nsws_connection connection{};
    if (context == nullptr || !Find(*context, context->GetConnection(), connection)) {
        return false;
    }
    if (has_nul(context->reason)) {
        return Report(*context, NSWS_ERR_PARAMETER);
    }
    return Report(*context, nsws_connection_close(connection, nsws_rules::to_send(context->code),
                                                  context->reason.c_str()));
}

bool WebSocketServerExec::ExecServerSend(ServerSendContext *context) {
    if (context == nullptr) {
        return false;
    }
    const Payload payload(context->data);
    nsws_connection connection{};
    if (!Find(*context, context->GetConnection(), connection) || payload.Data() == nullptr) {
        return false;
    }
    const char *data = payload.Data();
    return Report(*context, context->protocol == LWS_WRITE_TEXT
                                ? nsws_connection_send_text(connection, data, context->length)
                                : nsws_connection_send_binary(connection, data, context->length));
}

bool WebSocketServerExec::ExecServerStop(ServerStopContext *context) {
    auto self = context == nullptr ? nullptr : Known(*context);
    return self != nullptr && Report(*context, nsws_server_stop({self->Handle()}));
}

napi_value WebSocketServerExec::ServerStartCallback(ServerStartContext *context) {
    return Succeeded(context);
}

napi_value WebSocketServerExec::ListAllConnectionsCallback(ListAllConnectionsContext *context) {
    if (context == nullptr) {
        return nullptr;
    }
    napi_env env = context->GetEnv();
    auto connections = context->GetAllConnections();
    napi_value list = NapiUtils::CreateArray(env, connections.size());
    for (uint32_t i = 0; i < connections.size(); i++) {
        NapiUtils::SetArrayElement(env, list, i, ConnectionValue(env, connections[i]));
    }
    return list;
}

napi_value WebSocketServerExec::ServerCloseCallback(ServerCloseContext *context) {
    return Succeeded(context);
}

napi_value WebSocketServerExec::ServerSendCallback(ServerSendContext *context) {
    return Succeeded(context);
}

napi_value WebSocketServerExec::ServerStopCallback(ServerStopContext *context) {
    return SucceededLast(context);
}
}  // namespace OHOS::NetStack::Websocket
