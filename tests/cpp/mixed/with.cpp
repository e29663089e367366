// One program of two units: this one has exceptions, without.cpp has none. Whichever the linker takes first, an exception in a
// listener that is registered here ends only its connection.
#include "check.hpp"

#include <netstack_websocket.hpp>
#include <stdexcept>

void listen_without_exceptions(nsws::Client &client, nsws::Server &server);

namespace {

void an_exception_is_caught_whatever_the_link_order() {
    Events events;
    nsws::Server server;
    nsws::Client client;
    // Functions of the same types, first registered there.
    listen_without_exceptions(client, server);
    server.set_accept_hook([](nsws::ServerRef, const nsws::ConnectEvent &event) -> uint16_t {
        if (event.path == "/refused") throw std::runtime_error("mine");
        return 0;
    });
    client.on_open([](nsws::ClientRef, const nsws::OpenEvent &) { throw std::runtime_error("mine"); });
    client.on_close([&](nsws::ClientRef, const nsws::CloseEvent &event) { events.add("close " + std::to_string(event.code)); });
    client.on_error([&](nsws::ClientRef, const nsws::ErrorEvent &event) { events.add("error " + std::to_string(event.http_status)); });
    server.on_close([&](nsws::ServerRef, nsws::Connection, const nsws::CloseEvent &event) {
        events.add("server close " + std::to_string(event.code));
    });
    nsws::ServerOptions options;
    options.server_ip = "127.0.0.1";
    if (!CHECK(!server.start(options))) return;
    const std::string url = "ws://127.0.0.1:" + std::to_string(server.port());
    CHECK(!client.connect(url + "/"));
    events.wait("server close 1011");
    events.wait("close 1011");
    CHECK(!client.connect(url + "/refused"));
    events.wait("error 500");
}

void an_empty_function_is_refused() {
    nsws::Client client;
    SAME(client.on_open(std::function<void(nsws::ClientRef, const nsws::OpenEvent &)>()).error().value(), NSWS_ERR_PARAMETER);
    SAME(client.on_open(nullptr).error().value(), NSWS_ERR_PARAMETER);
}

}  // namespace

int main() {
    return run_tests({TEST(an_exception_is_caught_whatever_the_link_order), TEST(an_empty_function_is_refused)});
}
