// NetStack's C++ server, function by function: results, callbacks, what clients see.
#include "check.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>

#include "netstack_websocket.hpp"
#include "websocket_server_innerapi.h"

using namespace OHOS::NetStack::WebSocketServer;

namespace {

// The callbacks are plain functions: the server's address finds what belongs to it.
struct App {
    Events events;
    std::mutex lock;
    SocketConnection last;
    std::atomic<int> running{0};
    std::atomic<int> overlaps{0};
    std::function<void(WebSocketServer *, const std::string &, const SocketConnection &)> hook;
};

std::mutex apps_lock;
std::unordered_map<WebSocketServer *, std::shared_ptr<App>> apps;

void happened(WebSocketServer *server, const std::string &event, const SocketConnection &connection) {
    std::shared_ptr<App> app;
    {
        const std::lock_guard<std::mutex> guarded(apps_lock);
        app = apps.at(server);
    }
    if (++app->running != 1) app->overlaps++;
    {
        const std::lock_guard<std::mutex> guarded(app->lock);
        app->last = connection;
    }
    app->events.add(event);
    if (app->hook) app->hook(server, event, connection);
    app->running--;
}

void on_error(WebSocketServer *server, ErrorResult error) {
    happened(server, "error " + std::to_string(error.errorCode) + " " + error.errorMessage, {"", 0});
}
void on_connect(WebSocketServer *server, SocketConnection connection) {
    CHECK(connection.clientPort != 0);
    happened(server, "connect " + connection.clientIP, connection);
}
void on_close(WebSocketServer *server, CloseResult result, SocketConnection connection) {
    CHECK(connection.clientPort != 0);
    happened(server, "close " + std::to_string(result.code) + " " + result.reason, connection);
}
void on_message(WebSocketServer *server, const std::string &data, size_t length, SocketConnection connection) {
    CHECK(data.size() == length && connection.clientPort != 0);
    happened(server, "message " + data, connection);
}

struct Fixture {
    std::shared_ptr<App> app = std::make_shared<App>();
    std::unique_ptr<WebSocketServer> server = std::make_unique<WebSocketServer>();
    ServerConfig config;

    Fixture() {
        const std::lock_guard<std::mutex> guarded(apps_lock);
        apps[server.get()] = app;
        SAME(server->Registcallback(on_error, on_connect, on_close, on_message), 0);
        config.serverIP = "127.0.0.1";
    }
    ~Fixture() {
        server.reset();
        SAME(app->overlaps, 0);
    }

    Events &events() { return app->events; }
    bool starts() {
        config.serverPort = own_port();
        return SAME(server->Start(config), 0);
    }
    std::string url() const {
        return (config.serverCert.certPath.empty() ? "ws" : "wss") + ("://127.0.0.1:" + std::to_string(config.serverPort) + "/");
    }
    SocketConnection last() {
        const std::lock_guard<std::mutex> guarded(app->lock);
        return app->last;
    }
    int send(const std::string &text, const SocketConnection &to) {
        return server->Send(text.data(), static_cast<int>(text.size()), to);
    }
};

// One of the library's own clients, with its events.
struct Guest {
    Events events;
    nsws::Client client;

    Guest() {
        client.on_open([this](nsws::ClientRef, const nsws::OpenEvent &e) { events.add("open " + std::string(e.protocol)); });
        client.on_message([this](nsws::ClientRef, const nsws::MessageEvent &e) {
            events.add((e.is_text ? "text " : "binary ") + (e.size > 100 ? std::to_string(e.size) : std::string(e.text())));
        });
        client.on_close([this](nsws::ClientRef, const nsws::CloseEvent &e) {
            events.add("close " + std::to_string(e.code) + " " + std::string(e.reason));
        });
        client.on_error([this](nsws::ClientRef, const nsws::ErrorEvent &e) {
            events.add("error " + std::to_string(e.http_status) + " " + std::string(e.message));
        });
    }
    bool enters(const std::string &url, const nsws::ConnectOptions &options = {}) {
        const std::size_t before = events.count("open");
        return CHECK(!client.connect(url, options)) && events.wait("open", before + 1);
    }
};

// A connection is known until its close callback has returned; no event says when that is.
bool eventually(const std::function<bool()> &holds) {
    const auto end = std::chrono::steady_clock::now() + guard();
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::yield();
    }
    return true;
}

