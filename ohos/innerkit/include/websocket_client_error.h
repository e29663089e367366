// The result codes of NetStack's C++ client. Names are spelt as programs spell them.

#ifndef COMMUNICATIONNETSTACK_WEBSOCKET_CLIENT_ERROR_H
#define COMMUNICATIONNETSTACK_WEBSOCKET_CLIENT_ERROR_H

#include <map>
#include <string>

namespace OHOS {
namespace NetStack {
namespace WebSocketClient {

enum WebSocketErrorCode {
    WEBSOCKET_NONE_ERR = 0,
    WEBSOCKET_COMMON_ERROR_CODE = 200,
    WEBSOCKET_ERROR_CODE_BASE = 1000,
    WEBSOCKET_CLIENT_IS_NULL = 1001,
    WEBSOCKET_CLIENT_IS_NOT_CREAT = 1002,
    // The connection could not be made or broke; or there is one already.
    WEBSOCKET_CONNECTION_ERROR = 1003,
    // The URL or a header is invalid.
    WEBSOCKET_CONNECTION_PARSEURL_ERROR = 1004,
    WEBSOCKET_CONNECTION_NO_MEMOERY = 1005,
    // The URL is a bare host name.
    WEBSOCKET_CONNECTION_TO_SERVER_FAIL = 1006,
    WEBSOCKET_PEER_INITIATED_CLOSE = 1007,
    WEBSOCKET_DESTROY = 1008,
    // The reason of a close is not UTF-8.
    WEBSOCKET_PROTOCOL_ERROR = 1009,
    WEBSOCKET_SEND_NO_MEMOERY_ERROR = 1010,
    WEBSOCKET_SEND_DATA_NULL = 1011,
    // A message, or the reason of a close, is too long.
    WEBSOCKET_DATA_LENGTH_EXCEEDS = 1012,
    // Too much waits to be sent.
    WEBSOCKET_QUEUE_LENGTH_EXCEEDS = 1013,
    WEBSOCKET_ERROR_NO_CLIENTCONTEX = 1014,
    WEBSOCKET_ERROR_NO_HEADR_CONTEXT = 1015,
    WEBSOCKET_ERROR_NO_HEADR_EXCEEDS = 1016,
    // There is no open connection.
    WEBSOCKET_ERROR_HAVE_NO_CONNECT = 1017,
    // There is neither a connection nor an attempt, nor was there one since the last Destroy.
    WEBSOCKET_ERROR_HAVE_NO_CONNECT_CONTEXT = 1018,
    // A certificate or key file can't be opened.
    WEBSOCKET_ERROR_FILE_NOT_EXIST = 1019,
    WEBSOCKET_ERROR_PERMISSION_DENIED = 1020,
    WEBSOCKET_ERROR_DISALLOW_HOST = 1021,
    WEBSOCKET_UNKNOWN_OTHER_ERROR = 9999
};

}  // namespace WebSocketClient
}  // namespace NetStack
}  // namespace OHOS

#endif  // COMMUNICATIONNETSTACK_WEBSOCKET_CLIENT_ERROR_H
