// NetStack's C++ server: websocket_server_innerapi.h over the C ABI.

#include "websocket_server_innerapi.h"

#include <mutex>
#include <utility>

#include "../rules/close_codes.h"
#include "../rules/contain.h"
#include "../rules/limits.h"
#include "../rules/server.h"
#include "../rules/text.h"
#include "listen.h"
#include "message_buffer.h"
#include "session.h"

namespace OHOS::NetStack::WebSocketServer {

using nsws_rules::contain;

namespace {

constexpr int FAILED = -1;

bool HoldsNul(const ServerConfig &config, const std::string &origins) {
    for (const std::string *text : {&config.serverIP, &config.serverCert.certPath,
                                    &config.serverCert.keyPath, &config.protocol, &origins}) {
        if (nsws_rules::has_nul(*text)) {
            return true;
        }
    }
    return false;
}

int ResultOfStart(int32_t code) {
    switch (code) {
    case NSWS_OK:
    case NSWS_ERR_PERMISSION_DENIED:
    case NSWS_ERR_CERT_FILE:
    case NSWS_ERR_ALREADY_CONNECTED:
    case NSWS_ERR_LISTEN_ADDRESS:
    case NSWS_ERR_LISTEN_PORT:
    case NSWS_ERR_PORT_IN_USE:
    case NSWS_ERR_INTERNAL:
        return code;
    case NSWS_ERR_CERT_UNUSABLE:
        return NSWS_ERR_CERT_FILE;
    case NSWS_ERR_PARAMETER:
        // A limit or an origin.
        return NSWS_ERR_INTERNAL;
    default:
        return FAILED;
    }
}

// Results of Stop, Close, Send and ListAllConnections.
int Result(int32_t code) {
    switch (code) {
    case NSWS_OK:
    case NSWS_ERR_PERMISSION_DENIED:
    case NSWS_ERR_NO_CONNECTION:
        return code;
    default:
        return FAILED;
    }
}

// The address of the client; false when the connection is over, or its server destroyed.
bool Named(nsws_connection connection, SocketConnection &client) {
    nsws_connection_info info;
    if (nsws_connection_get_info(connection, &info, sizeof info) != NSWS_OK) {
        return false;
    }
    client = {info.client_ip, info.client_port};
    return true;
}

// 0, or why the server may not be asked anything.
int32_t Permission(nsws_server server) {
    std::size_t count = 0;
    return nsws_server_list_connections(server, nullptr, 0, &count);
}

}  // namespace

// What the library's callbacks share. It outlives the server when that is deleted inside a
// callback.
class WebSocketServer::Link final : public std::enable_shared_from_this<Link> {
public:
    explicit Link(WebSocketServer *owner) : owner_(owner) {}

    // Uses what the server knows, in its turn. The program's own use of it is not ours to guard.
    template <class Use>
    void With(ServerContext &context, Use use) {
        const std::lock_guard<std::mutex> guard(lock_);
        use(context);
    }

    // The server is being deleted.
    void Forget() {
        const std::lock_guard<std::mutex> guard(lock_);
        owner_ = nullptr;
    }

    // The server of the C ABI; 0 where there can be none.
    nsws_server Known() {
        const std::lock_guard<std::recursive_mutex> guard(creation_);
        if (server_.id == 0 && Create() != NSWS_OK) {
            server_ = nsws_server{0};
        }
        return server_;
    }

    void Started() {
        const std::lock_guard<std::recursive_mutex> guard(creation_);
        started_ = true;
    }

    // Whether there was a started one to destroy.
    bool Destroy() {
        nsws_server server{0};
        bool started = false;
        {
            const std::lock_guard<std::recursive_mutex> guard(creation_);
            server = std::exchange(server_, nsws_server{0});
            started = std::exchange(started_, false);
        }
        // Without a lock: the callback that this waits for may want it.
        if (server.id != 0) {
            nsws_server_destroy(server);
        }
        return started;
    }

private:
    int32_t Create() {
        int32_t code = nsws_server_create(&server_);
        if (code != NSWS_OK) {
            return code;
        }
        const auto self = shared_from_this();
        code = nsws_surface::listen(nsws_server_on_connect, server_,
                                    &Entry<nsws_connect_event, &Link::Connected>, self);
        if (code == NSWS_OK) {
            code = nsws_surface::listen(nsws_server_on_message, server_,
                                        &Entry<nsws_message_event, &Link::Received>, self);
        }
        if (code == NSWS_OK) {
            code = nsws_surface::listen(nsws_server_on_close, server_,
                                        &Entry<nsws_close_event, &Link::Closed>, self);
        }
        if (code == NSWS_OK) {
            code = nsws_surface::listen(nsws_server_on_error, server_,
                                        &Entry<nsws_error_event, &Link::Failed>, self);
        }
        if (code != NSWS_OK) {
            nsws_server_release(server_);
        }
        return code;
    }

