// The settings of a C++ client before Connect, and its state afterwards.

#ifndef CLIENT_CONTEXT_H
#define CLIENT_CONTEXT_H

// Programs rely on all of these being included here.
#include <atomic>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <thread>

#include "websocket_shims.h"

namespace OHOS {
namespace NetStack {
namespace WebSocketClient {

enum class WebsocketProxyType {
    NOT_USE,
    USE_SYSTEM,
    USE_SPECIFIED,
};

// Plain members: what is read by Connect is set before it, what is written in events is read in
// callbacks.
class ClientContext {
public:
    void SetClientId(int id) { clientId = id; }
    int GetClientId() { return clientId; }

    // A PEM file with CA certificates, which ConnectEx puts in the place of caPath.
    void SetUserCertPath(std::string path) { userCertPath_ = std::move(path); }
    std::string GetUserCertPath() { return userCertPath_; }

    // Request headers; Connect adds those of its options.
    std::map<std::string, std::string> header;

    // A PEM file with the CA certificates to trust instead of the system's. Empty: the system's.
    std::string caPath;

    // PEM files with the client's certificate and its key, and the key's password. Without a
    // certificate, none of them is looked at; without a key file, the key is in the certificate's.
    std::string clientCert;
    Secure::SecureChar clientKey;
    Secure::SecureChar keyPassword;

    // Whether a call was refused with 1020, with 1021.
    bool permissionDenied = false;
    bool noAllowedHost = false;

    // Not read: the platform's hook knows the program, and is asked for every host.
    bool isAtomicService = false;
    std::string bundleName;
    std::string url;

    // The last connection's option.
    bool supportOriginPort = false;

    WebsocketProxyType usingWebsocketProxyType = WebsocketProxyType::USE_SYSTEM;
    std::string websocketProxyHost;
    int32_t websocketProxyPort = 0;
    // Hosts that are reached without the proxy, separated by commas.
    std::string websocketProxyExclusions;

    // How the last connection ended.
    lws_close_status closeStatus = LWS_CLOSE_STATUS_NOSTATUS;
    std::string closeReason;

    // The server's answer: 101 while a connection is open, else 0.
    uint32_t openStatus = 0;
    std::string openMessage;

    // 1019 when a file of the last Connect can't be opened.
    uint32_t errorCode = 0;

private:
    std::string userCertPath_;
    int clientId = 0;
};

}  // namespace WebSocketClient
}  // namespace NetStack
}  // namespace OHOS

#endif  // CLIENT_CONTEXT_H
