// What ohos/netstack uses of NetStack's JavaScript layer, declared so that it compiles here. The names and types are NetStack's; each
// header beside this one stands for the layer's of the same name. The members at the end of a class are those that test_text.cpp, which
// defines the functions, needs.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "libwebsockets.h"

namespace OHOS::NetStack {

namespace Websocket {
class UserData;
struct WebSocketConnection;
} // namespace Websocket

class EventManager {
public:
    void Emit(const std::string &type, const std::pair<napi_value, napi_value> &values);
    void EmitWithTwoPara(const std::string &type, const std::tuple<napi_value, napi_value, napi_value> &values);
    bool HasEventListener(const std::string &type);
    void DeleteEventReference(napi_env env);
    void SetWebSocketUserData(const std::shared_ptr<Websocket::UserData> &userData);
    std::shared_ptr<Websocket::UserData> GetWebSocketUserData();

    napi_env env_ = nullptr;

    std::shared_ptr<Websocket::UserData> userData_;
};

class BaseContext {
public:
    void SetErrorCode(int32_t code);
    void SetPermissionDenied(bool denied);
    bool IsPermissionDenied() const;
    void SetNoAllowedHost(bool denied);
    napi_env GetEnv() const;
    std::shared_ptr<EventManager> GetSharedManager() const;

    std::shared_ptr<EventManager> manager_;
    int32_t errorCode_ = 0;
};

namespace NapiUtils {
napi_value GetUndefined(napi_env env);
napi_value GetBoolean(napi_env env, bool value);
napi_value CreateObject(napi_env env);
napi_value CreateArray(napi_env env, size_t length);
napi_value CreateStringUtf8(napi_env env, const std::string &text);
napi_value CreateArrayBuffer(napi_env env, size_t length, void **data);
void SetNamedProperty(napi_env env, napi_value object, const std::string &name, napi_value value);
void SetInt32Property(napi_env env, napi_value object, const std::string &name, int32_t value);
void SetUint32Property(napi_env env, napi_value object, const std::string &name, uint32_t value);
void SetStringPropertyUtf8(napi_env env, napi_value object, const std::string &name, const std::string &value);
void SetArrayElement(napi_env env, napi_value array, uint32_t index, napi_value value);
napi_handle_scope OpenScope(napi_env env);
void CloseScope(napi_env env, napi_handle_scope scope);
bool IsEnvValid(napi_env env);
void CreateUvQueueWorkEnhanced(napi_env env, void *data, void (*handler)(napi_env, napi_status, void *));
} // namespace NapiUtils

namespace CommonUtils {
inline const std::string DOMAIN_TYPE_WEBSOCKET_REQUEST = "webSocket";
bool HasInternetPermission();
bool IsAllowedHostname(const std::string &bundleName, const std::string &domainType, const std::string &url);
} // namespace CommonUtils

namespace Secure {
class SecureChar {
public:
    const char *Data() const;
    size_t Length() const;

    std::string text_;
};
} // namespace Secure

namespace Websocket {

enum { CLOSE_REASON_NORMAL_CLOSE = 1000 };
enum { WEBSOCKET_CONNECT_FAILED = -1, WEBSOCKET_ERROR_CODE_CONNECTION_NOT_EXIST = 2302006 };
enum class WebsocketProxyType { NOT_USE, USE_SYSTEM, USE_SPECIFIED };
enum class TlsProtocol { DEFAULT = -1, TLS_V_1_0, TLS_V_1_1, TLS_V_1_2, TLS_V_1_3 };

struct EventName {
    static constexpr const char EVENT_OPEN[] = "open";
    static constexpr const char EVENT_OPEN_INFO[] = "openInfo";
    static constexpr const char EVENT_MESSAGE[] = "message";
    static constexpr const char EVENT_CLOSE[] = "close";
    static constexpr const char EVENT_ERROR[] = "error";
    static constexpr const char EVENT_DATA_END[] = "dataEnd";
    static constexpr const char EVENT_HEADER_RECEIVE[] = "headerReceive";
    static const char *EVENT_SERVER_CONNECT;
    static const char *EVENT_SERVER_MESSAGE_RECEIVE;
    static const char *EVENT_SERVER_CLOSE;
};

class ConnectContext : public BaseContext {
public:
    std::string GetProtocol() const;
    TlsProtocol GetMinSupportTlsProtocol() const;
    WebsocketProxyType GetUsingWebsocketProxyType() const;
    void GetSpecifiedWebsocketProxy(std::string &host, uint32_t &port, std::string &exclusions) const;
    void GetClientCert(std::string &cert, Secure::SecureChar &key, Secure::SecureChar &keyPassword);
    bool IsAtomicService() const;
    std::string GetBundleName() const;

    static constexpr uint32_t defaultPingInterval = 30;
    static constexpr uint32_t maxPingInterval = 30000;
    std::string url;
    std::map<std::string, std::string> header;
    std::string caPath_;
    bool skipServerCertVerification_ = false;
    bool supportOriginPort_ = false;
    uint32_t pingInterval_ = defaultPingInterval;
    uint32_t pongTimeout_ = defaultPingInterval;

    std::string protocol_, proxyHost_, proxyExclusions_, clientCert_;
    Secure::SecureChar clientKey_, keyPassword_;
};

class SendContext : public BaseContext {
public:
    void *data = nullptr;
    size_t length = 0;
    lws_write_protocol protocol = LWS_WRITE_TEXT;
};

class CloseContext : public BaseContext {
public:
    uint32_t code = 0;
    std::string reason;
};

class ServerStartContext : public BaseContext {
public:
    std::string serverIp_;
    uint32_t serverPort_ = 0;
    std::string certPath_;
    std::string keyPath_;
    uint32_t maxClientsNumber_ = 0;
    std::string websocketServerProtocol_;
    uint32_t maxCountForOneClient_ = 0;
#ifdef LAYER_WITH_ORIGINS
    std::string allowedOrigins_;
#endif
};

class ServerSendContext : public SendContext {
public:
    WebSocketConnection GetConnection() const;
};

class ServerCloseContext : public CloseContext {
public:
    WebSocketConnection GetConnection() const;
};

class ListAllConnectionsContext : public BaseContext {
public:
    void SetAllConnections(std::vector<WebSocketConnection> &connections);
    std::vector<WebSocketConnection> GetAllConnections() const;
};

class ServerStopContext : public BaseContext {};

} // namespace Websocket
} // namespace OHOS::NetStack