SocketConnection with_port(SocketConnection connection, uint32_t port) {
    connection.clientPort = port;
    return connection;
}

// Start.

int start(const std::function<void(ServerConfig &)> &change) {
    Fixture f;
    f.config.serverPort = own_port();
    change(f.config);
    return f.server->Start(f.config);
}

void start_checks_address_port_limits_and_files_in_this_order() {
    const auto all_wrong = [](ServerConfig &c) {
        c.serverIP = "invalidIp";
        c.serverPort = -1;
        c.maxConcurrentClientsNumber = 11;
        c.maxConnectionsForOneClient = 11;
        c.serverCert = {"/nowhere/cert.pem", "/nowhere/key.pem"};
    };
    SAME(start(all_wrong), 2302004);
    for (const int port : {-1, 0, 65536, 100000})
        SAME(start([&](ServerConfig &c) { all_wrong(c), c.serverIP = "127.0.0.1", c.serverPort = port; }), 2302005);
    SAME(start([&](ServerConfig &c) { all_wrong(c), c.serverIP = "127.0.0.1", c.serverPort = own_port(); }), 2302999);
    for (const int limit : {-1, 11, 20}) {
        SAME(start([&](ServerConfig &c) { c.maxConcurrentClientsNumber = limit; }), 2302999);
        SAME(start([&](ServerConfig &c) { c.maxConnectionsForOneClient = limit; }), 2302999);
    }
    SAME(start([](ServerConfig &c) { c.serverCert = {"/nowhere/cert.pem", "/nowhere/key.pem"}; }), 2302002);
    SAME(start([](ServerConfig &c) { c.serverCert = {std::string(setting("NSWS_CERT_DIR")) + "/good.pem", "/nowhere/key.pem"}; }), 2302002);
    SAME(start([](ServerConfig &c) { c.serverCert = {"/dev/null", "/dev/null"}; }), 2302002);
    // An address of another machine, a name, a text with a NUL.
    SAME(start([](ServerConfig &c) { c.serverIP = "192.0.2.1"; }), 2302004);
    SAME(start([](ServerConfig &c) { c.serverIP = "localhost"; }), 2302004);
    SAME(start([](ServerConfig &c) { c.serverIP = std::string("127.0.0.1\0x", 11); }), 2302999);
    SAME(start([](ServerConfig &) {}), 0);
    SAME(start([](ServerConfig &c) { c.serverIP = ""; }), 0);
    SAME(start([](ServerConfig &c) { c.maxConcurrentClientsNumber = c.maxConnectionsForOneClient = 10; }), 0);
}

void a_port_that_is_taken_is_2302007_and_a_second_start_2302003() {
    Fixture f, other;
    if (!f.starts()) return;
    other.config = f.config;
    SAME(other.server->Start(other.config), 2302007);
    SAME(f.server->Start(f.config), 2302003);
    // The first is not affected.
    Guest guest;
    CHECK(guest.enters(f.url()));
    SAME(f.server->GetServerContext()->startServerConfig_.serverPort, f.config.serverPort);
}

void pages_of_other_origins_are_refused_with_403() {
    Fixture f;
    ServerContext *context = f.server->GetServerContext();
    SAME(context->GetAllowedOrigins(), "");
    context->SetAllowedOrigins("no origin");
    SAME(f.server->Start(f.config), 2302999);
    context->SetAllowedOrigins("https://tv.example");
    if (!f.starts()) return;
    nsws::ConnectOptions options;
    Guest out, in;
    options.origin = "https://elsewhere.example";
    CHECK(!out.client.connect(f.url(), options));
    out.events.wait("error");
    CHECK(out.events.all().find("403") != std::string::npos);
    options.origin = "https://tv.example";
    CHECK(!in.client.connect(f.url(), options));
    in.events.wait("open");
    // With the next Start, every page may again.
    context->SetAllowedOrigins("");
    SAME(f.server->Stop(), 0);
    SAME(f.server->Start(f.config), 0);
    options.origin = "https://elsewhere.example";
    CHECK(!out.client.connect(f.url(), options));
    out.events.wait("open");
}

