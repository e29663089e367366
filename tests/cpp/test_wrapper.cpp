// The C++ wrapper: owners that move, listeners that are functions, results that are error codes, exceptions that stay inside.
#include "check.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <type_traits>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netstack_websocket.hpp"

static_assert(std::is_nothrow_move_constructible_v<nsws::Client> && std::is_nothrow_move_assignable_v<nsws::Client>);
static_assert(!std::is_copy_constructible_v<nsws::Client> && !std::is_copy_assignable_v<nsws::Client>);
static_assert(std::is_nothrow_move_constructible_v<nsws::Server> && !std::is_copy_constructible_v<nsws::Server>);
static_assert(std::is_trivially_copyable_v<nsws::ClientRef> && std::is_trivially_copyable_v<nsws::Connection>);
static_assert(sizeof(nsws::Connection) == sizeof(uint64_t));

namespace {

void record(nsws::ClientRef client, Events &events) {
    CHECK(client.on_header_receive([&](nsws::ClientRef, const nsws::HeaderReceiveEvent &e) {
        events.add("headers " + std::to_string(e.status) + " " + std::string(e.headers.find("UPGRADE")));
    }));
    CHECK(client.on_open([&](nsws::ClientRef, const nsws::OpenEvent &e) {
        events.add("open " + std::to_string(e.status) + " " + std::string(e.message) + " " + std::string(e.protocol));
    }));
    CHECK(client.on_message([&](nsws::ClientRef, const nsws::MessageEvent &e) {
        events.add((e.is_text ? "text " : "binary ") + std::string(e.text()));
    }));
    CHECK(client.on_data_end([&](nsws::ClientRef, const nsws::DataEndEvent &) { events.add("end"); }));
    CHECK(client.on_close([&](nsws::ClientRef, const nsws::CloseEvent &e) {
        events.add("close " + std::to_string(e.code) + " " + std::string(e.reason) + (e.was_clean ? " clean" : ""));
    }));
    CHECK(client.on_error([&](nsws::ClientRef, const nsws::ErrorEvent &e) {
        events.add(std::string("error ") + nsws_phase_name(e.phase) + ": " + std::string(e.message));
    }));
}

nsws::ConnectOptions trusting() {
    static const std::string ca = std::string(setting("NSWS_CERT_DIR")) + "/ca.pem";
    nsws::ConnectOptions options;
    options.ca_path = ca.c_str();
    return options;
}

// Clients.

void a_session() {
    Events events;
    nsws::Client client;
    record(client, events);
    nsws::ConnectOptions options;
    options.protocol = "chat.v1";
    SAME(client.connect(setting("NSWS_ECHO_URL"), options), std::error_code());
    events.wait("open");
    SAME(client.send_text("hello"), std::error_code());
    events.wait("text hello");
    SAME(client.send_binary(std::array<uint8_t, 3>{1, 2, 3}), std::error_code());
    events.wait("binary \1\2\3");
    SAME(client.close(4000, "done"), std::error_code());
    events.wait("close");
    SAME(events.all(),
         "headers 101 websocket, open 101 Switching Protocols chat.v1, text hello, end, binary \1\2\3, end, close 4000 done clean");
    nsws_client_stats stats;
    SAME(client.get_stats(stats), std::error_code());
    SAME(stats.messages_received, 2u);
}

void a_session_over_tls() {
    Events events;
    nsws::Client client;
    record(client, events);
    SAME(client.connect(setting("NSWS_ECHO_WSS_URL"), trusting()), std::error_code());
    events.wait("open");
    SAME(client.send_text("hello"), std::error_code());
    events.wait("text hello");
}

void a_server_s_certificates_are_copied() {
    Events events;
    nsws::Client client;
    record(client, events);
    CHECK(client.certificates().empty());
    const std::string url = std::string("wss://127.0.0.1:") + setting("NSWS_WSS_CHAIN_PORT") + "/";
    SAME(client.connect(url, trusting()), std::error_code());
    events.wait("open");
    const std::vector<nsws::Certificate> chain = client.certificates();
    client.destroy();
    SAME(chain.size(), 2u);
    if (chain.size() != 2) {
        return;
    }
    SAME(chain[0].subject, "CN=chain");
    SAME(chain[0].issuer, "CN=The tests' intermediate");
    SAME(chain[0].names.size(), 3u);
    SAME(chain[0].names[1], "127.0.0.1");
    SAME(chain[1].subject, chain[0].issuer);
    CHECK(chain[0].pin != chain[1].pin && chain[0].pin.rfind("sha256//", 0) == 0);
    CHECK(chain[0].not_before_s < chain[0].not_after_s && chain[0].fingerprint.size() == 64);
    CHECK(chain[0].der.size() > 200 && chain[0].der[0] == 0x30);
    CHECK(chain[0].pem.rfind("-----BEGIN CERTIFICATE-----\n", 0) == 0);
}

void headers_reach_the_server() {
    Events events;
    RawPeer peer;
    nsws::Client client;
    record(client, events);
    nsws::ConnectOptions options;
    const nsws_header own{"X-Own", "1"};
    options.headers = &own;
    options.header_count = 1;
    options.header("X-Added", "2").header("X-Third", "3");
    SAME(client.connect(peer.url("/echo"), options), std::error_code());
    events.wait("open");
    CHECK(peer.get("head").find("X-Own: 1\r\nX-Added: 2\r\nX-Third: 3\r\n") != std::string::npos);
}

void a_client_moves() {
    Events events;
    nsws::Client first;
    const nsws_client handle = first.get();
    record(first, events);
    nsws::Client second(std::move(first));
    CHECK(!first);
    SAME(second.get().id, handle.id);
    SAME(first.send_text("x").value(), NSWS_ERR_BAD_HANDLE);
    nsws::Client third;
    const nsws::ClientRef replaced = third;
    third = std::move(second);
    SAME(replaced.send_text("x").value(), NSWS_ERR_BAD_HANDLE);
    nsws::Client &self = third;
    third = std::move(self);
    SAME(third.connect(setting("NSWS_ECHO_URL")), std::error_code());
    events.wait("open");
}

void a_reference_outlives_its_client() {
    nsws::ClientRef reference;
    SAME(reference.close().value(), NSWS_ERR_BAD_HANDLE);
    {
        nsws::Client client;
        reference = client;
        CHECK(reference.send_text("x") == std::errc::not_connected);
    }
    SAME(reference.send_text("x").value(), NSWS_ERR_BAD_HANDLE);
    SAME(reference.on_open([](nsws::ClientRef, const nsws::OpenEvent &) {}).error().value(), NSWS_ERR_BAD_HANDLE);
}

void listeners_are_released_with_the_client() {
    auto held = std::make_shared<int>(1);
    nsws::Listener stale;
    {
        nsws::Client client;
        stale = client.on_open([held](nsws::ClientRef, const nsws::OpenEvent &) {});
        client.on_close([held](nsws::ClientRef, const nsws::CloseEvent &) {});
        SAME(held.use_count(), 3);
        client.destroy();
        SAME(held.use_count(), 1);
        client.destroy();
    }
    stale.remove();
    {
        nsws::Client client;
        client.on_open([held](nsws::ClientRef, const nsws::OpenEvent &) {});
        client.release();
        CHECK(!client);
    }
    // Nothing ran, so nothing had to be waited for.
    SAME(held.use_count(), 1);
}

void a_listener_may_be_removed_also_by_itself() {
    Events events;
    nsws::Client client;
    record(client, events);
    nsws::Listener once, never;
    never = client.on_message([&](nsws::ClientRef, const nsws::MessageEvent &) { events.add("never"); });
    once = client.on_message([&](nsws::ClientRef, const nsws::MessageEvent &) {
        events.add("once");
        once.remove();
        once.remove();
    });
    CHECK(never);
    never.remove();
    CHECK(!never);
    nsws::Listener nothing;
    nothing.remove();
    SAME(client.connect(setting("NSWS_ECHO_URL")), std::error_code());
    events.wait("open");
    client.send_text("1");
    client.send_text("2");
    events.wait("end", 2);
    SAME(events.count("once"), 1u);
    SAME(events.count("never"), 0u);
}

void a_client_may_be_destroyed_by_its_own_listener() {
    Events events;
    auto client = std::make_unique<nsws::Client>();
    client->on_message([&](nsws::ClientRef, const nsws::MessageEvent &) {
        client.reset();
        events.add("gone");
    });
    client->on_open([](nsws::ClientRef self, const nsws::OpenEvent &) { self.send_text("x"); });
    const nsws::ClientRef reference = *client;
    SAME(client->connect(setting("NSWS_ECHO_URL")), std::error_code());
    events.wait("gone");
    SAME(reference.close().value(), NSWS_ERR_BAD_HANDLE);
}

// Errors.

void errors_are_error_codes() {
    nsws::Client client;
    const std::error_code url = client.connect("http://127.0.0.1/");
    SAME(url.value(), NSWS_ERR_URL);
    CHECK(url == std::errc::invalid_argument);
    SAME(std::string(url.category().name()), "netstack_websocket");
    SAME(url.message(), "Websocket url error.");
    CHECK(nsws::last_error().find("ws nor wss") != std::string_view::npos);
    CHECK(client.send_text("x") == std::errc::not_connected);
    CHECK(client.close() == std::errc::not_connected);
    CHECK(client.close(1005) == std::errc::invalid_argument);
    nsws::ConnectOptions options;
    options.ca_path = "/nowhere/ca.pem";
    CHECK(client.connect("wss://127.0.0.1/", options) == std::errc::no_such_file_or_directory);
    SAME(nsws::error_code(0), std::error_code());
    // A code without a condition of the system stands for itself.
    CHECK(nsws::error_code(NSWS_ERR_INTERNAL) == std::error_condition(NSWS_ERR_INTERNAL, nsws::error_category()));
}

void text_with_a_nul_is_not_cut() {
    using namespace std::string_view_literals;
    nsws::Client client;
    SAME(client.connect("ws://127.0.0.1/\0hidden"sv).value(), NSWS_ERR_URL);
    SAME(client.close(1000, "a\0b"sv).value(), NSWS_ERR_PARAMETER);
    nsws::ConnectOptions options;
    options.header("X-Test", std::string("a\0b", 3));
    SAME(client.connect("ws://127.0.0.1/", options).value(), NSWS_ERR_PARAMETER);
}

void a_refusal_has_its_headers_its_body_and_the_wait_it_asks_for() {
    Events events;
    RawPeer peer;
    nsws::Client client;
    client.on_error([&](nsws::ClientRef, const nsws::ErrorEvent &e) {
        events.add("error " + std::string(e.headers.find("x-why")) + " " + std::string(e.body) + " " +
                   std::to_string(e.retry_after.count()));
    });
    SAME(client.connect(peer.url("/refuse/503/X-Why=busy/Retry-After=7/body=later")), std::error_code());
    events.wait("error");
    SAME(events.all(), "error busy later 7000");
    SAME(client.connect("ws://127.0.0.1:" + std::to_string(own_port()) + "/"), std::error_code());
    events.wait("error", 2);
    SAME(events.all(), "error busy later 7000, error   0");
}

void an_open_client_is_checked() {
    Events events;
    RawPeer peer;
    nsws::Client client;
    record(client, events);
    SAME(client.check(std::chrono::seconds(1)).value(), NSWS_ERR_NOT_CONNECTED);
    nsws::ConnectOptions options;
    options.ping_interval_ms = 0;
    options.bind_address = "127.0.0.9";
    SAME(client.connect(peer.url("/silent"), options), std::error_code());
    events.wait("open");
    SAME(client.check(std::chrono::milliseconds(0)).value(), NSWS_ERR_PARAMETER);
    SAME(nsws::network_changed(std::chrono::milliseconds(-1)).value(), NSWS_ERR_PARAMETER);
    SAME(nsws::network_changed(std::chrono::hours(1)), std::error_code());
    SAME(client.check(std::chrono::milliseconds(50)), std::error_code());
    events.wait("close");
    CHECK(events.all().find("did not answer a ping within 50 ms") != std::string::npos);
}

void a_failed_attempt_says_what_and_where() {
    Events events;
    RawPeer peer;
    nsws::Client client;
    std::error_code code, detail;
    int status = 0;
    client.on_error([&](nsws::ClientRef, const nsws::ErrorEvent &e) {
        code = e.code;
        detail = e.detail;
        status = e.http_status;
        events.add("error");
    });
    SAME(client.connect(peer.url("/status/404")), std::error_code());
    events.wait("error");
    SAME(code.value(), NSWS_ERR_CONNECT_FAILED);
    SAME(detail.value(), NSWS_DETAIL_HTTP_STATUS);
    SAME(status, 404);
    SAME(client.connect("ws://127.0.0.1:" + std::to_string(own_port()) + "/"), std::error_code());
    events.wait("error", 2);
    CHECK(detail == std::errc::connection_refused);
}

#if defined(__cpp_exceptions)
void check_throws_what_happened() {
    nsws::Client client;
    try {
        nsws::check(client.connect("ftp://x"));
        CHECK(!"thrown");
    } catch (const std::system_error &error) {
        SAME(error.code().value(), NSWS_ERR_URL);
        CHECK(std::string(error.what()).find("ws nor wss") != std::string::npos);
    }
    nsws::check(std::error_code());
}

std::atomic<int> exceptions{0};

void an_exception_in_a_listener_ends_its_connection_only() {
    exceptions = 0;
    nsws::set_exception_handler([](std::exception_ptr caught) {
        try {
            std::rethrow_exception(caught);
        } catch (const std::runtime_error &error) {
            if (std::string(error.what()) == "mine") exceptions++;
        }
    });
    Events events, others;
    nsws::Client client, other;
    record(client, events);
    record(other, others);
    client.on_message([](nsws::ClientRef, const nsws::MessageEvent &) { throw std::runtime_error("mine"); });
    SAME(client.connect(setting("NSWS_ECHO_URL")), std::error_code());
    SAME(other.connect(setting("NSWS_ECHO_URL")), std::error_code());
    events.wait("open");
    others.wait("open");
    client.send_text("x");
    events.wait("close 1011");
    SAME(exceptions, 1);
    other.send_text("still there");
    others.wait("text still there");
    nsws::set_exception_handler(nullptr);
}
#endif

// Servers.

void a_server_converses() {
    Events events, clients;
    nsws::Server server;
    CHECK(server.on_connect([&](nsws::ServerRef, nsws::Connection, const nsws::ConnectEvent &e) {
        events.add("connect " + std::string(e.client_ip) + " " + std::string(e.path) + " " + std::string(e.protocol) + " " +
                   std::string(e.headers.find("x-test")));
    }));
    CHECK(server.on_message([&](nsws::ServerRef, nsws::Connection connection, const nsws::MessageEvent &e) {
        events.add("message");
        SAME(e.is_text ? connection.send_text(e.text()) : connection.send_binary(e.bytes()), std::error_code());
    }));
    CHECK(server.on_close([&](nsws::ServerRef, nsws::Connection, const nsws::CloseEvent &e) {
        events.add("close " + std::to_string(e.code) + " " + std::string(e.reason));
    }));
    nsws::ServerOptions options;
    options.server_ip = "127.0.0.1";
    options.protocol = "chat.v1";
    SAME(server.port(), 0);
    SAME(server.start(options), std::error_code());
    CHECK(server.port() != 0);
    SAME(server.start(options).value(), NSWS_ERR_ALREADY_CONNECTED);

    nsws::Client client;
    record(client, clients);
    nsws::ConnectOptions wanted;
    wanted.protocol = "chat.v1";
    wanted.header("X-Test", "yes");
    SAME(client.connect("ws://127.0.0.1:" + std::to_string(server.port()) + "/room?1", wanted), std::error_code());
    events.wait("connect 127.0.0.1 /room?1 chat.v1 yes");
    clients.wait("open");
    client.send_text("hello");
    clients.wait("text hello");
    client.send_binary({"\1\2", 2});
    clients.wait("binary \1\2");

    const std::vector<nsws::Connection> connections = server.connections();
    SAME(connections.size(), 1u);
    nsws_connection_info info;
    SAME(connections[0].get_info(info), std::error_code());
    CHECK(server.find("127.0.0.1", info.client_port) == connections[0]);
    CHECK(!server.find("127.0.0.1", static_cast<uint16_t>(info.client_port + 1)));
    std::size_t accepted = 0;
    SAME(server.broadcast_text("to all", &accepted), std::error_code());
    SAME(accepted, 1u);
    clients.wait("text to all");
    SAME(server.broadcast_binary("bytes"), std::error_code());
    clients.wait("binary bytes");
    SAME(connections[0].close(4001, "enough"), std::error_code());
    clients.wait("close 4001 enough clean");
    events.wait("close 4001");
    CHECK(connections[0].send_text("x"));
    SAME(server.stop(), std::error_code());
    SAME(server.stop().value(), NSWS_ERR_NOT_LISTENING);
}

// A server on loopback for the tests of what came with 0.2.
nsws::ServerOptions on_loopback() {
    nsws::ServerOptions options;
    options.server_ip = "127.0.0.1";
    return options;
}

std::string url_of(const nsws::Server &server) {
    return "ws://127.0.0.1:" + std::to_string(server.port()) + "/";
}

std::string described(const nsws::MessagePartEvent &e) {
    return std::string(e.is_first ? "first " : "") + (e.is_last ? "last " : "") + (e.is_text ? "text" : "binary");
}

void messages_pass_as_parts() {
    Events events;
    std::string at_server, at_client;
    nsws::Server server;
    CHECK(server.on_message_part([&](nsws::ServerRef, nsws::Connection connection, const nsws::MessagePartEvent &e) {
        at_server += e.text();
        if (!e.is_last) return;
        events.add("server has " + described(e) + " " + std::to_string(at_server.size()));
        SAME(connection.send_binary_part("one ", false), std::error_code());
        SAME(connection.send_text("between").value(), NSWS_ERR_MESSAGE_UNFINISHED);
        SAME(connection.ping(), std::error_code());
        SAME(connection.cork(), std::error_code());
        SAME(connection.send_binary_part(e.bytes(), false), std::error_code());
        SAME(connection.uncork(), std::error_code());
        SAME(connection.send_binary_part({}, true), std::error_code());
    }));
    nsws::ServerOptions options = on_loopback();
    options.receive_parts = 1;
    SAME(server.start(options), std::error_code());

    nsws::Client client;
    record(client, events);
    CHECK(client.on_message_part([&](nsws::ClientRef, const nsws::MessagePartEvent &e) {
        at_client += e.text();
        SAME(e.is_first, at_client.size() == e.size);
        SAME(e.is_text, false);
        if (e.is_last) events.add("client has all");
    }));
    nsws::ConnectOptions wanted;
    wanted.receive_parts = 1;
    SAME(client.connect(url_of(server), wanted), std::error_code());
    events.wait("open");
    SAME(client.pause(), std::error_code());
    SAME(client.cork(), std::error_code());
    // A part may end within a character.
    SAME(client.send_text_part("gr\xc3", false), std::error_code());
    SAME(client.send_binary("between").value(), NSWS_ERR_MESSAGE_UNFINISHED);
    SAME(client.send_text_part("\xbc\xc3\x9f", true), std::error_code());
    SAME(client.uncork(), std::error_code());
    SAME(client.resume(), std::error_code());
    events.wait("end");
    SAME(at_server, "gr\xc3\xbc\xc3\x9f");
    SAME(events.count("client has all"), 1u);
    SAME(events.count("binary"), 0u);
    CHECK(at_client.compare(0, 4, "one ") == 0);
}

void both_sides_learn_the_extensions() {
    Events events;
    nsws::Server server;
    server.on_connect([&](nsws::ServerRef, nsws::Connection, const nsws::ConnectEvent &e) {
        events.add("connect " + std::string(e.extensions));
    });
    server.on_message([](nsws::ServerRef, nsws::Connection connection, const nsws::MessageEvent &e) {
        SAME(connection.send_text(e.text()), std::error_code());
    });
    nsws::ServerOptions options = on_loopback();
    options.compression = 1;
    const std::error_code started = server.start(options);
    if (started.value() == NSWS_ERR_NOT_SUPPORTED) { // a build without compression: clients as well
        nsws::Client client;
        nsws::ConnectOptions wanted;
        wanted.compression = 1;
        SAME(client.connect("ws://127.0.0.1:9/", wanted), started);
        return;
    }
    SAME(started, std::error_code());

    const std::string repeated(100000, 'r');
    for (const int compression : {1, 0}) {
        Events here;
        nsws::Client client;
        client.on_open([&](nsws::ClientRef, const nsws::OpenEvent &e) { here.add("open " + std::string(e.extensions)); });
        client.on_message([&](nsws::ClientRef, const nsws::MessageEvent &e) { here.add(std::string(e.text())); });
        nsws::ConnectOptions wanted;
        wanted.compression = static_cast<uint8_t>(compression);
        SAME(client.connect(url_of(server), wanted), std::error_code());
        if (compression == 1) {
            here.wait("open permessage-deflate");
            events.wait("connect permessage-deflate");
        } else {
            here.wait("open ");
            SAME(here.all(), "open ");
            events.wait("connect ", 2);
            SAME(events.count("connect permessage-deflate"), 1u);
        }
        SAME(client.send_text(repeated), std::error_code());
        here.wait(repeated);
    }
}

void a_server_refuses_other_origins() {
    Events events;
    nsws::Server server;
    nsws::ServerOptions options = on_loopback();
    options.allowed_origins = "https://tv.example";
    SAME(server.start(options), std::error_code());
    nsws::Client client;
    record(client, events);
    nsws::ConnectOptions wanted;
    wanted.origin = "https://elsewhere.example";
    SAME(client.connect(url_of(server), wanted), std::error_code());
    events.wait("error handshake");
    CHECK(events.all().find("403") != std::string::npos);
    wanted.origin = "https://tv.example";
    SAME(client.connect(url_of(server), wanted), std::error_code());
    events.wait("open");
}

void states_are_told() {
    Events events;
    nsws::Server server;
    nsws::Client client;
    record(client, events);
    SAME(server.state(), NSWS_STATE_IDLE);
    SAME(client.state(), NSWS_STATE_IDLE);
    SAME(server.start(on_loopback()), std::error_code());
    SAME(server.state(), NSWS_STATE_OPEN);
    SAME(client.connect(url_of(server)), std::error_code());
    events.wait("open");
    SAME(client.state(), NSWS_STATE_OPEN);
    SAME(nsws::Server(std::move(server)).state(), NSWS_STATE_OPEN);
    // The temporary has closed it.
    SAME(server.state(), NSWS_STATE_IDLE);
}

void an_accept_hook_decides() {
    Events clients;
    nsws::Server server;
    auto held = std::make_shared<int>(1);
    SAME(server.set_accept_hook([held](nsws::ServerRef, const nsws::ConnectEvent &e) -> uint16_t {
        if (e.path == "/throw") throw std::runtime_error("mine");
        return e.path == "/in" ? 0 : 451;
    }),
         std::error_code());
    nsws::ServerOptions options;
    options.server_ip = "127.0.0.1";
    SAME(server.start(options), std::error_code());
    const std::string url = "ws://127.0.0.1:" + std::to_string(server.port());
    nsws::Client in, out, thrown;
    for (nsws::Client *client : {&in, &out, &thrown}) record(*client, clients);
    SAME(in.connect(url + "/in"), std::error_code());
    clients.wait("open");
    SAME(out.connect(url + "/out"), std::error_code());
    clients.wait("error handshake");
    CHECK(clients.all().find("451") != std::string::npos);
    SAME(thrown.connect(url + "/throw"), std::error_code());
    clients.wait("error handshake", 2);
    CHECK(clients.all().find("500") != std::string::npos);
    SAME(server.set_accept_hook(nullptr), std::error_code());
    SAME(held.use_count(), 1);
    SAME(out.connect(url + "/out"), std::error_code());
    clients.wait("open", 2);
}

// What a server answers to a request that is no upgrade.
std::string answer_to(uint16_t port, const std::string &path) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::string answer;
    if (connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0) {
        const std::string request = "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n";
        send(fd, request.data(), request.size(), MSG_NOSIGNAL);
        char part[1024];
        for (ssize_t count; (count = recv(fd, part, sizeof part, 0)) > 0;) answer.append(part, static_cast<std::size_t>(count));
    }
    close(fd);
    return answer;
}

