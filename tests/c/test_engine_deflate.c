/*
 * permessage-deflate (RFC 7692), in both roles: against a peer made by hand, whose windows are as strict as they are small, and
 * against Node's ws, Python's websockets and libwebsockets.
 */
#include "pair.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

/* What is sent, as deflate_raw.py makes it. */
static char *made(const char *what, size_t length) {
    static unsigned char noise[20000];
    uint32_t state = 1;
    size_t unit = sizeof noise;
    for (size_t i = 0; i < sizeof noise; i++) {
        state = state * 1103515245u + 12345u;
        noise[i] = (unsigned char)(state >> 16);
    }
    if (strcmp(what, "letters") == 0) unit = 26;
    if (strcmp(what, "near") == 0) unit = 300;
    if (strcmp(what, "zeros") == 0) unit = 1;
    char *data = malloc(length + 1);
    for (size_t i = 0; i < length; i++) {
        size_t at = i % unit;
        data[i] = (char)(unit == 26 ? 'a' + at : unit == 1 ? 0 : noise[at]);
    }
    data[length] = 0;
    return data;
}

static void echo(struct pair *p, const nsws_message_event *e) {
    if (p->role == AS_CLIENT)
        CHECK_OK(pair_send(p, e->data, e->length, e->is_text));
    else if (e->is_text) /* to the sender: the test may not know the connection yet */
        CHECK_OK(nsws_connection_send_text(p->talking, (const char *)e->data, e->length));
    else
        CHECK_OK(nsws_connection_send_binary(p->talking, e->data, e->length));
}

/* The library at one end, deflate_raw.py at the other. */
struct link {
    struct pair *p;
    struct other *peer;
    /* What the client offered and the server answered; "-" for nothing. */
    char offer[600], answer[600];
};

/* Connects both; the peer offers, or answers with, these extensions. Returns whether the connection opened. */
static int links(struct link *link, enum role role, const struct pair_options *options, const char *extensions) {
    char said[600] = "";
    memset(link, 0, sizeof *link);
    link->p = new_pair(role, options);
    link->peer = new_other("NSWS_DEFLATE_RAW");
    if (role == AS_CLIENT) {
        struct pair *p = link->p;
        p->r = new_client();
        p->r->partial = 1;
        CHECK_OK(nsws_client_off_message(p->r->client, record_message, p->r));
        CHECK_OK(nsws_client_off_data_end(p->r->client, record_data_end, p->r));
        CHECK_OK(nsws_client_on_message(p->r->client, pair_client_message, p, NULL));
        snprintf(p->r->url, sizeof p->r->url, "ws://127.0.0.1:%s/", ask_other(link->peer, "serve"));
        if (!CHECK_OK(nsws_client_connect(p->r->client, p->r->url, &options->client))) return 0;
        snprintf(said, sizeof said, "%s", ask_other(link->peer, "accept %s", extensions));
        snprintf(link->offer, sizeof link->offer, "%s", strncmp(said, "offer ", 6) == 0 ? said + 6 : said);
        snprintf(link->answer, sizeof link->answer, "%s", extensions);
        pthread_mutex_lock(&p->r->lock);
        struct timespec end = guard_end();
        while (p->r->counts[OPEN] + p->r->counts[ERROR] == 0)
            if (pthread_cond_timedwait(&p->r->changed, &p->r->lock, &end) == ETIMEDOUT) break;
        int opened = p->r->counts[OPEN] == 1;
        pthread_mutex_unlock(&p->r->lock);
        return opened;
    }
    struct server *s = link->p->s = new_server();
    CHECK_OK(nsws_server_off_message(s->handle, server_on_message, s));
    CHECK_OK(nsws_server_on_message(s->handle, pair_server_message, link->p, NULL));
    if (!START(s, &options->server)) return 0;
    snprintf(link->offer, sizeof link->offer, "%s", extensions);
    snprintf(said, sizeof said, "%s", ask_other(link->peer, "connect %d %s", s->port, extensions));
    snprintf(link->answer, sizeof link->answer, "%s", strncmp(said, "answer ", 7) == 0 ? said + 7 : said);
    if (strncmp(said, "answer ", 7) != 0) return 0;
    const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, 1);
    if (connect) link->p->connection = connect->connection;
    return connect != NULL;
}

static void unlinks(struct link *link) {
    if (link->p->role == AS_CLIENT) destroy_client(link->p->r);
    else destroy_server(link->p->s);
    end_others();
}

static struct pair_options deflating(void) {
    struct pair_options options = pair_defaults();
    SET(options, compression, 1);
    SET(options, compression_threshold, 1);
    options.on_message = echo;
    return options;
}

/* The value of a parameter; 15 without the parameter, and `without_value` for one that has none. */
static int parameter(const char *extensions, const char *name, int without_value) {
    const char *at = strstr(extensions, name);
    int value = 15;
    if (!at) return 15;
    at += strlen(name);
    while (*at == ' ') at++;
    if (*at != '=') return without_value;
    if (sscanf(at + 1, " \"%d", &value) != 1) sscanf(at + 1, " %d", &value);
    return value;
}

