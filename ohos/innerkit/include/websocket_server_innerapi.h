// NetStack's C++ WebSocket server.
//
// Every function may be called from any thread and inside callbacks, and none blocks on the
// network. Callbacks run on threads of the library: never inside a call, in order, one at a time
// for each server; they must not throw. They are read from the server's members at each event, and
// NULL is allowed. What they are given lives until they return.
//
// A server may be deleted inside its own callbacks, and outside callbacks at any time: there, the
// destructor and Destroy wait for a callback of this server that runs. Inside a callback of another
// object they don't wait, since two that wait for each other would never end: there, delete a
// server only when none of its callbacks can be running.
//
// What GetServerContext() returns is the program's to guard: no other thread may be in Start or
// Stop while the program uses it.

#ifndef COMMUNICATIONNETSTACK_WEBSOCKET_SERVER_H
#define COMMUNICATIONNETSTACK_WEBSOCKET_SERVER_H

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "server_context.h"

namespace OHOS {
namespace NetStack {
namespace WebSocketServer {

class WebSocketServer {
public:
    WebSocketServer();
    ~WebSocketServer();
    WebSocketServer(const WebSocketServer &) = delete;
    WebSocketServer &operator=(const WebSocketServer &) = delete;

    typedef void (*OnErrorCallback)(WebSocketServer *server, ErrorResult error);
    typedef void (*OnConnectCallback)(WebSocketServer *server, SocketConnection connection);
    // Once for each connection that had onConnectCallback_, and last.
    typedef void (*OnCloseCallback)(WebSocketServer *server, CloseResult result,
                                    SocketConnection connection);
    typedef void (*OnMessageReceiveCallback)(WebSocketServer *server, const std::string &data,
                                             size_t length, SocketConnection connection);

    // Listens. 0; -1 without memory, and where servers are not supported; 201; 2302002 for a
    // certificate or key that can't be used; 2302003 while it listens; 2302004 for an address,
    // 2302005 for a port that can't be listened on; 2302007 when another has the port; 2302999 for
    // a limit outside 0 to 10.
    int Start(const ServerConfig &config);

    // Stops listening: the port is free when this returns. Clients are told 1001, and each has its
    // onCloseCallback_. 0; -1 when it doesn't listen; 201. It may start again at once.
    int Stop();

    // Sends what waits, then closes; onCloseCallback_ follows. 0; -1 when the server doesn't
    // listen, without an address, when it is being closed already, or for a reason that can't be
    // sent; 201; 2302006 for an unknown connection.
    int Close(const SocketConnection &connection, const CloseOption &option);

    // Sends a message: as text when it holds no NUL and is UTF-8, else as binary. 0, also for
    // length 0, which sends nothing; -1 when the server doesn't listen, without data or address,
    // when the connection is being closed, or when 16 MiB wait to be sent; 201; 2302006 for an
    // unknown connection.
    int Send(const char *data, int length, const SocketConnection &connection);

    // 0; -1 when the server doesn't listen; 201. What the list held is gone, also after a failure.
    int ListAllConnections(std::vector<SocketConnection> &connections) const;

    // Stops without a callback: none comes after it. 0; -1 when it was not started since the last
    // Destroy. It may start again.
    int Destroy();

    ServerContext *GetServerContext() const;

    int Registcallback(OnErrorCallback onError, OnConnectCallback onConnect,
                       OnCloseCallback onClose, OnMessageReceiveCallback onMessageReceive);

    // Set and called like plain pointers; atomic, since programs change them while events come.
    std::atomic<OnErrorCallback> onErrorCallback_{nullptr};
    std::atomic<OnConnectCallback> onConnectCallback_{nullptr};
    std::atomic<OnCloseCallback> onCloseCallback_{nullptr};
    std::atomic<OnMessageReceiveCallback> onMessageReceiveCallback_{nullptr};

private:
    class Link;

    template <class Use>
    int WithConnection(const SocketConnection &connection, Use use);
    int Noted(int result) const;

    std::unique_ptr<ServerContext> context_;
    std::shared_ptr<Link> link_;
};

}  // namespace WebSocketServer
}  // namespace NetStack
}  // namespace OHOS

#endif  // COMMUNICATIONNETSTACK_WEBSOCKET_SERVER_H
