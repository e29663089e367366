// WebSocketServerExec over netstack_websocket: in place of NetStack's websocket_server_exec.h.
// libwebsockets' own callback is gone with it.
#pragma once

#include "list_all_connections_context.h"
#include "server_close_context.h"
#include "server_send_context.h"
#include "server_start_context.h"
#include "server_stop_context.h"

namespace OHOS::NetStack::Websocket {
class WebSocketServerExec final {
public:
    // On a thread that may block.
    static bool ExecServerStart(ServerStartContext *context);
    static bool ExecListAllConnections(ListAllConnectionsContext *context);
    static bool ExecServerClose(ServerCloseContext *context);
    static bool ExecServerSend(ServerSendContext *context);
    static bool ExecServerStop(ServerStopContext *context);

    // On the JavaScript thread, when the call has succeeded: its result.
    static napi_value ServerStartCallback(ServerStartContext *context);
    static napi_value ListAllConnectionsCallback(ListAllConnectionsContext *context);
    static napi_value ServerCloseCallback(ServerCloseContext *context);
    static napi_value ServerSendCallback(ServerSendContext *context);
    static napi_value ServerStopCallback(ServerStopContext *context);
};
}  // namespace OHOS::NetStack::Websocket