/* Options. */

static void the_options_have_their_defaults_and_ranges(void) {
    nsws_connect_options client = defaults();
    nsws_server_options server = server_defaults();
    CHECK(client.compression == 0 && client.compression_level == 6 && client.compression_threshold == 1024);
    CHECK(client.client_max_window_bits == 15 && client.server_max_window_bits == 15);
    CHECK(client.client_no_context_takeover == 0 && client.server_no_context_takeover == 0);
    CHECK_INT(client.compression_memory, 512 * KIB);
    CHECK(server.compression == 0 && server.compression_level == 6 && server.compression_threshold == 1024);
    CHECK(server.client_max_window_bits == 15 && server.server_max_window_bits == 15);
    CHECK_INT(server.compression_memory, 512 * KIB);
    static const struct {
        uint8_t compression, level, client_bits, server_bits, client_takeover, server_takeover;
    } wrong[] = {
        { 2, 6, 15, 15, 0, 0 }, { 1, 0, 15, 15, 0, 0 }, { 1, 10, 15, 15, 0, 0 }, { 1, 6, 7, 15, 0, 0 },
        { 1, 6, 16, 15, 0, 0 }, { 1, 6, 15, 7, 0, 0 }, { 1, 6, 15, 16, 0, 0 }, { 1, 6, 15, 15, 2, 0 }, { 1, 6, 15, 15, 0, 2 },
    };
    struct recorder *r = new_client();
    struct server *s = new_server();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct pair_options options = pair_defaults();
        SET(options, compression, wrong[i].compression);
        SET(options, compression_level, wrong[i].level);
        SET(options, client_max_window_bits, wrong[i].client_bits);
        SET(options, server_max_window_bits, wrong[i].server_bits);
        SET(options, client_no_context_takeover, wrong[i].client_takeover);
        SET(options, server_no_context_takeover, wrong[i].server_takeover);
        CHECK_CODE(nsws_client_connect(r->client, "ws://127.0.0.1:9/", &options.client), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_server_start(s->handle, &options.server), NSWS_ERR_PARAMETER);
    }
}

/* The handshake. */

static void without_the_option_nothing_is_offered_or_agreed(void) {
    struct pair_options options = pair_defaults();
    struct link link;
    options.on_message = echo;
    if (CHECK(links(&link, AS_CLIENT, &options, "-"))) CHECK_STR(link.offer, "-");
    unlinks(&link);
    if (CHECK(links(&link, AS_SERVER, &options, "permessage-deflate; client_max_window_bits"))) CHECK_STR(link.answer, "-");
    unlinks(&link);
}

static void what_is_agreed_is_told(void) {
    struct pair_options options = deflating();
    struct link link;
    if (CHECK(links(&link, AS_CLIENT, &options, "permessage-deflate; server_max_window_bits=12"))) CHECK_CONTAINS(link.offer, "permessage-deflate");
    unlinks(&link);
    if (CHECK(links(&link, AS_SERVER, &options, "x-other, permessage-deflate"))) {
        CHECK_CONTAINS(link.answer, "permessage-deflate");
        CHECK_LACKS(link.answer, "client_max_window_bits"); /* it wasn't offered */
        CHECK_LACKS(link.answer, "x-other");
    }
    unlinks(&link);
    /* A client whose server doesn't know it goes on without. */
    if (CHECK(links(&link, AS_CLIENT, &options, "-"))) {
        CHECK_CONTAINS(ask_other(link.peer, "plain text letters 2000"), "sent");
        CHECK_STR(ask_other(link.peer, "read letters"), "plain text 2000 2000 same");
    }
    unlinks(&link);
}