void the_address_is_really_the_one_it_listens_on() {
    Fixture f;
    if (!f.starts()) return;
    Guest guest;
    CHECK(!guest.client.connect("ws://127.0.0.2:" + std::to_string(f.config.serverPort) + "/"));
    guest.events.wait("error");
    CHECK(guest.enters(f.url()));
}

// Sessions.

void a_session_goes_connect_message_close() {
    Fixture f;
    if (!f.starts()) return;
    Guest guest;
    if (!guest.enters(f.url())) return;
    f.events().wait("connect 127.0.0.1");
    const SocketConnection connection = f.last();
    CHECK(!guest.client.send_text("hello"));
    f.events().wait("message hello");
    SAME(f.send("welcome", connection), 0);
    guest.events.wait("text welcome");
    SAME(f.send(std::string("\0\1", 2), connection), 0);
    guest.events.wait(std::string("binary \0\1", 9));
    CHECK(!guest.client.close(4000, "bye"));
    f.events().wait("close 4000 bye");
    guest.events.wait("close 4000 bye");
    SAME(f.events().all(), "connect 127.0.0.1, message hello, close 4000 bye");
    SAME(guest.events.all(), std::string("open , text welcome, binary \0\1, close 4000 bye", 46));
}

void a_certificate_means_wss_and_nothing_else() {
    Fixture f;
    f.config.serverCert = {std::string(setting("NSWS_CERT_DIR")) + "/good.pem", std::string(setting("NSWS_CERT_DIR")) + "/good.key"};
    if (!f.starts()) return;
    const std::string ca = std::string(setting("NSWS_CERT_DIR")) + "/ca.pem";
    nsws::ConnectOptions options;
    options.ca_path = ca.c_str();
    Guest guest, plain;
    if (!guest.enters(f.url(), options)) return;
    f.events().wait("connect");
    SAME(f.send("hello", f.last()), 0);
    guest.events.wait("text hello");
    CHECK(!plain.client.connect("ws://127.0.0.1:" + std::to_string(f.config.serverPort) + "/"));
    plain.events.wait("error");
    SAME(plain.events.count("open"), 0u);
}

void the_sub_protocol_is_negotiated() {
    Fixture f;
    f.config.protocol = "chat.v2,chat.v1";
    if (!f.starts()) return;
    nsws::ConnectOptions options;
    options.protocol = "other,chat.v1";
    Guest guest;
    CHECK(guest.enters(f.url(), options));
    SAME(guest.events.all(), "open chat.v1");
}

void limits_of_0_are_10_and_others_hold() {
    Fixture f, two;
    if (!f.starts()) return;
    std::vector<std::unique_ptr<Guest>> guests;
    for (int i = 0; i < 10; i++) {
        guests.push_back(std::make_unique<Guest>());
        if (!guests.back()->enters(f.url())) return;
    }
    Guest too_many;
    CHECK(!too_many.client.connect(f.url()));
    too_many.events.wait("error 503");

    two.config.maxConnectionsForOneClient = 2;
    if (!two.starts()) return;
    Guest first, second, third;
    if (!first.enters(two.url()) || !second.enters(two.url())) return;
    CHECK(!third.client.connect(two.url()));
    third.events.wait("error 503");
}

// List, Send, Close.

