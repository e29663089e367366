// A chat room, as server or as guest:
//
//     room serve [PORT]           passes on what anybody says to everybody
//     room join URL NAME          says what it reads from standard input, line by line

#include <netstack_websocket.hpp>

#include <cstdlib>
#include <future>
#include <iostream>
#include <string>

namespace {

int serve(uint32_t port) {
    nsws::ServerOptions options;
    options.server_ip = "127.0.0.1";
    options.server_port = port;

    nsws::Server server;
    server.on_connect([](nsws::ServerRef room, nsws::Connection, const nsws::ConnectEvent &guest) {
        room.broadcast_text("* somebody comes in from " + std::string(guest.client_ip));
    });
    server.on_message([](nsws::ServerRef room, nsws::Connection, const nsws::MessageEvent &message) {
        if (message.is_text) {
            room.broadcast_text(message.text());
        }
    });
    server.on_close([](nsws::ServerRef room, nsws::Connection, const nsws::CloseEvent &) {
        room.broadcast_text("* somebody leaves");
    });
    nsws::check(server.start(options));
    std::cout << "The room is open: ws://127.0.0.1:" << server.port() << "/" << std::endl;

    // Until the standard input ends.
    for (std::string line; std::getline(std::cin, line);) {
        nsws::check(server.broadcast_text("* " + line));
    }
    nsws::check(server.stop());
    return EXIT_SUCCESS;
}

int join(const std::string &url, const std::string &name) {
    std::promise<std::string> opened, closed;

    nsws::Client client;
    client.on_open([&](nsws::ClientRef, const nsws::OpenEvent &) { opened.set_value(""); });
    client.on_message([](nsws::ClientRef, const nsws::MessageEvent &message) { std::cout << message.text() << std::endl; });
    client.on_error([&](nsws::ClientRef, const nsws::ErrorEvent &error) {
        // Before open, no other event follows.
        if (error.phase < NSWS_PHASE_PROTOCOL) {
            opened.set_value(std::string(error.message));
        }
    });
    client.on_close([&](nsws::ClientRef, const nsws::CloseEvent &close) { closed.set_value(std::string(close.reason)); });

    nsws::check(client.connect(url));
    const std::string why_not = opened.get_future().get();
    if (!why_not.empty()) {
        std::cerr << why_not << std::endl;
        return EXIT_FAILURE;
    }
    for (std::string line; std::getline(std::cin, line);) {
        nsws::check(client.send_text(name + ": " + line));
    }
    if (!client.close()) {
        // The last event.
        const std::string reason = closed.get_future().get();
        std::cout << "* " << name << " has left. " << reason << std::endl;
    }
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char **argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    try {
        int status = EXIT_FAILURE;
        if (what == "serve" && argc <= 3) {
            status = serve(argc == 3 ? static_cast<uint32_t>(std::stoul(argv[2])) : 0);
        } else if (what == "join" && argc == 4) {
            status = join(argv[2], argv[3]);
        } else {
            std::cerr << "room serve [PORT] | room join URL NAME" << std::endl;
        }
        nsws::check(nsws::shutdown(std::chrono::seconds(5)));
        return status;
    } catch (const std::exception &error) {
        std::cerr << "room: " << error.what() << std::endl;
        return EXIT_FAILURE;
    }
}
