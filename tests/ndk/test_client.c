/* OpenHarmony's C client, function by function: results, callbacks, what goes over the wire. */
#include "recorder.h"

enum { KIB = 1024, MIB = 1024 * 1024, MAX_SEND = 4 * MIB, MAX_HEADERS = 8192, HUNDRED = 100 };

static const struct WebSocket_RequestOptions no_options = { NULL };

/* Constructor. */

static void any_callback_may_be_null(void) {
    for (int i = 0; i < 16; i++) {
        struct WebSocket *client = OH_WebSocketClient_Constructor(i & 1 ? app_on_open : NULL, i & 2 ? app_on_message : NULL,
                                                                  i & 4 ? app_on_error : NULL, i & 8 ? app_on_close : NULL);
        if (!CHECK(client != NULL)) return;
        CHECK(client->requestOptions.headers == NULL);
        CHECK_INT(OH_WebSocketClient_Destroy(client), WEBSOCKET_NO_CONNECTION_CONTEXT);
    }
}

static void events_without_a_callback_do_no_harm(void) {
    struct app *app = new_app();
    app->client->onOpen = NULL;
    app->client->onMessage = NULL;
    app->client->onError = NULL;
    CHECK_INT(app_connect(app, app_url(app, "/close-after-message/4000/bye")), 0);
    CHECK_INT(app_send(app, "x", 1), 0);
    CHECK_CALL(app, ON_CLOSE, 4000, "bye");
    CHECK_STR(call_order(app), "close");

    struct app *deaf = new_app();
    deaf->client->onClose = NULL;
    if (!APP_OPENS(deaf, app_url(deaf, "/sink"))) return;
    CHECK_INT(app_close(deaf, 1000, ""), 0);
    WAIT_PEER(deaf->token, "ended", 1);
    CHECK_INT(app_destroy(deaf), 0);
    CHECK_STR(call_order(deaf), "open");
}

static void a_hundred_clients_are_made_and_no_more(void) {
    struct WebSocket *clients[HUNDRED];
    for (int i = 0; i < HUNDRED; i++) {
        clients[i] = OH_WebSocketClient_Constructor(app_on_open, app_on_message, app_on_error, app_on_close);
        if (!CHECK(clients[i] != NULL)) return;
    }
    CHECK(OH_WebSocketClient_Constructor(app_on_open, app_on_message, app_on_error, app_on_close) == NULL);
    CHECK(OH_WebSocketClient_Constructor(NULL, NULL, NULL, NULL) == NULL);
    OH_WebSocketClient_Destroy(clients[50]);
    clients[50] = OH_WebSocketClient_Constructor(app_on_open, app_on_message, app_on_error, app_on_close);
    CHECK(clients[50] != NULL);
    CHECK(OH_WebSocketClient_Constructor(NULL, NULL, NULL, NULL) == NULL);
    for (int i = 0; i < HUNDRED; i++) CHECK_INT(OH_WebSocketClient_Destroy(clients[i]), WEBSOCKET_NO_CONNECTION_CONTEXT);
}

/* Pointers. */

static void null_is_refused_with_1001(void) {
    struct WebSocket_Header header = { "X-Test", "1", NULL };
    struct WebSocket_CloseOption option = { 1000, "" };
    char data[] = "x";
    CHECK_INT(OH_WebSocketClient_AddHeader(NULL, header), WEBSOCKET_CLIENT_NULL);
    CHECK_INT(OH_WebSocketClient_Connect(NULL, "ws://127.0.0.1/", no_options), WEBSOCKET_CLIENT_NULL);
    CHECK_INT(OH_WebSocketClient_Send(NULL, data, 1), WEBSOCKET_CLIENT_NULL);
    CHECK_INT(OH_WebSocketClient_Close(NULL, option), WEBSOCKET_CLIENT_NULL);
    CHECK_INT(OH_WebSocketClient_Destroy(NULL), WEBSOCKET_CLIENT_NULL);
}

/* Every function with a pointer that is no client: any touch of what it points to would end the test. */
static void check_refused(struct WebSocket *client) {
    struct WebSocket_Header header = { "X-Test", "1", NULL };
    struct WebSocket_CloseOption option = { 1000, "" };
    char data[] = "x";
    CHECK_INT(OH_WebSocketClient_AddHeader(client, header), 0);
    CHECK_INT(OH_WebSocketClient_Connect(client, "ws://127.0.0.1/", no_options), WEBSOCKET_CLIENT_NOT_CREATED);
    CHECK_INT(OH_WebSocketClient_Send(client, data, 1), WEBSOCKET_CLIENT_NOT_CREATED);
    CHECK_INT(OH_WebSocketClient_Close(client, option), WEBSOCKET_CLIENT_NOT_CREATED);
    CHECK_INT(OH_WebSocketClient_Destroy(client), WEBSOCKET_CLIENT_NOT_CREATED);
}

static void a_pointer_that_is_no_client_is_refused_and_never_touched(void) {
    struct guarded guarded = guarded_page();
    check_refused((struct WebSocket *)guarded.end);
    check_refused((struct WebSocket *)(guarded.end - 1));
    check_refused((struct WebSocket *)1);
    check_refused((struct WebSocket *)-8);
    free_guarded(guarded);

    struct WebSocket mine, before;
    memset(&mine, 0x55, sizeof mine);
    before = mine;
    check_refused(&mine);
    CHECK_INT(memcmp(&mine, &before, sizeof mine), 0);

    struct app *app = new_app();
    check_refused((struct WebSocket *)((char *)app->client + 8));
}

static void a_destroyed_client_is_refused(void) {
    struct app *app = new_app();
    if (!APP_OPENS(app, app_url(app, "/echo"))) return;
    CHECK_INT(app_destroy(app), 0);
    check_refused(app->client);
}

/* AddHeader. */

/* The headers of the last request under this token, as the peer saw them. */
static char *request_head(struct app *app) {
    WAIT_PEER(app->token, "connections", 1);
    return ask_peer("get %s head", app->token);
}

static int add(struct app *app, const char *name, const char *value) {
    struct WebSocket_Header header = { name, value, NULL };
    return OH_WebSocketClient_AddHeader(app->client, header);
}

static void headers_reach_the_server_in_order(void) {
    struct app *app = new_app();
    CHECK_INT(add(app, "X-First", "1"), 0);
    CHECK_INT(add(app, "X-Second", "2"), 0);
    if (!APP_OPENS(app, app_url(app, "/echo"))) return;
    char *head = request_head(app);
    CHECK_CONTAINS(head, "X-First: 1\r\nX-Second: 2\r\n");
    free(head);
}

static void the_origin_has_no_port(void) {
    struct app *app = new_app();
    if (!APP_OPENS(app, app_url(app, "/echo"))) return;
    char *head = request_head(app);
    CHECK_CONTAINS(head, "\r\nOrigin: http://127.0.0.1\r\n");
    free(head);
}

