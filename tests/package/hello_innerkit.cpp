// As hello.c, with NetStack's C++ client and server.

#include <iostream>

#include "websocket_client_innerapi.h"
#include "websocket_server_innerapi.h"

int main() {
    OHOS::NetStack::WebSocketClient::WebSocketClient client;
    OHOS::NetStack::WebSocketServer::WebSocketServer server;
    std::cout << "websocket_native\n";
    return client.ConnectEx("ftp://x", {}) != 2302001 || server.Stop() != -1;
}
