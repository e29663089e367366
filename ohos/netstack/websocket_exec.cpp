#include "websocket_exec.h"

#include <algorithm>
#include <map>

#include "constant.h"
#include "napi_utils.h"
#include "netstack_common_utils.h"
#include "rules/close_codes.h"
#include "rules/limits.h"
#include "rules/text.h"
#include "websocket_exec_common.h"

using nsws_rules::has_nul;

namespace OHOS::NetStack::Websocket {
namespace {
constexpr uint32_t MILLISECONDS = 1000;

// A property of the object's own, whatever its name: setting `__proto__` would do something else.
void DefineProperty(napi_env env, napi_value object, const std::string &name, napi_value value) {
    const auto ordinary =
        static_cast<napi_property_attributes>(napi_writable | napi_enumerable | napi_configurable);
    napi_value key = NapiUtils::CreateStringUtf8(env, name);
    const napi_property_descriptor property = {nullptr, key,   nullptr,  nullptr,
                                               nullptr, value, ordinary, nullptr};
    napi_define_properties(env, object, 1, &property);
}

void OnHeaderReceive(nsws_client, const nsws_header_receive_event *event, void *userData) {
    auto self = UserData::Of(userData);
    if (self == nullptr) {
        return;
    }
    std::map<std::string, std::vector<std::string>> headers;
    for (size_t i = 0; i < event->header_count; i++) {
        headers[nsws_rules::lower_case(event->headers[i].name)].emplace_back(
            event->headers[i].value);
    }
    self->Post([headers](napi_env env, EventManager &manager) {
        napi_value object = NapiUtils::CreateObject(env);
        for (const auto &[name, values] : headers) {
            if (values.size() == 1 && name != "set-cookie") {
                DefineProperty(env, object, name, NapiUtils::CreateStringUtf8(env, values[0]));
                continue;
            }
            napi_value list = NapiUtils::CreateArray(env, values.size());
            for (uint32_t i = 0; i < values.size(); i++) {
                NapiUtils::SetArrayElement(env, list, i,
                                           NapiUtils::CreateStringUtf8(env, values[i]));
            }
            DefineProperty(env, object, name, list);
        }
        manager.Emit(EventName::EVENT_HEADER_RECEIVE, {NapiUtils::GetUndefined(env), object});
    });
}

void OnOpen(nsws_client, const nsws_open_event *event, void *userData) {
    auto self = UserData::Of(userData);
    if (self == nullptr) {
        return;
    }
    uint32_t status = static_cast<uint32_t>(event->status);
    std::string message = event->message, protocol = event->protocol;
    self->Post([status, message, protocol](napi_env env, EventManager &manager) {
        for (const char *name : {EventName::EVENT_OPEN, EventName::EVENT_OPEN_INFO}) {
            napi_value object = NapiUtils::CreateObject(env);
            NapiUtils::SetUint32Property(env, object, "status", status);
            NapiUtils::SetStringPropertyUtf8(env, object, "message", message);
            if (name == EventName::EVENT_OPEN_INFO) {
                NapiUtils::SetStringPropertyUtf8(env, object, "protocol", protocol);
            }
            manager.Emit(name, {NapiUtils::GetUndefined(env), object});
        }
    });
}

void OnMessage(nsws_client client, const nsws_message_event *event, void *userData) {
    auto self = UserData::Of(userData);
    if (self == nullptr) {
        return;
    }
    bool isText = event->is_text != 0;
    std::string data(reinterpret_cast<const char *>(event->data), event->length);
    size_t length = data.size();
    auto deliver = [isText, data = std::move(data)](napi_env env, EventManager &manager) {
        napi_value undefined = NapiUtils::GetUndefined(env);
        if (manager.HasEventListener(EventName::EVENT_MESSAGE)) {
            manager.Emit(EventName::EVENT_MESSAGE, {undefined, MessageValue(env, data, isText)});
        }
        manager.Emit(EventName::EVENT_DATA_END, {undefined, undefined});
    };
    self->PostMessage(std::move(deliver), client.id, length);
}

void OnClose(nsws_client, const nsws_close_event *event, void *userData) {
    auto self = UserData::Of(userData);
    if (self == nullptr) {
        return;
    }
    uint32_t code = CloseCode(event->code);
    std::string reason(event->reason, event->reason_length);
    self->Post([code, reason](napi_env env, EventManager &manager) {
        napi_value object = NapiUtils::CreateObject(env);
        NapiUtils::SetUint32Property(env, object, "code", code);
        NapiUtils::SetNamedProperty(env, object, "reason", TextValue(env, reason));
        manager.Emit(EventName::EVENT_CLOSE, {NapiUtils::GetUndefined(env), object});
    });
}

void OnError(nsws_client, const nsws_error_event *event, void *userData) {
    if (auto self = UserData::Of(userData)) {
        self->Post(ErrorEvent(event->code, event->message, event->http_status));
    }
}

// The client of a JavaScript object, made at its first connect.
std::shared_ptr<UserData> MakeClient(const std::shared_ptr<EventManager> &manager) {
    nsws_client client{};
    if (nsws_client_create(&client) != NSWS_OK) {
        return nullptr;
    }
    auto self = std::make_shared<UserData>(manager, client.id,
                                           [](uint64_t id) { return nsws_client_release({id}); });
    self->flows.add(
        client.id, [](uint64_t id) { return nsws_client_pause({id}); },
        [](uint64_t id) { return nsws_client_resume({id}); });
    nsws_client_on_header_receive(client,
                                  ClientListener<OnHeaderReceive, nsws_header_receive_event>,
                                  self->UserDataOfListener(), UserData::Free);
    nsws_client_on_open(client, ClientListener<OnOpen, nsws_open_event>, self->UserDataOfListener(),
                        UserData::Free);
    nsws_client_on_message(client, ClientListener<OnMessage, nsws_message_event>,
                           self->UserDataOfListener(), UserData::Free);
    nsws_client_on_close(client, ClientListener<OnClose, nsws_close_event>,
                         self->UserDataOfListener(), UserData::Free);
    nsws_client_on_error(client, ClientListener<OnError, nsws_error_event>,
                         self->UserDataOfListener(), UserData::Free);
    return self;
}

void FillHeartbeat(const ConnectContext &context, nsws_connect_options &options) {
    bool fits = context.pingInterval_ <= ConnectContext::maxPingInterval;
    uint32_t interval = fits ? context.pingInterval_ : ConnectContext::defaultPingInterval;
    options.ping_interval_ms = interval * MILLISECONDS;
    // The layer doesn't tell whether the program gave the default.
    options.pong_timeout_ms = context.pongTimeout_ == ConnectContext::defaultPingInterval
                                  ? NSWS_PONG_TIMEOUT_DEFAULT
                                  : std::min(context.pongTimeout_, interval) * MILLISECONDS;
}

// `host` and `exclusions` must live until connect.
void FillProxy(const ConnectContext &context, std::string &host, std::string &exclusions,
               nsws_connect_options &options) {
    // The system's proxy is asked for by the library.
    if (context.GetUsingWebsocketProxyType() == WebsocketProxyType::USE_SYSTEM) {
        return;
    }
    uint32_t port = 0;
    if (context.GetUsingWebsocketProxyType() == WebsocketProxyType::USE_SPECIFIED) {
        context.GetSpecifiedWebsocketProxy(host, port, exclusions);
    }
    options.proxy_mode = host.empty() ? NSWS_PROXY_NONE : NSWS_PROXY_HTTP;
    if (!host.empty()) {
        options.proxy_host = host.c_str();
        options.proxy_port = port == 0 ? nsws_rules::DEFAULT_PROXY_PORT : port;
        options.proxy_exclusion_list = exclusions.c_str();
    }
}

// Nothing instead of what is empty: a SecureChar that was never given anything has no byte at its
// Data(), not even a NUL.
const char *TextOf(const Secure::SecureChar &secret) {
    return secret.Length() == 0 ? nullptr : secret.Data();
}

bool HasNul(const Secure::SecureChar &secret) {
    return secret.Length() != 0 && has_nul({secret.Data(), secret.Length()});
}

}  // namespace

bool WebSocketExec::ExecConnect(ConnectContext *context) {
    if (context == nullptr || !HasPermission(*context)) {
        return false;
    }
    if (has_nul(context->url)) {
        return Report(*context, NSWS_ERR_URL);
    }
    auto self = KnownOrMade(*context, MakeClient);
    if (self == nullptr) {
        return false;
    }
    if (nsws_rules::is_bare_scheme(context->url)) {
        self->Post(ErrorEvent(NSWS_ERR_CONNECT_FAILED, "The URL has no host.", 0));
        context->SetErrorCode(WEBSOCKET_CONNECT_FAILED);
        return false;
    }
    nsws_connect_options options = nsws_rules::client_defaults();
    std::vector<nsws_header> headers;
    for (const auto &[name, value] : context->header) {
        if (has_nul(name) || has_nul(value)) {
            return Report(*context, NSWS_ERR_PARAMETER);
        }
        headers.push_back({name.c_str(), value.c_str()});
    }
    options.headers = headers.data();
    options.header_count = headers.size();
    std::string protocol = context->GetProtocol(), proxyHost, proxyExclusions;
    options.protocol = protocol.c_str();
    if (!context->caPath_.empty()) {
        options.ca_path = context->caPath_.c_str();
    }
    std::string clientCert;
    Secure::SecureChar clientKey, keyPassword;
    context->GetClientCert(clientCert, clientKey, keyPassword);
    if (!clientCert.empty()) {
        options.client_cert_path = clientCert.c_str();
        options.client_key_path = TextOf(clientKey);
        options.client_key_password = TextOf(keyPassword);
    }
    options.skip_server_cert_verification = context->skipServerCertVerification_;
    options.support_origin_port = context->supportOriginPort_;
    if (context->GetMinSupportTlsProtocol() == TlsProtocol::TLS_V_1_3) {
        options.min_tls_version = NSWS_TLS_1_3;
    }
    FillHeartbeat(*context, options);
    FillProxy(*context, proxyHost, proxyExclusions, options);
    if (HasNul(keyPassword) || has_nul(protocol) || has_nul(proxyHost) ||
        has_nul(proxyExclusions)) {
        return Report(*context, NSWS_ERR_PARAMETER);
    }
    // The URL is judged before its host, and both before files.
    const bool isAllowed =
        !context->IsAtomicService() ||
        CommonUtils::IsAllowedHostname(context->GetBundleName(),
                                       CommonUtils::DOMAIN_TYPE_WEBSOCKET_REQUEST, context->url);
    if (!isAllowed || has_nul(context->caPath_) || has_nul(clientCert) || HasNul(clientKey)) {
        options.ca_path = nsws_rules::NO_FILE;
    }
    const int32_t code = nsws_client_connect({self->Handle()}, context->url.c_str(), &options);
    const bool isOnlyTheHost = !isAllowed && code == NSWS_ERR_CERT_FILE;
    return Report(*context, isOnlyTheHost ? NSWS_ERR_DOMAIN_NOT_ALLOWED : code);
}

bool WebSocketExec::ExecSend(SendContext *context) {
    if (context == nullptr) {
        return false;
    }
    const Payload payload(context->data);
    auto self = Known(*context);
    if (self == nullptr || payload.Data() == nullptr) {
        return false;
    }
    const char *data = payload.Data();
    nsws_client client{self->Handle()};
    return Report(*context, context->protocol == LWS_WRITE_TEXT
                                ? nsws_client_send_text(client, data, context->length)
                                : nsws_client_send_binary(client, data, context->length));
}

bool WebSocketExec::ExecClose(CloseContext *context) {
    auto self = context == nullptr ? nullptr : Known(*context);
    if (self == nullptr) {
        return false;
    }
    if (has_nul(context->reason)) {
        return Report(*context, NSWS_ERR_PARAMETER);
    }
    return Report(*context, nsws_client_close({self->Handle()}, nsws_rules::to_send(context->code),
                                              context->reason.c_str()));
}

napi_value WebSocketExec::ConnectCallback(ConnectContext *context) {
    return Succeeded(context);
}

napi_value WebSocketExec::SendCallback(SendContext *context) {
    return Succeeded(context);
}

napi_value WebSocketExec::CloseCallback(CloseContext *context) {
    return SucceededLast(context);
}
}  // namespace OHOS::NetStack::Websocket