static void the_list_is_the_program_s_to_read(void) {
    struct app *app = new_app();
    const char *name = "X-First";
    CHECK(app->client->requestOptions.headers == NULL);
    CHECK_INT(add(app, name, "1"), 0);
    CHECK_INT(add(app, "X-Second", "2"), 0);
    const struct WebSocket_Header *first = app->client->requestOptions.headers;
    if (!CHECK(first != NULL) || !CHECK(first->next != NULL)) return;
    CHECK(first->fieldName == name);
    CHECK_STR(first->next->fieldName, "X-Second");
    CHECK(first->next->next == NULL);
}

static void a_header_may_be_uninitialised_when_it_is_added(void) {
    struct app *app = new_app();
    struct WebSocket_Header header;
    /* As the platform's own cases do; valgrind would report any use of the uninitialised pointers. */
    __asm__("" : "=m"(header));
    CHECK_INT(OH_WebSocketClient_AddHeader(app->client, header), 0);
    CHECK_INT(OH_WebSocketClient_AddHeader(app->client, header), 0);
    CHECK_INT(app_destroy(app), WEBSOCKET_NO_CONNECTION_CONTEXT);
}

static void next_is_ignored_when_a_header_is_added(void) {
    struct app *app = new_app();
    struct guarded guarded = guarded_page();
    struct WebSocket_Header header = { "X-Test", "1", (struct WebSocket_Header *)guarded.end };
    CHECK_INT(OH_WebSocketClient_AddHeader(app->client, header), 0);
    CHECK_INT(add(app, "X-Other", "2"), 0);
    if (APP_OPENS(app, app_url(app, "/echo"))) {
        char *head = request_head(app);
        CHECK_CONTAINS(head, "X-Test: 1\r\nX-Other: 2\r\n");
        free(head);
    }
    free_guarded(guarded);
}

static void of_headers_with_one_name_the_last_counts(void) {
    struct app *app = new_app();
    CHECK_INT(add(app, "X-Token", "old"), 0);
    CHECK_INT(add(app, "X-Other", "1"), 0);
    CHECK_INT(add(app, "x-token", "new"), 0);
    if (!APP_OPENS(app, app_url(app, "/echo"))) return;
    char *head = request_head(app);
    CHECK_CONTAINS(head, "x-token: new\r\nX-Other: 1\r\n");
    CHECK_LACKS(head, "old");
    free(head);
}

static void connect_reads_the_headers_of_its_options_alone(void) {
    struct app *app = new_app();
    CHECK_INT(add(app, "X-Added", "1"), 0);
    struct WebSocket_Header second = { "X-Second", "2", NULL };
    struct WebSocket_Header first = { "X-First", "1", &second };
    struct WebSocket_RequestOptions own = { &first };
    CHECK_INT(OH_WebSocketClient_Connect(app->client, app_url(app, "/echo"), own), 0);
    if (WAIT_CALL(app, ON_OPEN, 1) == NULL) return;
    char *head = request_head(app);
    CHECK_CONTAINS(head, "X-First: 1\r\nX-Second: 2\r\n");
    CHECK_LACKS(head, "X-Added");
    free(head);
    /* The nodes are on this stack: freeing them would end the test. */
    CHECK_INT(app_destroy(app), 0);
    CHECK(first.next == &second);
}

static void headers_are_added_behind_a_list_of_the_program_s_own(void) {
    struct app *app = new_app();
    struct WebSocket_Header own = { "X-Own", "1", NULL };
    app->client->requestOptions.headers = &own;
    CHECK_INT(add(app, "X-Added", "2"), 0);
    CHECK_INT(add(app, "X-Third", "3"), 0);
    if (APP_OPENS(app, app_url(app, "/echo"))) {
        char *head = request_head(app);
        CHECK_CONTAINS(head, "X-Own: 1\r\nX-Added: 2\r\nX-Third: 3\r\n");
        free(head);
    }
    CHECK_INT(app_destroy(app), 0);
}

static void a_list_that_was_cut_off_begins_anew(void) {
    struct app *app = new_app();
    CHECK_INT(add(app, "X-Old", "1"), 0);
    app->client->requestOptions.headers = NULL;
    CHECK_INT(add(app, "X-New", "2"), 0);
    CHECK_INT(add(app, "X-Newer", "3"), 0);
    if (!APP_OPENS(app, app_url(app, "/echo"))) return;
    char *head = request_head(app);
    CHECK_CONTAINS(head, "X-New: 2\r\nX-Newer: 3\r\n");
    CHECK_LACKS(head, "X-Old");
    free(head);
}

static void connect_empties_the_list_of_added_headers(void) {
    struct app *app = new_app();
    char *name = strdup("X-Token"), *value = strdup("first");
    struct WebSocket_Header own = { "X-Own", "1", NULL };
    CHECK_INT(add(app, name, value), 0);
    /* A failed call leaves it. */
    CHECK_INT(app_connect(app, "http://127.0.0.1/"), WEBSOCKET_CONNECTION_PARSE_URL_ERROR);
    CHECK(app->client->requestOptions.headers != NULL);
    for (int attempt = 1; attempt <= 3; attempt++) {
        CHECK_INT(app_connect(app, app_url(app, "/echo")), 0);
        /* As the header says, the strings may be freed now. */
        memset(name, 'Z', strlen(name));
        memset(value, 'Z', strlen(value));
        CHECK(app->client->requestOptions.headers == (attempt == 2 ? &own : NULL));
        if (WAIT_CALL(app, ON_OPEN, attempt) == NULL) return;
        char *head = request_head(app);
        CHECK((strstr(head, "X-Token: ") != NULL) == (attempt < 3));
        CHECK_LACKS(head, "ZZZZZ");
        free(head);
        CHECK_INT(app_close(app, 1000, ""), 0);
        if (WAIT_CALL(app, ON_CLOSE, attempt) == NULL) return;
        /* Then after headers of the program's own, which stay; then none. */
        app->client->requestOptions.headers = attempt == 1 ? &own : NULL;
        memcpy(name, "X-Token", 7);
        memcpy(value, "again", 5);
        if (attempt == 1) CHECK_INT(add(app, name, value), 0);
    }
    CHECK(own.next == NULL);
    free(name);
    free(value);
}

static void a_copy_of_the_options_may_be_used_again(void) {
    struct app *app = new_app();
    CHECK_INT(add(app, "X-Static", "1"), 0);
    struct WebSocket_RequestOptions copy = app->client->requestOptions;
    for (int attempt = 1; attempt <= 2; attempt++) {
        CHECK_INT(OH_WebSocketClient_Connect(app->client, app_url(app, "/echo"), copy), 0);
        if (WAIT_CALL(app, ON_OPEN, attempt) == NULL) return;
        char *head = request_head(app);
        CHECK_CONTAINS(head, "X-Static: 1\r\n");
        free(head);
        CHECK_INT(app_close(app, 1000, ""), 0);
        if (WAIT_CALL(app, ON_CLOSE, attempt) == NULL) return;
    }
}