    template <class Event, void (Link::*handle)(nsws_connection, const Event &)>
    static void Entry(nsws_server, nsws_connection connection, const Event *event,
                      void *user_data) {
        Link &link = nsws_surface::shared_object<Link>(user_data);
        contain([&] { (link.*handle)(connection, *event); },
                [&] {
                    nsws_log(NSWS_LOG_ERROR,
                             "A callback threw an exception; its connection is closed.");
                    nsws_connection_close(connection, nsws_rules::CALLBACK_FAILED, "");
                });
    }

    void Connected(nsws_connection, const nsws_connect_event &event) {
        Call(&WebSocketServer::onConnectCallback_,
             SocketConnection{event.client_ip, event.client_port});
    }

    void Received(nsws_connection connection, const nsws_message_event &event) {
        SocketConnection client;
        if (Named(connection, client)) {
            message_.lend(event, [&](const std::string &message) {
                Call(&WebSocketServer::onMessageReceiveCallback_, message, message.size(), client);
            });
        }
    }

    void Closed(nsws_connection connection, const nsws_close_event &event) {
        SocketConnection client;
        if (Named(connection, client)) {
            Call(&WebSocketServer::onCloseCallback_,
                 CloseResult{nsws_rules::seen(event.code), event.reason}, client);
        }
    }

    void Failed(nsws_connection, const nsws_error_event &event) {
        const bool too_big = event.detail == NSWS_DETAIL_MESSAGE_TOO_BIG;
        const uint32_t code =
            too_big ? nsws_surface::DATA_LENGTH_EXCEEDED : static_cast<uint32_t>(event.code);
        Call(&WebSocketServer::onErrorCallback_, ErrorResult{code, event.message});
    }

    // Calls the callback that the server has now.
    template <class Callback, class... Values>
    void Call(std::atomic<Callback> WebSocketServer::*member, Values &&...values) {
        WebSocketServer *owner = nullptr;
        Callback callback = nullptr;
        {
            const std::lock_guard<std::mutex> guard(lock_);
            owner = owner_;
            callback = owner == nullptr ? nullptr : (owner->*member).load();
        }
        if (callback != nullptr) {
            callback(owner, std::forward<Values>(values)...);
        }
    }

    // Guards owner_, also in callbacks, and its context.
    std::mutex lock_;
    WebSocketServer *owner_;
    nsws_surface::MessageBuffer message_;

