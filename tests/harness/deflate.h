/* DEFLATE (RFC 1951) as permessage-deflate has it (RFC 7692 7.2), for peers that a test makes by hand: strict and plain, not fast. */
#ifndef HARNESS_DEFLATE_H
#define HARNESS_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

enum { DEFLATE_HEADS = 4096 };

/* One direction of a connection. Set to 0, then flow_init(); free(bytes) at the end. */
struct flow {
    size_t window;
    int takeover;
    /* What may be referred to, then the message. */
    unsigned char *bytes;
    size_t size, capacity;
    /* How many bytes came before these, and where three bytes were last seen, counted from the first of all and from 1. */
    uint64_t before;
    uint64_t heads[DEFLATE_HEADS];
};

void flow_init(struct flow *flow, int bits, int takeover);

/* Decompresses a message, which stays valid until the next. NULL: it is damaged, or refers further back than it may. */
const unsigned char *inflate_message(struct flow *flow, const void *data, size_t length, size_t *size);

/* Blocks that are stored; compressed with the fixed codes; the same, and a stream that ends with the message. */
enum shape { STORED, FIXED, FIXED_AND_LAST, SHAPES };

/* Compresses a message. The caller frees it. */
unsigned char *deflate_message(struct flow *flow, enum shape shape, const void *data, size_t length, size_t *size);

#endif