void an_http_hook_answers() {
    nsws::Server server;
    auto held = std::make_shared<int>(1);
    SAME(server.set_http_hook([held](nsws::ServerRef, const nsws::HttpRequest &request, nsws::HttpAnswer answer) {
        if (request.path == "/throw") throw std::runtime_error("mine");
        if (request.path != "/page") return;
        CHECK(answer.set(101).value() == NSWS_ERR_PARAMETER);
        SAME(answer.set(200, std::string(request.method) + " from " + std::string(request.link_ip), {{"X-Own", "1"}}), std::error_code());
    }),
         std::error_code());
    nsws::ServerOptions options;
    options.server_ip = "127.0.0.1";
    SAME(server.start(options), std::error_code());
    const std::string page = answer_to(server.port(), "/page");
    CHECK(page.find("HTTP/1.1 200 OK\r\nX-Own: 1\r\n") == 0);
    CHECK(page.find("\r\n\r\nGET from 127.0.0.1") != std::string::npos);
    CHECK(answer_to(server.port(), "/other").find("HTTP/1.1 426 ") == 0);
    CHECK(answer_to(server.port(), "/throw").find("HTTP/1.1 500 ") == 0);
    SAME(server.set_http_hook(nullptr), std::error_code());
    SAME(held.use_count(), 1);
    CHECK(answer_to(server.port(), "/page").find("HTTP/1.1 426 ") == 0);
}