    // Guards the server of the C ABI. Recursive: its creation asks a hook of the platform's, which
    // may call back.
    std::recursive_mutex creation_;
    nsws_server server_{0};
    bool started_ = false;
};

WebSocketServer::WebSocketServer()
    : context_(std::make_unique<ServerContext>()), link_(std::make_shared<Link>(this)) {}

WebSocketServer::~WebSocketServer() {
    link_->Forget();
    link_->Destroy();
}

ServerContext *WebSocketServer::GetServerContext() const {
    return context_.get();
}

int WebSocketServer::Start(const ServerConfig &config) {
    return contain(
        [&]() -> int {
            const nsws_server server = link_->Known();
            int32_t code = NSWS_OK;
            const std::string &origins = context_->GetAllowedOrigins();
            if (HoldsNul(config, origins)) {
                code = Permission(server);
                code = code == NSWS_OK ? NSWS_ERR_PARAMETER : code;
            } else {
                nsws_server_options options = nsws_rules::server_defaults();
                options.server_ip = config.serverIP.c_str();
                options.cert_path = config.serverCert.certPath.c_str();
                options.key_path = config.serverCert.keyPath.c_str();
                options.protocol = config.protocol.c_str();
                options.allowed_origins = origins.empty() ? nullptr : origins.c_str();
                options.max_send_size = SIZE_MAX;
                // What is negative is above every limit.
                options.server_port = static_cast<uint32_t>(config.serverPort);
                options.max_concurrent_clients =
                    static_cast<uint32_t>(config.maxConcurrentClientsNumber);
                options.max_connections_per_client =
                    static_cast<uint32_t>(config.maxConnectionsForOneClient);
                code = nsws_rules::start(server, options, nsws_rules::wrong_in(options));
            }
            if (code == NSWS_OK) {
                link_->With(*context_,
                            [&](ServerContext &context) { context.startServerConfig_ = config; });
                link_->Started();
            }
            return Noted(ResultOfStart(code));
        },
        []() -> int { return FAILED; });
}

int WebSocketServer::Stop() {
    return contain(
        [&]() -> int {
            const int32_t code = nsws_server_stop(link_->Known());
            if (code == NSWS_OK) {
                link_->With(*context_, [](ServerContext &context) {
                    context.closeStatus_ = LWS_CLOSE_STATUS_GOINGAWAY;
                    context.closeReason_ = "server is going away";
                });
            }
            return Noted(Result(code));
        },
        []() -> int { return FAILED; });
}

int WebSocketServer::Close(const SocketConnection &connection, const CloseOption &option) {
    return WithConnection(connection, [&](nsws_connection found) {
        const char *reason = nsws_surface::readable_reason(option.code, option.reason);
        return nsws_surface::close_kindly(option.code, reason, [=](uint16_t code, const char *why) {
            return nsws_connection_close(found, code, why);
        });
    });
}

int WebSocketServer::Send(const char *data, int length, const SocketConnection &connection) {
    if (data == nullptr || length < 0) {
        return FAILED;
    }
    return WithConnection(connection, [&](nsws_connection found) -> int32_t {
        if (length == 0) {
            return NSWS_OK;
        }
        return nsws_rules::send_by_content(
            data, static_cast<std::size_t>(length),
            [=](const char *text, std::size_t size) {
                return nsws_connection_send_text(found, text, size);
            },
            [=](const char *bytes, std::size_t size) {
                return nsws_connection_send_binary(found, bytes, size);
            });
    });
}

template <class Use>
int WebSocketServer::WithConnection(const SocketConnection &connection, Use use) {
    return contain(
        [&]() -> int {
            if (connection.clientIP.empty()) {
                return FAILED;
            }
            const nsws_server server = link_->Known();
            nsws_connection found{0};
            if (connection.clientPort <= nsws_rules::HIGHEST_PORT &&
                nsws_server_find_connection(server, connection.clientIP.c_str(),
                                            static_cast<uint16_t>(connection.clientPort),
                                            &found) == NSWS_OK) {
                const int32_t code = use(found);
                // The connection was over before its handle was used.
                return Noted(Result(code == NSWS_ERR_BAD_HANDLE ? NSWS_ERR_NO_CONNECTION : code));
            }
            const int32_t permission = Permission(server);
            if (permission != NSWS_OK) {
                return Noted(Result(permission));
            }
            uint16_t port = 0;
            return nsws_server_get_port(server, &port) == NSWS_OK
                       ? static_cast<int>(NSWS_ERR_NO_CONNECTION)
                       : FAILED;
        },
        []() -> int { return FAILED; });
}

int WebSocketServer::ListAllConnections(std::vector<SocketConnection> &connections) const {
    return contain(
        [&]() -> int {
            connections.clear();
            const nsws_server server = link_->Known();
            const int32_t permission = Permission(server);
            uint16_t port = 0;
            if (permission != NSWS_OK) {
                return Noted(Result(permission));
            }
            if (nsws_server_get_port(server, &port) != NSWS_OK) {
                return FAILED;
            }
            std::vector<nsws_connection> handles;
            std::size_t count = 0;
            do {
                handles.resize(count);
                if (nsws_server_list_connections(server, handles.data(), handles.size(), &count) !=
                    NSWS_OK) {
                    return FAILED;
                }
            } while (count > handles.size());
            for (std::size_t i = 0; i < count; i++) {
                SocketConnection connection;
                // One that has just ended is no longer listed.
                if (Named(handles[i], connection)) {
                    connections.push_back(connection);
                }
            }
            return 0;
        },
        []() -> int { return FAILED; });
}

int WebSocketServer::Noted(int result) const {
    if (result == NSWS_ERR_PERMISSION_DENIED) {
        context_->SetPermissionDenied(true);
    }
    return result;
}

int WebSocketServer::Destroy() {
    return link_->Destroy() ? 0 : FAILED;
}

int WebSocketServer::Registcallback(OnErrorCallback onError, OnConnectCallback onConnect,
                                    OnCloseCallback onClose,
                                    OnMessageReceiveCallback onMessageReceive) {
    onErrorCallback_ = onError;
    onConnectCallback_ = onConnect;
    onCloseCallback_ = onClose;
    onMessageReceiveCallback_ = onMessageReceive;
    return 0;
}

}  // namespace OHOS::NetStack::WebSocketServer
