/* RFC 7692 at the load generator's end, and the documents that are compressed: JSON of 4 KiB from a generator with a fixed
 * seed, so that everyone is sent the same. */
#ifndef DEFLATE_H
#define DEFLATE_H

#include "wire.h"

#include <zlib.h>

enum { DOCUMENT = 4096 };

struct codec {
    z_stream out, in;
    int reset_out, reset_in; /* the context isn't kept */
    uint64_t wire;           /* bytes of the frames that came */
};

static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Readings of sensors, as a dashboard is sent them; blanks fill up what is left. */
static void make_document(char *out, uint32_t *state) {
    static const char *const places[] = { "hall", "kitchen", "garage", "office", "attic", "garden", "cellar", "porch" };
    static const char *const kinds[] = { "temperature", "humidity", "pressure", "brightness", "motion" };
    static const char *const states[] = { "ok", "ok", "ok", "stale", "fault" };
    size_t at = (size_t)sprintf(out, "{\"sequence\":%u,\"readings\":[", next_random(state) % 1000000);
    for (int first = 1; at < DOCUMENT - 200; first = 0) {
        at += (size_t)sprintf(out + at,
                              "%s{\"id\":\"%08x\",\"place\":\"%s\",\"kind\":\"%s\",\"value\":%u.%02u,\"time\":17%08u,\"state\":\"%s\"}",
                              first ? "" : ",", next_random(state), places[next_random(state) % 8], kinds[next_random(state) % 5],
                              next_random(state) % 1000, next_random(state) % 100, next_random(state) % 100000000,
                              states[next_random(state) % 5]);
    }
    at += (size_t)sprintf(out + at, "],\"comment\":\"%*s\"}", (int)(DOCUMENT - at - 15), "");
    if (at != DOCUMENT) fail("the document's length");
}

/* Offers the extension; fails where the server doesn't agree to it. */
static struct codec *deflate_handshake(struct link *link, int port) {
    struct codec *codec = calloc(1, sizeof *codec);
    const char *answer = handshake(link, port, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
    const char *bits = strstr(answer, "client_max_window_bits=");
    if (strstr(answer, "permessage-deflate") == NULL) fail("the server doesn't compress");
    codec->reset_out = strstr(answer, "client_no_context_takeover") != NULL;
    codec->reset_in = strstr(answer, "server_no_context_takeover") != NULL;
    if (deflateInit2(&codec->out, 6, Z_DEFLATED, bits == NULL ? -15 : -atoi(strchr(bits, '=') + 1), 8, Z_DEFAULT_STRATEGY) != Z_OK)
        fail("deflateInit2");
    if (inflateInit2(&codec->in, -15) != Z_OK) fail("inflateInit2");
    return codec;
}

static void send_document(struct link *link, struct codec *codec, const char *document) {
    static unsigned char compressed[2 * DOCUMENT], frame[2 * DOCUMENT + 14];
    codec->out.next_in = (unsigned char *)document;
    codec->out.avail_in = DOCUMENT;
    codec->out.next_out = compressed;
    codec->out.avail_out = sizeof compressed;
    if (deflate(&codec->out, Z_SYNC_FLUSH) != Z_OK) fail("deflate");
    /* The four bytes that end a flush aren't sent (section 7.2.1). */
    size_t length = sizeof compressed - codec->out.avail_out - 4;
    if (codec->reset_out) deflateReset(&codec->out);
    write_all(link, frame, write_frame(frame, 0xc1, compressed, length));
}

/* On a blocking connection, a frame at a time; its payload. */
static size_t receive_frame(struct link *link, unsigned char *first, unsigned char *payload, size_t room) {
    unsigned char head[8];
    size_t length;
    read_all(link, head, 2);
    *first = head[0];
    length = head[1];
    if (length == 126) {
        read_all(link, head, 2);
        length = (size_t)head[0] << 8 | head[1];
    }
    if (length > room || length == 127) fail("an answer that is too long");
    read_all(link, payload, length);
    return length;
}

static void receive_document(struct link *link, struct codec *codec, const char *document) {
    static unsigned char payload[2 * DOCUMENT + 4];
    static char plain[DOCUMENT + 1];
    size_t length = 0;
    unsigned char first, compressed = 0;
    do {
        unsigned char bits;
        size_t got = receive_frame(link, &bits, payload + length, sizeof payload - 4 - length);
        compressed |= bits & 0x40;
        first = bits;
        codec->wire += got + (got < 126 ? 2 : 4);
        length += got;
    } while (!(first & 0x80));
    if (!compressed) {
        if (length != DOCUMENT || memcmp(payload, document, DOCUMENT) != 0) fail("the answer is not what was sent");
        return;
    }
    memcpy(payload + length, "\0\0\xff\xff", 4);
    codec->in.next_in = payload;
    codec->in.avail_in = (unsigned)length + 4;
    codec->in.next_out = (unsigned char *)plain;
    codec->in.avail_out = sizeof plain;
    int result = inflate(&codec->in, Z_SYNC_FLUSH);
    if ((result != Z_OK && result != Z_BUF_ERROR) || codec->in.avail_out != 1 || memcmp(plain, document, DOCUMENT) != 0)
        fail("the answer is not what was sent");
    if (codec->reset_in) inflateReset(&codec->in);
}

#endif