void groups_bans_certificates_and_a_graceful_stop() {
    Events events, clients;
    nsws::Server server;
    server.on_connect([&](nsws::ServerRef, nsws::Connection connection, const nsws::ConnectEvent &event) {
        SAME(connection.join("room"), std::error_code());
        SAME(connection.join(std::string_view("a\0b", 3)).value(), NSWS_ERR_PARAMETER);
        CHECK(event.link_ip == event.client_ip && event.link_port == event.client_port);
        CHECK(event.client_cert_subject.empty() && event.client_cert_fingerprint.empty() && event.client_cert_pem.empty());
        events.add("joined");
    });
    nsws::ServerOptions options;
    options.server_ip = "127.0.0.1";
    options.max_upgrades_per_minute = 1;
    SAME(server.start(options), std::error_code());
    const std::string url = "ws://127.0.0.1:" + std::to_string(server.port()) + "/";
    nsws::Client in, banned;
    record(in, clients);
    record(banned, clients);
    SAME(in.connect(url), std::error_code());
    events.wait("joined");
    clients.wait("open");
    std::size_t accepted = 0;
    SAME(server.broadcast_text_to("room", "to the room", &accepted), std::error_code());
    SAME(accepted, 1u);
    clients.wait("text to the room");
    SAME(server.broadcast_binary_to("room", "bytes"), std::error_code());
    clients.wait("binary bytes");
    SAME(server.connections()[0].leave("room"), std::error_code());
    SAME(server.broadcast_text_to("room", "x", &accepted), std::error_code());
    SAME(accepted, 0u);
    SAME(banned.connect(url), std::error_code());
    clients.wait("error handshake");
    SAME(server.bans().size(), 1u);
    SAME(std::string(server.bans()[0].ip), "127.0.0.1");
    SAME(server.unban("127.0.0.1"), std::error_code());
    SAME(server.bans().size(), 0u);
    SAME(server.add_certificate("/nowhere/cert.pem", "/nowhere/cert.key").value(), NSWS_ERR_CERT_FILE);
    SAME(server.reload_certificates(), std::error_code());
    SAME(server.stop_gracefully(std::chrono::milliseconds(0)).value(), NSWS_ERR_PARAMETER);
    SAME(server.stop_gracefully(std::chrono::hours(24 * 365)), std::error_code());
    clients.wait("close 1001 server is going away clean");
}

