/*
 * The types of OpenHarmony's WebSocket client for C programs: net_websocket.h says how they are used.
 * Layout, names and values are part of the platform's binary interface and never change.
 */
#ifndef NET_WEBSOCKET_TYPE_H
#define NET_WEBSOCKET_TYPE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a connection ended, in WebSocket_OnCloseCallback. */
typedef struct WebSocket_CloseResult {
    /** The close code; 1001 when the link broke. */
    uint32_t code;
    /** The reason; lives until the callback returns. Never NULL. */
    const char *reason;
} WebSocket_CloseResult;

/** What OH_WebSocketClient_Close() tells the peer. */
typedef struct WebSocket_CloseOption {
    /** The close code; 0, or one that may not be sent, stands for 1000. */
    uint32_t code;
    /** The reason, at most 123 bytes of UTF-8; NULL is "", with code 1000. */
    const char *reason;
} WebSocket_CloseOption;

/** What failed, in WebSocket_OnErrorCallback. */
typedef struct WebSocket_ErrorResult {
    /** One of WebSocket_ErrCode. */
    uint32_t errorCode;
    /** A sentence that names host, port and cause; lives until the callback returns. Never NULL. */
    const char *errorMessage;
} WebSocket_ErrorResult;

/** The server's answer, in WebSocket_OnOpenCallback. */
typedef struct WebSocket_OpenResult {
    /** The HTTP status: 101. */
    uint32_t code;
    /** The HTTP status text: "Switching Protocols"; lives until the callback returns. */
    const char *reason;
} WebSocket_OpenResult;

struct WebSocket;

/** The connection is open. */
typedef void (*WebSocket_OnOpenCallback)(struct WebSocket *client, WebSocket_OpenResult openResult);

/**
 * A whole message. data is never NULL and may be written to until the callback returns; behind its length
 * bytes stands a NUL.
 */
typedef void (*WebSocket_OnMessageCallback)(struct WebSocket *client, char *data, uint32_t length);

/** An attempt to connect failed, or an open connection broke; onClose then follows. */
typedef void (*WebSocket_OnErrorCallback)(struct WebSocket *client, WebSocket_ErrorResult errorResult);

/** The connection is over: once for each that was open, and last. */
typedef void (*WebSocket_OnCloseCallback)(struct WebSocket *client, WebSocket_CloseResult closeResult);

/** A request header, and the next one. */
struct WebSocket_Header {
    /** The name, NUL-terminated. */
    const char *fieldName;
    /** The value, NUL-terminated. */
    const char *fieldValue;
    /** The next header of the list, or NULL. */
    struct WebSocket_Header *next;
};
typedef struct WebSocket_Header WebSocket_Header;

/** What OH_WebSocketClient_Connect() may be told. */
typedef struct WebSocket_RequestOptions {
    /** The first header of the list, or NULL. */
    struct WebSocket_Header *headers;
} WebSocket_RequestOptions;

/** A client. Only OH_WebSocketClient_Constructor() makes one. */
struct WebSocket {
    /** Called when the connection is open. This and the other callbacks are read at each event; NULL is allowed. */
    WebSocket_OnOpenCallback onOpen;
    /** Called for each message. */
    WebSocket_OnMessageCallback onMessage;
    /** Called when something failed. */
    WebSocket_OnErrorCallback onError;
    /** Called when the connection is over. */
    WebSocket_OnCloseCallback onClose;
    /** The headers of OH_WebSocketClient_AddHeader(), to be passed to OH_WebSocketClient_Connect(). */
    WebSocket_RequestOptions requestOptions;
};
typedef struct WebSocket WebSocket;

/** The results of the functions, and the codes of WebSocket_ErrorResult. */
typedef enum WebSocket_ErrCode {
    /** Success. */
    WEBSOCKET_OK = 0,
    /** What the codes count from. */
    E_BASE = 1000,
    /** The client is NULL. */
    WEBSOCKET_CLIENT_NULL = (E_BASE + 1),
    /** The client was not made by OH_WebSocketClient_Constructor(), or it was destroyed. */
    WEBSOCKET_CLIENT_NOT_CREATED = (E_BASE + 2),
    /** The connection could not be made or broke; or there is one already. */
    WEBSOCKET_CONNECTION_ERROR = (E_BASE + 3),
    /** The URL or a header is invalid. */
    WEBSOCKET_CONNECTION_PARSE_URL_ERROR = (E_BASE + 5),
    /** There is no memory for the connection; or the URL is empty. */
    WEBSOCKET_CONNECTION_NO_MEMORY = (E_BASE + 6),
    /** The peer closed the connection. */
    WEBSOCKET_CONNECTION_CLOSED_BY_PEER = (E_BASE + 7),
    /** The connection was destroyed. */
    WEBSOCKET_DESTROYED = (E_BASE + 8),
    /** The protocol forbids it. */
    WEBSOCKET_PROTOCOL_ERROR = (E_BASE + 9),
    /** There is no memory for the message. */
    WEBSOCKET_SEND_NO_MEMORY = (E_BASE + 10),
    /** The data is NULL. */
    WEBSOCKET_SEND_DATA_NULL = (E_BASE + 11),
    /** A message, or the reason of a close, is too long. */
    WEBSOCKET_DATA_LENGTH_EXCEEDED = (E_BASE + 12),
    /** Too much waits to be sent. */
    WEBSOCKET_QUEUE_LENGTH_EXCEEDED = (E_BASE + 13),
    /** The client has no context. */
    WEBSOCKET_NO_CLIENT_CONTEXT = (E_BASE + 14),
    /** A header has no name or no value. */
    WEBSOCKET_NO_HEADER_CONTEXT = (E_BASE + 15),
    /** There are more than 8192 headers. */
    WEBSOCKET_HEADER_EXCEEDED = (E_BASE + 16),
    /** There is no open connection. */
    WEBSOCKET_NO_CONNECTION = (E_BASE + 17),
    /** There never was a connection or an attempt. */
    WEBSOCKET_NO_CONNECTION_CONTEXT = (E_BASE + 18)
} WebSocket_ErrCode;

#ifdef __cplusplus
}
#endif

#endif /* NET_WEBSOCKET_TYPE_H */
