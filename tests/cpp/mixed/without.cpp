// The unit without exceptions: it registers listeners of every type that with.cpp does.
#include <netstack_websocket.hpp>

void listen_without_exceptions(nsws::Client &client, nsws::Server &server);

void listen_without_exceptions(nsws::Client &client, nsws::Server &server) {
    client.on_open([](nsws::ClientRef, const nsws::OpenEvent &) {});
    client.on_close([](nsws::ClientRef, const nsws::CloseEvent &) {});
    client.on_error([](nsws::ClientRef, const nsws::ErrorEvent &) {});
    server.on_close([](nsws::ServerRef, nsws::Connection, const nsws::CloseEvent &) {});
    server.set_accept_hook([](nsws::ServerRef, const nsws::ConnectEvent &) -> uint16_t { return 0; });
}
