#include "deflate.h"

#include <stdlib.h>
#include <string.h>

enum { LITERALS = 288, DISTANCES = 30, END_OF_BLOCK = 256, SHORTEST = 3, LONGEST = 258, LONGEST_STORED = 65535 };

void flow_init(struct flow *flow, int bits, int takeover) {
    flow->window = (size_t)1 << bits;
    flow->takeover = takeover;
}

/* Where the next message begins: behind what it may refer to. */
static size_t flow_begin(struct flow *flow) {
    size_t kept = !flow->takeover ? 0 : flow->size < flow->window ? flow->size : flow->window;
    if (kept > 0) memmove(flow->bytes, flow->bytes + flow->size - kept, kept);
    flow->before += flow->size - kept;
    flow->size = kept;
    return kept;
}

static void flow_add(struct flow *flow, unsigned char byte) {
    if (flow->size == flow->capacity) {
        flow->capacity = flow->capacity ? 2 * flow->capacity : 4096;
        flow->bytes = realloc(flow->bytes, flow->capacity);
    }
    flow->bytes[flow->size++] = byte;
}

/* The lengths and distances that a code begins with, and how many bits follow it (RFC 1951 3.2.5). */

static unsigned length_of(int code, int *more) {
    *more = code < 8 || code == 28 ? 0 : code / 4 - 1;
    return code == 28 ? LONGEST : code < 8 ? SHORTEST + (unsigned)code : (unsigned)((4 + code % 4) << *more) + SHORTEST;
}

static unsigned distance_of(int code, int *more) {
    *more = code < 4 ? 0 : code / 2 - 1;
    return code < 4 ? 1 + (unsigned)code : (unsigned)((2 + code % 2) << *more) + 1;
}