static void more_than_8192_headers_are_refused(void) {
    struct app *app = new_app();
    static char names[MAX_HEADERS + 1][8];
    for (int i = 0; i < MAX_HEADERS; i++) {
        snprintf(names[i], sizeof names[i], "H%d", i);
        if (!CHECK_INT(add(app, names[i], ""), 0)) return;
    }
    if (APP_OPENS(app, app_url(app, "/echo"))) {
        char *head = request_head(app);
        CHECK_CONTAINS(head, "H8191:");
        free(head);
    }
    struct app *other = new_app();
    for (int i = 0; i <= MAX_HEADERS; i++)
        if (!CHECK_INT(add(other, names[i < MAX_HEADERS ? i : 0], ""), 0)) return;
    CHECK_INT(app_connect(other, app_url(other, "/echo")), WEBSOCKET_HEADER_EXCEEDED);

    /* A list without an end counts as one with too many headers. */
    struct WebSocket_Header ring = { "X-Ring", "1", &ring };
    struct WebSocket_RequestOptions own = { &ring };
    CHECK_INT(OH_WebSocketClient_Connect(other->client, other->url, own), WEBSOCKET_HEADER_EXCEEDED);
    other->client->requestOptions.headers = &ring;
    CHECK_INT(add(other, "X-Test", "1"), WEBSOCKET_HEADER_EXCEEDED);
}

static void headers_that_can_not_be_sent_are_refused(void) {
    struct app *app = new_app();
    struct WebSocket_Header headers[] = {
        { NULL, "1", NULL }, { "X-Test", NULL, NULL }, { "X Test", "1", NULL }, { "X-Test", "1\r\nX-More: 2", NULL },
        { "", "1", NULL }, { "Upgrade", "h2c", NULL },
    };
    const int results[] = {
        WEBSOCKET_NO_HEADER_CONTEXT, WEBSOCKET_NO_HEADER_CONTEXT, WEBSOCKET_CONNECTION_PARSE_URL_ERROR,
        WEBSOCKET_CONNECTION_PARSE_URL_ERROR, WEBSOCKET_CONNECTION_PARSE_URL_ERROR, WEBSOCKET_CONNECTION_PARSE_URL_ERROR,
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        struct WebSocket_RequestOptions options = { &headers[i] };
        CHECK_INT(OH_WebSocketClient_Connect(app->client, app_url(app, "/echo"), options), results[i]);
    }
    CHECK_INT(app_destroy(app), WEBSOCKET_NO_CONNECTION_CONTEXT);
}

/* Connect. */

static void invalid_urls_are_refused_at_once(void) {
    struct app *app = new_app();
    static char url[8200];
    CHECK_INT(app_connect(app, NULL), WEBSOCKET_CONNECTION_PARSE_URL_ERROR);
    CHECK_INT(app_connect(app, ""), WEBSOCKET_CONNECTION_NO_MEMORY);
    const char *const invalid[] = {
        "http://127.0.0.1/", "https://127.0.0.1/", "ftp://127.0.0.1/", "://127.0.0.1/", "ws://", "ws:///path",
        "ws://127.0.0.1/#fragment", "ws://127.0.0.1:99999/", "ws://127.0.0.1/a b",
    };
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        if (!CHECK_INT(app_connect(app, invalid[i]), WEBSOCKET_CONNECTION_PARSE_URL_ERROR)) puts(invalid[i]);

    memset(url, 'a', 8197);
    CHECK_INT(app_connect(app, url), WEBSOCKET_CONNECTION_PARSE_URL_ERROR);
    memcpy(url, "ws://127.0.0.1/", 15);
    CHECK_INT(app_connect(app, url), WEBSOCKET_CONNECTION_PARSE_URL_ERROR);
    CHECK_INT(app_destroy(app), WEBSOCKET_NO_CONNECTION_CONTEXT);
    CHECK_STR(call_order(app), "");
}

static void a_url_may_have_8196_characters(void) {
    struct app *app = new_app();
    static char url[8197];
    int length = snprintf(url, sizeof url, "%s&", app_url(app, "/protocol/"));
    memset(url + length, 'u', sizeof url - 1 - (size_t)length);
    APP_OPENS(app, url);
}

static void a_bare_host_name_fails_in_an_event(void) {
    struct app *app = new_app();
    CHECK_INT(app_connect(app, "www.example.com"), 0);
    if (!CHECK_CALL(app, ON_ERROR, WEBSOCKET_CONNECTION_ERROR, NULL)) return;
    CHECK_CONTAINS(WAIT_CALL(app, ON_ERROR, 1)->text, "ws://");
    /* The next attempt is independent of it. */
    if (!APP_OPENS(app, app_url(app, "/echo"))) return;
    CHECK_INT(app_close(app, 1000, ""), 0);
    CHECK_CALL(app, ON_CLOSE, 1000, "");
    CHECK_STR(call_order(app), "error open close");
}

static void a_session_goes_open_message_close(void) {
    struct app *app = new_app();
    if (!APP_OPENS(app, setting("NSWS_ECHO_URL"))) return;
    CHECK_CALL(app, ON_OPEN, 101, "Switching Protocols");
    CHECK_INT(app_send(app, "hello", 5), 0);
    CHECK_CALL(app, ON_MESSAGE, 0, "hello");
    CHECK_INT(app_close(app, 1000, "done"), 0);
    CHECK_CALL(app, ON_CLOSE, 1000, "done");
    CHECK_STR(call_order(app), "open message close");
    for (size_t i = 0; i < app->count; i++) CHECK(!pthread_equal(app->calls[i]->thread, pthread_self()));
}

static void a_session_goes_the_same_way_over_tls(void) {
    struct app *app = new_app();
    if (!APP_OPENS(app, setting("NSWS_ECHO_WSS_URL"))) return;
    CHECK_INT(app_send(app, "hello", 5), 0);
    CHECK_CALL(app, ON_MESSAGE, 0, "hello");
    CHECK_INT(app_close(app, 1000, "done"), 0);
    CHECK_CALL(app, ON_CLOSE, 1000, "done");
}

static void a_certificate_that_is_not_trusted_is_refused_over_tls(void) {
    const char *const ports[] = { "NSWS_WSS_UNKNOWN_CA_PORT", "NSWS_WSS_WRONG_NAME_PORT", "NSWS_WSS_EXPIRED_PORT" };
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
        struct app *app = new_app();
        snprintf(app->url, sizeof app->url, "wss://127.0.0.1:%s/", setting(ports[i]));
        CHECK_INT(app_connect(app, app->url), 0);
        CHECK_CALL(app, ON_ERROR, WEBSOCKET_CONNECTION_ERROR, NULL);
        CHECK_STR(call_order(app), "error");
    }
}

