/* nginx in the place of the server: a captive portal, and redirects from one server to another. */
#include "server.h"

/* A server, and what nginx does in front of it. */
struct site {
    struct server *server;
    struct other *proxies;
    uint16_t port;
};

static uint16_t start_nginx(struct other *proxies, const char *kind, uint16_t before) {
    uint16_t port = (uint16_t)atoi(ask_other(proxies, "%s %d", kind, before));
    CHECK(port != 0);
    return port;
}

static int site_starts(struct site *site, const char *kind) {
    site->server = started_server(NULL);
    if (!site->server) return 0;
    site->server->echo = 1;
    site->proxies = new_other("NSWS_REVERSE_PROXIES");
    site->port = start_nginx(site->proxies, kind, site->server->port);
    return site->port != 0;
}

static const char *url_at(const char *userinfo, uint16_t port, const char *path) {
    static char url[256];
    snprintf(url, sizeof url, "ws://%s127.0.0.1:%d%s", userinfo, port, path);
    return url;
}

static nsws_connect_options following(uint32_t most) {
    nsws_connect_options options = defaults();
    options.max_redirects = most;
    return options;
}

/* The answer that the last error has brought. */
static char location[512], body[512];
static uint32_t retry_after_ms;

static void record_answer(nsws_client client, const nsws_error_event *e, void *user) {
    location[0] = 0;
    for (size_t i = 0; i < e->header_count; i++)
        if (strcasecmp(e->headers[i].name, "Location") == 0) snprintf(location, sizeof location, "%s", e->headers[i].value);
    snprintf(body, sizeof body, "%.*s", (int)e->body_length, e->body ? (const char *)e->body : "");
    retry_after_ms = e->retry_after_ms;
    record_error(client, e, user);
}

static const struct event *error_at(const char *url, const nsws_connect_options *options) {
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_off_error(r->client, record_error, r));
    CHECK_OK(nsws_client_on_error(r->client, record_answer, r, NULL));
    CHECK_OK(nsws_client_connect(r->client, url, options));
    return WAIT(r, ERROR, 1);
}

static void echoes(struct recorder *r) {
    size_t nth = count_events(r, MESSAGE) + 1;
    CHECK_OK(nsws_client_send_text(r->client, "there", 5));
    const struct event *message = WAIT(r, MESSAGE, nth);
    if (message) CHECK_STR(message->text, "there");
}

static void a_captive_portal_is_told_with_its_page(void) {
    struct site site;
    if (!site_starts(&site, "nginx-portal")) return;
    /* Most portals redirect to their page. */
    const struct event *error = error_at(url_at("", site.port, "/"), NULL);
    if (!error) return;
    CHECK_INT(error->detail, NSWS_DETAIL_HTTP_STATUS);
    CHECK_INT(error->http_status, 302);
    CHECK_CONTAINS(location, "/login");
    nsws_connect_options options = following(1);
    const struct {
        const char *path;
        const nsws_connect_options *options;
        int status;
    } portals[] = { { "/", &options, 200 }, { "/login", NULL, 200 }, { "/required", NULL, 511 } };
    for (size_t i = 0; i < 3; i++) {
        error = error_at(url_at("", site.port, portals[i].path), portals[i].options);
        if (!error) return;
        CHECK_INT(error->detail, NSWS_DETAIL_CAPTIVE_PORTAL);
        CHECK_INT(error->http_status, portals[i].status);
        CHECK_STR(body, "<!DOCTYPE html><title>Log in</title>");
    }
    error = error_at(url_at("", site.port, "/busy"), NULL);
    if (!error) return;
    CHECK_INT(error->http_status, 503);
    CHECK_INT(retry_after_ms, 120000);
    CHECK_CONTAINS(body, "503 Service Temporarily Unavailable");
    CHECK_INT(server_count(site.server, ON_CONNECT), 0);
}