static void fixed_lengths(unsigned char *lengths) {
    for (int i = 0; i < LITERALS; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
}

/* Decompressing. */

/* The message, and what it lacks. */
struct source {
    const unsigned char *data;
    size_t length, bit;
};

static int has_ended(const struct source *in) {
    return in->bit >= 8 * (in->length + 4);
}

static unsigned take(struct source *in, int count) {
    static const unsigned char tail[4] = { 0, 0, 0xff, 0xff };
    unsigned value = 0;
    for (int i = 0; i < count && !has_ended(in); i++, in->bit++) {
        size_t at = in->bit / 8;
        unsigned byte = at < in->length ? in->data[at] : tail[at - in->length];
        value |= (byte >> in->bit % 8 & 1) << i;
    }
    return value;
}

/* A prefix code: how many symbols there are of each length, and the symbols in the order of their codes. */
struct code {
    int counts[16];
    int symbols[LITERALS];
};

static void code_init(struct code *code, const unsigned char *lengths, int count) {
    int at = 0;
    memset(code, 0, sizeof *code);
    for (int length = 1; length < 16; length++)
        for (int i = 0; i < count; i++)
            if (lengths[i] == length) {
                code->counts[length]++;
                code->symbols[at++] = i;
            }
}

/* The next symbol; -1: there is none. */
static int take_symbol(struct source *in, const struct code *code) {
    int value = 0, first = 0, at = 0;
    for (int length = 1; length < 16 && !has_ended(in); length++) {
        value = value << 1 | (int)take(in, 1);
        if (value - first < code->counts[length]) return code->symbols[at + value - first];
        at += code->counts[length];
        first = (first + code->counts[length]) << 1;
    }
    return -1;
}

/* The codes of a block (RFC 1951 3.2.7). */
static int take_codes(struct source *in, struct code *literals, struct code *distances) {
    static const unsigned char order[19] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
    unsigned char lengths[LITERALS + 32] = { 0 };
    struct code of_lengths;
    int literal_count = 257 + (int)take(in, 5), distance_count = 1 + (int)take(in, 5), count = 4 + (int)take(in, 4), at = 0;
    for (int i = 0; i < count; i++) lengths[order[i]] = (unsigned char)take(in, 3);
    code_init(&of_lengths, lengths, 19);
    memset(lengths, 0, 19);
    while (at < literal_count + distance_count) {
        int symbol = take_symbol(in, &of_lengths), times = 1;
        unsigned char length = (unsigned char)symbol;
        if (symbol < 0 || (symbol == 16 && at == 0)) return 0;
        if (symbol == 16) times = 3 + (int)take(in, 2), length = lengths[at - 1];
        if (symbol == 17) times = 3 + (int)take(in, 3), length = 0;
        if (symbol == 18) times = 11 + (int)take(in, 7), length = 0;
        if (at + times > literal_count + distance_count) return 0;
        while (times-- > 0) lengths[at++] = length;
    }
    code_init(literals, lengths, literal_count);
    code_init(distances, lengths + literal_count, distance_count);
    return 1;
}

static int inflate_block(struct flow *flow, struct source *in, const struct code *literals, const struct code *distances) {
    for (;;) {
        int more, symbol = take_symbol(in, literals);
        if (symbol == END_OF_BLOCK) return 1;
        if (symbol < 0 || symbol > END_OF_BLOCK + 29) return 0;
        if (symbol < END_OF_BLOCK) {
            flow_add(flow, (unsigned char)symbol);
            continue;
        }
        size_t length = length_of(symbol - END_OF_BLOCK - 1, &more);
        length += take(in, more);
        symbol = take_symbol(in, distances);
        if (symbol < 0 || symbol >= DISTANCES) return 0;
        size_t distance = distance_of(symbol, &more);
        distance += take(in, more);
        if (distance > flow->window || distance > flow->size) return 0;
        while (length-- > 0) flow_add(flow, flow->bytes[flow->size - distance]);
    }
}

const unsigned char *inflate_message(struct flow *flow, const void *data, size_t length, size_t *size) {
    struct source in = { data, length, 0 };
    struct code literals, distances;
    unsigned char lengths[LITERALS];
    size_t begin = flow_begin(flow);
    while (!has_ended(&in)) {
        int is_final = (int)take(&in, 1), kind = (int)take(&in, 2);
        if (kind == 0) {
            in.bit = (in.bit + 7) / 8 * 8;
            unsigned count = take(&in, 16);
            if ((count ^ take(&in, 16)) != 0xffff) return NULL;
            while (count-- > 0) {
                if (has_ended(&in)) return NULL;
                flow_add(flow, (unsigned char)take(&in, 8));
            }
        } else if (kind == 1) {
            fixed_lengths(lengths);
            code_init(&literals, lengths, LITERALS);
            memset(lengths, 5, DISTANCES);
            code_init(&distances, lengths, DISTANCES);
            if (!inflate_block(flow, &in, &literals, &distances)) return NULL;
        } else if (kind == 3 || !take_codes(&in, &literals, &distances) || !inflate_block(flow, &in, &literals, &distances)) {
            return NULL;
        }
        if (is_final) in.bit = (in.bit + 7) / 8 * 8;
    }
    if (flow->capacity == 0) flow_add(flow, 0), flow->size = 0;
    *size = flow->size - begin;
    return flow->bytes + begin;
}

/* Compressing. */

struct sink {
    unsigned char *bytes;
    size_t bit;
};

static void put(struct sink *out, unsigned value, int count) {
    for (int i = 0; i < count; i++, out->bit++) {
        if (out->bit % 8 == 0) out->bytes[out->bit / 8] = 0;
        out->bytes[out->bit / 8] |= (unsigned char)((value >> i & 1) << out->bit % 8);
    }
}

static void put_byte_end(struct sink *out) {
    out->bit = (out->bit + 7) / 8 * 8;
}

/* A symbol of the fixed codes; codes go out from their highest bit on. */
static void put_literal(struct sink *out, unsigned symbol) {
    unsigned code = symbol < 144 ? 0x30 + symbol : symbol < 256 ? 0x190 + symbol - 144 : symbol < 280 ? symbol - 256 : 0xc0 + symbol - 280;
    int length = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
    while (length-- > 0) put(out, code >> length & 1, 1);
}

static void put_reference(struct sink *out, unsigned length, unsigned distance) {
    int code = 28, more;
    while (length_of(code, &more) > length) code--;
    put_literal(out, END_OF_BLOCK + 1 + (unsigned)code);
    put(out, length - length_of(code, &more), more);
    code = DISTANCES - 1;
    while (distance_of(code, &more) > distance) code--;
    for (int bit = 4; bit >= 0; bit--) put(out, (unsigned)code >> bit & 1, 1);
    put(out, distance - distance_of(code, &more), more);
}

/* Finds what is repeated at this place: its length, at least 3, or 0. */
static unsigned repeats(struct flow *flow, size_t at, unsigned *distance) {
    if (flow->size - at < SHORTEST) return 0;
    const unsigned char *next = flow->bytes + at;
    uint64_t *head = &flow->heads[(next[0] * 961u + next[1] * 31u + next[2]) % DEFLATE_HEADS];
    uint64_t seen = *head, here = flow->before + at + 1;
    *head = here;
    if (seen <= flow->before || here - seen > flow->window) return 0;
    *distance = (unsigned)(here - seen);
    unsigned length = 0;
    while (length < LONGEST && at + length < flow->size && next[length] == next[(ptrdiff_t)length - (ptrdiff_t)*distance]) length++;
    return length < SHORTEST ? 0 : length;
}

unsigned char *deflate_message(struct flow *flow, enum shape shape, const void *data, size_t length, size_t *size) {
    const unsigned char *bytes = data;
    struct sink out = { malloc(2 * length + 64), 0 };
    size_t at = flow_begin(flow);
    for (size_t i = 0; i < length; i++) flow_add(flow, bytes[i]);
    if (shape == STORED) {
        while (at < flow->size) {
            size_t part = flow->size - at < LONGEST_STORED ? flow->size - at : LONGEST_STORED;
            put(&out, 0, 3);
            put_byte_end(&out);
            put(&out, (unsigned)part, 16);
            put(&out, (unsigned)part ^ 0xffff, 16);
            for (; part > 0; part--) put(&out, flow->bytes[at++], 8);
        }
    } else {
        put(&out, shape == FIXED_AND_LAST, 1);
        put(&out, 1, 2);
        while (at < flow->size) {
            unsigned distance, repeated = repeats(flow, at, &distance);
            if (repeated > 0) put_reference(&out, repeated, distance);
            else put_literal(&out, flow->bytes[at]);
            at += repeated > 0 ? repeated : 1;
        }
        put_literal(&out, END_OF_BLOCK);
        if (shape == FIXED_AND_LAST) put_byte_end(&out);
    }
    /* The beginning of an empty stored block, of which the peer adds the rest. */
    put(&out, 0, 3);
    put_byte_end(&out);
    *size = out.bit / 8;
    return out.bytes;
}