static void an_answer_that_was_not_offered_fails_the_handshake(void) {
    static const struct {
        int bits;
        const char *answer;
    } cases[] = {
        { 15, "x-other" },
        { 15, "permessage-deflate, permessage-deflate" },
        { 15, "permessage-deflate; x=1" },
        { 15, "permessage-deflate; server_max_window_bits" },
        { 15, "permessage-deflate; server_max_window_bits=7" },
        { 15, "permessage-deflate; server_max_window_bits=16" },
        { 15, "permessage-deflate; server_max_window_bits=08" },
        { 15, "permessage-deflate; server_max_window_bits=ten" },
        { 15, "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10" },
        { 15, "permessage-deflate; server_no_context_takeover=1" },
        { 15, "permessage-deflate; server_no_context_takeover; server_no_context_takeover" },
        { 15, "permessage-deflate; client_no_context_takeover=yes" },
        { 15, "permessage-deflate; client_max_window_bits" },
        { 15, "permessage-deflate; client_max_window_bits=7" },
        { 15, "permessage-deflate; client_max_window_bits=16" },
        { 10, "permessage-deflate; server_max_window_bits=11" }, /* more than was asked for */
        { 10, "permessage-deflate" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair_options options = deflating();
        struct link link;
        SET(options, server_max_window_bits, (uint8_t)cases[i].bits);
        if (links(&link, AS_CLIENT, &options, cases[i].answer))
            harness_fail(__FILE__, __LINE__, "\"%s\" is accepted for \"%s\"", cases[i].answer, link.offer);
        const struct event *error = WAIT(link.p->r, ERROR, 1);
        if (error) CHECK(error->phase == NSWS_PHASE_HANDSHAKE && error->detail == NSWS_DETAIL_HANDSHAKE);
        unlinks(&link);
    }
}

static void an_offer_that_is_wrong_is_declined_and_the_next_is_taken(void) {
    static const struct {
        const char *offer;
        int agreed;
    } cases[] = {
        { "permessage-deflate; x=1", 0 },
        { "permessage-deflate; server_max_window_bits=7", 0 },
        { "permessage-deflate; server_max_window_bits", 0 },
        { "permessage-deflate; server_max_window_bits=16, permessage-deflate", 1 },
        { "permessage-deflate; client_max_window_bits=99; server_no_context_takeover", 0 },
        { "permessage-deflate; server_no_context_takeover=1", 0 },
        { "permessage-deflate; client_max_window_bits=10; client_max_window_bits=10", 0 },
        { "permessage-deflate; server_max_window_bits=\"10\"", 1 },
        { "permessage-deflate;server_no_context_takeover ;client_no_context_takeover", 1 },
        { "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits", 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair_options options = deflating();
        struct link link;
        if (!links(&link, AS_SERVER, &options, cases[i].offer)) harness_fail(__FILE__, __LINE__, "\"%s\" is refused", cases[i].offer);
        int agreed = strstr(link.answer, "permessage-deflate") != NULL;
        if (agreed != cases[i].agreed) harness_fail(__FILE__, __LINE__, "\"%s\" is answered with \"%s\"", cases[i].offer, link.answer);
        if (strstr(cases[i].offer, "server_no_context_takeover ;")) CHECK_CONTAINS(link.answer, "server_no_context_takeover");
        if (strstr(cases[i].offer, "\"10\"")) CHECK_INT(parameter(link.answer, "server_max_window_bits", 15), 10);
        CHECK_CONTAINS(ask_other(link.peer, "plain text letters 2000"), "sent");
        const char *as = ask_other(link.peer, "read letters");
        if (cases[i].agreed) CHECK_CONTAINS(as, "compressed text 2000 ");
        else CHECK_STR(as, "plain text 2000 2000 same");
        CHECK_CONTAINS(as, " same");
        unlinks(&link);
    }
}

/* Messages. */

static void comes_back(int line, struct link *link, const char *how, const char *kind, const char *what, size_t length, size_t fragment,
                       const char *as) {
    char said[128], expected[128], compressed[32] = "", got_kind[32] = "", same[32] = "";
    long got = -1, wire = -1;
    if (strcmp(how, "send") == 0) snprintf(said, sizeof said, "send %s %s %ld %ld", kind, what, (long)length, (long)fragment);
    else snprintf(said, sizeof said, "plain %s %s %ld", kind, what, (long)length);
    const char *sent = ask_other(link->peer, "%s", said);
    if (strncmp(sent, "sent ", 5) != 0) harness_fail(__FILE__, line, "%s: %s", said, sent);
    snprintf(expected, sizeof expected, "%s", ask_other(link->peer, "read %s", what));
    sscanf(expected, "%31s %31s %ld %ld %31s", compressed, got_kind, &got, &wire, same);
    if (strcmp(got_kind, kind) != 0 || got != (long)length || strcmp(same, "same") != 0 || (as && strcmp(as, compressed) != 0))
        harness_fail(__FILE__, line, "%s, \"%s\" and \"%s\": %s comes back as %s, not %s", role_names[link->p->role], link->offer, link->answer, said,
                     expected, as ? as : "the same");
}

#define COMES_BACK(link, how, kind, what, length, fragment, as) comes_back(__LINE__, link, how, kind, what, length, fragment, as)

/* Everything that may be sent, with the windows that were agreed: what is sent refers no further back than they reach. */
static void is_kept(struct link *link, int own_bits, int own_takeover, int peer_bits, int peer_takeover) {
    CHECK_STR(ask_other(link->peer, "deflater %d %d", peer_bits, peer_takeover), "ok");
    CHECK_STR(ask_other(link->peer, "inflater %d %d", own_bits, own_takeover), "ok");
    for (int round = 0; round < 2; round++) {
        COMES_BACK(link, "send", "text", "letters", 0, 100, NULL);
        COMES_BACK(link, "send", "text", "letters", 1, 100, NULL);
        COMES_BACK(link, "send", "text", "letters", 3000, 7, "compressed");
        COMES_BACK(link, "send", "binary", "near", 5000, 1000, NULL);
        COMES_BACK(link, "plain", "text", "letters", 2000, 0, "compressed");
        COMES_BACK(link, "plain", "binary", "near", 700, 0, NULL);
        COMES_BACK(link, "send", "binary", "far", 25000, 65536, NULL);
        COMES_BACK(link, "send", "binary", "noise", 3000, 65536, NULL);
        COMES_BACK(link, "send", "binary", "zeros", 100000, 50, "compressed");
        COMES_BACK(link, "send", "binary", "near", 300, 65536, NULL);
        COMES_BACK(link, "send", "binary", "near", 300, 65536, NULL);
    }
}

/* Every window in both directions; the library may decline 8, but not agree to it and then break it. */
static void windows(enum role role, int takeover) {
    for (int bits = 8; bits <= 15; bits++) {
        struct pair_options options = deflating();
        struct link link;
        char extensions[256];
        int other_bits = 23 - bits;
        snprintf(extensions, sizeof extensions, "permessage-deflate; server_max_window_bits=%d; client_max_window_bits=%d%s",
                 role == AS_CLIENT ? other_bits : bits, role == AS_CLIENT ? bits : other_bits, takeover ? "" : "; server_no_context_takeover; client_no_context_takeover");
        if (role == AS_CLIENT) {
            /* What it offers is what the options say, so it must be able to keep to that. */
            options.client.client_max_window_bits = (uint8_t)bits;
            options.client.server_max_window_bits = (uint8_t)other_bits;
            options.client.client_no_context_takeover = options.client.server_no_context_takeover = !takeover;
            if (bits == 15)
                snprintf(extensions, sizeof extensions, "permessage-deflate; server_max_window_bits=%d%s", other_bits,
                         takeover ? "" : "; server_no_context_takeover; client_no_context_takeover");
        }
        int opened = links(&link, role, &options, extensions);
        int declined = role == AS_CLIENT ? strstr(link.offer, "permessage-deflate") == NULL : strcmp(link.answer, "-") == 0;
        if (declined && (bits == 8 || other_bits == 8)) {
            unlinks(&link);
            continue;
        }
        if (!CHECK(opened) || !CHECK(!declined)) return;
        int own = role == AS_CLIENT ? bits : parameter(link.answer, "server_max_window_bits", 15);
        int peer = role == AS_CLIENT ? other_bits : parameter(link.answer, "client_max_window_bits", 15);
        CHECK_MOST(own, bits);
        CHECK_MOST(peer, other_bits);
        is_kept(&link, own, takeover, peer, takeover);
        unlinks(&link);
    }
}

static void every_window_is_kept_with_takeover(void) {
    BOTH_ROLES(role) windows(role, 1);
}

static void every_window_is_kept_without_takeover(void) {
    BOTH_ROLES(role) windows(role, 0);
}

static void a_server_imposes_what_it_is_told(void) {
    struct pair_options options = deflating();
    struct link link;
    options.server.server_max_window_bits = 10;
    options.server.client_max_window_bits = 11;
    options.server.server_no_context_takeover = options.server.client_no_context_takeover = 1;
    if (CHECK(links(&link, AS_SERVER, &options, "permessage-deflate; client_max_window_bits"))) {
        CHECK_INT(parameter(link.answer, "server_max_window_bits", 15), 10);
        CHECK_INT(parameter(link.answer, "client_max_window_bits", 15), 11);
        CHECK_CONTAINS(link.answer, "server_no_context_takeover");
        CHECK_CONTAINS(link.answer, "client_no_context_takeover");
        is_kept(&link, 10, 0, 11, 0);
    }
    unlinks(&link);
}

static void with_takeover_the_second_time_costs_little(void) {
    BOTH_ROLES(role) {
        struct pair_options options = deflating();
        struct link link;
        long first = 0, second = 0;
        if (!CHECK(links(&link, role, &options, "permessage-deflate"))) return;
        CHECK_STR(ask_other(link.peer, "deflater 15 1"), "ok");
        CHECK_STR(ask_other(link.peer, "inflater 15 1"), "ok");
        ask_other(link.peer, "send text letters 20");
        ask_other(link.peer, "read letters");
        ask_other(link.peer, "plain binary near 600");
        sscanf(ask_other(link.peer, "read near"), "compressed binary 600 %ld same", &first);
        ask_other(link.peer, "plain binary near 600");
        sscanf(ask_other(link.peer, "read near"), "compressed binary 600 %ld same", &second);
        CHECK(first > 250 && second > 0 && second < 60);
        unlinks(&link);
    }
}

static void below_the_threshold_and_what_does_not_shrink_goes_plain(void) {
    BOTH_ROLES(role) {
        struct pair_options options = deflating();
        struct link link;
        SET(options, compression_threshold, 1000);
        if (!CHECK(links(&link, role, &options, "permessage-deflate"))) return;
        COMES_BACK(&link, "plain", "text", "letters", 0, 0, "plain");
        COMES_BACK(&link, "plain", "text", "letters", 999, 0, "plain");
        COMES_BACK(&link, "plain", "text", "letters", 1000, 0, "compressed");
        COMES_BACK(&link, "plain", "binary", "noise", 5000, 0, "plain");
        COMES_BACK(&link, "send", "text", "letters", 999, 100, "plain");
        COMES_BACK(&link, "send", "text", "letters", 5000, 100, "compressed");
        unlinks(&link);
    }
}

static void the_examples_of_rfc_7692_are_read(void) {
    /* 7.2.3: one block; a reference to the first; no compression; a flush inside; a final block marked as such. */
    static const char *const hello[] = {
        "f248cdc9c90700", "f200110000", "000500faff48656c6c6f00", "f24805000000ffffcac9c90700", "f348cdc9c9070000", "f248cdc9c90700",
    };
    BOTH_ROLES(role) {
        struct pair_options options = deflating();
        struct link link;
        SET(options, compression_threshold, 1000);
        if (!CHECK(links(&link, role, &options, "permessage-deflate"))) return;
        for (size_t i = 0; i < sizeof hello / sizeof *hello; i++) {
            CHECK_STR(ask_other(link.peer, "frame c1 %s", hello[i]), "sent");
            WAIT_COUNTER(&link.p->messages, (long)i + 1);
            CHECK_INT(counter_value(&link.p->bytes), 5 * (i + 1));
            CHECK_CONTAINS(ask_other(link.peer, "read letters"), "plain text 5 5");
        }
        /* Empty ones, with control frames inside. */
        CHECK_STR(ask_other(link.peer, "frame c1 00"), "sent");
        WAIT_COUNTER(&link.p->messages, 7);
        CHECK_STR(ask_other(link.peer, "frame 41 02"), "sent");
        CHECK_STR(ask_other(link.peer, "frame 89 70"), "sent");
        CHECK_STR(ask_other(link.peer, "frame 80 00"), "sent");
        WAIT_COUNTER(&link.p->messages, 8);
        CHECK_INT(counter_value(&link.p->bytes), 30);
        unlinks(&link);
    }
}

/* What breaks the rules. */

static void breaks(int line, enum role role, const char *extensions, const char *const *frames, int code, int32_t detail) {
    struct pair_options options = deflating();
    struct link link;
    char said[64];
    if (!links(&link, role, &options, extensions)) {
        harness_fail(__FILE__, line, "it does not open");
        return;
    }
    for (; *frames; frames++) ask_other(link.peer, "%s", *frames);
    snprintf(said, sizeof said, "closed %d", code);
    check_str(__FILE__, line, "the end", ask_other(link.peer, "read letters"), said);
    ask_other(link.peer, "leave");
    struct told error = pair_wait(__FILE__, line, link.p, ERROR, ON_ERROR, 1), close = pair_wait(__FILE__, line, link.p, CLOSE, ON_CLOSE, 1);
    if (error.came && error.detail != detail) harness_fail(__FILE__, line, "%s: %s: %s", role_names[role], nsws_error_name(error.detail), error.text);
    if (close.came) check_int(__FILE__, line, "close", close.code, code);
    unlinks(&link);
}

#define FRAMES(...) (const char *const[]){ __VA_ARGS__, NULL }

static void wrong_reserved_bits_are_a_protocol_error(void) {
    BOTH_ROLES(role) {
        const char *agreed = "permessage-deflate", *not_agreed = role == AS_CLIENT ? "-" : "x-other";
        breaks(__LINE__, role, not_agreed, FRAMES("frame c1 f248cdc9c90700"), 1002, NSWS_DETAIL_PROTOCOL);
        breaks(__LINE__, role, agreed, FRAMES("frame 41 f248cd", "frame c0 c9c90700"), 1002, NSWS_DETAIL_PROTOCOL);
        breaks(__LINE__, role, agreed, FRAMES("frame 01 6869", "frame c0 c9c90700"), 1002, NSWS_DETAIL_PROTOCOL);
        breaks(__LINE__, role, agreed, FRAMES("frame c9 70"), 1002, NSWS_DETAIL_PROTOCOL);
        breaks(__LINE__, role, agreed, FRAMES("frame ca 70"), 1002, NSWS_DETAIL_PROTOCOL);
        breaks(__LINE__, role, agreed, FRAMES("frame c8 03e8"), 1002, NSWS_DETAIL_PROTOCOL);
        breaks(__LINE__, role, agreed, FRAMES("frame a1 6869"), 1002, NSWS_DETAIL_PROTOCOL);
        breaks(__LINE__, role, agreed, FRAMES("frame d1 6869"), 1002, NSWS_DETAIL_PROTOCOL);
        breaks(__LINE__, role, agreed, FRAMES("frame f1 6869"), 1002, NSWS_DETAIL_PROTOCOL);
    }
}

static void corrupt_and_truncated_data_end_with_1007(void) {
    BOTH_ROLES(role) {
        const char *agreed = "permessage-deflate";
        breaks(__LINE__, role, agreed, FRAMES("frame c1 ffffffffff"), 1007, NSWS_DETAIL_COMPRESSION);
        breaks(__LINE__, role, agreed, FRAMES("frame c2 0612345678"), 1007, NSWS_DETAIL_COMPRESSION);
        /* A stored block whose two lengths differ. */
        breaks(__LINE__, role, agreed, FRAMES("frame c2 000500faee48656c6c6f00"), 1007, NSWS_DETAIL_COMPRESSION);
        /* It refers to what was never there. */
        breaks(__LINE__, role, agreed, FRAMES("frame c1 f200110000"), 1007, NSWS_DETAIL_COMPRESSION);
        /* Cut within a stored block, and within a compressed one. */
        breaks(__LINE__, role, agreed, FRAMES("frame c2 00ff0000ff4865"), 1007, NSWS_DETAIL_COMPRESSION);
        breaks(__LINE__, role, agreed, FRAMES("cut binary near 5000 100"), 1007, NSWS_DETAIL_COMPRESSION);
        breaks(__LINE__, role, agreed, FRAMES("send binary letters 3000 10", "read letters", "frame 42 f248", "frame 00 ffff", "frame 80 ffff"), 1007,
               NSWS_DETAIL_COMPRESSION);
        /* What comes out is not text. */
        breaks(__LINE__, role, agreed, FRAMES("frame c1 000200fdffc32800"), 1007, NSWS_DETAIL_INVALID_UTF8);
    }
}

static void a_bomb_ends_with_1009_within_the_limit(void) {
    BOTH_ROLES(role)
        for (int limit = 0; limit < 2; limit++) {
            struct pair_options options = deflating();
            struct link link;
            if (limit) SET(options, max_receive_size, 100000);
            if (!CHECK(links(&link, role, &options, "permessage-deflate"))) return;
            long before = held_kib();
            CHECK_CONTAINS(ask_other(link.peer, "bomb %d", limit ? 1 : 1024), "sent");
            CHECK_STR(ask_other(link.peer, "read zeros"), "closed 1009");
            ask_other(link.peer, "leave");
            CHECK_HELD("a bomb", before, limit ? 4 * KIB : 40 * KIB);
            struct told error = PAIR_ERROR(link.p), close = PAIR_CLOSE(link.p);
            if (error.came) CHECK_INT(error.detail, NSWS_DETAIL_MESSAGE_TOO_BIG);
            if (close.came) CHECK_INT(close.code, 1009);
            CHECK_INT(counter_value(&link.p->messages), 0);
            unlinks(&link);
        }
}

static void a_message_at_the_limit_is_delivered(void) {
    BOTH_ROLES(role) {
        struct pair_options options = deflating();
        struct link link;
        SET(options, max_receive_size, 100000);
        if (!CHECK(links(&link, role, &options, "permessage-deflate"))) return;
        COMES_BACK(&link, "send", "binary", "zeros", 100000, 10, "compressed");
        COMES_BACK(&link, "send", "text", "letters", 100000, 65536, "compressed");
        CHECK_CONTAINS(ask_other(link.peer, "send text letters 100001"), "sent");
        CHECK_STR(ask_other(link.peer, "read letters"), "closed 1009");
        unlinks(&link);
    }
}

static void the_memory_bound_makes_windows_smaller_or_declines(void) {
    static const size_t bounds[] = { 1 * MIB, 256 * KIB, 64 * KIB, 16 * KIB, 1 };
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        struct pair_options options = deflating();
        struct link link;
        SET(options, compression_memory, bounds[i]);
        if (!CHECK(links(&link, AS_SERVER, &options, "permessage-deflate; client_max_window_bits"))) return;
        if (i == 0) CHECK_CONTAINS(link.answer, "permessage-deflate");
        if (bounds[i] == 1) CHECK_STR(link.answer, "-");
        if (strcmp(link.answer, "-") != 0)
            is_kept(&link, parameter(link.answer, "server_max_window_bits", 15), !strstr(link.answer, "server_no_context_takeover"),
                    parameter(link.answer, "client_max_window_bits", 15), !strstr(link.answer, "client_no_context_takeover"));
        unlinks(&link);
    }
}

/* A thread of the program that sends what takes long to compress. */
struct slow_send {
    struct pair *p;
    char *data;
    size_t length;
    int over;
};

static void *send_slowly(void *user) {
    struct slow_send *slow = user;
    CHECK_OK(pair_send(slow->p, slow->data, slow->length, 0));
    __atomic_store_n(&slow->over, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void while_a_message_is_compressed_others_pass(void) {
    enum { ROUNDS = 50 };
    BOTH_ROLES(role) {
        struct pair_options options = deflating();
        struct link link;
        SET(options, compression_threshold, 1024);
        SET(options, compression_level, 9);
        SET(options, max_send_size, SIZE_MAX);
        /* Room in the queue for the longest message and the others. */
        SET(options, send_queue_size, 256 * MIB);
        if (!CHECK(links(&link, role, &options, "permessage-deflate"))) return;
        COMES_BACK(&link, "plain", "text", "letters", 5, 0, "plain");
        /* Too short at first for this machine to have the rounds meanwhile, it is doubled until it is not. */
        int rounds = 0;
        for (size_t length = 4 * MIB; rounds < ROUNDS && length <= 64 * MIB; length *= 2) {
            struct slow_send slow = { link.p, malloc(length), length, 0 };
            uint32_t state = 1;
            for (size_t i = 0; i < length; i++) {
                state = state * 1103515245u + 12345u;
                slow.data[i] = (char)(state >> 16);
            }
            pthread_t thread;
            pthread_create(&thread, NULL, send_slowly, &slow);
            for (rounds = 0; rounds < ROUNDS && !__atomic_load_n(&slow.over, __ATOMIC_SEQ_CST); rounds++) {
                CHECK_CONTAINS(ask_other(link.peer, "plain text letters 5"), "sent ");
                const char *said = ask_other(link.peer, "read letters");
                if (strncmp(said, "plain text 5 ", 13) != 0) break;
            }
            pthread_join(thread, NULL);
            free(slow.data);
            if (rounds < ROUNDS) {
                unlinks(&link);
                if (!CHECK(links(&link, role, &options, "permessage-deflate"))) return;
            }
        }
        CHECK_INT(rounds, ROUNDS);
        unlinks(&link);
    }
}

static void a_broadcast_reaches_those_with_and_without(void) {
    struct pair_options options = deflating();
    static const char *const offers[] = {
        "permessage-deflate", "-", "permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; server_max_window_bits=9", "-",
    };
    enum { CLIENTS = sizeof offers / sizeof *offers };
    struct other *clients[CLIENTS];
    char *data = made("letters", 5000);
    struct server *s = started_server(&options.server);
    if (!s) return;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = new_other("NSWS_DEFLATE_RAW");
        const char *answer = ask_other(clients[i], "connect %d %s", s->port, offers[i]);
        CHECK_STR(ask_other(clients[i], i == 4 ? "inflater 9 1" : i == 2 || i == 3 ? "inflater 15 0" : "inflater 15 1"), "ok");
        (void)answer;
    }
    SERVER_WAIT(s, ON_CONNECT, CLIENTS);
    for (int round = 0; round < 3; round++) {
        size_t accepted = 0;
        CHECK_OK(nsws_server_broadcast(s->handle, data, 5000, 1, &accepted));
        CHECK_INT(accepted, CLIENTS);
        for (int i = 0; i < CLIENTS; i++) {
            const char *got = ask_other(clients[i], "read letters");
            CHECK(strncmp(got, offers[i][0] == '-' ? "plain text 5000" : "compressed text 5000", offers[i][0] == '-' ? 15 : 20) == 0);
            CHECK_CONTAINS(got, " same");
        }
    }
    free(data);
}

/* Other libraries. */

static void node_and_python_agree_with_a_client(void) {
    static const char *const urls[] = { "NSWS_DEFLATE_NODE_URL", "NSWS_DEFLATE_PYTHON_URL" };
    static const size_t lengths[] = { 0, 1, 100, 1024, 5000, 70000, 300000, 20 };
    for (int which = 0; which < 2; which++)
        for (int bits = 8; bits <= 15; bits++)
            for (int takeover = 0; takeover < 2; takeover++) {
                struct recorder *r = new_client();
                struct pair_options options = deflating();
                /* They compress with zlib, which has no raw window of 8 bits. */
                options.client.server_max_window_bits = (uint8_t)(bits == 8 ? 9 : bits);
                options.client.client_max_window_bits = (uint8_t)bits;
                options.client.server_no_context_takeover = options.client.client_no_context_takeover = !takeover;
                if (!OPENS(r, setting(urls[which]), &options.client)) return;
                size_t count = 0;
                for (int round = 0; round < 3; round++)
                    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
                        char *data = i % 2 ? letters(lengths[i]) : made("far", lengths[i]);
                        CHECK_OK(i % 2 ? nsws_client_send_text(r->client, data, lengths[i]) : nsws_client_send_binary(r->client, data, lengths[i]));
                        const struct event *message = WAIT(r, MESSAGE, ++count);
                        if (!message || !CHECK(message->length == lengths[i] && memcmp(message->text, data, lengths[i]) == 0)) {
                            free(data);
                            return;
                        }
                        free(data);
                    }
                destroy_client(r);
            }
}

static void node_and_python_agree_with_a_server(void) {
    static const int lengths[] = { 0, 1, 100, 1024, 5000, 70000, 300000, 20 };
    for (int which = 0; which < OTHER_CLIENTS; which++)
        for (int bits = 8; bits <= 15; bits++)
            for (int takeover = 0; takeover < 2; takeover++) {
                struct pair_options options = deflating();
                struct server *s = new_server();
                s->echo = 1;
                if (!START(s, &options.server)) return;
                struct other *client = new_other(other_clients[which]);
                CHECK_STR(ask_other(client, "deflate %d %d", bits, takeover), "ok");
                CHECK_STR(ask_other(client, "open a ws://127.0.0.1:%d/", s->port), "open -");
                for (int round = 0; round < 3; round++)
                    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
                        if (!CHECK_STR(ask_other(client, "echo a %s %d", i % 2 ? "text" : "binary", lengths[i]), "same")) return;
                CHECK_STR(ask_other(client, "close a 1000 done"), "closed 1000 done");
                end_others();
                destroy_server(s);
            }
}

/* libwebsockets (interop/lws_peer.c). What 4.1 does wrong itself is left out: as a server it takes each side's context for the
 * other's, and agrees to a window without saying so. */

static int has_libwebsockets(void) {
    if (getenv("NSWS_LWS_PEER")) return 1;
    puts("****** SKIPPED: compression with libwebsockets: it is not installed ******");
    return 0;
}

static int rounds(void) {
    return slowness() > 1 ? 1 : 4;
}

static void libwebsockets_agrees_with_a_client(void) {
    static const size_t lengths[] = { 0, 1, 125, 126, 1000, 1024, 5000, 65535, 65536, 70000, 300000, MIB, 20 };
    static const char *const kinds[] = { "letters", "far", "near", "zeros" };
    enum { LENGTHS = sizeof lengths / sizeof *lengths };
    for (int number = 0; has_libwebsockets() && number < 4; number++) {
        struct pair_options options = deflating();
        uint8_t no_takeover = number % 2;
        SET(options, compression_threshold, 200);
        options.client.client_max_window_bits = number / 2 ? 10 : 15;
        SET(options, client_no_context_takeover, no_takeover);
        SET(options, server_no_context_takeover, no_takeover);
        struct recorder *r = new_client();
        nsws_client_stats stats;
        snprintf(r->url, sizeof r->url, "ws://127.0.0.1:%s/", ask_other(new_other("NSWS_LWS_PEER"), "serve"));
        if (!OPENS(r, r->url, &options.client)) return;
        CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
        CHECK_CONTAINS(stats.extensions, "permessage-deflate");
        for (int i = 0; i < rounds() * LENGTHS; i++) {
            size_t length = lengths[i % LENGTHS];
            char *data = made(kinds[i % 4], length);
            CHECK_OK(i % 4 ? nsws_client_send_binary(r->client, data, length) : nsws_client_send_text(r->client, data, length));
            free(data);
        }
        for (int i = 0; i < rounds() * LENGTHS; i++) {
            size_t length = lengths[i % LENGTHS];
            char *data = length > 0 ? made(kinds[i % 4], length) : copy_text("empty");
            const struct event *message = WAIT(r, MESSAGE, (size_t)i + 1);
            int is_same = message && message->length == (length > 0 ? length : 5) && memcmp(message->text, data, message->length) == 0;
            free(data);
            if (!CHECK(is_same && message->is_text == (i % 4 == 0))) return;
        }
        destroy_client(r);
        end_others();
    }
}

static char agreed[256];

static void note_extensions(nsws_server server, nsws_connection connection, const nsws_connect_event *e, void *user) {
    (void)server, (void)connection, (void)user;
    snprintf(agreed, sizeof agreed, "%s", e->extensions);
}

static void libwebsockets_agrees_with_a_server(void) {
    static const char *const parameters[] = {
        "", "; client_no_context_takeover", "; server_no_context_takeover", "; client_no_context_takeover; server_no_context_takeover",
        "; client_max_window_bits=10; server_max_window_bits=12",
    };
    for (size_t i = 0; has_libwebsockets() && i < sizeof parameters / sizeof *parameters; i++) {
        struct pair_options options = deflating();
        struct server *s = new_server();
        s->echo = 1;
        CHECK_OK(nsws_server_on_connect(s->handle, note_extensions, NULL, NULL));
        if (!START(s, &options.server)) return;
        const char *said = ask_other(new_other("NSWS_LWS_PEER"), "client %d %d permessage-deflate%s", s->port, rounds(), parameters[i]);
        CHECK_CONTAINS(said, "same ");
        CHECK_CONTAINS(agreed, "permessage-deflate");
        if (strstr(parameters[i], "server_no")) CHECK_CONTAINS(agreed, "server_no_context_takeover");
        const struct server_event *close = SERVER_WAIT(s, ON_CLOSE, 1);
        if (close) CHECK(close->code == 1000 && close->was_clean);
        end_others();
        destroy_server(s);
    }
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(the_options_have_their_defaults_and_ranges);
    RUN(without_the_option_nothing_is_offered_or_agreed);
    RUN(what_is_agreed_is_told);
    RUN(an_answer_that_was_not_offered_fails_the_handshake);
    RUN(an_offer_that_is_wrong_is_declined_and_the_next_is_taken);
    RUN(every_window_is_kept_with_takeover);
    RUN(every_window_is_kept_without_takeover);
    RUN(a_server_imposes_what_it_is_told);
    RUN(with_takeover_the_second_time_costs_little);
    RUN(below_the_threshold_and_what_does_not_shrink_goes_plain);
    RUN(the_examples_of_rfc_7692_are_read);
    RUN(wrong_reserved_bits_are_a_protocol_error);
    RUN(corrupt_and_truncated_data_end_with_1007);
    RUN(a_bomb_ends_with_1009_within_the_limit);
    RUN(a_message_at_the_limit_is_delivered);
    RUN(the_memory_bound_makes_windows_smaller_or_declines);
    RUN(while_a_message_is_compressed_others_pass);
    RUN(a_broadcast_reaches_those_with_and_without);
    RUN(node_and_python_agree_with_a_client);
    RUN(node_and_python_agree_with_a_server);
    RUN(libwebsockets_agrees_with_a_client);
    RUN(libwebsockets_agrees_with_a_server);
    return end_tests();
}
