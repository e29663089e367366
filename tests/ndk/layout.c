/* The NDK's structs as the platform has them, for pointers of 64 and of 32 bits, and the numbers of its codes. */
#include "net_websocket_type.h"

#ifdef __cplusplus
#define PIN(condition) static_assert(condition, #condition)
#else
#define PIN(condition) _Static_assert(condition, #condition)
#endif

#define AT(type, member, wide, narrow) \
    PIN(__builtin_offsetof(struct type, member) == (sizeof(void *) == 8 ? (wide) : (narrow)))
#define SIZE(type, wide, narrow) PIN(sizeof(struct type) == (sizeof(void *) == 8 ? (wide) : (narrow)))

SIZE(WebSocket_CloseResult, 16, 8);
AT(WebSocket_CloseResult, code, 0, 0);
AT(WebSocket_CloseResult, reason, 8, 4);

SIZE(WebSocket_CloseOption, 16, 8);
AT(WebSocket_CloseOption, code, 0, 0);
AT(WebSocket_CloseOption, reason, 8, 4);

SIZE(WebSocket_ErrorResult, 16, 8);
AT(WebSocket_ErrorResult, errorCode, 0, 0);
AT(WebSocket_ErrorResult, errorMessage, 8, 4);

SIZE(WebSocket_OpenResult, 16, 8);
AT(WebSocket_OpenResult, code, 0, 0);
AT(WebSocket_OpenResult, reason, 8, 4);

SIZE(WebSocket_Header, 24, 12);
AT(WebSocket_Header, fieldName, 0, 0);
AT(WebSocket_Header, fieldValue, 8, 4);
AT(WebSocket_Header, next, 16, 8);

SIZE(WebSocket_RequestOptions, 8, 4);
AT(WebSocket_RequestOptions, headers, 0, 0);

SIZE(WebSocket, 40, 20);
AT(WebSocket, onOpen, 0, 0);
AT(WebSocket, onMessage, 8, 4);
AT(WebSocket, onError, 16, 8);
AT(WebSocket, onClose, 24, 12);
AT(WebSocket, requestOptions, 32, 16);

PIN(sizeof(WebSocket_ErrCode) == 4);
PIN(WEBSOCKET_OK == 0);
PIN(E_BASE == 1000);
PIN(WEBSOCKET_CLIENT_NULL == 1001);
PIN(WEBSOCKET_CLIENT_NOT_CREATED == 1002);
PIN(WEBSOCKET_CONNECTION_ERROR == 1003);
PIN(WEBSOCKET_CONNECTION_PARSE_URL_ERROR == 1005);
PIN(WEBSOCKET_CONNECTION_NO_MEMORY == 1006);
PIN(WEBSOCKET_CONNECTION_CLOSED_BY_PEER == 1007);
PIN(WEBSOCKET_DESTROYED == 1008);
PIN(WEBSOCKET_PROTOCOL_ERROR == 1009);
PIN(WEBSOCKET_SEND_NO_MEMORY == 1010);
PIN(WEBSOCKET_SEND_DATA_NULL == 1011);
PIN(WEBSOCKET_DATA_LENGTH_EXCEEDED == 1012);
PIN(WEBSOCKET_QUEUE_LENGTH_EXCEEDED == 1013);
PIN(WEBSOCKET_NO_CLIENT_CONTEXT == 1014);
PIN(WEBSOCKET_NO_HEADER_CONTEXT == 1015);
PIN(WEBSOCKET_HEADER_EXCEEDED == 1016);
PIN(WEBSOCKET_NO_CONNECTION == 1017);
PIN(WEBSOCKET_NO_CONNECTION_CONTEXT == 1018);
