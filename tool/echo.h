/* Sends each message back, in the callback itself. */

#ifndef NSWS_TOOL_ECHO_H
#define NSWS_TOOL_ECHO_H

#include <netstack_websocket.h>

#include <stdbool.h>

bool echo_messages(nsws_server server);
/* Frees what is left, once the server is destroyed. */
void echo_end(void);

#endif