static void a_client_that_reconnects_gets_through_once_the_portal_lets_it(void) {
    struct site site;
    if (!site_starts(&site, "nginx-portal")) return;
    struct recorder *r = new_client();
    nsws_connect_options options = following(1);
    options.reconnect_max_attempts = NSWS_FOR_EVER;
    options.reconnect_min_delay_ms = options.reconnect_max_delay_ms = 10;
    CHECK_OK(nsws_client_connect(r->client, url_at("", site.port, "/chat"), &options));
    if (!WAIT(r, RECONNECTING, 2)) return;
    CHECK_STR(ask_other(site.proxies, "login nginx-portal"), "in");
    if (!WAIT(r, OPEN, 1)) return;
    echoes(r);
    const struct server_event *event = SERVER_WAIT(site.server, ON_CONNECT, 1);
    if (event) CHECK_STR(event->path, "/chat");
}

/* Opens a connection to the path, with credentials, and returns what the server saw of it. */
static const struct server_event *opens_at(struct site *site, const char *path, uint32_t most) {
    nsws_header headers[] = { { "Cookie", "session=1" }, { "X-Kept", "yes" } };
    nsws_connect_options options = following(most);
    options.headers = headers;
    options.header_count = 2;
    struct recorder *r = new_client();
    size_t nth = server_count(site->server, ON_CONNECT) + 1;
    if (!OPENS(r, url_at("user:secret@", site->port, path), &options)) return NULL;
    echoes(r);
    const struct server_event *event = SERVER_WAIT(site->server, ON_CONNECT, nth);
    if (event) CHECK_STR(event->path, "/end");
    return event;
}

static void a_chain_of_redirects_leads_to_the_server_with_its_credentials(void) {
    struct site site;
    if (!site_starts(&site, "nginx-redirects")) return;
    char origin[64];
    snprintf(origin, sizeof origin, "http://127.0.0.1:%d", site.port);
    const struct server_event *event = opens_at(&site, "/start", 2);
    if (!event) return;
    CHECK_STR(header_of(event, "Cookie"), "session=1");
    CHECK_STR(header_of(event, "Authorization"), "Basic dXNlcjpzZWNyZXQ=");
    CHECK_STR(header_of(event, "X-Kept"), "yes");
    CHECK_STR(header_of(event, "Origin"), origin);
    /* One fewer is not enough. */
    nsws_connect_options options = following(1);
    const struct event *error = error_at(url_at("", site.port, "/start"), &options);
    if (!error) return;
    CHECK_INT(error->detail, NSWS_DETAIL_REDIRECT);
    CHECK_INT(error->http_status, 301);
    CHECK_CONTAINS(location, "/end");
    CHECK_INT(server_count(site.server, ON_CONNECT), 1);
}

static void another_server_gets_no_credentials_and_no_cookies(void) {
    struct site site;
    if (!site_starts(&site, "nginx-redirects")) return;
    /* The first nginx sends clients away to a second one, which is in front of the same server. */
    uint16_t second = site.port;
    struct other *proxies = new_other("NSWS_REVERSE_PROXIES");
    site.port = start_nginx(proxies, "nginx-redirects", second);
    const struct server_event *event = site.port ? opens_at(&site, "/away", 1) : NULL;
    if (!event) return;
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%d", second);
    CHECK_STR(header_of(event, "Host"), host);
    CHECK(header_of(event, "Cookie") == NULL);
    CHECK(header_of(event, "Authorization") == NULL);
    CHECK_STR(header_of(event, "X-Kept"), "yes");
}

static void a_loop_of_redirects_ends(void) {
    struct site site;
    if (!site_starts(&site, "nginx-redirects")) return;
    nsws_connect_options options = following(20);
    const struct event *error = error_at(url_at("", site.port, "/loop"), &options);
    if (!error) return;
    CHECK_INT(error->detail, NSWS_DETAIL_REDIRECT);
    CHECK_INT(error->http_status, 302);
    CHECK_CONTAINS(error->text, "more than 20 redirects");
    CHECK_INT(server_count(site.server, ON_CONNECT), 0);
}

int main(void) {
    RUN(a_captive_portal_is_told_with_its_page);
    RUN(a_client_that_reconnects_gets_through_once_the_portal_lets_it);
    RUN(a_chain_of_redirects_leads_to_the_server_with_its_credentials);
    RUN(another_server_gets_no_credentials_and_no_cookies);
    RUN(a_loop_of_redirects_ends);
    return end_tests();
}