void connections_are_listed() {
    Fixture f;
    std::vector<SocketConnection> connections{{"stale", 1}};
    SAME(f.server->ListAllConnections(connections), -1);
    SAME(connections.size(), 0u);
    if (!f.starts()) return;
    SAME(f.server->ListAllConnections(connections), 0);
    SAME(connections.size(), 0u);
    Guest one, other;
    if (!one.enters(f.url()) || !other.enters(f.url())) return;
    f.events().wait("connect", 2);
    SAME(f.server->ListAllConnections(connections), 0);
    if (!SAME(connections.size(), 2u)) return;
    SAME(connections[0].clientIP, "127.0.0.1");
    CHECK(connections[0].clientPort != connections[1].clientPort);
    SAME(f.send("to one", connections[0]), 0);
    SAME(f.send("to the other", connections[1]), 0);
    CHECK(!one.client.close());
    f.events().wait("close");
    CHECK(eventually([&] { return f.server->ListAllConnections(connections) == 0 && connections.size() == 1; }));
}

void an_unknown_connection_is_2302006() {
    Fixture f;
    CloseOption never_set;
    __asm__("" : "=m"(never_set));
    const SocketConnection somewhere{"127.0.0.1", 12345}, nowhere{"", 12345};
    SAME(f.send("x", somewhere), -1);
    SAME(f.server->Close(somewhere, never_set), -1);
    SAME(f.send("x", nowhere), -1);
    if (!f.starts()) return;
    SAME(f.send("x", somewhere), 2302006);
    SAME(f.server->Close(somewhere, never_set), 2302006);
    SAME(f.send("x", with_port(somewhere, 65536)), 2302006);
    SAME(f.send("x", with_port(somewhere, 70000)), 2302006);
    SAME(f.send("x", {"not an address", 1}), 2302006);
    SAME(f.send("x", nowhere), -1);
    SAME(f.server->Close(nowhere, never_set), -1);
    Guest guest;
    if (!guest.enters(f.url())) return;
    f.events().wait("connect");
    const SocketConnection connection = f.last();
    SAME(f.send("x", with_port(connection, connection.clientPort == 1 ? 2 : 1)), 2302006);
    CHECK(!guest.client.close());
    f.events().wait("close");
    CHECK(eventually([&] { return f.send("x", connection) == 2302006; }));
    SAME(f.server->Close(connection, {1000, ""}), 2302006);
}

void send_takes_bytes_of_any_kind_and_nothing_else() {
    Fixture f;
    if (!f.starts()) return;
    Guest guest;
    if (!guest.enters(f.url())) return;
    f.events().wait("connect");
    const SocketConnection to = f.last();
    SAME(f.server->Send(nullptr, 0, to), -1);
    SAME(f.server->Send(nullptr, 5, to), -1);
    SAME(f.server->Send("x", -1, to), -1);
    SAME(f.server->Send("x", 0, to), 0);
    SAME(f.send("text", to), 0);
    SAME(f.send(std::string("bin\0ary", 7), to), 0);
    SAME(f.send("\xff", to), 0);
    guest.events.wait("binary \xff");
    SAME(guest.events.all(), std::string("open , text text, binary bin") + '\0' + "ary, binary \xff");
    // Above the client's limit of 4 MiB, too.
    SAME(f.send(std::string(6u << 20, 'a'), to), 0);
    guest.events.wait("text 6291456");
    const GuardedPage page;
    std::memset(page.end() - 64, 'p', 64);
    for (int length = 1; length <= 64; length++) SAME(f.server->Send(page.end() - length, length, to), 0);
    guest.events.wait("text p", 64);
}

void close_sends_code_and_reason() {
    Fixture f;
    if (!f.starts()) return;
    const struct {
        CloseOption option;
        const char *seen;
    } closes[] = {
        {{1000, "done"}, "close 1000 done"}, {{4000, "mine"}, "close 4000 mine"}, {{0, "not read"}, "close 1000 "},
        {{3000, nullptr}, "close 1000 "},    {{200, "x"}, "close 1000 x"},        {{1005, "x"}, "close 1000 x"},
        {{0, reinterpret_cast<const char *>(1)}, "close 1000 "},
    };
    for (const auto &close : closes) {
        Guest guest;
        if (!guest.enters(f.url())) return;
        f.events().wait("connect");
        const SocketConnection connection = f.last();
        SAME(f.server->Close(connection, close.option), 0);
        guest.events.wait(close.seen);
        f.events().wait(close.seen);
        f.events().clear();
    }
    Guest guest;
    if (!guest.enters(f.url())) return;
    f.events().wait("connect");
    const SocketConnection connection = f.last();
    SAME(f.server->Close(connection, {1000, std::string(124, 'a').c_str()}), -1);
    SAME(f.server->Close(connection, {1000, "\xff"}), -1);
    SAME(f.send("still here", connection), 0);
    guest.events.wait("text still here");
}