void a_server_moves() {
    nsws::Server first;
    nsws::ServerOptions options;
    options.server_ip = "127.0.0.1";
    SAME(first.start(options), std::error_code());
    const uint16_t port = first.port();
    nsws::Server second(std::move(first));
    SAME(second.port(), port);
    second = nsws::Server();
    // The port is free again.
    options.server_port = port;
    SAME(second.start(options), std::error_code());
}

// The platform.

void the_platform_s_hooks_are_functions() {
    Events events;
    nsws::Server server;
    nsws::ServerOptions local;
    local.server_ip = "127.0.0.1";
    SAME(server.start(local), std::error_code());
    const std::string port = ":" + std::to_string(server.port()) + "/";
    nsws::Client client;
    record(client, events);

    std::shared_ptr<void> held(nullptr, [&](void *) { events.add("released"); });
    std::atomic<bool> may{true};
    nsws::Platform hooks;
    hooks.has_internet_permission = [&] { return may.load(); };
    hooks.is_tv_device = [] { return false; };
    hooks.is_host_allowed = [](std::string_view host, std::string_view url) {
        return host != "barred.invalid" || url.find("ws://barred.invalid") != 0;
    };
    hooks.get_system_proxy = [](std::string_view url, nsws::SystemProxyAnswer answer) {
        nsws::SystemProxy proxy;
        if (url.find("ws://far.invalid:") == 0) {
            proxy.host = "127.0.0.1";
            proxy.port = 1;
        }
        SAME(answer.set(proxy), std::error_code());
    };
    hooks.resolve = [held](std::string_view host, nsws::ResolveAnswer answer) {
        if (host == "here.invalid") SAME(answer.set("127.0.0.1"), std::error_code());
        if (host == "cut.invalid") SAME(answer.set(std::string_view("127.0.0.1\0", 10)).value(), NSWS_ERR_PARAMETER);
    };
    SAME(nsws::set_platform(hooks), std::error_code());

    SAME(client.connect("ws://here.invalid" + port), std::error_code());
    events.wait("open");
    may = false;
    SAME(client.send_text("x").value(), NSWS_ERR_PERMISSION_DENIED);
    may = true;
    SAME(client.close(), std::error_code());
    events.wait("close");
    SAME(client.connect("ws://cut.invalid" + port), std::error_code());
    events.wait("error dns", 1);
    SAME(client.connect("ws://far.invalid" + port), std::error_code());
    events.wait("error proxy", 1);
    SAME(client.connect("ws://barred.invalid" + port).value(), NSWS_ERR_DOMAIN_NOT_ALLOWED);
    SAME(nsws::Server().error().value(), NSWS_ERR_NOT_SUPPORTED);
    hooks = nsws::Platform();
    held.reset();
    SAME(events.count("released"), 0u);
    SAME(nsws::set_platform(hooks), std::error_code());
    events.wait("released");
    SAME(nsws::Server().error(), std::error_code());
}

