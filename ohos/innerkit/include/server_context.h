// The settings of a C++ server, and its clients.

#ifndef SERVER_CONTEXT_H
#define SERVER_CONTEXT_H

// Programs rely on all of these being included here.
#include <atomic>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <queue>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "websocket_client_error.h"
#include "websocket_shims.h"

namespace OHOS {
namespace NetStack {
namespace WebSocketServer {

struct ServerCert {
    // PEM files. With a certificate, the server speaks wss and only wss.
    std::string certPath;
    std::string keyPath;
};

struct ServerConfig {
    // The IPv4 or IPv6 address to listen on; empty: every IPv4 address.
    std::string serverIP;
    // 1 to 65535.
    int serverPort = 0;
    ServerCert serverCert;
    // How many addresses may be connected at once, at most 10; 0 means 10.
    int maxConcurrentClientsNumber = 0;
    // The sub-protocols that the server speaks, separated by commas.
    std::string protocol;
    // How many connections one address may have, at most 10; 0 means 10.
    int maxConnectionsForOneClient = 0;
};

struct SocketConnection {
    std::string clientIP;
    uint32_t clientPort;
};

struct CloseOption {
    // 0, or a code that may not be sent, stands for 1000.
    unsigned int code;
    // At most 123 bytes of UTF-8. NULL is "", with code 1000; and it isn't read with code 0.
    const char *reason;
};

struct ErrorResult {
    // 200; or 1012 for a received message above 64 MiB.
    unsigned int errorCode;
    // Never NULL.
    const char *errorMessage;
};

struct CloseResult {
    // The close code; 1006 when the link broke, 1000 when the client sent none.
    unsigned int code;
    // Never NULL.
    const char *reason;
};

class ServerContext {
public:
    void SetPermissionDenied(bool denied) { permissionDenied_ = denied; }
    bool IsPermissionDenied() const { return permissionDenied_; }

    // Not of NetStack: which web pages may connect, from the next Start on, by their origins,
    // separated by commas: "https://example.com,http://10.0.0.7:8080". Pages of others get 403;
    // programs that send no Origin pass. Empty, as at first: every page may. What is no origin
    // makes Start answer 2302999.
    //
    // Any web page in a browser that can reach this server can connect to it, from the address of
    // the browser's user, even to a server on a TV at home. Without this list, the page can do what
    // the user's own programs can, and 51 connection attempts of a page ban everyone behind that
    // address for a minute.
    void SetAllowedOrigins(const std::string &origins) { allowedOrigins_ = origins; }
    const std::string &GetAllowedOrigins() const { return allowedOrigins_; }

    // What the server was last started with, and how it was stopped.
    ServerConfig startServerConfig_;
    lws_close_status closeStatus_ = LWS_CLOSE_STATUS_NOSTATUS;
    std::string closeReason_;

private:
    std::atomic_bool permissionDenied_{false};
    std::string allowedOrigins_;
};

}  // namespace WebSocketServer
}  // namespace NetStack
}  // namespace OHOS

#endif  // SERVER_CONTEXT_H
