/* The certificates that a server has presented, its own first: kept, and shown. */

#ifndef NSWS_TOOL_CHAIN_H
#define NSWS_TOOL_CHAIN_H

#include <netstack_websocket.h>

#include <stddef.h>

struct chain {
    struct kept *first, **end;
    size_t count;
};

void chain_begin(struct chain *chain);
/* An nsws_certificate_fn whose `user_data` is the chain. */
void chain_keep(nsws_client client, const nsws_certificate *certificate, void *user_data);
void chain_free(struct chain *chain);

/* The pin of the server's own key, or "". */
const char *chain_pin(const struct chain *chain);

/* For people, as PEM alone, and as events. */
void chain_show(const struct chain *chain);
void chain_show_pem(const struct chain *chain);
void chain_show_as_json(const struct chain *chain);

#endif
