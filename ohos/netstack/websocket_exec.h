// WebSocketExec over netstack_websocket: in place of NetStack's websocket_exec.h. libwebsockets'
// own callback and what prepares its connections are gone with it.
#pragma once

#include "close_context.h"
#include "connect_context.h"
#include "send_context.h"

namespace OHOS::NetStack::Websocket {
class WebSocketExec final {
public:
    // On a thread that may block.
    static bool ExecConnect(ConnectContext *context);
    static bool ExecSend(SendContext *context);
    static bool ExecClose(CloseContext *context);

    // On the JavaScript thread, when the call has succeeded: its result.
    static napi_value ConnectCallback(ConnectContext *context);
    static napi_value SendCallback(SendContext *context);
    static napi_value CloseCallback(CloseContext *context);
};
}  // namespace OHOS::NetStack::Websocket
