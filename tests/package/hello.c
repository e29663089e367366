/* A user's program: it proves that header and library are found, linked and loaded. */

#include <netstack_websocket.h>
#include <stdio.h>

int main(void) {
    nsws_client client;
    if (nsws_client_create(&client) != NSWS_OK || nsws_client_connect(client, "ftp://x", NULL) != NSWS_ERR_URL) {
        fprintf(stderr, "%s\n", nsws_last_error());
        return 1;
    }
    nsws_client_destroy(client);
    printf("netstack_websocket %s\n", nsws_version());
    return nsws_shutdown(5000);
}
