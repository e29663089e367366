/*
 * OpenHarmony's WebSocket client for C programs (API 11, libnet_websocket.so), for C and C++.
 *
 *     static void on_open(struct WebSocket *client, WebSocket_OpenResult result) {
 *         char hello[] = "hello";
 *         (void)result;
 *         OH_WebSocketClient_Send(client, hello, 5);
 *     }
 *     ...
 *     struct WebSocket *client = OH_WebSocketClient_Constructor(on_open, on_message, on_error, on_close);
 *     struct WebSocket_Header header = { "Authorization", "Bearer ...", NULL };
 *     OH_WebSocketClient_AddHeader(client, header);
 *     OH_WebSocketClient_Connect(client, "wss://example.com/chat", client->requestOptions);
 *     ...
 *     struct WebSocket_CloseOption bye = { 1000, "bye" };
 *     OH_WebSocketClient_Close(client, bye);
 *     OH_WebSocketClient_Destroy(client);
 *
 * Every function may be called from any thread and inside callbacks, and none blocks on the network. Callbacks run on
 * threads of the library, never inside a call, in order and one at a time for each client; they must not throw.
 * A client that was destroyed, or that this library did not make, is refused with 1002 and never touched (but
 * the system may give the address of a destroyed client to a later one).
 *
 * Two results have no name in WebSocket_ErrCode: 1020, the program has no permission to use the network; 1021, it may not
 * connect to this host.
 */
#ifndef NET_WEBSOCKET_H
#define NET_WEBSOCKET_H

/* Programs rely on these being included here. */
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "net_websocket_type.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a client.
 *
 * @param onOpen called when the connection is open
 * @param onMessage called for each message
 * @param onError called when something failed
 * @param onClose called when the connection is over. Each of them may be NULL.
 * @return the client, to be destroyed with OH_WebSocketClient_Destroy(); NULL when 100 clients are there already
 */
struct WebSocket *OH_WebSocketClient_Constructor(WebSocket_OnOpenCallback onOpen, WebSocket_OnMessageCallback onMessage,
                                                 WebSocket_OnErrorCallback onError, WebSocket_OnCloseCallback onClose);

/**
 * Adds a header to client->requestOptions. Only the two pointers are kept: what they point to must stay until an
 * OH_WebSocketClient_Connect() has returned 0, which empties the list: for the next attempt headers are added anew. Of
 * several headers with one name, the last counts.
 *
 * @param client the client
 * @param header name and value; its next is ignored
 * @return 0, also for a client that this library did not make, which stays untouched; 1001 for NULL; 1006 without memory;
 *         1016 when requestOptions holds a list of the program's own with more than 8192 headers
 */
int OH_WebSocketClient_AddHeader(struct WebSocket *client, struct WebSocket_Header header);

/**
 * Starts to connect. onOpen or onError tells what becomes of it. It is allowed again after onClose or that onError.
 *
 * @param client the client
 * @param url ws:// or wss://, at most 8196 bytes. For a bare host name the failure arrives as onError 1003.
 * @param options the headers, usually client->requestOptions. When this returns 0, those of OH_WebSocketClient_AddHeader()
 *        have been taken out of the list; headers of the program's own stay.
 * @return 0; 1001 for NULL; 1002; 1003 while connecting or connected; 1005 for an invalid URL or header; 1006 for an empty
 *         URL or without memory; 1015 for a header without name or value; 1016 for more than 8192 headers; 1020; 1021
 */
int OH_WebSocketClient_Connect(struct WebSocket *client, const char *url, struct WebSocket_RequestOptions options);

/**
 * Sends a message: as text when it holds no NUL and is UTF-8, else as binary. Before the connection is open it waits
 * for that. Without connection or attempt it is dropped, with a line in the log.
 *
 * @param client the client
 * @param data the message, copied
 * @param length its length in bytes, at most 4 MiB; nothing is sent for 0
 * @return 0; 1001 for NULL; 1002; 1010 without memory; 1011 when data is NULL; 1012 above 4 MiB; 1013 when 16 MiB wait to
 *         be sent, each message counted with its frame and 64 bytes; 1020
 */
int OH_WebSocketClient_Send(struct WebSocket *client, char *data, size_t length);

/**
 * Sends what waits, then closes the connection; onClose follows. An attempt that is not open yet is abandoned, and no
 * callback tells of it.
 *
 * @param client the client
 * @param options code and reason
 * @return 0; 1001 for NULL; 1002; 1009 for a reason that is not UTF-8; 1012 for a reason above 123 bytes; 1017 when there is no open
 *         connection, also for an attempt that is abandoned; 1020
 */
int OH_WebSocketClient_Close(struct WebSocket *client, struct WebSocket_CloseOption options);

/**
 * Destroys a client. Afterwards none of its callbacks runs; inside a callback it doesn't wait for one that runs now. An open
 * connection is closed in the background, as OH_WebSocketClient_Close() said or else with 1001.
 *
 * @param client the client, invalid from now on
 * @return 0; 1001 for NULL; 1002; 1018 when no OH_WebSocketClient_Connect() ever returned 0: it is destroyed all the same
 */
int OH_WebSocketClient_Destroy(struct WebSocket *client);

#ifdef __cplusplus
}
#endif

#endif /* NET_WEBSOCKET_H */
