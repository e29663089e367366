/* As hello.c, with OpenHarmony's C client. */

#include <network/netstack/net_websocket.h>
#include <stdio.h>

int main(void) {
    struct WebSocket *client = OH_WebSocketClient_Constructor(NULL, NULL, NULL, NULL);
    if (client == NULL || OH_WebSocketClient_Connect(client, "ftp://x", client->requestOptions) != WEBSOCKET_CONNECTION_PARSE_URL_ERROR) {
        return 1;
    }
    printf("net_websocket\n");
    return OH_WebSocketClient_Destroy(client) != WEBSOCKET_NO_CONNECTION_CONTEXT;
}