static void a_second_connect_is_refused_and_the_first_unharmed(void) {
    struct app *app = new_app();
    CHECK_INT(app_connect(app, app_url(app, "/hold")), 0);
    WAIT_PEER(app->token, "connections", 1);
    CHECK_INT(app_connect(app, app->url), WEBSOCKET_CONNECTION_ERROR);
    CHECK_INT(app_connect(app, "www.example.com"), WEBSOCKET_CONNECTION_ERROR);
    /* The parameters are checked first. */
    CHECK_INT(app_connect(app, "http://127.0.0.1/"), WEBSOCKET_CONNECTION_PARSE_URL_ERROR);
    release_peer(app->token);
    if (WAIT_CALL(app, ON_OPEN, 1) == NULL) return;
    CHECK_INT(app_connect(app, app->url), WEBSOCKET_CONNECTION_ERROR);
    CHECK_INT(app_send(app, "still there", 11), 0);
    CHECK_CALL(app, ON_MESSAGE, 0, "still there");
    CHECK_STR(call_order(app), "open message");
}

static void a_failed_attempt_is_one_error_1003(void) {
    struct app *app = new_app();
    int fd;
    snprintf(app->url, sizeof app->url, "ws://127.0.0.1:%d/", refused_port(&fd));
    CHECK_INT(app_connect(app, app->url), 0);
    CHECK_CALL(app, ON_ERROR, WEBSOCKET_CONNECTION_ERROR, NULL);
    CHECK_CONTAINS(WAIT_CALL(app, ON_ERROR, 1)->text, "127.0.0.1");
    CHECK_INT(app_connect(app, app_url(app, "/status/404")), 0);
    if (WAIT_CALL(app, ON_ERROR, 2) == NULL) return;
    CHECK_INT(WAIT_CALL(app, ON_ERROR, 2)->code, WEBSOCKET_CONNECTION_ERROR);
    CHECK_CONTAINS(WAIT_CALL(app, ON_ERROR, 2)->text, "404");
    CHECK_INT(app_destroy(app), 0);
    CHECK_STR(call_order(app), "error error");
    close(fd);
}

static void a_client_connects_again_after_close(void) {
    struct app *app = new_app();
    for (size_t i = 1; i <= 3; i++) {
        if (!APP_OPENS(app, app_url(app, "/echo"))) return;
        CHECK_INT(app_close(app, 1000, ""), 0);
        if (WAIT_CALL(app, ON_CLOSE, i) == NULL) return;
    }
    CHECK_STR(call_order(app), "open close open close open close");
}

static void connect_again_in_callback(struct app *app, const struct call *call) {
    if ((call->kind == ON_CLOSE || call->kind == ON_ERROR) && app->hook_data != NULL) {
        app->hook_data = NULL;
        CHECK_INT(app_connect(app, app_url(app, "/echo")), 0);
        CHECK_INT(app_send(app, "again", 5), 0);
    }
}

static void a_client_connects_again_inside_on_close_and_on_error(void) {
    struct app *closed = new_app(), *refused = new_app();
    closed->hook = refused->hook = connect_again_in_callback;
    closed->hook_data = closed;
    refused->hook_data = refused;
    CHECK_INT(app_connect(closed, app_url(closed, "/close-code/1001")), 0);
    CHECK_INT(app_connect(refused, app_url(refused, "/status/500")), 0);
    CHECK_CALL(closed, ON_MESSAGE, 0, "again");
    CHECK_CALL(refused, ON_MESSAGE, 0, "again");
    CHECK_STR(call_order(closed), "open close open message");
    CHECK_STR(call_order(refused), "error open message");
}

/* Send. */

static void the_parameters_of_send_are_checked_in_any_state(void) {
    struct app *app = new_app();
    char *large = letters(MAX_SEND + 1);
    for (int state = 0; state < 3; state++) {
        if (state == 1 && !APP_OPENS(app, app_url(app, "/sink"))) break;
        if (state == 2) {
            CHECK_INT(app_close(app, 1000, ""), 0);
            if (WAIT_CALL(app, ON_CLOSE, 1) == NULL) break;
        }
        CHECK_INT(app_send(app, NULL, 0), WEBSOCKET_SEND_DATA_NULL);
        CHECK_INT(app_send(app, NULL, 5), WEBSOCKET_SEND_DATA_NULL);
        CHECK_INT(app_send(app, "x", 0), 0);
        CHECK_INT(app_send(app, large, MAX_SEND + 1), WEBSOCKET_DATA_LENGTH_EXCEEDED);
        CHECK_INT(app_send(app, large, SIZE_MAX), WEBSOCKET_DATA_LENGTH_EXCEEDED);
    }
    free(large);
    WAIT_PEER(app->token, "ended", 1);
    CHECK_INT(peer_number(app->token, "messages"), 0);
}

static void without_a_connection_a_message_is_dropped(void) {
    struct app *app = new_app();
    CHECK_INT(app_send(app, "before", 6), 0);
    if (!APP_OPENS(app, app_url(app, "/sink"))) return;
    CHECK_INT(app_close(app, 1000, ""), 0);
    if (WAIT_CALL(app, ON_CLOSE, 1) == NULL) return;
    CHECK_INT(app_send(app, "after", 5), 0);
    if (!APP_OPENS(app, app->url)) return;
    CHECK_INT(app_close(app, 1000, ""), 0);
    WAIT_PEER(app->token, "ended", 2);
    CHECK_INT(peer_number(app->token, "messages"), 0);
}

static void a_message_of_4_mib_is_sent(void) {
    struct app *app = new_app();
    char *large = letters(MAX_SEND);
    if (APP_OPENS(app, app_url(app, "/echo"))) {
        CHECK_INT(app_send(app, large, MAX_SEND), 0);
        const struct call *message = WAIT_CALL(app, ON_MESSAGE, 1);
        CHECK(message != NULL && message->length == MAX_SEND && memcmp(message->text, large, MAX_SEND) == 0);
    }
    free(large);
}

/* What the peer counts after one more message: whether it was text. */
static void check_kind(struct app *app, const char *data, size_t length, int is_text) {
    long long messages = peer_number(app->token, "messages"), texts = peer_number(app->token, "text");
    CHECK_INT(app_send(app, data, length), 0);
    if (!WAIT_PEER(app->token, "messages", messages + 1)) return;
    if (!CHECK_INT(peer_number(app->token, "text") - texts, is_text)) printf("    %.*s\n", (int)length, data);
}