void how_a_client_ended_is_told() {
    Fixture f;
    if (!f.starts()) return;
    {
        // A link that breaks: the socket of a client that sends no close frame.
        Guest guest;
        if (!guest.enters(f.url())) return;
        f.events().wait("connect");
        CHECK(!nsws_client_release(guest.client.get()));
        f.events().wait("close 1001");
    }
    // An empty close frame, and a link that is cut.
    for (const bool empty_close : {true, false}) {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(static_cast<uint16_t>(f.config.serverPort));
        f.events().clear();
        CHECK(connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0);
        const std::string request =
            "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        CHECK(write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size()));
        f.events().wait("connect");
        const unsigned char frame[] = {0x88, 0x80, 1, 2, 3, 4};
        if (empty_close) {
            CHECK(write(fd, frame, sizeof frame) == sizeof frame);
            f.events().wait("close 1000 ");
        } else {
            const linger at_once{1, 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        }
        close(fd);
        f.events().wait("close");
        if (!empty_close) {
            SAME(f.events().count("close 1006 The link is down"), 1u);
            SAME(f.events().count("error 200"), 1u);
        }
    }
    // The server is open for others.
    Guest guest;
    CHECK(guest.enters(f.url()));
}

void a_message_above_64_mib_is_error_1012() {
    Fixture f;
    if (!f.starts()) return;
    Guest guest;
    nsws::ConnectOptions options;
    options.max_send_size = SIZE_MAX;
    if (!guest.enters(f.url(), options)) return;
    const std::string large((64u << 20) + 1, 'a');
    CHECK(!guest.client.send_binary(large));
    f.events().wait("error 1012");
    f.events().wait("close 1009");
}

// Stop, Destroy, deletion.

void stop_frees_the_port_and_tells_every_client() {
    Fixture f;
    SAME(f.server->Stop(), -1);
    if (!f.starts()) return;
    Guest one, other;
    if (!one.enters(f.url()) || !other.enters(f.url())) return;
    f.events().wait("connect", 2);
    const SocketConnection connection = f.last();
    SAME(f.server->Stop(), 0);
    SAME(f.server->Stop(), -1);
    SAME(f.send("x", connection), -1);
    std::vector<SocketConnection> connections{connection};
    SAME(f.server->ListAllConnections(connections), -1);
    SAME(connections.size(), 0u);
    SAME(f.server->GetServerContext()->closeStatus_, LWS_CLOSE_STATUS_GOINGAWAY);
    // At once, on the same port.
    SAME(f.server->Start(f.config), 0);
    one.events.wait("close 1001 server is going away");
    other.events.wait("close 1001 server is going away");
    f.events().wait("close 1001 server is going away", 2);
    Guest late;
    CHECK(late.enters(f.url()));
    f.events().wait("connect", 3);
}

void destroy_ends_without_a_callback() {
    Fixture f;
    SAME(f.server->Destroy(), -1);
    if (!f.starts()) return;
    for (std::size_t round = 1; round <= 20; round++) {
        // It can be used like a new one.
        if (round > 1) SAME(f.server->Start(f.config), 0);
        Guest guest;
        if (!guest.enters(f.url()) || !f.events().wait("connect", round)) return;
        const SocketConnection connection = f.last();
        SAME(f.server->Destroy(), 0);
        SAME(f.server->Destroy(), -1);
        SAME(f.server->Stop(), -1);
        SAME(f.send("x", connection), -1);
        guest.events.wait("close 1001");
        SAME(f.events().count("close"), 0u);
    }
}

const char *const PLACES[] = {"connect", "message", "close", "error"};

// `act` gets a server that it, or else the end of the round, deletes.
void in_each_callback(const std::function<bool(WebSocketServer *)> &act) {
    for (const std::string place : PLACES) {
        auto app = std::make_shared<App>();
        auto *server = new WebSocketServer;
        {
            const std::lock_guard<std::mutex> guarded(apps_lock);
            apps[server] = app;
        }
        server->Registcallback(on_error, on_connect, on_close, on_message);
        Events acted;
        app->hook = [&, place](WebSocketServer *self, const std::string &event, const SocketConnection &) {
            if (event.compare(0, place.size(), place) != 0) return;
            acted.add(act(self) ? "acted: deleted" : "acted");
        };
        ServerConfig config;
        config.serverIP = "127.0.0.1";
        config.serverPort = own_port();
        SAME(server->Start(config), 0);
        Guest guest;
        nsws::ConnectOptions options;
        options.max_send_size = SIZE_MAX;
        CHECK(!guest.client.connect("ws://127.0.0.1:" + std::to_string(config.serverPort) + "/", options));
        guest.events.wait("open");
        // Invalid text is an error; the others send a message and a close frame.
        if (place == "error") {
            const std::string large((64u << 20) + 1, 'a');
            (void)guest.client.send_binary(large);
        } else {
            (void)guest.client.send_text("x");
            (void)guest.client.close();
        }
        if (!acted.wait("acted")) return;
        if (acted.count("acted: deleted") == 0) delete server;
    }
}

void a_server_may_be_deleted_inside_each_callback() {
    in_each_callback([](WebSocketServer *server) {
        delete server;
        return true;
    });
}

void destroy_and_stop_are_safe_inside_each_callback() {
    in_each_callback([](WebSocketServer *server) {
        SAME(server->Stop(), 0);
        SAME(server->Destroy(), 0);
        SAME(server->Destroy(), -1);
        return false;
    });
}

void a_server_may_be_deleted_in_every_state() {
    { WebSocketServer never_started; }
    {
        Fixture listening;
        listening.starts();
    }
    {
        Fixture stopped;
        if (stopped.starts()) SAME(stopped.server->Stop(), 0);
    }
    {
        Fixture open;
        Guest guest;
        if (open.starts() && guest.enters(open.url())) {
            open.server.reset();
            guest.events.wait("close 1001");
        }
    }
    {
        Fixture stopping;
        Guest guest;
        if (stopping.starts() && guest.enters(stopping.url())) {
            SAME(stopping.server->Stop(), 0);
            stopping.server.reset();
            guest.events.wait("close 1001 server is going away");
        }
    }
    {
        Fixture destroyed;
        if (destroyed.starts()) SAME(destroyed.server->Destroy(), 0);
    }
}

void threads_may_send_while_clients_come_and_go() {
    Fixture f;
    if (!f.starts()) return;
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++) {
        threads.emplace_back([&] {
            while (!over) {
                std::vector<SocketConnection> connections;
                SAME(f.server->ListAllConnections(connections), 0);
                for (const SocketConnection &connection : connections) {
                    const int result = f.send("x", connection);
                    CHECK(result == 0 || result == 2302006 || result == -1);
                }
                std::this_thread::yield();
            }
        });
    }
    for (int i = 0; i < 40; i++) {
        Guest guest;
        if (!guest.enters(f.url()) || !guest.events.wait("text x")) break;
        if (i % 2 == 0) CHECK(!guest.client.close());
    }
    over = true;
    for (std::thread &thread : threads) thread.join();
}