#if defined(__cpp_exceptions)
void a_hook_of_the_platform_that_throws_denies_or_fails_the_attempt() {
    Events events;
    nsws::Client client;
    record(client, events);
    nsws::Platform hooks;
    hooks.is_host_allowed = [](std::string_view host, std::string_view) {
        if (host == "allowed.invalid") throw std::runtime_error("mine");
        return true;
    };
    hooks.get_system_proxy = [](std::string_view url, nsws::SystemProxyAnswer) {
        if (url.find("proxy.invalid") != std::string_view::npos) throw std::runtime_error("mine");
    };
    hooks.resolve = [](std::string_view, nsws::ResolveAnswer) { throw std::runtime_error("mine"); };
    SAME(nsws::set_platform(hooks), std::error_code());
    SAME(client.connect("ws://allowed.invalid/").value(), NSWS_ERR_DOMAIN_NOT_ALLOWED);
    SAME(client.connect("ws://proxy.invalid/"), std::error_code());
    events.wait("error proxy");
    SAME(client.connect("ws://resolve.invalid/"), std::error_code());
    events.wait("error dns");
    SAME(nsws::set_platform(nsws::Platform()), std::error_code());
}
#endif

// The library.

void the_log_goes_to_a_function() {
    Events lines;
    SAME(nsws::set_log(NSWS_LOG_WARN, [&](int, std::string_view line) { lines.add(std::string(line)); }), std::error_code());
    nsws_log(NSWS_LOG_WARN, "a line");
    lines.wait("a line");
    SAME(nsws::set_log(NSWS_LOG_WARN + 100, [](int, std::string_view) {}).value(), NSWS_ERR_PARAMETER);
    SAME(nsws::set_log(NSWS_LOG_OFF, nullptr), std::error_code());
}