static void the_bytes_decide_between_text_and_binary(void) {
    struct app *app = new_app();
    if (!APP_OPENS(app, app_url(app, "/sink"))) return;
    check_kind(app, "text", 4, 1);
    check_kind(app, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", 11, 1);
    check_kind(app, "\x7f", 1, 1);
    check_kind(app, "a\0b", 3, 0);
    check_kind(app, "text\0", 5, 0);
    check_kind(app, "\0", 1, 0);
    check_kind(app, "\xff\xfe", 2, 0);
    /* Cut in the middle of a character, an overlong form, a surrogate. */
    check_kind(app, "\xf0\x9f\x98", 3, 0);
    check_kind(app, "\xc0\x80", 2, 0);
    check_kind(app, "\xed\xa0\x80", 3, 0);
}

static void send_never_reads_past_the_length(void) {
    struct app *app = new_app();
    struct guarded guarded = guarded_page();
    size_t page = (size_t)(guarded.end - guarded.page);
    memset(guarded.page, 'a', page);
    if (APP_OPENS(app, app_url(app, "/sink"))) {
        for (size_t length = 1; length <= 128; length++) CHECK_INT(app_send(app, guarded.end - length, length), 0);
        CHECK_INT(app_send(app, guarded.page, page), 0);
        WAIT_PEER(app->token, "text", 129);
        /* As binary, too. */
        guarded.end[-1] = (char)0xff;
        for (size_t length = 1; length <= 128; length++) CHECK_INT(app_send(app, guarded.end - length, length), 0);
        WAIT_PEER(app->token, "binary", 128);
    }
    struct app *waiting = new_app();
    CHECK_INT(app_connect(waiting, app_url(waiting, "/hold")), 0);
    CHECK_INT(app_send(waiting, guarded.end - 64, 64), 0);
    free_guarded(guarded);
}

static void send_after_open(struct app *app, const struct call *call) {
    if (call->kind == ON_OPEN) CHECK_INT(app_send(app, "3:in open", 9), 0);
}

static void what_is_sent_before_open_is_sent_after_it_in_order(void) {
    struct app *app = new_app();
    app->hook = send_after_open;
    CHECK_INT(app_connect(app, app_url(app, "/hold")), 0);
    CHECK_INT(app_send(app, "0:first", 7), 0);
    WAIT_PEER(app->token, "connections", 1);
    CHECK_INT(app_send(app, "1:second", 8), 0);
    CHECK_INT(app_send(app, "2:\0binary", 9), 0);
    release_peer(app->token);
    WAIT_PEER(app->token, "messages", 4);
    CHECK_INT(app_send(app, "4:after", 7), 0);
    WAIT_PEER(app->token, "messages", 5);
    CHECK_INT(peer_number(app->token, "ordered"), 5);
    CHECK_INT(peer_number(app->token, "binary"), 1);
}

static void what_is_sent_while_the_waiting_is_sent_comes_behind_it(void) {
    enum { WAITING = 3000, ALL = 6000 };
    struct app *app = new_app();
    char message[16];
    CHECK_INT(app_connect(app, app_url(app, "/hold")), 0);
    WAIT_PEER(app->token, "connections", 1);
    for (int i = 0; i < ALL; i++) {
        int length = snprintf(message, sizeof message, "%d:", i);
        if (i == WAITING) release_peer(app->token);
        if (!CHECK_INT(app_send(app, message, (size_t)length), 0)) return;
    }
    WAIT_PEER(app->token, "messages", ALL);
    CHECK_INT(peer_number(app->token, "ordered"), ALL);
}

static void what_waits_for_open_is_counted_with_its_frame(void) {
    /* The bytes, their header, their mask, and what holding them takes. */
    enum { LENGTH = 1000, COST = LENGTH + 4 + 4 + 64, QUEUE = 16 << 20 };
    struct app *app = new_app();
    CHECK_INT(app_connect(app, app_url(app, "/hold")), 0);
    char *data = letters(LENGTH);
    int accepted = 0, result;
    while ((result = app_send(app, data, LENGTH)) == 0 && accepted <= QUEUE) accepted++;
    free(data);
    CHECK_INT(result, WEBSOCKET_QUEUE_LENGTH_EXCEEDED);
    CHECK_INT(accepted, (QUEUE + COST - 1) / COST);
    release_peer(app->token);
    WAIT_PEER(app->token, "messages", accepted);
}

static void what_is_sent_before_an_attempt_that_fails_is_forgotten(void) {
    struct app *app = new_app();
    CHECK_INT(app_connect(app, app_url(app, "/status/503")), 0);
    app_send(app, "lost", 4);
    if (WAIT_CALL(app, ON_ERROR, 1) == NULL || !APP_OPENS(app, app_url(app, "/sink"))) return;
    CHECK_INT(app_send(app, "0:kept", 6), 0);
    WAIT_PEER(app->token, "messages", 1);
    CHECK_PEER_TEXT(app->token, "last", "0:kept");
}

static void a_full_queue_is_1013(void) {
    char *large = letters(MAX_SEND);
    struct app *waiting = new_app();
    CHECK_INT(app_connect(waiting, app_url(waiting, "/hold")), 0);
    WAIT_PEER(waiting->token, "connections", 1);
    for (int i = 0; i < 4; i++) CHECK_INT(app_send(waiting, large, MAX_SEND), 0);
    CHECK_INT(app_send(waiting, large, 1), WEBSOCKET_QUEUE_LENGTH_EXCEEDED);
    release_peer(waiting->token);
    /* All that was accepted arrives. */
    if (WAIT_PEER(waiting->token, "messages", 4)) CHECK_INT(peer_number(waiting->token, "bytes"), 4 * MAX_SEND);

    struct app *stalled = new_app();
    if (APP_OPENS(stalled, app_url(stalled, "/stall"))) {
        int accepted = 0, result;
        while ((result = app_send(stalled, large, MAX_SEND)) == 0 && accepted < 64) accepted++;
        CHECK_INT(result, WEBSOCKET_QUEUE_LENGTH_EXCEEDED);
        release_peer(stalled->token);
        WAIT_PEER(stalled->token, "messages", accepted);
    }
    free(large);
}

/* Close. */

static void close_before_open_is_1017_and_abandons_the_attempt(void) {
    struct app *app = new_app();
    CHECK_INT(app_close(app, 1000, ""), WEBSOCKET_NO_CONNECTION);
    CHECK_INT(app_connect(app, app_url(app, "/hold")), 0);
    WAIT_PEER(app->token, "connections", 1);
    CHECK_INT(app_send(app, "lost", 4), 0);
    CHECK_INT(app_close(app, 1000, ""), WEBSOCKET_NO_CONNECTION);
    CHECK_INT(app_close(app, 1000, ""), WEBSOCKET_NO_CONNECTION);
    WAIT_PEER(app->token, "ended", 1);
    /* No callback reports it, so it must be possible to connect at once. */
    if (!APP_OPENS(app, app_url(app, "/sink"))) return;
    CHECK_INT(app_send(app, "kept", 4), 0);
    WAIT_PEER(app->token, "messages", 1);
    CHECK_PEER_TEXT(app->token, "last", "kept");
    CHECK_STR(call_order(app), "open");
}

static void close_and_connect_at_once_as_often_as_one_likes(void) {
    struct app *app = new_app();
    for (int i = 0; i < 50; i++) {
        CHECK_INT(app_connect(app, app_url(app, "/echo")), 0);
        int result = app_close(app, 1000, "");
        /* It may have opened meanwhile. */
        if (result == 0 && WAIT_CALL(app, ON_CLOSE, count_calls(app, ON_OPEN)) == NULL) return;
        if (result != 0) CHECK_INT(result, WEBSOCKET_NO_CONNECTION);
    }
    if (!APP_OPENS(app, app->url)) return;
    CHECK_INT(count_calls(app, ON_OPEN), count_calls(app, ON_CLOSE) + 1);
    CHECK_INT(count_calls(app, ON_ERROR), 0);
}

static void the_peer_sees_code_and_reason(void) {
    static const struct {
        uint32_t code;
        const char *reason;
        uint32_t seen_code;
        const char *seen_reason;
    } closes[] = {
        { 1000, "done", 1000, "done" }, { 3000, "mine", 3000, "mine" },   { 4999, "", 4999, "" },
        { 0, "done", 1000, "done" },    { 4000, NULL, 1000, "" },         { 0, NULL, 1000, "" },
        { 1005, "x", 1000, "x" },       { 999, "x", 1000, "x" },          { 1015, "x", 1000, "x" },
        { 5000, "x", 1000, "x" },       { 0x103E8, "x", 1000, "x" },      { UINT32_MAX, "x", 1000, "x" },
    };
    for (size_t i = 0; i < sizeof closes / sizeof *closes; i++) {
        struct app *app = new_app();
        if (!APP_OPENS(app, app_url(app, "/sink"))) return;
        CHECK_INT(app_close(app, closes[i].code, closes[i].reason), 0);
        CHECK_CALL(app, ON_CLOSE, closes[i].seen_code, closes[i].seen_reason);
        CHECK_INT(peer_number(app->token, "close_code"), closes[i].seen_code);
        CHECK_PEER_TEXT(app->token, "close_reason", closes[i].seen_reason);
    }
}

static void a_reason_that_can_not_be_sent_is_refused(void) {
    struct app *app = new_app();
    char *reason = letters(124);
    if (APP_OPENS(app, app_url(app, "/sink"))) {
        CHECK_INT(app_close(app, 1000, reason), WEBSOCKET_DATA_LENGTH_EXCEEDED);
        CHECK_INT(app_close(app, 1000, "\xff"), WEBSOCKET_PROTOCOL_ERROR);
        reason[123] = 0;
        CHECK_INT(app_close(app, 1000, reason), 0);
        CHECK_CALL(app, ON_CLOSE, 1000, reason);
    }
    free(reason);
}

static void close_twice_is_1017(void) {
    struct app *app = new_app();
    if (!APP_OPENS(app, app_url(app, "/close-late"))) return;
    CHECK_INT(app_close(app, 1000, "first"), 0);
    CHECK_INT(app_close(app, 1000, "second"), WEBSOCKET_NO_CONNECTION);
    CHECK_INT(app_send(app, "x", 1), 0);
    release_peer(app->token);
    CHECK_CALL(app, ON_CLOSE, 1000, "first");
    CHECK_INT(app_close(app, 1000, "third"), WEBSOCKET_NO_CONNECTION);
    CHECK_INT(peer_number(app->token, "messages"), 0);
}

static void close_sends_first_what_was_accepted(void) {
    struct app *app = new_app();
    char *large = letters(MIB);
    if (APP_OPENS(app, app_url(app, "/sink"))) {
        for (int i = 0; i < 8; i++) CHECK_INT(app_send(app, large, MIB), 0);
        CHECK_INT(app_close(app, 1000, ""), 0);
        CHECK_CALL(app, ON_CLOSE, 1000, "");
        CHECK_INT(peer_number(app->token, "messages"), 8);
    }
    free(large);
}

static void a_close_by_the_peer_arrives_with_code_and_reason(void) {
    struct app *with_reason = new_app(), *without_code = new_app();
    CHECK_INT(app_connect(with_reason, app_url(with_reason, "/close-code/4001/enough")), 0);
    CHECK_CALL(with_reason, ON_CLOSE, 4001, "enough");
    CHECK_INT(app_connect(without_code, app_url(without_code, "/close-frame-hex")), 0);
    CHECK_CALL(without_code, ON_CLOSE, 1000, "");
    CHECK_STR(call_order(with_reason), "open close");
    CHECK_STR(call_order(without_code), "open close");
}

static void a_lost_link_is_an_error_and_close_1001(void) {
    const char *const paths[] = { "/rst-after-open", "/close-without-frame" };
    for (size_t i = 0; i < 2; i++) {
        struct app *app = new_app();
        if (!APP_OPENS(app, app_url(app, paths[i]))) return;
        CHECK_INT(app_send(app, "x", 1), 0);
        CHECK_CALL(app, ON_CLOSE, 1001, "websocket close from server");
        CHECK_CALL(app, ON_ERROR, WEBSOCKET_CONNECTION_ERROR, NULL);
        CHECK_STR(call_order(app), "open error close");
    }
}

/* Messages. */

static void an_empty_message_is_delivered(void) {
    struct app *app = new_app();
    /* Text and binary, both empty. */
    if (!APP_OPENS(app, app_url(app, "/frames/81008200"))) return;
    const struct call *message = WAIT_CALL(app, ON_MESSAGE, 2);
    if (message != NULL) CHECK_INT(message->length, 0);
}

static void the_callbacks_are_read_when_an_event_is_delivered(void) {
    struct app *app = new_app();
    app->client->onMessage = NULL;
    if (!APP_OPENS(app, app_url(app, "/echo"))) return;
    app->client->onMessage = app_on_message;
    CHECK_INT(app_send(app, "seen", 4), 0);
    CHECK_CALL(app, ON_MESSAGE, 0, "seen");
    app->client->onMessage = NULL;
    CHECK_INT(app_send(app, "unseen", 6), 0);
    CHECK_INT(app_close(app, 1000, ""), 0);
    CHECK_CALL(app, ON_CLOSE, 1000, "");
    CHECK_STR(call_order(app), "open message close");
}

static void a_message_of_20_mib_is_received(void) {
    struct app *app = new_app();
    char *expected = pattern(20 * MIB);
    if (APP_OPENS(app, app_url(app, "/big/20971520"))) {
        const struct call *message = WAIT_CALL(app, ON_MESSAGE, 1);
        CHECK(message != NULL && message->length == 20 * MIB && memcmp(message->text, expected, 20 * MIB) == 0);
    }
    free(expected);
}

static void a_message_above_1_gib_is_error_1012_and_close_1009(void) {
    struct app *app = new_app();
    if (!APP_OPENS(app, app_url(app, "/announce/1073741825"))) return;
    CHECK_CALL(app, ON_ERROR, WEBSOCKET_DATA_LENGTH_EXCEEDED, NULL);
    CHECK_CALL(app, ON_CLOSE, 1009, NULL);
    WAIT_PEER(app->token, "close_frames", 1);
    CHECK_INT(peer_number(app->token, "close_code"), 1009);
}

/* Destroy. */

static void destroy_is_1018_when_no_connect_succeeded(void) {
    struct app *app = new_app(), *failed = new_app(), *refused = new_app();
    CHECK_INT(app_destroy(app), WEBSOCKET_NO_CONNECTION_CONTEXT);
    CHECK_INT(OH_WebSocketClient_Destroy(app->client), WEBSOCKET_CLIENT_NOT_CREATED);
    CHECK_INT(app_connect(failed, "http://127.0.0.1/"), WEBSOCKET_CONNECTION_PARSE_URL_ERROR);
    CHECK_INT(app_destroy(failed), WEBSOCKET_NO_CONNECTION_CONTEXT);
    CHECK_INT(app_connect(refused, app_url(refused, "/status/404")), 0);
    CHECK_CALL(refused, ON_ERROR, WEBSOCKET_CONNECTION_ERROR, NULL);
    CHECK_INT(app_destroy(refused), 0);
}

static void close_and_destroy_at_once_still_sends_the_close_frame(void) {
    for (int i = 0; i < 20; i++) {
        struct app *app = new_app();
        if (!APP_OPENS(app, app_url(app, "/sink"))) return;
        CHECK_INT(app_send(app, "last words", 10), 0);
        CHECK_INT(app_close(app, 3333, "bye"), 0);
        CHECK_INT(app_destroy(app), 0);
        if (!WAIT_PEER(app->token, "close_frames", 1)) return;
        CHECK_INT(peer_number(app->token, "close_code"), 3333);
        CHECK_PEER_TEXT(app->token, "close_reason", "bye");
        CHECK_PEER_TEXT(app->token, "last", "last words");
    }
}

static void destroy_without_close_says_1001(void) {
    struct app *app = new_app();
    if (!APP_OPENS(app, app_url(app, "/sink"))) return;
    CHECK_INT(app_destroy(app), 0);
    WAIT_PEER(app->token, "close_frames", 1);
    CHECK_INT(peer_number(app->token, "close_code"), 1001);
    CHECK_STR(call_order(app), "open");
}

/* The recorder fails the test when a callback comes after destroy. */
static void no_callback_comes_after_destroy(void) {
    for (int i = 0; i < 30; i++) {
        struct app *app = new_app();
        if (!APP_OPENS(app, app_url(app, "/flow"))) return;
        if (WAIT_CALL(app, ON_MESSAGE, (size_t)i + 1) == NULL) return;
        CHECK_INT(app_destroy(app), 0);
    }
}

static struct gate gate;
static int callback_ended;

static void stay_at_the_gate(struct app *app, const struct call *call) {
    (void)app;
    if (call->kind != ON_OPEN) return;
    gate_pass(&gate);
    __atomic_store_n(&callback_ended, 1, __ATOMIC_SEQ_CST);
}

static void *destroy_and_look(void *user) {
    CHECK_INT(app_destroy(user), 0);
    CHECK_INT(__atomic_load_n(&callback_ended, __ATOMIC_SEQ_CST), 1);
    return NULL;
}

static void destroy_waits_for_the_callback_that_runs(void) {
    pthread_t thread;
    struct app *app = new_app();
    gate_init(&gate);
    callback_ended = 0;
    app->hook = stay_at_the_gate;
    CHECK_INT(app_connect(app, app_url(app, "/sink")), 0);
    if (!WAIT_WAITING(&gate, 1)) return;
    pthread_create(&thread, NULL, destroy_and_look, app);
    /* From here on the other thread waits for the callback, or has returned too early. */
    while (app_send(app, "x", 1) != WEBSOCKET_CLIENT_NOT_CREATED) sched_yield();
    gate_open(&gate);
    pthread_join(thread, NULL);
}

static struct counter destroyed;

static void destroy_in_callback(struct app *app, const struct call *call) {
    if (call->kind != *(enum callback *)app->hook_data) return;
    CHECK_INT(OH_WebSocketClient_Destroy(app->client), 0);
    CHECK_INT(OH_WebSocketClient_Destroy(app->client), WEBSOCKET_CLIENT_NOT_CREATED);
    CHECK_INT(app_send(app, "x", 1), WEBSOCKET_CLIENT_NOT_CREATED);
    /* Until the callback returns, it may read what it was given. */
    CHECK(app->client->onClose == app_on_close);
    __atomic_store_n(&app->over, 1, __ATOMIC_SEQ_CST);
    counter_add(&destroyed, 1);
}

static void destroy_is_safe_inside_each_callback(void) {
    static enum callback kinds[CALLBACKS] = { ON_OPEN, ON_MESSAGE, ON_ERROR, ON_CLOSE };
    counter_init(&destroyed);
    long count = 0;
    for (int kind = 0; kind < CALLBACKS; kind++) {
        struct app *app = new_app();
        CHECK_INT(add(app, "X-Test", "1"), 0);
        app->hook = destroy_in_callback;
        app->hook_data = &kinds[kind];
        CHECK_INT(app_connect(app, app_url(app, kind == ON_ERROR ? "/status/404" : "/close-after-message/1000")), 0);
        app_send(app, "x", 1);
        if (!WAIT_COUNTER(&destroyed, ++count)) return;
    }
    /* And when the link is lost: onError, onClose. */
    for (int kind = ON_ERROR; kind < CALLBACKS; kind++) {
        struct app *app = new_app();
        app->hook = destroy_in_callback;
        app->hook_data = &kinds[kind];
        CHECK_INT(app_connect(app, app_url(app, "/rst-after-open")), 0);
        app_send(app, "x", 1);
        if (!WAIT_COUNTER(&destroyed, ++count)) return;
    }
}

static void destroy_the_other(struct app *app, const struct call *call) {
    struct app *other = app->hook_data;
    if (call->kind != ON_MESSAGE) return;
    int result = OH_WebSocketClient_Destroy(other->client);
    CHECK(result == 0 || result == WEBSOCKET_CLIENT_NOT_CREATED);
    counter_add(&destroyed, 1);
}

static void two_callbacks_may_destroy_each_other_s_client(void) {
    counter_init(&destroyed);
    for (int i = 0; i < 20; i++) {
        struct app *one = new_app(), *other = new_app();
        one->hook = other->hook = destroy_the_other;
        one->hook_data = other;
        other->hook_data = one;
        if (!APP_OPENS(one, app_url(one, "/echo")) || !APP_OPENS(other, app_url(other, "/echo"))) return;
        app_send(one, "x", 1);
        app_send(other, "x", 1);
        if (!WAIT_COUNTER(&destroyed, i + 1)) return;
    }
}

static void destroy_is_safe_in_every_state(void) {
    struct app *connecting = new_app();
    CHECK_INT(app_connect(connecting, app_url(connecting, "/hold")), 0);
    CHECK_INT(app_destroy(connecting), 0);

    struct app *held = new_app();
    CHECK_INT(app_connect(held, app_url(held, "/hold")), 0);
    WAIT_PEER(held->token, "connections", 1);
    app_send(held, "x", 1);
    CHECK_INT(app_destroy(held), 0);
    WAIT_PEER(held->token, "ended", 1);

    struct app *abandoned = new_app();
    CHECK_INT(app_connect(abandoned, app_url(abandoned, "/hold")), 0);
    CHECK_INT(app_close(abandoned, 1000, ""), WEBSOCKET_NO_CONNECTION);
    CHECK_INT(app_destroy(abandoned), 0);

    struct app *closing = new_app();
    if (APP_OPENS(closing, app_url(closing, "/close-late"))) {
        CHECK_INT(app_close(closing, 1000, ""), 0);
        CHECK_INT(app_destroy(closing), 0);
        release_peer(closing->token);
        WAIT_PEER(closing->token, "ended", 1);
    }

    struct app *closed = new_app();
    if (APP_OPENS(closed, app_url(closed, "/sink"))) {
        CHECK_INT(app_close(closed, 1000, ""), 0);
        CHECK_CALL(closed, ON_CLOSE, 1000, "");
        CHECK_INT(app_destroy(closed), 0);
    }

    struct app *queued = new_app();
    char *large = letters(MAX_SEND);
    if (APP_OPENS(queued, app_url(queued, "/stall"))) {
        CHECK_INT(app_send(queued, large, MAX_SEND), 0);
        CHECK_INT(app_destroy(queued), 0);
        release_peer(queued->token);
        WAIT_PEER(queued->token, "messages", 1);
    }
    free(large);
}

/* Threads. */

static void *send_until_refused(void *user) {
    struct app *app = user;
    int result;
    while ((result = app_send(app, "x", 1)) == 0 || result == WEBSOCKET_QUEUE_LENGTH_EXCEEDED) sched_yield();
    CHECK_INT(result, WEBSOCKET_CLIENT_NOT_CREATED);
    return NULL;
}

static void threads_may_send_while_another_destroys(void) {
    pthread_t threads[4];
    struct app *app = new_app();
    app->client->onMessage = NULL;
    if (!APP_OPENS(app, app_url(app, "/sink"))) return;
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, send_until_refused, app);
    WAIT_PEER(app->token, "messages", 100);
    CHECK_INT(app_destroy(app), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

static void *make_and_destroy(void *user) {
    (void)user;
    for (int i = 0; i < 20; i++) {
        struct WebSocket *client = OH_WebSocketClient_Constructor(NULL, NULL, NULL, NULL);
        if (client == NULL) continue;
        struct WebSocket_Header header = { "X-Test", "1", NULL };
        CHECK_INT(OH_WebSocketClient_AddHeader(client, header), 0);
        CHECK_INT(OH_WebSocketClient_Connect(client, setting("NSWS_ECHO_URL"), client->requestOptions), 0);
        CHECK_INT(OH_WebSocketClient_Destroy(client), 0);
    }
    return NULL;
}

static void threads_may_make_and_destroy_clients(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, make_and_destroy, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

int main(void) {
    /* The NDK has no option for a CA; this is the system's store. */
    char ca[512];
    snprintf(ca, sizeof ca, "%s/ca.pem", setting("NSWS_CERT_DIR"));
    setenv("SSL_CERT_FILE", ca, 1);

    RUN(any_callback_may_be_null);
    RUN(events_without_a_callback_do_no_harm);
    RUN(a_hundred_clients_are_made_and_no_more);
    RUN(null_is_refused_with_1001);
    RUN(a_pointer_that_is_no_client_is_refused_and_never_touched);
    RUN(a_destroyed_client_is_refused);
    RUN(headers_reach_the_server_in_order);
    RUN(the_origin_has_no_port);
    RUN(the_list_is_the_program_s_to_read);
    RUN(a_header_may_be_uninitialised_when_it_is_added);
    RUN(next_is_ignored_when_a_header_is_added);
    RUN(of_headers_with_one_name_the_last_counts);
    RUN(connect_reads_the_headers_of_its_options_alone);
    RUN(headers_are_added_behind_a_list_of_the_program_s_own);
    RUN(a_list_that_was_cut_off_begins_anew);
    RUN(connect_empties_the_list_of_added_headers);
    RUN(a_copy_of_the_options_may_be_used_again);
    RUN(more_than_8192_headers_are_refused);
    RUN(headers_that_can_not_be_sent_are_refused);
    RUN(invalid_urls_are_refused_at_once);
    RUN(a_url_may_have_8196_characters);
    RUN(a_bare_host_name_fails_in_an_event);
    RUN(a_session_goes_open_message_close);
    RUN(a_session_goes_the_same_way_over_tls);
    RUN(a_certificate_that_is_not_trusted_is_refused_over_tls);
    RUN(a_second_connect_is_refused_and_the_first_unharmed);
    RUN(a_failed_attempt_is_one_error_1003);
    RUN(a_client_connects_again_after_close);
    RUN(a_client_connects_again_inside_on_close_and_on_error);
    RUN(the_parameters_of_send_are_checked_in_any_state);
    RUN(without_a_connection_a_message_is_dropped);
    RUN(a_message_of_4_mib_is_sent);
    RUN(the_bytes_decide_between_text_and_binary);
    RUN(send_never_reads_past_the_length);
    RUN(what_is_sent_before_open_is_sent_after_it_in_order);
    RUN(what_is_sent_while_the_waiting_is_sent_comes_behind_it);
    RUN(what_waits_for_open_is_counted_with_its_frame);
    RUN(what_is_sent_before_an_attempt_that_fails_is_forgotten);
    RUN(a_full_queue_is_1013);
    RUN(close_before_open_is_1017_and_abandons_the_attempt);
    RUN(close_and_connect_at_once_as_often_as_one_likes);
    RUN(the_peer_sees_code_and_reason);
    RUN(a_reason_that_can_not_be_sent_is_refused);
    RUN(close_twice_is_1017);
    RUN(close_sends_first_what_was_accepted);
    RUN(a_close_by_the_peer_arrives_with_code_and_reason);
    RUN(a_lost_link_is_an_error_and_close_1001);
    RUN(an_empty_message_is_delivered);
    RUN(the_callbacks_are_read_when_an_event_is_delivered);
    RUN(a_message_of_20_mib_is_received);
    RUN(a_message_above_1_gib_is_error_1012_and_close_1009);
    RUN(destroy_is_1018_when_no_connect_succeeded);
    RUN(close_and_destroy_at_once_still_sends_the_close_frame);
    RUN(destroy_without_close_says_1001);
    RUN(no_callback_comes_after_destroy);
    RUN(destroy_waits_for_the_callback_that_runs);
    RUN(destroy_is_safe_inside_each_callback);
    RUN(two_callbacks_may_destroy_each_other_s_client);
    RUN(destroy_is_safe_in_every_state);
    RUN(threads_may_send_while_another_destroys);
    RUN(threads_may_make_and_destroy_clients);
    return end_tests();
}