void threads_may_start_and_stop_one_server() {
    Fixture f;
    if (!f.starts()) return;
    const auto start_and_stop = [&] {
        for (int i = 0; i < 200; i++) {
            f.server->Stop();
            f.server->Start(f.config);
        }
    };
    std::thread one(start_and_stop), other(start_and_stop);
    one.join();
    other.join();
    f.server->Stop();
    SAME(f.server->GetServerContext()->closeReason_, "server is going away");
}

void an_exception_in_a_callback_ends_its_connection_only() {
    Fixture f;
    f.app->hook = [&](WebSocketServer *, const std::string &event, const SocketConnection &) {
        if (event == "message mine") {
            f.app->running--;
            throw std::string("mine");
        }
    };
    if (!f.starts()) return;
    Guest guest, other;
    if (!guest.enters(f.url()) || !other.enters(f.url())) return;
    CHECK(!guest.client.send_text("mine"));
    guest.events.wait("close 1011");
    CHECK(!other.client.send_text("hello"));
    f.events().wait("message hello");
}

// The platform.

std::atomic<int> permission{1}, tv{1};

void without_permission_each_call_is_201() {
    nsws_platform platform;
    nsws_platform_init(&platform, sizeof platform);
    platform.has_internet_permission = [](void *) { return static_cast<uint8_t>(permission.load()); };
    platform.is_tv_device = [](void *) { return static_cast<uint8_t>(tv.load()); };
    CHECK(nsws_set_platform(&platform) == NSWS_OK);
    {
        Fixture f, idle;
        if (!f.starts()) return;
        Guest guest;
        if (!guest.enters(f.url())) return;
        f.events().wait("connect");
        const SocketConnection connection = f.last();
        std::vector<SocketConnection> connections;
        permission = 0;
        for (Fixture *each : {&f, &idle}) {
            SAME(each->server->Start(each->config), 201);
            SAME(each->send("x", connection), 201);
            SAME(each->server->Close(connection, {1000, ""}), 201);
            connections = {connection};
            SAME(each->server->ListAllConnections(connections), 201);
            SAME(connections.size(), 0u);
            SAME(each->server->Stop(), 201);
            CHECK(each->server->GetServerContext()->IsPermissionDenied());
        }
        permission = 1;
        SAME(f.server->Stop(), 0);

        // On a phone there is no server.
        tv = 0;
        Fixture phone;
        SAME(phone.server->Start(f.config), -1);
        SAME(phone.server->Stop(), -1);
        SAME(phone.send("x", connection), -1);
        SAME(phone.server->ListAllConnections(connections), -1);
        tv = 1;
        CHECK(phone.starts());
    }
    CHECK(nsws_set_platform(nullptr) == NSWS_OK);
}