void shutdown_inside_a_listener_is_refused() {
    Events events;
    nsws::Client client;
    client.on_open([&](nsws::ClientRef, const nsws::OpenEvent &) {
        CHECK(nsws::shutdown(std::chrono::seconds(1)) == std::errc::resource_deadlock_would_occur);
        events.add("refused");
    });
    SAME(client.connect(setting("NSWS_ECHO_URL")), std::error_code());
    events.wait("refused");
}

void nothing_is_left() {
    SAME(nsws::shutdown(std::chrono::milliseconds(-1)).value() == NSWS_ERR_SHUTTING_DOWN, false);
    SAME(nsws::shutdown(guard()), std::error_code());
    SAME(nsws::shutdown(std::chrono::milliseconds::max()), std::error_code());
}

}  // namespace

int main() {
    return run_tests({
        TEST(a_session),
        TEST(a_session_over_tls),
        TEST(a_server_s_certificates_are_copied),
        TEST(headers_reach_the_server),
        TEST(a_client_moves),
        TEST(a_reference_outlives_its_client),
        TEST(listeners_are_released_with_the_client),
        TEST(a_listener_may_be_removed_also_by_itself),
        TEST(a_client_may_be_destroyed_by_its_own_listener),
        TEST(errors_are_error_codes),
        TEST(text_with_a_nul_is_not_cut),
        TEST(a_failed_attempt_says_what_and_where),
#if defined(__cpp_exceptions)
        TEST(check_throws_what_happened),
        TEST(an_exception_in_a_listener_ends_its_connection_only),
#endif
        TEST(a_server_converses),
        TEST(messages_pass_as_parts),
        TEST(both_sides_learn_the_extensions),
        TEST(a_server_refuses_other_origins),
        TEST(states_are_told),
        TEST(an_accept_hook_decides),
        TEST(an_http_hook_answers),
        TEST(groups_bans_certificates_and_a_graceful_stop),
        TEST(a_server_moves),
        TEST(the_platform_s_hooks_are_functions),
#if defined(__cpp_exceptions)
        TEST(a_hook_of_the_platform_that_throws_denies_or_fails_the_attempt),
#endif
        TEST(the_log_goes_to_a_function),
        TEST(a_refusal_has_its_headers_its_body_and_the_wait_it_asks_for),
        TEST(an_open_client_is_checked),
        TEST(shutdown_inside_a_listener_is_refused),
        TEST(nothing_is_left),
    });
}
