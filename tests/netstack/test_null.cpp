// Every function that NetStack's layer calls, with a null context: none ends the process.

#include <cstdio>

#include "websocket_exec.h"
#include "websocket_server_exec.h"

using namespace OHOS::NetStack;
using namespace OHOS::NetStack::Websocket;

// Data must be defined.
const char *EventName::EVENT_SERVER_CONNECT = "";
const char *EventName::EVENT_SERVER_MESSAGE_RECEIVE = "";
const char *EventName::EVENT_SERVER_CLOSE = "";

namespace {

int failures = 0;

template <class Result>
void is_nothing(const char *name, Result result)
{
    if (result == Result{}) return;
    std::printf("FAILED: %s\n", name);
    failures++;
}

} // namespace

#define NOTHING(call) is_nothing(#call, call(nullptr))

int main()
{
    NOTHING(WebSocketExec::ExecConnect);
    NOTHING(WebSocketExec::ExecSend);
    NOTHING(WebSocketExec::ExecClose);
    NOTHING(WebSocketExec::ConnectCallback);
    NOTHING(WebSocketExec::SendCallback);
    NOTHING(WebSocketExec::CloseCallback);
    NOTHING(WebSocketServerExec::ExecServerStart);
    NOTHING(WebSocketServerExec::ExecListAllConnections);
    NOTHING(WebSocketServerExec::ExecServerClose);
    NOTHING(WebSocketServerExec::ExecServerSend);
    NOTHING(WebSocketServerExec::ExecServerStop);
    NOTHING(WebSocketServerExec::ServerStartCallback);
    NOTHING(WebSocketServerExec::ListAllConnectionsCallback);
    NOTHING(WebSocketServerExec::ServerCloseCallback);
    NOTHING(WebSocketServerExec::ServerSendCallback);
    NOTHING(WebSocketServerExec::ServerStopCallback);
    return failures;
}