void nothing_is_left() {
    CHECK(nsws_shutdown(guard_seconds() * 1000u) == NSWS_OK);
}

}  // namespace

int main() {
    return run_tests({
        TEST(start_checks_address_port_limits_and_files_in_this_order),
        TEST(a_port_that_is_taken_is_2302007_and_a_second_start_2302003),
        TEST(pages_of_other_origins_are_refused_with_403),
        TEST(the_address_is_really_the_one_it_listens_on),
        TEST(a_session_goes_connect_message_close),
        TEST(a_certificate_means_wss_and_nothing_else),
        TEST(the_sub_protocol_is_negotiated),
        TEST(limits_of_0_are_10_and_others_hold),
        TEST(connections_are_listed),
        TEST(an_unknown_connection_is_2302006),
        TEST(send_takes_bytes_of_any_kind_and_nothing_else),
        TEST(close_sends_code_and_reason),
        TEST(how_a_client_ended_is_told),
        TEST(a_message_above_64_mib_is_error_1012),
        TEST(stop_frees_the_port_and_tells_every_client),
        TEST(destroy_ends_without_a_callback),
        TEST(a_server_may_be_deleted_inside_each_callback),
        TEST(destroy_and_stop_are_safe_inside_each_callback),
        TEST(a_server_may_be_deleted_in_every_state),
        TEST(threads_may_send_while_clients_come_and_go),
        TEST(threads_may_start_and_stop_one_server),
        TEST(an_exception_in_a_callback_ends_its_connection_only),
        TEST(without_permission_each_call_is_201),
        TEST(nothing_is_left),
    });
}
