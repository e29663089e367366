// NetStack's C++ WebSocket client.
//
// Every function may be called from any thread and inside callbacks, and none blocks on the
// network. Callbacks run on threads of the library: never inside a call, in order, one at a time
// for each client; they must not throw. They are read from the client's members at each event, and
// NULL is allowed. What they are given lives until they return.
//
// A client may be deleted inside its own callbacks, and outside callbacks at any time: there, the
// destructor and Destroy wait for a callback of this client that runs. Inside a callback of another
// object they don't wait, since two that wait for each other would never end: there, delete a
// client only when none of its callbacks can be running.
//
// What GetClientContext() returns and GetData()'s string are the program's to guard: no other
// thread may use them, nor be in a call of this client, while the program changes them.

#ifndef COMMUNICATIONNETSTACK_WEBSOCKET_CLIENT_H
#define COMMUNICATIONNETSTACK_WEBSOCKET_CLIENT_H

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "client_context.h"
#include "websocket_client_error.h"

namespace OHOS {
namespace NetStack {
namespace WebSocketClient {

struct CloseResult {
    // The close code; 1001 when the link broke, 1000 when the peer sent none.
    unsigned int code;
    // Never NULL.
    const char *reason;
};

struct CloseOption {
    // 0, or a code that may not be sent, stands for 1000.
    unsigned int code;
    // At most 123 bytes of UTF-8. NULL is "", with code 1000; and it isn't read with code 0.
    const char *reason;
};

struct ErrorResult {
    // WEBSOCKET_CONNECTION_ERROR, or WEBSOCKET_DATA_LENGTH_EXCEEDS for a received message above 1
    // GiB.
    unsigned int errorCode;
    // A sentence that names host, port and cause; never NULL.
    const char *errorMessage;
};

struct OpenResult {
    // The HTTP status: 101.
    unsigned int status;
    // The HTTP status text; never NULL.
    const char *message;
};

struct OpenOptions {
    std::map<std::string, std::string> headers;
    // Whether the Origin header has a port that isn't the default one.
    bool supportOriginPort = false;
};

class WebSocketClient : public std::enable_shared_from_this<WebSocketClient> {
public:
    WebSocketClient();
    ~WebSocketClient();
    WebSocketClient(const WebSocketClient &) = delete;
    WebSocketClient &operator=(const WebSocketClient &) = delete;

    typedef void (*OnMessageCallback)(WebSocketClient *client, const std::string &data,
                                      size_t length);
    typedef void (*OnCloseCallback)(WebSocketClient *client, CloseResult closeResult);
    typedef void (*OnErrorCallback)(WebSocketClient *client, ErrorResult error);
    typedef void (*OnOpenCallback)(WebSocketClient *client, OpenResult openResult);
    // Names in lower case; the values of a repeated name are joined by ", ".
    typedef void (*OnHeaderReceiveCallback)(WebSocketClient *client,
                                            const std::map<std::string, std::string> &headers);
    typedef void (*OnDataEndCallback)(WebSocketClient *client);

    // Starts to connect to a URL of at most 8196 bytes: onOpenCallback_ or onErrorCallback_ tells
    // what becomes of it. 0; 1003 while connecting or connected; 1004 for an invalid URL or header;
    // 1005 without memory; 1006 for a bare host name; 1016 for more than 8192 headers; 1019 for a
    // file that can't be opened; 1020; 1021.
    int Connect(std::string URL, OpenOptions Options);

    // As Connect, but for 401 (invalid header), 2302001 (URL), 2302002 (file) and 2302003
    // (connecting or connected).
    int ConnectEx(std::string URL, OpenOptions Options);

    // Sends a message: as text when it holds no NUL and is UTF-8, else as binary. While connecting
    // it waits for open; without connection or attempt it is dropped, with a line in the log. 0,
    // also for length 0, which sends nothing; 1010 without memory; 1011 when data is NULL; 1012
    // above 4 MiB; 1013 when 16 MiB wait to be sent, each message counted with its frame and 64
    // bytes; 1020.
    int Send(const char *data, size_t length);

    // As Send, but for -1 without connection or attempt.
    int SendEx(const char *data, size_t length);

    // Sends what waits, then closes; onCloseCallback_ follows. 0; 1009 or 1012 for a reason that
    // can't be sent; 1017 when there is no open connection: then an attempt is abandoned, and no
    // callback tells of it; 1020.
    int Close(CloseOption options);

    // As Close, but for -1 without connection or attempt; an attempt is abandoned with 0 and
    // onCloseCallback_ 1006.
    int CloseEx(CloseOption options);

    int Registcallback(OnOpenCallback OnOpen, OnMessageCallback onMessage, OnErrorCallback OnError,
                       OnCloseCallback onclose);

    // Ends the connection or attempt (1001, or as Close said) in the background; no callback comes
    // after it. 0; 1018 when there has been no attempt since the last Destroy. The client may
    // connect again.
    int Destroy();

    // A buffer for the program's use, of at most 1 GiB (1012).
    int AppendData(void *data, size_t length);
    const std::string &GetData();
    void ClearData();

    ClientContext *GetClientContext() const;

    // Set and called like plain pointers; atomic, since programs change them while events come.
    std::atomic<OnMessageCallback> onMessageCallback_{nullptr};
    std::atomic<OnCloseCallback> onCloseCallback_{nullptr};
    std::atomic<OnErrorCallback> onErrorCallback_{nullptr};
    std::atomic<OnOpenCallback> onOpenCallback_{nullptr};
    std::atomic<OnHeaderReceiveCallback> onHeaderReceiveCallback_{nullptr};
    std::atomic<OnDataEndCallback> onDataEndCallback_{nullptr};

private:
    class Link;
    struct Settings;

    int32_t Start(const std::string &url, const OpenOptions &options, bool user_cert);
    int32_t Noted(int32_t code);

    std::unique_ptr<ClientContext> context_;
    std::shared_ptr<Link> link_;
    std::string data_;
};

}  // namespace WebSocketClient
}  // namespace NetStack
}  // namespace OHOS

#endif  // COMMUNICATIONNETSTACK_WEBSOCKET_CLIENT_H
